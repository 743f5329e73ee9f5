"""Frames: however cut, bounded, and merged so that late, repeated and reordered ones are harmless."""

from __future__ import annotations

import random
from dataclasses import fields
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amtui.console.protocol import (
    MAX_BODY,
    MAX_HEADER,
    MAX_NUMBER,
    MAX_SIDE,
    MAX_STEP,
    AckFrame,
    BeatFrame,
    DataFrame,
    FailureFrame,
    Frame,
    FrameReader,
    HistoryFrame,
    OutcomeFrame,
    Position,
    SnapshotFrame,
    StateFrame,
    TextFrame,
    WatchFrame,
    bounded_ack,
    merge,
    newer,
    parse,
)
from amtui.errors import ProtocolError

STATE = b"K 12.1795169835 77 1795169835 0 s 80 24 - 1 50000\n"
EVERYTHING: list[tuple[bytes, Frame]] = [
    (b"S 5 3 17 6\nabcdef", SnapshotFrame(5, b"abc", b"def", 17)),
    (b"S 5 0 - 0\n", SnapshotFrame(5, b"", b"", None)),
    (b"D 5 9 17 3\n\nK\n", DataFrame(5, 9, b"\nK\n", 17)),
    (b"B 5 9 2\nxy", DataFrame(5, 9, b"xy", None)),
    (b"A 17 -\n", AckFrame(17, "-")),
    (b"A - new-server\n", AckFrame(None, "new-server")),
    (b"\n", BeatFrame()),
    (b"E gone\n", FailureFrame("gone")),
    (b"W 1234\n", WatchFrame("1234")),
    (b"T 4\na\tb\n", TextFrame(b"a\tb\n")),
    (b"R refused guard\n", OutcomeFrame("refused", "guard")),
    (b"H 5 100 2000 80 24 7 4\nr7\nr", HistoryFrame(5, 100, 2000, 80, 24, 7, b"r7\nr")),
    (STATE, StateFrame("12.1795169835", 77, 1795169835, False, "", 80, 24, "", 0, True, 50000)),
    (
        b"K 12.17 77 3 1 s255 80 24 abc,99 0 1\n",
        StateFrame("12.17", 77, 3, True, "255", 80, 24, "abc", 99, False, 1),
    ),
]


def test_every_kind_of_frame_is_read() -> None:
    for raw, frame in EVERYTHING:
        assert parse(raw) == [frame]


@given(st.lists(st.integers(1, 40), max_size=60))
def test_frames_do_not_depend_on_how_they_were_cut(cuts: list[int]) -> None:
    raw = b"".join(one for one, _ in EVERYTHING)
    reader, frames, at = FrameReader(), [], 0
    for cut in [*cuts, len(raw)]:
        frames += list(reader.feed(raw[at : at + cut]))
        at += cut
    reader.finish()
    assert frames == [frame for _, frame in EVERYTHING]


BAD = [
    b"S 5 7 17 6\nabcdef",  # a snapshot longer than the body
    b"S 5 3 17\nabc",  # a word missing
    b"D 5 9 17 3 4\nabc",  # a word too many
    b"D 5 9 x 3\nabc",
    b"D -5 9 1 3\nabc",
    b"D 5 9 1 +3\nabc",
    b"D 5 9 1 %d\n" % (MAX_BODY + 1),
    b"B 99999999999999999999 0 1\na",
    b"A 17 because\n",
    b"A 17\n",
    b"E ../../x\n",
    b"E \n",
    b"T -1\n",
    b"X 1\n",
    b" A 1 -\n",
    b"A 1 -\r\n",
    b"H 5 3000 2000 80 24 7 0\n",  # more rows than the limit allows
    b"H 5 100 2000 80 24 90000 0\n",
    b"H 5 100 2000 99999 24 1 0\n",
    STATE.replace(b" 0 s ", b" 2 s "),
    STATE.replace(b" s ", b" s12x "),
    STATE.replace(b" - ", b" a;b,1 "),
    STATE.replace(b"12.", b"12"),
    STATE.replace(b" 80 ", b" 80000 "),
    b"A" * (MAX_HEADER + 1),
    "A 1٣ -\n".encode(),  # a digit, but not ours
]


@pytest.mark.parametrize("raw", BAD, ids=range(len(BAD)))
def test_what_the_protocol_does_not_allow_is_refused(raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse(raw)


@given(st.binary(max_size=200))
def test_noise_is_refused_or_read_but_never_anything_else(noise: bytes) -> None:
    said = ""
    try:
        parse(noise)
    except ProtocolError as error:
        said = error.message
    assert "\x1b" not in said


LIES = st.one_of(
    st.integers(-(10**20), 10**20).map(lambda n: b"%d" % n),
    st.sampled_from([b"", b"-", b"+1", b"0x1", b"1e3", b"1_0", b" 1", b"\xd9\xa3", b"9" * 400]),
)
LIMITS = {
    "generation": MAX_NUMBER, "offset": MAX_NUMBER, "ack": MAX_NUMBER, "pane_pid": 1 << 31, "epoch": MAX_NUMBER,
    "columns": MAX_SIDE, "rows": MAX_SIDE, "owner_until": 10**12, "history_limit": MAX_NUMBER, "size": MAX_NUMBER,
    "limit": MAX_NUMBER, "first": MAX_NUMBER,
}  # fmt: skip
"""The most that each number of a frame may be. A number that is not here is not bounded, and the test says so."""


@given(st.sampled_from([raw for raw, _ in EVERYTHING if b" " in raw]), st.integers(1, 10), LIES)
def test_whatever_a_word_says_a_frame_is_in_bounds_or_refused(raw: bytes, which: int, lie: bytes) -> None:
    header, _, body = raw.partition(b"\n")
    words = header.split(b" ")
    words[1 + which % (len(words) - 1)] = lie
    try:
        (frame, *_) = parse(b" ".join(words) + b"\n" + body)
    except ProtocolError:
        return
    for field in fields(frame):
        value = getattr(frame, field.name)
        if isinstance(value, int) and not isinstance(value, bool):
            assert 0 <= value <= LIMITS[field.name]
        elif isinstance(value, str | bytes):
            assert len(value) <= MAX_BODY
    if isinstance(frame, HistoryFrame):
        assert frame.size <= frame.limit
        assert frame.first <= frame.size + MAX_SIDE


@pytest.mark.parametrize("length", [MAX_BODY + 1, 10**30])
def test_a_body_that_is_too_long_is_refused_before_a_byte_of_it_is_kept(length: int) -> None:
    reader = FrameReader()
    with pytest.raises(ProtocolError):
        list(reader.feed(b"D 5 9 - %d\n" % length))


PROGRAMS = st.tuples(
    st.tuples(st.integers(1, 9), st.integers(1, 9)), st.integers(1, 9), st.integers(0, 2 * MAX_STEP)
)


Told: TypeAlias = tuple[tuple[int, int], int, int]


def state_of(program: Told) -> StateFrame:
    (pid, began), pane, epoch = program
    return StateFrame(f"{pid}.{began}", pane, epoch, False, "", 80, 24, "", 0, True, 1)


@given(PROGRAMS, PROGRAMS)
def test_of_two_programs_one_came_later(one: Told, two: Told) -> None:
    """Late news of an older program never takes the place of a newer one, in whichever order they come."""
    assert newer(None, state_of(one))
    if one[0] == two[0] and abs(one[2] - two[2]) > MAX_STEP:
        low, high = sorted((one, two), key=lambda program: program[2])
        with pytest.raises(ProtocolError):
            newer(state_of(low).program, state_of(high))
        return
    later = newer(state_of(one).program, state_of(two))
    if one[0] == two[0]:
        assert later == (two[2] >= one[2])
    elif one[0][1] != two[0][1]:
        assert later == (two[0][1] > one[0][1])


def test_a_reply_cut_short_is_refused() -> None:
    for raw, _ in EVERYTHING:
        for cut in range(1, len(raw)):
            with pytest.raises(ProtocolError):
                parse(raw[:cut])


def test_an_acknowledgement_lies_between_what_was_acknowledged_and_what_was_sent() -> None:
    assert bounded_ack(None, 3, 9) == 3
    assert bounded_ack(2, 3, 9) == 3
    assert bounded_ack(9, 3, 9) == 9
    with pytest.raises(ProtocolError):
        bounded_ack(10, 3, 9)


def test_a_generation_far_ahead_is_refused() -> None:
    with pytest.raises(ProtocolError):
        merge(Position(1, 0), SnapshotFrame(2 + MAX_STEP, b"", b"", None))


def test_data_past_our_offset_is_a_gap_and_changes_nothing() -> None:
    assert merge(Position(4, 10), DataFrame(4, 11, b"x", None)).gap
    assert merge(Position(4, 10), DataFrame(5, 0, b"x", None)).gap
    assert merge(Position(4, 10), DataFrame(4, 11, b"x", None)).position == Position(4, 10)


class Model:
    """A screen that only remembers what was loaded and fed."""

    def __init__(self) -> None:
        self.position: Position | None = None
        self.picture = b""

    def take(self, frame: SnapshotFrame | DataFrame) -> None:
        merged = merge(self.position, frame)
        if merged.gap:
            return
        assert self.position is None or merged.position.generation >= self.position.generation
        self.position = merged.position
        if merged.snapshot is not None:
            self.picture = merged.snapshot
        self.picture += merged.data


@given(st.lists(st.binary(min_size=1, max_size=30), min_size=1, max_size=4), st.integers(0, 2**32))
def test_however_replies_arrive_the_picture_is_a_prefix_of_the_truth(logs: list[bytes], seed: int) -> None:
    """Replies of several generations, repeated, shuffled and lost; asking for the rest then gives the whole."""
    chosen = random.Random(seed)
    frames: list[SnapshotFrame | DataFrame] = []
    for number, log in enumerate(logs, 7):
        for _ in range(8):
            start = chosen.randint(0, len(log))
            end = chosen.randint(start, len(log))
            whole = chosen.random() < 0.3
            snapshot = b"<%d>" % number
            frames.append(
                SnapshotFrame(number, snapshot, log[:end], None)
                if whole
                else DataFrame(number, start, log[start:end], None)
            )
    model = Model()
    model.take(SnapshotFrame(7, b"<7>", b"", None))
    for frame in chosen.choices(frames, k=40):
        model.take(frame)
        assert model.position is not None
        log = logs[model.position.generation - 7]
        assert model.picture == b"<%d>" % model.position.generation + log[: model.position.offset]
    last = len(logs) + 6
    model.take(SnapshotFrame(last, b"<%d>" % last, logs[-1], None))
    assert model.picture == b"<%d>" % last + logs[-1]
