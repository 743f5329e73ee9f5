"""A view's predictions: told of every key, compared with every frame, and looked at again when time alone decides."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from textual.geometry import Offset

from amtui.widgets.backlog import Backlog
from amtui.widgets.predict import Mark, Mode, Predictor
from amtui.widgets.seams import Handle, Typing

Marks = dict[int, tuple[Mark, ...]]
"""Cells to show instead of the grid's, by row of the view."""


class Foresight:
    """Predictions of one view. `again` is called on the loop when what is foreseen should be looked at."""

    def __init__(self, again: Callable[[], None], mode: Mode = "auto") -> None:
        self.predictor = Predictor(mode)
        self._again = again
        self._timer: asyncio.TimerHandle | None = None

    def send(self, handle: Typing, data: bytes, *, control: bool, paste: bool = False) -> None:
        """Type or paste through `handle`, and foresee what that does."""
        before = handle.status.unacked
        if paste:
            handle.paste(data)
        else:
            handle.type(data, control=control)
        now = asyncio.get_running_loop().time()
        size = max(0, handle.status.unacked - before)
        self.predictor.typed(b"" if paste else data, size, now, handle.screen)

    def look(self, handle: Handle, backlog: Backlog, height: int) -> tuple[Marks, Offset | None]:
        """What to show over the grid in a view of so many rows, and where the caret is, if not where it was."""
        now = asyncio.get_running_loop().time()
        screen, status, predictor = handle.screen, handle.status, self.predictor
        predictor.settle(screen, status.unacked, status.rtt, now)
        pause = predictor.pause(now)
        if pause is not None and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(pause, self._look_again)
        top = backlog.grid_row(screen, 0, height)
        if top is None or backlog.scrolled:
            return {}, None
        marks, caret = predictor.marks(screen, now)
        shown = {y - top: row for y, row in marks.items() if 0 <= y - top < height}
        return shown, None if caret is None else Offset(caret[0], caret[1] - top)

    def forget(self) -> None:
        """Nobody types here any more, or somewhere else."""
        self.predictor.reset()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_again(self) -> None:
        self._timer = None
        self._again()
