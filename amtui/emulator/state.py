"""What a screen knows, and the moves of whole lines that everything else is made of.

The moves follow tmux 3.3a's grid.c and grid-view.c to the letter, including where lines keep old content:
the tmux on the worker is what a person attached to it sees, and the screen must not differ from it.
"""

from __future__ import annotations

from pyte.screens import Char

from amtui.emulator.cells import DEFAULT, ERASED, Attr, Colour, Row, SharedRow, erased
from amtui.emulator.history import History
from amtui.emulator.modes import Modes
from amtui.emulator.tokens import Pen, Pens
from amtui.emulator.views import attr_of, cell

_COLOURS_KEPT = 64


class Cursor:
    """Where the next character goes. `x` equals the number of columns while a wrap is pending."""

    __slots__ = ("attr", "hidden", "x", "y")

    def __init__(self, x: int = 0, y: int = 0) -> None:
        self.x = x
        self.y = y
        self.hidden = False
        self.attr: Attr = DEFAULT

    @property
    def attrs(self) -> Char:
        """The attribute of what is drawn next, as pyte shows it."""
        return cell(" ", self.attr)

    @attrs.setter
    def attrs(self, char: Char) -> None:
        self.attr = attr_of(char)


class Saved:
    """What DECSC keeps: one slot, as in tmux."""

    __slots__ = ("attr", "charsets", "origin", "shift", "x", "y")

    def __init__(self) -> None:
        self.x = self.y = self.shift = 0
        self.attr = DEFAULT
        self.origin = False
        self.charsets = [False, False]


class State:
    """Rows, cursor, margins, modes: the data of a screen, and how lines move."""

    columns: int
    lines: int
    cursor: Cursor

    def _set_up(self, columns: int, lines: int, history: History) -> None:
        self.columns = max(1, columns)
        self.lines = max(1, lines)
        self.history = history
        history.columns = self.columns
        self.modes = Modes()
        self.changed = 0
        """Counts up whenever something was fed; compare to see whether there is anything new."""
        self.title = ""
        self.icon_name = ""
        self.tabstops: set[int] = set()
        self.cursor = Cursor()
        self.pens = Pens()
        self.pen: Pen = self.pens.of(DEFAULT)
        self.saved = Saved()
        self.charsets = [False, False]
        """Whether G0 and G1 draw lines."""
        self.shift = 0
        self.drawing = False
        """The current set draws lines."""
        self.plain = True
        """Text can be stored as it is: wrapping on, nothing inserted, no line drawing."""
        self.joining = False
        """A zero width joiner came last."""
        self.top = 0
        self.bottom = self.lines - 1
        self._set_width()
        self.rows: list[Row] = self._blanks(self.lines, None)
        self.main: list[Row] | None = None
        """The main screen's rows while the alternate screen shows."""
        self.main_size = (self.columns, self.lines)
        """Columns and lines that it had then, and has until the program leaves the alternate screen."""
        self.main_cursor: tuple[int, int] | None = None
        self.main_attr: Attr = DEFAULT

    @property
    def height(self) -> int:
        """Lines in the scroll region."""
        return self.bottom - self.top + 1

    def set_attr(self, attr: Attr) -> None:
        """Draw with `attr` from now on."""
        self.pen = self.pens.of(attr)
        self.cursor.attr = self.pen.attr

    def _refresh_plain(self) -> None:
        self.drawing = self.charsets[self.shift]
        self.plain = self.modes.wrap and not self.modes.insert and not self.drawing

    def _set_width(self) -> None:
        """What depends on the number of columns alone."""
        self._blank_chars = [" "] * self.columns
        self._blank_attrs = [ERASED] * self.columns
        self._usual_tabs = set(range(8, self.columns, 8))
        self.shared_blank: Row = SharedRow(" ", ERASED, self.columns)
        self._shared_coloured: dict[Colour, SharedRow] = {}
        self._aligned: tuple[SharedRow, SharedRow] | None = None
        """The line of DECALN, and the same where it runs on into the next."""

    def _blank(self) -> Row:
        """A new row of blanks."""
        return Row(self._blank_chars[:], self._blank_attrs[:])

    def shared(self, background: Colour) -> Row:
        """The blank row of this background that stands in all lines which are cleared and not drawn to since."""
        if background is None:
            return self.shared_blank
        row = self._shared_coloured.get(background)
        if row is None:
            if len(self._shared_coloured) >= _COLOURS_KEPT:
                self._shared_coloured.clear()
            row = self._shared_coloured[background] = SharedRow(" ", erased(background), self.columns)
        return row

    def _blanks(self, count: int, background: Colour) -> list[Row]:
        return [self.shared(background)] * count

    def _own(self, y: int) -> Row:
        """The row of line `y` to change."""
        row = self.rows[y]
        if isinstance(row, SharedRow):
            row = self.rows[y] = row.own()
        return row

    # Lines

    def unwrap(self, y: int) -> None:
        """The row above `y` no longer runs on into it."""
        if y <= 0:
            self.history.unwrap_last()
        elif self.rows[y - 1].wrapped:
            self._own(y - 1).wrapped = False

    def _clear_lines(self, y: int, count: int) -> None:
        if count <= 0:
            return
        background = self.cursor.attr.bg
        self.rows[y : y + count] = self._blanks(count, background)
        self.unwrap(y)

    def _move_lines(self, to: int, start: int, count: int, background: Colour) -> None:
        """Move `count` lines; those moved from and not moved to become blank, all others stay."""
        if count <= 0 or to == start:
            return
        rows = self.rows
        self.unwrap(to)
        rows[to : to + count] = rows[start : start + count]
        end = start + count
        first, last = (start, min(to, end)) if to > start else (max(to + count, start), end)
        rows[first:last] = self._blanks(last - first, background)
        if start < to or start >= to + count:
            self.unwrap(start)

    def _scroll_up(self, count: int, background: Colour) -> None:
        """The scroll region's lines move up; on the main screen what leaves at the top is history."""
        top, bottom, rows = self.top, self.bottom, self.rows
        count = min(count, bottom - top + 1)
        if self.main is not None:
            if bottom == top:
                return
            if top:
                self.unwrap(top)
        else:
            # tmux keeps lines that leave an inner scroll region too, and history is joined by tmux's numbers.
            self.history.extend(rows[top : top + count])
        del rows[top : top + count]
        at = bottom + 1 - count
        rows[at:at] = self._blanks(count, background)
        if self.main is not None and bottom - top < 2:
            self.unwrap(top + 1)

    def _scroll_one(self, background: Colour) -> None:
        """`_scroll_up` by one line, which is what nearly all scrolling is."""
        if self.main is not None:
            self._scroll_up(1, background)
            return
        rows = self.rows
        self.history.push(rows.pop(self.top))
        rows.insert(self.bottom, self.shared_blank if background is None else self.shared(background))

    def _scroll_down(self, count: int, background: Colour) -> None:
        top, bottom, rows = self.top, self.bottom, self.rows
        if bottom == top:
            return
        count = min(count, bottom - top + 1)
        self.unwrap(top + 1)
        del rows[bottom + 1 - count : bottom + 1]
        rows[top:top] = self._blanks(count, background)
        self.unwrap(top)

    def _clear_screen(self) -> None:
        """Blank everything; on the main screen what was used becomes history first."""
        if self.main is None:
            last = self._lines_used()
            if last:
                # all are replaced, used or not: what is in the history must not be drawn to again
                self.history.extend(self.rows[:last])
                self.history.settled = self.history.next
                self.rows[:last] = self._blanks(last, self.cursor.attr.bg)
                if last == self.lines:
                    return
        self._clear_lines(0, self.lines)

    def _lines_used(self) -> int:
        """Lines down to the last one on which something was written."""
        rows, blank = self.rows, self.shared_blank
        blanks = rows.count(blank)
        last = self.lines - blanks
        if blanks and rows.index(blank) != last:  # else they are exactly the last ones
            last = self.lines
        while last and not rows[last - 1].used:
            last -= 1
        return last

    def _line_feed(self, background: Colour) -> None:
        cursor = self.cursor
        if cursor.y == self.bottom:
            self._scroll_one(background)
        elif cursor.y < self.lines - 1:
            cursor.y += 1

    def _move_to(self, x: int | None, y: int | None, origin: bool) -> None:
        """Put the cursor at a column and row, clamped; `origin`: rows count from the region's top if so set."""
        if x is not None:
            self.cursor.x = min(x, self.columns - 1)
        if y is not None:
            if origin and self.modes.origin:
                y = self.bottom if y > self.bottom - self.top else y + self.top
            self.cursor.y = min(y, self.lines - 1)
