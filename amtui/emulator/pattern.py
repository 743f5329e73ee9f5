"""What to look for in text: plain words, or a regular expression that no text can make slow.

Python's `re` backtracks: `(a+)+$` over one line of a hostile console would hold the event loop for hours, and nothing
can interrupt it. So a regular expression is parsed by Python and run here, as an automaton that is made while it
reads: time grows with the text, never with its powers, and the reading can pause anywhere. What it finds is what `re`
finds, the first alternative and not the longest; what an automaton cannot do (backreferences, lookaround) is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final

LONGEST: Final = 200
"""Characters in a pattern."""
_NODES: Final = 1500
"""Steps of a program; more is refused."""
_STATES: Final = 3000
"""Transitions remembered before all are forgotten."""
_BREATH: Final = 2048
"""Characters read between two breathers."""

Span = tuple[int, int]
Spans = Iterator[Span | None]
"""Where it was found, as [start, end) in the text; None is a breather, at which the reader may pause."""

_CHAR, _SPLIT, _AT, _MATCH = range(4)
Test = Callable[[str], bool]


class PatternError(ValueError):
    """The pattern is no pattern, or one that cannot be run here; the text says why, in words for a person."""


class Pattern:
    """Something to look for. Case counts only if the pattern has a capital letter (smart case)."""

    def __init__(self, text: str, *, regex: bool = False) -> None:
        """Raises PatternError."""
        if len(text) > LONGEST:
            raise PatternError(f"longer than {LONGEST} characters")
        self.text = text
        self.regex = regex
        self.ignore_case = not _has_capital(text, regex)
        self._machine = _Machine(text, self.ignore_case) if regex and text else None
        self._plain = text.lower() if self.ignore_case else text

    def spans(self, text: str) -> Spans:
        """Every place where it is, from left to right; they do not overlap and are not empty."""
        if self._machine is not None:
            return self._machine.spans(text)
        return self._find(text)

    def _find(self, text: str) -> Spans:
        needle = self._plain
        if not needle:
            return
        if self.ignore_case:
            text = _lower(text)
        at, size = text.find(needle), len(needle)
        while at >= 0:
            yield at, at + size
            at = text.find(needle, at + size)


def _has_capital(text: str, regex: bool) -> bool:
    """A capital that is looked for; the `W` of a regular expression's `\\W` is none."""
    return any(c.isupper() for c in (re.sub(r"\\.", "", text) if regex else text))


def _lower(text: str) -> str:
    """Lower case without moving a character: one that would become two stays."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(low if len(low := c.lower()) == 1 else c for c in text)


# ---- compiling


def _word(char: str) -> bool:
    return char.isalnum() or char == "_"


_CATEGORIES: Final[dict[Any, Test]] = {
    op.CATEGORY_DIGIT: str.isdecimal,
    op.CATEGORY_NOT_DIGIT: lambda c: not c.isdecimal(),
    op.CATEGORY_SPACE: str.isspace,
    op.CATEGORY_NOT_SPACE: lambda c: not c.isspace(),
    op.CATEGORY_WORD: _word,
    op.CATEGORY_NOT_WORD: lambda c: not _word(c),
}
_PLACES: Final[dict[Any, Callable[[str, str], bool]]] = {
    op.AT_BEGINNING: lambda before, after: not before,
    op.AT_BEGINNING_STRING: lambda before, after: not before,
    op.AT_END: lambda before, after: not after,
    op.AT_END_STRING: lambda before, after: not after,
    op.AT_BOUNDARY: lambda before, after: (bool(before) and _word(before)) != (bool(after) and _word(after)),
    op.AT_NON_BOUNDARY: lambda before, after: (
        (bool(before) and _word(before)) == (bool(after) and _word(after))
    ),
}
"""Assertions by the characters before and after the place; "" at the ends of the text."""


def _one(kind: Any, value: Any, ignore_case: bool) -> Test | None:
    """The test of an element that takes one character; None for any other element."""
    if kind is op.ANY:
        return lambda c: c != "\n"
    if kind in (op.LITERAL, op.NOT_LITERAL):
        items = [(op.LITERAL, value)]
        return _set(items, kind is op.LITERAL, ignore_case)
    if kind is op.IN:
        negated = value[0][0] is op.NEGATE
        return _set(value[1:] if negated else value, not negated, ignore_case)
    return None


def _set(items: list[tuple[Any, Any]], wanted: bool, ignore_case: bool) -> Test:
    tests: list[Test] = []
    for kind, value in items:
        if kind is op.RANGE:
            tests.append(lambda c, low=value[0], high=value[1]: low <= ord(c) <= high)  # type: ignore[misc]
        elif kind is op.CATEGORY:
            tests.append(_CATEGORIES[value])
        else:
            tests.append(chr(value).__eq__)
    if not ignore_case:
        return lambda c: any(test(c) for test in tests) is wanted
    return lambda c: any(test(x) for x in (c, c.lower()[:1], c.upper()[:1]) for test in tests) is wanted


class _Compiler:
    """A program of nodes (kind, argument, next, other), built from its end to its beginning."""

    def __init__(self, text: str, ignore_case: bool) -> None:
        self.nodes: list[tuple[int, Any, int, int]] = []
        self._ignore_case = ignore_case
        try:
            tree = parser.parse(text)
            if tree.state.flags & ~re.UNICODE:
                raise PatternError("flags are not supported; a capital letter makes case count")
            self.start = self._sequence(tree, self._add(_MATCH))
        except re.error as error:
            raise PatternError(str(error)) from None
        except (RecursionError, OverflowError, MemoryError):
            raise PatternError("too deeply nested") from None

    def _add(self, kind: int, argument: Any = None, after: int = -1, other: int = -1) -> int:
        if len(self.nodes) >= _NODES:
            raise PatternError("too large")
        self.nodes.append((kind, argument, after, other))
        return len(self.nodes) - 1

    def _sequence(self, items: Any, after: int) -> int:
        for kind, value in reversed(list(items)):
            after = self._element(kind, value, after)
        return after

    def _element(self, kind: Any, value: Any, after: int) -> int:
        test = _one(kind, value, self._ignore_case)
        if test is not None:
            return self._add(_CHAR, test, after)
        if kind is op.AT and value in _PLACES:
            return self._add(_AT, _PLACES[value], after)
        if kind is op.SUBPATTERN and not value[1] and not value[2]:
            return self._sequence(value[3], after)
        if kind is op.BRANCH:
            return self._branches([self._sequence(branch, after) for branch in value[1]])
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT):
            return self._repeat(*value, greedy=kind is op.MAX_REPEAT, after=after)
        raise PatternError("backreferences, lookaround and the like are not supported")

    def _branches(self, starts: list[int]) -> int:
        """The first of them is preferred."""
        at = starts[-1]
        for start in reversed(starts[:-1]):
            at = self._add(_SPLIT, None, start, at)
        return at

    def _split(self, into: int, past: int, greedy: bool) -> int:
        return self._add(_SPLIT, None, *((into, past) if greedy else (past, into)))

    def _repeat(self, low: int, high: Any, items: Any, *, greedy: bool, after: int) -> int:
        if low > _NODES:
            raise PatternError("too large")
        at = after
        if high is op.MAXREPEAT:
            at = self._split(-1, after, greedy)
            body = self._sequence(items, at)
            self.nodes[at] = (_SPLIT, None, *((body, after) if greedy else (after, body)))
        else:
            if high > _NODES:
                raise PatternError("too large")
            for _ in range(high - low):
                at = self._split(self._sequence(items, at), after, greedy)
        for _ in range(low):
            at = self._sequence(items, at)
        return at


# ---- running

Kernel = tuple[int, ...]
"""Nodes to go on from, the preferred first."""


class _State(dict[str, "tuple[_State | None, bool]"]):
    """Where reading stands; maps the next character ("" is the end) to the next state and to whether a match ends
    before that character."""

    __slots__ = ("before", "fresh", "kernel")

    def __init__(self, kernel: Kernel, before: str, fresh: bool) -> None:
        super().__init__()
        self.kernel = kernel
        self.before = before
        self.fresh = fresh
        """A match may begin here."""


class _Machine:
    """Runs a program over text."""

    def __init__(self, text: str, ignore_case: bool) -> None:
        compiled = _Compiler(text, ignore_case)
        self._nodes = compiled.nodes
        self._start = compiled.start
        self._states: dict[tuple[Kernel, str, bool, bool], _State] = {}
        self._known = 0
        self._places = any(node[0] == _AT for node in self._nodes)

    def spans(self, text: str) -> Spans:
        """See `Pattern.spans`."""
        size, at, breath = len(text), 0, _BREATH
        # One pass that looks for the end of any match tells whether there is one at all.
        for ended in self._run(text, 0, True):
            if ended is None:
                yield None
            elif ended < 0:
                return
        while at < size:
            end = -1
            for ended in self._run(text, at, False):
                if ended is None:
                    yield None
                else:
                    end = ended
            if end > at:
                yield at, end
                at = end
            else:
                at += 1
            breath -= 1
            if not breath:
                breath = _BREATH
                yield None

    def _run(self, text: str, at: int, anywhere: bool) -> Iterator[int | None]:
        """Read from `at`. Yields breathers, and at last where the match ends, or -1.

        `anywhere`: a match may begin at any place, the first end found is enough, and empty ones do not count.
        """
        state: _State | None = self._state((), text[at - 1] if at else "", True, anywhere)
        end, breath, size = -1, _BREATH, len(text)
        while state is not None:
            char = text[at] if at < size else ""
            known = state.get(char)
            if known is None:
                known = self._step(state, char, anywhere)
                breath -= 1 + len(state.kernel) // 8
            state, found = known
            if found:
                end = at
                if anywhere:
                    break
            if not char:
                break
            at += 1
            breath -= 1
            if breath <= 0:
                breath = _BREATH
                yield None
        yield end

    def _state(self, kernel: Kernel, before: str, fresh: bool, anywhere: bool) -> _State:
        if not self._places:
            before = ""
        elif before:
            before = "a" if _word(before) else " "  # all that an assertion can tell of it
        key = kernel, before, fresh, anywhere
        state = self._states.get(key)
        if state is None:
            state = self._states[key] = _State(kernel, before, fresh)
        return state

    def _step(self, state: _State, char: str, anywhere: bool) -> tuple[_State | None, bool]:
        """Read one character in a state that has not met it yet."""
        self._known += 1
        if self._known > _STATES:
            self._known = 0
            self._states.clear()
        reached, found = self._closure(state, char)
        kernel: dict[int, None] = {}
        for node in reached:
            _, test, after, _ = self._nodes[node]
            if char and test(char):
                kernel[after] = None
        goes_on = bool(kernel) or (anywhere and bool(char))
        after_it = self._state(tuple(kernel), char, anywhere, anywhere) if goes_on else None
        state[char] = after_it, found
        return after_it, found

    def _closure(self, state: _State, char: str) -> tuple[list[int], bool]:
        """Character nodes reached without reading, the preferred first, up to a match; and whether there is one."""
        reached: list[int] = []
        seen: set[int] = set()
        stack = list(reversed(state.kernel))
        empty = False
        while stack or (state.fresh and not empty):
            if not stack:
                stack, empty = [self._start], True  # from here on a match would be an empty one
            node = stack.pop()
            if node in seen:
                continue
            seen.add(node)
            kind, argument, after, other = self._nodes[node]
            if kind == _CHAR:
                reached.append(node)
            elif kind == _SPLIT:
                stack += (other, after)
            elif kind == _AT:
                if argument(state.before, char):
                    stack.append(after)
            elif not empty:
                return reached, True
        return reached, False
