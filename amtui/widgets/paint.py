"""Rows of the emulator as Textual Strips.

A Strip is cached on its row under the row's version, so that a scrolled line is moved, not painted again. Whatever
the remote sent, no control character and no text wider than its cells gets into a Strip.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from rich.cells import cell_len
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.filter import dim_color
from textual.strip import Strip

from amtui.emulator.cells import (
    BLINK,
    BOLD,
    CONCEAL,
    DIM,
    ITALIC,
    OVERLINE,
    REVERSE,
    STRIKE,
    Attr,
    Colour,
    Row,
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


def strip_of(row: Row, columns: int, palette: Palette) -> Strip:
    """The Strip of a row, `columns` wide; painted only if the row, its width or the palette changed."""
    kept = row.cache
    if kept is not None and kept[0] == row.version and kept[1] is palette and kept[2] == columns:
        strip: Strip = kept[3]
        return strip
    segments, used = [], 0
    for text, attr, cells in row.runs():
        segments.append(Segment(safe(text, cells), style(attr, palette)))
        used += cells
    strip = Strip(segments, used)
    if used != columns:
        strip = strip.adjust_cell_length(columns, style(Attr(), palette))
    row.cache = (row.version, palette, columns, strip)
    return strip
