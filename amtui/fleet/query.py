"""The filter grammar of `ls`, `/` and MCP: `needs on:ssh tag:web -asleep text`.

Words are joined by AND; `-word` negates; a bare word matches name, task or reason. Grammar::

    query  = { [ "-" ] term }
    term   = "needs" | "working" | "idle" | "done" | "failed" | "asleep" | "ready" | "unreachable"
           | ( "on" | "agent" | "tag" | "upstream" | "state" ) ":" TEXT | TEXT
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable

from amtui.errors import UsageError
from amtui.model import ATTENTION, AgentStatus, HostState, WorkerRow

Predicate = Callable[[WorkerRow], bool]

_FIELDS = ("on", "agent", "tag", "upstream", "state")


def asleep(row: WorkerRow) -> bool:
    """True where the worker or its whole host sleeps."""
    return row.worker.asleep or row.host.state is HostState.ASLEEP


_WORDS: dict[str, Predicate] = {
    "needs": lambda r: r.agent.status is AgentStatus.NEEDS_YOU,
    "asleep": asleep,
    **{
        state.value: (lambda r, s=state: r.host.state is s)  # type: ignore[misc]
        for state in (HostState.READY, HostState.UNREACHABLE)
    },
    **{
        status.value: (lambda r, s=status: r.agent.status is s)  # type: ignore[misc]
        for status in AgentStatus
    },
}


def parse(text: str) -> Predicate:
    """The predicate of a query; the empty query matches all. Raises `UsageError` for an unknown field."""
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    terms = [_term(word) for word in words]
    return lambda row: all(term(row) for term in terms)


def _term(word: str) -> Predicate:
    if word.startswith("-") and len(word) > 1:
        inner = _term(word[1:])
        return lambda row: not inner(row)
    field, colon, value = word.partition(":")
    if colon and field.isalpha():
        if field not in _FIELDS:
            raise UsageError(f"filter: unknown field {field!r}", f"fields are {', '.join(_FIELDS)}")
        return _field(field, value.lower())
    if word in _WORDS:
        return _WORDS[word]
    needle = word.lower()
    return lambda row: needle in f"{row.worker.name} {row.agent.reason} {row.agent.text}".lower()


def _field(field: str, value: str) -> Predicate:
    match field:
        case "on":
            return lambda r: (
                r.worker.substrate == value
                or r.worker.substrate.startswith(value + ":")
                or (r.worker.substrate.partition(":")[2] == value)
            )
        case "agent":
            return lambda r: r.worker.runtime == value
        case "tag":
            return lambda r: value in r.worker.tags
        case "upstream":
            return lambda r: (r.worker.upstream or "") == value
        case _:
            return lambda r: value in (r.agent.status.value, r.host.state.value)


def by_attention(rows: Iterable[WorkerRow]) -> list[WorkerRow]:
    """Who needs a person first: state, then longest in it, then name; sleepers last."""
    rank = {status: place for place, status in enumerate(ATTENTION)}
    return sorted(rows, key=lambda r: (asleep(r), rank[r.agent.status], r.agent.since or 9e18, r.worker.name))
