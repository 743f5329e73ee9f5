"""Joining rows by what they say: right or not at all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from amtui.console.protocol import HistoryFrame
from amtui.console.scrollback import (
    NOT_KEPT,
    align,
    join_by_content,
    join_numbered,
    marker,
    read,
    settle,
    trimmed,
)
from amtui.emulator import Screen, Stream


def test_windows_of_one_list_are_aligned() -> None:
    rows = [f"row {n}" for n in range(40)]
    assert align(rows[:30], rows[20:]) == 20
    assert align(rows[20:], rows[:30]) == -20
    assert align(rows, rows[10:20]) == 10
    assert align(rows[10:20], rows) == -10
    assert align(rows, rows) == 0


def test_windows_that_do_not_touch_are_not_aligned() -> None:
    rows = [f"row {n}" for n in range(40)]
    assert align(rows[:20], rows[20:]) is None
    assert align(rows[:22], rows[20:]) is None  # two rows are no proof
    assert align([], rows) is None
    assert align(rows, []) is None


def test_repetitive_output_is_not_aligned() -> None:
    assert align(["y"] * 30, ["y"] * 40) is None
    assert align(["a", "b"] * 30, ["a", "b"] * 40) is None


WINDOW = st.tuples(st.integers(0, 60), st.integers(0, 60)).map(sorted)


@given(WINDOW, WINDOW)
def test_windows_of_distinct_rows_are_aligned_exactly_or_not_at_all(one: list[int], two: list[int]) -> None:
    rows = [f"row {n}" for n in range(60)]
    (a, b), (c, d) = one, two
    found = align(rows[a:b], rows[c:d])
    together = min(b, d) - max(a, c)
    assert found == (c - a if together >= 3 else None)


@given(st.lists(st.integers(0, 3), max_size=40), st.lists(st.integers(0, 3), max_size=40))
def test_all_rows_that_both_sides_cover_agree(known: list[int], other: list[int]) -> None:
    left, right = [str(n) for n in known], [str(n) for n in other]
    found = align(left, right)
    if found is not None:
        pairs = [(left[n + found], right[n]) for n in range(len(right)) if 0 <= n + found < len(left)]
        assert len(pairs) >= 3
        assert all(mine == theirs for mine, theirs in pairs)


def test_trimming_starts_a_tenth_below_the_limit() -> None:
    assert not trimmed(1799, 2000)
    assert trimmed(1800, 2000)
    assert not trimmed(0, 50000)


def screen_after(count: int, *, limit: int = 1000, start: int = 0) -> Screen:
    """A screen of 20×4 on which lines `start` … `start + count - 1` were printed."""
    screen = Screen(20, 4, limit)
    Stream(screen).feed(b"\r\n".join(b"line %d" % n for n in range(start, start + count)))
    return screen


def fetched(first: int, last: int, *, size: int, limit: int, kept_from: int = 0):  # type: ignore[no-untyped-def]
    """What tmux would answer when its history begins with line `kept_from`."""
    data = b"".join(b"line %d\n" % (kept_from + n) for n in range(first, last))
    return read(HistoryFrame(1, size, limit, 20, 4, first, data))


def texts(screen: Screen) -> list[str]:
    return [row.text.rstrip() for row in screen.history]


def lines(first: int, last: int) -> list[str]:
    return [f"line {n}" for n in range(first, last)]


def test_older_rows_are_joined_by_number() -> None:
    screen = screen_after(10, start=90)  # lines 90-95 scrolled off, 96-99 on show
    screen.history.next, screen.history.base = 96, 0
    before = screen.history.next
    assert join_numbered(screen, fetched(50, 95, size=96, limit=1000))
    assert texts(screen) == lines(50, 96)
    assert (screen.history.first, screen.history.next) == (50, before)


def test_rows_that_differ_are_not_joined_by_number() -> None:
    screen = screen_after(10, start=90)
    screen.history.next, screen.history.base = 96, 0
    assert not join_numbered(screen, fetched(50, 95, size=96, limit=1000, kept_from=3))
    assert not join_numbered(screen, fetched(50, 80, size=96, limit=1000))  # does not reach ours
    assert not join_numbered(screen, fetched(50, 95, size=96, limit=100))  # tmux may have dropped rows
    assert texts(screen) == lines(90, 96)


def test_at_the_limit_rows_are_joined_by_content_and_the_top_is_marked() -> None:
    screen = screen_after(10, start=990)
    assert join_by_content(screen, fetched(0, 104, size=100, limit=100, kept_from=896), [])
    assert texts(screen) == [NOT_KEPT, *lines(896, 996)]


def test_what_was_seen_before_a_gap_joins_or_stands_above_a_marker() -> None:
    seen = list(screen_after(54, start=850).history)  # lines 850-899
    screen = screen_after(10, start=990)
    assert join_by_content(screen, fetched(0, 104, size=100, limit=100, kept_from=896), seen)
    assert texts(screen) == lines(850, 996)
    screen = screen_after(10, start=990)
    assert join_by_content(screen, fetched(0, 104, size=100, limit=100, kept_from=896), seen[:40])
    assert texts(screen) == [*lines(850, 890), NOT_KEPT, *lines(896, 996)]


def test_rows_older_than_all_that_tmux_holds_are_kept_without_a_marker() -> None:
    screen = screen_after(304, start=696)
    assert join_by_content(screen, fetched(0, 104, size=100, limit=100, kept_from=896), [])
    assert texts(screen) == lines(696, 996)


def test_a_present_that_does_not_join_is_said_so() -> None:
    screen = screen_after(10, start=990)
    other = fetched(0, 54, size=50, limit=50, kept_from=100)
    assert not join_by_content(screen, other, [])
    settle(screen, other, [])
    assert texts(screen) == [NOT_KEPT, *lines(100, 150), NOT_KEPT]


def test_a_marker_fits_a_narrow_screen() -> None:
    assert marker(5).text == NOT_KEPT[:5]
