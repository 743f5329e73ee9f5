"""A picture taken amid output, and what came after it, is what tmux shows: seeded adversarial output, cell by cell."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from pathlib import Path

import pytest
from console_rig import QUICK, Rig, hub, rig, until
from faults import FaultyProvider
from figures import proving, record, size

sys.path.insert(0, str(Path(__file__).parent.parent / "emulator"))

from oracle import Glyph, glyphs_of, parse_capture, same_line

from amtui.console import helper
from amtui.console.hub import ConsoleHandle, TypingHandle
from amtui.emulator import Screen
from amtui.emulator.width import width
from amtui.model import MAIN_CONSOLE, Authority
from amtui.providers.base import Cap, Place

EXEC_ONLY = Cap.LIST | Cap.FILES | Cap.BINARY_OUTPUT
COUNT = size(15, 300)
HEALED = 0.5
"""Seconds of rest after which colours are right."""
PROGRAM = r"""
import os, random, sys, time
WIDE = "漢字かな한글🙂🚀ａ"
NARROW = "abcdefXYZ 0123éñ─│█"
def token(r, columns, lines):
    y, x, n = r.randint(1, lines), r.randint(1, columns), r.randint(1, 9)
    pick = r.random()
    if pick < .40:
        return "".join(r.choice(WIDE if r.random() < .3 else NARROW) for _ in range(r.choice((2, 5, 12, columns))))
    if pick < .55:
        return f"\x1b[{y};{x}H"
    if pick < .70:
        looks = "0 0 1 7 4 31 44 93 38;5;%d 48;2;%d;9;7".replace("%d", str(r.randint(0, 255))).split()
        return f"\x1b[{';'.join(r.choice(looks) for _ in range(r.randint(1, 3)))}m"
    if pick < .80:
        return r.choice(("\r\n", "\r\n", "\n", "\r", "\b", "\t", "\x1bM"))
    if pick < .90:
        return f"\x1b[{n}{r.choice('ABCDGdLMP@XST')}"
    if pick < .94:
        return f"\x1b[{r.choice((0, 1, 2))}{r.choice('JK')}"
    if pick < .97:
        top = r.randint(1, lines - 2)
        return f"\x1b[{top};{r.randint(top + 1, lines)}r"
    return r.choice(("\x1b[?1049h", "\x1b[?1049l", "\x1b[?25l", "\x1b[?25h", "\x1b[r", "\x1b]2;title 漢\x07"))
for line in open("orders"):
    seed, columns, lines, count = map(int, line.split())
    r = random.Random(seed)
    data = "".join(token(r, columns, lines) for _ in range(count)).encode()
    at = 0
    while at < len(data):
        step = r.choice((1, 2, 3, 7, 40, 200))
        os.write(1, data[at : at + step])
        at += step
        if r.random() < .25:
            time.sleep(.001)
    os.write(1, b"\x1b[m\x1b]2;done %d\x07" % seed)
"""
"""Prints, for each order, random output of that seed in small pieces: characters and sequences are cut anywhere. At
rest the pen is the usual one, as programs leave it; the title says when it is done."""


class Printer:
    """The program in the console, told what to print."""

    def __init__(self, it: Rig) -> None:
        self.it = it
        os.mkfifo(it.home / "orders")
        self._orders = os.open(it.home / "orders", os.O_RDWR)

    async def start(self) -> None:
        await self.it.start(sys.executable, "-c", PROGRAM, columns=80, rows=24)

    def order(self, seed: int, screen: Screen, tokens: int) -> None:
        os.write(self._orders, f"{seed} {screen.columns} {screen.lines} {tokens}\n".encode())

    def close(self) -> None:
        os.close(self._orders)


async def read_up(it: Rig, handle: ConsoleHandle, seed: int) -> None:
    """Wait until tmux and then the view have read everything that the program printed for this order."""
    title = f"done {seed}"
    target = f"={MAIN_CONSOLE}:"
    await until(
        lambda: it.tmux("display-message", "-p", "-t", target, "#{pane_title}").decode().strip() == title,
        f"the output of {seed}",
        30,
    )
    await until(lambda: handle.screen.title == title, f"{seed} in the view", 20)


def _within(row: list[Glyph], columns: int) -> list[Glyph]:
    """What of a row lies in the pane, whole: tmux keeps what was written before the pane became narrower."""
    seen: list[Glyph] = []
    for glyph in row:
        columns -= width(glyph[0])
        if columns < 0:
            break
        seen.append(glyph)
    return seen


class Shown:
    """A screen as `capture-pane` tells it: cell by cell, where it can tell cells apart."""

    def __init__(self, rows: list[list[Glyph]], size: tuple[int, int], cursor: tuple[int, int]) -> None:
        self.rows, self.size, self.cursor = rows, size, cursor
        self.text = ["".join(char for char, _ in row).rstrip() for row in rows]

    @classmethod
    def of(cls, screen: Screen) -> Shown:
        rows = [_within(glyphs_of(screen.row(y)), screen.columns) for y in range(screen.lines)]
        return cls(rows, (screen.columns, screen.lines), (screen.cursor.x, screen.cursor.y))

    @classmethod
    def by_tmux(cls, it: Rig) -> Shown:
        target, facts = f"={MAIN_CONSOLE}:", "#{pane_width} #{pane_height} #{cursor_x} #{cursor_y}"
        words = [
            "display-message",
            "-p",
            "-t",
            target,
            facts,
            ";",
            "capture-pane",
            "-p",
            "-e",
            "-N",
            "-t",
            target,
        ]
        taken = it.tmux(*words)
        head, *rows = taken.decode().split("\n")
        columns, lines, x, y = map(int, head.split())
        seen = [_within(row, columns) for row in parse_capture(rows, lines)]
        return cls(seen, (columns, lines), (min(x, columns), y))

    def differs(self, theirs: Shown) -> str:
        """Where text or cursor differ, or nothing."""
        if (self.size, self.cursor) != (theirs.size, theirs.cursor):
            return f"size {self.size}, cursor {self.cursor} instead of {theirs.size}, {theirs.cursor}"
        pairs = zip(self.text, theirs.text, strict=True)
        return next((f"row {y}: {a!r} instead of {b!r}" for y, (a, b) in enumerate(pairs) if a != b), "")

    def pales(self, theirs: Shown) -> str:
        """Where only colours differ, or nothing."""
        pairs = zip(self.rows, theirs.rows, strict=True)
        return next(
            (f"row {y}: {a} instead of {b}" for y, (a, b) in enumerate(pairs) if not same_line(b, a)), ""
        )


async def take(place: Place, handle: TypingHandle, chance: random.Random) -> None:
    """A snapshot, in one of the ways in which one comes about."""
    if chance.random() < 0.25:
        assert await handle.resize(chance.randint(20, 120), chance.randint(5, 40))
    else:
        await helper.request(place, MAIN_CONSOLE, "snap")


@pytest.mark.prove
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("caps", [None, EXEC_ONLY], ids=["L3", "L1"])
async def test_snapshots_amid_adversarial_output(tmp_path: Path, caps: Cap | None) -> None:
    name, seed = "L1" if caps else "L3", 20_000
    chance = random.Random(seed)
    wrong: list[str] = []
    pale, slow = 0, 0
    async with rig(tmp_path) as it:
        printer = Printer(it)
        await printer.start()
        place = it.with_provider(FaultyProvider(it.place.provider, 0.0, caps=caps))
        async with hub(QUICK) as consoles:
            handle = await consoles.open(place, MAIN_CONSOLE, Authority.TYPE)
            await handle.ready(15)
            for number in range(seed, seed + COUNT):
                printer.order(number, handle.screen, 80)
                await asyncio.sleep(chance.random() * 0.03)
                before = handle.status.generation
                await take(it.place, handle, chance)
                await until(lambda before=before: handle.status.generation > before, "the snapshot", 10)  # type: ignore[misc]
                await read_up(it, handle, number)
                theirs, ours = Shown.by_tmux(it), Shown.of(handle.screen)
                if ours.differs(theirs):
                    wrong.append(f"{number}: {ours.differs(theirs)}")
                elif told := ours.pales(theirs):
                    print(number, told)
                    pale += 1
                    began = asyncio.get_running_loop().time()
                    await until(
                        lambda theirs=theirs: not Shown.of(handle.screen).pales(theirs),
                        "the right colours",
                        20,  # type: ignore[misc]
                    )
                    slow += asyncio.get_running_loop().time() - began > (HEALED if proving() else 10)
        printer.close()
    conditions = f"{COUNT} snapshots from seed {seed}, a quarter of them with a new size"
    share = pale / COUNT
    missed = f"{len(wrong)} of {COUNT}"
    record(
        f"snapshots amid output, {name}",
        "0 text or cursor mismatches",
        missed,
        not wrong,
        conditions=conditions,
    )
    record(
        f"colours of snapshots amid output, {name}", "≤ 1 % of snapshots miss, healed within 500 ms",
        f"{share:.1%}, {slow} later", share <= 0.01 and not slow, conditions=conditions,
    )  # fmt: skip
    print(conditions, missed, f"colours: {pale}, healed late: {slow}")
    assert not wrong, "\n".join(wrong)
    assert not slow
    assert share <= 0.01 if proving() else pale <= 1
