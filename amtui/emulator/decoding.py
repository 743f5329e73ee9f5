"""UTF-8 as tmux reads it: cut anywhere, and what is not valid is dropped without a trace."""

from __future__ import annotations

import re
from typing import Final

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
    rb"\x1b(?:[\]PX^_k][^\x07\x18\x1a]*|\[[0-?]*[ -/]*|[ -/]*)\Z|\A[^\x07\x18\x1a\x1b]*\Z"
)


_QUIET: Final = re.compile(
    rb"(?:\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][ -~]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-OQ-WYZ\\`-jl-~]|\x7f)*"
    rb"(?:\x1b(?:\[[0-?]*[ -/]*|\][ -~]*|[ -/]*))?"
)
"""Sequences that neither print nor are a control: a character that they cut in two may still go on."""
_QUIET_LENGTH: Final = 256


def _length(first: int) -> int:
    return 2 if first < 0xE0 else 3 if first < 0xF0 else 4


class Utf8:
    """An incremental decoder. Python's own puts replacement characters or cuts broken bytes elsewhere.

    A character that is cut off by an escape sequence goes on with the next byte beyond ASCII, whatever that was
    meant to be (input_top_bit_set in tmux 3.3a). Bytes of a control string are not counted as characters.
    """

    def __init__(self) -> None:
        self._held = b""
        self._quiet = b""
        """What came after the held bytes and did not end them."""

    def clear(self) -> None:
        """Forget a half character."""
        self._held = self._quiet = b""

    def decode(self, data: bytes, in_string: bool = False) -> str:
        """The characters that are complete in what came so far; `in_string`: within a control string."""
        held = self._held
        if held:
            if data[:1] < b"\x80" or self._quiet:
                return self._broken(data, in_string)
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
        return begin.decode() + self._broken(data[start:], _within(begin, in_string))

    def _broken(self, data: bytes, in_string: bool) -> str:
        out = []
        at, size = 0, len(data)
        while at < size:
            plain = _ASCII.match(data, at)
            if plain:
                run = plain.group()
                if self._held:
                    if not self._quiet:
                        out.append(DROPPED)
                    self._quiet += run
                    if in_string or len(self._quiet) > _QUIET_LENGTH or not _QUIET.fullmatch(self._quiet):
                        self._held = self._quiet = b""
                out.append(run.decode("ascii"))
                in_string = _within(run, in_string)
                at = plain.end()
                continue
            if in_string and self._quiet:
                self._held = self._quiet = b""
            piece, rest = self._held, _PIECE.match(data, at)
            if piece:
                rest = _REST.match(data, at, at + _length(piece[0]) - len(piece))
            assert rest is not None
            piece += rest.group()
            at = rest.end()
            self._held = self._quiet = b""
            if not 0xC2 <= piece[0] <= 0xF4:
                out.append(DROPPED)
            elif len(piece) < _length(piece[0]):
                self._held = piece
            else:
                try:
                    out.append(piece.decode())
                except UnicodeDecodeError:
                    out.append(DROPPED)
        return "".join(out)


def _within(data: bytes, before: bool) -> bool:
    """Whether a sequence or control string is open after `data`, if a string was open `before` it or not."""
    start = data.rfind(b"\x1b")
    found = _OPEN.match(data, max(0, start))
    return found is not None and (start >= 0 or before)
