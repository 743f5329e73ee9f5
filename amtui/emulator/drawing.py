"""Putting text into cells: wrapping, wide and combining characters, insertion.

tmux draws plain ASCII in runs and everything else cell by cell, with slightly different rules for the halves
of wide characters that get overwritten; both are kept (screen_write_collect_end, screen_write_cell).
"""

from __future__ import annotations

from typing import Final

from amtui.emulator.cells import DEFAULT, ERASED, OVERLINE, Attr, Row, erased
from amtui.emulator.editing import Editing
from amtui.emulator.tokens import LINE_DRAWING
from amtui.emulator.width import NARROW, ZWJ, columns, width, widths

_CELL_BYTES: Final = 21
"""UTF-8 bytes in one cell, tmux's UTF8_SIZE: combining characters beyond it are dropped."""


_PLAIN: Final = DEFAULT[:4]
_LINES_DRAWN: Final = frozenset(LINE_DRAWING.values())


class Drawing(Editing):
    """Text onto the screen."""

    def draw(self, data: str) -> None:
        """Print `data` at the cursor. Control characters in it are dropped."""
        if data.isascii():
            if not data.isprintable():
                data = "".join(char for char in data if char.isprintable())
            if self.plain:
                self._draw_ascii(data)
                return
            if self.joining and data:  # joins as it is, even one that would draw a line
                self._draw_cell(data[0], 1)
                data = data[1:]
            self._draw_narrow(data.translate(LINE_DRAWING) if self.drawing else data)
            return
        if self.plain and not self.joining and self.columns > 1 and ZWJ not in data:
            self._draw_whole(data)
            return
        at, size = 0, len(data)
        while at < size:
            run = NARROW.match(data, at)
            if run:
                text = run.group()
                if self.plain and text.isascii():
                    self._draw_ascii(text)
                else:
                    self._draw_mixed(text)
                at = run.end()
                continue
            cells = width(data[at])
            if cells >= 0:
                self._draw_cell(data[at], cells)
            at += 1

    def _draw_whole(self, text: str) -> None:
        """Characters of all widths, as many at once as fit into a line, while `self.plain` and nothing joins."""
        taken = widths(text)
        if -1 in taken:
            text = "".join([char for char, cells in zip(text, taken, strict=True) if cells >= 0])
            taken = [cells for cells in taken if cells >= 0]
        cursor = self.cursor
        at, size = 0, len(text)
        while at < size:
            if not taken[at]:
                self._combine(text[at])
                at += 1
                continue
            count, cells = _fitting(taken, at, self.columns - cursor.x)
            if count == 0:
                self._wrap()
                continue
            part = text if count == size else text[at : at + count]
            row, x = self._own(cursor.y), cursor.x
            end = x + cells
            if row.wide and "" in row.chars[x : end + 1]:
                self._draw_onto_wide(part, taken[at : at + count])
            else:
                narrow = cells == count and 0 not in taken[at : at + count]
                row.chars[x:end] = part if narrow else _columns_of(part, taken[at : at + count])
                row.attrs[x:end] = [cursor.attr] * cells
                row.wide = row.wide or not narrow
                row.version += 1
                cursor.x = end
            at += count

    def _draw_onto_wide(self, text: str, taken: list[int]) -> None:
        """Where parts of wide characters are: stretches of ASCII by tmux's run rules, others by its cell rules."""
        start = 0
        for at, char in enumerate(text):
            if char.isascii():
                continue
            if start < at:
                self._draw_ascii(text[start:at])
            self._draw_cell(char, taken[at])
            start = at + 1
        if start < len(text):
            self._draw_ascii(text[start:])

    def _draw_mixed(self, text: str) -> None:
        """Characters of one cell each: stretches of ASCII by tmux's run rules, the others by its cell rules."""
        if self.joining and not self.plain:
            self._draw_cell(text[0], 1)
            text = text[1:]
        if text.isascii() or not (self.joining or self._crowded(len(text))):
            if text.isascii() and self.plain:
                self._draw_ascii(text)
            else:
                self._draw_narrow(text.translate(LINE_DRAWING) if self.drawing else text)
            return
        start = 0
        for at, char in enumerate(text):
            if char.isascii():
                continue
            if start < at:
                self.draw(text[start:at])
            self._draw_cell(char, 1)
            start = at + 1
        if start < len(text):
            self.draw(text[start:])

    @property
    def _marks(self) -> bool:
        """A blank drawn onto a line on which nothing was drawn is seen. tmux takes others to be there already, and
        forgets the colour of underlines (grid_cells_look_equal)."""
        return self.drawing or self.cursor.attr[:4] != _PLAIN

    def _crowded(self, count: int) -> bool:
        """Whether the next `count` cells reach the edge or part of a wide character."""
        x, row = self.cursor.x, self.rows[self.cursor.y]
        return row.wide and (x + count > self.columns or "" in row.chars[x : x + count + 1])

    def _wrap(self) -> None:
        self._own(self.cursor.y).wrapped = True
        self._line_feed(None)
        self.cursor.x = 0

    def _draw_ascii(self, text: str) -> None:
        """Plain text while `self.plain`."""
        cursor, columns, attr = self.cursor, self.columns, self.cursor.attr
        at, size = 0, len(text)
        while at < size:
            if cursor.x >= columns:
                self._wrap()
            row, x = self.rows[cursor.y], cursor.x
            if row.shared:
                row = self._own(cursor.y)
            count = min(columns - x, size - at)
            end = x + count
            chars = row.chars
            if chars[x] == "":
                _free_left(row, x)
            chars[x:end] = text[at : at + count] if at or count < size else text
            row.attrs[x:end] = [attr] * count
            if end < columns and chars[end] == "":
                _free_right(row, end)
            row.version += 1
            cursor.x = end
            at += count

    def _draw_narrow(self, text: str) -> None:
        """Characters of one cell each, whatever the modes."""
        modes, cursor, columns, attr = self.modes, self.cursor, self.columns, self.cursor.attr
        if modes.insert or self.joining or (attr.underline_colour is not None and not modes.wrap):
            for char in text:
                self._draw_cell(char, 1)
            return
        at, size = 0, len(text)
        while at < size:
            if cursor.x >= columns:
                if not modes.wrap:
                    return
                self._wrap()
            row, x = self._own(cursor.y), cursor.x
            count = min(columns - x, size - at)
            if row.wide and "" in row.chars[x : x + count + 1]:
                self._draw_cell(text[at], 1)
                at += 1
                continue
            part = text[at : at + count]
            at += count
            if not modes.wrap and x + count == columns > 1:
                part, at = part[:-1] + text[-1], size  # the last column is written again and again
                cursor.x = columns - 1
            else:
                cursor.x = x + count
            if row.version or self._marks or part.strip(" "):
                row.chars[x : x + count] = part
                row.attrs[x : x + count] = [attr] * count
                row.version += 1

    def _draw_cell(self, char: str, cells: int) -> None:
        """One character, by tmux's screen_write_cell."""
        modes, cursor, columns = self.modes, self.cursor, self.columns
        if char == ZWJ:
            self.joining = True
            return
        if self.joining:
            self._combine(ZWJ)
        if cells == 0 or self.joining:
            self.joining = False
            self._combine(char)
            return
        if cells > columns:
            self._draw_too_wide(char)
            return
        if not modes.wrap and cells > 1 and cursor.x != columns and cursor.x > columns - cells:
            return
        if modes.insert:
            self._insert_cells(self._own(cursor.y), cursor.x, cells, ERASED)
        if modes.wrap and cursor.x > columns - cells:
            self._wrap()
        if cursor.x > columns - cells:
            return
        row, x = self._own(cursor.y), cursor.x
        if row.wide:
            _overwrite(row, x, cells)
        if not modes.insert and not self.drawing and _looks_written(row, x, char, cursor.attr):
            pass
        elif char != " " or row.version or modes.insert or self._marks:
            row.chars[x] = char
            row.attrs[x] = cursor.attr
            row.version += 1
        if cells == 2:
            row.chars[x + 1] = ""
            row.attrs[x + 1] = cursor.attr
            row.wide = True
        last = columns if modes.wrap or cells == columns else columns - 1
        cursor.x = min(x + cells, last)

    def _draw_too_wide(self, char: str) -> None:
        """A wide character on a screen of one column: tmux reckons without signs, draws it and goes back."""
        cursor = self.cursor
        if not self.modes.wrap:
            return
        if cursor.x == 0:
            row = self._own(cursor.y)
            row.chars[0], row.attrs[0] = char, cursor.attr
            row.wide = True
            row.version += 1
        cursor.x = 0

    def _combine(self, char: str) -> None:
        """Join `char` to the cell left of the cursor, if that has room."""
        row, x = self._own(self.cursor.y), self.cursor.x - 1
        while x >= 0 and row.chars[x] == "":
            x -= 1
        if x < 0:
            return
        joined = row.chars[x] + char
        if not _fits(joined):
            return
        if joined[0] in _LINES_DRAWN:
            joined = joined[:-1] + char.translate(LINE_DRAWING)  # the whole cell draws lines
        row.chars[x] = joined
        row.wide = True
        row.version += 1


def _fitting(taken: list[int], start: int, room: int) -> tuple[int, int]:
    """How many characters from `start` on fit, with what joins them, and the cells that they take."""
    part = taken[start : start + room]
    count, wide = len(part), part.count(2)
    if part.count(1) + wide == count:  # nothing joins
        if not wide or (count + wide <= room and start + count == len(taken)):
            return count, count + wide
        if wide == count:
            count = min(count, room // 2)
            return count, 2 * count
    cells, at = 0, start
    while at < len(taken) and cells + taken[at] <= room:
        cells += taken[at]
        at += 1
    return at - start, cells


def _columns_of(text: str, taken: list[int]) -> list[str]:
    """What each column holds after text that begins with no combining character."""
    wide = taken.count(2)
    if wide == len(text):
        out = [""] * (2 * wide)
        out[::2] = text
        return out
    if 0 not in taken:
        return columns(text)
    out = []
    for char, cells in zip(text, taken, strict=True):
        if cells == 1:
            out.append(char)
        elif cells == 2:
            out += (char, "")
        else:
            at = -1 if out[-1] else -2
            joined = out[at] + char
            if _fits(joined):
                out[at] = joined
    return out


def _fits(joined: str) -> bool:
    """Whether characters have room in one cell of tmux's."""
    size = len(joined.encode())
    if joined[0] in _LINES_DRAWN:  # one byte to tmux, where drawing lines is an attribute of the cell
        size -= len(joined[0].encode()) - 1
    return size <= _CELL_BYTES


def _looks_written(row: Row, x: int, char: str, attr: Attr) -> bool:
    """tmux does not write a cell that it takes to hold this already, and it forgets to compare the colour of
    underlines (screen_write_cell, "If no change, do not draw")."""
    if attr.underline_colour is None or attr.underline > 1 or attr.flags & OVERLINE or not char.isascii():
        return False
    old = row.attrs[x]
    if old is erased(old.bg):
        return False
    if isinstance(old.fg, tuple) or isinstance(old.bg, tuple) or old.underline_colour is not None:
        return False
    return row.chars[x] == char and old == attr._replace(underline_colour=None, link=old.link)


def _blank_cell(row: Row, x: int) -> None:
    row.chars[x] = " "
    row.attrs[x] = DEFAULT


def _free_left(row: Row, x: int) -> None:
    """Before a run is drawn from `x`: blank the wide character whose second half is there."""
    chars = row.chars
    if x >= len(chars) or chars[x] != "":
        return
    while x > 0 and chars[x] == "":
        _blank_cell(row, x)
        x -= 1
    if x > 0 and width(chars[x][:1]) == 2:  # tmux leaves one in the first column
        _blank_cell(row, x)


def _free_right(row: Row, x: int) -> None:
    """After drawing up to `x`: blank the second halves that lost their first."""
    chars = row.chars
    while x < len(chars) and chars[x] == "":
        _blank_cell(row, x)
        x += 1


def _overwrite(row: Row, x: int, cells: int) -> None:
    """Before a cell is drawn at `x`: blank the other parts of wide characters it destroys."""
    chars = row.chars
    here = chars[x]
    at = x
    if here == "":
        while at > 0 and chars[at] == "":
            _blank_cell(row, at)
            at -= 1
        _blank_cell(row, at)
    if cells != 1 or here == "" or width(here[0]) != 1:
        _free_right(row, x + cells)
