"""Attributes, colours and rows: what one line of a screen is made of.

A row is two parallel lists, one string and one attribute per column. A wide character takes its column and an
empty string in the next. Rows keep their identity while they scroll, so whoever draws can keep what it drew in
`row.cache` for as long as `row.version` stays the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from amtui.emulator.width import width

Colour = int | tuple[int, int, int] | None
"""A palette index 0-255, a (red, green, blue) of 0-255 each, or None for the terminal's default."""

BOLD: Final = 1
DIM: Final = 2
ITALIC: Final = 4
BLINK: Final = 8
REVERSE: Final = 16
CONCEAL: Final = 32
STRIKE: Final = 64
OVERLINE: Final = 128


class Attr(NamedTuple):
    """How a cell looks. Values are interned: equal attributes are nearly always the same object."""

    fg: Colour = None
    bg: Colour = None
    flags: int = 0
    """BOLD, DIM, ITALIC, BLINK, REVERSE, CONCEAL, STRIKE and OVERLINE, or-ed."""
    underline: int = 0
    """0 none, 1 single, 2 double, 3 curly, 4 dotted, 5 dashed."""
    underline_colour: Colour = None
    link: tuple[str, str] | None = None
    """(id, address) of an OSC 8 link; the address is data from the worker, never to be opened unasked."""


DEFAULT: Final = Attr()

ERASED: Final = Attr()
"""Equal to DEFAULT, and another object: what is in cells that nothing was drawn to since they were last cleared.

tmux tells such cells from drawn blanks, as they do not count when it wraps lines anew (GRID_FLAG_CLEARED)."""

_KEPT: Final = 8192
_interned: dict[Attr, Attr] = {DEFAULT: DEFAULT}
_erased: dict[Colour, Attr] = {None: ERASED}


def intern(attr: Attr) -> Attr:
    """The one object that stands for attributes equal to `attr`."""
    if len(_interned) >= _KEPT:
        _interned.clear()
        _interned[DEFAULT] = DEFAULT
    return _interned.setdefault(attr, attr)


def erased(background: Colour) -> Attr:
    """What erasing with this background leaves in a cell: nothing but the background. Never a pen's own object."""
    attr = _erased.get(background)
    if attr is None:
        if len(_erased) >= _KEPT:
            _erased.clear()
            _erased[None] = ERASED
        attr = _erased[background] = Attr(bg=background)
    return attr


HARMFUL: Final = dict.fromkeys(
    [*range(0x20), *range(0x7F, 0xA0), 0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)]
)
"""For `str.translate`: controls, line separators and bidi controls, none of which may reach a terminal."""

Run = tuple[str, Attr, int]
"""Text, its attributes, and how many cells it takes."""


class Row:
    """One line of cells. `chars` and `attrs` are unpacked on first use when the row is stored compactly."""

    __slots__ = (
        "_columns",
        "_spans",
        "_text",
        "attrs",
        "cache",
        "chars",
        "erasures",
        "reach",
        "version",
        "wide",
        "wrapped",
    )

    chars: list[str]
    attrs: list[Attr]
    shared = False
    """Stands in several lines at once, so it must never be changed: who writes to the line takes a copy."""

    def __init__(self, chars: list[str], attrs: list[Attr]) -> None:
        self.chars = chars
        self.attrs = attrs
        self.wide = False
        """Some cell holds something else than one character of width one."""
        self.wrapped = False
        """The text goes on in the next row without a line break."""
        self.version = 0
        """Changes whenever the row does."""
        self.erasures = 0
        self.reach = 0
        """Cells up to the last one that something was ever drawn to, as far as it was erased since: tmux counts
        them when it wraps lines anew (cellused)."""
        self.cache: Any = None
        """For whoever draws the row; never read or written here."""
        self._text: str | tuple[str, ...] | None = None

    @classmethod
    def plain(cls, text: str, attr: Attr, columns: int, wrapped: bool, start: int = 0) -> Row:
        """A row of ASCII `text` in one attribute, stored compactly; before `start` it is blank."""
        row = cls.__new__(cls)
        row._text = text
        row._spans = (start, ERASED, len(text), attr) if start else (len(text), attr)
        row._columns = columns
        row.wide = False
        row.wrapped = wrapped
        row.version = 1 if text else 0
        row.erasures = row.reach = 0
        row.cache = None
        return row

    def __getattr__(self, name: str) -> Any:
        if name in ("chars", "attrs") and self._text is not None:
            self._unpack()
            return getattr(self, name)
        raise AttributeError(name)

    def __len__(self) -> int:
        return len(self.chars) if self._text is None else self._columns

    @property
    def used(self) -> bool:
        """Something was written to the row since it was last blank; erasing does not count."""
        return self.version > self.erasures

    def pack(self) -> None:
        """Store the row compactly; it unpacks itself when someone looks at its cells."""
        if self._text is not None or self.shared:
            return
        chars, attrs = self.chars, self.attrs
        spans: list[Any] = []
        used = 0
        for end, attr in _spans(attrs):
            spans += (end, attr)
            if attr != DEFAULT:
                used = end
        text = "".join(chars)
        if len(text) == len(chars) and not self.wide:
            used = max(used, len(text.rstrip(" ")))
            self._text = text[:used]
            end = len(chars)
            while end > used and attrs[end - 1] is ERASED:
                end -= 1
            if end > used:  # drawn blanks, which are not stored
                self.reach = max(self.reach, end)
        else:
            self._text = tuple(chars)
        self._spans = tuple(spans)
        self._columns = len(chars)
        del self.chars, self.attrs

    def _unpack(self) -> None:
        assert self._text is not None
        columns = self._columns
        attrs: list[Attr] = []
        for at in range(0, len(self._spans), 2):
            attrs += [self._spans[at + 1]] * (self._spans[at] - len(attrs))
        attrs += [ERASED] * (columns - len(attrs))
        self.chars = [*self._text, *[" "] * (columns - len(self._text))]
        self.attrs = attrs
        self._text = None
        del self._spans

    def runs(self) -> Iterator[Run]:
        """The row from left to right as (text, attributes, cells); never a control character in it.

        Half of a wide character whose other half was overwritten shows as a blank, so cells always add up.
        """
        chars, attrs = self.chars, self.attrs
        if self.wide:
            chars = _shown(chars)
        start = 0
        for end, attr in _spans(attrs):
            yield "".join(chars[start:end]), attr, end - start
            start = end

    @property
    def shown(self) -> Sequence[str]:
        """What each column shows, "" for the second half of a wide character; blanks at the end may be missing.

        Does not unpack a row that is stored compactly: for reading through a whole history.
        """
        cells = self.chars if self._text is None else self._text
        return _shown(cells) if self.wide else cells

    @property
    def text(self) -> str:
        """The row's characters, blanks included."""
        return "".join(_shown(self.chars) if self.wide else self.chars)


class SharedRow(Row):
    """What many lines hold that were cleared and not yet drawn to: clearing a screen makes no rows."""

    __slots__ = ()
    shared = True

    def __init__(self, char: str, attr: Attr, columns: int) -> None:
        """A line of `char` in one attribute; it counts as used if that is no blank."""
        super().__init__([char] * columns, [attr] * columns)
        self.version = 0 if char == " " and attr is ERASED else 1
        self.erasures = self.version if char == " " else 0

    def own(self) -> Row:
        """A row of its own with the same cells."""
        row = Row(self.chars[:], self.attrs[:])
        row.version, row.erasures, row.wrapped = self.version, self.erasures, self.wrapped
        return row


def _spans(attrs: Sequence[Attr]) -> Iterator[tuple[int, Attr]]:
    """(end, attribute) of each stretch of cells of one look."""
    columns = len(attrs)
    start = 0
    while start < columns:
        attr = attrs[start]
        end = start + 1
        while end < columns:
            other = attrs[end]
            if other is not attr:
                if other != attr:
                    break
                attr = other
            end += 1
        yield end, attr
        start = end


def _shown(chars: Sequence[str]) -> list[str]:
    """`chars` with orphaned halves of wide characters blanked and bidi controls removed."""
    out = list(chars)
    before = 1
    for x, char in enumerate(chars):
        if char == "":
            if before != 2:
                out[x] = " "
            before = 1
            continue
        cells = 1 if char.isascii() else width(char[0])
        if cells == 2 and (x + 1 >= len(chars) or chars[x + 1] != ""):
            out[x], cells = " ", 1
        elif len(char) > 1:
            out[x] = char.translate(HARMFUL) or " "
        before = cells
    return out
