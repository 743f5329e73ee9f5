"""The `:` line: the verbs of the command line, with completion and history."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any, ClassVar, Final, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from amtui.errors import AmtuiError
from amtui.ops.base import Surface
from amtui.screens.desk import Desk
from amtui.widgets import states

SHOWN = 8
"""Completions listed at once."""
SCREENS: Final = {
    "fleet": "the list of workers; words after it filter",
    "logs": "logs of a worker",
    "events": "what happened, of all workers",
    "help": "keys and operations",
    "quit": "leave amtui; agents keep running",
}
"""Verbs that show a screen instead of printing."""


class CommandScreen(ModalScreen[None]):
    """One line over whatever is on show."""

    DEFAULT_CSS = """
    CommandScreen { align: left bottom; background: transparent; }
    CommandScreen #line { height: auto; max-height: 14; width: 100%; background: $panel; padding: 0 1; }
    CommandScreen #offers { height: auto; color: $text-muted; }
    CommandScreen Input { background: $panel; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="command.cancel"),
        Binding("tab", "complete", "Complete", id="command.complete"),
        Binding("up", "older", "Older", show=False, id="command.older"),
        Binding("down", "newer", "Newer", show=False, id="command.newer"),
    ]

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self._text = text
        self._at = 0

    @property
    def desk(self) -> Desk:
        """The application, with its type."""
        return cast("Desk", self.app)

    def compose(self) -> ComposeResult:
        with Vertical(id="line"):
            yield Static(id="offers")
            yield Input(
                self._text,
                compact=True,
                placeholder=": a verb of the command line; tab completes, ↑ older, esc leaves",
            )

    def on_mount(self) -> None:
        line = self.query_one(Input)
        line.cursor_position = len(line.value)
        self._at = len(self.desk.lines)
        self._offer()

    def on_input_changed(self, event: Input.Changed) -> None:
        self._offer()

    def _offer(self, text: str = "") -> None:
        found = completions(self.desk, self.query_one(Input).value)
        lines = [text] if text else [f"{word:<18} {what}" for word, what in found[:SHOWN]]
        if not text and len(found) > SHOWN:
            lines.append(f"… {len(found) - SHOWN} more")
        self.query_one("#offers", Static).update(Content("\n".join(lines)))

    def action_complete(self) -> None:
        line = self.query_one(Input)
        found = [word for word, _ in completions(self.desk, line.value)]
        if not found:
            return
        head, _, last = line.value.rpartition(" ")
        common = found[0] if len(found) == 1 else _common(found)
        if len(found) == 1:
            common += " "
        base = "" if _is_verb(line.value) else f"{head} " if head else ""
        if _is_verb(line.value) or len(common) > len(last):
            line.value = base + common
        line.cursor_position = len(line.value)

    def action_older(self) -> None:
        self._recall(-1)

    def action_newer(self) -> None:
        self._recall(1)

    def _recall(self, step: int) -> None:
        lines = self.desk.lines
        if not lines:
            return
        self._at = max(0, min(len(lines), self._at + step))
        line = self.query_one(Input)
        line.value = lines[self._at] if self._at < len(lines) else ""
        line.cursor_position = len(line.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        text = event.value.strip()
        if not text:
            self.dismiss()
            return
        verb, _, rest = text.partition(" ")
        if verb in SCREENS:
            self._remember(text)
            self.dismiss()
            self.desk.show_screen(verb, rest.strip())
            return
        try:
            op, params = self.desk.operations.parse(text)
        except AmtuiError as error:
            self._offer(f"✕ {error.message} · {error.hint}")
            return
        if "secret" not in op.id:
            self._remember(text)
        self.dismiss()
        self.desk.run_line(op, params)

    def _remember(self, text: str) -> None:
        self.desk.lines = [*[line for line in self.desk.lines[-199:] if line != text], text]

    def action_cancel(self) -> None:
        self.dismiss()


def _is_verb(text: str) -> bool:
    return " " not in text.lstrip()


def _common(words: list[str]) -> str:
    first, last = min(words), max(words)
    size = next((i for i, c in enumerate(first) if i >= len(last) or last[i] != c), len(first))
    return first[:size]


def completions(desk: Desk, text: str) -> list[tuple[str, str]]:
    """(word, what it is) that could stand at the end of `text`: verbs first, then names, flags and their values."""
    text = text.lstrip()
    ops = desk.operations.on(Surface.LINE)
    whole = [(word, what) for word, what in SCREENS.items() if word.startswith(text)]
    whole += [(op.id, op.summary) for op in ops if op.id.startswith(text) and op.id not in SCREENS]
    if _is_verb(text) or (whole and all(len(word.split()) > 1 for word, _ in whole)):
        if _is_verb(text):
            return whole
        return [(word.split()[-1], what) for word, what in whole]
    if text.startswith("logs "):
        return [
            (r.worker.name, "worker") for r in desk.ctx.fleet.rows() if r.worker.name.startswith(text[5:])
        ]
    op = next((o for o in sorted(ops, key=lambda o: -len(o.id)) if text.startswith(o.id + " ")), None)
    if op is None:
        return []
    head, _, last = text.rpartition(" ")
    with contextlib.suppress(Exception):  # an operation that does not load completes nothing
        return [(w, what) for w, what in _words(desk, op.id, head) if w.startswith(last)]
    return []


def _words(desk: Desk, op_id: str, head: str) -> Iterable[tuple[str, str]]:
    fields = desk.operations.fields(op_id)
    before = head.split()[-1] if head else ""
    asked = next((f for f in fields if f.flag and f.flag == before and f.type is not bool), None)
    if asked is None:
        for field in fields:
            if field.arg.positional:
                yield from (
                    (value, _about(desk, value) or field.arg.help) for value in values_of(desk, field)
                )
        yield from (
            (field.flag, field.arg.help) for field in fields if field.flag and field.flag not in head.split()
        )
    else:
        yield from ((value, asked.arg.help) for value in values_of(desk, asked))


def _about(desk: Desk, name: str) -> str:
    row = next((r for r in desk.ctx.fleet.rows() if r.worker.name == name), None)
    return (
        f"{states.look(row).word} · {row.worker.substrate} · {row.worker.runtime}" if row is not None else ""
    )


def values_of(desk: Desk, field: Any) -> tuple[str, ...]:
    """Values that completion and forms can offer for a field."""
    if field.choices:
        return tuple(field.choices)
    kind = field.arg.complete
    if kind == "worker":
        return tuple(row.worker.name for row in desk.ctx.fleet.rows())
    offer = getattr(desk.ctx, "offers", None)
    return tuple(offer(kind)) if offer is not None and kind else ()
