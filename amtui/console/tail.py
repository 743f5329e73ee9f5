"""A session kept in step with its console for as long as anybody looks.

A connection lasts until something breaks it; then it is made again from the position the session has, with growing
pauses, on the level that works.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from amtui.console import helper
from amtui.console.channel import KeyChannel
from amtui.console.follow import DUPLEX, best_level, follow_briskly, follow_polls, follow_stream
from amtui.console.lines import Lines
from amtui.console.session import Session
from amtui.console.status import Link
from amtui.console.typist import Typist
from amtui.errors import AmtuiError, CapacityUnavailable, NotFound, StreamBroken

_PATIENCE: Final = 3.0
"""Seconds that a console which is typed into waits for the place of one that is only watched."""
_STEADY: Final = 5.0
"""A connection that lasted so many seconds was a good one."""
_TRIES: Final = 3
"""Streams that break at once, one after another, before polling is tried."""


class Tail:
    """Keeps a session in step with its console for as long as anybody looks."""

    def __init__(self, session: Session, lines: Lines) -> None:
        self.session = session
        self.typist = Typist(session)
        self._lines = lines
        self._seen = False
        self._typing = False
        self._outranked = False
        self._changed = asyncio.Event()
        self._failures = 0
        self._narrow = False
        """Streams keep breaking here: poll instead."""

    def want(self, *, seen: bool, typing: bool) -> None:
        """Whether somebody sees the console (a hidden one costs nothing), and whether somebody may type."""
        self._seen, self._typing = seen, typing
        self._outranked = self._outranked and not typing
        self._changed.set()

    async def run(self) -> None:
        """Until cancelled: feed, type, follow. What it raises is a mistake of ours."""
        async with asyncio.TaskGroup() as beside:
            works = (self.session.run_feed, self.typist.run, self._keep_channel, self._keep_size, self._heal)
            for work in works:
                beside.create_task(work())
            while True:
                await self._until(lambda: self._seen)
                await self._once()

    async def _until(self, true: Callable[[], bool]) -> None:
        while not true():
            self._changed.clear()
            await self._changed.wait()

    async def _while(self, true: Callable[[], bool], work: Awaitable[None]) -> None:
        """Do `work` for as long as `true()` holds; what it raises is raised."""
        task = asyncio.ensure_future(work)
        end = asyncio.ensure_future(self._until(lambda: not true()))
        try:
            await asyncio.wait({task, end}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
        finally:
            for one in (task, end):
                one.cancel()
            await asyncio.gather(task, end, return_exceptions=True)

    async def _once(self) -> None:
        """One connection, from attach to whatever ends it."""
        session = self.session
        began = session.clock()
        try:
            await session.attach()
            patience = _PATIENCE if self._typing else 0.0
            resting = await self._lines.take(
                self, None if self._typing else self._step_back, patience=patience
            )
            wide = resting and not self._narrow and best_level(session) == "L3"
            session.note(level="L3" if wide else "L1")
            if wide:
                await self._while(lambda: self._seen and not self._outranked, follow_stream(session))
            elif resting:
                await self._while(lambda: self._seen and not self._outranked, follow_polls(session))
            else:
                await self._while(lambda: self._seen, follow_briskly(session, self._room))
        except NotFound as error:
            session.end(error.message)
            self._lines.give(self)
            await asyncio.sleep(session.timing.gone)
        except (AmtuiError, TimeoutError, OSError) as error:
            if session.clock() - began > _STEADY:
                self._failures = 0
            self._lines.give(self)
            await self._failed(error)
        finally:
            self._lines.give(self)

    def _step_back(self) -> None:
        """Somebody types into another console of this host and needs our place."""
        self._outranked = True
        self._changed.set()

    def _room(self) -> bool:
        """Leave brisk polling when a place is free, or when this console is typed into now."""
        if self._lines.free:
            self._outranked = False
        return self._lines.free or (self._typing and self._lines.yielding)

    async def _failed(self, error: Exception) -> None:
        session = self.session
        steps = session.timing.backoff
        reason = error.message if isinstance(error, AmtuiError) else "no answer in time"
        if isinstance(error, CapacityUnavailable):
            self._narrow = True  # the substrate has fewer places than it says
        elif isinstance(error, StreamBroken) and self._failures >= _TRIES:
            self._narrow = not self._narrow  # try the other way
        old = session.clock() - session.heard > session.timing.stale
        session.set_link(Link.STALE if old else Link.RECONNECTING, reason)
        await asyncio.sleep(steps[min(self._failures, len(steps) - 1)])
        self._failures += 1

    async def _keep_size(self) -> None:
        while True:
            with suppress(AmtuiError, TimeoutError):
                await self.session.keep_size()

    async def _heal(self) -> None:
        while True:
            with suppress(AmtuiError, TimeoutError):
                await self.session.heal()

    async def _keep_channel(self) -> None:
        """Hold a duplex channel for keys while somebody may type and the substrate has one and room for it."""
        session = self.session
        failures = 0
        while DUPLEX in session.place.provider.caps:
            await self._until(lambda: self._seen and self._typing)
            channel = KeyChannel(session)
            began = session.clock()
            if await self._lines.take(channel, None, patience=_PATIENCE):
                try:
                    self.typist.channel = channel
                    with suppress(AmtuiError, TimeoutError, OSError):
                        await helper.ensure_installed(session.place)
                        await self._while(lambda: self._seen and self._typing, channel.run())
                finally:
                    self.typist.channel = None
                    self._lines.give(channel)
            failures = 0 if session.clock() - began > _STEADY else failures + 1
            steps = session.timing.backoff
            await asyncio.sleep(steps[min(failures, len(steps) - 1)])
