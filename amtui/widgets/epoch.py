"""The line of text that a person is typing, as it will be when the worker has answered.

Pure text: keys in, cells out. When it may be believed, and whether it came true, is `predict`'s to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from amtui.emulator import Screen
from amtui.emulator.cells import REVERSE, Attr, Row, SharedRow
from amtui.emulator.width import width

EDGE: Final = 4
"""Columns before an edge where programs begin to wrap words: nothing is foreseen there."""


@dataclass(slots=True)
class Key:
    """One key on its way. Times in seconds."""

    what: str
    """A character of one cell, `left`, `right`, `rubout`; empty: who knows."""
    end: int
    """Position in the input behind it."""
    typed: float
    acked: float | None = None
    """When it was seen that it had been accepted."""


def meaning(data: bytes) -> str:
    """What a key does to a line of text, as `Key.what` has it."""
    named: Mapping[bytes, str] = {
        b"\x7f": "rubout", b"\x1b[D": "left", b"\x1bOD": "left", b"\x1b[C": "right", b"\x1bOC": "right",
    }  # fmt: skip
    if data in named:
        return named[data]
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return ""
    return text if len(text) == 1 and text.isprintable() and _single(text) else ""


@dataclass(slots=True)
class Cell:
    """One cell foreseen."""

    x: int
    char: str
    attr: Attr
    end: int
    """Position in the input behind the last key that had a part in it."""
    typed: float
    before: str
    """What the grid held."""
    credit: bool
    """Neither the grid nor another prediction held this character: if it comes, it is the answer."""
    acked: float | None = None
    shown: float | None = None


class Place(NamedTuple):
    """Where the worker's cursor stands, and what its row holds."""

    row: Row
    x: int
    y: int
    chars: list[str]

    @classmethod
    def of(cls, screen: Screen) -> Place:
        row = screen.row(screen.cursor.y)
        return cls(row, screen.cursor.x, screen.cursor.y, list(row.chars))

    def follows(self, other: Place) -> bool:
        """Whether this is the same row; one that was cleared gets a body of its own when it is written to."""
        return self.row is other.row or (isinstance(other.row, SharedRow) and self.y == other.y)


@dataclass(slots=True)
class Line:
    """The row that is typed into: the stretch of it known to be typed, and where the caret will be."""

    row: Row
    start: int
    end: int
    caret: int
    attr: Attr
    inserts: bool | None
    """Whether text right of the caret moves over for what is typed; None: not seen yet."""
    cells: dict[int, Cell] = field(default_factory=dict)
    """By column."""
    moved: Key | None = None
    """The key that last moved the caret, until the worker's cursor is there."""
    until: Key | None = None
    """The key that ended the epoch."""

    @classmethod
    def between(cls, before: Place, after: Place) -> Line:
        """The line of a cursor that went from one place to another over what was typed."""
        x, at, row = before.x, after.x, after.row
        return cls(row, x, at, at, row.attrs[at - 1], _inserts(before.chars[x:], after.chars[at:], at - x))

    @property
    def pending(self) -> bool:
        """Something of it is not answered."""
        return bool(self.cells) or self.moved is not None

    def where(self, screen: Screen) -> int | None:
        """Line of the grid that shows it now."""
        return next((y for y, one in enumerate(screen.rows) if one is self.row), None)

    def text(self, x: int) -> str:
        """The character at `x` as foreseen."""
        cell = self.cells.get(x)
        return self.row.chars[x] if cell is None else cell.char

    def look(self, x: int) -> Attr:
        """How the cell at `x` looks, without what may be a caret the program drew."""
        cell = self.cells.get(x)
        attr = self.row.attrs[x] if cell is None else cell.attr
        return attr._replace(flags=attr.flags & ~REVERSE) if attr.flags & REVERSE else attr

    def take(self, key: Key) -> bool:
        """Foresee what a key does; False, and nothing done, when that cannot be known."""
        if key.what == "left":
            if self.caret <= self.start:
                return False
            self.caret -= 1
        elif key.what == "right":
            if self.caret >= self.end:
                return False
            self.caret += 1
        else:
            right = self._right()
            if right is None or (
                right and not self.inserts and (self.inserts is None or key.what == "rubout")
            ):
                return False
            if key.what == "rubout":
                if self.caret - 1 <= self.start:
                    return False  # an empty field may show something else
                self._rub(key, right)
            else:
                self._put(key, right)
        self.moved = key
        return True

    def _put(self, key: Key, right: int) -> None:
        at = self.caret
        if self.inserts:
            for x in range(at + right, at, -1):
                self._foresee(x, self.text(x - 1), self.look(x - 1), key)
        self._foresee(at, key.what, self.attr, key)
        self.end = max(self.end + (1 if self.inserts and right else 0), at + 1)
        self.caret += 1

    def _rub(self, key: Key, right: int) -> None:
        self.caret -= 1
        for x in range(self.caret, self.caret + right):
            self._foresee(x, self.text(x + 1), self.look(x + 1), key)
        self._foresee(self.caret + right, " ", self.look(self.caret + right), key)
        self.end -= 1

    def _foresee(self, x: int, char: str, attr: Attr, key: Key) -> None:
        before, old = self.row.chars[x], self.cells.get(x)
        credit = old is None and char != before
        shown = None if old is None else old.shown
        self.cells[x] = Cell(x, char, attr, key.end, key.typed, before, credit, shown=shown)

    def _right(self) -> int | None:
        """How many cells of text touch the caret on its right; None where something is too near, or too wide.

        Text ends at two blanks: what comes behind them stands for itself, as a border or a hint does.
        """
        columns = len(self.row)
        end = self.caret
        while end + 1 < columns and (self.text(end) != " " or self.text(end + 1) != " "):
            if not _single(self.text(end)):
                return None
            end += 1
        wall = end
        while wall < columns and self.text(wall) == " ":
            wall += 1
        return end - self.caret if wall - end >= EDGE else None


def _single(char: str) -> bool:
    return len(char) == 1 and (char.isascii() or width(char) == 1)


def _inserts(before: Sequence[str], after: Sequence[str], count: int) -> bool | None:
    """Whether `count` typed cells moved the text right of them over, or replaced it."""
    end = next((i for i in range(len(before)) if list(before[i : i + 2]) == [" ", " "]), None)
    if not end:
        return None
    if list(after[:end]) == list(before[:end]):
        return True
    if end > count and list(after[: end - count]) == list(before[count:end]):
        return False
    return None
