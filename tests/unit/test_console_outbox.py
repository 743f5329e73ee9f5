"""What was typed: when it goes, in which batches, and that it is never typed twice."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amtui.console.input import BATCH, KEPT, QUIET, REQUEST, WINDOW, Batch, Outbox, unbracketed
from amtui.errors import ProtocolError

READING = 2.0


def flushed(box: Outbox, now: float) -> list[bytes]:
    return [batch.data for batch in go(box, now)]


def go(box: Outbox, now: float) -> list[Batch]:
    """What is due goes out."""
    box.collect(now)
    batches = box.request()
    if batches:
        box.went(batches)
    return batches


def test_the_first_key_after_quiet_goes_at_once() -> None:
    box = Outbox(READING)
    box.type(b"a", 10.0, control=False)
    assert box.due == 10.0
    assert flushed(box, 10.0) == [b"a"]


def test_keys_within_the_window_ride_together() -> None:
    box = Outbox(READING)
    box.type(b"a", 10.0, control=False)
    box.collect(10.0)
    box.type(b"b", 10.010, control=False)
    box.type(b"c", 10.014, control=False)
    assert box.due == pytest.approx(10.010 + WINDOW)
    assert not box.collect(10.016)
    assert flushed(box, 10.010 + WINDOW) == [b"a", b"bc"]


def test_a_key_after_thirty_milliseconds_of_quiet_does_not_wait() -> None:
    box = Outbox(READING)
    box.type(b"a", 10.0, control=False)
    box.collect(10.0)
    box.type(b"b", 10.0 + QUIET - 0.001, control=False)
    assert box.due == pytest.approx(10.0 + QUIET - 0.001 + WINDOW)
    box.collect(11.0)
    box.type(b"c", 11.0 + QUIET, control=False)
    assert box.due == 11.0 + QUIET


def test_control_keys_take_along_what_waits_and_go_at_once() -> None:
    box = Outbox(READING)
    box.type(b"a", 10.0, control=False)
    box.collect(10.0)
    box.type(b"ls", 10.005, control=False)
    box.type(b"\r", 10.006, control=True)
    assert box.due == 10.006
    assert flushed(box, 10.006) == [b"a", b"ls\r"]


def test_a_batch_that_was_handed_out_never_changes() -> None:
    box = Outbox(READING)
    box.type(b"a", 10.0, control=True)
    box.collect(10.0)
    before = box.request()
    box.type(b"b", 10.0, control=True)
    box.collect(10.0)
    assert box.request() == [*before, Batch(1, b"b")]


def test_every_request_repeats_what_is_unacknowledged_oldest_first() -> None:
    box = Outbox(READING)
    for number, key in enumerate(b"abc"):
        box.type(bytes([key]), float(number), control=True)
        go(box, float(number))
    assert [batch.base for batch in box.request()] == [0, 1, 2]
    assert box.acknowledge(2, 3.0)
    assert [batch.base for batch in box.request()] == [2]
    assert not box.acknowledge(1, 3.0)  # a late reply
    assert box.acknowledge(3, 3.0)
    assert box.idle


def test_an_acknowledgement_of_keys_never_sent_is_refused() -> None:
    box = Outbox(READING)
    box.type(b"ab", 1.0, control=True)
    go(box, 1.0)
    box.type(b"c", 1.0, control=True)
    box.collect(1.0)
    with pytest.raises(ProtocolError):
        box.acknowledge(3, 1.0)


def test_an_accepted_key_is_fresh_until_the_program_is_known_to_have_lived_on() -> None:
    box = Outbox(READING)
    for number, key in enumerate((b"a", b"b")):
        box.type(key, float(number), control=True)
        go(box, float(number))
        box.acknowledge(number + 1, number + 0.1)
    assert box.fresh == b"ab"
    assert box.proof_due == pytest.approx(1.1 + READING)
    box.lived(0.1 + READING - 0.01)  # asked too early to say anything
    assert box.fresh == b"ab"
    box.lived(0.1 + READING)
    assert box.fresh == b"b"
    box.lived(1.1 + READING)
    assert (box.fresh, box.proof_due) == (b"", None)


def test_fresh_keys_are_remembered_up_to_a_bound() -> None:
    box = Outbox(READING)
    for number in range(50):
        box.paste(b"%04d" % number * 1000, 1.0)
        go(box, 1.0)
        box.acknowledge((number + 1) * 4000, 1.0)
    assert box.fresh == (b"0048" * 1000 + b"0049" * 1000)[-KEPT:]


def test_a_paste_keeps_its_place_and_travels_alone() -> None:
    box = Outbox(READING)
    box.type(b"before", 1.0, control=False)
    box.paste("漢字".encode(), 1.0)
    box.type(b"after", 1.0, control=True)
    assert [batch.paste for batch in go(box, 1.0)] == [""]
    box.acknowledge(6, 1.0)
    assert go(box, 1.0) == [Batch(6, "漢字".encode(), "-p")]
    box.acknowledge(12, 1.0)
    assert go(box, 1.0) == [Batch(12, b"after")]


def test_a_request_fits_into_one_command_of_tmux() -> None:
    box = Outbox(READING)
    for number in range(200):
        box.type(b"x" * random.Random(number).randint(1, BATCH), float(number), control=True)
        box.collect(float(number))
    batches = box.request()
    assert 1 <= len(batches) < 200
    assert sum(420 + 3 * len(batch.data) for batch in batches) <= REQUEST


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
    box, now, typed = Outbox(READING), 100.0, b""
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
            requests.append(go(box, now))
        if requests and chosen.random() < 0.7:
            deliver(chosen.choice(requests))
        if chosen.random() < 0.5:
            box.acknowledge(position, now)
    box.collect(now, force=True)
    while not box.idle:
        deliver(go(box, now))
        box.acknowledge(position, now)
    for request in requests:
        deliver(request)
    assert got == typed
