"""Bootstrap on this computer with small phases: resume after kill -9, adoption, one at a time, full disk."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from amtui.bootstrap.phases import Plan, plan
from amtui.bootstrap.runner import run
from amtui.bootstrap.session import Session
from amtui.model import Autonomy, Phase, PhaseStatus, Untrusted, Worker
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
def place(tmp_path: Path) -> Iterator[Place]:
    base = tmp_path / "machines"
    root = base / "workers" / WORKER.short_id
    yield Place(
        provider=LocalProvider(base),
        host_id="local",
        base=str(base),
        root=str(root),
        socket=str(tmp_path / "s" / WORKER.short_id),
    )
    subprocess.run(["tmux", "-S", str(tmp_path / "s" / WORKER.short_id), "kill-server"], capture_output=True)


def tmux_session(place: Place) -> Session:
    async def tmux(*words: str) -> tuple[bool, str]:
        result = await place.exec(["tmux", "-S", place.socket, "-f", "/dev/null", *words])
        return result.ok, result.stdout.decode()

    async def alive() -> bool:
        return (await tmux("has-session", "-t", "=amconsole"))[0]

    async def start(say: object) -> None:
        await tmux("new-session", "-d", "-s", "amconsole", f"{place.etc}/launch")

    async def trouble(patience: float) -> str:
        return "" if await alive() else "no session"

    return Session(alive, start, trouble)


def shell_plan(place: Place) -> Plan:
    setup = Setup(worker=WORKER, place=place, workdir=place.home, uid=os.getuid())
    return plan(setup, ShellRuntime(), tmux_session(place))


async def test_from_nothing_to_a_live_console(place: Place) -> None:
    seen = Seen()
    await run(shell_plan(place), place, on_phase=seen.on_phase, on_log=seen.on_log)
    assert set(seen.ends().values()) <= {PhaseStatus.DONE, PhaseStatus.SKIPPED}
    await place.exec(
        ["tmux", "-S", place.socket, "send-keys", "-t", "amconsole", "echo $HOME >proof", "Enter"]
    )
    proof = Path(place.home, "proof")
    async with asyncio.timeout(10):
        while not proof.exists() or not proof.read_text():
            await asyncio.sleep(0.02)
    assert proof.read_text().strip() == place.home
    assert not [p for p in Path(place.root).rglob("*") if p.stat().st_mode & 0o077 and p.is_dir()]
