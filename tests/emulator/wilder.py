"""Random output unlike any program's: the whole grammar, all of Unicode, modes by the dozen, floods of lines.

Written independently of `sequences.py`, to find what that one does not think of.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from amtui.emulator.width import width

Make = Callable[[random.Random, int, int], str | bytes]

_WEIRD: Final = (
    "300 301 20e3 200b 200c 200d 200e 2060 fe0e fe0f feff ad a0 85 9b 9d 90 3000 1100 1161 11a8 ac00 1f1e9 1f1ea 1f3fd"
    " 1f44d 1f468 1f469 2764 231a 23e9 2614 26a1 2b50 1f600 1f9d1 e0001 e0067 e007f e33 e48 903 93f bcd 302a 302e 3164"
    " ffa0 115f 17b4 180e d7b0 ff21 ffe6 2500 2580 2630 4dc0 fffd ffff 10ffff e000 f8ff 1fbf0 1f6d5 20000 30000 3fffd"
).split()
_MODES: Final = (
    "1 3 5 6 7 12 25 45 47 66 69 1000 1001 1002 1003 1004 1005 1006 1047 1048 1049 2004 2026".split()
)
_CONTROLS: Final = (
    "\r\n",
    "\n",
    "\r",
    "\b",
    "\t",
    "\v",
    "\f",
    "\x0e",
    "\x0f",
    "\a",
    "\x7f",
    "\0",
    "\x05",
    "\x1a",
    "\x18",
)
_SWITCHES: Final = (
    "[?6h [?6l [?7l [?7h [4h [4l [?1049h [?1049l [?47h [?1047l 7 8 [s [u c [?3h #8 [3J [?1048h [?1048l [r"
).split()
_STRINGS: Final = ("P", "]", "_", "^", "X", "k", "]0;", "]2;", "]8;;", "]8;id=1;", "]133;A", "]1;")
_CUT: Final = (
    b"\x1b[31m",
    b"\x1b[2;3H",
    b"\x1b[?25l",
    b"\x1b(0",
    b"\x1b[1K",
    b"\x1b[2;4r",
    b"\x1b]0;ti\a",
    b"\x1bPq\x1b\\",
)


def _text(chance: random.Random, longest: int, letters: str = "abcXYZ 019~") -> str:
    return "".join(chance.choice(letters) for _ in range(chance.randint(1, longest)))


def _character(chance: random.Random) -> str:
    kind = chance.random()
    if kind < 0.4:
        return chr(int(chance.choice(_WEIRD), 16))
    if kind < 0.9:
        return chr(
            chance.randint(
                *chance.choice([(0x4E00, 0x9FFF), (0x20, 0x7E), (0xA0, 0x17FF), (0x1F000, 0x1FAFF)])
            )
        )
    code = chance.randint(0xA0, 0x10F7FF)
    return chr(code if code < 0xD800 else code + 0x800)


def _characters(chance: random.Random, longest: int) -> str:
    text = "".join(_character(chance) for _ in range(chance.randint(1, longest)))
    # tmux forgets a joiner at the end of what it read at once, which no one can see from outside
    joiner = text.rfind("\u200d")
    waits = joiner >= 0 and all(char.isascii() or width(char) < 0 for char in text[joiner + 1 :])
    return text + "ñ" if waits else text


def _number(chance: random.Random, largest: int) -> str:
    odd = ("9999", "65536", "2147483647", "2147483648", "4294967297", "1:2", ":1")
    usual = (
        "",
        "0",
        "1",
        "2",
        "3",
        largest,
        largest + 1,
        chance.randint(0, largest),
        chance.randint(0, 3 * largest),
    )
    return str(chance.choice(odd if chance.random() < 0.2 else usual))


def _sequence(chance: random.Random, columns: int, lines: int) -> str:
    marker = chance.choice(("", "", "", "", "", "", "?", ">", "=", "<"))
    between = chance.choice(" !\"#$%&'()*+,-./") if chance.random() < 0.06 else ""
    final = (
        chance.choice("ABCDEFGHJKLMPSTXZ@`adfghlmrsub")
        if chance.random() < 0.5
        else chr(chance.randint(64, 126))
    )
    if final in "nt" or (final == "q" and marker in "?>"):
        return ""  # would be answered
    if marker == "?" and final in "hl":
        return f"\x1b[?{';'.join(chance.choice(_MODES) for _ in range(chance.choice((1, 1, 2))))}{final}"
    count = chance.choice((0, 1, 1, 1, 2, 2, 3, 5, 24))
    numbers = ";".join(_number(chance, chance.choice((columns, lines))) for _ in range(count))
    return f"\x1b[{marker}{numbers}{between}{final}"


def grammar(chance: random.Random, columns: int, lines: int) -> str | bytes:
    """Everything that there is syntax for, and that in which syntax is broken."""
    kind = chance.random()
    if kind < 0.3:
        return _text(chance, chance.choice((3, 10, columns + 6)))
    if kind < 0.36:
        return chance.choice(_CONTROLS)
    if kind < 0.75:
        return _sequence(chance, columns, lines)
    if kind < 0.8:
        between, final = chance.choice(("", "", "", " ", "#", "(", ")")), chr(chance.randint(48, 126))
        return "\x1b7" if not between and final in "PX^_k][Zc" else f"\x1b{between}{final}"
    if kind < 0.86:
        body = "".join(chance.choice('abc;12:"\\ $+?é漢') for _ in range(chance.randint(0, 12)))
        return f"\x1b{chance.choice(_STRINGS)}{body}" + chance.choice(
            ("\x1b\\", "\a\x1b\\", "\x18\x1b\\", "\x1bX\x1b\\")
        )
    if kind < 0.92:
        return _characters(chance, 5)
    if kind < 0.96:
        broken = bytes(
            chance.choice(b"\xc0\xc2\xe3\x81\x82\xed\xa0\xf0\x9f\xf4\x90\xff\x80\xe0") for _ in range(4)
        )
        return broken + chance.choice((b"\x1b[m", b"x", b"\x1b\\"))
    cut = bytearray(chance.choice(_CUT))
    cut.insert(chance.randint(1, len(cut) - 1), chance.choice(b"\x1b\x18\x1a\n\b\r\x7f\0\x0e\x0f? <:$"))
    return bytes(cut) + b"\x1b\\"


def characters(chance: random.Random, columns: int, lines: int) -> str | bytes:
    """Characters of every width over each other, and what cuts and moves them."""
    kind = chance.random()
    if kind < 0.5:
        return _characters(chance, chance.choice((2, 6, columns)))
    if kind < 0.6:
        return chance.choice(("\r\n", "\n", "\r", "\b", "\b\b", "\t", "\x1bM"))
    if kind < 0.75:
        return f"\x1b[{chance.randint(1, lines)};{chance.randint(1, columns)}H"
    if kind < 0.8:
        return chance.choice(
            ("\x1b[4h", "\x1b[4l", "\x1b[?7l", "\x1b[?7h", "\x1b(0", "\x1b(B", "\x1b[?1049h", "\x1b[?1049l")
        )
    if kind < 0.93:
        return f"\x1b[{chance.choice(('', '1', '2', '3'))}{chance.choice('KXP@LMJbCD')}"
    if kind < 0.96:
        return _text(chance, columns + 2)
    return f"\x1b[{chance.choice(('0', '1', '31', '44', '4', '4:3', '58;5;3', '7', '53', '48;2;1;2;3'))}m"


def switches(chance: random.Random, columns: int, lines: int) -> str | bytes:
    """Modes, regions, saved cursors and screens, one upon the other."""
    kind = chance.random()
    if kind < 0.35:
        return _text(chance, columns + 3) if kind < 0.3 else "漢é" * chance.randint(1, columns)
    if kind < 0.5:
        return chance.choice(("\r\n", "\n", "\n\n\n", "\x1bM", "\x1bM\x1bM", "\x1bD", "\x1bE", "\r", "\b"))
    if kind < 0.7:
        return f"\x1b[{chance.randint(0, lines + 1)};{chance.randint(0, columns + 1)}{chance.choice('rHH')}"
    if kind < 0.8:
        return f"\x1b{chance.choice(_SWITCHES)}"
    if kind < 0.93:
        count = chance.choice(("", "1", "2", "3", "99", str(lines), str(columns)))
        return f"\x1b[{count}{chance.choice('LMSTP@XJKABCDEFGdZI`')}"
    return f"\x1b[{chance.choice(('0', '1', '31', '44', '42', '49', '38;5;200', '48;5;9', '7'))}m"


def floods(chance: random.Random, columns: int, lines: int) -> str | bytes:
    """Many lines at once, with and without CR, in regions and on both screens, and what clears them."""
    kind = chance.random()
    if kind < 0.5:
        end, longest = ("\r\n", columns + 4) if kind < 0.3 else ("\n", chance.choice((2, 5, columns)))
        return "".join(_text(chance, longest, "ab 01")[1:] + end for _ in range(chance.randint(1, 2 * lines)))
    if kind < 0.6:
        return chance.choice(("\n", "\r\n", "\v")) * chance.randint(1, lines + 2)
    if kind < 0.7:
        place = f"{chance.randint(1, lines)};{chance.randint(1, columns)}"
        return f"\x1b[{chance.randint(0, lines + 1)};{chance.randint(0, lines + 1)}r\x1b[{place}H"
    if kind < 0.8:
        return f"\x1b{chance.choice('[?1049h [?1049l [?47h [?47l c [H [2J #8 [J [1J [3J'.split())}"
    if kind < 0.9:
        return f"\x1b[{chance.choice(('0', '1', '31', '44', '49', '48;2;1;2;3'))}m"
    return f"\x1b[{chance.choice(('', '1', '2', '3', '99'))}{chance.choice('LMSTP@XJKAB')}"


KINDS: Final[dict[str, Make]] = {
    "grammar": grammar, "characters": characters, "switches": switches, "floods": floods,
}  # fmt: skip
SIZES: Final = ((20, 6), (80, 24), (10, 4), (5, 3), (3, 5), (40, 12), (16, 2), (2, 2))


def output(kind: str, seed: int, count: int) -> tuple[tuple[int, int], list[bytes]]:
    """A size of screen, and `count` pieces of output for it; the same for the same seed."""
    chance = random.Random(f"{kind} {seed}")
    columns, lines = chance.choice(SIZES)
    made = [KINDS[kind](chance, columns, lines) for _ in range(count)]
    return (columns, lines), [each if isinstance(each, bytes) else each.encode() for each in made]
