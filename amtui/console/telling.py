"""What views are told of a console: its status, and that something changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from amtui.console.status import ConsoleStatus, Link


class Telling:
    """A status and those who want to hear of it. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.status = ConsoleStatus(since=clock())
        self.changed = asyncio.Event()
        """Set by every change, for whoever waits for one."""
        self._listeners: dict[object, Callable[[], None]] = {}
        """By subscription, not by callable: two handles of one view subscribe the same method, and one may go."""

    def listen(self, call: Callable[[], None]) -> Callable[[], None]:
        """Call `call` on the loop whenever screen or status changed; returns what ends that."""
        subscription = object()
        self._listeners[subscription] = call
        return lambda: self._listeners.pop(subscription, None) and None

    def tell(self) -> None:
        """Screen or status changed."""
        self.changed.set()
        for call in tuple(self._listeners.values()):
            call()

    def set_link(self, link: Link, detail: str = "") -> None:
        """Change the link state; `since` moves only when the state does."""
        if (link, detail) == (self.status.link, self.status.detail):
            return
        since = self.status.since if link is self.status.link else self.clock()
        self.status = replace(self.status, link=link, detail=detail, since=since)
        self.tell()

    def note(self, **changes: object) -> None:
        """Change other fields of the status."""
        new = replace(self.status, **changes)  # type: ignore[arg-type]
        if new != self.status:
            self.status = new
            self.tell()
