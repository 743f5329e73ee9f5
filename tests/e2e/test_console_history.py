"""Scrolling back finds every line once, or a marker where one is missing."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import pytest
from console_rig import Rig, hub, reachable, rig, size, text, until
from faults import FaultyProvider
from figures import record

from amtui.console.hub import ConsoleHandle
from amtui.console.scrollback import NOT_KEPT
from amtui.model import MAIN_CONSOLE, Authority
from amtui.providers.base import Cap

EXEC_ONLY = Cap.LIST | Cap.FILES | Cap.BINARY_OUTPUT
LEVELS = pytest.mark.parametrize("caps", [None, EXEC_ONLY], ids=["L3", "L1"])
PRINTER = r"""import sys, time
count, rate = int(sys.argv[1]), float(sys.argv[2])
begin = time.monotonic()
print("begin", flush=True); sys.stdin.readline()
for n in range(count):
    print(f"\x1b[3{n % 7 + 1}mline {n:06d}\x1b[0m")
    if n % 50 == 49:
        sys.stdout.flush(); time.sleep(max(0.0, begin + n / rate - time.monotonic()))
print("over", flush=True); time.sleep(600)
"""


async def printed(it: Rig, handle: ConsoleHandle, count: int, rate: float) -> None:
    await until(lambda: "over" in text(handle), "the end of the output", 10 + 3 * count / rate)


async def flooded(it: Rig, handle: ConsoleHandle) -> None:
    """Output at full speed that no view follows, then the view comes back."""
    handle.visible = False
    it.tmux("send-keys", "-t", f"={MAIN_CONSOLE}:", "Enter")
    await until(lambda: "over" in "".join(it.oracle().display), "the end of the output")
    handle.visible = True
    await until(lambda: "over" in text(handle), "the picture of the end")


def numbers(rows: list[str]) -> list[int]:
    return [int(row.split()[1]) for row in rows if row.startswith("line ")]


@pytest.mark.prove
@pytest.mark.timeout(300)
@LEVELS
async def test_attached_amid_output_each_line_is_there_once(tmp_path: Path, caps: Cap | None) -> None:
    count, rate = size(4000, 20000), 5000.0
    async with rig(tmp_path) as it:
        await it.start(sys.executable, "-c", PRINTER, str(count), str(rate), history=50_000)
        provider = FaultyProvider(it.place.provider, 0.0, caps=caps)
        it.tmux("send-keys", "-t", f"={MAIN_CONSOLE}:", "Enter")
        await until(lambda: "line 000" in "".join(it.oracle().display), "the first lines")
        async with hub() as consoles:
            handle = await consoles.open(it.with_provider(provider))
            await handle.ready(10)
            await printed(it, handle, count, rate)
            rows = await reachable(handle)
        assert NOT_KEPT not in rows
        assert numbers(rows) == list(range(count))
        assert rows[0] == "begin"
        level = "L1" if caps else "L3"
        record(
            f"attached amid output, {level}",
            f"each of {count} lines once",
            "each once, no marker",
            True,
            conditions="5,000 lines a second, history-limit 50,000",
        )


@LEVELS
async def test_skipped_output_is_fetched_when_somebody_scrolls_back(tmp_path: Path, caps: Cap | None) -> None:
    """A flood that was answered with snapshots: rows the view never received come from tmux."""
    count = size(12_000, 45_000)
    async with rig(tmp_path) as it:
        await it.start(sys.executable, "-c", PRINTER, str(count), "1e9", history=50_000)
        provider = FaultyProvider(it.place.provider, 0.0, caps=caps)
        async with hub() as consoles:
            handle = await consoles.open(it.with_provider(provider))
            await handle.ready(10)
            first = handle.status.generation
            await flooded(it, handle)
            assert handle.status.generation > first, "nothing was skipped, so nothing was shown"
            rows = await reachable(handle, 9000)
        assert numbers(rows) == list(range(count))
        assert NOT_KEPT not in rows


@pytest.mark.prove
@pytest.mark.timeout(300)
@LEVELS
async def test_at_the_limit_what_is_missing_is_marked(tmp_path: Path, caps: Cap | None) -> None:
    count, rate, limit = size(6000, 20000), 5000.0, 2000
    async with rig(tmp_path) as it:
        await it.start(sys.executable, "-c", PRINTER, str(count), str(rate), history=limit)
        provider = FaultyProvider(it.place.provider, 0.0, caps=caps)
        async with hub() as consoles:
            handle = await consoles.open(it.with_provider(provider))
            await handle.ready(10)
            it.tmux("send-keys", "-t", f"={MAIN_CONSOLE}:", "Enter")
            await printed(it, handle, count, rate)
            rows = await reachable(handle)
        check_marked(rows, count, least=1900)
        record(
            f"history-limit 2,000, {'L1' if caps else 'L3'}",
            "the last 1,900, the gap marked",
            f"{len(numbers(rows))} lines, none doubled",
            True,
            conditions=f"{count} lines printed",
        )


async def test_a_late_comer_finds_the_last_lines_and_a_marker_above(tmp_path: Path) -> None:
    count, limit = 6000, 2000
    async with rig(tmp_path) as it:
        await it.start(sys.executable, "-c", PRINTER, str(count), "1e9", history=limit)
        it.tmux("send-keys", "-t", f"={MAIN_CONSOLE}:", "Enter")
        await until(lambda: "over" in "".join(it.oracle().display), "the end of the output")
        async with hub() as consoles:
            handle = await consoles.open(it.place)
            await handle.ready(10)
            await until(lambda: "over" in text(handle), "the picture")
            rows = await reachable(handle)
        assert rows[0] == NOT_KEPT
        check_marked(rows, count, least=1900)


async def test_history_survives_a_skip_at_the_limit(tmp_path: Path) -> None:
    """What a view saw before a skip stays above a marker; nothing stands twice, nothing is silently missing."""
    count, limit = 12_000, 2000
    async with rig(tmp_path) as it:
        await it.start(
            "sh",
            "-c",
            f"seq -f 'early %05.0f' 1 3000; exec '{sys.executable}' -c '{PRINTER}' {count} 1e9",
            history=limit,
        )
        async with hub() as consoles:
            handle = await consoles.open(it.place, MAIN_CONSOLE, Authority.TYPE)
            await handle.ready(10)
            await until(lambda: "begin" in text(handle), "the early lines")
            await reachable(handle)
            first = handle.status.generation
            await flooded(it, handle)
            assert handle.status.generation > first, "nothing was skipped, so nothing was shown"
            rows = await reachable(handle)
        early = [int(row.split()[1]) for row in rows if row.startswith("early")]
        assert len(early) >= 1700
        assert early == list(range(3001 - len(early), 3001))
        assert NOT_KEPT in rows[rows.index("early 03000") : rows.index(f"line {count - 1900:06d}")]
        check_marked(rows, count, least=1900)


def check_marked(rows: list[str], count: int, least: int) -> None:
    """The last `least` lines are there; no line twice; between lines that do not follow each other is a marker."""
    seen = numbers(rows)
    assert seen[-least:] == list(range(count - least, count))
    assert len(set(seen)) == len(seen), "a line stands twice"
    lines = [row for row in rows if row.startswith("line ") or row == NOT_KEPT]
    for one, two in pairwise(lines):
        if NOT_KEPT not in (one, two):
            assert int(two.split()[1]) == int(one.split()[1]) + 1, f"silently missing between {one} and {two}"


async def test_a_resize_wraps_every_row_anew(tmp_path: Path) -> None:
    async with rig(tmp_path) as it:
        await it.start(
            "sh",
            "-c",
            "seq -f '%.0f and some words to be wrapped when it gets narrow' 1 300; printf over; sleep 60",
        )
        async with hub() as consoles:
            handle = await consoles.open(it.place, MAIN_CONSOLE, Authority.TYPE)
            await handle.ready(10)
            await until(lambda: "over" in text(handle), "the output")
            wide = await reachable(handle)
            assert len([row for row in wide if "narrow" in row]) == 300
            await handle.resize(30, 24)
            await until(lambda: handle.screen.columns == 30, "the narrow screen")
            narrow = await reachable(handle)
            assert next(row for row in narrow if " and some" in row).startswith("1 and")
            assert len([row for row in narrow if " and some" in row]) == 300
