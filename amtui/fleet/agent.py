"""The agent of a worker inside its console: start it, does it live, does it stand at a dialog."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from amtui.bootstrap.session import Session
from amtui.console import server
from amtui.errors import AmtuiError, Conflict
from amtui.fleet.look import look
from amtui.model import MAIN_CONSOLE, UNKNOWN_STATE, AgentStatus, Untrusted
from amtui.providers.base import Place
from amtui.runtimes import get as runtime_of
from amtui.runtimes.base import Setup

if TYPE_CHECKING:
    from amtui.fleet.estate import Estate

COLUMNS, ROWS = 120, 36
"""Size of a console that nobody has typed in yet."""
LOOK: Final = 0.3
"""Seconds between two looks at a pane that is coming up."""
AT_ONCE: Final = 1.0
"""Seconds within which a program that cannot start has ended."""
DIALOGS: Final = frozenset({"login", "question", "trust", "onboarding"})
"""Reasons for which a fresh agent is not usable yet."""


def launcher(place: Place, *, resume: bool = False) -> tuple[str, ...]:
    """What tmux runs: the launcher that the bootstrap wrote, told to resume or not."""
    return (f"{place.etc}/launch", "resume") if resume else (f"{place.etc}/launch",)


def session_of(estate: Estate, setup: Setup, *, resume: bool = False) -> Session:
    """The worker's main console as a bootstrap asks about it; `resume` says how `start` starts the agent."""
    place, title = setup.place, runtime_of(setup.worker.runtime).title
    words = launcher(place, resume=resume)

    async def alive() -> bool:
        found = await _main(place)
        return found is not None and not found.dead

    async def start(say: Callable[[str], None]) -> None:
        try:
            await server.start(place, MAIN_CONSOLE, words, columns=COLUMNS, rows=ROWS, cwd=setup.workdir)
            say(f"started {title} at {COLUMNS}×{ROWS}")
        except Conflict:
            await server.restart(place, MAIN_CONSOLE, words, cwd=setup.workdir)
            say(f"started {title} again")

    async def trouble(patience: float) -> str:
        return await ended(setup, patience) or await _dialog(estate, setup, patience)

    return Session(alive, start, trouble)


async def _main(place: Place) -> server.ConsoleInfo | None:
    found = await server.consoles(place)
    return next((console for console in found if console.name == MAIN_CONSOLE), None)


async def ended(setup: Setup, patience: float = AT_ONCE) -> str:
    """Why the agent is not there any more, or "": one that cannot start has ended within a second of its start."""
    deadline = time.monotonic() + min(patience, AT_ONCE)
    while True:
        found = await _main(setup.place)
        if found is None:
            return "its console is not there"
        if found.dead:
            status = Untrusted(found.status, "tmux").for_line(12)
            said = await _last_words(setup.place)
            return f"the {setup.worker.runtime} ended at once with status {status or '?'}" + (
                said and f": {said}"
            )
        if time.monotonic() >= deadline:
            return ""
        await asyncio.sleep(LOOK)


async def _last_words(place: Place) -> str:
    """The last line that a dead program left on its screen."""
    try:
        rows = (await server.capture(place, MAIN_CONSOLE)).rows
    except AmtuiError:
        return ""
    lines = [Untrusted(row, "console").for_line(160).strip() for row in rows]
    return next((line for line in reversed(lines) if line and not line.startswith("Pane is dead")), "")


async def _dialog(estate: Estate, setup: Setup, patience: float) -> str:
    """The dialog at which a fresh agent stands instead of its prompt, or nothing."""
    worker = setup.worker
    if worker.runtime == "shell" or worker.login_later:
        return ""
    deadline = time.monotonic() + patience
    while True:
        try:
            state = (await look(estate, [worker], {})).get(worker.id, UNKNOWN_STATE)
        except AmtuiError as error:
            return error.message
        if state.status is AgentStatus.FAILED:
            return f"the {worker.runtime} ended at once: {state.text}".rstrip(": ")
        if state.reason in DIALOGS:
            return f"the {worker.runtime} stands at a dialog ({state.reason}): {state.text[:120]}"
        if state.status is not AgentStatus.UNKNOWN or time.monotonic() >= deadline:
            return ""
        await asyncio.sleep(LOOK)
