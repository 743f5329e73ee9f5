"""What programs write for one frame, made by rule, and what painting it costs.

Everything comes from a fixed seed, so that two runs and two machines paint the same frames. Painting takes Textual,
which operations do not know: `amtui.widgets.render_benchmark` measures, in a process of its own.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

import msgspec
from msgspec import Struct

from amtui.errors import AmtuiError
from amtui.model import plain
from amtui.ops.table import render

PAINTER: Final = "amtui.widgets.render_benchmark"
"""Run with `-m`: FRAMES and names of cases as arguments, a line of JSON (`Painted`) for each on stdout."""
Program: TypeAlias = Callable[[int, int, int], bytes]
"""(frame, columns, lines) → what it writes for that frame."""

_WORDS: Final = (
    "def", "return", "self", "queue", "limit", "item", "import", "class", "value", "None", "for", "in", "if",
    "raise", "while",
)  # fmt: skip


def one_line(frame: int, columns: int, lines: int) -> bytes:
    """One line changes."""
    return (
        f"\x1b[{frame % (lines - 2) + 2};3H\x1b[3{frame % 8}mline {frame:06d} of the output\x1b[0m".encode()
    )


def code(frame: int, columns: int, lines: int) -> bytes:
    """An editor that scrolled: every line is another one, in five to ten colours."""
    chance = random.Random(frame)
    out = ["\x1b[H"]
    for y in range(lines):
        out.append(f"\x1b[{y + 1};1H\x1b[38;5;242m{frame + y:5d} \x1b[m{' ' * chance.choice([0, 4, 8])}")
        for _ in range(chance.randint(2, 6)):
            out.append(f"\x1b[38;5;{chance.choice([75, 114, 180, 204, 141])}m{chance.choice(_WORDS)}\x1b[m ")
        out.append("\x1b[K")
    return "".join(out).encode()


def dense(frame: int, columns: int, lines: int) -> bytes:
    """Runs of a few cells, each in two of thousands of true colours."""
    chance = random.Random(frame)
    out = []
    for y in range(lines):
        x = 0
        out.append(f"\x1b[{y + 1};1H")
        while x < columns:
            run = min(columns - x, chance.randint(2, 14))
            colours = ";".join(str(chance.choice((30, 80, 120, 200, 255))) for _ in range(3))
            under = ";".join(str(chance.choice((30, 80, 120, 200, 255))) for _ in range(3))
            out.append(f"\x1b[0;38;2;{colours};48;2;{under}m{'lorem ipsum dolor sit amet'[x % 9 :][:run]}")
            x += run
    return "".join(out).encode()


class Case(NamedTuple):
    """One figure: a program, the size of each console, and how many consoles draw at once."""

    name: str
    title: str
    program: Program
    columns: int
    lines: int
    panes: int = 1


_PROGRAMS: Final = (("one_line", "one line", one_line), ("code", "code redraw", code),
                    ("dense", "dense truecolor", dense))  # fmt: skip
_SIZES: Final = (("80x24", 80, 24, 1), ("200x50", 200, 50, 1), ("four_panes", 100, 25, 4))
CASES: Final = tuple(
    Case(f"render_{program}_{size}", title, paint, columns, lines, panes)
    for program, title, paint in _PROGRAMS
    for size, columns, lines, panes in _SIZES
)


class Painted(Struct, frozen=True, kw_only=True):
    """One case: milliseconds of CPU time from the changed screen to the bytes for the terminal, median frame."""

    name: str
    title: str
    columns: int
    lines: int
    panes: int
    frames: int
    amtui: float
    plain: float
    """The same number of widgets of that size, of one segment a line, painted whole by Textual."""
    ratio: float
    """amtui / plain: less is better."""


async def painted(cases: Sequence[Case], frames: int) -> AsyncIterator[Painted]:
    """Measure these, in a process that does nothing else, one after the other.

    Raises AmtuiError with the painter's last words when it fails.
    """
    words = [sys.executable, "-m", PAINTER, str(max(1, frames)), *(case.name for case in cases)]
    env = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}  # colours are measured
    child = await asyncio.create_subprocess_exec(*words, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env=env)
    assert child.stdout is not None
    assert child.stderr is not None
    complaints = asyncio.create_task(child.stderr.read())
    try:
        async for line in child.stdout:
            yield msgspec.json.decode(line, type=Painted)
        said = (await complaints).decode(errors="replace").strip()
        if await child.wait() != 0:
            last = plain(said.rpartition("\n")[2]) or f"exit status {child.returncode}"
            raise AmtuiError(f"painting could not be measured: {last}", "doctor checks this installation")
    finally:
        complaints.cancel()
        if child.returncode is None:
            child.kill()
            await child.wait()


def table(cases: Sequence[Painted]) -> str:
    """For people."""
    rows = [
        (each.title, f"{each.columns}×{each.lines}" + (f", {each.panes} panes" if each.panes > 1 else ""),
         f"{each.plain:.2f}", f"{each.amtui:.2f}", f"{each.ratio:.2f}×")
        for each in cases
    ]  # fmt: skip
    return (
        render(("frame", "size", "plain widget ms", "amtui ms", "ratio"), rows)
        + "\n\nmilliseconds of CPU time a frame, to the escape sequences; less is better"
    )
