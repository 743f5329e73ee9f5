"""The cyclic collector runs when nobody waits for a frame, and memory stays bounded all the same."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from textual._compositor import CompositorUpdate
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.strip import Strip
from ui_fake import NOW, FakeConsole, FakeContext, FakeHandle, FakeOperations
from ui_pilot import until

from amtui.app import AmtuiApp
from amtui.widgets import collector as policy
from amtui.widgets.collector import Collector
from amtui.widgets.console_view import ConsoleView


class Knot:
    """Garbage that only the collector frees."""

    def __init__(self) -> None:
        self.me = self


class Hand:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def collector(hand: Hand) -> Iterator[Collector]:
    one = Collector(clock=hand)
    one.start()
    yield one
    one.stop()
    assert gc.isenabled()


def alive() -> int:
    return sum(type(each) is Knot for each in gc.get_objects())


def test_nothing_is_collected_near_a_frame(collector: Collector, hand: Hand) -> None:
    knots = [weakref.ref(Knot()) for _ in range(2 * policy.WORTH)]
    for _ in range(50):
        hand.now += policy.QUIET / 2
        collector.look()
        collector.busy()
    assert collector.passes == [0, 0, 0]
    assert all(knot() is not None for knot in knots)


def test_an_idle_moment_is_used(collector: Collector, hand: Hand) -> None:
    knots = [weakref.ref(Knot()) for _ in range(2 * policy.WORTH)]
    hand.now += policy.QUIET
    collector.look()
    assert collector.passes == [0, 1, 0]
    assert all(knot() is None for knot in knots)


def test_a_still_hour_ends_old_garbage_too(collector: Collector, hand: Hand) -> None:
    knots = [Knot() for _ in range(10)]
    gone = [weakref.ref(knot) for knot in knots]
    gc.collect(1)  # they are old now
    knots.clear()
    hand.now += policy.LATEST
    collector.look()
    assert collector.passes[2] == 1
    assert all(knot() is None for knot in gone)


def test_a_flood_without_a_pause_stays_bounded(collector: Collector, hand: Hand) -> None:
    """An hour at 30 frames a second would leave millions of cycles; never more than the bound exist at once."""
    most = 0
    for frame in range(600):
        for _ in range(1_000):
            Knot()
        hand.now += 1 / 30
        collector.busy()
        collector.look()
        if frame % 50 == 49:
            most = max(most, alive())
    assert collector.passes[0] >= 5
    assert 0 < most <= policy.HARD + 1_000


def test_cycles_that_outlived_a_pass_go_in_a_flood_too(
    collector: Collector, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "HARD", 1_000)
    kept = [Knot() for _ in range(1_000)]
    gone = weakref.ref(kept[0])
    collector.look()
    kept.clear()
    for _ in range(policy.FULL_EVERY):
        for _ in range(2_000):
            Knot()
        collector.busy()
        collector.look()
    assert gone() is None


async def test_the_application_drives_it(ctx: FakeContext, operations: FakeOperations) -> None:
    app = AmtuiApp(ctx, operations=operations, clock=lambda: NOW, link_clock=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        assert app._collector is not None
        await until(pilot, lambda: not gc.isenabled())
        await _busy_after(pilot, app._collector, "down")
    assert gc.isenabled()


async def _busy_after(pilot: Pilot[None], collector: Collector, key: str) -> None:
    before = collector._busy_at
    await pilot.press(key)
    await until(pilot, lambda: collector._busy_at > before)


def strips() -> int:
    return sum(isinstance(each, Strip) for each in gc.get_objects())


async def test_painting_a_console_leaves_no_cycles() -> None:
    """What a frame allocates dies with the next one by itself; the collector is for the rest."""
    console = FakeConsole()
    view = ConsoleView(link_clock=lambda: NOW)

    class One(App[None]):
        def compose(self) -> ComposeResult:
            yield view

        def _display(self, screen: Any, renderable: Any) -> None:
            if isinstance(renderable, CompositorUpdate):
                painted.append(len(renderable.render_segments(self.console)))

    painted: list[int] = []
    app = One()
    async with app.run_test(size=(82, 26)) as pilot:
        view.show(FakeHandle(console), "box")
        await pilot.pause()
        gc.collect()
        gc.disable()
        try:
            for frame in range(40):
                for y in range(24):
                    console.feed(f"\x1b[{y + 1};1H\x1b[3{(frame + y) % 8}mrow {frame}\x1b[m of {y}".encode())
                painted.clear()
                if frame % 2:
                    view.refresh()  # by way of the compositor
                    app.screen._compositor.update_widgets({view})
                    app._display(app.screen, app.screen._compositor.render_update())
                view._flush()
                assert painted, "nothing was painted"
                if frame == 9:
                    before = strips()
            assert strips() - before < 24 * 4, "frames that are long gone still hold their strips"
        finally:
            gc.enable()
