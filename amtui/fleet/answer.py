"""Answer the question an agent shows: one key, only while tmux itself still shows that question."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from amtui import agentstate
from amtui.console import server
from amtui.console.guard import Guard
from amtui.errors import Refused, StreamBroken, UsageError
from amtui.fleet.look import one
from amtui.model import MAIN_CONSOLE, AgentStatus, Worker

if TYPE_CHECKING:
    from amtui.agentstate import Evidence, Question
    from amtui.fleet.estate import Estate

ANSWERABLE: Final = frozenset({"permission", "question", "plan"})
"""Reasons for needs-you that are a question with options on the screen."""
DRAWING: Final = 2.0
"""Seconds for which a question that was announced may take to stand on the screen."""


async def asking(estate: Estate, worker: Worker) -> bool:
    """The agent itself says that it waits for an answer.

    Its word comes up to a second before its dialog is drawn, so a guard on the screen alone would come too late.
    """
    return _waits(await one(estate, worker), estate.clock())


def _waits(seen: Evidence, now: float) -> bool:
    state = agentstate.judge(seen, now)
    return state.status is AgentStatus.NEEDS_YOU and state.reason in ANSWERABLE


async def open_question(estate: Estate, worker: Worker) -> Question | None:
    """The question on the worker's main console now, if there is one; waits a moment for one that is being drawn."""
    deadline = time.monotonic() + DRAWING
    while True:
        seen = await one(estate, worker)
        found = agentstate.question(seen)
        if found is not None or not _waits(seen, estate.clock()) or time.monotonic() > deadline:
            return found
        await asyncio.sleep(0.1)


async def answer(estate: Estate, worker: Worker, choice: str) -> str:
    """Choose an option by its number or words and press its key; returns the option's text.

    The guard (the question's line and the option) is evaluated by tmux in the turn that presses the key. Raises
    `Refused` when no question is open or it changed meanwhile, `UsageError` for an unknown option, `StreamBroken`
    when no answer came and nobody knows whether the key was pressed.
    """
    asked = await open_question(estate, worker)
    if asked is None:
        raise Refused(f"{worker.name} shows no question", f"`amtui screen {worker.name}` shows what is there")
    option = asked.choose(choice)
    if option is None:
        known = "; ".join(f"{number}. {o.text}" for number, o in enumerate(asked.options, 1))
        raise UsageError(f"{choice!r} is not among the options", known)
    guard = Guard(present=(asked.line, option.line))
    place = await estate.place(worker)
    done = await server.keys(place, MAIN_CONSOLE, option.keys, guard=guard)
    if done.outcome == "refused":
        raise Refused(
            f"{worker.name}: the question changed, nothing was pressed", f"amtui screen {worker.name}"
        )
    if done.outcome == "unknown":
        raise StreamBroken(
            f"{worker.name}: no answer came; whether the key was pressed is unknown",
            f"look: amtui screen {worker.name}",
        )
    estate.store.record(worker.id, "answered", option.text)
    return option.text
