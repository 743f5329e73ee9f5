"""The mouse over a console: the program's where it asked, else ours, to select, to scroll and to follow links."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from textual import events
from textual.geometry import Offset

from amtui.emulator import lines
from amtui.emulator import mouse as mouse_codes
from amtui.emulator.lines import Place
from amtui.emulator.links import link_at
from amtui.emulator.selection import Unit
from amtui.widgets.looking_back import LookingBack
from amtui.widgets.seams import Typing

DOUBLE: Final = 0.5
"""Seconds within which a second press on the same cell takes the word, a third the line."""
EDGE: Final = 0.05
"""Seconds between two rows while a drag waits at the edge."""
_UNITS: Final[tuple[Unit, ...]] = ("cell", "word", "line")


class ConsoleMouse(LookingBack):
    """A console with a mouse over it."""

    _buttons: frozenset[int] = frozenset()
    """Mouse buttons that went down over the program and are still held: it learns where they are released."""
    _selecting = False
    """The mouse is down and selects."""
    _presses = 0
    _pressed_at = 0.0
    _pressed: Place | None = None
    _edge = 0
    """Which edge a drag waits at: -1 the upper, 1 the lower."""
    _edge_column = 0
    _edge_timer: asyncio.TimerHandle | None = None
    _held_here = False
    """The picture stands still only for this drag."""
    _was_scrolled = False
    """It was scrolled back before the drag."""
    _scrolled_here = False
    """The drag itself scrolled."""

    @property
    def can_type(self) -> bool:
        """True when the handle was opened with authority to type."""
        return self._live and hasattr(self.handle, "type")

    def _typing_handle(self) -> Typing | None:
        return self.handle if self.can_type else None  # type: ignore[return-value]  # can_type proved it

    def _send(self, handle: Typing, data: bytes, *, control: bool) -> None:
        """These bytes go to the program."""
        handle.type(data, control=control)

    # ---- the program's

    def _wants_mouse(self, event: events.MouseEvent) -> bool:
        """Only a program that asked, only in type mode, and never with shift, which means "select here"."""
        return (
            self.typing
            and self.can_type
            and not event.shift
            and bool(self.handle and self.handle.screen.modes.mouse)
        )

    def _cell(self, event: events.MouseEvent) -> Offset | None:
        """The remote cell under the mouse, from 0; None outside the grid, but a drag stays at its edge."""
        offset = event.get_content_offset(self)
        if self.handle is None or (offset is None and not self._buttons):
            return None
        screen, (width, height) = self.handle.screen, self.size
        if offset is None or self._buttons:
            right, bottom = min(width, screen.columns - self._left), min(height, screen.lines)
            offset = event.get_content_offset_capture(self).clamp(right, bottom)
        y = self._backlog.grid_row(screen, offset.y, height)
        x = offset.x + self._left
        return Offset(x, y) if y is not None and x < screen.columns else None

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
            self._send(handle, data, control=True)

    def _drop(self, buttons: Iterable[int]) -> None:
        """These are no longer held over the program."""
        if self._buttons:
            self._buttons -= set(buttons)
            if not self._buttons:
                self.release_mouse()

    # ---- ours

    def _place_of(self, at: Offset) -> Place:
        """The place under a cell of the view, kept inside what is on show."""
        assert self.handle is not None
        screen, (width, height) = self.handle.screen, self.size
        x, y = max(0, min(at.x, width - 1)), max(0, min(at.y, height - 1))
        row = self._backlog.number(screen, y, height)
        row = max(lines.first(screen), min(row, lines.end(screen) - 1))
        return Place(row, min(x + self._left, screen.columns - 1))

    def _begin_drag(self, event: events.MouseDown, at: Offset) -> None:
        """Begin to select: by cells, at the second press by words, at the third by lines."""
        assert self.handle is not None
        screen, place = self.handle.screen, self._place_of(at)
        if event.ctrl:
            self._follow_link(place)
            return
        again = place == self._pressed and event.time - self._pressed_at < DOUBLE
        self._presses = self._presses % 3 + 1 if again else 1
        self._pressed, self._pressed_at = place, event.time
        self.select_from(place, _UNITS[self._presses - 1])
        self._selecting = True
        if not self._backlog.held:
            self._held_here = True
            self._was_scrolled, self._scrolled_here = self._backlog.scrolled, False
            self._backlog.hold(screen, self.size.height)
        if self.looking:
            self._go(place)
        self.capture_mouse()
        self.refresh()

    def _follow_link(self, place: Place) -> None:
        assert self.handle is not None
        link = link_at(self.handle.screen, place)
        if link is None:
            self.note("no link there")
        else:
            self.choose_link([link])

    def _drag(self, at: Offset) -> None:
        place = self._place_of(at)
        if place != self._pressed or not self._selection.empty:
            self._selection.extend(place)
        self._edge_column = at.x
        height, gutter = self.size.height, self.gutter
        above = at.y < 0 or (at.y == 0 and not gutter.top)
        below = at.y >= height or (at.y == height - 1 and not gutter.bottom)
        self._edge = -1 if above else 1 if below else 0
        if self._edge and self._edge_timer is None:
            self._edge_timer = asyncio.get_running_loop().call_later(EDGE, self._scroll_on)
        self.refresh()

    def _scroll_on(self) -> None:
        """A drag waits at the edge: one row further, and again."""
        self._edge_timer = None
        if not self._selecting or not self._edge or self.handle is None or not self.is_attached:
            return
        screen, height = self.handle.screen, self.size.height
        self._backlog.move(screen, height, -self._edge)
        self._scrolled_here = True
        if self._edge < 0 and self._backlog.lacks(screen, height):
            self._look_further()
        y = 0 if self._edge < 0 else height - 1
        self._selection.extend(self._place_of(Offset(self._edge_column, y)))
        self._flush()
        self.refresh()
        self._edge_timer = asyncio.get_running_loop().call_later(EDGE, self._scroll_on)

    def _release(self) -> None:
        self._selecting, self._edge = False, 0
        self.release_mouse()
        if self._edge_timer is not None:
            self._edge_timer.cancel()
            self._edge_timer = None
        if self._selection.empty:
            self._selection.clear()
        else:
            self.copy_selection()
        if self._held_here:
            self._held_here = False
            self._let_go()
        self.refresh()

    def _let_go(self) -> None:
        """The picture stood still for a drag: it follows the output again, unless the drag scrolled back."""
        if self.handle is None or self.looking:
            return
        self._backlog.held = False
        if not self._scrolled_here and not self._was_scrolled:
            self._backlog.follow()
        self._backlog.move(self.handle.screen, self.size.height, 0)  # at the newest row it follows too
        self._flush()

    # ---- events

    def on_mouse_down(self, event: events.MouseDown) -> None:
        if self._wants_mouse(event):
            self._send_mouse("down", event, event.button)
            if event.button and self._cell(event) is not None:
                self._buttons |= {event.button}
                self.capture_mouse()
        elif event.button == 1 and self.handle is not None and (at := event.get_content_offset(self)):
            self._begin_drag(event, at)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._selecting and self.handle is not None:
            self._drag(event.get_content_offset_capture(self))
        elif self._buttons or self._wants_mouse(event):
            self._send_mouse("move", event, event.button)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        if self._selecting:
            self._release()
        elif self._buttons or self._wants_mouse(event):
            self._send_mouse("up", event, event.button)
            self._drop({event.button})

    def _wheel(self, event: events.MouseEvent, kind: str) -> None:
        event.stop()
        full = self.handle is not None and self.handle.screen.alternate
        if self._wants_mouse(event) or (full and self.typing and self.can_type and not event.shift):
            self._send_mouse(kind, event)
        elif kind in ("scroll_up", "scroll_down"):
            self._scroll(3 if kind == "scroll_up" else -3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._wheel(event, "scroll_up")

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._wheel(event, "scroll_down")

    def on_mouse_scroll_left(self, event: events.MouseScrollLeft) -> None:
        self._wheel(event, "scroll_left")

    def on_mouse_scroll_right(self, event: events.MouseScrollRight) -> None:
        self._wheel(event, "scroll_right")
