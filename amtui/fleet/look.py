"""One look at a worker: its host's state, then in one exec all evidence of what its agent does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amtui import agentstate
from amtui.errors import AmtuiError
from amtui.model import MAIN_CONSOLE, UNKNOWN_STATE, AgentState, AgentStatus, Worker
from amtui.providers.base import Place, Purpose

if TYPE_CHECKING:
    from amtui.agentstate import Evidence
    from amtui.fleet.estate import Estate

_BRING = 'PATH="$PATH:$1"; export PATH; shift; exec "$@"'

PATIENCE = 15.0
"""Seconds a look may take before it counts as not answered."""


async def evidence(worker: Worker, place: Place, console: str = MAIN_CONSOLE) -> Evidence:
    """Everything the worker's host can say about the agent, gathered in one exec. Raises what exec raises."""
    argv = agentstate.probe_argv(place.root, place.socket, console, worker.runtime)
    # A tmux that the bootstrap had to bring lies beside our own programs.
    argv = ["/bin/sh", "-c", _BRING, "sh", place.bin, *argv]
    done = await place.exec(argv, timeout=PATIENCE, purpose=Purpose.PROBE)
    return agentstate.parse_probe(worker.runtime, done.stdout)


async def look(estate: Estate, worker: Worker, previous: AgentState = UNKNOWN_STATE) -> AgentState:
    """What the agent does now; the last known state stands, older, where nobody answers."""
    if worker.asleep or not worker.root:
        return AgentState(status=AgentStatus.NONE, source="none", confidence="certain", since=previous.since)
    try:
        place = await estate.place(worker)
        seen = await evidence(worker, place)
    except AmtuiError:
        return previous
    return settle(previous, agentstate.judge(seen, estate.clock()), estate.clock())


def settle(previous: AgentState, state: AgentState, now: float) -> AgentState:
    """`state` with the time since which it holds: unchanged status and reason keep their beginning."""
    import msgspec

    same = (previous.status, previous.reason) == (state.status, state.reason)
    since = previous.since if same and previous.since else state.since or now
    return msgspec.structs.replace(state, since=since, seen_at=now)
