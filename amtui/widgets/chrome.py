"""The lines round every screen: where we are and who needs you on top, narration and live keys below."""

from __future__ import annotations

from typing import Final, NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from amtui.model import WorkerRow
from amtui.widgets import states

KEY_NAMES: Final = {
    "question_mark": "?",
    "colon": ":",
    "slash": "/",
    "right_square_bracket": "]",
    "left_square_bracket": "[",
    "escape": "esc",
    "comma": ",",
    "ampersand": "&",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "ctrl+right_square_bracket": "^]",
    "shift+tab": "S-tab",
    "full_stop": ".",
    "dollar_sign": "$",
    "circumflex_accent": "^",
    "minus": "-",
    "right": "→",
    "left": "←",
    "up": "↑",
    "down": "↓",
}


def key_name(key: str) -> str:
    """A key as the footer and help write it."""
    if key in KEY_NAMES:
        return KEY_NAMES[key]
    if key.startswith("ctrl+"):
        return "^" + key_name(key[5:])
    if key.startswith("shift+"):
        return "S-" + key_name(key[6:])
    if key.startswith("f") and key[1:].isdigit():
        return key.upper()
    return key


class Hint(NamedTuple):
    """One key that works now."""

    key: str
    """As Textual names it."""
    label: str

    @property
    def text(self) -> str:
        return f"{key_name(self.key)} {self.label}"


def fit(hints: list[Hint], width: int) -> list[Hint]:
    """The hints that fit: cut from the right, the last one (`? Help`) never cut."""
    if not hints:
        return []
    *head, last = hints
    room = width - cell_len(last.text) - 2
    kept: list[Hint] = []
    for hint in head:
        need = cell_len(hint.text) + 2
        if need > room:
            break
        room -= need
        kept.append(hint)
    return [*kept, last]


class Bar(Widget):
    """A one-line strip of pieces left and right."""

    DEFAULT_CSS = "Bar { height: 1; width: 1fr; }"
    ALLOW_SELECT = False

    def left(self, width: int) -> list[tuple[str, Style]]:
        """Pieces from the left."""
        return []

    def right(self, width: int) -> list[tuple[str, Style]]:
        """Pieces at the right edge."""
        return []

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        base = self.rich_style
        dark = self.app.current_theme.dark
        left = [Segment(t, base + states.themed(s, dark)) for t, s in [(" ", Style()), *self.left(width)]]
        right = [Segment(t, base + states.themed(s, dark)) for t, s in [*self.right(width), (" ", Style())]]
        taken = sum(s.cell_length for s in right)
        strip = Strip(left).crop(0, max(0, width - taken)).extend_cell_length(max(0, width - taken), base)
        return Strip([*strip, *right]).adjust_cell_length(width, base)


class Header(Bar):
    """Where we are, and how the fleet is."""

    DEFAULT_CSS = "Header { background: $panel; color: $foreground; }"

    def __init__(self, place: str) -> None:
        super().__init__()
        self.place = place
        self.rows: tuple[WorkerRow, ...] = ()
        self.ascii = False
        self.clock_text = ""

    def tell(self, rows: tuple[WorkerRow, ...], *, place: str | None = None, clock: str = "") -> None:
        """Show these rows' counts and this place."""
        place = self.place if place is None else place
        if (rows, place, clock) != (self.rows, self.place, self.clock_text):
            self.rows, self.place, self.clock_text = rows, place, clock
            self.refresh()

    def left(self, width: int) -> list[tuple[str, Style]]:
        return [("amtui", Style(bold=True)), (f" › {self.place}", Style())]

    def right(self, width: int) -> list[tuple[str, Style]]:
        if not self.rows:
            return [("no workers", Style(dim=True))]
        long = width >= 100
        pieces: list[tuple[str, Style]] = []
        for shown, number in states.counts(self.rows):
            if pieces:
                pieces.append(("  " if long else " ", Style()))
            word = f" {shown.word}" if long else ""
            pieces.append((f"{shown.mark(self.ascii)}{number}{word}", Style(color=shown.colour)))
        if long and self.clock_text:
            pieces.append((f" │ {self.clock_text}", Style()))
        return pieces


class StatusLine(Bar):
    """The mode word and the latest narration."""

    DEFAULT_CSS = "StatusLine { background: $background; color: $text-muted; }"

    def __init__(self) -> None:
        super().__init__()
        self.mode = ""
        self.text = ""
        self.aside = ""
        self.tone = "note"

    def say(self, text: str, tone: str = "note") -> None:
        """Narrate one line; tones are note, good, bad."""
        self.text, self.tone = text, tone
        self.refresh()

    def set_mode(self, mode: str, aside: str = "") -> None:
        """The one mode word at bottom left, and what stands at the right."""
        if (mode, aside) != (self.mode, self.aside):
            self.mode, self.aside = mode, aside
            self.refresh()

    def left(self, width: int) -> list[tuple[str, Style]]:
        colour = {"bad": states.VERMILION, "good": states.GREEN}.get(self.tone)
        pieces = [(f"{self.mode} ", Style(bold=True))] if self.mode else []
        if self.text:
            mark = {"bad": "✕ ", "good": "✓ "}.get(self.tone, "")
            pieces.append((mark + self.text, Style(color=colour)))
        return pieces

    def right(self, width: int) -> list[tuple[str, Style]]:
        return [(f" {self.aside}", Style(dim=True))] if self.aside and width >= 60 else []


class KeyLine(Bar):
    """The keys that work now; what does not fit is cut from the right, help never."""

    DEFAULT_CSS = "KeyLine { background: $panel; color: $foreground; }"

    def __init__(self) -> None:
        super().__init__()
        self.hints: list[Hint] = []

    def show(self, hints: list[Hint]) -> None:
        """Show these hints from now on."""
        if hints != self.hints:
            self.hints = hints
            self.refresh()

    def shown(self) -> list[Hint]:
        """The hints that fit the present width."""
        return fit(self.hints, self.size.width - 2)

    def left(self, width: int) -> list[tuple[str, Style]]:
        pieces: list[tuple[str, Style]] = []
        for hint in self.shown():
            if pieces:
                pieces.append(("  ", Style()))
            pieces += [(key_name(hint.key), Style(bold=True, color=states.SKY)), (f" {hint.label}", Style())]
        return pieces
