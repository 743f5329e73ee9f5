"""Scrolling a picture of a console: pages and rows back through its history, and to the newest again."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType

from amtui.widgets.console_picture import ConsolePicture


class ConsoleScroll(ConsolePicture):
    """A picture that can be scrolled."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("shift+pageup,pageup", "scroll_back(1)", "Scroll", show=False, id="console.page_up"),
        Binding("shift+pagedown,pagedown", "scroll_back(-1)", "Scroll", show=False, id="console.page_down"),
        Binding("shift+up", "scroll_rows(1)", "Scroll", show=False, id="console.row_up"),
        Binding("shift+down", "scroll_rows(-1)", "Scroll", show=False, id="console.row_down"),
        Binding("shift+home", "scroll_top", "Oldest", show=False, id="console.top"),
        Binding("shift+end", "scroll_end", "Newest", show=False, id="console.end"),
    ]

    def _scroll(self, rows: int) -> None:
        if self.handle is None or self.handle.screen.alternate:
            return
        began = not self._backlog.scrolled
        self._backlog.move(self.handle.screen, self.size.height, rows)
        if rows > 0 and (began or self._backlog.lacks(self.handle.screen, self.size.height)):
            self._look_further()
        self._flush()

    def _look_further(self) -> None:
        """The place looked at is not held; a view that can ask for older rows does."""

    def action_scroll_back(self, pages: int) -> None:
        self._scroll(pages * max(1, self.size.height - 2))

    def action_scroll_rows(self, rows: int) -> None:
        self._scroll(rows)

    def action_scroll_top(self) -> None:
        self._scroll(10**9)

    def action_scroll_end(self) -> None:
        self._backlog.follow()
        self._flush()
