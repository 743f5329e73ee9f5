"""Regular expressions that find what `re` finds and that no text can make slow."""

from __future__ import annotations

import itertools
import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from amtui.emulator.pattern import Pattern, PatternError


def found(pattern: str, text: str, *, regex: bool = True) -> list[tuple[int, int]]:
    return [span for span in Pattern(pattern, regex=regex).spans(text) if span is not None]


ATOMS = [
    "a",
    "b",
    "ab",
    "[ab]",
    "[^a]",
    ".",
    r"\w",
    r"\W",
    r"\d",
    "(a|ab)",
    "(b|ba|)",
    "c",
    r"[^\d]",
    "[a-c1]",
]
PLACES = ["^", "$", r"\b", r"\B"]
REPEATS = ["", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,3}?", "{2,}"]
piece = st.one_of(
    st.sampled_from(PLACES),
    st.tuples(st.sampled_from(ATOMS), st.sampled_from(REPEATS)).map(lambda p: f"(?:{p[0]}){p[1]}"),
)
patterns = st.lists(st.lists(piece, min_size=1, max_size=4).map("".join), min_size=1, max_size=2).map(
    "|".join
)


@settings(max_examples=400, deadline=None)
@given(patterns, st.text("abc1 ", max_size=14))
@example(r"(?:a|ab)(?:c|bcd)*", "abcbcd")
def test_it_finds_what_re_finds(pattern: str, text: str) -> None:
    expected = [m.span() for m in re.finditer(pattern, text, re.IGNORECASE) if m[0]]
    assert found(pattern, text) == expected


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("error", "ERROR Error error", ["ERROR", "Error", "error"]),
        ("Error", "ERROR Error error", ["Error"]),
        (r"\Wfoo", " FOO", [" FOO"]),
        (r"caf\w", "CAFÉ café", ["CAFÉ", "café"]),
        ("[^a]", "aAb", ["b"]),
        ("x*", "aaa", []),
        ('".*?"', '"a" "b"', ['"a"', '"b"']),
        (r"^\d+$", "1234", ["1234"]),
    ],
)
def test_smart_case_and_the_first_choice(pattern: str, text: str, matches: list[str]) -> None:
    assert [text[slice(*span)] for span in found(pattern, text)] == matches


@pytest.mark.parametrize(
    ("needle", "text", "spans"),
    [
        ("a.b", "a.b axb A.B", [(0, 3), (8, 11)]),
        ("straße", "STRASSE Straße", [(8, 14)]),
        ("i", "İi", [(1, 2)]),
        ("aa", "aaaaa", [(0, 2), (2, 4)]),
        ("", "abc", []),
        ("漢字", "x漢字", [(1, 3)]),
    ],
)
def test_plain_words(needle: str, text: str, spans: list[tuple[int, int]]) -> None:
    assert found(needle, text, regex=False) == spans


HOSTILE = [
    "(a+)+$",
    "a*a*a*a*a*b",
    "(a|aa)+$",
    "(.*)*x",
    "(a|a)*b",
    "((a{1,9}){1,9}){1,9}b",
    r"(\w+\s?)+:",
    "(a?){30}a{30}b",
]


@pytest.mark.parametrize("pattern", HOSTILE)
def test_no_text_makes_a_pattern_slow(pattern: str) -> None:
    """Two texts, one eight times the other: the time grows with the text, and there are breathers on the way."""

    breathers = 0

    def cost(text: str) -> tuple[float, float]:
        nonlocal breathers
        began = last = time.process_time()
        longest, breathers = 0.0, 0
        for span in Pattern(pattern, regex=True).spans(text):
            breathers += span is None
            now = time.process_time()
            longest, last = max(longest, now - last), now
        return time.process_time() - began, longest

    small, _ = min(cost("a" * 4000 + "!") for _ in range(3))
    large, longest = min(cost("a" * 32_000 + "!") for _ in range(3))
    assert large < 8 * 4 * max(small, 0.005), f"{large:.3f} s after {small:.3f} s"
    assert longest < 0.1, f"{longest:.3f} s without a breather"
    assert breathers >= 10, "one for every few thousand characters"


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        "a**",
        "[z-a]",
        r"(a)\1",
        "(?=a)",
        "(?!a)",
        "(?i)a",
        "(a{900}){900}",
        "a" * 201,
        "(?P<x>a)(?P=x)",
        "(" * 199,
    ],
)
def test_what_cannot_be_run_is_refused_with_a_reason(pattern: str) -> None:
    with pytest.raises(PatternError) as caught:
        Pattern(pattern, regex=True)
    assert str(caught.value)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=30), st.text(max_size=30))
def test_any_pattern_runs_or_is_refused(pattern: str, text: str) -> None:
    try:
        spans = found(pattern, text)
    except PatternError:
        return
    assert all(0 <= a < b <= len(text) for a, b in spans)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(spans))
