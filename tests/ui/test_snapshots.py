"""The five screens as pictures, at both sizes, with frozen clocks. `pytest --snapshot-update` renews them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from ui_fake import NOW, FakeContext, FakeOperations
from ui_pilot import see

from amtui.app import AmtuiApp

Run = Callable[[Pilot[None]], Awaitable[None]]
SIZES = [(120, 36), (80, 24)]


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One time zone, no ssh configuration, the same tools, so that the pictures are the same everywhere."""
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")


def app(ctx: FakeContext, operations: FakeOperations) -> AmtuiApp:
    return AmtuiApp(ctx, operations=operations, clock=lambda: NOW, link_clock=lambda: NOW, tune_gc=False)


async def settled(pilot: Pilot[None], *parts: str) -> None:
    await see(pilot, *parts)
    await pilot.pause(0.1)


async def fleet(pilot: Pilot[None]) -> None:
    await settled(pilot, "Do you want to proceed?", "docs-bot · console")


async def empty(pilot: Pilot[None]) -> None:
    await settled(pilot, "Try it now")


async def worker(pilot: Pilot[None]) -> None:
    await fleet(pilot)
    await pilot.press("i")
    await settled(pilot, "every key goes to docs-bot", "Do you want to proceed?")


async def deploy(pilot: Pilot[None]) -> None:
    await fleet(pilot)
    await pilot.press("n")
    await settled(pilot, "( ) claude", "ready to deploy")


async def logs(pilot: Pilot[None]) -> None:
    await fleet(pilot)
    await pilot.press("l")
    await settled(pilot, "phase=node line 79")


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("picture", [fleet, empty, worker, deploy, logs], ids=lambda f: f.__name__)
def test_picture(
    snap_compare: Any, ctx: FakeContext, operations: FakeOperations, picture: Run, size: tuple[int, int]
) -> None:
    if picture is empty:
        ctx.fleet.put()
    assert snap_compare(app(ctx, operations), run_before=picture, terminal_size=size)
