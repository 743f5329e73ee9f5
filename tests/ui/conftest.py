"""A fleet for the screens, and the application over it with both clocks frozen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.color import ColorSystem
from rich.style import Style
from textual.pilot import Pilot
from textual.strip import Strip
from ui_fake import NOW, FakeConsole, FakeContext, FakeFleet, FakeOperations
from ui_pilot import PROMPT, QUESTION, UPSTREAMS, Start, crash_text, fleet_rows, text, until

from amtui.app import AmtuiApp


@pytest.fixture(autouse=True)
def true_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """One terminal for all: Textual keeps a style's codes for the colours of whoever asked first."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)
    render = Strip.render_style.__func__  # type: ignore[attr-defined]  # a class method's own function

    def fresh(cls: type[Strip], style: Style, text: str, color_system: ColorSystem) -> str:
        style._ansi = None
        return str(render(cls, style, text, color_system))

    monkeypatch.setattr(Strip, "render_style", classmethod(fresh))


@pytest.fixture
def ctx(tmp_path: Path) -> FakeContext:
    """A fleet of eight workers with consoles."""
    context = FakeContext(FakeFleet(fleet_rows()), tmp_path)
    for each in fleet_rows():
        context.consoles[each.worker.name] = FakeConsole(
            PROMPT if each.worker.runtime == "shell" else QUESTION
        )
    context.logs = {
        "bootstrap": [f"10:02:{i % 60:02} phase=node line {i}" for i in range(80)],
        "agent": ["agent says hi"],
        "events": [f"2026-11-20 10:00:{i:02}  shell            working    event {i}" for i in range(30)],
    }
    return context


@pytest.fixture
def operations() -> FakeOperations:
    """Operations that are only written down."""
    fake = FakeOperations()
    fake.yields["upstream ls"] = [UPSTREAMS]
    return fake


@pytest.fixture
def start(ctx: FakeContext, operations: FakeOperations) -> Start:
    """`async with start((120, 36)) as pilot`: the application, mounted and at rest."""

    @asynccontextmanager
    async def begin(size: tuple[int, int] = (120, 36), **how: Any) -> AsyncIterator[Pilot[None]]:
        app = AmtuiApp(
            ctx, operations=operations, clock=lambda: NOW, link_clock=lambda: NOW, tune_gc=False, **how
        )
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await until(pilot, lambda: bool(text(pilot).strip()))
            yield pilot
            assert not app.crashes, crash_text(app.crashes[0])

    return begin
