"""Log bytes into lines however they are cut, levels, search."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amtui.errors import UsageError
from amtui.logs import Level, LogLine, Splitter, find, level_of
from amtui.logs.lines import LONGEST
from amtui.model import Untrusted


def texts(lines: list[LogLine]) -> list[bytes]:
    return [line.text.raw() for line in lines]


@given(
    st.binary(max_size=300).filter(lambda data: b"\r" not in data), st.lists(st.integers(0, 300), max_size=8)
)
def test_lines_do_not_depend_on_how_the_bytes_were_cut(data: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    splitter = Splitter("s", "w")
    lines = [line for a, b in pairwise(edges) for line in splitter.feed(data[a:b])]
    lines += splitter.end()
    assert texts(lines) == (data.removesuffix(b"\n").split(b"\n") if data else [])
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))


def test_a_progress_bar_is_its_last_writing_and_windows_ends_go() -> None:
    assert texts(list(Splitter("s", "w").feed(b"1%\r50%\r100%\nplain\r\n"))) == [b"100%", b"plain"]


def test_a_line_without_end_is_cut_not_kept() -> None:
    splitter = Splitter("s", "w")
    lines = list(splitter.feed(b"x" * (3 * LONGEST + 5)))
    assert [len(text) for text in texts(lines)] == [LONGEST] * 3
    assert texts(list(splitter.end())) == [b"xxxxx"]


@pytest.mark.parametrize(
    ("line", "level"),
    [
        (b"npm error code E404", Level.NONE),
        (b"npm ERR! code E404", Level.ERROR),
        (b"error: no luck", Level.ERROR),
        (b"E: Unable to locate", Level.ERROR),
        (b'{"level":"error","x":1}', Level.ERROR),
        (b"2026-01-01 WARN slow", Level.WARN),
        (b"warning: deprecated", Level.WARN),
        (b"DEBUG tick", Level.DEBUG),
        (b"INFO hello", Level.INFO),
        (b"terror and information", Level.NONE),
        (b"0 errors", Level.NONE),
    ],
)
def test_level(line: bytes, level: Level) -> None:
    assert level_of(line) == level


def test_find_goes_round_both_ways() -> None:
    lines = [
        LogLine("s", n, Untrusted(text, "w"))
        for n, text in enumerate(["Alpha", "beta", "\x1b[1mALPHA\x1b[0m"], 1)
    ]
    assert find(lines, "alpha") == 0
    assert find(lines, "alpha", start=1) == 2
    assert find(lines, "alpha", start=1, backward=True) == 0
    assert find(lines, "beta", start=2) == 1
    assert find(lines, "beta", start=2, wrap=False) is None
    assert find(lines, "beta", start=0, backward=True, wrap=False) is None
    assert find(lines, "ALPHA") == 2
    assert find(lines, "^ALPHA$") == 2
    assert find(lines, "gamma") is None
    assert find([], "x") is None
    with pytest.raises(UsageError, match="regular expression"):
        find(lines, "(")
