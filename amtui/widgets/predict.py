"""Local echo: what a key will most likely do to the screen, shown before the worker has answered.

An overlay by mosh's rules that never touches the grid. Keys fall into epochs. In a new epoch nothing is shown: keys
are only remembered, until the worker's own screen shows one of them, put where its cursor stood. From then on the
epoch's keys are foreseen as cells of that one row. Enter, a control key, a paste, or anything else that is not
understood begins a new epoch, so what is typed where nothing is echoed, a password say, never shows. A cell is judged
against the grid once its key was accepted and the program had time to answer; one that proves wrong takes the epoch
with it.

Nothing here reads a clock or draws: times are seconds of the caller's clock, positions are bytes of this view's
input.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from amtui.emulator import Screen
from amtui.emulator.cells import REVERSE, Attr, Row
from amtui.widgets.epoch import Cell, Key, Line, Place, meaning

Mode = Literal["auto", "on", "off"]

LATE: Final = 0.05
"""Seconds after its key was accepted before a cell may be called wrong."""
BOUND: Final = 0.25
"""Seconds after which it is, whether the program said anything or not."""
QUIET: Final = 0.02
"""Seconds without output after which the screen is not in the middle of a frame."""
LOOK: Final = 0.02
"""Seconds between two looks at what is foreseen."""
_MEMORY: Final = 64
"""Keys of an unconfirmed epoch that are remembered."""


class Mark(NamedTuple):
    """One cell as it is shown instead of the grid's."""

    x: int
    char: str
    attr: Attr
    unsure: bool
    """To be underlined: the link is so slow that the difference matters."""


@dataclass(slots=True)
class Tally:
    """How predictions turned out."""

    right: int = 0
    wrong: int = 0
    """Cells that were shown and taken back."""
    longest: float = 0.0
    """Seconds the longest of those stood."""


class Trigger:
    """Whether predictions are worth showing, and whether they are to be told from what is certain."""

    SHOW: Final = (0.020, 0.030)
    FLAG: Final = (0.050, 0.080)
    GLITCH: Final = 0.25
    """Seconds without an answer to a key that make a quick link a slow one for a while."""
    LONG: Final = 5.0
    REPAIRS: Final = 10
    PAUSE: Final = 0.15

    def __init__(self) -> None:
        self.slow = False
        self.flagged = False
        self.glitch = 0
        self._repaired = float("-inf")

    def look(self, rtt: float | None, age: float, *, active: bool) -> None:
        """`rtt` is smoothed; `age` is that of the oldest key nobody has answered; `active` keeps it as it is."""
        if rtt is not None and rtt > self.SHOW[1]:
            self.slow = True
        elif rtt is not None and rtt <= self.SHOW[0] and not active:
            self.slow = False
        if age >= self.LONG:
            self.glitch = 2 * self.REPAIRS
        elif age >= self.GLITCH:
            self.glitch = max(self.glitch, self.REPAIRS)
        if self.glitch > self.REPAIRS or (rtt is not None and rtt > self.FLAG[1]):
            self.flagged = True
        elif rtt is None or rtt <= self.FLAG[0]:
            self.flagged = False

    def answered(self, took: float, now: float) -> None:
        """A key was answered; quick answers cure a glitch one by one."""
        if took < self.GLITCH and self.glitch and now - self._repaired >= self.PAUSE:
            self.glitch -= 1
            self._repaired = now


class Predictor:
    """What the keys typed into one view will do to the screen."""

    def __init__(self, mode: Mode = "auto") -> None:
        self.mode: Mode = mode
        self.trigger = Trigger()
        self.tally = Tally()
        self._lag = 0.0
        """Smoothed seconds between a key's acceptance and its echo."""
        self._waiting: deque[Key] = deque()
        self._tail: list[Key] = []
        """Keys of the unconfirmed epoch."""
        self._base: Place | None = None
        """Where the worker's cursor was before their echo."""
        self._line: Line | None = None
        self._fading: list[Line] = []
        """Earlier epochs that are not judged yet."""
        self._size = (0, 0)
        self._seen: object = None
        self._changed = float("-inf")
        self._sent = 0
        self._acked = 0

    @property
    def busy(self) -> bool:
        """Something is foreseen or remembered."""
        return bool(self._waiting or self._tail or self._fading or (self._line and self._line.pending))

    def pause(self, now: float) -> float | None:
        """Seconds until `settle` should be called again although nothing changed; None: not before it does."""
        if not self.busy:
            return None
        return 5 * LOOK if self._waiting and now - self._waiting[0].typed > 1.0 else LOOK

    @property
    def shown(self) -> bool:
        """Whether predictions are to be seen at present."""
        return self.mode == "on" or (self.mode == "auto" and (self.trigger.slow or self.trigger.glitch > 0))

    def reset(self) -> None:
        """Another console, another size: nothing is known."""
        self._waiting.clear()
        self._tail.clear()
        self._fading.clear()
        self._base = self._line = None

    # ---- keys

    def typed(self, data: bytes, size: int, now: float, screen: Screen) -> None:
        """A key went out, `size` bytes of input; empty `data` is something that means nothing here, as a paste."""
        self._sent += size
        if self.mode == "off":
            return
        self._watch(screen, now)
        key = Key(meaning(data), self._sent, now)
        self._waiting.append(key)
        if self._line is not None and key.what and self._extend(self._line, key, screen):
            return
        self._doubt(key)
        if len(key.what) == 1:
            self._remember(key, screen)

    def _doubt(self, key: Key) -> None:
        """A new epoch begins with, or behind, this key."""
        if self._line is not None and self._line.pending:
            self._line.until = key
            self._fading.append(self._line)
        if self._line is not None or len(key.what) != 1:
            self._tail.clear()
            self._base = None
        self._line = None

    def _remember(self, key: Key, screen: Screen) -> None:
        if self._base is None:
            self._base = Place.of(screen)
        self._tail.append(key)
        del self._tail[:-_MEMORY]

    def _extend(self, line: Line, key: Key, screen: Screen) -> bool:
        """Foresee `key` in a confirmed epoch; False when it cannot be."""
        y = line.where(screen)
        if y is None or (not line.pending and (screen.cursor.x, screen.cursor.y) != (line.caret, y)):
            return False
        return line.take(key)

    # ---- answers

    def settle(self, screen: Screen, unacked: int, rtt: float | None, now: float) -> None:
        """Compare what is foreseen with the grid. `unacked`: bytes of input not known to be accepted."""
        if self.mode == "off":
            return
        if self._size != (screen.columns, screen.lines):
            self._size = (screen.columns, screen.lines)
            self.reset()
        self._watch(screen, now)
        self._acked = max(self._acked, self._sent - unacked)
        while self._waiting and self._waiting[0].end <= self._acked:
            key = self._waiting.popleft()
            key.acked = now
            self.trigger.answered(now - key.typed, now)
        age = now - self._waiting[0].typed if self._waiting else 0.0
        active = bool(self._fading or (self._line and self._line.pending))
        self.trigger.look(rtt, age, active=active)
        if screen.modes.sync and now - self._changed < BOUND:
            return  # in the middle of a frame
        self._fading = [line for line in self._fading if self._fades(line, screen, now)]
        if self._line is not None and not self._holds(self._line, screen, now):
            self._kill(self._line, screen, now)
        if self._tail:
            self._seek(screen, now)

    def _watch(self, screen: Screen, now: float) -> None:
        seen = (screen.cursor.x, screen.cursor.y, [(id(row), row.version) for row in screen.rows])
        if seen != self._seen:
            self._seen, self._changed = seen, now

    def _over(self, acked: float | None, now: float) -> bool:
        """The program had time to answer a key that was accepted at `acked`."""
        if acked is None:
            return False
        late = min(BOUND, LATE + 2 * self._lag)
        answered = self._changed >= acked - LATE and now - self._changed >= QUIET
        return now - acked >= BOUND or (now - acked >= late and answered)

    def _check(self, line: Line, now: float) -> list[Cell]:
        """Let go of cells that came true; returns those that did not although they had their time."""
        wrong = []
        for cell in list(line.cells.values()):
            if cell.acked is None and cell.end <= self._acked:
                cell.acked = now
            over = self._over(cell.acked, now)
            if line.row.chars[cell.x] == cell.char:
                if cell.credit or over:
                    self._came_true(line, cell, now)
            elif over:
                wrong.append(cell)
        return wrong

    def _came_true(self, line: Line, cell: Cell, now: float) -> None:
        del line.cells[cell.x]
        self.tally.right += 1
        if cell.credit:
            self._learn(cell.acked, now)

    def _learn(self, acked: float | None, now: float) -> None:
        """A key that was accepted at `acked` is echoed now."""
        self._lag = 0.8 * self._lag + 0.2 * (0.0 if acked is None else now - acked)

    def _holds(self, line: Line, screen: Screen, now: float) -> bool:
        """Judge the living epoch; False when it is wrong."""
        if not line.pending:
            return True
        y = line.where(screen)
        if y is None or self._check(line, now):
            return False
        cursor = screen.cursor
        if cursor.y != y and now - self._changed >= LATE:
            return False
        moved = line.moved
        if moved is None or moved.acked is None:
            return True
        if (cursor.x, cursor.y) != (line.caret, y):
            return not self._over(moved.acked, now)
        if not line.cells:
            line.moved = None
        return True

    def _fades(self, line: Line, screen: Screen, now: float) -> bool:
        """Judge an epoch that another key has ended; False when nothing of it is left.

        That key may undo it all, so a doubt is enough: the program went elsewhere, or a cell is neither old nor new.
        """
        assert line.until is not None
        y = line.where(screen)
        if y is None:
            return self._drop(line, now)
        late = self._check(line, now)
        if not line.cells:
            return False
        cursor = screen.cursor
        elsewhere = cursor.y != y or cursor.x < min(line.cells)
        passed = any(line.row.chars[c.x] not in (c.before, c.char) for c in line.cells.values())
        if late or elsewhere or passed or self._over(line.until.acked, now):
            return self._drop(line, now)
        return True

    def _drop(self, line: Line, now: float) -> bool:
        for cell in line.cells.values():
            if cell.shown is not None and cell.acked is not None and line.row.chars[cell.x] != cell.char:
                self.tally.wrong += 1
                self.tally.longest = max(self.tally.longest, now - cell.shown)
        return False

    def _kill(self, line: Line, screen: Screen, now: float) -> None:
        """A prediction was wrong: the epoch and everything behind it goes; keys under way may begin another."""
        self._drop(line, now)
        self._line = None
        self._tail.clear()
        self._base = None
        for key in self._waiting:
            if len(key.what) == 1:
                self._remember(key, screen)
            else:
                self._tail.clear()

    def _seek(self, screen: Screen, now: float) -> None:
        """Look for the echo of a key of the unconfirmed epoch: the cursor went right over what was typed."""
        assert self._base is not None
        base, place = self._base, Place.of(screen)
        x, at = base.x, place.x
        text = place.chars[x:at]
        # At the very left, where nothing asks, it may be the terminal that echoes what is typed ahead of a password
        # prompt. A program that has the whole screen does its own echo.
        asked = x > 0 or screen.alternate
        if asked and place.follows(base) and at > x and text != base.chars[x:at] and "".join(text).strip():
            keys = [key.what for key in self._tail]
            found = [i for i in range(len(keys) - len(text) + 1) if keys[i : i + len(text)] == text]
            if found:
                sure = [i for i in found if self._tail[i + len(text) - 1].end <= self._acked]
                if len(sure) == 1:
                    self._learn(self._tail[sure[0] + len(text) - 1].acked, now)
                    self._confirm(sure[0] + len(text), place, screen)
                return
        if now - self._changed >= QUIET:
            self._base = place
            over = [key for key in self._tail if key.acked is not None and now - key.acked >= BOUND]
            del self._tail[: len(over)]

    def _confirm(self, count: int, place: Place, screen: Screen) -> None:
        """The first `count` keys of the epoch are on the screen; foresee the others."""
        assert self._base is not None
        line = Line.between(self._base, place)
        rest, self._tail, self._base = self._tail[count:], [], None
        self._line = line
        for number, key in enumerate(rest):
            if not self._extend(line, key, screen):
                self._doubt(key)
                for later in rest[number:]:
                    self._remember(later, screen)
                return

    # ---- what to show

    def marks(self, screen: Screen, now: float) -> tuple[dict[int, tuple[Mark, ...]], tuple[int, int] | None]:
        """Cells to show by row of the grid, and the caret's column and row where it is not the grid's."""
        if not self.shown:
            return {}, None
        found: dict[int, dict[int, Mark]] = {}
        caret = None
        for line in (*self._fading, *((self._line,) if self._line else ())):
            y = line.where(screen)
            if y is None or not line.pending:
                continue
            shown = found.setdefault(y, {})
            for cell in line.cells.values():
                there = line.row.chars[cell.x]
                if there != cell.char:
                    shown[cell.x] = Mark(cell.x, cell.char, cell.attr, self.trigger.flagged)
                    if cell.shown is None:
                        cell.shown = now
            caret = line.caret, y
            if screen.cursor.hidden:
                caret = None
                _move_drawn_caret(line, y, shown, screen)
        return {y: tuple(sorted(marks.values())) for y, marks in found.items() if marks}, caret


def foreseen(row: Row, marks: Sequence[Mark]) -> Row:
    """A copy of `row` with `marks` on it, to be drawn instead of it."""
    copy = Row(list(row.chars), list(row.attrs))
    copy.wide = row.wide
    for x, char, attr, unsure in marks:
        if x >= len(copy.chars):
            continue
        copy.chars[x] = char
        copy.attrs[x] = attr._replace(underline=1) if unsure else attr
        copy.wide = copy.wide or not char.isascii()
    return copy


def _move_drawn_caret(line: Line, y: int, shown: dict[int, Mark], screen: Screen) -> None:
    """A program that hides the cursor draws one of its own: a reversed cell where the hidden cursor stands."""
    x = screen.cursor.x
    if screen.cursor.y != y or max(x, line.caret) >= len(line.row) or x == line.caret:
        return
    drawn = line.row.attrs[x]
    if not drawn.flags & REVERSE:
        return
    if x not in shown:
        shown[x] = Mark(x, line.row.chars[x], drawn._replace(flags=drawn.flags & ~REVERSE), unsure=False)
    shown[line.caret] = Mark(line.caret, line.text(line.caret), drawn, unsure=False)
