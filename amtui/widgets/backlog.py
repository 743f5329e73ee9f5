"""Which rows of a console a view shows: the live grid, or a place further up in its history.

Rows are named by absolute number, as in `emulator.lines`, so a view that looks back stands still while output arrives.
"""

from __future__ import annotations

from amtui.emulator import Screen, lines
from amtui.emulator.cells import Row


class Backlog:
    """The window of one view onto a screen and its history."""

    def __init__(self) -> None:
        self._top: int | None = None
        """Absolute number of the first row on show; None follows the output."""
        self.held = False
        """It stays where it is also at the newest row: output goes on below it."""
        self.all_wanted = False
        """Every older row there is is worth asking for, as when a person searches."""

    @property
    def scrolled(self) -> bool:
        """True while the view looks back."""
        return self._top is not None

    def reset(self) -> None:
        """Another console: forget where we looked."""
        self._top = None
        self.held = self.all_wanted = False

    def follow(self) -> None:
        """Back to the newest output."""
        self._top = None
        self.held = False

    def hold(self, screen: Screen, height: int) -> None:
        """Stand still from now on, until `follow`."""
        self._top = self.top(screen, height)
        self.held = True

    def move(self, screen: Screen, height: int, rows: int) -> None:
        """Look `rows` further back (or forward when negative); reaching the end follows again, unless held.

        The place may lie before the oldest row held: then that row is shown until older ones came or `settle`.
        """
        end = lines.base(screen) + self._grid_top(screen, height)
        if self.held:
            end = max(end, lines.end(screen) - height)
        top = min(end, (end if self._top is None else self._top) - rows)
        self._top = None if top >= end and not self.held else top

    def show(self, screen: Screen, height: int, number: int, context: int = 0) -> None:
        """Move as little as it takes to have a row on show, with `context` rows above and below if it was not.

        A held view only.
        """
        top = self.top(screen, height)
        if number < top:
            self._top = number - context
        elif number >= top + height:
            self._top = max(top, min(number - height + 1 + context, lines.end(screen) - height))

    def wanted(self, screen: Screen, height: int) -> int:
        """Number of the oldest row worth asking for: a page above the place looked at, if there may be one."""
        return max(screen.history.base, -1 if self.all_wanted else (self._top or 0) - height)

    def lacks(self, screen: Screen, height: int) -> bool:
        """True when the place looked at, or the page above it, is not held."""
        return self._top is not None and self._top - height < lines.first(screen)

    def settle(self, screen: Screen) -> None:
        """No older row will come: the oldest one held is the top."""
        self.all_wanted = False
        if self._top is not None:
            self._top = max(self._top, lines.first(screen))

    def distance(self, screen: Screen) -> int:
        """Rows between the place looked at and the live grid."""
        return 0 if self._top is None else max(0, lines.base(screen) - max(self._top, lines.first(screen)))

    def window(self, screen: Screen, height: int) -> list[Row | None]:
        """The rows on show, top first; None where there is nothing."""
        start = self.top(screen, height)
        grid = start - lines.base(screen)
        if grid >= 0:  # as nearly always
            shown: list[Row | None] = list(screen.rows[grid : grid + height])
            return shown + [None] * (height - len(shown))
        return [lines.row(screen, start + y) for y in range(height)]

    def number(self, screen: Screen, y: int, height: int) -> int:
        """Absolute number of the row at `y` of the view."""
        return self.top(screen, height) + y

    def grid_row(self, screen: Screen, y: int, height: int) -> int | None:
        """Row of the live grid at `y` of the view, or None."""
        grid = self.top(screen, height) + y - lines.base(screen)
        return grid if 0 <= grid < screen.lines else None

    def row_of_cursor(self, screen: Screen, height: int) -> int | None:
        """Where in the view the cursor's row is, if it is on show."""
        y = lines.base(screen) + screen.cursor.y - self.top(screen, height)
        return y if 0 <= y < height else None

    def top(self, screen: Screen, height: int) -> int:
        """Number of the first row on show."""
        if self._top is None:
            return lines.base(screen) + self._grid_top(screen, height)
        return max(self._top, lines.first(screen))

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
