"""The console of a worker as the bootstrap sees it: start it, does its program live, does it stand at a dialog."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from amtui.console import server
from amtui.errors import Conflict, NotFound
from amtui.model import MAIN_CONSOLE
from amtui.runtimes.base import Runtime, Setup


@dataclass(frozen=True, slots=True)
class AgentConsole:
    """Three things to do with the tmux session that holds the agent."""

    alive: Callable[[], Awaitable[bool]]
    """The session is there and its program lives."""
    start: Callable[[Callable[[str], None]], Awaitable[None]]
    """Make it, or start its dead program again; takes the log's `say`."""
    trouble: Callable[[float], Awaitable[str]]
    """What is wrong with the pane, or "": waits so many seconds for a program that is still coming up."""


def console_of(setup: Setup, runtime: Runtime, *, columns: int = 120, rows: int = 36) -> AgentConsole:
    """The worker's main console on its own tmux server."""
    place, launcher = setup.place, [f"{setup.place.etc}/launch"]

    async def state() -> tuple[bool, str]:
        """Is its program alive, and if not, its exit status."""
        frame = server.state_of(await server.request(place, MAIN_CONSOLE, "state"))
        return not frame.dead, frame.status

    async def alive() -> bool:
        try:
            return (await state())[0]
        except NotFound:
            return False

    async def start(say: Callable[[str], None]) -> None:
        try:
            await server.start(place, MAIN_CONSOLE, launcher, columns=columns, rows=rows, cwd=setup.workdir)
            say(f"started {runtime.title} at {columns}×{rows}")
        except Conflict:
            await server.restart(place, MAIN_CONSOLE, launcher, cwd=setup.workdir)
            say(f"started {runtime.title} again")

    async def trouble(patience: float) -> str:
        """A program that fails at once has failed within a second of its start."""
        loop = asyncio.get_running_loop()
        end = loop.time() + min(patience, 1.0)
        while True:
            try:
                lives, status = await state()
            except NotFound:
                return "its console is not there"
            if not lives:
                return f"{runtime.title} ended at once with status {status or '?'}"
            if loop.time() >= end:
                return ""
            await asyncio.sleep(0.2)

    return AgentConsole(alive, start, trouble)
