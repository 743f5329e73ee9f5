"""Bootstrap on this computer with small phases: resume after kill -9, adoption, one at a time, full disk."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from amtui.bootstrap.phases import Plan, plan
from amtui.bootstrap.runner import run
from amtui.bootstrap.session import Session
from amtui.console import server
from amtui.errors import NotFound
from amtui.model import MAIN_CONSOLE, Autonomy, Phase, PhaseStatus, Untrusted, Worker
from amtui.providers.base import Place
from amtui.providers.local import LocalProvider
from amtui.runtimes.base import Setup
from amtui.runtimes.shell import Shell

WORKER = Worker(
    id="0123456789abcdef0123456789abcdef",
    name="w",
    substrate="local",
    host_id="local",
    runtime="shell",
    autonomy=Autonomy.ASK,
)


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


@pytest.fixture
def place() -> Iterator[Place]:
    folder = tempfile.mkdtemp(prefix="amtui-", dir="/tmp")  # short: a socket's path has 100 bytes at most
    base = f"{folder}/machines"
    place = Place(
        provider=LocalProvider(base),
        host_id="local",
        base=base,
        root=f"{base}/workers/{WORKER.short_id}",
        socket=f"{folder}/s/{WORKER.short_id}",
    )
    yield place
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
    runtime = Shell()
    return plan(setup, runtime, session_of(place))


async def until(true: Callable[[], object], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.02)


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
