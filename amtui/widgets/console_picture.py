"""What a console looks like: its rows as Strips, flushed in frames and cropped.

The picture reads the shared Screen and never feeds it; crop, scroll position and selection are its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.filter import ANSIToTruecolor, LineFilter
from textual.geometry import Offset, Region, Size
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from amtui.emulator.cells import Row
from amtui.model import plain
from amtui.widgets import banner
from amtui.widgets.backlog import Backlog
from amtui.widgets.direct import Direct
from amtui.widgets.foresight import Marks
from amtui.widgets.frame_clock import FrameClock, clock_of
from amtui.widgets.paint import DARK, LIGHT, Line, Palette, strip_of, styled
from amtui.widgets.predict import foreseen
from amtui.widgets.seams import Handle

HOLD: Final = 0.15
"""Seconds for which a program may keep its unfinished frame from being shown."""
EAGER_FOR: Final = 2.0
"""Seconds after a key during which frames come twice as often."""

_CURSOR: Final = Style(reverse=True)
_CURSOR_AWAY: Final = Style(underline=True)
_DIM: Final = Style(dim=True)


class ConsolePicture(Widget):
    """One console as it is shown."""

    ALLOW_SELECT = False
    typing: reactive[bool] = reactive(False, init=False)
    """A person types into it: the cursor is theirs, and is never cropped away."""
    looking: reactive[bool] = reactive(False, init=False)
    """A person looks back in it with a cursor of their own."""

    def __init__(
        self,
        *,
        live: bool = True,
        link_clock: Callable[[], float] = time.monotonic,
        id: str | None = None,  # noqa: A002
    ) -> None:
        super().__init__(id=id)
        self.auto_links = False
        self.handle: Handle | None = None
        self.label = ""
        """What the border calls the console."""
        self._live = live
        """False for a preview: it follows the output, it cannot be typed into."""
        self._clock = link_clock
        self._stop: Callable[[], None] | None = None
        self._backlog = Backlog()
        self._shown: list[tuple[Row | None, int | None]] = []
        self._left = 0
        self._cursor: Offset | None = None
        self._marks: Marks = {}
        """Cells foreseen for what was typed, shown instead of the grid's."""
        self._frames: FrameClock | None = None
        self._direct = Direct(self)
        self._held: float | None = None
        """Since when the program is in the middle of a frame of its own (?2026)."""
        self._said: tuple[str, str] | None = None
        """Title and subtitle as the border has them."""
        self._last_key = -10.0
        self._echo_due = False
        self._dimmed = False
        self._banner = ""
        self._transport = ""
        """Level and round trip as the border says it, once a second: a border that changes repaints everything."""
        self._broken = ""
        self._note = ""
        self.frames = 0
        """Frames flushed so far, for tests of the frame policy."""

    # ---- which console

    def show(self, handle: Handle | None, label: str = "") -> Handle | None:
        """Look at `handle` from now on; returns the handle looked at before, which is the caller's to release."""
        before, self.handle = self.handle, handle
        if self._stop is not None:
            self._stop()
            self._stop = None
        if before is not None and (handle is None or before.screen is not handle.screen):
            self._backlog.reset()
            self.forget_place()
        self.label = label
        self._transport = ""
        if handle is not None:
            self._stop = handle.listen(self._changed)
        self._broken = ""
        self._shown = []
        self._flush()
        self.refresh()
        return before

    def set_in_sight(self, seen: bool) -> None:
        """Tell the handle whether anybody can see this view: a console that none does is not followed."""
        if self.handle is not None:
            self.handle.visible = seen

    def blank(self, text: str) -> None:
        """Say in the middle of an empty view why there is no console to see."""
        self._note = text
        self.refresh()

    def on_unmount(self) -> None:
        if self._stop is not None:
            self._stop()
            self._stop = None
        if self._frames is not None:
            self._frames.drop(self._beat)

    def on_mount(self) -> None:
        self.set_interval(1.0, self._tick)

    # ---- frames

    def _changed(self) -> None:
        """The handle says something is new: show it with the next frame, or at once if it answers a key."""
        if self._frames is None:
            if not self.is_attached:
                return
            self._frames = clock_of(self.app)
        now = asyncio.get_running_loop().time()
        held = self._is_held(now)
        if self._echo_due and not held:
            self._flush()
            return
        eager = self.has_focus and now - self._last_key < EAGER_FOR
        (self._frames.eager if eager else self._frames.common).want(self._beat)

    def _is_held(self, now: float) -> bool:
        """The program is in the middle of a frame, and has not been for too long."""
        if self.handle is None or not self.handle.screen.modes.sync:
            self._held = None
            return False
        if self._held is None:
            self._held = now
        return now - self._held < HOLD

    def _beat(self) -> None:
        """The time for a frame has come."""
        if self._held is not None and self._is_held(asyncio.get_running_loop().time()):
            self._changed()
        else:
            self._flush()

    def _flush(self) -> None:
        """Compare what is on show with what should be, and paint the rows that differ."""
        if self._frames is not None:
            self._frames.drop(self._beat)
        self.frames += 1
        if not self.is_attached:
            return
        try:
            self._update()
        except Exception as error:
            self._break(error)
        if self._frames is not None:
            self._frames.done()

    def _update(self) -> None:
        width, height = self._direct.size
        self._titles()
        handle = self.handle
        if handle is None or not width or not height:
            return
        if self.typing and handle.screen.alternate:
            self._backlog.follow()
        visible = self._backlog.window(handle.screen, height)
        now = [(row, None if row is None else row.version) for row in visible]
        dirty: set[int] = set()
        if now != self._shown:  # a row equals only itself
            before = self._shown
            dirty.update(y for y, pair in enumerate(now) if y >= len(before) or pair != before[y])
            dirty.update(range(len(now), len(before)))
            self._forget(visible)
            self._shown = now
        left = self._columns_left(width)
        if left != self._left:
            self._left = left
            dirty = set(range(height))
        marks, caret = self._foresee(height)
        if marks != self._marks:
            dirty |= {y for y in {*marks, *self._marks} if marks.get(y) != self._marks.get(y)}
            self._marks = marks
        cursor = self._cursor_offset(width, height) if caret is None else caret - Offset(self._left, 0)
        if cursor != self._cursor:
            dirty |= {c.y for c in (cursor, self._cursor) if c is not None}
            self._cursor = cursor
        if self.has_focus and cursor is not None:
            self.app.cursor_position = self.content_region.offset + cursor
        if dirty:
            self._echo_due = False
            if self._frames is None:
                self._frames = clock_of(self.app)
            if not self._direct.paint(sorted(dirty), self._frames.canvas):
                self.refresh(*_regions(dirty, width))

    def _foresee(self, height: int) -> tuple[Marks, Offset | None]:
        """Cells to show over the grid, and the caret, for a view that is typed into."""
        return {}, None

    def _forget(self, visible: list[Row | None]) -> None:
        """Rows that left the view give up their Strip: history must not grow by what was once on show."""
        staying = {id(row) for row in visible}
        for row, _ in self._shown:
            if row is not None and id(row) not in staying:
                row.cache = None

    def _columns_left(self, width: int) -> int:
        """First column shown: 0, unless the cursor of a console that is typed into would be cut off."""
        assert self.handle is not None
        screen = self.handle.screen
        if screen.columns <= width or not self.typing:
            return 0
        return max(0, min(screen.cursor.x - width + 1, screen.columns - width))

    def _cursor_offset(self, width: int, height: int) -> Offset | None:
        assert self.handle is not None
        screen = self.handle.screen
        if screen.cursor.hidden:
            return None
        y = self._backlog.row_of_cursor(screen, height)
        x = min(screen.cursor.x, screen.columns - 1) - self._left
        return Offset(x, y) if y is not None and 0 <= x < width and 0 <= y < height else None

    def _tick(self) -> None:
        """Ages in banner and border move on by themselves."""
        if self.handle is not None and self.is_attached:
            self._transport = banner.transport(self.handle.status)
            self._titles()

    def _titles(self) -> None:
        handle = self.handle
        text = banner.text(handle.status, self._clock()) if handle is not None else ""
        if self._broken:
            text = self._broken
        if text != self._banner:
            self._banner = text
            self.refresh()
        dimmed = handle is not None and banner.is_old(handle.status)
        if dimmed != self._dimmed:
            self._dimmed = dimmed
            self.refresh()
        said = self.label, self._subtitle()
        if said != self._said:
            self._said = said
            title, subtitle = Content(said[0]), Content(said[1])
            if str(self.border_title or "") != title.markup:
                self.border_title = title
            if str(self.border_subtitle or "") != subtitle.markup:
                self.border_subtitle = subtitle

    def _subtitle(self) -> str:
        handle = self.handle
        if handle is None:
            return ""
        screen = handle.screen
        parts = []
        if self._backlog.scrolled:
            rows = self._backlog.distance(screen)
            if rows or not self.looking:
                parts.append(f"scrolled {rows} rows · shift+end follows")
        width, height = self._direct.size
        right = screen.columns - width - self._left
        if self._left or right > 0:
            parts.append(
                " ".join(x for x in (f"◂{self._left}" * bool(self._left), f"{right}▸" * (right > 0)) if x)
                + " cols"
            )
        elif screen.lines > height:
            parts.append(f"▴{screen.lines - height} rows")
        parts.append(f"{screen.columns}×{screen.lines}")
        if (screen.columns, screen.lines) != (width, height):
            parts.append(banner.sized_by(handle.status))
        parts.append(self._transport or banner.transport(handle.status))
        return " · ".join(part for part in parts if part)

    def _break(self, error: Exception) -> None:
        """Painting failed: the pane says so, the application goes on."""
        if self._broken:
            return
        self._broken = f"this console cannot be drawn ({type(error).__name__}); ctrl+r tries again"
        report = getattr(self.app, "report_crash", None)
        if report is not None:
            report(error)

    # ---- painting

    @property
    def palette(self) -> Palette:
        """Colours of the console under the present theme."""
        return DARK if self.app.current_theme.dark else LIGHT

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's, without the one for terminal colours: a console has true ones, except where it says `dim`."""
        filters = super().get_line_filters()
        if self._dimmed or self._note:
            return filters
        return [each for each in filters if not isinstance(each, ANSIToTruecolor)]

    def render_lines(self, crop: Region) -> list[Strip]:
        """As Textual does it, but a row that changed costs that row: the border beside it is what it was."""
        if not self._direct.possible:
            return super().render_lines(crop)
        cache = self._styles_cache
        made, dirty, rows = cache._cache, cache._dirty_lines, crop.line_range
        if self.get_line_filters():
            self._direct.forget()
            return super().render_lines(crop)
        outer, gutter = self.region.size, self.gutter
        inside = range(gutter.top, outer.height - gutter.bottom)
        if cache._width != outer.width or any(
            y not in made or (y in dirty and y not in inside) for y in rows
        ):
            self._direct.forget()
            super().render_lines(crop)
        for y in rows:
            if y in dirty:
                self._direct.forget(y - gutter.top)
                content, old = self.render_line(y - gutter.top), made[y]
                ends = old.crop(0, gutter.left), old.crop(outer.width - gutter.right)
                made[y] = Strip.join([ends[0], content, ends[1]]) if gutter.width else content
            if type(made[y]) is not Line:
                made[y] = Line.of(made[y])
        dirty.difference_update(rows)
        whole = crop.column_span == (0, outer.width)
        return [made[y] if whole else made[y].crop(*crop.column_span) for y in rows]

    def render_line(self, y: int) -> Strip:
        try:
            return self._line(y)
        except Exception as error:
            self._break(error)
            return Strip([Segment(" " * self.size.width)], self.size.width)

    def _line(self, y: int) -> Strip:
        width, height = self._direct.size
        palette = self.palette
        base = Style.parse(f"{palette.foreground} on {palette.background}")
        if y == 0 and self._banner:
            text = f" {self._banner}"[:width].ljust(width)
            return Strip([Segment(text, Style(color="#121212", bgcolor="#E69F00", bold=True))], width)
        if self.handle is None and self._note and y == height // 2:
            text = plain(self._note)[: width - 2].center(width)
            return Strip([Segment(text, base + _DIM)]).adjust_cell_length(width, base)
        row = self._shown[y][0] if self.handle is not None and y < len(self._shown) else None
        if row is None or self.handle is None:
            return Strip([Segment(" " * width, base)], width)
        if marks := self._marks.get(y):
            row = foreseen(row, marks)
        strip: Strip = strip_of(row, self.handle.screen.columns, palette, self._left, width)
        for start, end, highlight in self.highlights(y):
            strip = styled(strip, start - self._left, end - self._left, highlight)
        if self._dimmed:
            strip = strip.apply_style(_DIM)
        if self._cursor is not None and self._cursor.y == y and (self.looking or not self._dimmed):
            mark = _CURSOR if self.typing or self.looking or not self._live else _CURSOR_AWAY
            strip = styled(strip, self._cursor.x, self._cursor.x + 1, mark)
        return strip

    def highlights(self, y: int) -> Iterable[tuple[int, int, Style]]:
        """Columns of a row of the view, from and up to, that are to look otherwise than the program drew them."""
        return ()

    def forget_place(self) -> None:
        """Another console is looked at: what was selected or found in the one before is not in this one."""

    def get_content_width(self, container: Size, viewport: Size) -> int:
        return container.width


def _regions(rows: set[int], width: int) -> list[Region]:
    """Adjacent rows merged into regions."""
    merged: list[list[int]] = []
    for y in sorted(rows):
        if merged and merged[-1][1] == y:
            merged[-1][1] = y + 1
        else:
            merged.append([y, y + 1])
    return [Region(0, top, width, end - top) for top, end in merged]
