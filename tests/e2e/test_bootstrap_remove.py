# ruff: noqa: ASYNC110, ASYNC222, ASYNC240 - conditions are awaited with a deadline; processes are looked at
"""Destroy leaves nothing of a worker and touches nothing else; sleep and wake keep its files."""

from __future__ import annotations

import asyncio
import os
import pty
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec.structs import replace

from amtui.bootstrap import remove
from amtui.bootstrap.phases import plan
from amtui.bootstrap.remove import Removed
from amtui.bootstrap.runner import run
from amtui.bootstrap.session import Session
from amtui.console import server
from amtui.errors import DiskFull, NotFound, Refused
from amtui.model import MAIN_CONSOLE, Autonomy, Worker
from amtui.providers.base import Place
from amtui.providers.local import LocalProvider
from amtui.runtimes.base import Setup
from amtui.runtimes.shell import Shell

ONE = Worker(
    id="1" * 32, name="one", substrate="local", host_id="local", runtime="shell", autonomy=Autonomy.ASK
)
TWO = replace(ONE, id="2" * 32, name="two")


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="amtui-", dir="/tmp"))
    yield made
    for worker in (ONE, TWO):
        subprocess.run(["tmux", "-S", str(made / "s" / worker.short_id), "kill-server"], capture_output=True)
    subprocess.run(["chmod", "-R", "u+rwX", str(made)], check=True)
    shutil.rmtree(made)


def place_of(folder: Path, worker: Worker) -> Place:
    base = f"{folder}/machines"
    root = f"{base}/workers/{worker.short_id}"
    return Place(LocalProvider(base), "local", base, root, f"{folder}/s/{worker.short_id}")


def session_of(place: Place) -> Session:
    async def alive() -> bool:
        try:
            return not server.state_of(await server.request(place, MAIN_CONSOLE, "state")).dead
        except NotFound:
            return False

    async def start(say: Callable[[str], None]) -> None:
        await server.start(place, MAIN_CONSOLE, [f"{place.etc}/launch"], cwd=place.home)

    async def trouble(patience: float) -> str:
        return ""

    return Session(alive, start, trouble)


async def deploy(folder: Path, worker: Worker, workdir: str | None = None) -> Place:
    place = place_of(folder, worker)
    setup = Setup(
        worker=replace(worker, workdir=workdir), place=place, workdir=workdir or place.home, uid=os.getuid()
    )
    steps = plan(setup, Shell(), session_of(place))
    await run(steps, place, on_phase=lambda phase: None, on_log=lambda phase, text: None)
    return place


async def destroy(place: Place, worker: Worker) -> Removed:
    return await remove.destroy(place, worker, stop=server.stop)


def processes_of(place: Place) -> list[str]:
    """Command lines of live processes that belong to the worker: by environment, directory or socket."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if folder.joinpath("stat").read_text().rpartition(") ")[2][0] in "ZX":
                continue
            words = folder.joinpath("environ").read_bytes() + folder.joinpath("cmdline").read_bytes()
            here = os.readlink(folder / "cwd").startswith(place.root)
            if here or place.root.encode() in words or place.socket.encode() in words:
                found.append(folder.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.02)


async def full(place: Place) -> None:
    raise DiskFull("the console helper could not be written")


@pytest.mark.parametrize("stop", [server.stop, full])
async def test_destroy_leaves_nothing(folder: Path, stop: remove.Stop) -> None:
    place = await deploy(folder, ONE)
    home = Path(place.home)
    # What agents leave: a daemon with the worker's environment, one without it, a process that ignores TERM,
    # directories without write permission, odd names.
    script = (
        "setsid sleep 300 & env -i /usr/bin/setsid /bin/sleep 300 & "
        "setsid sh -c \"trap '' TERM; touch deaf; while :; do sleep 1; done\" & "
        "mkdir -p mod/a; touch 'mod/a/-rf *' mod/a/b; chmod 500 mod/a mod; touch ready; wait"
    )
    await server.restart(
        place, MAIN_CONSOLE, ["/bin/sh", "-c", f"cd; HOME={place.home}; export HOME; cd; {script}"]
    )
    await until(lambda: (home / "ready").exists() and (home / "deaf").exists())
    assert len(processes_of(place)) >= 5
    assert await remove.destroy(place, ONE, stop=stop) is Removed.REMOVED
    assert processes_of(place) == []
    assert [path for path in folder.rglob("*") if path.name != "cache"] == []
    assert await destroy(place, ONE) is Removed.GONE
    assert [path for path in folder.rglob("*") if path.name != "cache"] == []


async def test_destroying_one_leaves_the_other(folder: Path) -> None:
    one, two = await deploy(folder, ONE), await deploy(folder, TWO)
    before = server.state_of(await server.request(two, MAIN_CONSOLE, "state"))
    assert await destroy(one, ONE) is Removed.REMOVED
    after = server.state_of(await server.request(two, MAIN_CONSOLE, "state"))
    assert (after.program, after.dead) == (before.program, False)
    assert not Path(one.root).exists()
    assert Path(two.home).is_dir()
    assert await destroy(two, TWO) is Removed.REMOVED


async def test_a_workdir_and_a_shell_that_stands_in_the_worker_stay(folder: Path) -> None:
    project = folder / "project"
    project.mkdir()
    (project / "mine").touch()
    place = await deploy(folder, ONE, workdir=str(project))
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(place.home)
        os.execv("/bin/sh", ["sh"])
    try:
        await until(
            lambda: os.path.exists(f"/proc/{pid}/cwd") and os.readlink(f"/proc/{pid}/cwd") == place.home
        )
        assert await destroy(place, ONE) is Removed.REMOVED
        assert Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
        assert (project / "mine").exists()
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


async def test_a_worker_whose_directory_was_deleted_behind_our_back(folder: Path) -> None:
    place = await deploy(folder, ONE)
    shutil.rmtree(place.root)
    assert processes_of(place)
    await destroy(place, ONE)
    assert processes_of(place) == []
    assert not Path(place.socket).exists()
    assert await destroy(place, ONE) is Removed.GONE


async def test_only_the_home_was_deleted(folder: Path) -> None:
    place = await deploy(folder, ONE)
    shutil.rmtree(place.home)
    assert await destroy(place, ONE) is Removed.REMOVED
    assert not Path(place.root).exists()


@pytest.mark.parametrize("how", ["another id", "no id", "a link", "elsewhere", "another name"])
async def test_what_is_not_provably_ours_is_not_touched(folder: Path, how: str) -> None:
    place = place_of(folder, ONE)
    root = Path(place.root)
    target = folder / "precious"
    target.mkdir()
    (target / "keep").touch()
    (target / "worker.json").write_text(f'{{"id":"{ONE.id}"}}')
    if how == "a link":
        root.parent.mkdir(parents=True)
        root.symlink_to(target)
    elif how == "elsewhere":
        place = replace_root(place, str(target))
    elif how == "another name":
        root.parent.mkdir(parents=True)
        target = target.rename(root.parent / "aaaaaaaaaaaa")
        place = replace_root(place, str(target))
    else:
        root.parent.mkdir(parents=True)
        target = target.rename(root)
        if how == "no id":
            (target / "worker.json").unlink()
        else:
            (target / "worker.json").write_text(f'{{"id":"{TWO.id}"}}')
    with pytest.raises(Refused):
        await destroy(place, ONE)
    assert (target / "keep").exists()


def replace_root(place: Place, root: str) -> Place:
    return Place(place.provider, place.host_id, place.base, root, place.socket)


@pytest.mark.parametrize("left", [(), ("worker.json",), ("worker.json.123",)])
async def test_a_making_or_removing_that_was_cut_off(folder: Path, left: tuple[str, ...]) -> None:
    place = place_of(folder, ONE)
    Path(place.root).mkdir(parents=True)
    for name in left:
        Path(place.root, name).write_text(f'{{"id":"{ONE.id}"}}')
    assert await destroy(place, ONE) is Removed.REMOVED
    assert not Path(place.root).exists()


async def test_sleep_keeps_files_and_wake_starts_the_console(folder: Path) -> None:
    place = await deploy(folder, ONE)
    kept = Path(place.home, "kept")
    kept.touch()
    await remove.sleep(place, ONE, stop=server.stop)
    assert processes_of(place) == []
    assert kept.exists()
    session = session_of(place)
    assert not await session.alive()
    await remove.wake(place, ONE, session=session)
    assert await session.alive()
    before = server.state_of(await server.request(place, MAIN_CONSOLE, "state"))
    await remove.wake(place, ONE, session=session)
    assert server.state_of(await server.request(place, MAIN_CONSOLE, "state")).program == before.program
