"""What an adversary would send: 64 KB each of what costs an emulator most for a byte."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

CHUNK: Final = 65_536
_ALT: Final = "\x1b[?1049h"

# name: (what comes once, what comes again and again)
_REPEATED: Final = {
    "region scrolls": ("", "\x1b[2;9r\x1b[9;1H\n\x1b[2;1H\x1bM"),
    "wide at the edge": ("", "\x1b[1;80H漢漢"),
    "wide overwritten": ("", "漢漢漢\b\bx\r"),
    "wide overwritten by halves": ("", "漢漢漢漢\r\x1b[Cx\x1b[Cy\r"),
    "narrow on a wide line": ("", "\r漢é漢é"),
    "insert mode": ("", "\x1b[4habc\r"),
    "insert mode, wide": ("\x1b[4h", "漢\r"),
    "erase with colours": ("", "\x1b[48;5;1mx\x1b[2J"),
    "alternate with text": ("", "\x1b[?1049hx\n\x1b[?1049ly\n"),
    "alternate in one sequence": ("", "\x1b[?" + "1049;" * 12 + "1049h\x1b[?" + "1049;" * 12 + "1049l"),
    "132 columns in one sequence": ("", "\x1b[?" + "3;" * 22 + "3h"),
    "half sequences": ("", "\x1b[\x1b]\x1bP\x1b(\x1b"),
    "links": ("", "\x1b]8;id=1;http://x/\x07a"),
    "many parameters": ("", "\x1b[" + "38;2;1;2;3;" * 20 + "m"),
    "colons": ("", "\x1b[4:3;58:2::1:2:3;38:2::9:9:9mx"),
    "repeat lines": ("", "x\x1b[9999b\r\n"),
    "repeat and wrap": ("", "x\x1b[999b"),
    "tab stops": ("", "\x1b[9999I\x1b[9999Z\t"),
    "no tab stops": ("\x1b[3g", "\r\t"),
    "tab stops set and cleared": ("", "\x1bH\x1b[C\x1b[g\x1b[C"),
    "tab stops and resets": ("", "\x1bH\x1bc"),
    "cursor": ("", "\x1b[9999;9999H\x1b[1;1Hx"),
    "emoji": ("", "👩‍👩‍👧‍👦❤️"),
    "joiners of ASCII": ("", "a\u200d"),
    "combining, one a cell": ("", "e\u0301"),
    "combining far back": ("漢" * 200 + "\r", "\u0301"),
    "soft wrap": ("", "x" * 79 + "漢"),
    "clear history": ("", "\r\n" * 30 + "\x1b[3J"),
    "reset": ("", "\x1bc"),
    "reset a line": ("", "x\x1bc"),
    "reset lines": ("", "x\r\n\x1bc"),
    "charsets": ("", "\x1b(0lqqqk\x0exx\x0f\x1b(B"),
    "line feeds and returns": ("", "\n\r"),
    "line feeds and backspaces": ("", "\n\b"),
    "line feeds after text": ("", "x\n"),
    "line feeds after wide text": ("", "漢\n"),
    "line feeds in colour": ("\x1b[41m", "\n"),
    "line feeds in sequences": ("", "\x1b[\n1\nm"),
    "vertical tabs": ("", "\v"),
    "next lines": ("", "\x1bE"),
    "lines on the alternate screen": (_ALT, "x\r\n"),
    "lines in colour": ("\x1b[41m", "x\r\n"),
    "lines with wrapping off": ("\x1b[?7l", "x\r\n"),
    "lines in a region": ("\x1b[2;9r\x1b[9H", "x\r\n"),
    "stairs on the alternate screen": (_ALT, "x\n"),
    "stairs in colour": ("\x1b[41m", "x\n"),
    "long stairs": ("", "x" * 7 + "\n"),
    "blank lines": ("", " \r\n"),
    "wide lines": ("", "漢" * 60 + "\r\n"),
    "scroll up after text": ("", "x\x1b[S"),
    "scroll down after text": ("", "x\x1b[T"),
    "scroll to and fro": ("", "\x1b[S\x1b[T"),
    "scroll on the alternate screen": (_ALT, "\x1b[S"),
    "reverse on the alternate screen": (_ALT, "\x1bM"),
    "insert and delete a line": ("", "\x1b[L\x1b[M"),
    "insert a cell": ("", "\x1b[@"),
    "delete a cell": ("", "\x1b[P"),
    "clear a used line": ("", "x\x1b[2J"),
    "clear from home": ("", "\x1b[Hx\x1b[H\x1b[J"),
    "clear to here": ("", "x\x1b[999;999H\x1b[1J"),
    "clear in colour": ("\x1b[41m", "\x1b[2J"),
    "clear an aligned screen": ("", "\x1b#8\x1b[2J"),
    "clear an aligned alternate screen": (_ALT, "\x1b#8\x1b[2J"),
    "align and draw": ("", "\x1b#8\x1b[5;5Hx"),
    "align and erase": ("", "\x1b#8\x1b[1J"),
    "align a wrapped screen": ("x" * 9000, "\x1b#8"),
    "erase a line in colour": ("\x1b[41m", "\x1b[2K"),
    "wrap pending and back": ("", "\x1b[999Gxx\b\b"),
    "wrap at the bottom": ("", "\x1b[999;999Hxx"),
    "wrapping off": ("\x1b[?7l", "x"),
    "wrapping off, not ASCII": ("\x1b[?7l", "é"),
    "wrapping off, coloured underline": ("\x1b[?7l\x1b[58;5;1m", "x"),
    "titles pushed and popped": ("", "\x1b[22t\x1b[23t"),
    "titles pushed in one sequence": ("", "\x1b[" + "22;0;" * 10 + "22;0t"),
    "restore": ("", "\x1b8"),
    "save and restore": ("", "\x1b[s\x1b[u"),
    "unknown": ("", "\x1b[>9z"),
    "sequences cut off": ("", "\x1b[\x18"),
    "strings cut off": ("", "\x1b]0;\x18"),
    "device control": ("", "\x1bP\x1b\\"),
    "line feeds in strings": ("", "\x1b]0;\n\x07"),
    "astral": ("", "\U0001d400"),
    "astral, joining": ("", "\U000e0100"),
    "not assigned": ("", "\u0378"),
}  # fmt: skip

_BROKEN: Final = {
    "invalid UTF-8": b"\xe6\xbc\xf0\x9f\xff",
    "half characters": b"\xe3a",
    "half characters and sequences": b"\xe3\x81\x1b[m",
    "half characters and strings": b"\xc2\x1b]",
    "starts only": b"\xe3",
    "never started": b"\xff",
}

_Write = Callable[[random.Random, int], str]
_NEVER_THE_SAME: Final[dict[str, _Write]] = {
    "random numbers": lambda r, n: f"\x1b[{r.randrange(9999)};{r.randrange(9999)}{r.choice('ABCDEFGHJKLMPSTXZ@dr`')}",
    "places": lambda r, n: f"\x1b[{r.randrange(99999)};{r.randrange(99999)}H",
    "true colours": lambda r, n: f"\x1b[38;2;{n % 256};{n // 256};{r.randrange(256)};48;2;{n % 256};0;0mx",
    "true colours, one by one": lambda r, n: f"\x1b[38;2;{n % 256};{n // 256};{r.randrange(256)}mx\x1b[0m",
    "palette colours": lambda r, n: f"\x1b[{r.randrange(9)};38;5;{r.randrange(256)};48;5;{r.randrange(256)}mx",
    "underline colours": lambda r, n: f"\x1b[58;2;{r.randrange(256)};{r.randrange(256)};{r.randrange(256)}m ",
    "scroll in colours": lambda r, n: f"\x1b[48;2;{r.randrange(256)};{r.randrange(256)};{r.randrange(256)}m\n",
    "clear in colours": lambda r, n: f"\x1b[48;2;{r.randrange(256)};{r.randrange(256)};{r.randrange(256)}m\x1b[2J",
    "links to everywhere": lambda r, n: f"\x1b]8;;h{n}\x07x",
    "links and looks": lambda r, n: f"\x1b]8;;{n}\x07\x1b[1m\x1b[m",
    "long links": lambda r, n: f"\x1b]8;;{n}http://{'y' * 1900}\x07x",
    "titles": lambda r, n: f"\x1b]0;{n}\x07",
    "all of Unicode": lambda r, n: chr(r.choice([r.randrange(0xA0, 0xD7FF), r.randrange(0xE000, 0x10FFFF)])),
    "bits of sequences": lambda r, n: r.choice("\x1b\x1b[[\n\r\b;0123456789MDE78HJKLMPSTX@mhl?rcxあ"),
    "widths": lambda r, n: r.choice("漢aé\u0301\u200d🚀\r\b"),
}  # fmt: skip


def hostile() -> dict[str, bytes]:
    """64 KB of each kind, the same every time."""
    made = {}
    for name, (once, again) in _REPEATED.items():
        start, piece = once.encode(), again.encode()
        made[name] = (start + piece * (CHUNK // len(piece) + 1))[:CHUNK]
    for name, piece in _BROKEN.items():
        made[name] = (piece * (CHUNK // len(piece) + 1))[:CHUNK]
    for name, write in _NEVER_THE_SAME.items():
        chance, out, n = random.Random(name), bytearray(), 0
        while len(out) < CHUNK:
            out += write(chance, n).encode()
            n += 1
        made[name] = bytes(out[:CHUNK])
    return made
