"""One beat for all consoles of a screen: what changed between two beats is painted in one update of the terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final
from weakref import WeakKeyDictionary

from textual.app import App

from amtui.widgets.direct import Canvas

FRAME: Final = 1 / 30
EAGER_FRAME: Final = 1 / 60


class Beat:
    """Calls what was wanted, all of it together and at most every `interval` seconds."""

    def __init__(self, interval: float, complete: Callable[[], None] = lambda: None) -> None:
        """`complete` is called after all that was wanted at a beat has been done."""
        self._interval = interval
        self._complete = complete
        self.striking = False
        """It is calling what was wanted just now."""
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
        self.striking = True
        try:
            for flush in wanted:
                flush()
        finally:
            self.striking = False
            self._complete()


class FrameClock:
    """The beats of one application: the common one, and the quicker one of the console that is typed into."""

    def __init__(self) -> None:
        self.canvas = Canvas()
        """Where consoles write what the next update of the terminal is to contain."""
        self.common = Beat(FRAME, self.canvas.send)
        self.eager = Beat(EAGER_FRAME, self.canvas.send)

    def done(self) -> None:
        """A console has drawn its frame: unless others are about to, it goes to the terminal now."""
        if not (self.common.striking or self.eager.striking):
            self.canvas.send()

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
