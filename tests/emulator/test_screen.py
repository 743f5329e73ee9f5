"""The screen as others use it: pyte's names, rows and their versions, runs, history, resizing."""

from __future__ import annotations

import gc
import tracemalloc

import pyte
import pytest
from pyte.screens import Char

from amtui.emulator import DEFAULT, Attr, Screen, Stream
from amtui.emulator.cells import BOLD, Row


def fed(data: bytes, columns: int = 20, lines: int = 6) -> tuple[Screen, Stream]:
    screen = Screen(columns, lines)
    stream = Stream(screen)
    stream.feed(data)
    return screen, stream


def test_it_is_pytes_class_with_pytes_names() -> None:
    screen, stream = fed(
        "\x1b[1;2;3;4;7;8;9;31;48;5;200mx\x1b[0;38;2;1;2;3;92mé\x1b[38;2;1;2;3mz\x1b[5my".encode()
    )
    assert isinstance(screen, pyte.Screen)
    assert isinstance(stream, pyte.ByteStream)
    first = screen.buffer[0][0]
    assert (first.data, first.fg, first.bg) == ("x", "red", "ff00d7")
    assert all((first.bold, first.dim, first.italics, first.underscore, first.reverse, first.conceal))
    assert first.strikethrough
    assert not first.blink
    assert screen.buffer[0][1] == Char("é", fg="brightgreen")
    assert screen.buffer[0][2].fg == "010203"
    assert screen.buffer[0][3].blink
    assert not any((screen.buffer[0][2].blink, screen.buffer[0][3].overline, screen.buffer[0][2].underscore))
    overlined, _ = fed(b"\x1b[53mx\x1b[55;6my\x1b[25mz")
    assert [overlined.buffer[0][x].overline for x in range(3)] == [True, False, False]
    assert [overlined.buffer[0][x].blink for x in range(3)] == [False, True, False]
    assert Screen().buffer[0][0].attr is not DEFAULT  # nothing was drawn there
    assert screen.buffer[5][19] == Char(" ")
    assert screen.display[0] == "xézy" + " " * 16
    assert (screen.cursor.x, screen.cursor.y, screen.cursor.hidden) == (4, 0, False)
    assert screen.cursor.attrs.fg == "010203"
    stream.feed(b"\x1b[?25l\x1b[?1049h")
    assert screen.cursor.hidden
    assert screen.alternate


def test_sizes_by_position_and_by_name() -> None:
    for screen in (Screen(30, 10, 7), Screen(columns=30, lines=10, history=7)):
        assert (screen.columns, screen.lines, screen.history.limit) == (30, 10, 7)
    assert (Screen().columns, Screen().lines, Screen().history.limit) == (80, 24, 5000)


def test_pytes_methods_can_be_called() -> None:
    screen = Screen(10, 3)
    screen.draw("ab\x1bc\x07d")
    screen.cursor_position(2, 3)
    screen.select_graphic_rendition(31, 1)
    screen.draw("é漢")
    screen.set_margins(1, 2)
    screen.cursor_position(2, 6)
    screen.erase_in_line(0)
    screen.buffer[2][0] = Char("q", fg="blue", bold=True)
    assert screen.display == ["abcd      ", "  é漢     ", "q         "]
    assert screen.row(2).attrs[0] == Attr(fg=4, flags=BOLD)
    assert screen.margins == (0, 1)
    screen.set_margins()
    assert screen.margins is None
    screen.set_mode(4)
    assert 4 in screen.mode


def test_rows_keep_their_identity_while_they_scroll() -> None:
    screen, stream = fed(b"one\r\ntwo\r\nthree")
    two = screen.row(1)
    two.cache = "drawn"
    version = two.version
    stream.feed(b"\x1b[6;1H\n")
    assert screen.row(0) is two
    assert (two.version, two.cache) == (version, "drawn")
    stream.feed(b"\n\n")
    assert screen.history.row(1) is two
    assert screen.history.compact() is False
    assert screen.history.row(1) is two
    assert (two.version, two.cache, two.text.rstrip()) == (version, "drawn", "two")


CHANGES = "x é 漢 \u0301 [K [2K [1K [X [P [@ [2J [L [M #8 [?1049h (0q [4hx [S [T c".split()


@pytest.mark.parametrize("change", CHANGES)
def test_a_version_tells_of_every_change(change: str) -> None:
    data = change.encode() if change[0] in "xé漢\u0301" else b"\x1b" + change.encode()
    screen, stream = fed(b"abcd\r\nefgh\x1b[1;2H")
    before, version, changed = screen.row(0), screen.row(0).version, screen.changed
    cells = list(zip(before.chars, before.attrs, strict=True))
    stream.feed(data)
    after = screen.row(0)
    assert list(zip(after.chars, after.attrs, strict=True)) != cells
    assert after is not before or after.version != version
    assert screen.changed > changed


def test_what_changes_nothing_keeps_versions() -> None:
    screen, stream = fed(b"abcd")
    versions = [(row, row.version) for row in screen.rows]
    stream.feed(b"\x1b[31m\x1b[3;3H\x1b[?25l\x1b]0;t\x07\x1b[K\x1b[1;1H")
    assert [(row, row.version) for row in screen.rows] == versions


def test_runs_add_up_to_the_width() -> None:
    screen, _ = fed("ab\x1b[31mcd漢\x1b[0m字e\u0301".encode(), 12, 2)
    red = Attr(fg=1)
    assert list(screen.row(0).runs()) == [("ab", DEFAULT, 2), ("cd漢", red, 4), ("字e\u0301   ", DEFAULT, 6)]
    halves, _ = fed("漢字\x1b[1;2H\x1b[X\x1b[1;3H\x1b[X".encode(), 6, 1)
    assert halves.row(0).chars == ["漢", " ", " ", "", " ", " "]
    assert list(halves.row(0).runs()) == [("      ", DEFAULT, 6)]


@pytest.mark.parametrize(
    "data",
    [
        b"plain",
        b"\x1b[31mred\x1b[0m and \x1b[44m  ",
        "漢字 e\u0301\x1b[1m".encode(),
        b"",
        b"\x1b[42m\x1b[K",
        b"x" * 20,
    ],
)
def test_a_packed_row_is_the_same_row(data: bytes) -> None:
    screen, _ = fed(data)
    row = screen.row(0)
    before = list(row.chars), list(row.attrs), list(row.runs()), row.version, row.used, len(row)
    row.pack()
    row.pack()
    assert len(row) == 20
    assert (list(row.chars), list(row.attrs), list(row.runs()), row.version, row.used, len(row)) == before


def test_history_is_counted_and_bounded() -> None:
    screen = Screen(20, 6, 100)
    stream = Stream(screen)
    for n in range(500):
        stream.feed(b"\x1b[3%dmline %d\x1b[0m\r\n" % (n % 8, n))
    history = screen.history
    assert (history.first, history.next, len(history)) == (395, 495, 100)
    for number in (395, 444, 494):
        row = history.row(number)
        assert row is not None
        assert row.text.rstrip() == f"line {number}"
        assert row.attrs[0].fg == number % 8
    assert history.row(394) is None
    assert history.row(495) is None
    stream.feed(b"\x1b[3J")
    assert (history.first, history.next, history.base, len(history)) == (495, 495, 495, 0)


@pytest.mark.parametrize("size", [1, 7, 100, 100_000])
def test_plain_lines_at_once_are_the_same_as_one_by_one(size: int) -> None:
    lines = [b"line %d %s" % (n, b"-" * (n % 50 + 1)) for n in range(300)]
    data = b"\r\n".join(lines)
    whole, _ = fed(data)
    pieces = Screen(20, 6)
    stream = Stream(pieces)
    for at in range(0, len(data), size):
        stream.feed(data[at : at + size])
    assert pieces.display == whole.display
    assert [(row.text, row.wrapped) for row in pieces.history] == [
        (row.text, row.wrapped) for row in whole.history
    ]
    text = "".join(
        row.text if row.wrapped else row.text.rstrip() + "\n" for row in [*whole.history, *whole.rows]
    )
    assert text.rstrip("\n").encode() == data.replace(b"\r\n", b"\n")


@pytest.mark.parametrize("clear", [b"\x1bc", b"\x1b[H\x1b[J", b"\x1b[2J\x1b[H", b"\x1b[?3h"])
def test_history_is_not_drawn_to_again(clear: bytes) -> None:
    """Lines above the last one used are history after a clear, blank ones too, and stay what they were."""
    screen, stream = fed(b"\n\nlast" + clear)
    stream.feed(b"new\r\nnew\r\nnew")
    assert [row.text.strip() for row in screen.history] == ["", "", "last"]
    assert [line.strip() for line in screen.display[:3]] == ["new"] * 3


def test_cleared_lines_are_one_row_until_they_are_drawn_to() -> None:
    screen, stream = fed(b"\x1b[2J")
    assert len({id(row) for row in screen.rows}) == 1
    stream.feed(b"\x1b[2;2Hx\x1b[4;1H\x1b[1P\x1b[5;1H\x1b[@\x1b[6;1H\x1b[X")
    assert [line.strip() for line in screen.display] == ["", "x", "", "", "", ""]
    screen.buffer[0][0] = Char("q")
    assert [line.strip() for line in screen.display] == ["q", "x", "", "", "", ""]
    stream.feed(b"\x1b#8\x1b[2;2Hx")
    assert screen.display == ["E" * 20, "Ex" + "E" * 18, *["E" * 20] * 4]


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        (b"\x1b[1;3r\x1b[3;1H\n\n", 2),
        (b"\x1b[?1049h\x1b[6;1H\n\n", 0),
        (b"\x1b[3S", 3),
        (b"\x1b[2J", 6),
        (b"\x1b[H\x1b[J", 6),
        (b"\x1b[2;1H\x1b[J", 0),
        (b"\x1b[H\x1b[2M", 0),
    ],
)
def test_what_becomes_history(data: bytes, kept: int) -> None:
    screen, stream = fed(b"1\r\n2\r\n3\r\n4\r\n5\r\n6")
    stream.feed(data)
    assert [row.text.strip() for row in screen.history] == [str(n + 1) for n in range(kept)]


def test_lines_leaving_an_inner_region_are_history_too() -> None:
    """As in tmux, so that its line numbers are ours."""
    screen, stream = fed(b"1\r\n2\r\n3\r\n4\r\n5\r\n6")
    stream.feed(b"\x1b[2;4r\x1b[4;1H\n\n")
    assert [row.text.strip() for row in screen.history] == ["2", "3"]


def test_resizing_crops_and_pads() -> None:
    screen, stream = fed(b"1\r\n2\r\n3\r\n4")
    screen.resize(lines=4, columns=10)
    assert [line.strip() for line in screen.display] == ["1", "2", "3", "4"]
    screen.resize(3, 10)
    assert [line.strip() for line in screen.display] == ["2", "3", "4"]
    assert [row.text.strip() for row in screen.history] == ["1"]
    assert screen.cursor.y == 2
    screen.resize(5, 30)
    assert [line.strip() for line in screen.display] == ["2", "3", "4", "", ""]
    stream.feed(b"\x1b[30Gx\x1b[?1049hy")
    screen.resize(2, 8)
    stream.feed(b"z\x1b[?1049l")
    assert all(len(row.chars) == 8 for row in screen.rows)
    screen.resize(1, 1)
    stream.feed("漢ab\x1b[L\x1b[M\x1b[S\x1b[T\x1bM\n\x1b[?1049h\n\x1bM".encode())
    assert screen.display == [" "]


def test_five_thousand_coloured_lines_are_small() -> None:
    line = b"".join(b"\x1b[3%dmword%d\x1b[0m " % (n % 8, n) for n in range(16)) + b"\r\n"

    def size(screen: pyte.Screen, stream: pyte.ByteStream) -> int:
        gc.collect()
        tracemalloc.start()
        for _ in range(1000):
            stream.feed(line)  # type: ignore[arg-type]
        gc.collect()
        used, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return used

    ours = Screen(120, 24, 5000)
    theirs = pyte.HistoryScreen(120, 24, history=5000)
    assert size(ours, Stream(ours)) * 4 < size(theirs, pyte.ByteStream(theirs))


def test_a_row_made_of_text() -> None:
    row = Row.plain("abc", DEFAULT, 5, False)
    assert len(row) == 5
    row.chars[1] = "x"
    assert row.text == "axc  "
    with pytest.raises(AttributeError):
        row.nothing  # type: ignore[attr-defined]  # noqa: B018


def test_how_text_is_stored_follows_every_switch() -> None:
    """`plain` and `drawing` are kept beside the modes and character sets that they come from."""

    def right(screen: Screen) -> bool:
        drawing = screen.charsets[screen.shift]
        plain = screen.modes.wrap and not screen.modes.insert and not drawing
        return (screen.drawing, screen.plain) == (drawing, plain)

    screen, stream = fed(b"")
    for data in (
        "[4h",
        "[4l",
        "[?7l",
        "[?7h",
        "(0",
        "(B",
        ")0",
        "7",
        "8",
        "c",
        "[4;?7h",
        "(0",
        "7",
        "(B",
        "8",
        "c",
    ):
        for shift in ("", "\x0e", "\x0f"):
            stream.feed(f"\x1b{data}{shift}".encode())
            assert right(screen), (data, shift)
    screen.set_mode(4)
    assert not screen.plain
    screen.reset_mode(4)
    assert screen.plain
    screen.reset_mode(7, private=True)
    assert not screen.plain
    screen.reset()
    assert screen.plain
    screen.define_charset("0", ")")
    screen.shift_out()
    assert screen.drawing
    screen.shift_in()
    assert not screen.drawing


def test_titles_are_pushed_among_other_window_operations() -> None:
    screen, stream = fed(b"\x1b]2;one\x07\x1b[3;22;22;22;0t\x1b]2;two\x07\x1b[22;2t\x1b]2;three\x07")
    titles = []
    for pop in (b"\x1b[23;1t", b"\x1b[23;0t", b"\x1b[8;23;23;9;23;23;2t", b"\x1b[23t"):
        stream.feed(pop)
        titles.append(screen.title)
    assert titles == ["three", "two", "one", "one"]


def test_the_kitty_keyboard_is_only_noted() -> None:
    screen, stream = fed(b"\x1b[>5u")
    assert screen.modes.kitty_flags == 5
    stream.feed(b"\x1b[<u")
    assert screen.modes.kitty_flags == 0
    stream.feed(b"\x1b[=33u")
    assert screen.modes.kitty_flags == 1


def test_a_plain_cell_of_pytes_has_no_attributes() -> None:
    screen, _ = fed(b"")
    screen.buffer[0][0] = Char("x")
    screen.buffer[0][1] = Char("y", underscore=True, bold=True)
    assert screen.row(0).attrs[0] is DEFAULT
    assert screen.row(0).attrs[1] == Attr(flags=BOLD, underline=1)
    assert not any((screen.buffer[0][0].overline, screen.buffer[0][0].dim, screen.buffer[0][0].conceal))


def test_lines_that_are_paged_in_are_stored_compactly() -> None:
    screen, _ = fed(b"line\r\n" * 30)
    screen.history.restart(40)
    assert screen.history.extend_older([b"\x1b[31mred\x1b[m line"] * 40) == 40
    assert all(row._text is not None for row in screen.history)
