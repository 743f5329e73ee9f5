"""Whether a character that something cut in two may go on after it.

It may as long as nothing is printed and no control character obeyed (utf8started in tmux 3.3a's input.c). So this
follows that file's states, but only what comes after half a character, which is rare.
"""

from __future__ import annotations

import re
from typing import Final

GROUND: Final = 0
_ENDED, _ESCAPE, _BETWEEN, _SEQUENCE, _COMMAND, _STRING = 1, 2, 3, 4, 5, 6
_DEVICE, _DEVICE_NUMBERS, _DEVICE_BETWEEN, _PASSED, _PASSED_ESCAPE = 7, 8, 9, 10, 11

_STATES: Final[dict[int, tuple[tuple[str, int], ...]]] = {
    # each: characters from-to, and the state after them; the later entry counts
    GROUND: (("\x00\x7e", _ENDED), ("\x7f\x7f", GROUND), ("\x1b\x1b", _ESCAPE)),
    _ESCAPE: (
        ("\x00\x1a", _ENDED), ("\x1b\x1b", _ESCAPE), ("\x1c\x1f", _ENDED), (" /", _BETWEEN), ("0~", GROUND),
        ("PP", _DEVICE), ("[[", _SEQUENCE), ("]]", _COMMAND), ("XX", _STRING), ("^_", _STRING), ("kk", _STRING),
    ),
    _BETWEEN: (("\x00\x1a", _ENDED), ("\x1b\x1b", _ESCAPE), ("\x1c\x1f", _ENDED), ("0~", GROUND)),
    _SEQUENCE: (("\x00\x1a", _ENDED), ("\x1b\x1b", _ESCAPE), ("\x1c\x1f", _ENDED), ("@~", GROUND)),
    _COMMAND: (("\x07\x07", GROUND), ("\x18\x18", _ENDED), ("\x1a\x1a", _ENDED), ("\x1b\x1b", _ESCAPE)),
    _STRING: (("\x18\x18", _ENDED), ("\x1a\x1a", _ENDED), ("\x1b\x1b", _ESCAPE)),
    _DEVICE: (
        ("\x18\x18", _ENDED), ("\x1a\x1a", _ENDED), ("\x1b\x1b", _ESCAPE), (" /", _DEVICE_BETWEEN),
        ("0?", _DEVICE_NUMBERS), ("::", _STRING), ("@~", _PASSED),
    ),
    _DEVICE_NUMBERS: (
        ("\x18\x18", _ENDED), ("\x1a\x1a", _ENDED), ("\x1b\x1b", _ESCAPE), (" /", _DEVICE_BETWEEN),
        ("::", _STRING), ("<?", _STRING), ("@~", _PASSED),
    ),
    _DEVICE_BETWEEN: (
        ("\x18\x18", _ENDED), ("\x1a\x1a", _ENDED), ("\x1b\x1b", _ESCAPE), ("0?", _STRING), ("@~", _PASSED),
    ),
    _PASSED: (("\x1b\x1b", _PASSED_ESCAPE),),
    _PASSED_ESCAPE: (("\x00\x7f", _PASSED), ("\\\\", GROUND)),
}  # fmt: skip

_LONG: Final = {
    _COMMAND: re.compile(rb"[\x07\x18\x1a\x1b]"),
    _STRING: re.compile(rb"[\x18\x1a\x1b]"),
    _PASSED: re.compile(rb"\x1b"),
}
"""What leaves the states that may last long."""


def _row(state: int) -> list[int]:
    out = [state] * 128
    for span, after in _STATES[state]:
        for code in range(ord(span[0]), ord(span[1]) + 1):
            out[code] = after
    return out


_NEXT: Final = {state: _row(state) for state in _STATES}


class Interruption:
    """What came since half a character, which was not within anything."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state = GROUND
        """GROUND outside of sequences and strings; only there the character goes on."""

    def goes_on(self, run: bytes) -> bool:
        """Follow ASCII; whether the half character still counts after it."""
        state = self.state
        at, size = 0, len(run)
        while at < size:
            leaving = _LONG.get(state)
            if leaving is not None:
                found = leaving.search(run, at)
                if found is None:
                    break
                at = found.start()
            state = _NEXT[state][run[at]]
            if state == _ENDED:
                return False
            at += 1
        self.state = state
        return True

    def passed(self) -> None:
        """Follow bytes beyond ASCII within a sequence or string."""
        if self.state == _PASSED_ESCAPE:
            self.state = _PASSED
