"""Bytes of a log into lines, their levels, and searching them. No input or output here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from amtui.errors import UsageError
from amtui.model import Untrusted

LONGEST: Final = 64 << 10
"""Bytes after which a line without an end is cut."""


class Level(IntEnum):
    """How much a line matters; `NONE` where it does not say."""

    NONE = 0
    DEBUG = 10
    INFO = 20
    WARN = 30
    ERROR = 40


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line: the id of its source, its number there from 1, its text without the line's end."""

    source: str
    number: int
    text: Untrusted
    level: Level = Level.NONE


class Splitter:
    """Turns the pieces of one source into lines, however they were cut."""

    def __init__(self, source: str, origin: str) -> None:
        self._source = source
        self._origin = origin
        self._rest = b""
        self._count = 0

    def feed(self, data: bytes) -> Iterator[LogLine]:
        """The lines that `data` completes; what follows the last line's end waits for more."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        for line in whole:
            yield self._line(line)
        while len(self._rest) > LONGEST:
            cut, self._rest = self._rest[:LONGEST], self._rest[LONGEST:]
            yield self._line(cut)

    def end(self) -> Iterator[LogLine]:
        """The last line when it has no end."""
        if self._rest:
            rest, self._rest = self._rest, b""
            yield self._line(rest)

    def _line(self, data: bytes) -> LogLine:
        self._count += 1
        # A progress bar rewrites its line: what a person would see is the last writing.
        shown = data.rstrip(b"\r").rpartition(b"\r")[2]
        return LogLine(self._source, self._count, Untrusted(shown, self._origin), level_of(shown))


_LEVELS: Final = (
    (
        Level.ERROR,
        re.compile(rb'\b(?:ERROR|FATAL|CRITICAL|ERR!)|(?:^|\s)(?:error|fatal|E):\s|"level":\s*"(?:error|fatal)'),
    ),
    (Level.WARN, re.compile(rb'\b(?:WARN|WARNING)\b|(?:^|\s)(?:warning|warn|W):?\s|"level":\s*"warn')),
    (Level.DEBUG, re.compile(rb'\b(?:DEBUG|TRACE)\b|"level":\s*"(?:debug|trace)')),
    (Level.INFO, re.compile(rb'\b(?:INFO|NOTICE)\b|"level":\s*"info')),
)  # fmt: skip


def level_of(line: bytes) -> Level:
    """What the first kilobyte of a line says about itself."""
    head = line[:1024]
    return next((level for level, words in _LEVELS if words.search(head)), Level.NONE)


def find(
    lines: Sequence[LogLine], pattern: str, *, start: int = 0, backward: bool = False, wrap: bool = True
) -> int | None:
    """Index of the next line from `start` on that `pattern` matches; case matters when it has a capital.

    Raises `UsageError` for what is no regular expression.
    """
    try:
        compiled = re.compile(pattern, 0 if any(map(str.isupper, pattern)) else re.IGNORECASE)
    except re.error as error:
        raise UsageError(f"no regular expression: {error}", "escape ( [ { * + ? . \\ with \\") from None
    count = len(lines)
    step = -1 if backward else 1
    steps = range(count) if wrap else range(start + 1 if backward else count - start)
    for offset in steps:
        index = (start + step * offset) % count
        if compiled.search(lines[index].text.for_terminal()):
            return index
    return None
