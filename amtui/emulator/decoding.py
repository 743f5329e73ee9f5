"""UTF-8 as tmux reads it: cut anywhere, and what is not valid is dropped without a trace."""

from __future__ import annotations

import re
from typing import Final

from amtui.emulator.interruption import GROUND, Interruption

DROPPED: Final = "\x80"
"""Stands where bytes were dropped: shows nothing, but nothing before it can be repeated, and no title holds it."""

_ASCII: Final = re.compile(rb"[\x00-\x7f]+")
_PIECE: Final = re.compile(
    rb"[\xc2-\xdf][\x80-\xff]|[\xe0-\xef][\x80-\xff]{2}|[\xf0-\xf4][\x80-\xff]{3}"
    rb"|[\xe0-\xf4][\x80-\xff]{0,2}|[\xc2-\xdf]|[\x80-\xc1\xf5-\xff]+"
)
"""How tmux cuts bytes beyond ASCII: whole characters, the beginning of one, and what cannot begin one."""
_REST: Final = re.compile(rb"[\x80-\xff]{1,3}")
_OPEN: Final = re.compile(
    rb"\x1b(?:\][^\x07\x18\x1a]*|[PX^_k][^\x18\x1a]*|\[[^@-~\x18\x1a]*|[^0-~\x18\x1a]*)\Z"
)
"""The beginning of a sequence or control string, without its end."""


def _length(first: int) -> int:
    return 2 if first < 0xE0 else 3 if first < 0xF0 else 4


class Utf8:
    """An incremental decoder. Python's own puts replacement characters or cuts broken bytes elsewhere.

    A character that is cut off by an escape sequence or control string goes on with the next byte beyond ASCII
    outside of it, whatever that was meant to be (input_top_bit_set in tmux 3.3a). Bytes within are not counted.
    """

    def __init__(self) -> None:
        self._held = b""
        """The first bytes of a character."""
        self._cut: Interruption | None = None
        """What came between the held bytes and their rest so far."""
        self._inner = b""
        """The first bytes of another character, within a control string that cut the held one."""

    def clear(self) -> None:
        """Forget a half character."""
        self._held = self._inner = b""
        self._cut = None

    def give_up(self) -> None:
        """A control string that does not end is one no longer."""
        if self._cut is not None:
            self._cut.state = GROUND
            self._inner = b""

    def decode(self, data: bytes, within: bytes = b"") -> str:
        """The characters that are complete in what came so far. `within`: how the sequence or control string began
        that is open, its first two bytes at least."""
        held = self._held
        if held:
            if data[:1] < b"\x80" or self._cut is not None:
                return self._broken(data, within)
            data = held + data
            self._held = b""
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            start = error.start
            if error.end == len(data) and error.reason == "unexpected end of data":
                self._held = data[start:]
                return data[:start].decode()
        begin = data[:start]
        return begin.decode() + self._broken(data[start:], _open(within + begin))

    def _broken(self, data: bytes, within: bytes) -> str:
        out: list[str] = []
        at, size = 0, len(data)
        while at < size:
            plain = _ASCII.match(data, at)
            if plain:
                run = plain.group()
                if self._held:
                    self._interrupted(run, within, out)
                out.append(run.decode("ascii"))
                within = _open(within + run)
                at = plain.end()
            elif self._cut is not None and self._cut.state != GROUND:
                self._cut.passed()
                self._inner, at = _character(self._inner, data, at, out)
            else:
                self._cut = None
                self._held, at = _character(self._held, data, at, out)
        return "".join(out)

    def _interrupted(self, run: bytes, within: bytes, out: list[str]) -> None:
        """ASCII came before the rest of the held bytes."""
        if self._cut is None or self._inner:
            out.append(DROPPED)
            self._inner = b""
        if self._cut is None and not within:
            self._cut = Interruption()
        if self._cut is None or not self._cut.goes_on(run):
            self._held, self._cut = b"", None


def _character(held: bytes, data: bytes, at: int, out: list[str]) -> tuple[bytes, int]:
    """Take bytes beyond ASCII at `at`, which may go on a character; returns one that is not complete, and where
    to go on."""
    found = _REST.match(data, at, at + _length(held[0]) - len(held)) if held else _PIECE.match(data, at)
    assert found is not None
    piece = held + found.group()
    if 0xC2 <= piece[0] <= 0xF4 and len(piece) < _length(piece[0]):
        return piece, found.end()
    try:
        out.append(piece.decode() if 0xC2 <= piece[0] <= 0xF4 else DROPPED)
    except UnicodeDecodeError:
        out.append(DROPPED)
    return b"", found.end()


def _open(data: bytes) -> bytes:
    """How the sequence or control string begins that is open after `data`; nothing if none is."""
    found = _OPEN.match(data, max(0, data.rfind(b"\x1b")))
    return found.group()[:2] if found else b""
