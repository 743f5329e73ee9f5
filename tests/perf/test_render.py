"""What painting a console costs, as `amtui.widgets.render_benchmark` measures it.

CI compares with a plain widget of the same size that is painted whole; `make prove` also looks at milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from figures import proving, record, size

from amtui.console.feed import SLICE
from amtui.errors import AmtuiError
from amtui.ops import benchmark_frames
from amtui.ops.benchmark_frames import CASES as OFFERED
from amtui.ops.benchmark_frames import Program, code, dense, one_line
from amtui.widgets.collector import Collector
from amtui.widgets.render_benchmark import Bench, Stage, frames, typical

SLACK = 1.5


def every_cell(frame: int, columns: int, lines: int) -> bytes:
    """Worse than any program: every cell in a colour of its own."""
    out = []
    for y in range(lines):
        out.append(f"\x1b[{y + 1};1H")
        for x in range(columns):
            out.append(f"\x1b[38;2;{(x * 2 + frame) % 256};{y * 5};90m{chr(97 + (x + y + frame) % 26)}")
    return "".join(out).encode()


def spinner(frame: int, columns: int, lines: int) -> bytes:
    return f"\x1b[{lines - 4};1H\x1b[38;5;173m{'⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏'[frame % 10]}\x1b[39m Working ({frame // 30}s)".encode()


@pytest.fixture
def calm() -> Iterator[Collector]:
    """The collector as the application sets it."""
    collector = Collector()
    collector.start()
    yield collector
    collector.stop()


CASES = [
    ("one line", one_line, 200, 50, 1, 0.5),
    ("code redraw", code, 200, 50, 1, 4.0),
    ("dense truecolor", dense, 200, 50, 1, 15.0),
    ("every cell", every_cell, 200, 50, 1, None),
    ("one line", one_line, 80, 24, 1, None),
    ("code redraw", code, 80, 24, 1, None),
    ("dense truecolor", dense, 80, 24, 1, None),
    ("code redraw", code, 100, 25, 4, None),
]
RATIOS = {"one line": 0.25, "code redraw": 2.0, "dense truecolor": 7.0, "every cell": 24.0}
"""CI: a frame beside the plain widget painted whole, at the same size."""
SPINNERS = 0.4
"""CI: four spinners beside four plain widgets painted whole as often."""


@pytest.mark.prove
@pytest.mark.usefixtures("calm")
@pytest.mark.parametrize(
    ("name", "paint", "columns", "lines", "panes", "budget"),
    CASES,
    ids=[f"{c[0]} {c[2]}x{c[3]}x{c[4]}" for c in CASES],
)
async def test_cost_of_a_frame(
    name: str, paint: Program, columns: int, lines: int, panes: int, budget: float | None
) -> None:
    count = size(12, 150)
    plain = typical(await frames(None, columns, lines, 1, count)) * panes
    ours = typical(await frames(paint, columns, lines, panes, count))
    allowed = RATIOS[name] * SLACK
    where = f"{columns}×{lines}" + (f", {panes} panes" if panes > 1 else "")
    record(
        f"render: {name} at {where}", f"≤ {budget} ms" if budget else f"≤ {RATIOS[name]}× plain widget",
        f"{ours:.2f} ms, {ours / plain:.2f}× plain", ours <= budget if budget else ours <= plain * RATIOS[name],
        conditions=f"CPU time to the escape sequences, median of {count}; plain widget painted whole {plain:.2f} ms",
    )  # fmt: skip
    if budget and proving():
        assert ours <= budget
    assert ours <= plain * allowed, f"{ours:.2f} ms, plain {plain:.2f} ms"


CALL = [sys.executable, "-m", "amtui", "benchmark", "emulator", "--frames", "3"]


def test_the_command_measures_painting() -> None:
    """The same code, in a process of its own: a table for people, the figures for programs."""
    call = [*CALL, "--only", "render_dense"]
    document = json.loads(
        subprocess.run([*call, "--json"], capture_output=True, check=True, timeout=60).stdout
    )
    shapes = [(each["columns"], each["lines"], each["panes"]) for each in document["render"]]
    assert shapes == [(80, 24, 1), (200, 50, 1), (100, 25, 4)]
    assert {(each["title"], each["frames"]) for each in document["render"]} == {("dense truecolor", 3)}
    for each in document["render"]:
        assert each["amtui"] > 0
        assert each["ratio"] == pytest.approx(each["amtui"] / each["plain"])
    assert (document["streams"], document["lowest"], document["lowest_stream"]) == ([], 0, "")
    call[-1] = "render_one_line_80x24"
    text = subprocess.run(call, capture_output=True, check=True, timeout=60, text=True).stdout
    table = text.splitlines()
    assert table[0].split() == ["frame", "size", "plain", "widget", "ms", "amtui", "ms", "ratio"]
    assert table[1].startswith("one line  80×24")
    assert "geomean" not in text, "no stream was measured"


def test_the_command_offers_every_program_at_every_size() -> None:
    shapes = {(case.title, case.columns, case.lines, case.panes) for case in OFFERED}
    assert shapes == {
        (title, columns, lines, panes)
        for title in ("one line", "code redraw", "dense truecolor")
        for columns, lines, panes in ((80, 24, 1), (200, 50, 1), (100, 25, 4))
    }
    assert len({case.name for case in OFFERED}) == len(OFFERED)


async def test_a_painter_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark_frames, "PAINTER", "amtui.widgets.no_such_module")
    with pytest.raises(AmtuiError, match=r"No module named amtui\.widgets\.no_such_module"):
        [each async for each in benchmark_frames.painted(OFFERED[:1], 1)]


@pytest.mark.prove
@pytest.mark.timeout(300)
async def test_worst_frames(calm: Collector) -> None:
    """With the collector's policy on, and every kind of frame in turn."""

    def mixed(frame: int, columns: int, lines: int) -> bytes:
        return (one_line, code, dense)[frame % 5 % 3](frame, columns, lines)

    count = size(30, 1000)
    spent = sorted(await frames(mixed, 200, 50, 1, count, calm))
    plain = typical(await frames(None, 200, 50, 1, 12))
    p99, worst = spent[int(len(spent) * 0.99)] * 1000, spent[-1] * 1000
    record(
        "render: p99 frame at 200×50", "≤ 16 ms", f"{p99:.1f} ms, worst {worst:.1f} ms", p99 <= 16,
        conditions=f"{count} frames of lines, code and dense truecolor, CPU time, GC policy on",
    )  # fmt: skip
    assert p99 <= (16 if proving() else plain * RATIOS["dense truecolor"] * SLACK * 1.5)


async def plain_share(seconds: float, fps: float) -> float:
    """Share of one core that four plain widgets take, painted whole as often."""
    app = Bench([], 4)
    async with app.run_test(size=(200, 50)) as pilot:
        await pilot.pause()
        loop = asyncio.get_running_loop()
        began, cpu, frame = loop.time(), time.process_time(), 0
        while loop.time() - began < seconds:
            frame += 1
            for plain in app.plains:
                plain.frame = frame
                plain.refresh()
            await asyncio.sleep(max(0.0, began + frame / fps - loop.time()))
        return (time.process_time() - cpu) / (loop.time() - began)


async def share(panes: int, seconds: float, fps: float) -> float:
    """Share of one core that an application takes with spinners in all panes; no frames when `fps` is 0."""
    consoles = [Stage(100, 25, b"text\r\n" * 20) for _ in range(panes)]
    app = Bench(consoles)
    async with app.run_test(size=(200, 50)) as pilot:
        await pilot.pause()
        loop = asyncio.get_running_loop()
        began, cpu = loop.time(), time.process_time()
        frame = 0
        while loop.time() - began < seconds:
            frame += 1
            if fps:
                for console in consoles:
                    console.feed(spinner(frame, 100, 25))
            await asyncio.sleep(max(0.0, began + frame / (fps or 1) - loop.time()))
        return (time.process_time() - cpu) / (loop.time() - began)


@pytest.mark.prove
@pytest.mark.usefixtures("calm")
@pytest.mark.parametrize(
    ("name", "fps", "budget"), [("idle", 0, 0.003), ("four spinners at 30 fps", 30, 0.06)]
)
async def test_share_of_a_core(name: str, fps: float, budget: float) -> None:
    seconds = size(2.0, 20.0)
    taken = await share(4, seconds, fps)
    record(
        f"render: CPU of {name}", f"≤ {100 * budget:.1f} %", f"{100 * taken:.2f} % of a core", taken <= budget,
        conditions=f"{seconds:.0f} s, four panes of 100×25, GC policy on",
    )  # fmt: skip
    if proving():
        assert taken <= budget
    elif fps:
        plain = await plain_share(seconds, fps)
        assert taken <= plain * SPINNERS * SLACK, f"{taken:.1%} of a core, plain {plain:.1%}"
    else:
        assert taken <= budget * 3


YES = (b"y\r\n" * SLICE)[:SLICE]
"""As much of `yes` as a console session feeds before the event loop has its turn."""


async def rates(flooded: bool, seconds: float) -> list[float]:
    """Frames a second of five consoles with spinners, while the sixth runs `yes` or stands still.

    The flood is fed as a console session feeds: slice after slice, with one turn of the loop in between.
    """
    consoles = [Stage(66, 25, b"text\r\n" * 20) for _ in range(6)]
    app = Bench(consoles)

    async def flood() -> None:
        while True:
            consoles[0].feed(YES)
            await asyncio.sleep(0)

    async with app.run_test(size=(134, 80)) as pilot:
        await pilot.pause()
        loop = asyncio.get_running_loop()
        pouring = asyncio.create_task(flood()) if flooded else None
        before = [view.frames for view in app.views]
        began = loop.time()
        frame = 0
        while loop.time() - began < seconds:
            frame += 1
            for console in consoles[1:]:
                console.feed(spinner(frame, 66, 25))
            await asyncio.sleep(max(0.0, began + frame / 30 - loop.time()))
        took = loop.time() - began
        painted = [view.frames - was for view, was in zip(app.views, before, strict=True)]
        if pouring is not None:
            pouring.cancel()
            assert consoles[0].screen.history.next > 100_000 * seconds / 20, "that was no flood"
        return [each / took for each in painted[1:]]


@pytest.mark.prove
@pytest.mark.usefixtures("calm")
async def test_a_flood_leaves_the_others_their_frames() -> None:
    """`yes` in one of six consoles, without any pause: the loop is never idle, the other five go on."""
    seconds = size(2.0, 10.0)
    still, flooded = min(await rates(False, seconds)), min(await rates(True, seconds))
    record(
        "render: five consoles beside `yes`", "≥ 90 % of their frame rate", f"{flooded / still:.0%}",
        flooded >= 0.9 * still,
        conditions=f"{seconds:.0f} s, slowest of five spinners at 30 a second: {flooded:.1f} against {still:.1f} "
        "frames/s; headless, the flood fed from memory in the session's slices, never pausing",
    )  # fmt: skip
    assert flooded >= still * (0.9 if proving() else 0.5)
