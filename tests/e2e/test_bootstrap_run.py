# ruff: noqa: ASYNC110, ASYNC240 - conditions are awaited with a deadline, and files are looked at to prove things
"""Bootstrap on this computer with small phases: resume after kill -9, adoption, one at a time, full disk."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from amtui.bootstrap import remove
from amtui.bootstrap.jobs import Jobs
from amtui.bootstrap.phases import Courier, PhaseSpec, Plan, Shell, place_phase, plan
from amtui.bootstrap.runner import Rhythm, run
from amtui.bootstrap.session import Session
from amtui.console import server
from amtui.errors import BootstrapFailed, NotFound, StateGone, UsageError
from amtui.model import MAIN_CONSOLE, Autonomy, Phase, PhaseStatus, Untrusted, Worker
from amtui.providers.base import Place
from amtui.providers.local import LocalProvider
from amtui.runtimes.base import Setup
from amtui.runtimes.shell import Shell as ShellRuntime

WORKER = Worker(
    id="0123456789abcdef0123456789abcdef",
    name="w",
    substrate="local",
    host_id="local",
    runtime="shell",
    autonomy=Autonomy.ASK,
)


PHASES = ("place", "one", "two", "settings", "extra", "last")


class Seen:
    """Callbacks of a run, kept."""

    def __init__(self) -> None:
        self.phases: list[Phase] = []
        self.log: dict[str, str] = {}

    def on_phase(self, phase: Phase) -> None:
        self.phases.append(phase)

    def on_log(self, phase: str, text: Untrusted) -> None:
        self.log[phase] = self.log.get(phase, "") + text.for_terminal()

    def ends(self) -> dict[str, PhaseStatus]:
        return {phase.id: phase.status for phase in self.phases}


def place_in(folder: str) -> Place:
    base = f"{folder}/machines"
    return Place(
        provider=LocalProvider(base),
        host_id="local",
        base=base,
        root=f"{base}/workers/{WORKER.short_id}",
        socket=f"{folder}/s/{WORKER.short_id}",
    )


@pytest.fixture
def place() -> Iterator[Place]:
    folder = tempfile.mkdtemp(prefix="amtui-", dir="/tmp")  # short: a socket's path has 100 bytes at most
    place = place_in(folder)
    yield place
    for pid in Path(place.jobs).glob("*/pid"):
        with suppress(OSError, ValueError):
            os.killpg(int(pid.read_text().split()[0]), signal.SIGKILL)
    subprocess.run(["tmux", "-S", place.socket, "kill-server"], capture_output=True)
    shutil.rmtree(folder, ignore_errors=True)


def session_of(place: Place) -> Session:
    """The console as the bootstrap needs it, on the real console server."""

    async def alive() -> bool:
        try:
            return not server.state_of(await server.request(place, MAIN_CONSOLE, "state")).dead
        except NotFound:
            return False

    async def start(say: Callable[[str], None]) -> None:
        await server.start(place, MAIN_CONSOLE, [f"{place.etc}/launch"], cwd=place.home)

    async def trouble(patience: float) -> str:
        return "" if await alive() else "no program in the console"

    return Session(alive, start, trouble)


def shell_plan(place: Place) -> Plan:
    setup = Setup(worker=WORKER, place=place, workdir=place.home, uid=os.getuid())
    runtime = ShellRuntime()
    return plan(setup, runtime, session_of(place))


async def until(true: Callable[[], object], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.02)


def small_plan(place: Place, *, fail: str = "") -> Plan:
    """place, two jobs, courier work, a job that is best effort, a job. Each waits for a file `go` beside `workers/`."""
    folder = Path(place.base).parent

    def job(name: str, core: bool = True) -> PhaseSpec:
        last = (
            "echo 'error: no luck today' >&2; echo bye; exit 7"
            if name == fail
            else f'touch "$HOME/{name}.done"'
        )
        apply = f"echo {name} begins; until [ -e {folder}/go ]; do sleep 0.05; done; {last}"
        return PhaseSpec(name, f"Do {name}", Shell(f'[ -e "$HOME/{name}.done" ]', apply), core, timeout=60.0)

    done = Path(place.home, "settings.done")

    async def check() -> bool:
        return done.exists()

    async def apply(say: Callable[[str], None]) -> None:
        await until(lambda: (folder / "go").exists())
        done.touch()
        say("settings written")

    courier = PhaseSpec("settings", "Write settings", Courier(check, apply))
    phases = (
        place_phase(WORKER, place),
        job("one"),
        job("two"),
        courier,
        job("extra", core=False),
        job("last"),
    )
    return Plan(WORKER, phases)


QUICK = Rhythm(lease=60, beat=0.5, poll=1, idle=0.1)


async def drive(place: Place, seen: Seen, **words: Any) -> None:
    fail = words.pop("fail", "")
    await run(
        small_plan(place, fail=fail), place, on_phase=seen.on_phase, on_log=seen.on_log, rhythm=QUICK, **words
    )


def go(place: Place) -> None:
    Path(place.base).parent.joinpath("go").touch()


def runs(place: Place) -> dict[str, int]:
    return {file.parent.name: len(file.read_text().splitlines()) for file in Path(place.jobs).glob("*/runs")}


def courier(place: Place) -> subprocess.Popen[bytes]:
    """Another amtui that drives the same bootstrap, to be killed."""
    folder = str(Path(place.base).parent)
    code = f"import asyncio, test_bootstrap_run as t\nasyncio.run(t.drive(t.place_in({folder!r}), t.Seen()))"
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])])
    return subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path})


async def test_from_nothing_to_a_live_console(place: Place) -> None:
    seen = Seen()
    await run(shell_plan(place), place, on_phase=seen.on_phase, on_log=seen.on_log)
    assert set(seen.ends().values()) <= {PhaseStatus.DONE, PhaseStatus.SKIPPED}
    await place.exec(
        ["tmux", "-S", place.socket, "send-keys", "-t", "amconsole", "echo $HOME >proof", "Enter"]
    )
    proof = Path(place.home, "proof")
    await until(lambda: proof.exists() and proof.read_text())
    assert proof.read_text().strip() == place.home
    assert not [p for p in Path(place.root).rglob("*") if p.is_dir() and p.stat().st_mode & 0o077]
    before = runs(place)
    again = Seen()
    await run(shell_plan(place), place, on_phase=again.on_phase, on_log=again.on_log)
    assert runs(place) == before


async def test_phases_run_once_in_order_with_their_log(place: Place) -> None:
    go(place)
    seen = Seen()
    await drive(place, seen)
    assert [p.id for p in seen.phases if p.status is PhaseStatus.DONE] == list(PHASES)
    assert runs(place) == dict.fromkeys(PHASES, 1)
    assert seen.log["one"] == "--- one, run 1 ---\none begins\n"
    assert seen.log["settings"].endswith("settings written\n")
    assert all(p.started_at and p.ended_at and p.ended_at >= p.started_at for p in seen.phases if p.ended_at)


@pytest.mark.parametrize("phase", ["one", "two", "settings", "extra", "last"])
async def test_kill_9_of_the_courier(place: Place, phase: str) -> None:
    """What is in flight is adopted (a job) or done again (work that died with the courier); nothing else is redone."""
    held = PHASES.index(phase)
    for name in PHASES[1:held]:
        Path(place.home).mkdir(parents=True, exist_ok=True)
        Path(place.home, f"{name}.done").touch()
    other = courier(place)
    try:
        await until(lambda: runs(place).get(phase))
    finally:
        other.kill()
        other.wait()
    go(place)
    seen = Seen()
    await drive(place, seen)
    expected = {"place": 1, **dict.fromkeys(PHASES[held:], 1)}
    if phase == "settings":
        expected[phase] = 2
    assert runs(place) == expected
    assert set(seen.ends().values()) <= {PhaseStatus.DONE, PhaseStatus.SKIPPED}


@pytest.mark.parametrize("victim", ["job", "supervisor"])
async def test_kill_9_of_the_job(place: Place, victim: str) -> None:
    seen = Seen()
    first = asyncio.create_task(drive(place, seen))
    pid = Path(place.jobs, "two", "pid")
    Path(place.home).mkdir(parents=True)
    Path(place.home, "one.done").touch()
    await until(lambda: pid.exists() and pid.read_text().endswith("\n"))
    job = int(pid.read_text().split()[0])
    os.kill(job if victim == "job" else int(os.readlink(f"{place.jobs}/lock").split(":")[0]), signal.SIGKILL)
    with pytest.raises(BootstrapFailed, match="two") as failed:
        await first
    assert "killed" in failed.value.message
    second = asyncio.create_task(drive(place, Seen()))
    await until(lambda: runs(place)["two"] == 2)
    go(place)
    await second
    assert runs(place) == {"place": 1, "two": 2, "settings": 1, "extra": 1, "last": 1}


async def test_a_second_bootstrap_follows_the_first(place: Place) -> None:
    first, second = Seen(), Seen()
    one = asyncio.create_task(drive(place, first))
    await until(lambda: runs(place).get("one"))
    two = asyncio.create_task(drive(place, second))
    await until(lambda: "one begins" in second.log.get("one", ""))
    assert not one.done()
    assert not two.done()
    go(place)
    await asyncio.gather(one, two)
    assert runs(place) == dict.fromkeys(PHASES, 1)
    assert first.ends() == second.ends()


async def test_a_second_bootstrap_fails_as_the_first_did(place: Place) -> None:
    one = asyncio.create_task(drive(place, Seen(), fail="two"))
    await until(lambda: runs(place).get("one"))
    two = asyncio.create_task(drive(place, Seen(), fail="two"))
    await asyncio.sleep(0.3)
    go(place)
    ends = await asyncio.gather(one, two, return_exceptions=True)
    assert [type(end).__name__ for end in ends] == ["PhaseFailed", "PhaseFailed"]
    assert str(ends[0]) == str(ends[1])
    assert runs(place) == {"place": 1, "one": 1, "two": 1}


async def test_a_failed_phase_names_its_cause_and_only_it_is_redone(place: Place) -> None:
    go(place)
    with pytest.raises(BootstrapFailed) as failed:
        await drive(place, Seen(), fail="two")
    assert "two" in failed.value.message
    assert "error: no luck today" in failed.value.message
    assert "amtui bootstrap w" in failed.value.hint
    await drive(place, Seen())
    assert runs(place) == {**dict.fromkeys(PHASES, 1), "two": 2}


async def test_a_phase_of_best_effort_may_fail(place: Place) -> None:
    go(place)
    seen = Seen()
    await drive(place, seen, fail="extra")
    assert seen.ends()["extra"] is PhaseStatus.FAILED
    assert seen.ends()["last"] is PhaseStatus.DONE


async def test_from_a_phase_on_everything_is_done_again(place: Place) -> None:
    go(place)
    await drive(place, Seen())
    await drive(place, Seen(), from_phase="settings")
    assert runs(place) == {**dict.fromkeys(PHASES[:3], 1), **dict.fromkeys(PHASES[3:], 2)}
    with pytest.raises(UsageError, match="no phase 'nonsense'"):
        await drive(place, Seen(), from_phase="nonsense")


async def test_a_lease_of_a_courier_elsewhere_is_waited_for_and_then_taken_over(place: Place) -> None:
    go(place)
    await small_plan(place).phases[0].work.apply(str)  # type: ignore[union-attr]
    await Jobs(place).lease("elsewhere/0/1/1/x", 2)
    await drive(place, Seen())
    assert runs(place)["last"] == 1


async def test_a_worker_removed_meanwhile_ends_the_bootstrap(place: Place) -> None:
    task = asyncio.create_task(drive(place, Seen()))
    await until(lambda: runs(place).get("one"))
    await remove.destroy(place, WORKER, stop=server.stop)
    with pytest.raises(
        (StateGone, BootstrapFailed)
    ):  # whichever it saw first: the killed job or the missing place
        await task
    assert not Path(place.root).exists()


async def test_a_log_longer_than_one_reply_comes_whole(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(Jobs.follow.__kwdefaults__, "limit", 1000)
    seen = Seen()
    work = Shell("false", "head -c 20000 /dev/zero | tr '\\0' x")
    steps = Plan(WORKER, (place_phase(WORKER, place), PhaseSpec("long", "Long", work)))
    await run(steps, place, on_phase=seen.on_phase, on_log=seen.on_log)
    assert seen.log["long"].count("x") == 20_000


FULL = """
import asyncio, sys
from pathlib import Path
import test_bootstrap_run as t
from amtui.bootstrap.phases import PhaseSpec, Plan, Shell, place_phase
from amtui.bootstrap.runner import run
from amtui.errors import DiskFull
place = t.place_in(sys.argv[1])
work = Shell('[ -e "$HOME/ok" ]', 'cat /dev/zero 2>/dev/null >"$HOME/fill" || exit 5; touch "$HOME/ok"')
plan = Plan(t.WORKER, (place_phase(t.WORKER, place), PhaseSpec("fill", "Fill", work)))
seen = t.Seen()
try:
    asyncio.run(run(plan, place, on_phase=seen.on_phase, on_log=seen.on_log))
except DiskFull as error:
    print("full:", error.message)
print("phase:", seen.ends()["fill"], Path(place.jobs, "fill", "exit").read_text().strip())
try:
    asyncio.run(run(plan, place, on_phase=seen.on_phase, on_log=seen.on_log))
except DiskFull as error:
    print("still full:", error.message, seen.ends()["fill"])
Path(place.home, "fill").unlink()
Path(place.home, "ok").touch()
asyncio.run(run(plan, place, on_phase=seen.on_phase, on_log=seen.on_log))
print("end:", seen.ends()["fill"])
"""


def test_a_full_disk_is_said_and_survived(place: Place) -> None:
    folder = Path(place.base).parent
    Path(place.base).mkdir()
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])])
    script = 'mount -t tmpfs -o size=256k none "$1/machines" && exec "$2" -c "$3" "$1"'
    argv = [
        "unshare",
        "--mount",
        *([] if os.getuid() == 0 else ["--map-root-user"]),
        "sh",
        "-c",
        script,
        "sh",
    ]
    done = subprocess.run(
        [*argv, str(folder), sys.executable, FULL],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("full: no space left on the disk of ")
    assert "fill" in lines[0]
    assert lines[1] == "phase: failed 5"
    assert lines[2].startswith("still full:")
    assert lines[2].endswith("failed")
    assert lines[-1] == "end: done"
