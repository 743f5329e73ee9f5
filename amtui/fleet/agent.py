"""The agent of a worker inside its console, judged: does it live, and does it stand at a dialog."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from amtui.bootstrap.configure import RESUME
from amtui.bootstrap.console import AgentConsole, console_of
from amtui.errors import AmtuiError
from amtui.fleet.look import look
from amtui.model import AgentStatus
from amtui.providers.base import Place
from amtui.runtimes import get as runtime_of
from amtui.runtimes.base import Setup

if TYPE_CHECKING:
    from amtui.fleet.estate import Estate

LOOK: Final = 0.3
"""Seconds between two looks at a pane that is coming up."""
DIALOGS: Final = frozenset({"login", "question", "trust", "onboarding"})
"""Reasons for which a fresh agent is not usable yet."""


def launcher(place: Place, *, resume: bool = False) -> tuple[str, ...]:
    """What tmux runs: one of the two launchers that the bootstrap wrote."""
    return (f"{place.etc}/{RESUME if resume else 'launch'}",)


def agent_console(estate: Estate, setup: Setup) -> AgentConsole:
    """The worker's console for a bootstrap; an agent that comes up at a dialog is in trouble."""
    plain = console_of(setup, runtime_of(setup.worker.runtime))

    async def trouble(patience: float) -> str:
        return await plain.trouble(patience) or await _dialog(estate, setup, patience)

    return replace(plain, trouble=trouble)


async def _dialog(estate: Estate, setup: Setup, patience: float) -> str:
    """The dialog at which a fresh agent stands instead of its prompt, or nothing."""
    worker = setup.worker
    if worker.runtime == "shell" or worker.login_later:
        return ""
    deadline = time.monotonic() + patience
    while True:
        try:
            state = await look(estate, worker)
        except AmtuiError as error:
            return error.message
        if state.status is AgentStatus.FAILED:
            return f"the {worker.runtime} ended at once: {state.text}".rstrip(": ")
        if state.reason in DIALOGS:
            return f"the {worker.runtime} stands at a dialog ({state.reason}): {state.text[:120]}"
        if state.status is not AgentStatus.UNKNOWN or time.monotonic() >= deadline:
            return ""
        await asyncio.sleep(LOOK)
