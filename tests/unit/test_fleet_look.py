"""The batched probe: parts are told apart by length, and one worker's nonsense hides no neighbour."""

from __future__ import annotations

import pytest

from amtui.errors import ProtocolError
from amtui.fleet import look
from amtui.model import AgentState, AgentStatus


def framed(*parts: bytes) -> bytes:
    return b"".join(b"#%d\n%s" % (len(part), part) for part in parts)


def test_parts_are_told_apart_by_length() -> None:
    parts = (b"@facts 3\nabc\n", b"", b"#7\nhostile\n#0\n")
    assert look._parts(framed(*parts), 3) == list(parts)


@pytest.mark.parametrize("data", [b"", b"#5\nabc", b"x\n", b"#-1\n", b"#99999999999\n", framed(b"a")])
def test_a_cut_or_forged_answer_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        look._parts(data, 2)


def test_nonsense_of_one_worker_is_none() -> None:
    assert look._parsed("shell", b"no sections at all") is None


def test_an_unchanged_state_keeps_its_beginning() -> None:
    first = look.settle(AgentState(status=AgentStatus.UNKNOWN), AgentState(status=AgentStatus.IDLE), 100.0)
    again = look.settle(first, AgentState(status=AgentStatus.IDLE), 200.0)
    changed = look.settle(again, AgentState(status=AgentStatus.NEEDS_YOU, reason="permission"), 300.0)
    assert (first.since, again.since, again.seen_at, changed.since) == (100.0, 100.0, 200.0, 300.0)
