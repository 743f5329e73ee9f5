"""How many cells a character takes, by the rule tmux 3.3a follows on Debian: glibc's `wcwidth`.

One table in one place. It is generated, not computed from `unicodedata`, because the screen must agree with
the tmux that drew it and not with the Python that reads it. Ranges are hex, each written as the distance from
the end of the range before it, with `+length` where it is longer than one.
"""

from __future__ import annotations

import re
import sys
from array import array
from itertools import chain
from typing import Final

ZWJ: Final = "\u200d"
"""The zero width joiner: the character after it joins the cell before it."""

_DROPPED: Final = (
    "80+1f 2d9+1 7+3 8 2 15 18e 27+1 33+1 4 38+7 1c+3 7+a 10f 3d+1 66+d 3c+1 32+1 10 1d+1 2 c+4 20 "
    "3+5 ed 9+1 3+1 17 8 2+2 5+1 a+1 3+1 5+7 2+3 3 6+1 1a+1 4 7+3 3+1 17 8 3 3 3+1 2 6+3 3+1 4+2 2+6 "
    "5 2+6 12+9 4 a 4 17 8 3 6+1 b 4 4+1 2+e 5+1 d+6 8 4 9+1 3+1 17 8 3 6+1 a+1 3+1 4+6 4+3 3 6+1 "
    "13+9 3 7+2 4 5+2 3 2 3+2 3+2 4+2 d+3 6+2 4 5+1 2+5 2+d 16+4 e 4 18 11+1 a 4 5+6 3 4+1 2+1 5+1 "
    "b+6 17 4 18 b 6+1 a 4 5+6 3+5 3 5+1 b 3+c e 4 34 4 7+3 11+1 1b 4 13+2 19 a 2+1 8+2 2+3 7 2 9+5 "
    "b+1 4+b 3b+3 1e+24 3 2 6 19 2 18+1 6 2 7+1 b+1 5+1f 49 25+3 28 25 10 e+24 c7 2+4 2+1 17a 5+1 8 2 "
    "5+1 2a 5+1 22 5+1 8 2 5+1 10 3a 5+1 44+1 21+2 1b+5 57+1 7+1 29e+2 5a+6 17+8 19+8 15+b e 4 3+b "
    "5f+1 b+5 b+5 1b+5 5a+6 2c+4 47+9 20 d+3 d+3 2+2 2b+1 6+a 2d+3 1b+5 c+2 3f+1 42 1e+1 c+5 b+5 f+1 "
    "20+30 4e+2 30 75+7 3d+2 10+2 3d+6 2c+1 c+7 2c+4 217+1 7+1 27+1 7+1 9 2 2 2 20+1 36 10 f+1 7 14+1 "
    "4 a 29+1 3c d+1 1c e+2 22+e 22+e 8d+3 298+18 c+14 715+1 21 15e+4 2e 2+4 2+1 39+6 3+d 19+8 8 8 8 "
    "8 8 8 8 8 7f+21 1b 5a+b d7+19 d+3 41 57+1 68+4 2c 5f 55+b 30 726e+2 38+8 15d+13 b9+7 cc+4 3 2 "
    "6+17 3c+2 b+5 39+7 47+7 d+5 75+a 1f+2 4f c+3 22 38+8 f+1 b+1 68+17 1d+9 7+1 7+1 7+8 8 8 3d+3 "
    "7f+1 b+5 2ba5+b 18+3 32+803 1a6f+1 6b+25 8+b 6+4 1b 6 2 3 3 7e+f 1be+1 37+6 2+1f 2b+5 34 14 5+3 "
    "6 88+1 2 bf+2 7+1 7+1 7+1 4+2 8 8+9 6+1 d 1b 14 3 10+1 f+21 7c+4 4+3 2e+2 59 e+2 2+2e 2f+81 1e+2 "
    "32+e 1d+3 25+8 1f+4 2c+4 1f 26+3 f+29 9f+1 b+5 25+3 25+3 29+7 35+a d 10 8 3 c 10 8 3+42 138+8 "
    "17+9 9+17 7 2b a+44 7+1 2 2d 3+2 2+1 18 49+7 a+2f 14 3+4 22+2 1c+4 2+3f 39+3 15+1 33 3+4 9 4 "
    "1e+1 4+3 b+6 a+6 41+1f 28+3 d+8 37+2 1e+1 1c+4 1b+6 5+b 8+4f 4a+36 34+c 34+6 2f+7 b+125 20 2b "
    "4+1 3+4d 29+7 2b+15 1b+25 1d+13 18+8 4f+3 25+8 45+9 2+1 1a+6 b+5 36 13+7 28+8 61 15+a 13 2d+40 8 "
    "2 5 10 c+5 3c+4 b+5 5 9+1 3+1 17 8 3 6 b+1 3+1 4+1 2+5 2+4 8+1 8+2 6+8a 5d 6+1d 49+7 b+a5 37+1 "
    "27+21 46+a b+5 e+12 3b+5 b+35 1c+1 10+3 18+b8 3d+63 54+b 9+1 2+1 9 3 1f 3+1 d+8 b+45 9+1 2f+1 "
    "c+1a 49+7 54+c 4a+106 a 2e f+9 1e+2 21+1 17 f+48 8 3 2d+2 2 3 a+7 b+5 7 3 26 3 7+6 b+135 1a+b6 "
    "2+e 33+c 39c+65 70 6+a c5+a4b 64+c 430 a+fc6 248+21b8 23a+6 20 b+3 52 b+5 1f+1 7+9 47+9 b 8 16+4 "
    "14+2af 5c+64 4c+3 3a+6 12+3f 6+a 3+d 17f9+7 4d7+29 a+22e6 5 8 3 124+2c 4+10 5+7 18d+903 6c+4 e+2 "
    "a+6 b+1 9+125b 2f+1 18+8 75+3b f7+9 28+1 c3+14 47+99 15+b 58+8 1a+86 56 48 3+1 2+1 3+1 5 d 2 8 "
    "42 5+1 9 8 1d 5 6 2+2 8 155+1 125+1 2bf+e 6 10+44f 20+e0 8 12+1 8 3 6+d4 2e+2 f+1 b+3 3+13f "
    "20+10 3b+4 2+4df 8 5 3 10 c6+1 11+28 4d+3 b+3 3+310 45+4b 3e+c1 5 1c 3 2+1 2 b 5 2 2+5 2+3 2 2 2 "
    "4 3 2+1 2 2 2 2 2 3 2+1 5 8 5 5 2 b 12+4 4 6 12+33 3+10d 2d+3 65+b 10+1 10 10 26+9 af+37 1e+c "
    "2d+3 a+6 3+d 7+99 3d9+4 11+2 e+2 75+b 5a+6 d+3 2+e d+3 39+7 b+5 29+7 1f+1 3+4d 155+b f+1 6+2 6+2 "
    "8+8 1e+2 c+4 7+9 b+5 9+7 8+8 94 38+24 b+405 a6e1+1f 103a+6 df+1 1683+d 1d32+c1e 21f+5e1 "
    "134c+aecb5 2+1d 61+7f f1+fe0f ffff+1 ffff+1 "
)
"""Not printable or not assigned: tmux throws them away."""

_ZERO: Final = (
    "300+6f 114+6 108+2c 2 2+1 2+1 2 49+a 2 2f+14 11 66+6 3+5 3+1 2+3 24 1f+1a 5c+a 3b+8 a 19+3 2+8 "
    "2+2 2+4 2c+2 3d+7 2b+17 2+1f 38 2 5+7 5 4+6 b+1 1e 3b 5+3 9 15+1 1b 3+1 3a 5+1 5+1 3+2 4 1f+1 4 "
    "c+1 3a 5+4 2+1 5 15+1 17+5 2 3b 3 2+3 9 8+1 c+1 1f 3e d 33 4 38 2+2 6+2 2+3 8+1 c+1 1e 3b 3 7 "
    "6+1 15+1 1d+1 3a+1 5+3 9 15+1 1e 49 8+2 2 5b 3+6 d+7 63 3+8 c+5 4b+1 1c 2 2 38+d 2+4 2+1 6+a "
    "2+23 a 67+3 2+5 2+1 3+1 1a+1 5+2 11+3 e 3+1 7 10 c3+9f 15e+2 3b3+2 1e+1 1f+1 1f+1 41+1 2+6 9 3+a "
    "a 2e+4 76+1 23 77+2 5+1 a 7+2 dc+1 3 3b 2+6 2 2 3+7 7+9 3 31+1e 32+3 31 2+4 2 6 29+8 d+1 21+3 "
    "3+1 2+2 39 2+1 4 2+2 3b+7 3+1 99+2 2+c 2+6 5 7 4+1 c7+3f 20c+4 1b+4 32+4 2+9 61+20 bff+2 8e "
    "61+1f 22b+3 6c+1 75d5+3 2+9 21+1 51+1 111 4 5 1a+1 6 98+1 1b+11 e 27+7 1a+a 2f+2 31 3+3 3+1 28 "
    "44+5 3+1 3+1 d 9 30 34 2+2 3+1 6+1 2 2b+1 9 ef 3 5 2bc3+16 5+30 2323 2e2+f 11+f d0 fa+2 202 e3 "
    "96+4 687+2 2+1 6+3 29+2 5 a6+1 23e+3 184+1 9a+a 32+3 7c 37+e 2a 3+1 b+2 32+3 3+1 8 3e+2 25+4 2+7 "
    "3f d+1 35+8 b+3 3 60+2 3 2+1 7 a1 4+7 16+1 3a+1 4 26+6 4+4 c4+7 3+2 2 18 55+5 2 5+1 2+1 ef+3 7+1 "
    "2+1 1c+1 56+7 3 2+1 6b 2 3+5 2 66+2 3+3 2+4 104+8 2+1 101+1 2 5 91+3 3+1 5 21+9 29+5 3+3 9 a+5 "
    "3+2 2f+c 2+1 197+6 2+5 2 53+15 3+6 2+1 2+1 7b+5 4 2+1 2+6 2 49+1 4 2 15c+1 153c+8 36b8+4 3c+6 "
    "419 40+3 52 4cb9+1 2+3 125d+2d 3+16 221+2 a+f 3+6 1f+3 95+2 7bc+36 5+31 9 f 17+4 2+e 551+6 2+10 "
    "3+6 2+1 2+4 106+6 178 3e+3 5e1+6 6e+6 c16b7 1f+5f 81+ef "
)
"""Combining: they join the cell to the left."""

_WIDE: Final = (
    "1100+5f 11bb+1 e+1 bf+3 4 3 20a+1 16+1 33+b 2c 14 e 9+1 12+1 6+1 9 6 16 8+1 2 5 3 8 5+1 1d 24 2 "
    "5+2 2 3e+2 19 f 35c+1 34 5 32b+19 2+58 d+d5 1b+b 5+29 5+10 3+55 5+64 6+2a 2+5d 2+53 d+2e 2+726c "
    "4+36 49a+1c 284+2ba3 215d+16d 3+69 337+9 17+22 2+12 2+3 96+5f 80+6 6ffa+3 d+1 f+17f7 9+4d5 2b+8 "
    "22e8+3 2+6 2+1 2+122 2e+2 12+3 9+18b 3d09 cb bf 3+9 66+2 e+2b 5+8 8+1 f+5 9b+20 d+8 2+45 2+15 "
    "d+2a 5+4 d+10 4 4+46 2 2+ba 3+3e e+3 2+17 13 1b+1 e 57+54 31+45 7 4+2 3+2 6+2 c+1 8+8 e4+b 5 "
    "11c+2e 2+9 2+b8 71+4 4+4 4+6 a+1c 4+a 6+5 b+9 7+7 9+6 50a+a6df 21+1038 8+dd 3+1681 f+1d30 "
    "c20+21d 5e3+134a "
)
"""Two cells."""


def _ranges(packed: str) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    end = 0
    for item in packed.split():
        distance, _, length = item.partition("+")
        start = end + int(distance, 16)
        end = start + (int(length, 16) if length else 0)
        out.append((start, end))
    return out


def _character_class(ranges: list[tuple[int, int]]) -> str:
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)


_ODD: Final = sorted(
    [(first, last, -1) for first, last in _ranges(_DROPPED)]
    + [(first, last, 0) for first, last in _ranges(_ZERO)]
    + [(first, last, 2) for first, last in _ranges(_WIDE)]
)
_BMP: Final = 0x10000


def _narrow_runs() -> re.Pattern[str]:
    """Runs of characters of one cell in the basic plane, which the regex engine finds by table."""
    odd = [(first, last) for first, last, _ in _ODD if first < _BMP]
    starts = [0x20, 0x80, *(last + 1 for _, last in odd)]
    ends = [0x7E, *(first - 1 for first, _ in odd), _BMP - 1]
    ranges = [(first, last) for first, last in zip(starts, ends, strict=True) if first <= last]
    return re.compile(f"[{_character_class(ranges)}]+")


NARROW: Final = _narrow_runs()
"""A run of characters of one cell each."""

_TABLE: Final = array("b", b"\x01") * (sys.maxunicode + 1)
for _first, _last, _cells in [(0, 0x1F, -1), (0x7F, 0x7F, -1), *_ODD]:
    _TABLE[_first : _last + 1] = array("b", [_cells]) * (_last + 1 - _first)


def width(char: str) -> int:
    """Cells that `char` takes: 0 joins the cell before it, -1 is thrown away."""
    return _TABLE[ord(char)]


def widths(text: str) -> list[int]:
    """`width` of each character."""
    return list(map(_TABLE.__getitem__, map(ord, text)))


_KEPT: Final = 4096


class _Columns(dict[str, tuple[str, ...]]):
    """What the columns hold that a character of one or two cells takes."""

    def __missing__(self, char: str) -> tuple[str, ...]:
        if len(self) >= _KEPT:
            self.clear()
        found = self[char] = (char, "") if width(char) == 2 else (char,)
        return found


_columns: Final = _Columns()


def columns(text: str) -> list[str]:
    """What each column holds of characters of one or two cells: the second half of a wide one is empty."""
    return list(chain.from_iterable(map(_columns.__getitem__, text)))
