"""What is told of keys whose program ended: each byte typed for it is in exactly one of four places."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from amtui.console.input import Outbox
from amtui.console.ledger import Ledger

READING = 2.0


def typed(ledger: Ledger, keys: bytes, now: float) -> Outbox:
    """Type `keys` and let them go."""
    box = ledger.outbox
    box.type(keys, now, control=True)
    box.collect(now)
    box.went(box.request())
    return box


def told(ledger: Ledger) -> tuple[bytes, bytes, str]:
    """Everything that is told now."""
    verdicts = list(ledger.verdicts())
    reasons = {verdict.reason for verdict in verdicts} or {""}
    assert len(reasons) == 1
    return (b"".join(v.refused for v in verdicts), b"".join(v.unread for v in verdicts), reasons.pop())


def test_what_never_went_is_handed_back_at_once_and_a_new_stream_begins() -> None:
    ledger = Ledger(READING)
    client = ledger.outbox.client
    ledger.outbox.type(b"sent by nobody", 1.0, control=True)
    ledger.part("restarted")
    assert told(ledger) == (b"sent by nobody", b"", "restarted")
    assert ledger.idle
    assert ledger.outbox.client != client


def test_what_went_without_an_answer_is_asked_for_first() -> None:
    """Requests that were lost and requests whose replies were lost look the same from here."""
    ledger = Ledger(READING)
    old = typed(ledger, b"accepted", 1.0)
    typed(ledger, b" or not", 1.0)
    old.type(b" nor sent", 1.0, control=True)
    ledger.part("dead")
    assert list(ledger.leaving) == [old]
    assert ledger.waiting == 24
    assert not ledger.idle
    new = typed(ledger, b"for the next", 2.0)
    ledger.hand_back(b" and no", "dead")
    assert list(ledger.verdicts()) == [], "what was typed later is told later"
    old.acknowledge(8, 2.0)
    ledger.settle(old, "dead", known=True)
    assert told(ledger) == (b" or not nor sent and no", b"accepted", "dead")
    assert ledger.outbox is new
    assert ledger.waiting == 12
    ledger.settle(old, "dead", known=True)
    assert list(ledger.verdicts()) == [], "a stream is judged once"


def test_without_an_exact_position_what_went_may_have_been_read() -> None:
    ledger = Ledger(READING)
    box = typed(ledger, b"gone", 1.0)
    box.type(b" kept", 1.0, control=True)
    ledger.settle(box, "new-server", known=False)
    assert told(ledger) == (b" kept", b"gone", "new-server")


STEPS = st.lists(st.tuples(st.binary(min_size=1, max_size=9), st.floats(0, 3), st.booleans()), max_size=30)


@given(STEPS, st.integers(0, 2**32), st.booleans())
def test_each_byte_is_read_unread_or_refused(
    steps: list[tuple[bytes, float, bool]], seed: int, known: bool
) -> None:
    """A model of tmux accepts batches; what it accepted well before the program's end is told by nobody."""
    chosen, ledger, now, position, everything = random.Random(seed), Ledger(READING), 10.0, 0, b""
    box = ledger.outbox
    accepted_at: list[float] = []
    last_look = 0.0
    for data, gap, answered in steps:
        now += gap
        everything += data
        box.type(data, now, control=True)
        if chosen.random() < 0.8:
            box.collect(now)
            request = box.request()
            box.went(request)
            if chosen.random() < 0.8:  # the request arrives
                for batch in request:
                    if batch.base == position:
                        position = batch.end
                        accepted_at += [now] * len(batch.data)
                if answered:
                    box.acknowledge(position, now)
                    box.lived(now)
                    last_look = now
    if known:
        box.acknowledge(position, now)
    ledger.settle(box, "dead", known=known)
    refused, unread, _ = told(ledger)
    assert everything.endswith(unread + refused)
    read = len(everything) - len(unread + refused)
    assert all(at + READING <= last_look for at in accepted_at[:read]), (
        "a key that may be unread was not told"
    )
    if known:
        assert read + len(unread) == position
