"""How many requests may rest on one host at once, so that short ones always find room.

A substrate carries only so many commands beside each other (an ssh connection: seven). A stream, a long poll and a
key channel rest there for hours. When all places are taken, a console that somebody types into gets the place of
one that is only watched; that one then asks every second instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, TypeVar

Answer = TypeVar("Answer")

RESERVED: Final = 2
"""Places that resting requests leave free."""
PATIENCE: Final = 3.0
"""Seconds to wait for the place of a console that is only watched."""


def rest_for(seconds: int, cap: float | None) -> int:
    """How long a request that should rest so many seconds may, where the substrate ends a command after `cap`."""
    return seconds if cap is None else max(1, min(seconds, int(cap) - 3))


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


class Shared:
    """The place of a request that rests for several consoles, kept from one request to the next.

    One that is free for a moment would be fought for. It goes to who types, who therefore sets `up`.
    """

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self.held = False
        """It is ours."""
        self._outranked = False
        self.up = asyncio.Event()
        """Set when what rests must end: somebody needs the place, or its owner has another reason."""

    async def take(self) -> bool:
        """See to it that the place is ours, unless somebody needs it more; whether it is."""
        if self._outranked or not self.held:
            self.give()
            self.held = await self._lines.take(self, self._step_back, patience=PATIENCE, rank=1)
        return self.held

    def give(self) -> None:
        """The place is free again."""
        self.held = self._outranked = False
        self._lines.give(self)

    def _step_back(self) -> None:
        self._outranked = True
        self.up.set()

    async def unless_up(self, request: Coroutine[Any, Any, Answer]) -> Answer | None:
        """What `request` returns; None when `up` was set first, which ends it. Raises what it raises."""
        asked = asyncio.ensure_future(request)
        up = asyncio.ensure_future(self.up.wait())
        try:
            await asyncio.wait({asked, up}, return_when=asyncio.FIRST_COMPLETED)
            return asked.result() if asked.done() else None
        finally:
            for task in (asked, up):
                task.cancel()
            await asyncio.gather(asked, up, return_exceptions=True)
