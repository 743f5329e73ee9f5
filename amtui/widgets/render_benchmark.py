"""What painting a console costs: the real view in a real application, down to the bytes for the terminal.

A frame is the view's look at what changed, the compositor's work and the escape sequences; what a terminal does with
them is not ours. Feeding the emulator is measured elsewhere. `benchmark emulator` runs this as a program.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual._compositor import CompositorUpdate
from textual.app import App, ComposeResult
from textual.containers import Grid
from textual.strip import Strip
from textual.widget import Widget

from amtui.emulator import Screen, Stream
from amtui.ops.benchmark_frames import CASES, Case, Painted, Program, one_line
from amtui.widgets.collector import Collector
from amtui.widgets.console_view import ConsoleView

NOW: Final = 1_000.0
"""Every clock stands still here."""
STDOUT: Final = 1
"""The pipe to who started this as a program; `sys.stdout` is Textual's while an application runs."""
WARM: Final = 5
"""Frames painted before the first that counts."""


@dataclass
class StillLink:
    """A link on which nothing happens."""

    columns: int
    rows: int
    link: str = "live"
    detail: str = ""
    level: str = "L3"
    rtt: float | None = 0.034
    since: float = NOW - 12
    size_owner: str = ""
    unacked: int = 0
    refused: bytes = b""
    unread: bytes = b""
    refusal: str = ""
    exit_status: str = ""


class Stage:
    """A console with no worker behind it, and the only handle to it."""

    def __init__(self, columns: int, lines: int, data: bytes = b"") -> None:
        self.screen = Screen(columns=columns, lines=lines, history=5000)
        self.stream = Stream(self.screen)
        self.status = StillLink(columns, lines)
        self.visible = True
        self._listeners: list[Callable[[], None]] = []
        self.stream.feed(data)

    def feed(self, data: bytes) -> None:
        """The program wrote this: the view is told."""
        self.stream.feed(data)
        for fn in list(self._listeners):
            fn()

    def listen(self, fn: Callable[[], None]) -> Callable[[], None]:
        """As a handle of the hub."""
        self._listeners.append(fn)
        return lambda: self._listeners.remove(fn) if fn in self._listeners else None

    async def history(self, first: int, count: int) -> None:
        """There is none."""

    async def release(self) -> None:
        """Nothing is held."""


class Plain(Widget):
    """The least that a widget of that size can cost: one segment a line, all of it painted anew."""

    DEFAULT_CSS = "Plain { width: 1fr; height: 1fr; }"
    frame = 0

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        text = f"{self.frame + y:6d} plain text ".ljust(width, ".")
        return Strip([Segment(text, Style(color="#e4e4e4", bgcolor="#121212"))], width)


class Bench(App[None]):
    """Consoles in a grid, or plain widgets; paints in full although there is no terminal."""

    CSS = "Grid { grid-size: 2; } ConsoleView, ConsoleView:focus { border: none; }"
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, stages: Sequence[Stage], plains: int = 0) -> None:
        super().__init__()
        self.console._color_system = ColorSystem.TRUECOLOR  # whatever terminal this was started from
        self.stages = stages
        self.views = [ConsoleView(link_clock=lambda: NOW) for _ in stages]
        self.plains = [Plain() for _ in range(plains)]
        self.bytes = 0
        """Characters for the terminal so far."""

    def compose(self) -> ComposeResult:
        widgets: list[Widget] = [*self.views, *self.plains]
        if len(widgets) > 1:
            with Grid():
                yield from widgets
        else:
            yield from widgets

    def on_mount(self) -> None:
        for view, stage in zip(self.views, self.stages, strict=True):
            view.show(stage, "box")

    def _display(self, screen: Any, renderable: Any) -> None:
        """What Textual does with a terminal, up to writing to it."""
        if isinstance(renderable, CompositorUpdate):
            self.bytes += len(renderable.render_segments(self.console))

    def frame(self) -> float:
        """Paint what changed now; CPU seconds."""
        began = time.process_time()
        for view in self.views:
            view._flush()
        compositor = self.screen._compositor
        compositor.update_widgets({*self.views, *self.plains})
        self._display(self.screen, compositor.render_update(screen_stack=self._background_screens))
        return time.process_time() - began


async def frames(
    program: Program | None,
    columns: int,
    lines: int,
    panes: int,
    count: int,
    collector: Collector | None = None,
) -> list[float]:
    """CPU seconds of each of `count` frames, all panes drawing at once; without `program` of the plain widget.

    A pass that `collector` finds due after a frame counts as time of that frame. RuntimeError when what is measured
    would not be a frame of that size.
    """
    across, down = (2, panes // 2) if panes > 1 else (1, 1)
    stages = [Stage(columns, lines) for _ in range(panes if program else 0)]
    app = Bench(stages, 0 if program else panes)
    spent: list[float] = []
    async with app.run_test(size=(columns * across, lines * down)) as pilot:
        await pilot.pause()
        for widget in (*app.views, *app.plains):
            if (widget.size.width, widget.size.height) != (columns, lines):
                raise RuntimeError(f"{widget.size} instead of {columns}×{lines}")
        for number in range(count + WARM):
            for each in app.plains:
                each.frame = number
                each.refresh()
            for pane, stage in enumerate(stages):  # the view is not told: the frame is ours to begin
                stage.stream.feed((program or one_line)(number * 3 + pane, columns, lines))
            before = app.bytes
            took = app.frame()
            if collector is not None:
                collector.busy()
                began = time.process_time()
                collector.look()
                took += time.process_time() - began
            if app.bytes == before:
                raise RuntimeError("nothing was painted")
            if number >= WARM:
                spent.append(took)
    return spent


def typical(spent: list[float]) -> float:
    """Milliseconds of an undisturbed frame: the median, since other work on the machine only adds."""
    return statistics.median(spent) * 1000


async def measure(case: Case, count: int) -> Painted:
    """One case, and the plain widgets beside it."""
    plain = typical(await frames(None, case.columns, case.lines, case.panes, count))
    ours = typical(await frames(case.program, case.columns, case.lines, case.panes, count))
    return Painted(
        name=case.name, title=case.title, columns=case.columns, lines=case.lines, panes=case.panes, frames=count,
        amtui=ours, plain=plain, ratio=ours / plain,
    )  # fmt: skip


async def _measure_all(count: int, names: Sequence[str]) -> None:
    for case in CASES:
        if case.name in names:
            os.write(STDOUT, msgspec.json.encode(await measure(case, count)) + b"\n")


if __name__ == "__main__":
    Collector().start()  # as the application has it
    asyncio.run(_measure_all(int(sys.argv[1]), sys.argv[2:]))
