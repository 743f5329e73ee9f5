"""Lines wrapped anew for another width, by tmux 3.3a's grid_reflow.

Only needed where no capture comes: when a program leaves the alternate screen after the pane was resized, tmux
brings the main screen, which it had kept at its old size, to the new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from amtui.emulator.cells import DEFAULT, ERASED, Attr, Row, erased, intern
from amtui.emulator.width import width


@dataclass(slots=True)
class _Line:
    """The cells of a line up to the last one that something was drawn to."""

    chars: list[str]
    attrs: list[Attr]
    wrapped: bool

    def cells(self) -> int:
        return sum(map(_cells, self.chars))


def _cells(char: str) -> int:
    return 0 if not char else 1 if char.isascii() else width(char[0])


def used(row: Row) -> int:
    """Cells of a row up to the last one that something was drawn to."""
    chars, attrs = row.chars, row.attrs
    end = len(chars)
    while end > row.reach and chars[end - 1] == " " and attrs[end - 1] is erased(attrs[end - 1].bg):
        end -= 1
    return max(end, row.reach)


def drawn(blank: Attr) -> Attr:
    """A blank of this look that was drawn, not erased."""
    return DEFAULT if blank.bg is None else intern(Attr(bg=blank.bg))


def reflow(rows: Sequence[Row], columns: int, scrolled: int = 0) -> tuple[list[Row], int]:
    """`rows` wrapped for `columns`: lines that were wrapped are joined, those that are too long are split.

    `scrolled` is how many lines of the history, which `rows` may begin with, would come back if the screen grew;
    it is returned as it is then (hscrolled in tmux, where it may fall behind what was split).
    """
    lines = []
    for row in rows:
        end = used(row)
        hidden = max(0, end - len(row))
        lines.append(
            _Line(row.chars[:end] + [" "] * hidden, row.attrs[:end] + [ERASED] * hidden, row.wrapped)
        )
    out: list[_Line] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        cells = line.cells()
        if cells > columns:
            before = len(out)
            cells = _split(out, line, columns)
            if at - 1 <= scrolled:
                scrolled += len(out) - before - 1
        else:
            out.append(line)
        if cells < columns and line.wrapped:
            taken = _join(out[-1], cells, lines, at, columns)
            at += taken
            if scrolled > len(out) - 1:
                scrolled = max(len(out) - 1, scrolled - taken)
    return [_row(line, columns) for line in out], scrolled


def _split(out: list[_Line], line: _Line, columns: int) -> int:
    """Cut a line that is too long; returns the cells of its last piece."""
    start = cells = 0
    for at, char in enumerate(line.chars):
        more = _cells(char)
        if cells + more > columns:
            out.append(_Line(line.chars[start:at], line.attrs[start:at], True))
            start, cells = at, 0
        cells += more
    out.append(_Line(line.chars[start:], line.attrs[start:], line.wrapped))
    return cells


def _join(target: _Line, cells: int, lines: list[_Line], at: int, columns: int) -> int:
    """Fill `target` from the lines that follow; returns how many of them were used up."""
    taken = 0
    wrapped = True
    left = False
    while at + taken < len(lines):
        line = lines[at + taken]
        wrapped = wrapped and line.wrapped
        if not line.chars:
            if not wrapped:
                break
            taken += 1
            continue
        count = 0
        while count < len(line.chars) and cells + _cells(line.chars[count]) <= columns:
            cells += _cells(line.chars[count])
            count += 1
        if not count:
            break
        target.chars += line.chars[:count]
        target.attrs += line.attrs[:count]
        taken += 1
        left = count < len(line.chars)
        if left:
            del line.chars[:count], line.attrs[:count]
        if not wrapped or left or cells == columns:
            break
    if left:
        taken -= 1
    elif taken and not wrapped:
        target.wrapped = False
    return taken


def _row(line: _Line, columns: int) -> Row:
    short = max(0, columns - len(line.chars))
    if line.attrs and line.attrs[-1] is erased(line.attrs[-1].bg):
        # where a line was cut, what was erased within it counts as used
        line.attrs[-1] = drawn(line.attrs[-1])
    row = Row((line.chars + [" "] * short)[:columns], (line.attrs + [ERASED] * short)[:columns])
    row.wrapped = line.wrapped
    row.wide = any(len(char) != 1 or not char.isascii() for char in line.chars)
    row.version = 1 if line.chars else 0
    return row


def position(rows: Sequence[Row], x: int, y: int) -> tuple[int | None, int]:
    """Where cell `x` of row `y` is, whatever the width: how far into which line; None when after its end."""
    ahead = line = 0
    for row in rows[:y]:
        if row.wrapped:
            ahead += used(row)
        else:
            ahead, line = 0, line + 1
    return (None if x >= used(rows[y]) else ahead + x), line


def place(rows: Sequence[Row], ahead: int | None, line: int) -> tuple[int, int]:
    """The column and row of a `position`."""
    y = 0
    while y < len(rows) - 1 and line:
        line -= not rows[y].wrapped
        y += 1
    while y < len(rows) - 1 and rows[y].wrapped and (ahead is None or ahead >= used(rows[y])):
        if ahead is not None:
            ahead -= used(rows[y])
        y += 1
    return used(rows[y]) if ahead is None else ahead, y
