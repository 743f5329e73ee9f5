"""A console on the screen: painted from the emulator's rows, typed into when a person asked for it.

The view reads the shared Screen and never feeds it; crop, scroll position and selection are its own. Viewing never
resizes the remote; the type mode does, because size belongs to the last typist.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Offset, Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from amtui.emulator import keys as key_codes
from amtui.emulator import mouse as mouse_codes
from amtui.emulator.cells import Row
from amtui.model import plain
from amtui.widgets import banner
from amtui.widgets.backlog import Backlog
from amtui.widgets.paint import DARK, LIGHT, Palette, strip_of
from amtui.widgets.seams import Handle, Typing
from amtui.widgets.selection import Selection

PREFIX: Final = "ctrl+right_square_bracket"
LEAVE: Final = "f12"
FRAME: Final = 1 / 30
EAGER_FRAME: Final = 1 / 60
EAGER_FOR: Final = 2.0
"""Seconds after a key during which frames come twice as often."""
RESIZE_DELAY: Final = 0.1

PREFIX_COMMANDS: Final = {
    "escape": ("esc", "leave", "Leave"),
    "right_square_bracket": ("]", "next", "Next▲"),
    "left_square_bracket": ("[", "previous", "Prev▲"),
    "z": ("z", "zoom", "Zoom"),
    "v": ("v", "scroll", "Scroll"),
    "colon": (":", "command", "Cmd"),
    "question_mark": ("?", "help", "Help"),
}
"""After the prefix: key → (as shown, command, label)."""

_CURSOR: Final = Style(reverse=True)
_CURSOR_AWAY: Final = Style(underline=True)
_SELECTED: Final = Style(bgcolor="#2b4f77", color="#ffffff")
_DIM: Final = Style(dim=True)


class ConsoleView(Widget, can_focus=True):
    """One console, viewed or typed into."""

    DEFAULT_CSS = """
    ConsoleView { width: 1fr; height: 1fr; border: round $border-blurred; border-title-color: $foreground;
                  border-subtitle-color: $text-muted; }
    ConsoleView:focus { border: round $accent; }
    ConsoleView.typing { border: heavy $success; }
    """
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("shift+pageup,pageup", "scroll_back(1)", "Scroll", show=False, id="console.page_up"),
        Binding("shift+pagedown,pagedown", "scroll_back(-1)", "Scroll", show=False, id="console.page_down"),
        Binding("shift+up", "scroll_rows(1)", "Scroll", show=False, id="console.row_up"),
        Binding("shift+down", "scroll_rows(-1)", "Scroll", show=False, id="console.row_down"),
        Binding("shift+home", "scroll_top", "Oldest", show=False, id="console.top"),
        Binding("shift+end", "scroll_end", "Newest", show=False, id="console.end"),
    ]

    typing: reactive[bool] = reactive(False, init=False)
    prefixed: reactive[bool] = reactive(False, init=False)

    @dataclass
    class TypingChanged(Message):
        """Type mode began or ended."""

        view: ConsoleView
        typing: bool

        @property
        def control(self) -> ConsoleView:
            return self.view

    @dataclass
    class PrefixChanged(Message):
        """The prefix was pressed and awaits its command, or no longer does."""

        view: ConsoleView
        waiting: bool

    @dataclass
    class Command(Message):
        """A command after the prefix that is not the view's own business."""

        view: ConsoleView
        name: str

    @dataclass
    class Note(Message):
        """One line for the status line: `ctrl+c sent to agent`, a key that cannot be sent, …"""

        view: ConsoleView
        text: str

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
        self._selection = Selection()
        self._timer: asyncio.TimerHandle | None = None
        self._size_timer: asyncio.TimerHandle | None = None
        self._last_flush = 0.0
        self._last_key = -10.0
        self._echo_due = False
        self._fetching = False
        self._dimmed = False
        self._banner = ""
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
            self._selection.clear()
        self.label = label
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
        for timer in (self._timer, self._size_timer):
            if timer is not None:
                timer.cancel()
        self._timer = None

    def on_mount(self) -> None:
        self.set_interval(1.0, self._tick)

    # ---- frames

    def _changed(self) -> None:
        """The handle says something is new: flush now or at the next frame, never more often."""
        if self._timer is not None or not self.is_attached:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        frame = EAGER_FRAME if self.has_focus and now - self._last_key < EAGER_FOR else FRAME
        wait = 0.0 if self._echo_due else self._last_flush + frame - now
        if wait <= 0:
            self._flush()
        else:
            self._timer = loop.call_later(wait, self._flush)

    def _flush(self) -> None:
        """Compare what is on show with what should be, and refresh the rows that differ."""
        self._timer = None
        self._echo_due = False
        self._last_flush = asyncio.get_running_loop().time()
        self.frames += 1
        if not self.is_attached:
            return
        try:
            self._update()
        except Exception as error:
            self._break(error)

    def _update(self) -> None:
        width, height = self.size
        self._titles()
        handle = self.handle
        if handle is None or not width or not height:
            return
        if self.typing and handle.screen.alternate:
            self._backlog.follow()
        visible = self._backlog.window(handle.screen, height)
        now = [(row, None if row is None else row.version) for row in visible]
        dirty = {y for y, pair in enumerate(now) if y >= len(self._shown) or not _same(pair, self._shown[y])}
        dirty |= set(range(len(now), len(self._shown)))
        self._forget(visible)
        self._shown = now
        left = self._columns_left(width)
        if left != self._left:
            self._left = left
            dirty = set(range(height))
        cursor = self._cursor_offset(width, height)
        if cursor != self._cursor:
            dirty |= {c.y for c in (cursor, self._cursor) if c is not None}
            self._cursor = cursor
        if self.has_focus and cursor is not None:
            self.app.cursor_position = self.content_region.offset + cursor
        if dirty:
            self.refresh(*_regions(dirty, width))

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
        title, subtitle = Content(self.label), Content(self._subtitle())
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
            parts.append(f"scrolled {self._backlog.distance(screen)} rows · shift+end follows")
        right = screen.columns - self.size.width - self._left
        if self._left or right > 0:
            parts.append(
                " ".join(x for x in (f"◂{self._left}" * bool(self._left), f"{right}▸" * (right > 0)) if x)
                + " cols"
            )
        elif screen.lines > self.size.height:
            parts.append(f"▴{screen.lines - self.size.height} rows")
        parts.append(f"{screen.columns}×{screen.lines}")
        if (screen.columns, screen.lines) != tuple(self.size):
            parts.append(banner.sized_by(handle.status))
        parts.append(banner.transport(handle.status))
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

    def render_line(self, y: int) -> Strip:
        try:
            return self._line(y)
        except Exception as error:
            self._break(error)
            return Strip([Segment(" " * self.size.width)], self.size.width)

    def _line(self, y: int) -> Strip:
        width = self.size.width
        palette = self.palette
        base = Style.parse(f"{palette.foreground} on {palette.background}")
        if y == 0 and self._banner:
            text = f" {self._banner}"[:width].ljust(width)
            return Strip([Segment(text, Style(color="#121212", bgcolor="#E69F00", bold=True))], width)
        if self.handle is None and self._note and y == self.size.height // 2:
            text = plain(self._note)[: width - 2].center(width)
            return Strip([Segment(text, base + _DIM)]).adjust_cell_length(width, base)
        row = self._shown[y][0] if self.handle is not None and y < len(self._shown) else None
        if row is None or self.handle is None:
            return Strip([Segment(" " * width, base)], width)
        strip = strip_of(row, self.handle.screen.columns, palette)
        strip = strip.crop(self._left, self._left + width).adjust_cell_length(width, base)
        if span := self._selection.on_row(self._backlog.number(self.handle.screen, y, self.size.height)):
            strip = _styled(strip, span[0] - self._left, span[1] - self._left, _SELECTED)
        if self._dimmed:
            return strip.apply_style(_DIM)
        if self._cursor is not None and self._cursor.y == y:
            mark = _CURSOR if self.typing or not self._live else _CURSOR_AWAY
            strip = _styled(strip, self._cursor.x, self._cursor.x + 1, mark)
        return strip

    def get_content_width(self, container: Size, viewport: Size) -> int:
        return container.width

    # ---- typing

    @property
    def can_type(self) -> bool:
        """True when the handle was opened with authority to type."""
        return self._live and hasattr(self.handle, "type")

    def watch_typing(self, typing: bool) -> None:
        self.set_class(typing, "typing")
        self.prefixed = False
        if typing:
            self._backlog.follow()
            self._plan_resize()
        self._tell_focus(typing)
        self._flush()
        self.refresh()
        self.post_message(self.TypingChanged(self, typing))

    def _tell_focus(self, focused: bool) -> None:
        """A program that asked for focus reports (?1004) learns when a person begins and ends to type into it."""
        handle = self._typing_handle()
        if handle is not None and handle.screen.modes.focus:
            handle.type(b"\x1b[I" if focused else b"\x1b[O", control=True)

    def watch_prefixed(self, waiting: bool) -> None:
        self.post_message(self.PrefixChanged(self, waiting))

    def on_blur(self) -> None:
        # The terminal losing focus is not the person leaving the console.
        if self.app.app_focus and self.app.screen is self.screen:
            self.typing = False

    async def on_key(self, event: events.Key) -> None:
        if not self.typing:
            return
        event.stop()
        event.prevent_default()
        if self.prefixed:
            self._after_prefix(event.key)
        elif event.key == PREFIX:
            self.prefixed = True
        elif event.key == LEAVE:
            self.typing = False
        elif not self._scrolled_by(event.key):
            self._press(event.key, event.character)

    def _scrolled_by(self, key: str) -> bool:
        """shift+PgUp/PgDn look back in our own scrollback; a full-screen program has none and gets the key."""
        if self.handle is None or self.handle.screen.alternate:
            return False
        if key not in ("shift+pageup", "shift+pagedown"):
            return False
        self.action_scroll_back(1 if key.endswith("up") else -1)
        return True

    def _after_prefix(self, key: str) -> None:
        self.prefixed = False
        if key == PREFIX:
            self._press(PREFIX, "\x1d")
            return
        if key == LEAVE:
            self.typing = False
            return
        found = PREFIX_COMMANDS.get(key)
        if found is None:
            self.post_message(self.Note(self, "no such command after ^] · ^] ^] sends it · ^] ? help"))
        elif found[1] == "leave":
            self.typing = False
        elif found[1] == "scroll":
            self.typing = False
            self.action_scroll_back(1)
        else:
            self.post_message(self.Command(self, found[1]))

    def _press(self, key: str, character: str | None) -> None:
        handle = self._typing_handle()
        if handle is None:
            return
        data = key_codes.encode(key, character, handle.screen.modes)
        if data is None:
            self.post_message(self.Note(self, f"{key} has no terminal code; nothing was sent"))
            return
        if self._backlog.scrolled:
            self.action_scroll_end()
        self._echo_due = True
        self._last_key = asyncio.get_running_loop().time()
        handle.type(data, control=key_codes.is_control(key, data))
        if key == "ctrl+c":
            self.post_message(self.Note(self, "ctrl+c sent to agent · ^] esc leaves"))

    def _typing_handle(self) -> Typing | None:
        return self.handle if self.can_type else None  # type: ignore[return-value]  # can_type proved it

    def on_paste(self, event: events.Paste) -> None:
        handle = self._typing_handle()
        if not self.typing or handle is None:
            return
        event.stop()
        event.prevent_default()
        self._echo_due = True
        self._last_key = asyncio.get_running_loop().time()
        handle.paste(mouse_codes.paste_bytes(event.text))

    # ---- size

    def on_resize(self) -> None:
        self._shown = []
        self._flush()
        self.refresh()
        if self.typing:
            self._plan_resize()

    def _plan_resize(self) -> None:
        """Give the remote our size once it has been still for 100 ms."""
        if self._typing_handle() is None or not self.is_attached:
            return
        if self._size_timer is not None:
            self._size_timer.cancel()
        loop = asyncio.get_running_loop()
        self._size_timer = loop.call_later(RESIZE_DELAY, self._resize_remote)

    def _resize_remote(self) -> None:
        self._size_timer = None
        handle = self._typing_handle()
        width, height = self.size
        if handle is None or not self.typing or width < 2 or height < 2:
            return
        if (width, height) != (handle.screen.columns, handle.screen.lines):
            self.run_worker(
                self._ask_size(handle, width, height), group="resize", exclusive=True, exit_on_error=False
            )

    async def _ask_size(self, handle: Typing, width: int, height: int) -> None:
        try:
            if not await handle.resize(width, height):
                self.post_message(self.Note(self, "another client typed last and keeps the size for now"))
        except Exception as error:  # the link's own banner says why; the console stays cropped
            self.post_message(self.Note(self, f"not resized: {error}"))

    # ---- scrollback

    def _scroll(self, rows: int) -> None:
        if self.handle is None or self.handle.screen.alternate:
            return
        began = not self._backlog.scrolled
        self._backlog.move(self.handle.screen, self.size.height, rows)
        if rows > 0 and (began or self._backlog.lacks(self.handle.screen, self.size.height)):
            self._look_further()
        self._flush()

    def _look_further(self) -> None:
        """Ask the worker's tmux for rows older than ours; one question at a time, the last wish counts."""
        handle = self.handle
        if handle is None or self._fetching:
            return
        self._fetching = True
        self.run_worker(self._fetch_older(handle), group="history", exit_on_error=False)

    async def _fetch_older(self, handle: Handle) -> None:
        try:
            asked = -1
            while handle is self.handle and asked != (
                asked := self._backlog.wanted(handle.screen, self.size.height)
            ):
                await handle.history(asked, max(0, handle.screen.history.first - asked))
        except Exception as error:
            self.post_message(self.Note(self, f"older rows did not come: {error}"))
        finally:
            self._fetching = False
            if handle is self.handle and self.is_attached:
                self._backlog.settle(handle.screen)
                self._flush()

    def action_scroll_back(self, pages: int) -> None:
        self._scroll(pages * max(1, self.size.height - 2))

    def action_scroll_rows(self, rows: int) -> None:
        self._scroll(rows)

    def action_scroll_top(self) -> None:
        self._scroll(10**9)

    def action_scroll_end(self) -> None:
        self._backlog.follow()
        self._flush()

    # ---- mouse

    def _wants_mouse(self, event: events.MouseEvent) -> bool:
        """Only a program that asked, only in type mode, and never with shift, which means "select here"."""
        return (
            self.typing
            and self.can_type
            and not event.shift
            and bool(self.handle and self.handle.screen.modes.mouse)
        )

    def _cell(self, event: events.MouseEvent) -> Offset | None:
        """The remote cell under the mouse, from 0; None outside the grid."""
        offset = event.get_content_offset(self)
        if offset is None or self.handle is None:
            return None
        y = self._backlog.grid_row(self.handle.screen, offset.y, self.size.height)
        x = offset.x + self._left
        return Offset(x, y) if y is not None and x < self.handle.screen.columns else None

    def _send_mouse(self, kind: str, event: events.MouseEvent, button: int = 0) -> None:
        handle, cell = self._typing_handle(), self._cell(event)
        if handle is None or cell is None:
            return
        held = [
            name for name, on in (("shift", event.shift), ("alt", event.meta), ("ctrl", event.ctrl)) if on
        ]
        screen = handle.screen
        data = mouse_codes.encode(
            kind, button, cell.x, cell.y, held, screen.modes, alternate=screen.alternate
        )
        if data:
            handle.type(data, control=True)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        if self._wants_mouse(event):
            self._send_mouse("down", event, event.button)
        elif event.button == 1 and self.handle is not None and (at := event.get_content_offset(self)):
            self._selection.start(
                self._backlog.number(self.handle.screen, at.y, self.size.height), at.x + self._left
            )
            self.capture_mouse()
            self.refresh()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._wants_mouse(event):
            self._send_mouse("move", event, event.button)
        elif self._selection.dragging and self.handle is not None:
            at = event.get_content_offset_capture(self)
            y = max(0, min(at.y, self.size.height - 1))
            self._selection.drag(
                self._backlog.number(self.handle.screen, y, self.size.height), at.x + self._left
            )
            self.refresh()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        if self._wants_mouse(event):
            self._send_mouse("up", event, event.button)
        elif self._selection.dragging:
            self.release_mouse()
            self._selection.stop()
            if self.handle is not None and (
                text := self._selection.text(self._backlog.rows(self.handle.screen))
            ):
                self.app.copy_to_clipboard(text)
                self.post_message(self.Note(self, f"copied {len(text)} characters"))
            self.refresh()

    def _wheel(self, event: events.MouseEvent, kind: str) -> None:
        event.stop()
        full = self.handle is not None and self.handle.screen.alternate
        if self._wants_mouse(event) or (full and self.typing and self.can_type and not event.shift):
            self._send_mouse(kind, event)
        else:
            self._scroll(3 if kind == "scroll_up" else -3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._wheel(event, "scroll_up")

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._wheel(event, "scroll_down")


def _same(one: tuple[Row | None, int | None], other: tuple[Row | None, int | None]) -> bool:
    return one[0] is other[0] and one[1] == other[1]


def _regions(rows: set[int], width: int) -> list[Region]:
    """Adjacent rows merged into regions."""
    merged: list[list[int]] = []
    for y in sorted(rows):
        if merged and merged[-1][1] == y:
            merged[-1][1] = y + 1
        else:
            merged.append([y, y + 1])
    return [Region(0, top, width, end - top) for top, end in merged]


def _styled(strip: Strip, start: int, end: int, style: Style) -> Strip:
    """`strip` with a style over the columns from `start` up to `end`."""
    start, end = max(0, start), min(end, strip.cell_length)
    if start >= end:
        return strip
    parts = [strip.crop(0, start), strip.crop(start, end), strip.crop(end)]
    middle = [Segment(text, (base or Style()) + style, control) for text, base, control in parts[1]]
    return Strip.join([parts[0], Strip(middle, end - start), parts[2]])
