"""What a worker prints never reaches the operator's terminal as anything but text: neither as segments, nor in the
escape sequences that go past the compositor. Over random output of the emulator's own generator."""

from __future__ import annotations

import random
import re
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from figures import size
from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from textual._compositor import CompositorUpdate, LayoutUpdate
from textual.app import App, ComposeResult
from textual.strip import Strip
from ui_fake import NOW, FakeConsole, FakeTypingHandle
from ui_pilot import until

from amtui.emulator import Screen, Stream
from amtui.emulator.cells import DEFAULT, Row
from amtui.widgets.console_view import ConsoleView
from amtui.widgets.direct import Frame
from amtui.widgets.frame_clock import clock_of
from amtui.widgets.paint import DARK, strip_of, styled

sys.path.append(str(Path(__file__).parents[1] / "emulator"))
import wilder  # noqa: E402

OURS = re.compile("\x1b\\[[0-9;]*[mH]")
"""The sequences that painting a console needs: how it looks, and where it goes."""
BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"


def harmful(text: str) -> list[str]:
    """Characters of `text` that a terminal obeys."""
    return [c for c in text if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in BIDI]


def harmful_written(text: str) -> list[str]:
    """As `harmful`, for what is written to a terminal: only our own sequences may be in it."""
    return harmful(OURS.sub("", text))


def consoles() -> list[Console]:
    systems = (ColorSystem.TRUECOLOR, ColorSystem.EIGHT_BIT, ColorSystem.STANDARD)
    made = [Console() for _ in systems]
    for console, system in zip(made, systems, strict=True):
        console._color_system = system
    return made


def views(row: Row, columns: int, console: Console, before: Strip | None) -> Iterator[tuple[str, Strip]]:
    """Every form in which a row may be shown."""
    whole = strip_of(row, columns, DARK)
    yield "whole", whole
    yield "the change", whole.since(before)[1]
    yield "cut", whole.crop(1, columns - 1)
    yield "selected", styled(whole, 1, max(2, columns // 2), Style(reverse=True))
    yield "dimmed", whole.apply_style(Style(dim=True))
    for left in (1, 2, columns - 1):
        row.cache = None
        yield f"from column {left}", strip_of(row, columns, DARK, left, max(1, columns - 2))
    row.cache = None


@pytest.mark.parametrize("kind", list(wilder.KINDS))
def test_no_strip_and_nothing_it_writes_is_obeyed(kind: str) -> None:
    chosen = consoles()
    for seed in range(size(12, 300)):
        (columns, lines), tokens = wilder.output(kind, seed, 60)
        screen = Screen(columns, lines, 200)
        stream = Stream(screen)
        console = chosen[seed % len(chosen)]
        before: Strip | None = None
        for at, token in enumerate(tokens):
            stream.feed(token + random.Random(seed * 1000 + at).randbytes(3))
            if at % 6:
                continue
            for row in [*screen.rows, *list(screen.history)[-3:]]:
                for name, strip in views(row, columns, console, before):
                    where = f"{kind} {seed}, {name} after {at + 1}"
                    assert harmful_written(strip.render(console)) == [], where
                    assert [segment for segment in strip if segment.control] == [], where
                    assert harmful(strip.text) == [], where
                before = strip_of(row, columns, DARK)


class Wire(App[None]):
    """One console, and everything that is written to the terminal."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self) -> None:
        super().__init__()
        self.fake = FakeConsole(b"", 70, 20)
        self.view = ConsoleView(link_clock=lambda: NOW)
        self.console._color_system = ColorSystem.TRUECOLOR
        self.written: list[str] = []
        self.direct = 0

    def compose(self) -> ComposeResult:
        yield self.view

    def on_mount(self) -> None:
        self.view.show(FakeTypingHandle(self.fake), "box")

    def _display(self, screen: Any, renderable: Any) -> None:
        """As Textual does where there is a terminal."""
        if isinstance(renderable, CompositorUpdate) and not self._batch_count:
            self.direct += isinstance(renderable, Frame)
            text = renderable.render_segments(self.console)
            if isinstance(renderable, LayoutUpdate):  # Textual ends the lines of a whole screen
                text = text.replace("\n", "")
            self.written.append(text)


@pytest.mark.parametrize("seed", range(size(2, 12)))
async def test_nothing_harmful_is_written_by_either_way(seed: int) -> None:
    """Direct frames and the compositor's, scrolled back and live, with titles and notices."""
    app = Wire()
    chance = random.Random(seed)
    async with app.run_test(size=(74, 24)) as pilot:
        app.view.focus()
        kinds, clock = list(wilder.KINDS), clock_of(app)
        for turn in range(size(30, 120)):
            _, tokens = wilder.output(chance.choice(kinds), chance.randrange(10**6), 12)
            app.fake.feed(b"".join(tokens) + chance.randbytes(8) + b"\x1b\\\x1b[?2026l")
            if turn % 5 == 0:
                app.view.refresh()
            await until(pilot, lambda: not (clock.common._wanted or clock.eager._wanted))
    assert app.direct > 10
    assert len(app.written) > app.direct
    for text in app.written:
        assert harmful_written(text) == []


def test_the_check_sees_what_is_harmful() -> None:
    """The comparison itself, at a row that somebody filled with what never should be there."""
    screen = Screen(10, 2, 0)
    row = screen._own(0)
    row.chars[3] = "\x1b]52;c;aGk=\x07"
    row.attrs[3] = DEFAULT
    row.version += 1
    assert harmful_written("a\x1b[1;2Hb\x1b[0;1mc") == []
    assert harmful_written("\x1b]0;t\x07") == ["\x1b", "\x07"]
    assert harmful_written("".join(row.chars)) != []
    assert harmful_written(strip_of(row, 10, DARK).render(consoles()[0])) == []  # the last door holds
