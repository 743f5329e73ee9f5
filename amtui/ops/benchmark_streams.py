"""Terminal output made by rule, for measuring emulators: logs, agents' repaints, full-screen programs, stress.

Everything comes from a fixed seed, so that two runs and two machines measure the same bytes. The `vt_` streams
rebuild the cases of vtebench (github.com/alacritty/vtebench) for 80×24 cells.
"""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

COLUMNS: Final = 80
LINES: Final = 24

RECORDINGS: Final = Path(__file__).parents[2] / "tests" / "emulator" / "recordings"
"""Recorded programs, when run from a checkout."""

_WORDS: Final = (
    "worker", "queue", "token", "build", "passed", "failed", "retry", "the", "and", "with", "update", "module",
    "change", "session", "cache", "started", "finished", "in", "of", "a", "to", "for", "is", "refactor", "connection",
    "timeout", "request",
)  # fmt: skip
_WIDE: Final = "静かな海の上を船が進む世界中の人々が話す言葉안녕하세요조용한바다입니다漢字仮名交じり文"
_SPINNER: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class Sample(NamedTuple):
    """One stream: its bytes and the screen they were made for."""

    name: str
    data: bytes
    columns: int = COLUMNS
    lines: int = LINES
    realistic: bool = False
    """Output as people have it all day, rather than stress for one part of an emulator."""


def _words(chance: random.Random, count: int) -> str:
    return " ".join(chance.choice(_WORDS) for _ in range(count))


def _plain_log(chance: random.Random) -> Iterator[str]:
    for n in range(1_000_000):
        yield f"{n:06d} INFO {_words(chance, chance.randint(3, 8))}"[:COLUMNS] + "\r\n"


def _git_log(chance: random.Random) -> Iterator[str]:
    while True:
        graph = chance.choice(["* ", "| * ", "|\\ ", "* | "])
        refs = "\x1b[33m (\x1b[m\x1b[1;36mHEAD\x1b[m\x1b[33m)\x1b[m" if chance.random() < 0.1 else ""
        yield (
            f"\x1b[31m{graph}\x1b[m\x1b[33m{chance.getrandbits(28):07x}\x1b[m{refs} "
            f"\x1b[32m({chance.randint(1, 23)} hours ago)\x1b[m {_words(chance, 5)} \x1b[1;34m<demo>\x1b[m\r\n"
        )


def _cjk(chance: random.Random) -> Iterator[str]:
    while True:
        start = chance.randrange(len(_WIDE))
        wide = (_WIDE * 3)[start : start + chance.randint(5, 30)]
        yield f"{_words(chance, 2)} {wide} \x1b[1m{_words(chance, 1)}\x1b[m {wide[:4]}\r\n"


def _ls_colour(chance: random.Random) -> Iterator[str]:
    while True:
        date = f"{chance.randint(1, 28):2d} Jan {chance.randint(0, 23):02d}:00"
        start = f"-rw-r--r-- 1 demo demo {chance.randint(1, 10**7):8d} {date} "
        name = f"{_words(chance, 1)}{chance.randint(0, 999)}"
        yield chance.choice([
            f"{start}{name}.txt\r\n", f"{start}{name}.py\r\n", f"{start}\x1b[01;34m{name}\x1b[0m\r\n",
            f"{start}\x1b[01;31m{name}.tar.gz\x1b[0m\r\n", f"{start}\x1b[01;32m{name}.sh\x1b[0m\r\n",
        ])  # fmt: skip


def _ink_repaint(chance: random.Random) -> Iterator[str]:
    """An agent's command line: text runs in above a box that is erased and drawn anew at each frame."""
    height, shown = 0, 0
    box = "─" * (COLUMNS - 2)
    while True:
        out = ["\x1b[?2026h", "\x1b[2K\x1b[1A" * height, "\x1b[2K\x1b[G" if height else ""]
        if shown % 7 == 0:
            out.append(f"\x1b[38;2;215;119;87m●\x1b[39m {_words(chance, 9)}\r\n")
        if shown % 29 == 0:
            out.append(f"  \x1b[2m⎿ \x1b[22m \x1b[38;5;246m{_words(chance, 7)}\x1b[39m\r\n")
        rows = [
            f"\x1b[38;2;215;119;87m{_SPINNER[shown % len(_SPINNER)]}\x1b[39m \x1b[38;2;153;153;153mWorking… "
            f"({shown // 30}s · ↑ \x1b[1m{shown * 11} tokens\x1b[22m · esc to interrupt)\x1b[39m",
            "",
            f"\x1b[38;2;136;136;136m╭{box}╮\x1b[39m",
            f"\x1b[38;2;136;136;136m│\x1b[39m > \x1b[7m \x1b[27m\x1b[2m{_words(chance, 4):<{COLUMNS - 7}}\x1b[22m"
            "\x1b[38;2;136;136;136m│\x1b[39m",
            f"\x1b[38;2;136;136;136m╰{box}╯\x1b[39m",
            f"  \x1b[2m? for shortcuts{'':>{COLUMNS - 40}}{shown % 100}% context left\x1b[22m",
        ]
        out.append("\r\n".join(rows) + "\r\n\x1b[?2026l")
        height, shown = len(rows), shown + 1
        yield "".join(out)


def _truecolor(chance: random.Random) -> Iterator[str]:
    """A full-screen program that redraws runs of a few cells, each in colours of its own."""
    frame = 0
    while True:
        out = ["\x1b[H"]
        for y in range(LINES):
            out.append(f"\x1b[{y + 1};1H")
            for x in range(0, COLUMNS, 4):
                value = (x * 3 + y * 7 + frame * 5) % 256
                out.append(
                    f"\x1b[38;2;{value};{255 - value};{y * 10}m\x1b[48;2;{y * 8};0;{value}m{frame % 10000:4d}"
                )
        frame += 1
        yield "".join(out) + "\x1b[0m"


def _cursor_motion(chance: random.Random) -> Iterator[str]:
    while True:
        for char in "ABCDEFGHIJKLMNOPQRSTUVWXYZ":
            for inset in range(LINES // 2):
                top, bottom, left, right = inset + 1, LINES - inset, inset + 1, COLUMNS - inset
                around = [(top, x) for x in range(left, right)] + [(y, right) for y in range(top, bottom)]
                around += [(bottom, x) for x in range(right, left, -1)] + [
                    (y, left) for y in range(bottom, top, -1)
                ]
                yield "".join(f"\x1b[{y};{x}H{char}" for y, x in around)


def _dense_cells(chance: random.Random) -> Iterator[str]:
    offset = 0
    while True:
        for char in "ABCDEFGHIJKLMNOPQRSTUVWXYZ":
            offset += 1
            yield "\x1b[H" + "".join(
                f"\x1b[38;5;{(y + x + offset) % 156 + 100};48;5;{255 - (y + x + offset) % 156};1;3;4m{char}"
                for y in range(LINES)
                for x in range(COLUMNS)
            )


def _light_cells(chance: random.Random) -> Iterator[str]:
    while True:
        for char in "ABCDEFGHIJKLMNOPQRSTUVWXYZ":
            yield "\x1b[H" + char * (COLUMNS * LINES)


def _medium_cells(chance: random.Random, begin: str = "", end: str = "") -> Iterator[str]:
    """Like an editor: short coloured words, positioned line by line."""
    while True:
        out = [begin]
        for y in range(1, LINES + 1):
            out.append(f"\x1b[{y};1H\x1b[38;5;242m{y:4d} ")
            x = 5
            while x < COLUMNS - 14:
                word = chance.choice(_WORDS)
                out.append(f"\x1b[38;5;{chance.randint(1, 255)}m{word}\x1b[m ")
                x += len(word) + 1
            out.append("\x1b[K")
        yield "".join(out) + end


def _sync_medium_cells(chance: random.Random) -> Iterator[str]:
    return _medium_cells(chance, "\x1b[?2026h", "\x1b[?2026l")


def _scrolling(top: int, bottom: int) -> Callable[[random.Random], Iterator[str]]:
    """Line feeds without carriage returns, within a scroll region if one is given."""

    def stream(chance: random.Random) -> Iterator[str]:
        if top:
            yield f"\x1b[{top};{bottom}r\x1b[{bottom};1H"
        while True:
            yield "y\n" * 1000

    return stream


def _scrolling_fullscreen(chance: random.Random) -> Iterator[str]:
    while True:
        for char in "ABCDEFGHIJKLMNOPQRSTUVWXYZ":
            yield (char * COLUMNS + "\r\n") * LINES


def _unicode(chance: random.Random) -> Iterator[str]:
    blocks = ((0xA1, 0x2AF), (0x370, 0x3FF), (0x400, 0x482), (0x2190, 0x23FF), (0x2500, 0x26FF), (0x3041, 0x30FF),
              (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0x1F300, 0x1F64F))  # fmt: skip
    while True:
        for first, last in blocks:
            yield "".join(map(chr, range(first, last)))


_REALISTIC: Final[dict[str, Callable[[random.Random], Iterator[str]]]] = {
    "ansi_gitlog": _git_log,
    "ascii_scroll": _plain_log,
    "cjk": _cjk,
    "ink_repaint": _ink_repaint,
    "ls_color": _ls_colour,
    "redraw_truecolor": _truecolor,
}
_STRESS: Final[dict[str, Callable[[random.Random], Iterator[str]]]] = {
    "vt_cursor_motion": _cursor_motion,
    "vt_dense_cells": _dense_cells,
    "vt_light_cells": _light_cells,
    "vt_medium_cells": _medium_cells,
    "vt_scrolling": _scrolling(0, 0),
    "vt_scrolling_bottom_region": _scrolling(2, LINES),
    "vt_scrolling_bottom_small_region": _scrolling(LINES // 2, LINES),
    "vt_scrolling_fullscreen": _scrolling_fullscreen,
    "vt_scrolling_top_region": _scrolling(1, LINES - 1),
    "vt_scrolling_top_small_region": _scrolling(1, LINES // 2),
    "vt_sync_medium_cells": _sync_medium_cells,
    "vt_unicode": _unicode,
}

PLAIN_LOG: Final = "ascii_scroll"
RECORDED: Final = "rec_tuis"
_RECORDED_SIZE: Final = 40_000
"""A shorter recording is played again and again up to this size: a console lives longer than a few lines."""


def _cut(pieces: Iterator[str], size: int) -> bytes:
    """Whole pieces until there are `size` bytes."""
    out = bytearray()
    for piece in pieces:
        out += piece.encode()
        if len(out) >= size:
            break
    return bytes(out)


def generated(size: int) -> Iterator[Sample]:
    """Every stream that is made by rule, of about `size` bytes each."""
    for realistic, makers in ((True, _REALISTIC), (False, _STRESS)):
        for name, make in makers.items():
            yield Sample(name, _cut(make(random.Random(name)), size), realistic=realistic)


def recorded(folder: Path = RECORDINGS) -> Iterator[Sample]:
    """Every recorded program, and before them all of those for 80 columns in one stream; none without a checkout."""
    found, once = [], []
    for path in sorted(folder.glob("*.raw.gz")):
        match = re.fullmatch(r"(.+)_(\d+)x(\d+)\.raw\.gz", path.name)
        if match:
            data = gzip.decompress(path.read_bytes())
            if int(match[2]) == COLUMNS:
                once.append(data)
            data *= -(-_RECORDED_SIZE // len(data))
            found.append(Sample(f"rec_{match[1]}", data, int(match[2]), int(match[3])))
    if found:
        yield Sample(RECORDED, b"\x1bc".join(once), realistic=True)
    yield from found
