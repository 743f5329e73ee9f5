"""What 5,000 coloured lines cost, beside pyte's HistoryScreen in the same run."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator

import pyte
import pytest
from figures import record, size

from amtui.emulator import Screen, Stream

COLUMNS, LINES = 120, 24
KEPT = size(700, 5_000)
BUDGET = 0.25


def coloured() -> Iterator[bytes]:
    """Lines that fill the width, with a colour every few words and hardly ever the same text."""
    for n in range(KEPT + LINES):
        words = [f"\x1b[3{(n + k) % 8}m{n * k % 9973:06d}\x1b[0m word{(n + k) % 97:02d}" for k in range(7)]
        yield (" ".join(words) + f" \x1b[1;48;5;{n % 256}m{n:20d}\x1b[0m\r\n").encode()


def bytes_of(make: Callable[[], Callable[[bytes], object]], step: int = 10) -> int:
    """Memory that a screen holds after all lines were fed, `step` at once."""
    lines = list(coloured())
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    feed = make()
    for at in range(0, len(lines), step):
        feed(b"".join(lines[at : at + step]))
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return after - before


def stock() -> Callable[[bytes], object]:
    return pyte.ByteStream(pyte.HistoryScreen(COLUMNS, LINES, history=KEPT)).feed


def ours() -> Callable[[bytes], object]:
    return Stream(Screen(COLUMNS, LINES, KEPT)).feed


@pytest.mark.prove
def test_memory_of_coloured_lines() -> None:
    theirs, own = bytes_of(stock), max(bytes_of(ours), bytes_of(ours, 300))  # as it comes, and as a flood
    record(
        f"memory of {KEPT:,} coloured lines of 120 columns", "≤ 1/4 of pyte's HistoryScreen", f"1/{theirs / own:.1f}",
        own <= theirs * BUDGET, conditions=f"tracemalloc: {own / 1e6:.1f} MB, pyte {theirs / 1e6:.1f} MB",
    )  # fmt: skip
    assert own <= theirs * BUDGET, f"{own / 1e6:.1f} MB of {theirs / 1e6:.1f} MB"


def test_all_lines_are_there() -> None:
    screen = Screen(COLUMNS, LINES, KEPT)
    stream = Stream(screen)
    for line in coloured():
        stream.feed(line)
    assert len(screen.history) == KEPT
    row = screen.history.row(screen.history.first)
    assert row is not None
    assert row.text.startswith("000000 word01 ")
    assert row.attrs[0].fg is not None
