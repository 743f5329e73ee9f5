"""All consoles of a screen are painted together, at most thirty times a second."""

from __future__ import annotations

import asyncio
from typing import Any

from textual.app import App, ComposeResult
from ui_fake import NOW, FakeConsole, FakeHandle
from ui_pilot import until

from amtui.widgets.console_view import ConsoleView
from amtui.widgets.frame_clock import FRAME, Beat


async def test_what_is_wanted_between_two_beats_comes_in_one() -> None:
    beat, done = Beat(0.05), []
    loop, both = asyncio.get_running_loop(), asyncio.Event()

    def one() -> None:
        done.append(("one", loop.time()))

    def two() -> None:
        done.append(("two", loop.time()))
        both.set()

    beat.want(one)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first = done[0][1]  # the first comes at once
    beat.want(one)
    beat.want(two)
    beat.want(one)
    async with asyncio.timeout(5):
        await both.wait()
    assert [name for name, _ in done] == ["one", "one", "two"]
    assert done[1][1] - first >= 0.049
    beat.want(two)
    beat.drop(two)
    assert beat._timer is None, "nothing is wanted and a timer runs"


async def test_four_consoles_cost_one_update_of_the_terminal_a_frame() -> None:
    consoles = [FakeConsole() for _ in range(4)]
    views = [ConsoleView(link_clock=lambda: NOW) for _ in consoles]
    updates: list[float] = []

    class Four(App[None]):
        def compose(self) -> ComposeResult:
            yield from views

        def _display(self, screen: Any, renderable: Any) -> None:
            updates.append(asyncio.get_running_loop().time())

    app = Four()
    async with app.run_test(size=(82, 60)) as pilot:
        for view, console in zip(views, consoles, strict=True):
            view.show(FakeHandle(console), "box")
        await pilot.pause()
        frames = [view.frames for view in views]
        updates.clear()
        loop = asyncio.get_running_loop()
        began = loop.time()
        while loop.time() - began < 30 * FRAME:
            for number, console in enumerate(consoles):
                console.feed(f"\x1b[H{loop.time()} of {number}".encode())
                await asyncio.sleep(0.002)  # each at a moment of its own
        took = loop.time() - began
        await until(
            pilot, lambda: all(view.frames > before for view, before in zip(views, frames, strict=True))
        )
        assert len(updates) <= took / FRAME * 1.2 + 4, "consoles are painted one after the other"
        assert all(
            view.frames - before <= took / FRAME + 3 for view, before in zip(views, frames, strict=True)
        )
