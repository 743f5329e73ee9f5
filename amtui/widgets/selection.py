"""A linear selection in a console, in absolute rows and remote columns, copied as text."""

from __future__ import annotations

from collections.abc import Iterable

from amtui.emulator.cells import Row
from amtui.model import plain

_FULL = 10**6


class Selection:
    """Where a drag began and where it is now."""

    def __init__(self) -> None:
        self._anchor: tuple[int, int] | None = None
        self._head: tuple[int, int] | None = None
        self.dragging = False

    def clear(self) -> None:
        """Nothing is selected."""
        self._anchor = self._head = None
        self.dragging = False

    def start(self, row: int, column: int) -> None:
        """The button went down here."""
        self._anchor, self._head, self.dragging = (row, column), None, True

    def drag(self, row: int, column: int) -> None:
        """The mouse is here now."""
        self._head = (row, max(0, column))

    def stop(self) -> None:
        """The button went up; a press without a drag selects nothing."""
        self.dragging = False
        if self._head is None:
            self._anchor = None

    def _span(self) -> tuple[tuple[int, int], tuple[int, int]] | None:
        if self._anchor is None or self._head is None:
            return None
        first, last = sorted((self._anchor, self._head))
        return first, last

    def on_row(self, number: int) -> tuple[int, int] | None:
        """Selected columns [start, end) of a row, or None."""
        span = self._span()
        if span is None or not span[0][0] <= number <= span[1][0]:
            return None
        start = span[0][1] if number == span[0][0] else 0
        end = span[1][1] + 1 if number == span[1][0] else _FULL
        return start, end

    def text(self, rows: Iterable[tuple[int, Row]]) -> str:
        """The selected text: trailing blanks dropped, soft-wrapped rows joined."""
        out: list[str] = []
        joined = True
        for number, row in rows:
            span = self.on_row(number)
            if span is None:
                continue
            line = "".join(row.chars[span[0] : span[1]])
            wrapped = row.wrapped and span[1] == _FULL
            line = line if wrapped else line.rstrip()
            out.append(line if joined else "\n" + line)
            joined = wrapped
        return plain("".join(out))
