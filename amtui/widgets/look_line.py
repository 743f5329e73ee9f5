"""The line under a console in scroll mode: where one looks, what is searched for, what came below meanwhile."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from rich.style import Style
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input

from amtui.model import plain
from amtui.widgets import states
from amtui.widgets.columns import cell
from amtui.widgets.console_view import ConsoleView
from amtui.widgets.looking_back import Look
from amtui.widgets.panes import Lines, Piece

_DIM = Style(dim=True)
_BOLD = Style(bold=True)
_BAD = Style(color=states.VERMILION)
_NEW = Style(color=states.ORANGE, bold=True)
QUERY = 30
"""Cells of a search that are repeated in the line."""


def pieces_of(look: Look, ascii_only: bool = False, *, asking: bool = False) -> list[Piece]:
    """What the line says, the most wanted first: it is cut at the right. `asking`: beside the text being typed."""
    out: list[Piece] = [(f"line {look.row:,} of {look.rows:,}", _BOLD)]
    if asking:
        return _joined([_found(look), *out] if look.query or look.error else out)
    if look.new:
        mark = "v" if ascii_only else "▼"
        out.append((f"{mark} {look.new:,} new line{'s' if look.new > 1 else ''}", _NEW))
    if look.query:
        query = plain(look.query)
        query = query if cell_len(query) <= QUERY else cell(query, QUERY)
        kind = "regex " if look.regex else ""
        out.append((f"{kind}{query}  {_found(look)[0]}", Style()))
    if look.selecting:
        out.append(("selecting lines" if look.selecting == "line" else "selecting", Style(color=states.SKY)))
    return _joined(out)


def _joined(pieces: list[Piece]) -> list[Piece]:
    return [piece for each in pieces for piece in ((" · ", _DIM), each)][1:]


def _found(look: Look) -> Piece:
    return (f"not a pattern: {look.error}", _BAD) if look.error else (hits_of(look), Style())


def hits_of(look: Look) -> str:
    """`3 of 17`."""
    if not look.hits:
        return "searching…" if look.reading else "nothing found"
    total = f"{look.hits:,}{'+' if look.more else ''}"
    return f"{look.hit:,} of {total}" if look.hit else f"{total} found"


class LookLine(Horizontal):
    """Position and search."""

    DEFAULT_CSS = """
    LookLine { height: 1; display: none; background: $panel; color: $foreground; }
    LookLine.on { display: block; }
    LookLine #mark { width: 2; display: none; }
    LookLine Input { display: none; width: 1fr; background: $panel; }
    LookLine #place { width: 1fr; padding: 0 1; }
    LookLine.asking #mark, LookLine.asking Input { display: block; }
    LookLine.asking #place { width: 45%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "drop", "Clear", show=False, id="console.drop_search"),
        Binding("alt+r", "regex", "Regex", id="console.regex"),
    ]

    def __init__(self, view: ConsoleView) -> None:
        super().__init__()
        self._view = view
        self.regex = False
        self._mark = "/"

    def compose(self) -> ComposeResult:
        self.mark = Lines(id="mark")
        self.input = Input(id="search", compact=True, max_length=200)
        self.place = Lines(id="place")
        yield from (self.mark, self.input, self.place)

    def tell(self) -> None:
        """Show where the view looks now; nothing outside of scroll mode."""
        look = self._view.look
        if look is None and self.has_class("asking"):
            self._close()
        self.set_class(look is not None, "on")
        if look is not None:
            ascii_only = bool(getattr(self.app, "ascii_only", False))
            self.place.put([pieces_of(look, ascii_only, asking=self.has_class("asking"))])

    def ask(self, direction: int) -> None:
        """Let the person type what to search for."""
        self._show_mark("/" if direction > 0 else "?")
        self.input.value = ""
        self.set_class(True, "asking")
        self.tell()
        self.screen.set_focus(self.input)

    def _show_mark(self, mark: str = "") -> None:
        self._mark = mark or self._mark
        self.mark.put([[(self._mark, _BOLD)]])
        self.input.placeholder = (
            "regular expression · alt+r: plain text" if self.regex else "text · capitals count · alt+r: regex"
        )

    def _close(self) -> None:
        self.set_class(False, "asking")
        self.tell()
        if self.screen.focused is self.input:
            self.screen.set_focus(self._view)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.has_class("asking"):
            self._view.find(event.value, regex=self.regex)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value:
            self._view.keep_search()
        else:
            self._view.drop_search()
        self._close()

    def action_drop(self) -> None:
        self._view.drop_search()
        self._close()

    def action_regex(self) -> None:
        self.regex = not self.regex
        self._show_mark()
        self._view.find(self.input.value, regex=self.regex)


class LookPane(Vertical):
    """A console with its line under it."""

    DEFAULT_CSS = "LookPane { width: 1fr; height: 1fr; }"

    def __init__(self, view: ConsoleView) -> None:
        super().__init__()
        self.view = view
        self.line = LookLine(view)
        view.prompt = self.line.ask

    def compose(self) -> ComposeResult:
        yield self.view
        yield self.line

    def on_console_view_looked(self) -> None:
        self.line.tell()
