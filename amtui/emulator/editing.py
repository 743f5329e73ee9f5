"""Cursor movement, erasing, inserting, scrolling: the control functions, named as pyte names them.

Parameters are as parsed: None where one was left out, -1 where one was not a number, which makes tmux skip
the function. Semantics: tmux 3.3a's screen-write.c.
"""

from __future__ import annotations

from operator import is_

from amtui.emulator.cells import DEFAULT, Attr, Row, SharedRow, erased
from amtui.emulator.state import State

Number = int | None

_NEAR = 16
"""Columns in which a tab stop is looked for one by one; farther away few are likely."""


class Editing(State):
    """The functions that move the cursor or change what is there, but for drawing text."""

    # Cursor

    def cursor_up(self, count: Number = None, *_: Number) -> None:
        """CUU: stops at the scroll region's top when at or below it."""
        count = count or 1
        if count < 0:
            return
        cursor = self.cursor
        room = cursor.y if cursor.y < self.top else cursor.y - self.top
        if cursor.x == self.columns:
            cursor.x -= 1
        cursor.y -= min(count, room)

    def cursor_down(self, count: Number = None, *_: Number) -> None:
        """CUD: stops at the scroll region's bottom when at or above it."""
        count = count or 1
        if count < 0:
            return
        cursor = self.cursor
        room = self.lines - 1 - cursor.y if cursor.y > self.bottom else self.bottom - cursor.y
        if cursor.x == self.columns:
            cursor.x -= 1
        cursor.y += min(count, room)

    def cursor_forward(self, count: Number = None, *_: Number) -> None:
        """CUF."""
        count = count or 1
        if count > 0:
            self.cursor.x = min(self.cursor.x + count, self.columns - 1)

    def cursor_back(self, count: Number = None, *_: Number) -> None:
        """CUB; counts from the pending column when a wrap is pending."""
        count = count or 1
        if count > 0:
            self.cursor.x = max(self.cursor.x - count, 0)

    def cursor_down1(self, count: Number = None, *_: Number) -> None:
        """CNL."""
        if (count or 1) > 0:
            self.cursor.x = 0
            self.cursor_down(count)

    def cursor_up1(self, count: Number = None, *_: Number) -> None:
        """CPL."""
        if (count or 1) > 0:
            self.cursor.x = 0
            self.cursor_up(count)

    def cursor_to_column(self, column: Number = None, *_: Number) -> None:
        """CHA and HPA, counted from 1."""
        column = column or 1
        if column > 0:
            self._move_to(column - 1, None, True)

    def cursor_to_line(self, line: Number = None, *_: Number) -> None:
        """VPA, counted from 1."""
        line = line or 1
        if line > 0:
            self._move_to(None, line - 1, True)

    def cursor_position(self, line: Number = None, column: Number = None, *_: Number) -> None:
        """CUP and HVP, counted from 1."""
        line, column = line or 1, column or 1
        if line < 0 or column < 0:
            return
        cursor = self.cursor
        cursor.x = (column if column < self.columns else self.columns) - 1
        if self.modes.origin:
            self._move_to(None, line - 1, True)
        else:
            cursor.y = (line if line < self.lines else self.lines) - 1

    def carriage_return(self) -> None:
        """CR."""
        self.cursor.x = 0

    def linefeed(self) -> None:
        """LF, VT, FF, IND: down, scrolling at the region's bottom. The column stays."""
        self._line_feed(self.cursor.attr.bg)

    index = linefeed

    def next_line(self) -> None:
        """NEL."""
        self.cursor.x = 0
        self._line_feed(self.cursor.attr.bg)

    def reverse_index(self) -> None:
        """RI: up, scrolling at the region's top."""
        if self.cursor.y == self.top:
            self._scroll_down(1, self.cursor.attr.bg)
        elif self.cursor.y > 0:
            self.cursor.y -= 1

    def backspace(self) -> None:
        """BS: left; from column 0 to the end of the line above when that one wrapped into this."""
        cursor = self.cursor
        if cursor.x:
            cursor.x -= 1
        elif cursor.y and self.rows[cursor.y - 1].wrapped:
            cursor.y -= 1
            cursor.x = self.columns - 1

    def tab(self) -> None:
        """HT: to the next stop or the last column; a pending wrap stays pending."""
        x, last = self.cursor.x, self.columns - 1
        if x >= last:
            return
        stops = self.tabstops
        near = min(x + _NEAR, last)
        x += 1
        while x < near and x not in stops:
            x += 1
        if x == near and x not in stops:
            x = min([stop for stop in stops if near < stop < last], default=last)
        self.cursor.x = x

    def cursor_back_tab(self, count: Number = None, *_: Number) -> None:
        """CBT."""
        count = count or 1
        if count < 0:
            return
        x = min(self.cursor.x, self.columns - 1)
        while x > 0 and count > 0:
            count -= 1
            x -= 1
            while x > 0 and x not in self.tabstops:
                x -= 1
        self.cursor.x = x

    def set_tab_stop(self) -> None:
        """HTS."""
        if self.cursor.x < self.columns:
            self._own_tabs().add(self.cursor.x)

    def clear_tab_stop(self, how: Number = 0, *_: Number) -> None:
        """TBC: 0 here, 3 all."""
        if not how:
            self._own_tabs().discard(self.cursor.x)
        elif how == 3:
            self.tabstops = set()

    def _own_tabs(self) -> set[int]:
        """The stops to change; the usual ones stay as they are for the next reset."""
        if self.tabstops is self._usual_tabs:
            self.tabstops = set(self._usual_tabs)
        return self.tabstops

    def save_cursor(self, *_: Number) -> None:
        """DECSC: position, attributes, character sets and origin mode into the one slot."""
        saved, cursor = self.saved, self.cursor
        saved.x, saved.y, saved.attr = cursor.x, cursor.y, cursor.attr
        saved.origin, saved.shift, saved.charsets = self.modes.origin, self.shift, self.charsets[:]

    def restore_cursor(self, *_: Number) -> None:
        """DECRC; without a DECSC before it, home with default attributes."""
        saved = self.saved
        self.set_attr(saved.attr)
        self.modes.origin, self.shift, self.charsets = saved.origin, saved.shift, saved.charsets[:]
        self._refresh_plain()
        self._move_to(saved.x, saved.y, False)

    # Erasing

    def _clear(self, y: int, start: int, end: int) -> None:
        """Blank the columns from `start` up to `end` of a row, with the current background."""
        if end <= start:
            return
        if start == 0 and end == self.columns:
            self._clear_lines(y, 1)
            return
        row = self._own(y)
        if row.version and end > row.reach:
            self._note_reach(row, start, end)
        row.chars[start:end] = self._blank_chars[start:end]
        row.attrs[start:end] = [erased(self.cursor.attr.bg)] * (end - start)
        row.version += 1
        row.erasures += 1

    def _note_reach(self, row: Row, start: int, end: int) -> None:
        """What is erased from `start` up to `end` may have been the last that was drawn to."""
        attrs, blank = row.attrs, self._blank_attrs
        if attrs[start:end] == blank[start:end]:  # nothing was drawn, or blanks
            left = attrs[start:end]
            if row.chars[start:end] == self._blank_chars[start:end] and all(map(is_, left, blank)):
                return
        while end > start and attrs[end - 1] is erased(attrs[end - 1].bg):
            end -= 1
        row.reach = max(row.reach, end)

    def erase_in_line(self, how: Number = 0, private: bool | Number = False, *_: Number) -> None:
        """EL: 0 to the end, 1 from the start, 2 all. `private` is pyte's and makes no difference."""
        x, y = self.cursor.x, self.cursor.y
        if not how:
            if x < self.columns and (self.rows[y].version or self.cursor.attr.bg is not None):
                self._clear(y, x, self.columns)
        elif how == 1:
            self._clear(y, 0, min(x + 1, self.columns))
        elif how == 2:
            self._clear(y, 0, self.columns)

    def erase_in_display(self, how: Number = 0, second: Number = 0, *_: Number, **__: object) -> None:
        """ED: 0 to the end, 1 from the start, 2 all, 3 the history."""
        x, y = self.cursor.x, self.cursor.y
        if not how:
            if x == 0 and y == 0 and self.main is None:
                self._clear_screen()
                return
            self._clear(y, x, self.columns)
            self._clear_lines(y + 1, self.lines - y - 1)
        elif how == 1:
            self._clear_lines(0, y)
            self._clear(y, 0, min(x + 1, self.columns))
        elif how == 2:
            self._clear_screen()
        elif how == 3 and not second:
            self.history.clear()

    def erase_characters(self, count: Number = None, *_: Number) -> None:
        """ECH."""
        count = count or 1
        x = self.cursor.x
        if count > 0 and x < self.columns:
            self._clear(self.cursor.y, x, min(x + count, self.columns))

    # Inserting and deleting

    def _insert_cells(self, row: Row, x: int, count: int, attr: Attr) -> None:
        """Push cells right to make room; where too little is left to push, old cells stay, as in tmux."""
        columns = self.columns
        if x >= columns:
            return
        row.version += 1
        if x == columns - 1:
            row.chars[x], row.attrs[x] = " ", attr
            row.erasures += 1
            return
        kept = columns - x - count
        if kept <= 0:
            row.erasures += 1
            return
        row.reach = columns
        row.chars[x + count : columns] = row.chars[x : x + kept]
        row.attrs[x + count : columns] = row.attrs[x : x + kept]
        freed = min(kept, count)
        row.chars[x : x + freed] = [" "] * freed
        row.attrs[x : x + freed] = [attr] * freed

    def insert_characters(self, count: Number = None, *_: Number) -> None:
        """ICH."""
        count = count or 1
        x = self.cursor.x
        if count > 0 and x < self.columns:
            count = min(count, self.columns - x)
            self._insert_cells(self._own(self.cursor.y), x, count, erased(self.cursor.attr.bg))

    def delete_characters(self, count: Number = None, *_: Number) -> None:
        """DCH."""
        count = count or 1
        x, y = self.cursor.x, self.cursor.y
        if count < 0 or x >= self.columns:
            return
        count = min(count, self.columns - x)
        if count == self.columns:
            self._clear_lines(y, 1)
            return
        row = self._own(y)
        if row.version:
            self._note_reach(row, x, self.columns)
        if x + count < self.columns:
            row.reach = max(row.reach, self.columns - count)
        del row.chars[x : x + count], row.attrs[x : x + count]
        row.chars += [" "] * count
        row.attrs += [erased(self.cursor.attr.bg)] * count
        row.version += 1
        if x + count == self.columns:
            row.erasures += 1

    def insert_lines(self, count: Number = None, *_: Number) -> None:
        """IL: within the region, or down to the last line when outside it. The column stays."""
        count = count or 1
        if count < 0:
            return
        y, background = self.cursor.y, self.cursor.attr.bg
        if not self.top <= y <= self.bottom:
            count = min(count, self.lines - y)
            self._move_lines(y + count, y, self.lines - y - count, background)
            return
        count = min(count, self.bottom + 1 - y)
        kept = self.bottom + 1 - y - count
        self._move_lines(y + count, y, kept, background)
        self._finish_lines(y + kept, count - kept)

    def delete_lines(self, count: Number = None, *_: Number) -> None:
        """DL: within the region, or down to the last line when outside it. The column stays."""
        count = count or 1
        if count < 0:
            return
        y, background = self.cursor.y, self.cursor.attr.bg
        if not self.top <= y <= self.bottom:
            count = min(count, self.lines - y)
            self._move_lines(y, y + count, self.lines - y - count, background)
            self._finish_lines(self.lines - count, y + 2 * count - self.lines)
            return
        count = min(count, self.bottom + 1 - y)
        kept = self.bottom + 1 - y - count
        self._move_lines(y, y + count, kept, background)
        self._finish_lines(y + kept, count - kept)

    def _finish_lines(self, y: int, count: int) -> None:
        """Blank what a move of lines left; tmux cuts the wrap above even where there is nothing to blank."""
        if count > 0:
            self._clear_lines(y, count)
        elif count < 0:
            self.unwrap(y)

    def scroll_up(self, count: Number = None, *_: Number) -> None:
        """SU."""
        count = count or 1
        if count > 0:
            self._scroll_up(count, self.cursor.attr.bg)

    def scroll_down(self, count: Number = None, *_: Number) -> None:
        """SD."""
        count = count or 1
        if count > 0:
            self._scroll_down(count, self.cursor.attr.bg)

    def alignment_display(self) -> None:
        """DECALN: a screen of E, margins reset, cursor home."""
        if self._aligned is None:
            self._aligned = SharedRow("E", DEFAULT, self.columns), SharedRow("E", DEFAULT, self.columns)
            self._aligned[1].wrapped = True
        last, wrapped = self._aligned
        self.rows = [wrapped if row.wrapped else last for row in self.rows]
        self.cursor.x = self.cursor.y = 0
        self.top, self.bottom = 0, self.lines - 1
