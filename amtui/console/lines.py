"""How many requests may rest on one host at once, so that short ones always find room.

A substrate carries only so many commands beside each other (an ssh connection: seven). A stream, a long poll and a
key channel rest there for hours. When all places are taken, a console that somebody types into gets the place of
one that is only watched; that one then asks every second instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

RESERVED: Final = 2
"""Places that resting requests leave free."""


class Lines:
    """Places for resting requests on one host."""

    def __init__(self, parallel: int) -> None:
        self._room = max(1, parallel - RESERVED)
        self._held: dict[object, Callable[[], None] | None] = {}
        self._freed = asyncio.Event()

    @property
    def free(self) -> bool:
        """Whether `take` would succeed at once."""
        return len(self._held) < self._room

    async def take(
        self, holder: object, step_back: Callable[[], None] | None, *, patience: float = 0.0
    ) -> bool:
        """A place for `holder`, or False. `step_back` asks it to give the place up; None: it need not.

        With `patience` seconds to wait, somebody who may be asked is asked.
        """
        if not self.free and patience:
            asked = next((ask for ask in self._held.values() if ask is not None), None)
            if asked is not None:
                asked()
                await self._wait(patience)
        if not self.free:
            return False
        self._held[holder] = step_back
        return True

    async def _wait(self, patience: float) -> None:
        try:
            async with asyncio.timeout(patience):
                while not self.free:
                    self._freed.clear()
                    await self._freed.wait()
        except TimeoutError:
            return

    def give(self, holder: object) -> None:
        """The place is free again; giving back what one does not hold is nothing."""
        self._held.pop(holder, None)
        self._freed.set()
