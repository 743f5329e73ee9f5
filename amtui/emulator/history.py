"""Lines that scrolled off the top: bounded, compact, addressed by an absolute line number that never shifts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence

from amtui.emulator.cells import DEFAULT, Row, SharedRow


class History:
    """Scrollback. Line `first` is the oldest kept, `next` is the number the next line will get.

    A view that scrolled back remembers an absolute number, so new output never moves what it shows. A number
    is never used for two different lines.
    """

    def __init__(
        self, limit: int, columns: int = 80, parse: Callable[[list[bytes]], list[Row]] | None = None
    ) -> None:
        """Keep at most `limit` lines; `parse` turns `capture-pane -e` lines into rows."""
        self.limit = max(0, limit)
        self.columns = columns
        """Width of rows that are made from plain lines."""
        self.next = 0
        self.base = 0
        """Absolute number of line 0 of tmux's own history: what it keeps are the lines `base` to `next`, and
        line `n` here is its line `n - base`. Moves when the history is cleared."""
        self.settled = 0
        """Lines from this number on come back when the screen grows: the ones before were cleared away."""
        self._parse = parse
        self._rows: deque[Row | str] = deque(maxlen=self.limit)
        """A line of plain text without attributes stays a string until someone looks at it."""
        self._packed = 0
        """Lines with a lower number than this are already stored compactly."""

    @property
    def first(self) -> int:
        """Absolute number of the oldest line kept; equal to `next` when there is none."""
        return self.next - len(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return (self._row_at(at) for at in range(len(self._rows)))

    def row(self, number: int) -> Row | None:
        """The line with this absolute number, or None when it is not kept."""
        at = number - self.first
        return self._row_at(at) if 0 <= at < len(self._rows) else None

    def peek(self, number: int) -> Row | str | None:
        """`row`, but a line of plain text that nobody has looked at yet stays a string, which costs least."""
        at = number - self.first
        return self._rows[at] if 0 <= at < len(self._rows) else None

    def _row_at(self, at: int) -> Row:
        row = self._rows[at]
        if isinstance(row, str):
            row = self._rows[at] = Row.plain(row, DEFAULT, max(self.columns, len(row)), False)
        return row

    def push(self, row: Row) -> None:
        """One line scrolled off the top of the screen."""
        self._rows.append(row)
        self.next += 1

    def extend(self, rows: Sequence[Row | str]) -> None:
        """Several lines scrolled off, oldest first; a string is ASCII without attributes, not wrapped."""
        self._rows.extend(rows)
        self.next += len(rows)

    @property
    def scrolled(self) -> int:
        """How many of the newest lines come back when the screen grows."""
        return self.next - max(self.settled, self.base)

    @scrolled.setter
    def scrolled(self, count: int) -> None:
        self.settled = self.next - max(0, min(count, self.next - self.base))

    def pull(self, count: int) -> list[Row]:
        """Take back up to `count` of the newest lines, oldest first; fewer where they are not known."""
        count = min(count, len(self._rows), self.scrolled)
        rows = [self._row_at(at) for at in range(len(self._rows) - count, len(self._rows))]
        for _ in rows:
            self._rows.pop()
        self.next -= len(rows)
        self._packed = min(self._packed, self.next)
        return rows

    def drop(self, count: int) -> int:
        """Lose up to `count` of the newest lines; returns how many."""
        count = min(count, self.next - self.base)
        for _ in range(min(count, len(self._rows))):
            self._rows.pop()
        self.next -= count
        self._packed = min(self._packed, self.next)
        return count

    def replace(self, rows: Sequence[Row]) -> None:
        """Other rows for all lines kept, as they were wrapped anew. They get numbers never used."""
        unknown = self.first - self.base
        self._rows.clear()
        self.base = self.next
        self.next += unknown
        self._packed = self.next
        self.extend(rows)

    def unwrap_last(self) -> None:
        """The first line of the screen was cleared: the newest line here no longer runs on into it."""
        if self._rows:
            last = self._rows[-1]
            if not isinstance(last, str) and last.wrapped:
                if isinstance(last, SharedRow):
                    last = self._rows[-1] = last.own()
                last.wrapped = False

    def clear(self) -> None:
        """Forget the lines, as a program may ask for. Numbers go on."""
        self._rows.clear()
        self.base = self.next

    def restart(self, size: int) -> None:
        """Forget the lines because some were missed. tmux holds `size` lines, which get numbers never used."""
        self.clear()
        self.next += size
        self._packed = self.next

    def extend_older(self, rows: list[bytes]) -> int:
        """Put lines of `capture-pane -e` before the oldest one kept; returns how many were taken.

        The newest of them are taken when there is not room for all, or fewer are known to exist.
        """
        if self._parse is None:
            return 0
        room = min(self.limit - len(self._rows), self.first - self.base)
        parsed = self._parse(rows)[-room:] if room > 0 else []
        for row in reversed(parsed):
            row.pack()
            self._rows.appendleft(row)
        return len(parsed)

    def compact(self, budget: int = 32) -> bool:
        """Store up to `budget` more lines compactly; False when there is nothing left to do.

        Called when output is slow. Under a flood most lines leave before anyone looks at them.
        """
        start = max(self._packed, self.first)
        end = min(self.next, start + budget)
        for at in range(start - self.first, end - self.first):
            row = self._rows[at]
            if not isinstance(row, str):
                row.pack()
        self._packed = end
        return end < self.next
