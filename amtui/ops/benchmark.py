"""`benchmark`: measures amtui on this computer, always beside what it is compared with, in the same run."""

from __future__ import annotations

import asyncio
import math
import platform
import time
from collections.abc import AsyncIterator, Callable, Iterable
from importlib.metadata import version
from typing import Annotated, Final

import msgspec
import pyte
from msgspec import Struct

from amtui.emulator import Screen, Stream
from amtui.errors import UsageError
from amtui.model import SCHEMA
from amtui.ops import benchmark_frames
from amtui.ops.base import Action, Arg, Progress, Result, Yield
from amtui.ops.benchmark_frames import CASES, Painted
from amtui.ops.benchmark_streams import PLAIN_LOG, Sample, generated, recorded
from amtui.ops.context import Context
from amtui.ops.table import render

CHUNK: Final = 32_768
"""Bytes fed at once."""
SHORTEST: Final = 0.02
"""Seconds of CPU time below which one more pass is added to a measurement."""


class Emulator(Struct, frozen=True, kw_only=True):
    """Parameters of `benchmark emulator`."""

    only: Annotated[str, Arg("only streams and frames with this in their name")] = ""
    size: Annotated[int, Arg("kilobytes of each generated stream")] = 256
    rounds: Annotated[int, Arg("how often both are measured, in turns; the best counts")] = 3
    frames: Annotated[int, Arg("frames painted for each figure of rendering; the median counts")] = 40


class Measured(Struct, frozen=True, kw_only=True):
    """One stream: megabytes for each second of CPU time."""

    name: str
    realistic: bool
    bytes: int
    pyte: float
    amtui: float
    ratio: float
    pyte_errors: int
    """Exceptions out of stock pyte, each of which also lost it the rest of a chunk."""


def measure(sample: Sample, rounds: int) -> Measured:
    """Stock pyte and ours on one stream, in turns."""
    best = [math.inf, math.inf]
    errors = 0
    for _ in range(max(1, rounds)):
        for at, feed in enumerate((_stock, _ours)):
            seconds, lost = _seconds(feed, sample)
            best[at] = min(best[at], seconds)
            errors = max(errors, lost)
    size = len(sample.data)
    stock, ours = (size / seconds / 1e6 for seconds in best)
    return Measured(
        name=sample.name, realistic=sample.realistic, bytes=size, pyte=stock, amtui=ours, ratio=ours / stock,
        pyte_errors=errors,
    )  # fmt: skip


def _stock(sample: Sample) -> Callable[[bytes], object]:
    return pyte.ByteStream(pyte.Screen(sample.columns, sample.lines)).feed


def _ours(sample: Sample) -> Callable[[bytes], object]:
    return Stream(Screen(sample.columns, sample.lines)).feed


def _seconds(make: Callable[[Sample], Callable[[bytes], object]], sample: Sample) -> tuple[float, int]:
    """CPU seconds of one pass over a stream on a fresh screen, and the exceptions in it."""
    chunks = [sample.data[at : at + CHUNK] for at in range(0, len(sample.data), CHUNK)]
    passes, errors, spent = 0, 0, 0.0
    while spent < SHORTEST:
        feed = make(sample)
        lost = 0
        began = time.process_time()
        for chunk in chunks:
            try:
                feed(chunk)
            except Exception:  # stock pyte raises on what it does not know
                lost += 1
        spent += time.process_time() - began
        passes += 1
        errors = max(errors, lost)
    return spent / passes, errors


def geomean(ratios: Iterable[float]) -> float:
    """Their geometric mean; 0 when there are none."""
    logs = [math.log(ratio) for ratio in ratios]
    return math.exp(sum(logs) / len(logs)) if logs else 0.0


class Summary(Struct, frozen=True, kw_only=True):
    """The figures that have targets; 0 or empty for what was not measured."""

    geomean_realistic: float
    geomean_all: float
    plain_logs: float
    lowest: float
    lowest_stream: str


def summary(measured: list[Measured]) -> Summary:
    """The figures of a run."""
    lowest = min(measured, key=lambda each: each.ratio, default=None)
    return Summary(
        geomean_realistic=geomean(each.ratio for each in measured if each.realistic),
        geomean_all=geomean(each.ratio for each in measured),
        plain_logs=next((each.ratio for each in measured if each.name == PLAIN_LOG), 0.0),
        lowest=lowest.ratio if lowest is not None else 0.0,
        lowest_stream=lowest.name if lowest is not None else "",
    )


def _text(measured: list[Measured], totals: Summary) -> str:
    rows = [
        (each.name, "yes" if each.realistic else "", f"{each.pyte:.2f}", f"{each.amtui:.2f}", f"{each.ratio:.1f}×",
         str(each.pyte_errors or ""))
        for each in measured
    ]  # fmt: skip
    table = render(("stream", "realistic", "pyte MB/s", "amtui MB/s", "ratio", "pyte raised"), rows)
    return (
        f"{table}\n\n"
        f"geomean of the realistic streams {totals.geomean_realistic:.1f}×, of all {totals.geomean_all:.1f}×\n"
        f"plain logs {totals.plain_logs:.1f}×, lowest {totals.lowest:.1f}× ({totals.lowest_stream})"
    )


async def emulator(ctx: Context, params: Emulator) -> AsyncIterator[Yield]:
    samples = [
        sample
        for sample in (*generated(max(1, params.size) * 1000), *recorded())
        if params.only in sample.name
    ]
    cases = [case for case in CASES if params.only in case.name]
    count = len(samples) + len(cases)
    if not count:
        raise UsageError(f"nothing has {params.only!r} in its name", "without --only all is measured")
    measured: list[Measured] = []
    painted: list[Painted] = []
    for sample in samples:
        yield Progress(sample.name, len(measured) / count)
        measured.append(measure(sample, params.rounds))
        await asyncio.sleep(0)
    if cases:
        yield Progress("what painting costs", len(measured) / count)
        async for each in benchmark_frames.painted(cases, params.frames):
            painted.append(each)
            yield Progress(f"{each.name} {each.amtui:.2f} ms", (len(measured) + len(painted)) / count)
    totals = summary(measured)
    conditions = {
        "python": platform.python_version(), "pyte": version("pyte"), "textual": version("textual"), "chunk": CHUNK,
        "rounds": params.rounds, "frames": params.frames,
        "measure": "CPU time; streams: best of the rounds, both in turns in one process; render: median of the "
        "frames, in milliseconds, beside a plain widget painted whole",
    }  # fmt: skip
    data = {
        "schema": SCHEMA, "conditions": conditions, "streams": msgspec.to_builtins(measured),
        "render": msgspec.to_builtins(painted), **msgspec.to_builtins(totals),
    }  # fmt: skip
    parts = [_text(measured, totals)] * bool(measured) + [benchmark_frames.table(painted)] * bool(painted)
    yield Result(data, "\n\n".join(parts))


EMULATOR = Action(Emulator, emulator)
