"""When the cyclic collector runs: at idle moments, never in the middle of typing or drawing.

One automatic pass can take longer than four frames. Most objects die by their reference count anyway, so the pass
waits until nothing happens; only when too much has piled up does it run between two frames.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from typing import Final

QUIET: Final = 0.1
"""Seconds without a key or a frame after which a short pass disturbs nobody."""
STILL: Final = 2.0
"""Seconds without either after which a full pass may run."""
TICK: Final = 0.5
"""Seconds between two looks."""
WORTH: Final = 5_000
"""New objects below which a pass is not worth its time …"""
LATEST: Final = 60.0
"""… unless the last full one is this many seconds ago."""
HARD: Final = 100_000
"""New objects at which a pass runs whatever happens: what bounds the memory of a flood that never pauses."""
FULL_EVERY: Final = 20
"""Every so many forced passes is a full one, for cycles that died after an earlier pass had kept them."""


class Collector:
    """Runs the collector for an application. `key` and `frame` are told, the rest happens on the event loop."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._busy_at = clock()
        self._full_at = clock()
        self._forced = 0
        self._timer: asyncio.TimerHandle | None = None
        self._running = False
        self.passes: list[int] = [0, 0, 0]
        """Passes so far, by generation."""

    def start(self) -> None:
        """Take over: what exists now is never looked at again, automatic passes end."""
        if self._running:
            return
        self._running = True
        gc.collect()
        gc.freeze()
        gc.disable()
        self._full_at = self._clock()
        self._plan()

    def stop(self) -> None:
        """Give the collector back as Python has it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._running:
            self._running = False
            gc.enable()
            gc.unfreeze()

    def busy(self) -> None:
        """A key came or a frame went: nothing may disturb for a moment."""
        self._busy_at = self._clock()

    def look(self) -> None:
        """Run the pass that is due now, if one is."""
        now, new = self._clock(), gc.get_count()[0]
        idle = now - self._busy_at
        if new >= HARD:
            self._forced += 1
            self._collect(2 if self._forced % FULL_EVERY == 0 else 0)
        elif idle >= STILL and now - self._full_at >= LATEST:
            self._collect(2)
        elif idle >= QUIET and new >= WORTH:
            self._collect(1)

    def _collect(self, generation: int) -> None:
        gc.collect(generation)
        self.passes[generation] += 1
        if generation == 2:
            self._full_at = self._clock()

    def _plan(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # nobody to remind us: whoever started it looks
        self._timer = loop.call_later(TICK, self._tick)

    def _tick(self) -> None:
        self.look()
        self._plan()
