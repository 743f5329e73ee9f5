"""The grammar of a terminal's output: what a token is, and what its parameters mean.

Sources: ECMA-48, xterm's control sequences, and tmux 3.3a's input.c, whose limits these are.
"""

from __future__ import annotations

import re
from typing import Final

from amtui.emulator import cells
from amtui.emulator.cells import DEFAULT, Attr, Colour, intern

MAX_PARAMETERS: Final = 63
"""Characters of parameters in a control sequence; one with more is thrown away whole."""
MAX_COUNT: Final = 23
"""Parameters in a control sequence; one with more is thrown away whole."""
MAX_NUMBER: Final = 2**31 - 1

TEXT, TEXT_CRLF, TEXT_LF, SGR, CSI, CRLF, LF = 1, 2, 3, 5, 6, 7, 8
CONTROL, CSI_ODD, OSC, ESC_ODD, ESC, NONE = 9, 10, 11, 12, 13, 14
"""Which group of TOKEN matched last. Text is taken together with the end of its line."""

TOKEN: Final = re.compile(
    "([^\x00-\x1f\x7f-\x9f]+)(?:(\r\n)|(\n))?"
    "|\x1b\\[([0-9;:]*)(?:(m)|([@-~]))"
    "|(\r\n)|(\n)"
    "|([\x00-\x1a\x1c-\x1f\x7f-\x9f])"
    "|\x1b\\[([<=>?]?[0-9;:]*[ -/]*[@-~])"
    "|\x1b\\]([^\x00-\x1f]{0,2048})(?:\x07|\x1b\\\\)"
    "|\x1b([ -/]+[0-~])"
    "|\x1b([0-OQ-WYZ\\\\`-jl-~])"
    "|(\x1b)"
)
"""One complete token, matching anything: the last group, NONE, is incomplete or malformed and takes the slow path."""

STRING_END: Final = re.compile("[\x1b\x18\x1a\x07]")
"""What may end a control string, depending on its kind."""

PRIVATE: Final = re.compile("([<=>?]?)([0-9;:]*)([ -/]*)([@-~])\\Z")
"""A control sequence without its introducer: marker, parameters, intermediates, final."""

LINE_DRAWING: Final = {
    ord(plain): drawn
    for plain, drawn in zip(
        "+,-.0`abcdefghijklmnopqrstuvwxyz{|}~", "→←↑↓▮◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·", strict=True
    )
}
"""The DEC special graphics set, for `str.translate`."""

Parameters = tuple[int | None, ...]
"""None stands for one left out; -1 for one that is not a number."""


def parameters(text: str) -> Parameters | None:
    """The numbers of a control sequence, or None when tmux would throw the sequence away."""
    if len(text) > MAX_PARAMETERS:
        return None
    if not text:
        return ()
    out: list[int | None] = []
    for item in text.split(";"):
        if not item:
            out.append(None)
        elif ":" in item:
            out.append(-1)
        else:
            number = int(item)
            if number > MAX_NUMBER:
                return None
            out.append(number)
    return tuple(out) if len(out) <= MAX_COUNT else None


_SET: Final = {
    1: cells.BOLD,
    2: cells.DIM,
    3: cells.ITALIC,
    5: cells.BLINK,
    6: cells.BLINK,
    7: cells.REVERSE,
    8: cells.CONCEAL,
    9: cells.STRIKE,
    53: cells.OVERLINE,
}
_CLEAR: Final = {
    22: cells.BOLD | cells.DIM,
    23: cells.ITALIC,
    25: cells.BLINK,
    27: cells.REVERSE,
    28: cells.CONCEAL,
    29: cells.STRIKE,
    55: cells.OVERLINE,
}


class _Look:
    """Attributes while a sequence of SGR parameters is applied to them."""

    __slots__ = ("bg", "fg", "flags", "link", "underline", "underline_colour")

    def __init__(self, attr: Attr) -> None:
        self.fg, self.bg, self.flags, self.underline, self.underline_colour, self.link = attr

    def reset(self) -> None:
        self.fg = self.bg = self.underline_colour = None
        self.flags = self.underline = 0

    def colour(self, where: int, value: Colour) -> None:
        if where == 38:
            self.fg = value
        elif where == 48:
            self.bg = value
        else:
            self.underline_colour = value

    def indexed(self, where: int, number: int) -> None:
        if 0 <= number <= 255:
            self.colour(where, number)
        elif where != 58:
            self.colour(where, None)

    def rgb(self, where: int, red: int, green: int, blue: int) -> bool:
        if not (0 <= red <= 255 and 0 <= green <= 255 and 0 <= blue <= 255):
            return False
        self.colour(where, (red, green, blue))
        return True

    def simple(self, code: int) -> None:
        if code in _SET:
            self.flags |= _SET[code]
        elif code in _CLEAR:
            self.flags &= ~_CLEAR[code]
        elif code == 0:
            self.reset()
        elif code == 4:
            self.underline = 1
        elif code == 21:
            self.underline = 2
        elif code == 24:
            self.underline = 0
        elif 30 <= code <= 37:
            self.fg = code - 30
        elif code == 39:
            self.fg = None
        elif 40 <= code <= 47:
            self.bg = code - 40
        elif code == 49:
            self.bg = None
        elif code == 59:
            self.underline_colour = None
        elif 90 <= code <= 97:
            self.fg = code - 82
        elif 100 <= code <= 107:
            self.bg = code - 92


def _true_colour(attr: Attr, text: str) -> Attr | None:
    """`attr` in the colour of `38;2;R;G;B` or `48;2;R;G;B`, which programs with gradients write for every few
    cells; None for any other sequence."""
    items = text.split(";")
    if len(items) != 5 or items[1] != "2":
        return None
    try:
        colour = int(items[2]), int(items[3]), int(items[4])
    except ValueError:
        return None
    if max(colour) > 255:
        return None
    if items[0] == "38":
        return tuple.__new__(Attr, (colour, *attr[1:]))
    if items[0] == "48":
        return tuple.__new__(Attr, (attr[0], colour, *attr[2:]))
    return None


def sgr(attr: Attr, text: str) -> Attr:
    """`attr` after the SGR sequence with these parameters (`1;38;2;…`, colons as in ISO 8613-6)."""
    if not text:
        return Attr(link=attr.link) if attr.link else DEFAULT
    numbers = parameters(text)
    if numbers is None:
        return attr
    look = _Look(attr)
    codes = [0 if number is None else number for number in numbers]
    values = [-1 if number is None else number for number in numbers] + [-1, -1, -1, -1]
    at, size = 0, len(codes)
    while at < size:
        code = codes[at]
        at += 1
        if code == -1:
            _colons(look, text.split(";")[at - 1])
        elif code not in (38, 48, 58):
            look.simple(code)
        else:
            kind = values[at]
            at += 1
            if kind == 5:
                look.indexed(code, values[at] if at < size else -1)
                at += 1
            elif kind == 2 and at < size and look.rgb(code, values[at], values[at + 1], values[at + 2]):
                at += 3
    return Attr(look.fg, look.bg, look.flags, look.underline, look.underline_colour, look.link)


def _colons(look: _Look, item: str) -> None:
    """One SGR parameter with sub-parameters: underline styles and colours."""
    parts = [int(part) if part else -1 for part in item.split(":")]
    if len(parts) > 7 or any(part > MAX_NUMBER for part in parts):
        return
    if parts[0] == 4:
        if len(parts) == 2 and 0 <= parts[1] <= 5:
            look.underline = parts[1]
        return
    if len(parts) < 3 or parts[0] not in (38, 48, 58):
        return
    if parts[1] == 2:
        start = 2 if len(parts) == 5 else 3
        if len(parts) >= start + 3:
            look.rgb(parts[0], *parts[start : start + 3])
    elif parts[1] == 5:
        look.indexed(parts[0], parts[2])


class Pen:
    """An attribute and where each SGR sequence seen so far leads from it: one dictionary look-up per sequence."""

    __slots__ = ("attr", "next")

    def __init__(self, attr: Attr) -> None:
        self.attr = attr
        self.next: dict[str, Pen] = {}


class Pens:
    """The pens of one screen, bounded: a program may use any number of colours."""

    LIMIT: Final = 1024

    def __init__(self) -> None:
        self.default = Pen(DEFAULT)
        self._pens: dict[Attr, Pen] = {DEFAULT: self.default}
        self._steps = 0

    def of(self, attr: Attr) -> Pen:
        """The pen that draws with `attr`."""
        pen = self._pens.get(attr)
        if pen is None:
            pen = self._pens[attr] = Pen(intern(attr))
        return pen

    def step(self, pen: Pen, text: str) -> Pen:
        """The pen after the SGR sequence `text`; remembered in `pen.next`."""
        attr = pen.attr
        if text in _RESETS and attr[5] is None:
            return self.default
        self._steps += 1
        if self._steps > self.LIMIT:
            self._forget()
        size = len(text)
        if size > MAX_PARAMETERS:
            return self.of(sgr(attr, text))
        true = _true_colour(attr, text) if size >= _SHORTEST_TRUE else None
        # a pen of a true colour is found by the way to it alone: most colours never come again
        after = pen.next[text] = Pen(true) if true is not None else self.of(sgr(attr, text))
        return after

    def _forget(self) -> None:
        for pen in self._pens.values():
            pen.next.clear()  # pens point at each other; without this they would wait for the collector
        self._pens = {DEFAULT: self.default}
        self._steps = 0


_RESETS: Final = ("", "0")
_SHORTEST_TRUE: Final = len("38;2;0;0;0")
