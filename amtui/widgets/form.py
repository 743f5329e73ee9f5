"""Fields of a form, each in one line: a label, the value, what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input, Static

OTHER: Final = "other…"


class ChoiceLine(Widget, can_focus=True):
    """`(•) local  ( ) ssh:box`: left and right choose."""

    DEFAULT_CSS = """
    ChoiceLine { height: 1; width: 1fr; }
    ChoiceLine:focus { background: $primary 20%; }
    """
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,space", "choose(1)", "Choose", id="form.next_choice"),
        Binding("left", "choose(-1)", "Choose", show=False, id="form.previous_choice"),
    ]

    @dataclass
    class Chosen(Message):
        """Another value was chosen."""

        line: ChoiceLine
        value: str

    def __init__(self, options: Sequence[tuple[str, str]], value: str) -> None:
        """`options` are (value, label) pairs."""
        super().__init__()
        self._options = list(options)
        self.value = value

    def offer(self, options: Sequence[tuple[str, str]]) -> None:
        """Other options; the value stays if it is still among them, else the first is taken."""
        self._options = list(options)
        if self.value not in [value for value, _ in options]:
            self._take(options[0][0] if options else "")
        self.refresh()

    def action_choose(self, step: int) -> None:
        values = [value for value, _ in self._options]
        if values:
            at = values.index(self.value) if self.value in values else 0
            self._take(values[(at + step) % len(values)])

    def choose(self, value: str) -> None:
        """Take this value."""
        self._take(value)

    def _take(self, value: str) -> None:
        if value != self.value:
            self.value = value
            self.post_message(self.Chosen(self, value))
            self.refresh()

    def _spans(self) -> list[tuple[str, str]]:
        """(value, text) of what is shown: the part around the chosen one that fits."""
        texts = [
            (value, f"({'•' if value == self.value else ' '}) {label}") for value, label in self._options
        ]
        room = max(10, self.size.width - 2)
        at = next((i for i, (value, _) in enumerate(texts) if value == self.value), 0)
        first = last = at
        used = cell_len(texts[at][1]) if texts else 0
        while texts:
            if last + 1 < len(texts) and used + cell_len(texts[last + 1][1]) + 2 <= room:
                last += 1
                used += cell_len(texts[last][1]) + 2
            elif first > 0 and used + cell_len(texts[first - 1][1]) + 2 <= room:
                first -= 1
                used += cell_len(texts[first][1]) + 2
            else:
                break
        shown = texts[first : last + 1]
        head = [("", "‹ ")] if first > 0 else []
        tail = [("", " ›")] if last + 1 < len(texts) else []
        return [*head, *shown, *tail]

    def render_line(self, y: int) -> Strip:
        base = self.rich_style
        segments = []
        for value, text in self._spans():
            chosen = value == self.value and text.startswith("(")
            segments.append(
                Segment(text + "  ", base + Style(bold=chosen or None, dim=None if chosen else True))
            )
        return Strip(segments).adjust_cell_length(self.size.width, base)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        x = 0
        for value, text in self._spans():
            x += cell_len(text) + 2
            if offset is not None and offset.x < x:
                if text.startswith("("):
                    self._take(value)
                return


class Field(Horizontal):
    """A label, an input or a choice, and a note about it."""

    DEFAULT_CSS = """
    Field { height: 1; width: 1fr; }
    Field .label { width: 11; color: $text-muted; }
    Field Input { width: 1fr; background: $surface; }
    Field Input:focus { background: $primary 20%; }
    Field .off { display: none; }
    Field .note { width: auto; max-width: 40%; color: $warning; }
    """

    @dataclass
    class Changed(Message):
        """The value of a field is another one."""

        field: Field

    def __init__(
        self,
        name: str,
        label: str,
        value: str = "",
        *,
        options: Sequence[tuple[str, str]] | None = None,
        open_ended: bool = False,
        hint: str = "",
    ) -> None:
        """`options` make it a choice; `open_ended` adds one that is typed; `hint` stands in the empty input."""
        super().__init__(classes="field")
        self.field_name = name
        self._label = label
        self._open = open_ended
        self._choice = ChoiceLine(self._with_other(options), value) if options is not None else None
        self._input = Input(value if options is None else "", placeholder=hint, compact=True)
        self._input.set_class(options is not None, "off")
        self._note = Static(classes="note")

    def _with_other(self, options: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        return [*options, (OTHER, OTHER)] if self._open else list(options)

    def compose(self) -> ComposeResult:
        yield Static(Content(self._label), classes="label")
        if self._choice is not None:
            yield self._choice
        yield self._input
        yield self._note

    @property
    def value(self) -> str:
        """What the person chose or typed."""
        if self._choice is None or self._choice.value == OTHER:
            return self._input.value.strip()
        return self._choice.value

    @property
    def focus_target(self) -> Widget:
        """What takes the keyboard."""
        return self._input if self._choice is None else self._choice

    def offer(self, options: Sequence[tuple[str, str]]) -> None:
        """Other options for a choice."""
        if self._choice is not None:
            self._choice.offer(self._with_other(options))

    def set_value(self, value: str) -> None:
        """Fill the field in for the person."""
        if self._choice is None:
            self._input.value = value
        elif value in [v for v, _ in self._choice._options]:
            self._choice.choose(value)
        elif self._open:
            self._choice.choose(OTHER)
            self._input.value = value

    def note(self, text: str) -> None:
        """Say what is wrong, or nothing."""
        self._note.update(Content(text))

    def on_choice_line_chosen(self, event: ChoiceLine.Chosen) -> None:
        event.stop()
        typed = event.value == OTHER
        self._input.set_class(not typed, "off")
        if typed:
            self._input.focus()
        self.post_message(self.Changed(self))

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(self))
