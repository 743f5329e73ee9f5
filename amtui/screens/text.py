"""Text to read: the result of an operation, an explanation, help."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.style import Style
from textual.binding import Binding, BindingType
from textual.widget import Widget

from amtui.model import plain
from amtui.screens.base import AmtuiScreen
from amtui.widgets.log_view import LogView


class TextScreen(AmtuiScreen):
    """A page of text with a title."""

    MODE = "read"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("w", "wrap", "Wrap", id="text.wrap"),
        Binding("y", "copy", "Copy", id="text.copy"),
        Binding("escape,q", "back", "Back", id="app.back"),
    ]
    AUTO_FOCUS = "LogView"

    def __init__(self, title: str, text: str | Sequence[tuple[str, Style]]) -> None:
        super().__init__()
        self._title = plain(title)
        self._text = text

    def place(self) -> str:
        return self._title

    def body(self) -> Iterable[Widget]:
        self.view = LogView(follow=False)
        self.view.wrap = True
        return (self.view,)

    def on_mount(self) -> None:
        self.view.border_title = self._title.replace("[", "\\[")
        if isinstance(self._text, str):
            self.view.add([(line, Style()) for line in plain(self._text).splitlines()])
        else:
            self.view.add(self._text)

    def action_wrap(self) -> None:
        self.view.toggle_wrap()

    def action_copy(self) -> None:
        text = self.view.text()
        self.app.copy_to_clipboard(text)
        self.desk.say(f"copied {len(text)} characters")

    def action_back(self) -> None:
        self.dismiss()
