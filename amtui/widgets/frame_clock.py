"""One beat for all consoles of a screen: what changed between two beats is painted in one update of the terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final
from weakref import WeakKeyDictionary

from textual.app import App

FRAME: Final = 1 / 30
EAGER_FRAME: Final = 1 / 60


class Beat:
    """Calls what was wanted, all of it together and at most every `interval` seconds."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._wanted: dict[Callable[[], None], None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._last = -1.0

    def want(self, flush: Callable[[], None]) -> None:
        """Call `flush` at the next beat, once. The first after a pause comes in this very turn of the loop."""
        self._wanted[flush] = None
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(loop.time(), self._last + self._interval), self._strike)

    def drop(self, flush: Callable[[], None]) -> None:
        """It has been done, or there is nobody left to do it for."""
        self._wanted.pop(flush, None)
        if not self._wanted and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _strike(self) -> None:
        self._timer = None
        self._last = asyncio.get_running_loop().time()
        wanted, self._wanted = self._wanted, {}
        for flush in wanted:
            flush()


class FrameClock:
    """The beats of one application: the common one, and the quicker one of the console that is typed into."""

    def __init__(self) -> None:
        self.common = Beat(FRAME)
        self.eager = Beat(EAGER_FRAME)

    def drop(self, flush: Callable[[], None]) -> None:
        """Not wanted at either beat any more."""
        self.common.drop(flush)
        self.eager.drop(flush)


_clocks: WeakKeyDictionary[App[object], FrameClock] = WeakKeyDictionary()


def clock_of(app: App[object]) -> FrameClock:
    """The clock that all consoles of `app` share."""
    found = _clocks.get(app)
    if found is None:
        found = _clocks[app] = FrameClock()
    return found
