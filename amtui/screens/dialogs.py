"""Questions that only a person can answer, each in one small window."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from amtui.model import Untrusted


class Dialog(ModalScreen[str | None]):
    """Title, text, and what the kind of question needs. Dismissed with the answer, or None."""

    DEFAULT_CSS = """
    Dialog { align: center middle; background: $background 60%; }
    Dialog #box { width: 72; max-width: 96%; height: auto; max-height: 92%; border: heavy $warning;
                  background: $surface; padding: 0 1; border-title-color: $foreground; }
    Dialog #text { height: auto; max-height: 9; overflow-y: auto; }
    Dialog #keys { color: $text-muted; height: 1; margin-top: 1; }
    Dialog Input { margin-top: 1; background: $panel; }
    Dialog OptionList { height: auto; max-height: 7; margin-top: 1; border: none; background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "decline", "Cancel", id="dialog.cancel")]
    KEYS: ClassVar[str] = "esc cancel"

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title = Untrusted(title, "question").for_line(60)
        self._text = Untrusted(text, "question").for_terminal()

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = Content(self._title)
            yield Static(Content(self._text), id="text")
            yield from self.ask()
            yield Static(Content(self.KEYS), id="keys")

    def ask(self) -> ComposeResult:
        """The widgets that take the answer."""
        yield from ()

    def action_decline(self) -> None:
        self.dismiss(None)


class Confirm(Dialog):
    """Yes or no; no is what happens by itself."""

    KEYS = "y yes · n or esc no"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "agree", "Yes", id="dialog.yes"),
        Binding("n,enter", "decline", "No", id="dialog.no"),
    ]

    def action_agree(self) -> None:
        self.dismiss("yes")


class TypeName(Dialog):
    """The destructive kind: the name has to be typed."""

    def __init__(self, title: str, text: str, expect: str) -> None:
        super().__init__(title, text)
        self._expect = expect
        self.KEYS = f"type {expect} and enter · esc keeps it"  # type: ignore[misc]

    def ask(self) -> ComposeResult:
        yield Input(placeholder=self._expect, compact=True)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.value.strip() == self._expect:
            self.dismiss(self._expect)
        else:
            self.query_one("#keys", Static).update(
                Content(f"that is not {self._expect}; nothing was done · esc keeps it")
            )


class Secret(Dialog):
    """Hidden text; it is never shown, kept or logged here."""

    KEYS = "enter · esc cancel"

    def ask(self) -> ComposeResult:
        yield Input(password=True, compact=True)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        value, event.input.value = event.value, ""
        self.dismiss(value)


class Choice(Dialog):
    """One of several; digits choose too."""

    KEYS = "↑ ↓ enter, or its number · esc cancel"

    def __init__(self, title: str, text: str, options: tuple[str, ...]) -> None:
        super().__init__(title, text)
        self._options = options

    def ask(self) -> ComposeResult:
        yield OptionList(
            *(
                Option(Content(f"{i}  {Untrusted(o, 'option').for_line(200)}"))
                for i, o in enumerate(self._options, 1)
            )
        )

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._options[event.option_index])

    def on_key(self, event: Any) -> None:
        if event.key.isdigit() and 1 <= int(event.key) <= len(self._options):
            event.stop()
            self.dismiss(self._options[int(event.key) - 1])


def dialog_for(kind: str, title: str, text: str, options: tuple[str, ...], expect: str) -> Dialog:
    """The dialog of a question's kind."""
    if kind == "choice":
        return Choice(title, text, options)
    if kind == "secret":
        return Secret(title, text)
    if kind == "name":
        return TypeName(title, text, expect)
    return Confirm(title, text)
