"""One look at a host: in one exec all evidence of what the agents of its workers do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from amtui.errors import AmtuiError, ProtocolError
from amtui.model import MAIN_CONSOLE, UNKNOWN_STATE, AgentState, AgentStatus, Worker
from amtui.providers.base import Place, Purpose

if TYPE_CHECKING:
    from amtui.agentstate import Evidence
    from amtui.fleet.estate import Estate

PATIENCE: Final = 15.0
"""Seconds a look may take before it counts as not answered."""
AT_ONCE: Final = 24
"""Workers of one host that one exec asks about; more are asked in further execs."""

_BATCH: Final = """\
PATH="$PATH:$1" probe=$2; export PATH; shift 2
while [ $# -ge 4 ]; do
  said=$(/bin/sh -c "$probe" amtui-probe "$1" "$2" "$3" "$4"; printf .)
  said=${said%.}
  printf '#%s\\n' "$(printf %s "$said" | wc -c | tr -d ' ')"
  printf %s "$said"
  shift 4
done
"""
"""Arguments: our directory of programs (a tmux that was brought lies there), the probe, then its own four a worker."""


async def look(
    estate: Estate, workers: Sequence[Worker], previous: Mapping[str, AgentState]
) -> dict[str, AgentState]:
    """What the agents of workers on one host do now, by worker id; without those about whom nobody answered.

    A sleeping or unborn worker has no agent. `previous` holds last known states, to tell since when one holds.
    """
    now = estate.clock()
    found: dict[str, AgentState] = {}
    awake = []
    for worker in workers:
        if worker.asleep or not worker.root:
            none = AgentState(status=AgentStatus.NONE, source="none", confidence="certain")
            found[worker.id] = settle(previous.get(worker.id, UNKNOWN_STATE), none, now)
        else:
            awake.append(worker)
    if not awake:
        return found
    from amtui import agentstate  # not before somebody is asked: the list is on show by then

    for first in range(0, len(awake), AT_ONCE):
        some = awake[first : first + AT_ONCE]
        try:
            seen = await evidence(some, [await estate.place(worker) for worker in some])
        except AmtuiError:
            continue
        for worker, one in zip(some, seen, strict=True):
            if one is not None:
                before = previous.get(worker.id, UNKNOWN_STATE)
                found[worker.id] = settle(before, agentstate.judge(one, now), now)
    return found


async def evidence(workers: Sequence[Worker], places: Sequence[Place]) -> list[Evidence | None]:
    """Everything one host can say about the agents of these workers, gathered in one exec.

    None where a worker's part of the answer makes no sense: it is hostile data, and must not hide its neighbours.
    Raises what exec raises, and `ProtocolError` when the parts cannot be told apart.
    """
    from amtui import agentstate

    argv = ["/bin/sh", "-c", _BATCH, "sh", places[0].bin, agentstate.PROBE]
    for worker, place in zip(workers, places, strict=True):
        argv += agentstate.probe_argv(place.root, place.socket, MAIN_CONSOLE, worker.runtime)[4:]
    done = await places[0].exec(argv, timeout=PATIENCE, purpose=Purpose.PROBE)
    parts = _parts(done.stdout, len(workers))
    return [_parsed(worker.runtime, part) for worker, part in zip(workers, parts, strict=True)]


def _parts(data: bytes, count: int) -> list[bytes]:
    parts = []
    for _ in range(count):
        head, _, rest = data.partition(b"\n")
        if not head.startswith(b"#") or not head[1:].isdigit() or len(head) > 9 or int(head[1:]) > len(rest):
            raise ProtocolError("the host answered a probe strangely", "try again", op="probe")
        parts.append(rest[: int(head[1:])])
        data = rest[int(head[1:]) :]
    return parts


def _parsed(runtime: str, part: bytes) -> Evidence | None:
    from amtui import agentstate

    try:
        return agentstate.parse_probe(runtime, part)
    except ProtocolError:
        return None


async def one(estate: Estate, worker: Worker) -> Evidence:
    """The evidence of one worker. Raises what exec raises, and `ProtocolError` for a senseless answer."""
    (found,) = await evidence([worker], [await estate.place(worker)])
    if found is None:
        raise ProtocolError(f"{worker.name}: the host answered a probe strangely", "try again", op="probe")
    return found


async def beside(estate: Estate, worker: Worker, console: str) -> AgentState:
    """What goes on in a console beside the agent's, judged as a shell. Raises what exec raises, `ProtocolError`."""
    from amtui import agentstate

    place = await estate.place(worker)
    argv = agentstate.probe_argv(place.root, place.socket, console, "shell")
    words = ["/bin/sh", "-c", 'PATH="$PATH:$1"; export PATH; shift; exec "$@"', "sh", place.bin, *argv]
    done = await place.exec(words, timeout=PATIENCE, purpose=Purpose.PROBE)
    now = estate.clock()
    return settle(UNKNOWN_STATE, agentstate.judge(agentstate.parse_probe("shell", done.stdout), now), now)


def settle(previous: AgentState, state: AgentState, now: float) -> AgentState:
    """`state` with the time since which it holds: unchanged status and reason keep their beginning."""
    same = (previous.status, previous.reason) == (state.status, state.reason)
    since = previous.since if same and previous.since else state.since or now
    return msgspec.structs.replace(state, since=since, seen_at=now)
