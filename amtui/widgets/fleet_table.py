"""The list of workers, grouped by who needs a person first. Only the rows on show are painted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from amtui.model import WorkerRow, plain
from amtui.widgets import states
from amtui.widgets.columns import FLEET, cell, share

GROUPED_FROM = 14
"""Height in rows from which group titles are shown."""

SETTLING = 3.0
"""Seconds after opening in which fresh states may still move the cursor that nobody has moved."""


class FleetTable(Widget, can_focus=True):
    """Workers as a list with a cursor."""

    DEFAULT_CSS = """
    FleetTable { height: 1fr; border: round $border-blurred; border-title-color: $foreground;
                 border-subtitle-color: $text-muted; }
    FleetTable:focus { border: round $accent; }
    """
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Down", show=False, id="list.down"),
        Binding("up,k", "move(-1)", "Up", show=False, id="list.up"),
        Binding("pagedown", "move(10)", "Page down", show=False, id="list.page_down"),
        Binding("pageup", "move(-10)", "Page up", show=False, id="list.page_up"),
        Binding("home", "move(-100000)", "First", show=False, id="list.first"),
        Binding("end,G", "move(100000)", "Last", show=False, id="list.last"),
    ]

    @dataclass
    class Selected(Message):
        """The cursor is on another worker (or on none)."""

        name: str

    @dataclass
    class Opened(Message):
        """A worker was double-clicked."""

        name: str

    def __init__(self, *, ascii_only: bool = False, clock: Callable[[], float] = time.time) -> None:
        super().__init__(id="fleet")
        self._ascii = ascii_only
        self._clock = clock
        self._rows: list[WorkerRow] = []
        self._lines: list[WorkerRow | str] = []
        self.selected = ""
        """Name of the worker under the cursor, or empty."""
        self._top = 0
        self._first_until = 0.0
        """Until then, or the first choice, the cursor stands on whoever needs a person most: states come in."""
        self.filter = ""
        """What the operator filters by, as told in the border."""
        self.keep: Callable[[WorkerRow], bool] = lambda row: True
        """Which rows the filter keeps."""

    def on_mount(self) -> None:
        self.border_title = "Fleet"
        self._first_until = self._clock() + SETTLING
        self.set_interval(1.0, self.refresh)

    @property
    def rows(self) -> list[WorkerRow]:
        """The rows shown, in order."""
        return self._rows

    def fill(self, rows: tuple[WorkerRow, ...]) -> None:
        """Show these rows; the cursor stays on its worker, or moves to the row that took its place."""
        before = [row.worker.name for row in self._rows]
        self._rows = [row for row in states.order(rows) if self.keep(row)]
        names = [row.worker.name for row in self._rows]
        if names and self._clock() < self._first_until:
            self._select(names[0])
        elif self.selected not in names:
            at = before.index(self.selected) if self.selected in before else 0
            self._select(names[min(at, len(names) - 1)] if names else "")
        self._arrange()
        self.border_subtitle = self._summary(len(rows))
        self.refresh()

    def _summary(self, total: int) -> str:
        shown = len(self._rows)
        count = f"{shown} of {total}" if shown != total else f"{total}"
        text = f"attention · {count} worker{'' if total == 1 else 's'}"
        return (f"filter {plain(self.filter)} · " if self.filter else "").replace("[", "\\[") + text

    def _arrange(self) -> None:
        grouped = self.size.height >= GROUPED_FROM
        self._lines = []
        group = ""
        for row in self._rows:
            now = states.look(row).group
            if grouped and now != group:
                group = now
                number = sum(states.look(r).group == now for r in self._rows)
                self._lines.append(f"{states.GROUP_TITLES[now]} ({number})")
            self._lines.append(row)
        self._keep_cursor_visible()

    def _keep_cursor_visible(self) -> None:
        height = max(1, self.size.height - 1)
        at = next((i for i, line in enumerate(self._lines) if self._is_selected(line)), 0)
        titled = at > 0 and isinstance(self._lines[at - 1], str)
        at_top = at - titled
        if at_top < self._top:
            self._top = at_top
        elif at >= self._top + height:
            self._top = at - height + 1
        self._top = max(0, min(self._top, len(self._lines) - height))

    def _is_selected(self, line: WorkerRow | str) -> bool:
        return not isinstance(line, str) and line.worker.name == self.selected

    def on_resize(self) -> None:
        self._arrange()
        self.refresh()

    def row(self) -> WorkerRow | None:
        """The worker under the cursor."""
        return next((row for row in self._rows if row.worker.name == self.selected), None)

    def select(self, name: str) -> None:
        """Put the cursor on a worker."""
        self._first_until = 0.0
        if any(row.worker.name == name for row in self._rows):
            self._select(name)
            self._keep_cursor_visible()
            self.refresh()

    def _select(self, name: str) -> None:
        if name != self.selected:
            self.selected = name
            self.post_message(self.Selected(name))

    def action_move(self, by: int) -> None:
        names = [row.worker.name for row in self._rows]
        if names:
            at = names.index(self.selected) if self.selected in names else 0
            self.select(names[max(0, min(len(names) - 1, at + by))])

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or offset.y < 1:
            return
        at = self._top + offset.y - 1
        if at < len(self._lines) and not isinstance(line := self._lines[at], str):
            self.select(line.worker.name)
            if event.chain == 2:
                self.post_message(self.Opened(line.worker.name))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.action_move(1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.action_move(-1)

    # ---- painting

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        base = self.rich_style
        columns = share(FLEET, width - 2)
        if y == 0:
            head = " ".join(cell(c.title, w, c.right) for c, w in columns)
            return _line([("  " + head, base + Style(dim=True))], width, base)
        at = self._top + y - 1
        if at >= len(self._lines):
            return _line([], width, base)
        line = self._lines[at]
        if isinstance(line, str):
            rule = "-" if self._ascii else "─"
            text = f" {rule * 2} {line} "
            return _line([(text + rule * max(0, width - len(text) - 1), base + Style(dim=True))], width, base)
        return self._row_line(line, [(c.id, w, c.right) for c, w in columns], width, base)

    def _row_line(
        self, row: WorkerRow, columns: list[tuple[str, int, bool]], width: int, base: Style
    ) -> Strip:
        chosen = self._is_selected(row)
        if chosen:
            # Reverse only under the eyes of the keyboard; the mark says it without colour.
            base = base + Style(bold=True, bgcolor=self._chosen_background())
        shown = states.look(row)
        mark = (">" if self._ascii else "▸") if chosen else " "
        pieces = [(f"{mark} ", base)]
        for column, size, right in columns:
            style = base
            if column == "state":
                mark_style = Style(color=shown.colour, bold=shown.group in ("needs", "problems"))
                style = base + states.themed(mark_style, self.app.current_theme.dark)
            elif column in ("for", "autonomy", "rtt", "model") or shown.dim:
                style = base + Style(dim=not chosen)
            pieces.append((cell(self._text(row, column, shown), size, right), style))
            pieces.append((" ", base))
        return _line(pieces, width, base)

    def _chosen_background(self) -> str:
        return "#2d3f54" if self.app.current_theme.dark else "#cfe0f2"

    def _text(self, row: WorkerRow, column: str, shown: states.Look) -> str:
        worker = row.worker
        if column == "state":
            return f"{shown.mark(self._ascii)} {plain(shown.word)}"
        if column == "for":
            begun = states.since(row)
            return states.ago(self._clock() - begun) if begun else ""
        if column == "task":
            return " ".join(plain(states.task(row)).split())
        if column == "rtt":
            return "" if row.rtt is None else f"{row.rtt * 1000:.0f} ms"
        return {
            "name": worker.name,
            "on": worker.substrate,
            "agent": worker.runtime,
            "model": plain(worker.model or ""),
            "autonomy": worker.autonomy.value,
        }[column]


def _line(pieces: list[tuple[str, Style]], width: int, base: Style) -> Strip:
    return Strip([Segment(text, style) for text, style in pieces]).adjust_cell_length(width, base)
