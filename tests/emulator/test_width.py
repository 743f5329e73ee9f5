"""The width table against a live tmux: every character of the basic plane, emoji and the rest in samples."""

from __future__ import annotations

import pytest
from oracle import Pane

from amtui.emulator.width import NARROW, width

BLOCK = 0x400
PLANES = [*range(0, 0x10000, BLOCK), *range(0x1F000, 0x20000, BLOCK), 0x20000, 0x2F800, 0x30000, 0xE0000]


def characters(start: int) -> list[str]:
    return [chr(code) for code in range(start, start + BLOCK) if code >= 0xA0 and not 0xD800 <= code < 0xE000]


@pytest.mark.parametrize("start", PLANES, ids=hex)
def test_widths_are_those_of_tmux(pane: Pane, start: int) -> None:
    """The terminal itself says where its cursor is after an x and a character."""
    chars = [char for char in characters(start) if char != "\u200d"]
    data = b"\x18\x1b\\\x1bc" + b"".join(b"\rx" + char.encode() + b"\x1b[6n" for char in chars)
    columns = pane.feed(data)[:-1]
    pairs = zip(chars, columns, strict=True)
    wrong = [(char, column - 1) for char, column in pairs if column - 1 != max(0, width(char))]
    assert not [f"U+{ord(char):04X}: tmux {cells}, ours {width(char)}" for char, cells in wrong]


def test_the_pattern_agrees_with_the_table() -> None:
    for code in range(0x10000):
        if 0xD800 <= code < 0xE000:
            continue
        char = chr(code)
        assert bool(NARROW.fullmatch(char)) is (width(char) == 1), hex(code)
    assert not NARROW.match("🚀")
