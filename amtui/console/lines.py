"""How many requests may rest on one host at once, so that short ones always find room.

A substrate carries only so many commands beside each other (an ssh connection: seven). A stream, a long poll and a
key channel rest there for hours. When all places are taken, a console that somebody types into gets the place of
one that is only watched; that one then asks every second instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

RESERVED: Final = 2
"""Places that resting requests leave free."""


class Lines:
    """Places for resting requests on one host."""

    def __init__(self, parallel: int) -> None:
        self._room = max(1, parallel - RESERVED)
        self._held: dict[object, tuple[Callable[[], None] | None, int]] = {}
        """Whoever has a place: how to ask them for it, and their rank."""
        self._asked: set[object] = set()
        """Holders that were asked to step back and have not yet."""
        self._waiting: dict[object, int] = {}
        """Whoever waits for a place, with their rank: what becomes free is for the highest."""
        self._freed = asyncio.Event()

    @property
    def free(self) -> bool:
        """Whether `take` would succeed at once."""
        return self._free_for(0)

    def _free_for(self, rank: int) -> bool:
        return len(self._held) < self._room and not any(other > rank for other in self._waiting.values())

    async def take(
        self,
        holder: object,
        step_back: Callable[[], None] | None,
        *,
        patience: float = 0.0,
        rank: int | None = None,
    ) -> bool:
        """A place for `holder`, or False. `step_back` asks it to give the place up; None: it need not.

        With `patience` seconds to wait, somebody of lower rank who may be asked is asked: 0 only watches, 1 waits for
        several consoles at once, 2 is typed into. Without `rank` it is 2 for who need not step back, else 0.
        """
        if rank is None:
            rank = 2 if step_back is None else 0
        end = asyncio.get_running_loop().time() + patience
        self._waiting[holder] = rank
        try:
            while not self._free_for(rank):
                left = end - asyncio.get_running_loop().time()
                if left <= 0 or not (self._ask_one(rank) or self._asked or len(self._held) < self._room):
                    return False
                await self._wait(left)
            self._held[holder] = step_back, rank
            return True
        finally:
            del self._waiting[holder]
            self._freed.set()  # who waited behind this one looks again

    @property
    def yielding(self) -> bool:
        """Whether somebody holds a place that may be asked for and was not yet."""
        return any(ask is not None and who not in self._asked for who, (ask, _) in self._held.items())

    def _ask_one(self, rank: int) -> bool:
        """Ask one more holder, each only once: two who need a place at the same time need two. Lowest ranks first."""
        for who, (ask, theirs) in sorted(self._held.items(), key=lambda held: held[1][1]):
            if ask is not None and theirs < rank and who not in self._asked:
                self._asked.add(who)
                ask()
                return True
        return False

    async def _wait(self, patience: float) -> None:
        self._freed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._freed.wait()

    def give(self, holder: object) -> None:
        """The place is free again; giving back what one does not hold is nothing."""
        self._held.pop(holder, None)
        self._asked.discard(holder)
        self._freed.set()
