"""Which rows of a console a view shows: the live grid, or a place further up in its history.

Rows are named by absolute number, counted from the first row the screen ever pushed into history, so a view that
looks back stands still while output arrives.
"""

from __future__ import annotations

from collections.abc import Iterator

from amtui.emulator import Screen
from amtui.emulator.cells import Row


class Backlog:
    """The window of one view onto a screen and its history."""

    def __init__(self) -> None:
        self._top: int | None = None
        """Absolute number of the first row on show; None follows the output."""

    @property
    def scrolled(self) -> bool:
        """True while the view looks back."""
        return self._top is not None

    def reset(self) -> None:
        """Another console: forget where we looked."""
        self._top = None

    def follow(self) -> None:
        """Back to the newest output."""
        self._top = None

    def move(self, screen: Screen, height: int, rows: int) -> None:
        """Look `rows` further back (or forward when negative); reaching the end follows again.

        The place may lie before the oldest row held: then that row is shown until older ones came or `settle`.
        """
        end = _base(screen) + self._grid_top(screen, height)
        top = (end if self._top is None else self._top) - rows
        self._top = None if top >= end else top

    def wanted(self, screen: Screen, height: int) -> int:
        """Number of the oldest row worth asking for: a page above the place looked at, if there may be one."""
        return max(screen.history.base, (self._top or 0) - height)

    def lacks(self, screen: Screen, height: int) -> bool:
        """True when the place looked at, or the page above it, is not held."""
        return self._top is not None and self._top - height < _first(screen)

    def settle(self, screen: Screen) -> None:
        """No older row will come: the oldest one held is the top."""
        if self._top is not None:
            self._top = max(self._top, _first(screen))

    def distance(self, screen: Screen) -> int:
        """Rows between the place looked at and the live grid."""
        return 0 if self._top is None else max(0, _base(screen) - max(self._top, _first(screen)))

    def window(self, screen: Screen, height: int) -> list[Row | None]:
        """The rows on show, top first; None where there is nothing."""
        start = self._start(screen, height)
        grid = start - _base(screen)
        if grid >= 0:  # as nearly always
            shown: list[Row | None] = list(screen.rows[grid : grid + height])
            return shown + [None] * (height - len(shown))
        return [_row(screen, start + y) for y in range(height)]

    def rows(self, screen: Screen) -> Iterator[tuple[int, Row]]:
        """Every row we hold with its number, oldest first."""
        for number in range(_first(screen), _base(screen) + screen.lines):
            row = _row(screen, number)
            if row is not None:
                yield number, row

    def number(self, screen: Screen, y: int, height: int) -> int:
        """Absolute number of the row at `y` of the view."""
        return self._start(screen, height) + y

    def grid_row(self, screen: Screen, y: int, height: int) -> int | None:
        """Row of the live grid at `y` of the view, or None."""
        grid = self._start(screen, height) + y - _base(screen)
        return grid if 0 <= grid < screen.lines else None

    def row_of_cursor(self, screen: Screen, height: int) -> int | None:
        """Where in the view the cursor's row is, if it is on show."""
        y = _base(screen) + screen.cursor.y - self._start(screen, height)
        return y if 0 <= y < height else None

    def _start(self, screen: Screen, height: int) -> int:
        if self._top is None:
            return _base(screen) + self._grid_top(screen, height)
        return max(self._top, _first(screen))

    @staticmethod
    def _grid_top(screen: Screen, height: int) -> int:
        """First grid row shown when the grid is taller than the view: what was written last, and the cursor."""
        spare = screen.lines - height
        if spare <= 0:
            return 0
        last = screen.cursor.y
        for y in range(screen.lines - 1, last, -1):
            if screen.row(y).text.strip():
                last = y
                break
        return max(0, min(spare, last - height + 1, screen.cursor.y))


def _base(screen: Screen) -> int:
    """Number of the grid's first row: how many rows history has ever taken."""
    return 0 if screen.alternate else screen.history.next


def _first(screen: Screen) -> int:
    """Number of the oldest row we hold."""
    return 0 if screen.alternate else screen.history.first


def _row(screen: Screen, number: int) -> Row | None:
    grid = number - _base(screen)
    if grid >= 0:
        return screen.row(grid) if grid < screen.lines else None
    return screen.history.row(number)
