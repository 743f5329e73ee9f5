"""pyte's picture of the cells: `screen.buffer[y][x]`, colours by pyte's names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

from pyte.graphics import FG_BG_256
from pyte.screens import Char

from amtui.emulator import cells
from amtui.emulator.cells import DEFAULT, Attr, Colour, Row, intern
from amtui.emulator.width import width

_BASIC: Final = ("black", "red", "green", "brown", "blue", "magenta", "cyan", "white")
NAMES: Final = (*_BASIC, *(f"bright{name}" for name in _BASIC))
"""pyte's names of palette colours 0-15."""

_NUMBERS: Final = {name: number for number, name in enumerate(NAMES)} | {"bfightmagenta": 13, "default": -1}


class Cell(Char):
    """pyte's Char, with what pyte does not know: dim, conceal, overline, underline style and colour, link."""

    dim: bool
    conceal: bool
    overline: bool
    attr: Attr


def colour_name(colour: Colour) -> str:
    """`default`, a palette name, or six hex digits."""
    if colour is None:
        return "default"
    if isinstance(colour, int):
        return NAMES[colour] if colour < 16 else str(FG_BG_256[colour])
    return "{:02x}{:02x}{:02x}".format(*colour)


def colour_number(name: str) -> Colour:
    """The colour that pyte calls `name`; the default for one it does not know."""
    if name in _NUMBERS:
        number = _NUMBERS[name]
        return None if number < 0 else number
    try:
        value = int(name, 16)
    except ValueError:
        return None
    return (value >> 16 & 255, value >> 8 & 255, value & 255) if len(name) == 6 else None


def cell(char: str, attr: Attr) -> Cell:
    """One cell as pyte shows it."""
    flags = attr.flags
    out = Cell(
        char,
        colour_name(attr.fg),
        colour_name(attr.bg),
        bool(flags & cells.BOLD),
        bool(flags & cells.ITALIC),
        attr.underline > 0,
        bool(flags & cells.STRIKE),
        bool(flags & cells.REVERSE),
        bool(flags & cells.BLINK),
    )
    out.dim = bool(flags & cells.DIM)
    out.conceal = bool(flags & cells.CONCEAL)
    out.overline = bool(flags & cells.OVERLINE)
    out.attr = attr
    return out


def attr_of(char: Char) -> Attr:
    """The attribute of one of pyte's cells."""
    if isinstance(char, Cell):
        return char.attr
    flags = (
        (cells.BOLD if char.bold else 0)
        | (cells.ITALIC if char.italics else 0)
        | (cells.STRIKE if char.strikethrough else 0)
        | (cells.REVERSE if char.reverse else 0)
        | (cells.BLINK if char.blink else 0)
    )
    attr = Attr(colour_number(char.fg), colour_number(char.bg), flags, 1 if char.underscore else 0)
    return DEFAULT if attr == DEFAULT else intern(attr)


class _Lines(Protocol):
    rows: list[Row]
    lines: int
    columns: int

    def _own(self, y: int) -> Row: ...


class LineView:
    """One row, column by column."""

    __slots__ = ("_screen", "_y")

    def __init__(self, screen: _Lines, y: int) -> None:
        self._screen = screen
        self._y = y

    def __len__(self) -> int:
        return self._screen.columns

    def __getitem__(self, x: int) -> Cell:
        if not 0 <= x < self._screen.columns:
            return cell(" ", DEFAULT)
        row = self._screen.rows[self._y]
        return cell(row.chars[x], row.attrs[x])

    def __setitem__(self, x: int, char: Char) -> None:
        row = self._screen._own(self._y)
        row.chars[x] = char.data.translate(cells.HARMFUL)
        row.attrs[x] = attr_of(char)
        if len(char.data) != 1 or width(char.data) != 1:
            row.wide = True
        row.version += 1

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))


class BufferView:
    """The screen, line by line. Made on the fly: nothing is stored twice."""

    __slots__ = ("_screen",)

    def __init__(self, screen: _Lines) -> None:
        self._screen = screen

    def __len__(self) -> int:
        return self._screen.lines

    def __getitem__(self, y: int) -> LineView:
        if not -self._screen.lines <= y < self._screen.lines:
            raise IndexError(y)
        return LineView(self._screen, y)

    def __iter__(self) -> Iterator[int]:
        return iter(range(self._screen.lines))
