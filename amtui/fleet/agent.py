"""The agent of a worker inside its console: is it alive, start it, does it stand at a dialog."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final


from amtui.bootstrap.session import Session
from amtui.console import server
from amtui.errors import NotFound, ProviderError
from amtui.fleet.look import look
from amtui.fleet.place import workdir_of
from amtui.model import MAIN_CONSOLE, AgentStatus, Worker
from amtui.providers.base import Place

if TYPE_CHECKING:
    from amtui.fleet.estate import Estate

LOOK: Final = 0.3
"""Seconds between two looks at a pane that is coming up."""
DIALOGS: Final = frozenset({"login", "trust", "onboarding", "question"})
"""Reasons for which a fresh agent is not usable; a permission prompt right after a resume is."""


def launch_argv(place: Place, *, resume: bool = False) -> tuple[str, ...]:
    """What tmux runs: the launcher that the bootstrap wrote."""
    return (f"{place.etc}/launch", "resume") if resume else (f"{place.etc}/launch",)


def session_of(estate: Estate, worker: Worker, place: Place) -> Session:
    """The worker's console as a bootstrap asks about it."""

    async def alive() -> bool:
        try:
            found = await server.consoles(place)
        except NotFound:
            return False
        return any(console.name == MAIN_CONSOLE and not console.dead for console in found)

    async def start(say: Callable[[str], None]) -> None:
        cwd = workdir_of(worker, place)
        try:
            dead = any(c.name == MAIN_CONSOLE for c in await server.consoles(place))
        except NotFound:
            dead = False
        if dead:
            await server.restart(place, MAIN_CONSOLE, launch_argv(place, resume=True), cwd=cwd)
        else:
            await server.start(place, MAIN_CONSOLE, launch_argv(place), cwd=cwd)
        say(f"console {MAIN_CONSOLE} runs the {worker.runtime}")

    async def trouble(patience: float) -> str:
        return await _trouble(estate, worker, place, patience)

    return Session(alive, start, trouble)


async def _trouble(estate: Estate, worker: Worker, place: Place, patience: float) -> str:
    """What is wrong with a pane that should be usable within `patience` seconds, or nothing."""
    deadline = time.monotonic() + patience
    while True:
        try:
            frame = await server.capture(place, MAIN_CONSOLE)
        except ProviderError as error:
            return error.message
        if frame.dead:
            last = next((row.strip() for row in reversed(frame.rows) if row.strip()), "")
            return f"the {worker.runtime} ended at once" + (f": {last[:120]}" if last else "")
        state = await look(estate, worker)
        if state.reason in DIALOGS and not worker.login_later:
            return f"the {worker.runtime} stands at a dialog ({state.reason}): {state.text[:120]}"
        drawn = any(row.strip() for row in frame.rows)
        usable = drawn and (worker.runtime == "shell" or state.status is not AgentStatus.UNKNOWN)
        if usable or time.monotonic() >= deadline:
            return "" if drawn or patience == 0 else f"the {worker.runtime} has drawn nothing in {patience:g} s"
        await asyncio.sleep(LOOK)
