"""Searching a console: history and grid, wrapped rows joined, while output goes on and history is trimmed.

Lines in history never change, so each is read once, the newest first; the grid is read anew whenever it changed. All
of it happens in slices: `work` reads for so long and no longer, whatever the pattern and the text.
"""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from amtui.emulator import lines
from amtui.emulator.lines import Line, Place, Stretch
from amtui.emulator.pattern import Pattern
from amtui.emulator.screen import Screen

MOST: Final = 10_000
"""Hits kept; the newest count."""
PATIENCE: Final = 4.0
"""Seconds of work after which a pattern is given up over old lines."""
_ROWS: Final = 16
"""Rows between two looks at the clock; the line that reaches it is finished."""


class Hit(NamedTuple):
    """One place where the pattern is. Hits sort as they are read."""

    start: Place
    stretches: tuple[Stretch, ...]
    """Its cells, row by row."""


class Search:
    """All places of a pattern in a screen and its history."""

    def __init__(
        self, screen: Screen, pattern: Pattern, *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        """`clock` counts seconds, for slices only."""
        self.screen = screen
        self.pattern = pattern
        self._clock = clock
        self._reset()

    def _reset(self) -> None:
        screen = self.screen
        self._alternate = screen.alternate
        self._low = self._high = self._boundary()
        """History from `_low` up to `_high` has been read."""
        self._older: list[Hit] = []
        """Of history, found going up: newest first."""
        self._newer: list[Hit] = []
        """Of history, of rows that came since: oldest first."""
        self._tail: list[Hit] = []
        """Of the grid, and of the line that runs on into it."""
        self._seen = -1
        """`screen.changed` when the grid was read last."""
        self._hits: list[Hit] | None = None
        self._job: Iterator[None] | None = None
        self._of_old = False
        self._spent = 0.0
        """Seconds of reading old lines."""
        self.capped = False
        """There are more old hits than are kept, or than there was patience for."""

    # ---- what was found

    @property
    def hits(self) -> list[Hit]:
        """What is known now, oldest first."""
        if self._hits is None:
            self._hits = [*reversed(self._older), *self._newer, *self._tail]
        return self._hits

    @property
    def done(self) -> bool:
        """Everything held has been read."""
        return (
            self._job is None
            and self._alternate == self.screen.alternate
            and self._seen == self.screen.changed
            and (self.capped or self._low <= lines.first(self.screen))
            and self._high >= self._boundary()
        )

    @property
    def read_from(self) -> int:
        """All rows from this one on have been read."""
        return self._low if self._seen >= 0 else lines.end(self.screen)

    def on_rows(self, start: int, stop: int) -> Iterator[tuple[Stretch, Hit]]:
        """Cells of hits in the rows from `start` up to `stop`."""
        hits = self.hits
        at = bisect_left(hits, start - lines.LONGEST, key=lambda hit: hit.start.row)
        for hit in hits[at:]:
            if hit.start.row >= stop:
                return
            for stretch in hit.stretches:
                if start <= stretch.row < stop:
                    yield stretch, hit

    def number(self, hit: Hit) -> int:
        """Which one of the hits it is, from 1; 0 when it is no longer there."""
        at = bisect_left(self.hits, hit.start, key=lambda each: each.start)
        return at + 1 if at < len(self.hits) and self.hits[at].start == hit.start else 0

    def after(self, place: Place) -> Hit | None:
        """The first hit that begins after a place."""
        at = bisect_right(self.hits, place, key=lambda hit: hit.start)
        return self.hits[at] if at < len(self.hits) else None

    def before(self, place: Place) -> Hit | None:
        """The last hit that begins before a place."""
        at = bisect_left(self.hits, place, key=lambda hit: hit.start)
        return self.hits[at - 1] if at else None

    # ---- looking

    def work(self, budget: float = 0.008) -> bool:
        """Read for about `budget` seconds; True when there is more to read. Call again whenever the screen changed."""
        if self._alternate != self.screen.alternate:
            self._reset()
        until = self._clock() + budget
        self._trim()
        if self._seen != self.screen.changed:
            self._job = None  # what it read of the grid is old
        while not self.done:
            began = self._clock()
            if self._job is None:
                self._job = self._next_job()
            if next(self._job, self) is self:
                self._job = None
            now = self._clock()
            if self._of_old:
                self._spent += now - began
                self.capped = self.capped or self._spent > PATIENCE
            if now >= until:
                break
        return not self.done

    def _next_job(self) -> Iterator[None]:
        """The grid first: it is what a person sees."""
        self._of_old = False
        if self._seen != self.screen.changed:
            return self._read_tail()
        if self._high < self._boundary():
            return self._read_newer()
        self._of_old = True
        return self._read_older()

    def _boundary(self) -> int:
        """Rows before this one are in history for good, together with their whole line."""
        if self.screen.alternate:
            return 0
        number = self.screen.history.next
        return lines.line_start(self.screen, number) if lines.wrapped(self.screen, number - 1) else number

    def _trim(self) -> None:
        """Forget hits in rows that are no longer held."""
        oldest = lines.first(self.screen)
        if self._low >= oldest:
            return
        self._low = oldest
        self._high = max(self._high, oldest)
        while self._older and self._older[-1].start.row < oldest:
            self._older.pop()
        del self._newer[: bisect_left(self._newer, oldest, key=lambda hit: hit.start.row)]
        self._hits = None

    def _read_tail(self) -> Iterator[None]:
        self._tail, self._hits = [], None
        seen, start = self.screen.changed, self._boundary()
        found: list[Hit] = []
        for line in lines.lines(self.screen, start, lines.end(self.screen)):
            for hit in self._of(line):
                if hit is None:
                    yield
                else:
                    found.append(hit)
        self._tail, self._hits, self._seen = found[-MOST:], None, seen

    def _read_newer(self) -> Iterator[None]:
        """Rows that scrolled into history since the last look."""
        rows = 0
        while self._high < (boundary := self._boundary()):
            start = max(self._high, lines.first(self.screen))
            line = lines.line_of(self.screen, start, min(lines.line_stop(self.screen, start), boundary))
            found: list[Hit] = []
            for hit in self._of(line):
                if hit is None:
                    yield
                else:
                    found.append(hit)
            self._newer += found
            self._high, self._hits = max(self._high, start + len(line)), None
            self._crop()
            rows += len(line)
            if rows >= _ROWS:
                rows = 0
                yield

    def _read_older(self) -> Iterator[None]:
        """History from the newest row that was not read, upwards."""
        rows = 0
        while self._low > lines.first(self.screen) and not self.capped:
            start = lines.line_start(self.screen, self._low - 1)
            line = lines.line_of(self.screen, start, self._low)
            found: list[Hit] = []
            for hit in self._of(line):
                if hit is None:
                    yield
                else:
                    found.append(hit)
            self._older += reversed(found)
            self._low, self._hits = start, None
            self._crop()
            rows += len(line)
            if rows >= _ROWS:
                rows = 0
                yield

    def _crop(self) -> None:
        """Not more hits than may be kept: the oldest go, and no older ones are looked for."""
        over = len(self._older) + len(self._newer) - MOST
        if over <= 0:
            return
        self.capped = True
        old = min(over, len(self._older))
        del self._older[len(self._older) - old :]
        del self._newer[: over - old]

    def _of(self, line: Line) -> Iterator[Hit | None]:
        """Hits in one line; None at breathers."""
        for span in self.pattern.spans(line.text):
            if span is None:
                yield None
            elif stretches := line.stretches(*span):
                yield Hit(Place(stretches[0].row, stretches[0].start), stretches)
