"""Selecting cells, words and lines: what is copied, where words begin and end, that no wide character is split."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amtui.emulator import Screen, Stream, lines, selection
from amtui.emulator.lines import Place
from amtui.emulator.selection import Selection, Unit


def fed(data: str, columns: int = 20, rows: int = 6, history: int = 100) -> tuple[Screen, Stream]:
    screen = Screen(columns=columns, lines=rows, history=history)
    stream = Stream(screen)
    stream.feed(data.encode())
    return screen, stream


def selected(one: tuple[int, int], other: tuple[int, int], unit: Unit = "cell") -> Selection:
    found = Selection()
    found.begin(Place(*one), unit)
    found.extend(Place(*other))
    return found


def test_a_press_alone_selects_nothing_but_a_word_or_line_does() -> None:
    screen, _ = fed("one two\r\n")
    found = Selection()
    found.begin(Place(0, 5))
    assert found.begun and found.empty and found.text(screen) == "" and found.on_row(screen, 0) is None
    found.begin(Place(0, 5), "word")
    assert found.text(screen) == "two"
    found.begin(Place(0, 5), "line")
    assert found.text(screen) == "one two"
    found.clear()
    assert found.text(screen) == ""


def test_blanks_at_ends_of_lines_are_dropped_and_wrapped_rows_joined() -> None:
    screen, _ = fed("first   \r\n" + "x" * 18 + "  wrapped here\r\n\r\nlast")
    assert selected((0, 2), (4, 2)).text(screen) == "rst\n" + "x" * 18 + "  wrapped here\n\nlas"
    assert selected((4, 2), (0, 2)).text(screen) == selected((0, 2), (4, 2)).text(screen)


def test_a_wide_character_is_taken_whole_from_either_half() -> None:
    screen, _ = fed("a漢字b")
    assert selected((0, 2), (0, 3)).text(screen) == "漢字"
    assert tuple(selected((0, 2), (0, 3)).on_row(screen, 0) or ()) == (0, 1, 5)


def test_a_wrapped_wide_line_has_no_blank_where_it_wrapped() -> None:
    screen, _ = fed("a漢字漢字漢字漢字漢字", columns=10)
    assert selected((0, 0), (2, 1)).text(screen) == "a漢字漢字漢字漢字漢字"


def test_words_go_on_in_the_next_row_and_keep_paths_whole() -> None:
    screen, _ = fed("see (/usr/share/doc/tmux-3.3a/README), done")
    for cell in ((0, 6), (0, 19), (1, 3)):
        assert selected(cell, cell, "word").text(screen) == "/usr/share/doc/tmux-3.3a/README"
    assert selected((0, 4), (0, 4), "word").text(screen) == "("
    assert selected((0, 0), (1, 3), "word").text(screen) == "see (/usr/share/doc/tmux-3.3a/README"


def test_it_stays_on_its_text_while_output_comes() -> None:
    screen, stream = fed("keep this\r\n", history=8)
    found = selected((0, 0), (0, 8))
    for i in range(8):
        stream.feed(b"more %d\r\n" % i)
        assert found.text(screen) == "keep this"
    stream.feed(b"more\r\n" * 8)
    assert found.text(screen) == "", "the row is no longer held"


def test_a_copy_is_bounded() -> None:
    screen, _ = fed("x" * 500, columns=10, rows=60)
    assert selected((0, 0), (59, 9)).text(screen, 123) == "x" * 123
    screen, _ = fed("xxxx\r\n" * 50, columns=10, rows=60)
    assert len(selected((0, 0), (59, 9)).text(screen, 12)) == 12


def test_ways() -> None:
    screen, _ = fed("  one two, 漢字\r\n\r\n  three")
    at = Place(0, 0)
    stops = []
    for _ in range(6):
        at = selection.next_word(screen, at)
        stops.append(tuple(at))
    assert stops == [(0, 2), (0, 6), (0, 9), (0, 11), (2, 2), (2, 2)]
    back = []
    for _ in range(6):
        at = selection.previous_word(screen, at)
        back.append(tuple(at))
    assert back == [(0, 11), (0, 9), (0, 6), (0, 2), (0, 2), (0, 2)]
    ends = []
    at = Place(0, 0)
    for _ in range(6):
        at = selection.word_end(screen, at)
        ends.append(tuple(at))
    assert ends == [(0, 4), (0, 8), (0, 9), (0, 13), (2, 6), (2, 6)]
    assert selection.text_begin(screen, Place(0, 9)) == (0, 2)
    assert selection.line_finish(screen, Place(0, 0)) == (0, 13)
    assert selection.line_begin(screen, Place(0, 9)) == (0, 0)
    assert selection.right(screen, Place(0, 11)) == (0, 13)
    assert selection.left(screen, Place(0, 13)) == (0, 11)
    assert selection.left(screen, Place(1, 0)) == (0, 19)
    assert selection.right(screen, Place(0, 19)) == (1, 0)


WAYS = [
    selection.next_word,
    selection.previous_word,
    selection.word_end,
    selection.left,
    selection.right,
    selection.line_begin,
    selection.line_finish,
    selection.text_begin,
]


@settings(max_examples=150, deadline=None)
@given(
    st.text("ab -漢字é👩\n", max_size=60),
    st.integers(2, 12),
    st.integers(0, 10**6),
    st.sampled_from(["cell", "word", "line"]),
)
def test_whatever_is_selected_is_text_that_was_printed_and_no_character_is_split(
    printed: str, columns: int, seed: int, unit: Unit
) -> None:
    rng = random.Random(seed)
    screen, _ = fed(printed.replace("\n", "\r\n"), columns=columns, rows=5, history=200)
    last = lines.end(screen) - 1

    def anywhere() -> Place:
        return Place(rng.randint(0, last), rng.randint(0, columns - 1))

    found = Selection()
    found.begin(anywhere(), unit)
    found.extend(anywhere())
    copied = found.text(screen)
    everything = selected((0, 0), (last, columns - 1)).text(screen)
    assert copied.strip(" ") in everything + "\n" * 200
    assert all(c == "\n" or c.isprintable() for c in copied)
    for number in range(last + 1):
        stretch, shown = found.on_row(screen, number), lines.cells(screen, number)
        if stretch is None:
            continue
        assert stretch.start >= len(shown) or shown[stretch.start] != "", "begins inside a wide character"
        assert stretch.end >= len(shown) or shown[stretch.end] != "", "ends inside a wide character"
    for way in WAYS:
        place = way(screen, anywhere())
        shown = lines.cells(screen, place.row)
        assert 0 <= place.row <= last and 0 <= place.column < columns
        assert place.column >= len(shown) or shown[place.column] != ""


@pytest.mark.parametrize("way", [selection.next_word, selection.word_end])
def test_going_on_comes_to_an_end(way: object) -> None:
    screen, _ = fed("ab cd, (ef)\r\n" * 30)
    at, steps = Place(0, 0), 0
    while (after := way(screen, at)) != at:  # type: ignore[operator]
        assert after > at
        at, steps = after, steps + 1
        assert steps < 1000
    assert steps > 100
