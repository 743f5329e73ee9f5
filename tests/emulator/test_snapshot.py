"""A snapshot of a live pane, and then its output, equals the pane: at every cut."""

from __future__ import annotations

import random

import pytest
from oracle import RESET, Pane, differences, glyphs_of, new_screen
from sequences import output

from amtui.emulator import SNAPSHOT_FIELDS, Screen, Stream, load_snapshot
from amtui.emulator.snapshot import BadSnapshot, unescape

HEADER = b"10 3 2 1 0 1 0 0 0 1 0 00000 0 2 7 0 0 42 1.2 4294967295 4294967295 8 =a title"


def loaded(snap: bytes) -> tuple[Screen, Stream]:
    screen = Screen(80, 24)
    stream = Stream(screen)
    stream.feed(b"\x1b[31mold\x1b[?1049h\x1b[2;4r\x1b[?1003hjunk")
    load_snapshot(screen, stream, snap)
    return screen, stream


KNOWN_STATE = b"\x18\x1b\\\x1b[m\x1b(B\x1b)B\x0f\x1b[1;2H\x1b7"
"""After a snapshot the pen, character sets and the saved cursor are not known; a program mostly sets them itself."""


@pytest.mark.parametrize("seed", range(30))
def test_snapshot_and_tail_equal_the_pane(pane: Pane, seed: int) -> None:
    wide = seed % 3 == 0
    tokens = output(("snapshot", seed), 40, pane.columns, pane.lines, wide=wide)
    cut = random.Random(seed).randrange(40)
    head = b"".join(tokens[:cut])
    pane.feed(RESET + head + (b"\x1b[0m" if wide else b""))
    reference, feed = new_screen(pane)
    feed.feed(head)
    screen, stream = loaded(pane.snapshot())
    # what a capture cannot tell: a wide character's half that was left over, and a background at a line's end
    shown = [glyphs_of(row) for row in screen.rows]
    assert differences(pane, screen) == [] or any("" in row.chars for row in reference.rows), shown
    pane.feed(KNOWN_STATE)
    stream.feed(KNOWN_STATE)
    if wide and any("" in row.chars for row in reference.rows):
        pane.feed(b"\x1b[2J")
        stream.feed(b"\x1b[2J")
    for token in tokens[cut:]:
        pane.feed(token)
        stream.feed(token)
        assert differences(pane, screen, ignore=("history_size",)) == []


def test_the_main_screen_comes_back_under_an_alternate_one(pane: Pane) -> None:
    head = b"main\r\n\x1b[32mgreen\x1b[0m\x1b[3;3H\x1b[?1049hother\x1b[2;2H"
    pane.feed(RESET + head)
    screen, stream = loaded(pane.snapshot())
    assert screen.alternate
    assert differences(pane, screen) == []
    for token in (b"X\x1b[?1049l", b"Y"):
        pane.feed(token)
        stream.feed(token)
        assert differences(pane, screen) == []
    assert not screen.alternate


def test_without_the_saved_section_the_main_screen_is_blank(pane: Pane) -> None:
    pane.feed(RESET + b"main\x1b[?1049hother")
    screen, stream = loaded(pane.snapshot(saved=False))
    assert screen.display[0].split() == ["other"]
    stream.feed(b"\x1b[?1049l")
    assert "".join(screen.display).strip() == ""


@pytest.mark.parametrize("half", [b"", b"[3", b"[38;2;1", b"]0;ti", b"]0;a\\b", b"P+q", b"("])
def test_a_sequence_cut_in_half_goes_on(pane: Pane, half: bytes) -> None:
    cut = b"ab\x1b" + half
    rest = {b"[": b"1mX", b"]": b"tle\x07X", b"P": b"\x1b\\X", b"(": b"0qX"}.get(cut[3:4], b"[31mX")
    whole = Screen(pane.columns, pane.lines)
    Stream(whole).feed(cut + rest)
    snap = HEADER.replace(b"10 3 2 1", b"20 6 2 0") + b"\n" + escaped(cut[2:]) + b"\n@@am\nab" + b"\n" * 6
    screen, stream = loaded(snap)
    stream.feed(rest)
    assert [glyphs_of(row) for row in screen.rows] == [glyphs_of(row) for row in whole.rows]


def escaped(data: bytes) -> bytes:
    """As `capture-pane -C` writes it."""
    return b"".join(
        b"\\\\" if byte == 92 else bytes([byte]) if 32 <= byte < 127 else b"\\%03o" % byte for byte in data
    )


def test_bytes_as_tmux_escapes_them() -> None:
    data = b"\x1b]0;a\\b\xc3\xa9"
    assert unescape(escaped(data)) == data


def test_what_the_header_says() -> None:
    screen = Screen(80, 24)
    stream = Stream(screen)
    state = load_snapshot(screen, stream, HEADER + b"\n@@am\nab\n\x1b[31mc\x1b[0m\n\n")
    assert (screen.columns, screen.lines, screen.cursor.x, screen.cursor.y) == (10, 3, 2, 1)
    assert (state.history_size, state.pid, state.server, state.title) == (7, 42, "1.2", "a title")
    assert screen.title == "a title"
    assert screen.history.next == 7
    assert screen.tabstops == {8}
    assert screen.display == ["ab        ", "c         ", "          "]
    assert screen.buffer[1][0].fg == "red"


def test_a_newer_helper_may_say_more_and_an_older_less() -> None:
    screen = Screen(80, 24)
    stream = Stream(screen)
    more = HEADER.replace(b" =a title", b" extra 5 =a = title")
    state = load_snapshot(screen, stream, more + b"\n@@am\n\n\n\n")
    assert (state.extra, state.title) == (("extra", "5"), "a = title")
    less = b" ".join(HEADER.split(b" ")[:19]) + b" my title"
    assert load_snapshot(screen, stream, less + b"\n@@am\n\n\n\n").title == "my title"
    assert [name for name, _ in SNAPSHOT_FIELDS][-1] == "title"


@pytest.mark.parametrize(
    "snap",
    [b"", b"hello", HEADER, HEADER + b"\nrows", HEADER.replace(b"10 3", b"0 3") + b"\n@@am\n",
     HEADER.replace(b"10 3", b"99999 3") + b"\n@@am\n", HEADER.replace(b"10 3", b"x 3") + b"\n@@am\n", b"\xff" * 100],
)  # fmt: skip
def test_what_is_no_snapshot_changes_nothing(snap: bytes) -> None:
    screen = Screen(20, 6)
    stream = Stream(screen)
    stream.feed(b"kept")
    with pytest.raises(BadSnapshot):
        load_snapshot(screen, stream, snap)
    assert screen.display[0].rstrip() == "kept"


def test_history_is_paged_in(pane: Pane) -> None:
    pane.feed(RESET + b"".join(b"\x1b[3%dmline %d\x1b[0m\r\n" % (n % 8, n) for n in range(40)))
    screen, _ = loaded(pane.snapshot())
    assert (len(screen.history), screen.history.next - screen.history.base) == (0, 35)
    page = pane.tmux("capture-pane", "-p", "-e", "-N", "-S", "-10", "-E", "-1").rstrip(b"\n").split(b"\n")
    assert screen.history.extend_older(page) == 10
    page = pane.tmux("capture-pane", "-p", "-e", "-N", "-S", "-", "-E", "-11").rstrip(b"\n").split(b"\n")
    assert screen.history.extend_older(page) == 25
    assert [glyphs_of(row) for row in screen.history] == pane.history()
    assert screen.history.first == screen.history.base
    assert screen.history.extend_older([b"too much"]) == 0


def test_numbers_of_lines_are_never_used_twice(pane: Pane) -> None:
    pane.feed(RESET + b"x\r\n" * 20)
    screen = Screen(20, 6)
    stream = Stream(screen)
    stream.feed(b"y\r\n" * 30)
    before = screen.history.next
    load_snapshot(screen, stream, pane.snapshot())
    assert screen.history.base == before
    assert screen.history.next == before + 15
    load_snapshot(screen, stream, pane.snapshot(), keep_history=True)
    assert screen.history.base == before
