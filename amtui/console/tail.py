"""A session kept in step with its console for as long as anybody looks.

A connection lasts until something breaks it; then it is made again from the position the session has, with growing
pauses, on the level that works.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from amtui.console import helper
from amtui.console.bare import Bare
from amtui.console.channel import KeyChannel
from amtui.console.follow import follow_briskly, follow_duplex, follow_looks, follow_polls, follow_stream
from amtui.console.ladder import DUPLEX, STEADY, Ladder, Level
from amtui.console.lines import PATIENCE, Lines
from amtui.console.session import Session
from amtui.console.status import Link
from amtui.console.stir import Stir
from amtui.console.typist import Typist
from amtui.errors import (
    AmtuiError,
    CapacityUnavailable,
    NotFound,
    ProtocolError,
    StreamBroken,
    Unreachable,
)


class Tail:
    """Keeps a session in step with its console for as long as anybody looks."""

    def __init__(self, session: Session, lines: Lines, stir: Stir) -> None:
        self.session = session
        self.typist = Typist(session)
        self._lines = lines
        self._stir = stir
        self._seen = False
        self._typing = False
        self._outranked = False
        self._changed = asyncio.Event()
        self._failures = 0
        self._ladder = Ladder(session.place.provider.caps, session.timing.again)

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
        session, ladder = self.session, self._ladder
        level, began = ladder.level(session.clock()), session.clock()
        try:
            if level is Level.L0:
                await self._without_help()
                return
            await session.attach()
            began = session.clock()
            level = await self._follow(level)
            ladder.held(level)
        except NotFound as error:
            session.end(error.message)
            self._lines.give(self)
            await asyncio.sleep(session.timing.gone)
        except (AmtuiError, TimeoutError, OSError) as error:
            if isinstance(error, ProtocolError):
                session.distrust()
            lasted = session.clock() - began
            if lasted > STEADY:
                self._failures = 0
            self._lines.give(self)
            if not self._climbed_down(level, lasted, error):
                await self._failed(error)
        finally:
            self._lines.give(self)

    async def _follow(self, level: Level) -> Level:
        """Follow on `level`, or a lower one when the host has no place for what rests. Returns the level it was.

        Ends when nobody looks, when another console needs the place, or when a better level should be tried.
        """
        session = self.session
        patience = PATIENCE if self._typing else 0.0
        resting = await self._lines.take(self, None if self._typing else self._step_back, patience=patience)
        self._note(level if resting else Level.L1)
        if not resting:
            await self._while(lambda: self._seen, follow_briskly(session, self._room, self._stir))
            return Level.L1
        ways = {Level.L3: follow_duplex, Level.L2: follow_stream, Level.L1: follow_polls}
        await self._while(
            lambda: self._seen and not self._outranked, self._for_now(lambda: ways[level](session))
        )
        return level

    async def _without_help(self) -> None:
        """L0. Nothing rests on the host, so no place there is needed."""
        session = self.session
        bare = Bare(session.place, session.console, session.position)
        session.instead = bare.ask
        try:
            await session.attach()
            self._note(Level.L0)
            await self._while(lambda: self._seen, self._for_now(lambda: follow_looks(session, bare.stirred)))
        finally:
            session.instead = None

    async def _for_now(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work` until a better level should be tried."""
        better = self._ladder.better(self.session.clock())
        with suppress(TimeoutError):
            async with asyncio.timeout(better):
                try:
                    await work()
                except TimeoutError:
                    raise Unreachable("no answer in time", op="console") from None

    def _note(self, level: Level) -> None:
        lowered = self._ladder.why if level is not self._ladder.best else ""
        self.session.note(level=level.value, lowered=lowered)

    def _climbed_down(self, level: Level, lasted: float, error: Exception) -> bool:
        """Take note of what ended a connection. True when another level is to be tried at once."""
        ladder, now = self._ladder, self.session.clock()
        why = error.message if isinstance(error, AmtuiError) else "no answer in time"
        if helper.unusable(error):
            ladder.unhelped(now, why)
        elif isinstance(error, CapacityUnavailable) and level in (Level.L3, Level.L2):
            ladder.bar(level, now, why)  # the substrate has fewer places than it says
        elif isinstance(error, StreamBroken) and level in (Level.L3, Level.L2):
            ladder.broke(level, lasted, now, why)
        return ladder.level(now) is not level

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
            if await self._lines.take(channel, None, patience=PATIENCE):
                try:
                    self.typist.channel = channel
                    with suppress(AmtuiError, TimeoutError, OSError):
                        await helper.ensure_installed(session.place)
                        await self._while(lambda: self._seen and self._typing, channel.run())
                finally:
                    self.typist.channel = None
                    self._lines.give(channel)
            failures = 0 if session.clock() - began > STEADY else failures + 1
            steps = session.timing.backoff
            await asyncio.sleep(steps[min(failures, len(steps) - 1)])
