"""Two screens and their sizes: the alternate screen, what the main one is when it comes back, and resizing.

By tmux 3.3a's screen.c (screen_alternate_on, screen_alternate_off, screen_resize_cursor).
"""

from __future__ import annotations

from amtui.emulator.cells import ERASED, Row, SharedRow
from amtui.emulator.drawing import Drawing
from amtui.emulator.reflow import place, position, reflow

_REWRAPPED = 1000
"""Lines of the history that are wrapped anew with a main screen of another width; older ones stay as they are."""


class Screens(Drawing):
    """The main and the alternate screen."""

    dirty: set[int]

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        """Crop or pad. Lines are not rewrapped: the pane on the worker is resized first, then loaded anew.

        Fewer lines: blank ones below the cursor go first, then the top ones move into the history.
        """
        lines, columns = max(1, lines or self.lines), max(1, columns or self.columns)
        if (lines, columns) == (self.lines, self.columns):
            return
        cursor, old = self.cursor, self.lines
        if columns != self.columns:
            self.columns = self.history.columns = columns
            self._set_width()
            self.tabstops = self._usual_tabs
            self.rows = [self._fitted(row) for row in self.rows]
        while len(self.rows) > max(lines, cursor.y + 1) and not self.rows[-1].used:
            self.rows.pop()
        away = max(0, len(self.rows) - lines)
        if self.main is None:
            self.history.extend(self.rows[:away])
        del self.rows[:away]
        self.rows += self._blanks(lines - len(self.rows), None)
        self.lines = lines
        self.top, self.bottom = 0, lines - 1
        cursor.y = min(max(0, cursor.y - away), lines - 1)
        cursor.x = min(cursor.x, columns)
        self.dirty.update(range(max(lines, old)))
        self.changed += 1

    def _fitted(self, row: Row) -> Row:
        """A row cropped or padded to the width."""
        if isinstance(row, SharedRow):
            if row.version == 0:
                return self.shared_blank
            row = row.own()
        columns = self.columns
        del row.chars[columns:], row.attrs[columns:]
        short = columns - len(row.chars)
        row.chars += [" "] * short
        row.attrs += [ERASED] * short
        row.version += 1
        row.erasures += 1
        return row

    def _switch_alternate(self, on: bool, with_cursor: bool) -> None:
        cursor = self.cursor
        if on:
            if self.main is not None:
                return
            self.main, self.main_size = self.rows, (self.columns, self.lines)
            if with_cursor:
                self.main_cursor = (cursor.x, cursor.y)
            self.main_attr = cursor.attr
            self.rows = self._blanks(self.lines, None)
            self.history.unwrap_last()
            return
        if self.main is not None and self.main_size != (self.columns, self.lines):
            self._narrow_alternate()
        if with_cursor and self.main_cursor is not None:
            cursor.x, cursor.y = self.main_cursor
            self.set_attr(self.main_attr)
        if self.main is not None:
            if self.main_size == (self.columns, self.lines):
                self.rows, self.main = self.main, None
            else:
                self._resize_main(self.main)
        cursor.x = min(cursor.x, self.columns - 1)
        cursor.y = min(cursor.y, self.lines - 1)

    def _narrow_alternate(self) -> None:
        """What the alternate screen shows is wrapped for the main screen's old size before that one comes back,
        and what is too much for the old height is history, in tmux 3.3a (screen_alternate_off)."""
        cursor, history = self.cursor, self.history
        columns, lines = self.main_size
        away = max(0, min(len(self.rows), max(lines, cursor.y + 1)) - lines)
        shown = self.rows[away : away + lines]
        shown += self._blanks(lines - len(shown), None)
        y = max(0, cursor.y - away)
        if columns != self.columns:
            place_of = position(shown, cursor.x, y)
            size = history.next - history.base
            # lines of the history fit already; only their number counts
            every, scrolled = reflow(shown, columns, history.scrolled - size)
            cursor.x, y = place(every, *place_of)
            y -= len(every) - lines
            if len(every) < lines:  # history moves down into what is shown, and is lost with it
                y -= lines - len(every) - history.drop(lines - len(every))
            history.extend(every[:-lines])
            history.scrolled = size + scrolled
            if y < 0:
                cursor.x = y = 0
        cursor.y = y

    def _resize_main(self, main: list[Row]) -> None:
        """Back to a main screen of another size, by tmux's screen_alternate_off: lines are wrapped anew."""
        cursor, history = self.cursor, self.history
        columns, lines = self.main_size
        rows, self.main = main, None
        y = min(cursor.y, lines - 1)
        if self.lines < lines:
            del rows[max(self.lines, y + 1) :]
            away = len(rows) - self.lines
            history.extend(rows[:away])
            del rows[:away]
            y = max(0, y - away)
        elif self.lines > lines:
            back = history.pull(self.lines - lines)
            rows = [*back, *rows]
            y += len(back)
        rows += self._blanks(self.lines - len(rows), None)
        if columns != self.columns:
            kept = [*history]
            older, kept = kept[:-_REWRAPPED], kept[-_REWRAPPED:]
            place_of = position([*kept, *rows], cursor.x, len(kept) + y)
            scrolled = max(0, history.scrolled - len(older))
            every, scrolled = reflow([*kept, *rows], self.columns, scrolled)
            every += self._blanks(self.lines - len(every), None)
            away = len(every) - self.lines
            history.replace([*older, *every[:away]])
            history.scrolled = scrolled
            rows = every[away:]
            cursor.x, at = place(every, *place_of)
            cursor.x, y = (cursor.x, at - away) if at >= away else (0, 0)
        self.rows, cursor.y = rows, y
