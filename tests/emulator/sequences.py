"""Random terminal output from a seed: text, control functions and modes, weighted like real programs."""

from __future__ import annotations

import random

_ASCII = "abcdefXYZ 0123"
_ODD = (
    "あ",
    "漢",
    "字",
    "한",
    "🚀",
    "é",
    "ñ",
    "─",
    "│",
    "█",
    "e\u0301",
    "ａ",
    "❤\ufe0f",
    "👨\u200d👩",
    "\u200d",
    "ก็",
)
_LOOKS = (
    "0 1 2 3 4 5 7 8 9 21 22 23 24 25 27 28 29 31 32 39 41 44 49 53 55 59 91 102 4:0 4:3 4:5 48:2::1:2:3"
    " 58;5;9"
).split()
_RARE = (
    *(
        b"\x1bM",
        b"\x1bD",
        b"\x1bE",
        b"\x1b7",
        b"\x1b8",
        b"\x1b[s",
        b"\x1b[u",
        b"\x1bH",
        b"\x1b[g",
        b"\x1b[3g",
        b"\x1b#8",
    ),
    *(b"\x1b[?6h", b"\x1b[?6l", b"\x1b[?7l", b"\x1b[?7h", b"\x1b[4h", b"\x1b[4l", b"\x1b[?25l", b"\x1b[?25h"),
    *(
        b"\x1b[?1049h",
        b"\x1b[?1049l",
        b"\x1b[?47h",
        b"\x1b[?47l",
        b"\x1b[?1h",
        b"\x1b=",
        b"\x1b>",
        b"\x1b[?1002h",
    ),
    *(
        b"\x1b(0",
        b"\x1b(B",
        b"\x1b)0",
        b"\x0e",
        b"\x0f",
        b"\x1b[?2004h",
        b"\x1b]0;t\x07",
        b"\x1b[!p",
        b"\x1b[?3h",
    ),
    *(
        b"\x1b[>4;2m",
        b"\x1b[?u",
        b"\x1b[>1u",
        b"\x1b[<u",
        b"\x1b[3J",
        b"\x1bc",
        b"\x1bPq~\x1b\\",
        b"\x1b_x\x1b\\",
        b"\x7f",
    ),
)


def token(chance: random.Random, columns: int, lines: int, *, wide: bool) -> bytes:
    """One piece of output for a screen of that size."""

    def number(largest: int) -> str:
        return str(chance.choice([0, 1, 1, 2, 3, chance.randint(0, largest), largest, largest + 5, ""]))

    def text() -> str:
        if wide and chance.random() < 0.35:
            odd = "".join(chance.choice(_ODD) for _ in range(chance.randint(1, 6)))
            # tmux forgets a joiner at the end of what it read at once, which no one can see from outside
            return odd + "ñ" if odd.endswith("\u200d") else odd
        return "".join(
            chance.choice(_ASCII) for _ in range(chance.randint(1, chance.choice([4, 12, columns + 5])))
        )

    def look() -> str:
        codes = [chance.choice(_LOOKS) for _ in range(chance.randint(0, 3))]
        if chance.random() < 0.3:
            codes.append(
                chance.choice(["38;5;{}", "48;5;{}", "38;2;{};0;9", "48;2;7;{};9"]).format(
                    chance.randint(0, 255)
                )
            )
        return f"\x1b[{';'.join(codes)}m"

    def edit() -> str:
        if chance.random() < 0.1:
            return f"q\x1b[{number(columns)}b"
        return f"\x1b[{number(chance.choice([lines, columns]))}{chance.choice('LMP@XSTZ')}"

    kinds = {
        text: 33,
        (lambda: chance.choice(["\r\n", "\n", "\r", "\b", "\t", "\v"])): 10,
        (lambda: f"\x1b[{number(lines)};{number(columns)}H"): 12,
        look: 11,
        (lambda: f"\x1b[{number(max(columns, lines))}{chance.choice('ABCDEFGd`')}"): 14,
        edit: 10,
        (lambda: f"\x1b[{chance.choice(['', '0', '1', '2'])}{chance.choice('JK')}"): 5,
        (lambda: f"\x1b[{number(lines)};{number(lines)}r"): 2,
        (lambda: ""): 4,
    }
    (make,) = chance.choices(list(kinds), list(kinds.values()))
    return make().encode() or chance.choice(_RARE)


def output(seed: object, count: int, columns: int, lines: int, *, wide: bool) -> list[bytes]:
    """`count` tokens; the same for the same seed."""
    chance = random.Random(str(seed))
    return [token(chance, columns, lines, wide=wide) for _ in range(count)]
