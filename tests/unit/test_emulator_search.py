"""Searching history and grid: joined lines, wide characters, output that goes on, history that is trimmed."""

from __future__ import annotations

import random
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amtui.emulator import Screen, Stream, lines
from amtui.emulator.lines import Place
from amtui.emulator.pattern import Pattern
from amtui.emulator.search import MOST, Hit, Search


def fed(data: bytes | str, columns: int = 20, rows: int = 5, history: int = 1000) -> tuple[Screen, Stream]:
    screen = Screen(columns=columns, lines=rows, history=history)
    stream = Stream(screen)
    stream.feed(data.encode() if isinstance(data, str) else data)
    return screen, stream


def search(screen: Screen, text: str, *, regex: bool = False) -> Search:
    found = Search(screen, Pattern(text, regex=regex))
    while found.work(1.0):
        pass
    return found


def under(screen: Screen, hit: Hit) -> str:
    """What the cells of a hit show."""
    return "".join("".join(lines.cells(screen, s.row)[s.start : s.end]) for s in hit.stretches)


def test_a_word_that_wrapped_is_one_hit_in_two_rows() -> None:
    screen, _ = fed("x" * 16 + "needle\r\nneedle\r\n")
    one, other = search(screen, "needle").hits
    assert [tuple(s) for s in one.stretches] == [(0, 16, 20), (1, 0, 2)]
    assert [tuple(s) for s in other.stretches] == [(2, 0, 6)]


def test_wide_characters_wrap_without_a_blank_between_and_are_hit_whole() -> None:
    screen, _ = fed("a漢字漢字漢字漢字漢字漢字漢字", columns=10)
    hits = search(screen, "字漢").hits
    assert [under(screen, hit) for hit in hits] == ["字漢"] * 6
    assert all(s.end > s.start for hit in hits for s in hit.stretches)
    split = next(hit for hit in hits if len(hit.stretches) == 2)
    assert [tuple(s) for s in split.stretches] == [(0, 7, 9), (1, 0, 2)]


def test_old_and_new_are_both_found_newest_first() -> None:
    screen, _ = fed("".join(f"line {i}\r\n" for i in range(300)))
    looking = Search(screen, Pattern("line"))
    looking.work(0.0)
    assert looking.hits, "what is on show is found in the first slice"
    assert looking.hits[-1].start.row == 299
    while looking.work(0.001):
        pass
    assert len(looking.hits) == 300
    assert [h.start.row for h in looking.hits] == list(range(300))
    third = looking.hits[2]
    assert looking.number(third) == 3
    assert looking.after(third.start) == looking.hits[3]
    assert looking.before(third.start) == looking.hits[1]
    assert looking.after(looking.hits[-1].start) is None
    assert looking.before(looking.hits[0].start) is None


def test_older_rows_that_come_later_are_searched_too() -> None:
    screen, _ = fed("new needle\r\n")
    screen.history.restart(50)
    looking = search(screen, "needle")
    assert len(looking.hits) == 1
    screen.history.extend_older([b"old needle %d" % i for i in range(50)])
    assert not looking.done
    while looking.work():
        pass
    assert len(looking.hits) == 51


def test_the_alternate_screen_is_searched_alone_and_the_main_one_again_after_it() -> None:
    screen, stream = fed("needle\r\n" * 10)
    looking = search(screen, "needle")
    assert len(looking.hits) == 10
    stream.feed(b"\x1b[?1049h\x1b[2;3Hneedle")
    while looking.work():
        pass
    assert [hit.start for hit in looking.hits] == [Place(1, 2)]
    stream.feed(b"\x1b[?1049l")
    while looking.work():
        pass
    assert len(looking.hits) == 10


def test_clearing_history_forgets_its_hits() -> None:
    screen, stream = fed("needle\r\n" * 10)
    looking = search(screen, "needle")
    stream.feed(b"\x1b[3J")
    while looking.work():
        pass
    assert [under(screen, hit) for hit in looking.hits] == ["needle"] * 4


def test_hits_are_bounded_and_the_newest_are_kept() -> None:
    screen, stream = fed(b"eeeeeeeeeeeeeeeeeeee" * 2 * MOST, history=MOST)
    looking = search(screen, "e")
    assert looking.capped
    assert MOST <= len(looking.hits) <= MOST + 600 * 20
    assert looking.hits[-1].start.row == lines.end(screen) - 1
    stream.feed(b"\r\nlast e")
    while looking.work():
        pass
    assert under(screen, looking.hits[-1]) == "e"
    assert looking.hits[-1].start.column == 5


def test_a_slice_is_short_whatever_is_searched_for() -> None:
    """A pattern that would hold `re` for ever, over the lines that it is made for."""
    screen, _ = fed(("a" * 400 + "!\r\n") * 300, columns=100, rows=50, history=2000)
    looking = Search(screen, Pattern("(a+)+(a|aa)+$", regex=True))
    slices, worst = 0, 0.0
    more = True
    while more:
        began = time.process_time()
        more = looking.work(0.005)
        worst = max(worst, time.process_time() - began)
        slices += 1
    assert slices > 1
    assert worst < 0.1


def test_searching_leaves_history_compact() -> None:
    screen, _ = fed("".join(f"\x1b[3{i % 8}mline {i}\x1b[0m\r\n" for i in range(500)))
    while screen.history.compact():
        pass
    search(screen, "line")
    assert all(getattr(screen.history.peek(n), "_text", "") is not None for n in range(screen.history.next))


# ---- against what the text says

WORDS = ["needle", "x", "漢字", "é", "e\u0301", "👩", " ", "  ", "needl", "-" * 9, "Needle", "字"]


def output(rng: random.Random) -> str:
    """Lines of words; what programs print."""
    text = []
    for _ in range(rng.randint(1, 6)):
        text.append("".join(rng.choice(WORDS) for _ in range(rng.randint(0, 12))).rstrip())
    return "\r\n".join(text) + rng.choice(["\r\n", "", "\r\n\r\n"])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9), st.sampled_from(["needle", "漢", "字漢", "e", "x-", r"n\w+e", "-+x"]))
def test_hits_stay_right_while_output_comes_and_history_is_trimmed(seed: int, needle: str) -> None:
    """A search that watched all along has found what a fresh one finds, and every hit shows what was looked for."""
    rng = random.Random(seed)
    screen, stream = fed("", columns=rng.choice([7, 10, 20]), rows=4, history=rng.choice([6, 40]))
    pattern = Pattern(needle, regex=True)
    looking = Search(screen, pattern)
    for _ in range(12):
        stream.feed(output(rng).encode())
        if rng.random() < 0.1:
            stream.feed(rng.choice([b"\x1b[3J", b"\x1b[2J", b"\x1b[H", b"\x1b[?1049h", b"\x1b[?1049l"]))
        for _ in range(rng.randint(0, 3)):
            looking.work(0.0)
        if rng.random() < 0.5:
            while looking.work():
                pass
            for hit in looking.hits:
                assert re.search(needle, under(screen, hit), re.IGNORECASE)  # a cell may hold a mark more
    while looking.work():
        pass
    fresh = search(screen, needle, regex=True)
    oldest = lines.line_stop(
        screen, lines.first(screen)
    )  # a line cut by trimming may have had hits across the cut
    assert [h for h in looking.hits if h.start.row >= oldest] == [
        h for h in fresh.hits if h.start.row >= oldest
    ]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text("ab 漢字é", max_size=30), max_size=12), st.sampled_from(["a", "ab", "漢", "字a", "b漢"])
)
def test_a_wrapped_line_reads_as_it_was_printed(printed: list[str], needle: str) -> None:
    # A blank in the last column before a wide character is not to be told from the gap that wrapping leaves.
    printed = [re.sub(" +(?=[漢字])", "", line.strip()) for line in printed]
    screen, _ = fed("\r\n".join(printed), columns=9, rows=6)
    read = [line.text for line in lines.lines(screen, 0, lines.end(screen))]
    assert [line for line in read if line] == [line for line in printed if line]
    assert len(search(screen, needle).hits) == sum(line.count(needle) for line in printed)


@pytest.mark.parametrize("columns", [2, 3, 9])
def test_places_in_the_text_are_places_on_the_screen_and_back(columns: int) -> None:
    screen, _ = fed("a漢 e\u0301👩字b\r\nxyz", columns=columns, rows=12)
    for line in lines.lines(screen, 0, lines.end(screen)):
        cells = [line.place(i) for i in range(len(line.text))]
        assert cells == sorted(cells)
        for index, place in enumerate(cells):
            shown = lines.cells(screen, place.row)[place.column]
            assert line.text[index] in shown
            assert line.text.startswith(shown, line.index(place))
