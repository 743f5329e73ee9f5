# ruff: noqa: ASYNC240, ASYNC221 - files are looked at to prove things
"""Settings: merged, never through links, secrets in one 0600 file, launchers for a fresh start and a resume."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from amtui.bootstrap.configure import Configuration
from amtui.errors import AmtuiError, Refused
from amtui.model import Autonomy, Worker
from amtui.providers.base import Command, ExecResult, Place, Purpose
from amtui.providers.local import LocalProvider
from amtui.runtimes.base import FileEdit, Launch, Setup, Step

SECRET = "sk-planted-value"
WORKER = Worker(
    id="6" * 32, name="w", substrate="local", host_id="local", runtime="fake", autonomy=Autonomy.ASK
)


class Recorder(LocalProvider):
    """The local substrate, keeping every command it was asked to run."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.commands: list[Command] = []

    async def exec(self, host_id: str, command: Command, *, purpose: Purpose = Purpose.USER) -> ExecResult:
        self.commands.append(command)
        return await super().exec(host_id, command, purpose=purpose)


def merge(present: bytes | None) -> bytes:
    document = json.loads(present) if present else {}
    if document.get("ours") == 1:
        return present or b""
    return json.dumps({**document, "ours": 1}).encode()


class Fake:
    """A runtime whose launch prints what it sees."""

    id = "fake"
    title = "Fake"
    wires = frozenset()  # type: ignore[var-annotated]
    version = ""
    binary = "sh"

    def install(self, setup: Setup) -> Sequence[Step]:
        return ()

    def edits(self, setup: Setup) -> Sequence[FileEdit]:
        return [FileEdit(".fake/settings.json", merge)]

    def launch(self, setup: Setup, *, resume: bool = False) -> Launch:
        script = 'echo "$KEY|$PLAIN|$HOME|$PWD|$1"'
        return Launch(
            ("sh", "-c", script, "sh", "resumed" if resume else "fresh"), {"PLAIN": "p"}, {"KEY": SECRET}
        )

    def verify(self, setup: Setup) -> str:
        return "true"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    root = tmp_path / "workers" / WORKER.short_id
    for name in ("home", "etc"):
        (root / name).mkdir(parents=True, mode=0o700)
    return Place(Recorder(tmp_path), "local", str(tmp_path), str(root), str(tmp_path / "s"))


def configuration(place: Place) -> Configuration:
    setup = Setup(worker=WORKER, place=place, workdir=place.home, uid=os.getuid(), key=SECRET)
    return Configuration(setup, Fake())


async def apply(place: Place) -> list[str]:
    said: list[str] = []
    await configuration(place).apply(said.append)
    return said


async def test_written_once_and_satisfied_after(place: Place) -> None:
    assert not await configuration(place).check()
    said = await apply(place)
    assert await configuration(place).check()
    assert said[0] == "wrote ~/.fake/settings.json"
    assert await apply(place) == said[1:]
    modes = {name: Path(place.etc, name).stat().st_mode & 0o777 for name in ("env", "launch", "resume")}
    assert modes == {"env": 0o600, "launch": 0o700, "resume": 0o700}
    assert Path(place.home, ".fake").stat().st_mode & 0o777 == 0o700
    assert Path(place.home, ".fake", "settings.json").stat().st_mode & 0o777 == 0o600


async def test_what_the_agent_wrote_stays(place: Place) -> None:
    file = Path(place.home, ".fake", "settings.json")
    file.parent.mkdir()
    file.write_text('{"theirs": [1, 2]}')
    assert (await apply(place))[0] == "merged ~/.fake/settings.json"
    assert json.loads(file.read_text()) == {"theirs": [1, 2], "ours": 1}


@pytest.mark.parametrize("broken", ["env", "launch", "mode", "settings"])
async def test_what_was_changed_is_noticed(place: Place, broken: str) -> None:
    await apply(place)
    if broken == "mode":
        Path(place.etc, "env").chmod(0o644)
    elif broken == "settings":
        Path(place.home, ".fake", "settings.json").write_text("{}")
    else:
        Path(place.etc, broken).write_text("")
    assert not await configuration(place).check()
    await apply(place)
    assert await configuration(place).check()


@pytest.mark.parametrize("link", [".fake", ".fake/settings.json"])
async def test_nothing_is_read_or_written_through_a_link(place: Place, tmp_path: Path, link: str) -> None:
    """An agent in confinement must not have its operator's files copied to it, or changed, by our merge."""
    operators = tmp_path / "operators"
    operators.mkdir()
    (operators / "settings.json").write_text('{"token": "the operator\'s"}')
    await apply(place)
    path = Path(place.home, link)
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    path.symlink_to(operators if link == ".fake" else operators / "settings.json")
    for attempt in (configuration(place).check, lambda: apply(place)):
        with pytest.raises(Refused, match="is a link or"):
            await attempt()
    assert (operators / "settings.json").read_text() == '{"token": "the operator\'s"}'
    assert path.is_symlink()


async def test_the_secret_is_in_the_env_file_alone(place: Place) -> None:
    await apply(place)
    await configuration(place).check()
    holders = [
        path.name for path in Path(place.base).rglob("*") if path.is_file() and SECRET in path.read_text()
    ]
    assert holders == ["env"]
    assert not any(SECRET in repr((c.argv, c.env)) for c in place.provider.commands)  # type: ignore[attr-defined]


async def test_the_launchers_start_fresh_and_resume(place: Place) -> None:
    await apply(place)
    for words, how in (([], "fresh"), (["resume"], "resumed")):
        done = subprocess.run([f"{place.etc}/launch", *words], capture_output=True, text=True, cwd="/")
        assert done.stdout == f"{SECRET}|p|{place.home}|{place.home}|{how}\n", done.stderr


class Watched(Fake):
    """Keeps what it was given to merge."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def edits(self, setup: Setup) -> Sequence[FileEdit]:
        def watched(present: bytes | None) -> bytes:
            self.seen.append(present or b"")
            return merge(present)

        return [FileEdit(".fake/settings.json", watched)]


async def test_an_agent_that_swaps_its_directory_for_a_link_meanwhile_gains_nothing(
    place: Place, tmp_path: Path
) -> None:
    """The look and the reading were two requests: a live agent could put a link in between."""
    operators = tmp_path / "operators"
    operators.mkdir()
    (operators / "settings.json").write_text('{"token": "the operator\'s"}')
    await apply(place)
    folder, aside, over = Path(place.home, ".fake"), Path(place.home, "aside"), threading.Event()

    def swap() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError):  # the merge may have made the directory anew in between
                shutil.rmtree(aside, ignore_errors=True)
                folder.rename(aside)
                folder.symlink_to(operators)
                folder.unlink()
                aside.rename(folder)

    agent = threading.Thread(target=swap)
    agent.start()
    setup = Setup(worker=WORKER, place=place, workdir=place.home, uid=os.getuid(), key=SECRET)
    runtime = Watched()
    try:
        for _ in range(40):
            with contextlib.suppress(AmtuiError):
                await Configuration(setup, runtime).apply(lambda line: None)
    finally:
        over.set()
        agent.join()
    assert runtime.seen and not any(b"token" in text for text in runtime.seen)
    assert [file.name for file in operators.iterdir()] == ["settings.json"]
    assert (operators / "settings.json").read_text() == '{"token": "the operator\'s"}'


async def test_a_confined_agents_settings_are_handled_inside_its_confinement(place: Place) -> None:
    def wrap(argv: Sequence[str]) -> list[str]:
        return ["env", "WRAPPED=1", *argv]

    setup = Setup(worker=WORKER, place=place, workdir=place.home, uid=os.getuid(), key=SECRET)
    await Configuration(setup, Fake(), wrap).apply(lambda line: None)
    assert isinstance(place.provider, Recorder)
    touched = [command.argv for command in place.provider.commands if ".fake/settings.json" in command.argv]
    assert len(touched) == 2
    assert all(list(argv[:2]) == ["env", "WRAPPED=1"] for argv in touched)


async def test_a_fifo_in_place_of_settings_is_refused_at_once(place: Place) -> None:
    Path(place.home, ".fake").mkdir()
    os.mkfifo(Path(place.home, ".fake/settings.json"))
    with pytest.raises(Refused, match="not a regular file"):
        await apply(place)
