"""The mouse of a program in a console: which cell, which button, and what becomes of a drag that leaves the console."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from textual.pilot import Pilot
from ui_fake import FakeConsole, FakeContext
from ui_pilot import Start, until
from ui_terminal import send, typing_into, view_of

sys.path.insert(0, str(Path(__file__).parent.parent / "emulator"))

from keytable import sgr


def top_left(pilot: Pilot[None]) -> tuple[int, int]:
    """Where the console's first cell is on the terminal, from 1."""
    region = view_of(pilot).content_region
    return region.x + 1, region.y + 1


async def told(pilot: Pilot[None], console: FakeConsole, *data: bytes) -> list[str]:
    """What the program gets for each event, without the introducer."""
    out = []
    for each in data:
        console.typed.clear()
        await send(pilot, each.decode("latin-1"))
        out.append(re.sub(r"^\x1b\[<?", "", console.typed.decode("latin-1")))
    return out


async def test_every_button_and_wheel(start: Start, ctx: FakeContext) -> None:
    async with start() as pilot:
        console = await typing_into(pilot, ctx)
        console.feed(b"\x1b[?1003h\x1b[?1006h")
        left, top = top_left(pilot)
        for code in (0, 1, 2, 8, 16, 128, 129, 130, 131):
            data = [
                sgr(code, left + 3, top + 2),
                sgr(code + 32, left + 4, top + 2),
                sgr(code, left + 4, top + 2, "m"),
            ]
            assert await told(pilot, console, *data) == [f"{code};4;3M", f"{code + 32};5;3M", f"{code};5;3m"]
        wheels = [sgr(code, left + 3, top + 2) for code in (64, 65, 66, 67, 80)]
        assert await told(pilot, console, *wheels) == ["64;4;3M", "65;4;3M", "66;4;3M", "67;4;3M", "80;4;3M"]
        assert await told(pilot, console, sgr(35, left, top), sgr(51, left + 1, top)) == [
            "35;1;1M",
            "51;2;1M",
        ]
        assert await told(pilot, console, sgr(64, left, top, "m")) == [""], "a wheel cannot be released"


async def test_a_drag_that_leaves_the_console_stays_at_its_edge(start: Start, ctx: FakeContext) -> None:
    async with start() as pilot:
        console = await typing_into(pilot, ctx)
        console.feed(b"\x1b[?1002h\x1b[?1006h")
        left, top = top_left(pilot)
        width, height = view_of(pilot).size
        data = [
            sgr(0, left + 2, top + 2),
            sgr(32, 1, 1),
            sgr(32, 120, 36),
            sgr(0, 120, 36, "m"),
            sgr(35, 120, 36),
        ]
        assert await told(pilot, console, *data) == [
            "0;3;3M",
            "32;1;1M",
            f"32;{width};{height}M",
            f"0;{width};{height}m",
            "",
        ]
        assert pilot.app.mouse_captured is None
        # leaving type mode lets go of the mouse; the program hears no more of it
        assert await told(pilot, console, sgr(0, left + 2, top + 2)) == ["0;3;3M"]
        await send(pilot, "\x1b[24~")
        assert pilot.app.mouse_captured is None
        assert await told(pilot, console, sgr(32, left + 3, top + 2), sgr(0, left + 3, top + 2, "m")) == [
            "",
            "",
        ]


async def test_the_cell_under_the_mouse(start: Start, ctx: FakeContext) -> None:
    """Over a console that is larger than the view, over wide characters, beyond what three bytes can tell."""
    async with start((120, 36)) as pilot:
        console = await typing_into(pilot, ctx)
        left, top = top_left(pilot)
        width, height = view_of(pilot).size
        console.screen.resize(height + 40, 400)
        console.feed(b"\x1b[?1000h\x1b[?1006h\x1b[H\xe6\xbc\xa2\xe5\xad\x97\x1b[300G" + b"x")
        console.changed()
        await until(pilot, lambda: view_of(pilot)._left > 95)  # with the next frame
        cropped = view_of(pilot)._left
        first = view_of(pilot)._backlog.grid_row(console.screen, 0, height)
        click = sgr(0, left + 5, top + 1)
        assert await told(pilot, console, click) == [f"0;{cropped + 6};{first + 2}M"]
        console.feed(b"\x1b[?1006l")
        await told(pilot, console, sgr(0, left + 5, top + 1, "m"))
        assert await told(pilot, console, click) == ["M " + chr(min(255, cropped + 38)) + chr(first + 34)]
        console.feed(b"\x1b[?1005h")
        await told(pilot, console, sgr(0, left + 5, top + 1, "m"))
        told_wide = (await told(pilot, console, click))[0].encode("latin-1").decode()
        assert told_wide == "M " + chr(cropped + 38) + chr(first + 34)
        # both halves of a wide character are cells of their own
        console.feed(b"\x1b[?1006h\x1b[H")
        console.changed()
        await until(pilot, lambda: view_of(pilot)._left == 0)
        await told(pilot, console, sgr(0, left + 5, top + 1, "m"))
        halves = []
        for x in (left, left + 1, left + 2):
            halves += await told(pilot, console, sgr(0, x, top + 1))
            await told(pilot, console, sgr(0, x, top + 1, "m"))
        assert halves == [f"0;{x};{first + 2}M" for x in (1, 2, 3)]
        assert width > 20


async def test_shift_is_for_selecting(start: Start, ctx: FakeContext) -> None:
    async with start() as pilot:
        console = await typing_into(pilot, ctx)
        console.feed(b"\x1b[?1003h\x1b[?1006h")
        left, top = top_left(pilot)
        data = [sgr(4, left + 2, top), sgr(36, left + 4, top), sgr(4, left + 4, top, "m")]
        assert await told(pilot, console, *data) == ["", "", ""]
