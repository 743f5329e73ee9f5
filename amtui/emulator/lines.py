"""The rows of a screen and its history under one count, and the lines a person reads: wrapped rows joined.

Rows are named by absolute number, counted from the first row the screen ever pushed into history; the grid follows.
On the alternate screen, which has no history, the grid's rows are 0 and up.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from amtui.emulator.cells import Row
from amtui.emulator.screen import Screen
from amtui.emulator.width import width

LONGEST: Final = 512
"""Rows in one joined line; a line without an end is cut."""


class Place(NamedTuple):
    """A cell: absolute row number and column."""

    row: int
    column: int


class Stretch(NamedTuple):
    """Cells of one row, `start` up to and without `end`."""

    row: int
    start: int
    end: int


def base(screen: Screen) -> int:
    """Number of the grid's first row: how many rows history has ever taken."""
    return 0 if screen.alternate else screen.history.next


def first(screen: Screen) -> int:
    """Number of the oldest row held."""
    return 0 if screen.alternate else screen.history.first


def end(screen: Screen) -> int:
    """Number after the last row of the grid."""
    return base(screen) + screen.lines


def row(screen: Screen, number: int) -> Row | None:
    """The row of this number, if it is held."""
    grid = number - base(screen)
    if grid >= 0:
        return screen.row(grid) if grid < screen.lines else None
    return None if screen.alternate else screen.history.row(number)


def wrapped(screen: Screen, number: int) -> bool:
    """The row is held and its text goes on in the next."""
    found = _peek(screen, number)
    return isinstance(found, Row) and found.wrapped


def _peek(screen: Screen, number: int) -> Row | str | None:
    grid = number - base(screen)
    if grid >= 0:
        return screen.row(grid) if grid < screen.lines else None
    return None if screen.alternate else screen.history.peek(number)


def cells(screen: Screen, number: int) -> Sequence[str]:
    """What each column of a row shows, "" for second halves; blanks at the end may be missing."""
    found = _peek(screen, number)
    if found is None:
        return ""
    return found.shown if isinstance(found, Row) else found


def used_columns(screen: Screen, number: int) -> int:
    """How many columns of a row that wraps belong to its text.

    A wide character that finds one column left goes to the next row; the blank it leaves is nobody's.
    """
    found = _peek(screen, number)
    columns = screen.columns if found is None else len(found)
    shown, after = cells(screen, number), cells(screen, number + 1)
    blank = len(shown) < columns or shown[columns - 1] == " "
    return columns - 1 if blank and after and after[0] and width(after[0][0]) == 2 else columns


def whole(screen: Screen, place: Place) -> Place:
    """The cell itself, or, on the second half of a wide character, its first."""
    shown, column = cells(screen, place.row), max(0, place.column)
    while 0 < column < len(shown) and shown[column] == "":
        column -= 1
    return Place(place.row, column)


def after(screen: Screen, place: Place) -> int:
    """The column after a cell, past the second half of a wide character."""
    shown, column = cells(screen, place.row), place.column + 1
    while column < len(shown) and shown[column] == "":
        column += 1
    return column


class Line:
    """Rows that are one line, as text; places in the text are places on the screen and back."""

    __slots__ = ("_parts", "_starts", "number", "text")

    def __init__(self, number: int, parts: list[Sequence[str]]) -> None:
        self.number = number
        """Of its first row."""
        self._parts = parts
        texts = ["".join(part) for part in parts]
        self._starts: list[int] = []
        at = 0
        for text in texts:
            self._starts.append(at)
            at += len(text)
        self.text = "".join(texts).rstrip(" ")

    def __len__(self) -> int:
        """How many rows it has."""
        return len(self._parts)

    def place(self, index: int) -> Place:
        """The cell that holds the character at `index` of the text; past the end, the cell after the last."""
        at = max(0, bisect_right(self._starts, index) - 1)
        part, rest = self._parts[at], index - self._starts[at]
        if isinstance(part, str):
            return Place(self.number + at, rest)
        column = -1
        for column, char in enumerate(part):
            rest -= len(char)
            if rest < 0:
                return Place(self.number + at, column)
        return Place(self.number + at, column + 1 + rest)

    def index(self, place: Place) -> int:
        """The place in the text of the character in a cell; of a blank after the end, the text's length."""
        at = place.row - self.number
        if at < 0:
            return 0
        if at >= len(self._parts):
            return len(self.text)
        part, column = self._parts[at], place.column
        while 0 < column < len(part) and part[column] == "":
            column -= 1  # the second half of a wide character
        inside = column if isinstance(part, str) else len("".join(part[:column]))
        return min(self._starts[at] + inside, len(self.text))

    def stretches(self, start: int, stop: int) -> tuple[Stretch, ...]:
        """The cells that show the text from `start` up to `stop`, whole ones, row by row."""
        if stop <= start:
            return ()
        one, last = self.place(start), self.place(stop - 1)
        out = []
        for number in range(one.row, last.row + 1):
            part = self._parts[number - self.number]
            left = one.column if number == one.row else 0
            right = len(part)
            if number == last.row:
                right = last.column + 1
                while right < len(part) and part[right] == "":
                    right += 1
            if right > left:
                out.append(Stretch(number, left, right))
        return tuple(out)


def line_of(screen: Screen, start: int, stop: int) -> Line:
    """The line made of the rows from `start` up to `stop`."""
    parts: list[Sequence[str]] = []
    for number in range(start, stop):
        part = cells(screen, number)
        if number < stop - 1:
            columns = used_columns(screen, number)
            if len(part) < columns:
                part = [*part, *[" "] * (columns - len(part))]
            part = part[:columns]
        parts.append(part[:])
    return Line(start, parts)


def line_start(screen: Screen, number: int) -> int:
    """Number of the first row of the line that a row belongs to."""
    limit = max(first(screen), number - LONGEST + 1)
    while number > limit and wrapped(screen, number - 1):
        number -= 1
    return number


def line_stop(screen: Screen, number: int) -> int:
    """Number after the last row of the line that goes on in this row."""
    limit = min(end(screen), number + LONGEST)
    while number < limit - 1 and wrapped(screen, number):
        number += 1
    return number + 1


def line_at(screen: Screen, number: int) -> Line:
    """The line that a row belongs to."""
    start = line_start(screen, number)
    return line_of(screen, start, max(number + 1, line_stop(screen, start)))


def lines(screen: Screen, start: int, stop: int) -> Iterator[Line]:
    """The lines that rows from `start` up to `stop` belong to, from the top."""
    number = line_start(screen, max(start, first(screen)))
    while number < min(stop, end(screen)):
        found = line_of(screen, number, line_stop(screen, number))
        yield found
        number += len(found)
