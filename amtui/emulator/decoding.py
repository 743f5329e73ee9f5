"""UTF-8 as tmux reads it: cut anywhere, and what is not valid is dropped without a trace."""

from __future__ import annotations

import re
from typing import Final

_BROKEN: Final = re.compile(
    rb"[\x00-\x7f]+|[\xc2-\xf4][\x80-\xff]{0,2}\Z|[\xc2-\xdf][\x80-\xff]|[\xe0-\xef][\x80-\xff]{2}"
    rb"|[\xf0-\xf4][\x80-\xff]{3}|[\x80-\xff]"
)
"""How tmux cuts bytes that are not all valid UTF-8."""

_LENGTHS: Final = ((0xF0, 4), (0xE0, 3), (0xC2, 2))


class Utf8:
    """An incremental decoder. Python's own puts replacement characters or cuts broken bytes elsewhere."""

    def __init__(self) -> None:
        self._held = b""

    def clear(self) -> None:
        """Forget a half character."""
        self._held = b""

    def decode(self, data: bytes) -> str:
        """The characters that are complete in what came so far."""
        if self._held:
            data = self._held + data
            self._held = b""
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            start = error.start
            if error.end == len(data) and error.reason == "unexpected end of data":
                self._held = data[start:]
                return data[:start].decode()
        return data[:start].decode() + self._broken(data[start:])

    def _broken(self, data: bytes) -> str:
        out = []
        for match in _BROKEN.finditer(data):
            piece = match.group()
            first = piece[0]
            if first < 0x80:
                out.append(piece.decode("ascii"))
                continue
            length = next((length for lead, length in _LENGTHS if first >= lead), 1)
            if first <= 0xF4 and len(piece) < length and match.end() == len(data):
                self._held = piece
                break
            if len(piece) == length > 1:
                out.append(piece.decode("utf-8", "ignore"))
        return "".join(out)
