"""What was typed: when it goes, in which batches, and that it is never typed twice."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amtui.console.input import BATCH, QUIET, REQUEST, WINDOW, Batch, Outbox, unbracketed
from amtui.errors import ProtocolError


def flushed(box: Outbox, now: float) -> list[bytes]:
    box.collect(now)
    return [batch.data for batch in box.request()]


def test_the_first_key_after_quiet_goes_at_once() -> None:
    box = Outbox()
    box.type(b"a", 10.0, control=False)
    assert box.due == 10.0
    assert flushed(box, 10.0) == [b"a"]


def test_keys_within_the_window_ride_together() -> None:
    box = Outbox()
    box.type(b"a", 10.0, control=False)
    box.collect(10.0)
    box.type(b"b", 10.010, control=False)
    box.type(b"c", 10.014, control=False)
    assert box.due == pytest.approx(10.010 + WINDOW)
    assert not box.collect(10.016)
    assert flushed(box, 10.010 + WINDOW) == [b"a", b"bc"]


def test_a_key_after_thirty_milliseconds_of_quiet_does_not_wait() -> None:
    box = Outbox()
    box.type(b"a", 10.0, control=False)
    box.collect(10.0)
    box.type(b"b", 10.0 + QUIET - 0.001, control=False)
    assert box.due == pytest.approx(10.0 + QUIET - 0.001 + WINDOW)
    box.collect(11.0)
    box.type(b"c", 11.0 + QUIET, control=False)
    assert box.due == 11.0 + QUIET


def test_control_keys_take_along_what_waits_and_go_at_once() -> None:
    box = Outbox()
    box.type(b"a", 10.0, control=False)
    box.collect(10.0)
    box.type(b"ls", 10.005, control=False)
    box.type(b"\r", 10.006, control=True)
    assert box.due == 10.006
    assert flushed(box, 10.006) == [b"a", b"ls\r"]


def test_a_batch_that_was_handed_out_never_changes() -> None:
    box = Outbox()
    box.type(b"a", 10.0, control=True)
    box.collect(10.0)
    before = box.request()
    box.type(b"b", 10.0, control=True)
    box.collect(10.0)
    assert box.request() == [*before, Batch(1, b"b")]


def test_every_request_repeats_what_is_unacknowledged_oldest_first() -> None:
    box = Outbox()
    for number, key in enumerate(b"abc"):
        box.type(bytes([key]), float(number), control=True)
        box.collect(float(number))
    assert [batch.base for batch in box.request()] == [0, 1, 2]
    assert box.acknowledge(2)
    assert [batch.base for batch in box.request()] == [2]
    assert not box.acknowledge(1)  # a late reply
    assert box.acknowledge(3)
    assert box.idle


def test_an_acknowledgement_of_keys_never_typed_is_refused() -> None:
    box = Outbox()
    box.type(b"ab", 1.0, control=True)
    box.collect(1.0)
    with pytest.raises(ProtocolError):
        box.acknowledge(3)


def test_a_paste_keeps_its_place_and_travels_alone() -> None:
    box = Outbox()
    box.type(b"before", 1.0, control=False)
    box.paste("漢字".encode(), 1.0)
    box.type(b"after", 1.0, control=True)
    box.collect(1.0)
    assert [batch.paste for batch in box.request()] == [""]
    box.acknowledge(6)
    assert box.request() == [Batch(6, "漢字".encode(), "-p")]
    box.acknowledge(12)
    assert box.request() == [Batch(12, b"after")]


def test_a_request_fits_into_one_command_of_tmux() -> None:
    box = Outbox()
    for number in range(200):
        box.type(b"x" * random.Random(number).randint(1, BATCH), float(number), control=True)
        box.collect(float(number))
    batches = box.request()
    assert 1 <= len(batches) < 200
    assert sum(420 + 3 * len(batch.data) for batch in batches) <= REQUEST


def test_refused_keys_come_back_once_and_a_new_stream_begins() -> None:
    box = Outbox()
    client = box.client
    box.type(b"sent", 1.0, control=True)
    box.collect(1.0)
    box.type(b" and waiting", 1.001, control=False)
    assert box.refuse() == b"sent and waiting"
    assert box.refuse() == b""
    assert box.idle
    assert box.client != client
    box.type(b"x", 9.0, control=True)
    assert flushed(box, 9.0) == [b"x"]
    assert box.request()[0].base == 0


def test_a_batch_is_written_as_the_helper_reads_it() -> None:
    assert Batch(41, b"a\xff\r").word() == "41:3:61 ff 0d"


def test_nothing_that_is_pasted_can_end_the_paste() -> None:
    assert unbracketed(b"a\x1b[201~b\x1b[200~c") == b"abc"
    assert unbracketed(b"a\x1b[2\x1b[201~01~b") == b"ab"
    assert unbracketed("漢\x1b[A".encode()) == "漢\x1b[A".encode()


TYPING = st.lists(
    st.tuples(st.binary(min_size=1, max_size=700), st.floats(0, 0.05), st.booleans(), st.booleans()),
    max_size=30,
)


@given(TYPING, st.randoms(use_true_random=False))
def test_whatever_is_typed_and_however_acknowledged_tmux_gets_each_byte_once_in_order(
    typing: list[tuple[bytes, float, bool, bool]], chosen: random.Random
) -> None:
    """A model of tmux's compare-and-set, fed with any request that was ever made, in any order, several times."""
    box, now, typed = Outbox(), 100.0, b""
    requests: list[list[Batch]] = []
    position, got = 0, b""

    def deliver(request: list[Batch]) -> None:
        nonlocal position, got
        for batch in request:
            if batch.base == position:
                position, got = batch.end, got + batch.data

    for data, gap, control, paste in typing:
        now += gap
        typed += data
        box.paste(data, now) if paste else box.type(data, now, control=control)
        if box.collect(now):
            requests.append(box.request())
        if requests and chosen.random() < 0.7:
            deliver(chosen.choice(requests))
        if chosen.random() < 0.5:
            box.acknowledge(position)
    box.collect(now, force=True)
    while not box.idle:
        deliver(box.request())
        box.acknowledge(position)
    for request in requests:
        deliver(request)
    assert got == typed
