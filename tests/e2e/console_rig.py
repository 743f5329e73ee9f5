"""What the console's tests stand on: a worker's place on this computer, a real tmux in it, patience."""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from amtui.console import server
from amtui.console.hub import ConsoleHandle, Hub
from amtui.console.status import Timing
from amtui.emulator import Screen, Stream, load_snapshot
from amtui.emulator.snapshot import SNAPSHOT_FORMAT
from amtui.model import MAIN_CONSOLE
from amtui.providers.base import Place, Provider
from amtui.providers.local import LocalProvider

PROVE = bool(os.environ.get("AMTUI_PROVE"))
"""Full figures instead of the smallest honest ones."""

QUICK = Timing(poll=5, beat=1, deadline=10.0, backoff=(0.02, 0.05, 0.1), gone=0.2, stale=5.0)


def size(smallest: int, full: int) -> int:
    """How much of something a test does: `full` under AMTUI_PROVE=1."""
    return full if PROVE else smallest


async def until(true: Callable[[], object], what: str, seconds: float = 15.0) -> None:
    """Wait for a condition with a deadline."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come within {seconds:g} s")
        await asyncio.sleep(0.01)


def text(handle: ConsoleHandle) -> str:
    """The screen's rows."""
    return "\n".join(row.rstrip() for row in handle.screen.display)


class Rig:
    """One worker's place and the tmux server in it."""

    def __init__(self, provider: Provider, base: str, number: int = 1) -> None:
        worker = f"{number:012x}"
        self._sockets = tempfile.mkdtemp(prefix="amt-", dir="/tmp")
        self.place = Place(
            provider=provider,
            host_id="local",
            base=base,
            root=f"{base}/workers/{worker}",
            socket=f"{self._sockets}/s/{worker}",
        )
        os.makedirs(self.place.home, exist_ok=True)
        self.home = Path(self.place.home)

    def with_provider(self, provider: Provider) -> Place:
        """The same place through another provider."""
        place = self.place
        return Place(provider, place.host_id, place.base, place.root, place.socket)

    async def start(self, *argv: str, console: str = MAIN_CONSOLE, **options: int) -> None:
        """Start a console that runs `argv`."""
        await server.start(self.place, console, argv, cwd=self.place.home, **options)  # type: ignore[arg-type]

    def tmux(self, *words: str) -> bytes:
        """Ask the worker's own tmux directly."""
        argv = ["tmux", "-u", "-S", self.place.socket, "-f", "/dev/null", *words]
        return subprocess.run(argv, capture_output=True, check=True, timeout=10).stdout

    def oracle(self, console: str = MAIN_CONSOLE) -> Screen:
        """The screen as tmux has it now."""
        target = f"={console}:"
        taken = self.tmux(
            "display-message", "-p", "-t", target, SNAPSHOT_FORMAT, ";", "capture-pane", "-p", "-P", "-C", "-t", target,
            ";", "display-message", "-p", "-t", target, "@@am", ";", "capture-pane", "-p", "-e", "-N", "-t", target,
        )  # fmt: skip
        screen = Screen(80, 24, 0)
        load_snapshot(screen, Stream(screen), taken)
        return screen

    def processes(self) -> list[str]:
        """Command lines on this computer that name anything of this worker."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:
                continue
            if self.place.root in line or self.place.socket in line:
                found.append(f"{entry.name}: {line[:200]}")
        return found

    async def end(self) -> None:
        """Stop the worker's tmux and forget the sockets."""
        await server.stop(self.place)
        for path in sorted(Path(self._sockets).rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        os.rmdir(self._sockets)


def cells(screen: Screen) -> list[list[tuple[str, object]]]:
    """Every cell with its character and attributes."""
    return [
        [(screen.buffer[y][x].data, screen.buffer[y][x].attr) for x in range(screen.columns)]
        for y in range(screen.lines)
    ]


@asynccontextmanager
async def rig(tmp_path: Path, number: int = 1) -> AsyncIterator[Rig]:
    """A place of its own for one test."""
    provider = LocalProvider(tmp_path / "machines")
    made = Rig(provider, await provider.root("local"), number)
    try:
        yield made
    finally:
        await made.end()


@asynccontextmanager
async def hub(timing: Timing = QUICK) -> AsyncIterator[Hub]:
    """A hub that is closed at the end."""
    made = Hub(timing=timing)
    try:
        yield made
    finally:
        await made.aclose()


async def reachable(handle: ConsoleHandle, step: int = 700) -> list[str]:
    """Every row a view can reach, oldest first, as if somebody had scrolled up page after page."""
    history = handle.screen.history
    while True:
        first = history.first
        if await handle.history(first - step, step) >= first:
            break
    rows = [row.text.rstrip() for row in history] + [row.rstrip() for row in handle.screen.display]
    return [row for row in rows if row]
