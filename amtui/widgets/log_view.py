"""Lines that keep coming: follow, search, wrap. Holds a bounded number; paints only what is on show."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from typing import Any, ClassVar, Final, Self

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.strip import Strip
from textual.widget import Widget

from amtui.model import plain
from amtui.widgets import states
from amtui.widgets.columns import folded

KEPT: Final = 50_000
"""Lines held; the oldest go."""
_HIT: Final = Style(color="#121212", bgcolor="#E69F00")
_TABS: Final = 8

Line = tuple[str, Style]


class LogView(Widget, can_focus=True):
    """A scrolling list of lines."""

    DEFAULT_CSS = """
    LogView { height: 1fr; border: round $border-blurred; border-title-color: $foreground;
              border-subtitle-color: $text-muted; }
    LogView:focus { border: round $accent; }
    """
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll_lines(1)", "Down", show=False, id="log.down"),
        Binding("up,k", "scroll_lines(-1)", "Up", show=False, id="log.up"),
        Binding("pagedown,space", "scroll_pages(1)", "Page down", show=False, id="log.page_down"),
        Binding("pageup,b", "scroll_pages(-1)", "Page up", show=False, id="log.page_up"),
        Binding("home,g", "scroll_lines(-10000000)", "Oldest", show=False, id="log.first"),
        Binding("end,G", "to_end", "Newest", show=False, id="log.last"),
    ]

    def __init__(self, *, follow: bool = True, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._lines: deque[Line] = deque(maxlen=KEPT)
        self._dropped = 0
        """Lines that went because the list was full."""
        self._top = 0
        """Index of the first line on show; in wrap mode, of its first piece."""
        self._piece = 0
        self.follow = follow
        self.wrap = False
        self._pattern: re.Pattern[str] | None = None
        self.query_text = ""
        self._unseen = 0
        self._painted: list[Line] | None = None
        """The lines on show, laid out once a frame."""

    def refresh(self, *regions: Any, **how: Any) -> Self:
        self._painted = None
        return super().refresh(*regions, **how)

    # ---- content

    def add(self, lines: Sequence[Line | str]) -> None:
        """Append lines; whatever a terminal would obey is taken out."""
        fresh = bool(self._lines)
        for line in lines:
            text, style = (line, Style()) if isinstance(line, str) else line
            full = len(self._lines) == KEPT
            self._lines.append((_tidy(text), style))
            if full:
                self._dropped += 1
                self._top = max(0, self._top - 1)
        if self.follow:
            self._to_end()
        else:
            self._unseen += len(lines) if fresh else 0
        self._say()
        self.refresh()

    def clear(self) -> None:
        """Forget every line."""
        self._lines.clear()
        self._top = self._piece = self._dropped = self._unseen = 0
        self.refresh()

    def text(self) -> str:
        """All lines as text."""
        return "\n".join(text for text, _ in self._lines)

    def __len__(self) -> int:
        return len(self._lines)

    # ---- place

    def set_follow(self, follow: bool) -> None:
        """Stay at the newest line, or stand still."""
        self.follow = follow
        if follow:
            self._to_end()
        self._say()
        self.refresh()

    def toggle_wrap(self) -> None:
        """Break long lines, or cut them."""
        self.wrap = not self.wrap
        self._piece = 0
        if self.follow:
            self._to_end()
        self._say()
        self.refresh()

    def _to_end(self) -> None:
        self._unseen = 0
        height = max(1, self.size.height)
        if not self.wrap:
            self._top, self._piece = max(0, len(self._lines) - height), 0
            return
        room, at = height, len(self._lines)
        while at > 0 and room > 0:
            at -= 1
            room -= len(self._pieces(at))
        self._top, self._piece = max(0, at), max(0, -room) if at >= 0 else 0

    def _say(self) -> None:
        parts = []
        if self._pattern is not None:
            parts.append(f"/{self.query_text} · {len(self._hits())} lines · n N")
        if self.wrap:
            parts.append("wrap")
        if self.follow:
            parts.append("following")
        elif self._unseen:
            parts.append(f"{self._unseen} new below")
        parts.append(
            f"{len(self._lines)} lines" + (f" ({self._dropped} older dropped)" if self._dropped else "")
        )
        self.border_subtitle = " · ".join(parts).replace("[", "\\[")

    def action_scroll_lines(self, by: int) -> None:
        self.follow = False
        if by > 0:
            end = max(0, len(self._lines) - 1 if self.wrap else len(self._lines) - self.size.height)
            self._top = min(end, self._top + by)
        else:
            self._top = max(0, self._top + by)
        self._piece = 0
        self._say()
        self.refresh()

    def action_scroll_pages(self, by: int) -> None:
        self.action_scroll_lines(by * max(1, self.size.height - 1))

    def action_to_end(self) -> None:
        self._to_end()
        self._say()
        self.refresh()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.action_scroll_lines(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.action_scroll_lines(-3)

    def on_resize(self) -> None:
        if self.follow:
            self._to_end()
        self.refresh()

    # ---- search

    def search(self, text: str) -> int:
        """Mark lines that contain `text`, ignoring case unless it has capitals; returns how many there are."""
        self.query_text = text
        flags = 0 if any(c.isupper() for c in text) else re.IGNORECASE
        # Literal on purpose: a pattern of the operator's could take forever on a line of the worker's.
        self._pattern = re.compile(re.escape(text), flags) if text else None
        found = len(self._hits())
        self._say()
        self.refresh()
        return found

    def _hits(self) -> list[int]:
        pattern = self._pattern
        return (
            [] if pattern is None else [i for i, (text, _) in enumerate(self._lines) if pattern.search(text)]
        )

    def next_hit(self, step: int) -> bool:
        """Go to the next (or previous) marked line; False when there is none that way."""
        hits = self._hits()
        beyond = [i for i in hits if (i > self._top if step > 0 else i < self._top)]
        if not beyond:
            return False
        self.follow = False
        self._top, self._piece = (beyond[0] if step > 0 else beyond[-1]), 0
        self._say()
        self.refresh()
        return True

    # ---- painting

    def _pieces(self, index: int) -> list[str]:
        text = self._lines[index][0]
        width = max(1, self.size.width - 1)
        return folded(text, width) if self.wrap else [text]

    def _visible(self) -> list[tuple[str, Style]]:
        rows: list[tuple[str, Style]] = []
        at, skip = self._top, self._piece
        while len(rows) < self.size.height and at < len(self._lines):
            rows += [(piece, self._lines[at][1]) for piece in self._pieces(at)[skip:]]
            at, skip = at + 1, 0
        return rows

    def render_line(self, y: int) -> Strip:
        width, base = self.size.width, self.rich_style
        if self._painted is None:
            self._painted = self._visible()
        rows = self._painted
        if y >= len(rows):
            return Strip([Segment(" " * width, base)], width)
        text, style = rows[y]
        style = base + states.themed(style, self.app.current_theme.dark)
        return Strip([Segment(" ", base), *self._marked(text, style)]).adjust_cell_length(width, base)

    def _marked(self, text: str, style: Style) -> list[Segment]:
        if self._pattern is None:
            return [Segment(text, style)]
        segments, at = [], 0
        for match in self._pattern.finditer(text):
            if match.end() == match.start():
                continue
            segments += [Segment(text[at : match.start()], style), Segment(match[0], style + _HIT)]
            at = match.end()
        return [*segments, Segment(text[at:], style)]


def _tidy(text: str) -> str:
    return plain(text.replace("\n", " ")).expandtabs(_TABS)
