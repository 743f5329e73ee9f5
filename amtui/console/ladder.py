"""Which way a console's output comes: the best that works, a worse one after failures, the better one tried again.

No task, no channel and no clock of its own: every rule is testable.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from amtui.providers.base import Cap

LIVE: Final = Cap.STREAM | Cap.BINARY_OUTPUT
DUPLEX: Final = LIVE | Cap.STDIN

STEADY: Final = 5.0
"""A connection that lasted so many seconds was a good one."""
TRIES: Final = 3
"""Connections that break at once, one after another, before another level is tried."""
LONGEST: Final = 600.0
"""Most seconds until a level that failed is tried again."""


class Level(StrEnum):
    """How a console is followed, from best to worst."""

    L3 = "L3"
    """One stream for output, one parked channel for keys."""
    L2 = "L2"
    """One stream for output; keys in an exec each."""
    L1 = "L1"
    """Nothing but execs: long polls, and keys whose reply carries the echo."""
    L0 = "L0"
    """Nothing of ours on the host: tmux itself is asked, again and again."""


def rungs(caps: Cap) -> tuple[Level, ...]:
    """The levels that a substrate with these capabilities can carry, best first."""
    best = 0 if DUPLEX in caps else 1 if LIVE in caps else 2
    return tuple(Level)[best:]


class Ladder:
    """The levels of one console. Times are seconds of the caller's clock."""

    def __init__(self, caps: Cap, again: float = 30.0) -> None:
        self._rungs = rungs(caps)
        self._again = again
        self._strikes: dict[Level, int] = {}
        self._barred: dict[Level, float] = {}
        self._pause: dict[Level, float] = {}
        self._alone = again
        self.why = ""
        """What barred the level above the present one, safe for a terminal."""

    @property
    def best(self) -> Level:
        """What the substrate says it can carry."""
        return self._rungs[0]

    def level(self, now: float) -> Level:
        """The best level that is not barred now."""
        return next(rung for rung in self._rungs if self._barred.get(rung, now) <= now)

    def better(self, now: float) -> float | None:
        """Seconds until a better level than the present one is tried again; None on the best."""
        above = self._rungs[: self._rungs.index(self.level(now))]
        return min((self._barred[rung] - now for rung in above), default=None)

    def broke(self, level: Level, lasted: float, now: float, why: str) -> None:
        """A connection on this level ended by itself after `lasted` seconds. At once, several times: it is barred."""
        if lasted >= STEADY:
            self.held(level)
            return
        self._strikes[level] = self._strikes.get(level, 0) + 1
        if self._strikes[level] >= TRIES:
            self.bar(level, now, why)

    def held(self, level: Level) -> None:
        """A connection on this level was a good one; what was held against it is forgotten."""
        self._strikes.pop(level, None)
        self._pause.pop(level, None)
        if level is not Level.L0:
            self._alone = self._again

    def bar(self, level: Level, now: float, why: str) -> None:
        """Leave this level, for longer each time; the first failure after that leaves it again."""
        if level is self._rungs[-1]:
            return
        self._strikes[level] = TRIES - 1
        pause = self._pause.get(level, self._again)
        self._barred[level] = now + pause
        self._pause[level] = min(LONGEST, 2 * pause)
        self.why = why

    def unhelped(self, now: float, why: str) -> None:
        """The helper cannot be brought to the host or run there: every level that needs it is left."""
        for rung in self._rungs[:-1]:
            self._barred[rung] = max(now + self._alone, self._barred.get(rung, now))
        self._alone = min(LONGEST, 2 * self._alone)
        self.why = why
