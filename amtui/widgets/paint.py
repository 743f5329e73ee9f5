"""Rows of the emulator as Textual Strips.

A Strip is cached on its row under the row's version, so that a scrolled line is moved, not painted again. Whatever
the remote sent, no control character and no text wider than its cells gets into a Strip.

Most Strips go to the terminal as they are: those of rows write their escape sequences from the cells' attributes, and
become segments with Rich's styles only when somebody cuts or colours them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from rich.cells import cell_len, get_character_cell_size
from rich.color import Color, ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.filter import dim_color
from textual.strip import Strip

from amtui.emulator.cells import (
    BLINK,
    BOLD,
    CONCEAL,
    DEFAULT,
    DIM,
    ITALIC,
    OVERLINE,
    REVERSE,
    STRIKE,
    Attr,
    Colour,
    Row,
    Run,
)

_DARK: Final = (
    "#1c1c1c", "#e06c75", "#8ec07c", "#d7b15e", "#6ca6e8", "#c58fd6", "#5fbdc4", "#d0d0d0",
    "#767676", "#ff8f8f", "#b5e890", "#ffe08a", "#9cc8ff", "#e6b3f5", "#8fe3ea", "#ffffff",
)  # fmt: skip
_LIGHT: Final = (
    "#1c1c1c", "#b3261e", "#2e7d32", "#8a6100", "#1f5fae", "#8e3fa8", "#0f7c86", "#9a9a9a",
    "#5f5f5f", "#d03a30", "#3d9142", "#a87900", "#3576cc", "#a557c0", "#1c98a3", "#ffffff",
)  # fmt: skip
_CUBE: Final = (0, 95, 135, 175, 215, 255)


class Palette(NamedTuple):
    """The colours a console is drawn in: its own default pair and the sixteen named ones."""

    foreground: str
    background: str
    named: tuple[str, ...]


DARK: Final = Palette("#e4e4e4", "#121212", _DARK)
LIGHT: Final = Palette("#1c1c1c", "#fbfbfb", _LIGHT)


@lru_cache(maxsize=4096)
def colour(value: Colour, palette: Palette, default: str) -> Color:
    """A terminal colour as a true colour, so that no filter has to look it up again for each frame."""
    if value is None:
        return Color.parse(default)
    if isinstance(value, tuple):
        return Color.from_rgb(*value)
    if value < 16:
        return Color.parse(palette.named[value])
    if value < 232:
        red, green, blue = (value - 16) // 36, (value - 16) // 6 % 6, (value - 16) % 6
        return Color.from_rgb(_CUBE[red], _CUBE[green], _CUBE[blue])
    grey = 8 + 10 * (min(value, 255) - 232)
    return Color.from_rgb(grey, grey, grey)


@lru_cache(maxsize=4096)
def style(attr: Attr, palette: Palette) -> Style:
    """The Rich style of a cell's attributes."""
    flags = attr.flags
    front = colour(attr.fg, palette, palette.foreground)
    back = colour(attr.bg, palette, palette.background)
    if flags & REVERSE:
        front, back = back, front
    if flags & CONCEAL:
        front = back
    if flags & DIM:
        front = dim_color(back, front)  # as Textual's filter does it, which consoles go without
    return Style(
        color=front,
        bgcolor=back,
        bold=bool(flags & BOLD) or None,
        italic=bool(flags & ITALIC) or None,
        blink=bool(flags & BLINK) or None,
        strike=bool(flags & STRIKE) or None,
        overline=bool(flags & OVERLINE) or None,
        underline=attr.underline == 1 or attr.underline > 2 or None,
        underline2=attr.underline == 2 or None,
    )


_PLAIN_FLAGS: Final = ((BOLD, "1;"), (ITALIC, "3;"), (BLINK, "5;"), (STRIKE, "9;"), (OVERLINE, "53;"))


@lru_cache(maxsize=16384)
def sgr(attr: Attr, palette: Palette, system: ColorSystem = ColorSystem.TRUECOLOR) -> str:
    """The escape sequence for a cell's attributes, whatever came before it, on a terminal with these colours."""
    flags = attr.flags
    if flags & (REVERSE | CONCEAL | DIM):
        mixed = style(attr, palette)
        return f"\x1b[0;{Strip.render_ansi(mixed, system)}m"
    codes = "".join([code for flag, code in _PLAIN_FLAGS if flags & flag]) if flags else ""
    if attr.underline:
        codes += "21;" if attr.underline == 2 else "4;"
    front = _code(attr.fg, palette, palette.foreground, system, True)
    back = _code(attr.bg, palette, palette.background, system, False)
    return f"\x1b[0;{codes}{front};{back}m"


@lru_cache(maxsize=16384)
def _code(value: Colour, palette: Palette, default: str, system: ColorSystem, front: bool) -> str:
    if isinstance(value, tuple) and system is ColorSystem.TRUECOLOR:
        return ("38;2;%d;%d;%d" if front else "48;2;%d;%d;%d") % value
    return ";".join(colour(value, palette, default).downgrade(system).get_ansi_codes(front))


class Line(Strip):
    """A Strip that is freed when nobody holds it.

    The compositor divides every line it paints. Textual's Strip keeps the parts, and where the only part is the Strip
    itself that is a cycle: thousands a second for the collector.
    """

    __slots__ = ()

    @classmethod
    def of(cls, strip: Strip) -> Line:
        """`strip` as a Line."""
        return strip if isinstance(strip, Line) else cls(strip._segments, strip.cell_length)

    def divide(self, cuts: Iterable[int]) -> Sequence[Strip]:
        where = list(cuts)
        return [self] if where == [self.cell_length] else super().divide(where)

    def crop(self, start: int, end: int | None = None) -> Strip:
        return Line.of(super().crop(start, end))


class RowLine(Line):
    """A row of a console. Its segments come into being when somebody asks for them; most are never asked for."""

    __slots__ = ("palette", "runs", "wide")

    def __init__(self, runs: list[Run], cells: int, palette: Palette, wide: bool) -> None:
        # The other slots of a Strip stay empty until `__getattr__` is asked for one.
        self.runs = runs
        self.palette = palette
        self.wide = wide
        """Some cell holds something else than one character of width one."""
        self._cell_length = cells
        self._render_cache: str | None = None

    def __getattr__(self, name: str) -> Any:
        if name not in Strip.__slots__:
            raise AttributeError(name)
        rendered, palette = self._render_cache, self.palette
        Strip.__init__(
            self, [Segment(text, style(attr, palette)) for text, attr, _ in self.runs], self._cell_length
        )
        self._render_cache = rendered
        return getattr(self, name)

    def render(self, console: Console) -> str:
        if self._render_cache is None:
            palette, system = self.palette, console._color_system or ColorSystem.TRUECOLOR
            self._render_cache = (
                "".join([sgr(attr, palette, system) + text for text, attr, _ in self.runs]) + "\x1b[0m"
            )
        return self._render_cache

    def since(self, before: Strip | None) -> tuple[int, RowLine]:
        """What turns `before`, which stands on the terminal, into this line: (from which column, what to write).

        Where some character is not one column wide, a terminal may see widths otherwise than we do: there the whole
        line is written, which mends what went astray.
        """
        if (
            not isinstance(before, RowLine)
            or self.wide
            or before.wide
            or before.palette is not self.palette
            or before._cell_length != self._cell_length
        ):
            return 0, self
        new, old = self.runs, before.runs
        shorter = min(len(new), len(old))
        head = column = 0
        while head < shorter and new[head] == old[head]:
            column += new[head][2]
            head += 1
        tail = 0
        while tail < shorter - head and new[-1 - tail] == old[-1 - tail]:
            tail += 1
        if head == tail == 0:
            return 0, self
        changed = new[head : len(new) - tail]
        return column, RowLine(changed, sum(cells for _, _, cells in changed), self.palette, False)


def safe(text: str, cells: int) -> str:
    """`text` in exactly `cells` columns, without anything a terminal obeys or that our width table sees otherwise.

    The emulator already keeps controls out; this is the last door before the operator's terminal.
    """
    if text.isascii() and text.isprintable() and len(text) == cells:
        return text
    if text.isprintable() and cell_len(text) == cells:
        return text
    kept = "".join(
        c for c in text if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") or c == "\u200d"
    )
    if cell_len(kept) == cells:
        return kept
    # Our widths and the emulator's disagree somewhere in here: drop what joins and varies, then pad or cut.
    bare = "".join(c for c in kept if not unicodedata.combining(c) and c not in "\u200d\ufe0e\ufe0f")
    size = cell_len(bare)
    if size < cells:
        return bare + " " * (cells - size)
    out, used = [], 0
    for char in bare:
        wide = cell_len(char)
        if used + wide > cells:
            break
        out.append(char)
        used += wide
    return "".join(out) + " " * (cells - used)


def strip_of(row: Row, columns: int, palette: Palette, left: int = 0, width: int | None = None) -> RowLine:
    """What a view `width` wide shows of a row from its column `left`; the row ends at `columns`, blanks follow.

    Painted only if the row, the cut or the palette changed.
    """
    width = columns if width is None else width
    kept = row.cache
    if (
        kept is not None
        and kept[0] == row.version
        and kept[1] is palette
        and kept[2] == (columns, left, width)
    ):
        line: RowLine = kept[3]
        return line
    runs: list[Run] = []
    used = 0
    for run in row.runs():
        text, attr, cells = run
        used += cells
        if text.isascii() and text.isprintable() and len(text) == cells:
            runs.append(run)
        else:
            runs.append((safe(text, cells), attr, cells))
    end = min(columns, left + width)
    if left or used > end:
        runs = _cut(runs, left, end)
    shown = min(used, end) - left
    if shown < width:
        blanks = width - max(0, shown)
        runs.append((" " * blanks, DEFAULT, blanks))
    line = RowLine(runs, width, palette, row.wide)
    row.cache = (row.version, palette, (columns, left, width), line)
    return line


def _cut(runs: Iterable[Run], left: int, end: int) -> list[Run]:
    """The columns from `left` up to `end`; a wide character that is cut through shows as a blank."""
    kept: list[Run] = []
    start = 0
    for text, attr, cells in runs:
        first, last = max(left - start, 0), min(end - start, cells)
        start += cells
        if first >= last:
            continue
        if (first, last) != (0, cells):
            if len(text) == cells:
                text = text[first:last]
            else:
                text = Segment(text).split_cells(last)[0].split_cells(first)[1].text
        kept.append((text, attr, last - first))
    return kept


def styled(strip: Strip, start: int, end: int, style: Style) -> Strip:
    """`strip` with a style over the columns from `start` up to `end`."""
    start, end = max(0, start), min(end, strip.cell_length)
    if start >= end:
        return strip
    if not strip.text.isascii():
        start, end = _whole(strip.text, start, end)
    before, marked, after = Segment.divide(strip._segments, (start, end, strip.cell_length))
    middle = [Segment(text, (base or Style()) + style, control) for text, base, control in marked]
    return Strip([*before, *middle, *after], strip.cell_length)


def _whole(text: str, start: int, end: int) -> tuple[int, int]:
    """The columns from `start` up to `end`, and the other halves of wide characters at both ends."""
    x = 0
    for char in text:
        cells = get_character_cell_size(char)
        if x < start < x + cells:
            start = x
        if x < end < x + cells:
            end = x + cells
        x += cells
        if x >= end:
            break
    return start, end
