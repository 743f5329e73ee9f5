"""Recorded programs: every frame is what tmux showed, wherever the bytes are cut and wherever a viewer attaches.

AMTUI_RECORDINGS names a folder of recordings that are not the project's own; they are compared with a live tmux.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from corpus import OWN, Frame, Recording, Untold, attach, check, differences, recordings, start, watch
from figures import proving, record, size, source
from oracle import Pane, flags_of, glyphs_of

from amtui.emulator import Screen

RECORDINGS = recordings(OWN)
FOREIGN = recordings(Path(os.environ["AMTUI_RECORDINGS"])) if os.environ.get("AMTUI_RECORDINGS") else []
FEW = 5
"""Recordings that are compared with a live tmux in CI; others with every change of the sources."""

every_recording = pytest.mark.parametrize("recording", RECORDINGS, ids=str)


@pytest.fixture(scope="module")
def stage(tmux_path: str) -> Iterator[Callable[[], Pane]]:
    """A pane of its own, because it is resized."""
    made: list[Pane] = []

    def pane() -> Pane:
        if not made:
            made.append(Pane(tmux_path, 80, 24))
        return made[0]

    yield pane
    for each in made:
        each.close()


def everything(screen: Screen) -> object:
    """The whole state that a person or a program could notice."""
    rows = [[glyphs_of(row) for row in rows] for rows in (screen.rows, screen.main or [])]
    return rows, flags_of(screen), screen.title, screen.cursor.attr, screen.modes.as_pyte()


def report(name: str, exact: int, frames: int, conditions: str) -> None:
    record(
        name,
        "100 %",
        f"{exact} of {frames} = {100 * exact / frames:.2f} %",
        exact == frames,
        conditions=conditions,
    )


def compared(recording: Recording, frames: Iterator[Frame] | list[Frame]) -> tuple[int, list[str]]:
    """How many frames there are, and what is wrong in the others."""
    count, wrong = 0, []
    for frame, found in check(recording, frames):
        count += 1
        if found:
            wrong.append(f"{recording} at {frame.at}: {'; '.join(found[:3])[:600]}")
    return count, wrong


def test_there_are_enough_of_them() -> None:
    assert len({recording.name for recording in RECORDINGS}) >= 25
    assert {"claude", "codex"} <= {recording.name for recording in RECORDINGS}
    assert all(len(recording.data) < 120_000 for recording in RECORDINGS)
    assert sum(path.stat().st_size for path in OWN.iterdir()) < 3_000_000
    assert all(len(recording.frames) >= 8 for recording in RECORDINGS)


@every_recording
def test_nothing_of_a_machine_is_in_them(recording: Recording) -> None:
    text = recording.data + b"".join(frame.snapshot.encode("utf-8", "replace") for frame in recording.frames)
    assert not re.findall(rb"(?<!\w)/(?:root\b|work/|home/(?!demo)\w)|\bsk-[a-z0-9]|@(?!box)\w+:[~/]", text)


@every_recording
def test_every_frame_is_what_tmux_showed(recording: Recording) -> None:
    _, wrong = compared(recording, recording.frames)
    assert wrong == []


def test_a_wrong_cell_is_seen() -> None:
    """The comparison itself: one cell, one attribute, one column of the cursor."""
    recording = RECORDINGS[0]
    frame = recording.frames[-1]
    screen, stream = start(recording)
    for each in recording.frames:
        if each.size:
            attach(screen, stream, each, Untold(screen))
    stream.feed(recording.data)
    before = set(differences(frame, screen))
    stream.feed(b"\x1b[5;5H\x1b[0;2;38;5;77mZ")
    assert len(set(differences(frame, screen)) - before) >= 2


@pytest.mark.prove
@pytest.mark.timeout(600)
def test_live_tmux_still_shows_the_same(stage: Callable[[], Pane]) -> None:
    chosen = RECORDINGS if proving() else random.Random(source()).sample(RECORDINGS, FEW)
    frames, wrong = 0, []
    for recording in chosen:
        count, found = compared(recording, watch(stage(), recording))
        frames, wrong = frames + count, wrong + found
    report(
        "own recordings, frames equal to live tmux", frames - len(wrong), frames, f"{len(chosen)} recordings"
    )
    assert wrong == []


if FOREIGN:

    @pytest.mark.prove
    @pytest.mark.timeout(1800)
    def test_foreign_recordings(stage: Callable[[], Pane]) -> None:
        frames, wrong = 0, []
        for recording in FOREIGN:
            count, found = compared(recording, watch(stage(), recording))
            frames, wrong = frames + count, wrong + found
        report(
            "foreign recordings, frames equal to live tmux",
            frames - len(wrong),
            frames,
            f"{len(FOREIGN)} recordings",
        )
        print(f"{frames - len(wrong)} of {frames} frames of {len(FOREIGN)} foreign recordings are exact")
        assert wrong == []


@every_recording
def test_where_the_bytes_are_cut_makes_no_difference(recording: Recording) -> None:
    whole, stream = start(recording)
    stream.feed(recording.data)
    wanted = everything(whole)
    for seed, largest in enumerate(size((1, 400), (1, 2, 7, 40, 400, 5_000))):
        chance = random.Random(seed)
        pieces, stream = start(recording)
        at = 0
        while at < len(recording.data):
            step = chance.randint(1, largest)
            stream.feed(recording.data[at : at + step])
            at += step
        assert everything(pieces) == wanted, largest


@every_recording
def test_attaching_anywhere_shows_the_same_as_having_watched(recording: Recording) -> None:
    """Snapshot and tail equal the full replay, from every frame on."""
    assert attached(recording)[1] == []


def attached(recording: Recording) -> tuple[int, list[str]]:
    """How many later frames there are for all places to attach at, and those at which a viewer sees other things."""
    whole, stream = start(recording)
    viewers: list[tuple[int, Screen, object]] = []
    count, wrong, done = 0, [], 0
    for frame in recording.frames:
        piece, done = recording.data[done : frame.at], frame.at
        stream.feed(piece)
        if frame.size is not None:
            attach(whole, stream, frame, Untold(whole))
            viewers.clear()
        wanted = everything(whole)
        for began, screen, feed in viewers:
            feed(piece)  # type: ignore[operator]
            count += 1
            if everything(screen) != wanted:
                wrong.append(f"{recording}: attached at {began}, other at {frame.at}")
        screen, own = start(recording)
        attach(screen, own, frame, Untold(whole))
        viewers.append((frame.at, screen, own.feed))
    return count, wrong


@pytest.mark.prove
def test_attaching_figures() -> None:
    counts = [attached(recording) for recording in size(RECORDINGS[:3], RECORDINGS)]
    frames, wrong = sum(count for count, _ in counts), sum(len(found) for _, found in counts)
    report(
        "snapshot and tail equal full replay",
        frames - wrong,
        frames,
        f"{len(counts)} recordings, every pair of frames",
    )
    assert not wrong


LEAVING = [
    (before, after, text)
    for before, after in (
        ((20, 6), (12, 6)),
        ((20, 6), (20, 4)),
        ((20, 6), (30, 9)),
        ((12, 4), (20, 6)),
        ((30, 9), (9, 3)),
    )
    for text in (
        b"one\r\ntwo",
        b"a line that is wrapped once or twice\r\n" * 2 + b"$ ",
        "漢字かな交じり文が続く行\r\n".encode() * 3,
    )
]


@pytest.mark.parametrize(("before", "after", "text"), LEAVING)
def test_the_main_screen_is_wrapped_anew_when_it_comes_back_at_another_size(
    stage: Callable[[], Pane], before: tuple[int, int], after: tuple[int, int], text: bytes
) -> None:
    data = text + b"\x1b[?1049h\x1b[Hbox\x1b[2;2H" + b"\x1b[?1049lX"
    left = len(data) - len(b"\x1b[?1049lX")
    recording = Recording("leaving", *before, data, ((left, after),))
    assert compared(recording, watch(stage(), recording))[1] == []


@pytest.mark.parametrize("before", [(20, 6), (12, 4), (30, 7)])
@pytest.mark.parametrize("short", [0, 1, 5, 7])
def test_an_alternate_screen_that_is_full_is_wrapped_for_the_size_of_the_main_one(
    stage: Callable[[], Pane], before: tuple[int, int], short: int
) -> None:
    """What is too much for the old height becomes history. Whether that comes back when the screen grows depends
    on which lines were cut; what was erased within a line is kept."""
    rows = [
        b"\x1b[%dH%d: " % (y, y) + (b"" if y <= short else b"\x1b[22Cof it " + b"#" * 9) for y in range(1, 10)
    ]
    data = b"one\r\n$ \x1b[?1049h\x1b[Hbox"
    cut = len(data)
    data += b"\x1b[H\x1b[2J" + b"".join(rows) + b"\x1b[9;1H\x1b[?1049l"
    recording = Recording("full", *before, data, ((cut, (40, 9)),))
    assert compared(recording, watch(stage(), recording))[1] == []


@pytest.mark.parametrize("entered", [b"1049", b"47"])
@pytest.mark.parametrize("lines", [2, 9, 30])
def test_history_that_moves_down_into_a_wider_alternate_screen_is_lost(
    stage: Callable[[], Pane], entered: bytes, lines: int
) -> None:
    """Wrapped lines of the alternate screen are joined at the old width; what then comes down is overwritten."""
    data = b"".join(b"line %d\r\n" % n for n in range(lines)) + b"$ \x1b[?" + entered + b"h"
    cut = len(data)
    data += b"\x1b[H\x1b[2J" + b"wrapped more than once, twice\r\n" * 2 + b"\x1b[?" + entered + b"lX"
    recording = Recording("joined", 40, 9, data, ((cut, (10, 12)),))
    assert compared(recording, watch(stage(), recording))[1] == []


SIZES = ((20, 6), (12, 6), (20, 4), (30, 9), (9, 3), (40, 12), (5, 5))
EDITS = ("[J", "[K", "[1K", "[2J", "[L", "[M", "[3P", "[2@", "[4X", "[44mx [K\x1b[m")


def drawn(chance: random.Random, columns: int, lines: int) -> bytes:
    """A little of what programs draw, to wrap and to erase."""
    out = []
    for _ in range(chance.randint(0, 8)):
        kind = chance.random()
        if kind < 0.6:
            longest = chance.choice((4, columns, 2 * columns))
            out.append("".join(chance.choice("ab c漢é") for _ in range(chance.randint(0, longest))))
            out.append(chance.choice(("", "\r\n", "\r\n")))
        elif kind < 0.75:
            out.append(f"\x1b[{chance.randint(1, lines)};{chance.randint(1, columns)}H")
        else:
            out.append(chance.choice(("\n", *(f"\x1b{edit}" for edit in EDITS))))
    return "".join(out).encode()


@pytest.mark.prove
def test_an_alternate_screen_left_at_any_other_size(stage: Callable[[], Pane]) -> None:
    """Random screens, resized up to twice, with cells erased, hidden and shown again. What a narrow screen hid
    no capture tells, so one in a hundred may differ when it is wide again."""
    count, wrong = size(25, 400), []
    start = 5_000 if not proving() else random.SystemRandom().randrange(10**9)
    for seed in range(start, start + count):
        chance = random.Random(f"left {seed}")
        sizes = chance.sample(SIZES, chance.choice((2, 2, 3)))
        mode = chance.choice(("1049", "1049", "47"))
        data = drawn(chance, *sizes[0]) + f"\x1b[?{mode}h".encode() + drawn(chance, *sizes[0])
        resizes = []
        for each in sizes[1:]:
            resizes.append((len(data), each))
            data += (b"\x1b[H\x1b[2J" if chance.random() < 0.3 else b"") + drawn(chance, *each)
        data += f"\x1b[?{mode}l".encode() + drawn(chance, *sizes[-1])
        recording = Recording(f"left {seed}", *sizes[0], data, tuple(resizes))
        wrong += compared(recording, watch(stage(), recording))[1][:1]
    report("alternate screens left at another size", count - len(wrong), count, "random, up to two resizes")
    assert len(wrong) <= count // 50, wrong


LINES = b"".join(b"line %d\r\n" % n for n in range(9))
UNSEEN = {
    "erased to the end of a line": (
        (20, 6), [b"$ ", b"", b"\x1b[H\x1b[2J" + (b"x" * 35 + b"\r\x1b[5C\x1b[K\r\n") * 7], [(40, 9)],
    ),
    "drawn blanks in the history": ((5, 5), ["aca 漢\r\n".encode() * 8, b"", b""], [(40, 12)]),
    "lines cut at the top": (
        (20, 6), [LINES, b"", b"\x1b[H\x1b[2J" + b"wrapped twice or more often, " * 2, b""], [(12, 6), (12, 3)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNSEEN)
def test_what_no_capture_tells_of_an_alternate_screen_is_remembered(
    stage: Callable[[], Pane], name: str
) -> None:
    before, (main, *drawn_then), sizes = UNSEEN[name]
    data, resizes = main + b"\x1b[?1049h" + drawn_then[0], []
    for each, text in zip(sizes, drawn_then[1:], strict=True):
        resizes.append((len(data), each))
        data += text
    recording = Recording("unseen", *before, data + b"\x1b[?1049lX", tuple(resizes))
    assert compared(recording, watch(stage(), recording))[1] == []
