"""What a worker's consoles do, known without following any of them: one request rests on the host for all.

For consoles that no view shows and for lists of consoles. Output moves nothing here; a program that exits, a title, a
bell, a notice, a console that comes or goes is told within `Timing.calm` and `Timing.nap`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from amtui.console import roster
from amtui.console.lines import Lines, Shared, rest_for
from amtui.console.roster import Listed
from amtui.console.status import Timing
from amtui.errors import AmtuiError, ExecTimeout, Unreachable
from amtui.providers.base import Place


class Watch:
    """The consoles of one worker as last told. `run` belongs to the hub."""

    def __init__(self, place: Place, lines: Lines, timing: Timing, clock: Callable[[], float]) -> None:
        self.place = place
        self.listed: tuple[Listed, ...] | None = None
        """By number; None until the host has answered once."""
        self.error = ""
        """Why the host does not answer now, safe for a terminal."""
        self.unreachable = False
        """That is why: the host itself is out of reach."""
        self.told_at = clock()
        """When the host last answered, by the hub's clock."""
        self._timing, self._clock = timing, clock
        self._rests = True
        """The last request rested on the host, or could have."""
        self._listeners: dict[object, Callable[[], None]] = {}
        self._rest = Shared(lines)
        """Up also when somebody wants to know now."""

    def listen(self, call: Callable[[], None]) -> Callable[[], None]:
        """Call `call` on the loop when something changed; returns what ends that."""
        subscription = object()
        self._listeners[subscription] = call
        return lambda: self._listeners.pop(subscription, None) and None

    def refresh(self) -> None:
        """Look at once: somebody has just changed something."""
        self._rest.up.set()

    def _tell(self) -> None:
        for call in tuple(self._listeners.values()):
            call()

    async def run(self) -> None:
        """Until cancelled. A host that does not answer is asked again, with growing pauses."""
        try:
            await self._run()
        finally:
            self._rest.give()

    async def _run(self) -> None:
        mark, failures = "none", 0
        while True:
            try:
                busy, mark = await self._look(mark)
            except (AmtuiError, TimeoutError, OSError) as error:
                steps = self._timing.backoff
                self.error = error.message if isinstance(error, AmtuiError) else "no answer in time"
                self.unreachable = getattr(error, "exit_code", 6) in (
                    Unreachable.exit_code,
                    ExecTimeout.exit_code,
                )
                self._rest.give()
                self._tell()
                await asyncio.sleep(steps[min(failures, len(steps) - 1)])
                failures += 1
                continue
            failures = 0
            # A program may change its title ten times a second; who does not look need not know each.
            if busy or not self._rests:
                await self._pause(self._timing.calm)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._rest.up.wait()

    async def _look(self, mark: str) -> tuple[bool, str]:
        """One request: whether something changed by itself, and the new mark."""
        rest = rest_for(self._timing.watch, self.place.provider.limits.exec_cap)
        hurry = mark == "none" or self._rest.up.is_set()
        self._rest.up.clear()
        self._rests = not hurry and await self._rest.take()
        rest = rest if self._rests else 0
        request = roster.watch(self.place, mark, rest, self._timing.nap, timeout=self._timing.deadline + rest)
        told = await (self._rest.unless_up(request) if self._rests else request)
        if told is None:
            return False, mark
        new, listed = told
        self._rests = self._rests or hurry
        changed = new != mark or bool(self.error)
        self.listed, self.error, self.unreachable = tuple(listed), "", False
        self.told_at = self._clock()
        if changed:
            self._tell()
        return changed and not hurry, new
