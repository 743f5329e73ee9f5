"""Consoles straight to the terminal, past the compositor.

Textual takes a repaint through five queues and then asks every widget of the screen for all its lines. Nearly every
frame of amtui is a few rows of consoles that nothing lies over: those are written where they stand, all consoles of a
frame in one update. Whatever is not that simple is the compositor's: this only ever says "not by me". So it does for
everything under a Textual that has not the names of its own that this leans on (docs/decisions/0006).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from textual.app import App
from textual.geometry import Region, Size
from textual.screen import Screen
from textual.strip import Strip

from amtui.widgets.paint import RowLine

if TYPE_CHECKING:
    from textual._compositor import CompositorUpdate
    from textual.widget import Widget
else:
    try:
        from textual._compositor import CompositorUpdate
    except ImportError:
        CompositorUpdate = None

APP: Final = ("_display", "_batch_count")
COMPOSITOR: Final = ("visible_widgets", "_visible_widgets")
CACHE: Final = ("_cache", "_dirty_lines", "_width")
"""What is Textual's own and may have another name tomorrow."""


def missing(widget: Widget) -> list[str]:
    """Names that painting `widget`, which has a screen, past the compositor needs and this Textual has not."""
    places: tuple[tuple[object, tuple[str, ...]], ...] = (
        # Not of the application's own class, which has what it overrides.
        (App, APP[:1]),
        (widget.app, APP[1:]),
        (getattr(widget.screen, "_compositor", None), COMPOSITOR),
        (getattr(widget, "_styles_cache", None), CACHE),
    )
    found = [name for place, names in places for name in names if not hasattr(place, name)]
    return found if CompositorUpdate is not None else ["CompositorUpdate", *found]


Piece = tuple[int, int, Strip]
"""Column and row of the terminal from 0, and what to write there."""


class Frame(CompositorUpdate or object):  # type: ignore[misc]
    """One update of the terminal."""

    def __init__(self, pieces: list[Piece]) -> None:
        self.pieces = pieces

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Segment(self.render_segments(console), None, [])

    def render_segments(self, console: Console) -> str:
        return "".join([f"\x1b[{y + 1};{x + 1}H{strip.render(console)}" for x, y, strip in self.pieces])


class Canvas:
    """What the consoles of one application have to write with the frame that is being made."""

    def __init__(self) -> None:
        self._pieces: list[Piece] = []
        self._screen: Screen[Any] | None = None

    def put(self, screen: Screen[Any], pieces: list[Piece]) -> None:
        """Write these with this frame."""
        self._pieces += pieces
        self._screen = screen

    def send(self) -> None:
        """The frame is complete."""
        pieces, screen = self._pieces, self._screen
        if not pieces or screen is None:
            return
        self._pieces, self._screen = [], None
        screen.app._display(screen, Frame(pieces))


class Direct:
    """One widget's way to the terminal: where it stands, and what stands there of its own writing.

    A row in `_written` is dirty for the compositor too, so that whatever makes the compositor paint that row first
    comes by `forget`: the two never disagree on what the terminal shows.
    """

    def __init__(self, widget: Widget) -> None:
        self._widget = widget
        self._seen: object = None
        """The compositor's map of visible widgets for which `_inside` is true."""
        self._inside: Region | None = None
        self._top = 0
        self._written: dict[int, Strip] = {}
        self._screen: Screen[Any] | None = None
        self._possible: bool | None = None

    @property
    def possible(self) -> bool:
        """This Textual has all names that are needed; looked up once, when the widget has a screen."""
        if self._possible is None:
            self._possible = not missing(self._widget)
        return self._possible

    @property
    def size(self) -> Size:
        """The widget's own size, kept from one layout to the next: asking Textual takes longer than a frame may."""
        screen = self._screen
        if (
            screen is not None
            and self._inside is not None
            and screen._compositor._visible_widgets is self._seen
        ):
            return self._inside.size
        return self._widget.size

    def forget(self, y: int | None = None) -> None:
        """The compositor paints row `y` of the content, or any."""
        if y is None:
            self._written.clear()
        else:
            self._written.pop(y, None)

    def paint(self, rows: Iterable[int], canvas: Canvas) -> bool:
        """Write these rows of the content; False when only the compositor can."""
        if not self.possible:
            return False
        widget = self._widget
        screen = self._screen
        if screen is None:
            screen = self._screen = widget.screen
        app = screen.app
        if app.screen is not screen or app._batch_count or app.is_inline or widget.get_line_filters():
            return False
        inside = self._place(screen)
        if inside is None:
            return False
        dirty = widget._styles_cache._dirty_lines
        written = self._written
        pieces: list[Piece] = []
        for y in rows:
            if y >= inside.height:
                continue
            dirty.add(self._top + y)
            strip = widget.render_line(y)
            if isinstance(strip, RowLine):
                column, part = strip.since(written.get(y))
                if part.runs:
                    pieces.append((inside.x + column, inside.y + y, part))
            else:
                pieces.append((inside.x, inside.y + y, strip))
            written[y] = strip
        if pieces:
            canvas.put(screen, pieces)
        return True

    def _place(self, screen: Screen[Any]) -> Region | None:
        """Where the content is on the terminal; None when it is not all there, or something lies over it."""
        visible = screen._compositor.visible_widgets
        if visible is not self._seen:
            self._seen = visible
            self._written.clear()
            self._inside = self._find(visible)
        return self._inside

    def _find(self, visible: dict[Widget, tuple[Region, Region]]) -> Region | None:
        widget = self._widget
        found = visible.get(widget)
        if found is None or widget.opacity != 1:
            return None
        region, clip = found
        gutter = widget.gutter
        inside = region.shrink(gutter)
        if not inside or not clip.contains_region(region) or inside.size != widget.size:
            return None
        self._top = gutter.top
        for other, (its, cut) in visible.items():  # from the front to the back
            if other is widget:
                return inside
            if inside.overlaps(its.intersection(cut)):
                return None
        return None
