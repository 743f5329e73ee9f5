"""Small panes: facts of a worker, why it is in its state, the empty fleet, and the card for tiny terminals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from amtui.model import WorkerRow, plain
from amtui.widgets import states
from amtui.widgets.columns import cell, folded

if TYPE_CHECKING:
    from amtui.ops.consoles import Tab

Piece = tuple[str, Style]


class Lines(Widget):
    """Lines of styled text, one Strip each; what does not fit is cut, never wrapped into a mess."""

    DEFAULT_CSS = "Lines { height: 1fr; width: 1fr; }"
    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._content: Sequence[Sequence[Piece]] = ()

    def put(self, lines: Sequence[Sequence[Piece]]) -> None:
        """Show these lines from now on."""
        if lines != self._content:
            self._content = lines
            self.refresh()

    def render_line(self, y: int) -> Strip:
        width, base = self.size.width, self.rich_style
        if y >= len(self._content):
            return Strip([Segment(" " * width, base)], width)
        dark = self.app.current_theme.dark
        pieces = [Segment(plain(t), base + states.themed(s, dark)) for t, s in self._content[y]]
        return Strip(pieces).adjust_cell_length(width, base)


_DIM = Style(dim=True)
_BOLD = Style(bold=True)
_PLAIN = Style()


def fact_lines(facts: Mapping[str, str], width: int) -> list[list[Piece]]:
    """`name  value` lines; a value that is too long goes on in the next line."""
    lines: list[list[Piece]] = []
    names = max((cell_len(k) for k in facts), default=0)
    names = min(names, 9)
    room = max(8, width - names - 2)
    for name, value in facts.items():
        head = cell(name, names) + "  "
        for piece in folded(" ".join(plain(str(value)).split()), room):
            lines.append([(head, _DIM), (piece, _PLAIN)])
            head = " " * (names + 2)
    return lines


def known(row: WorkerRow, now: float) -> dict[str, str]:
    """Facts that every row carries, in the order a person asks for them. `now` is Unix time in seconds."""
    worker, agent = row.worker, row.agent
    shown = states.look(row)
    begun = states.since(row)
    facts = {"state": f"{shown.word}{' for ' + states.ago(now - begun) if begun else ''}"}
    if agent.rule:
        facts["rule"] = agent.rule
    if agent.source and agent.source != "none":
        facts["from"] = agent.source + (f", {agent.confidence}" if agent.confidence else "")
    if agent.seen_at:
        facts["seen"] = f"{states.ago(now - agent.seen_at)} ago"
    facts["host"] = f"{row.host.state.value} · {worker.substrate}"
    if row.host.detail:
        facts["detail"] = row.host.detail
    facts["agent"] = worker.runtime + (f" · {worker.model}" if worker.model else "")
    source = worker.upstream or worker.account or ("login later" if worker.login_later else "")
    if source:
        facts["upstream"] = source
    facts["may"] = worker.autonomy.value + (" · confined" if worker.confined else "")
    if worker.repo or worker.workdir:
        facts["repo" if worker.repo else "workdir"] = worker.repo or worker.workdir or ""
    if row.rtt is not None:
        facts["rtt"] = f"{row.rtt * 1000:.0f} ms"
    if worker.tags:
        facts["tags"] = ", ".join(worker.tags)
    return facts


class FactsPane(Lines):
    """What is known of a worker."""

    DEFAULT_CSS = """
    FactsPane { border: round $border-blurred; border-title-color: $foreground; padding: 0 1;
                border-subtitle-color: $text-muted; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._facts: dict[str, str] = {}

    def tell(self, row: WorkerRow | None, now: float, extra: Mapping[str, str] | None = None) -> None:
        """Show a worker's facts; `extra`, where the fleet gave some, stands for all but the row's state."""
        facts = {} if row is None else known(row, now)
        if extra and facts:
            facts = {"state": facts["state"], **extra}
        self._facts = facts
        self.on_resize()

    def on_resize(self) -> None:
        self.put(fact_lines(self._facts, self.size.width))


class FactsLine(Lines):
    """The same in one line, where there is no room for a pane."""

    DEFAULT_CSS = "FactsLine { height: 1; padding: 0 1; background: $surface; }"

    def tell(self, row: WorkerRow | None, now: float, ascii_only: bool = False) -> None:
        """Show the most wanted facts of a worker."""
        if row is None:
            self.put([])
            return
        shown = states.look(row)
        rest = known(row, now)
        parts = [rest[key] for key in ("host", "agent", "upstream", "may", "repo", "workdir") if key in rest]
        self.put([[(f"{shown.mark(ascii_only)} {shown.word}", Style(color=shown.colour, bold=True)),
                   (" · " + " · ".join(parts), _PLAIN)]])  # fmt: skip


class ConsoleStrip(Lines):
    """The consoles of a worker in one line, the one on show marked; only where there are several."""

    DEFAULT_CSS = """
    ConsoleStrip { height: 1; padding: 0 1; background: $surface; display: none; }
    ConsoleStrip.several { display: block; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.tabs: tuple[Tab, ...] = ()
        self._shown = ""
        self._heard: Mapping[str, float] = {}
        self._ascii = False
        self._spans: list[tuple[int, int, str]] = []

    @dataclass
    class Chosen(Message):
        """A console was clicked."""

        console: str

    def tell(
        self, tabs: Sequence[Tab], shown: str, heard: Mapping[str, float], ascii_only: bool = False
    ) -> None:
        """Show these consoles, `shown` being the one on show; `heard` is up to when its bells were noticed."""
        self.tabs, self._shown, self._heard, self._ascii = tuple(tabs), shown, heard, ascii_only
        self.set_class(len(tabs) > 1, "several")
        self._lay()

    def on_resize(self) -> None:
        self._lay()

    def _lay(self) -> None:
        """As much of each as fits: first what the others do goes, then their titles."""
        for short in (False, True):
            pieces = [self._piece(tab, short=short) for tab in self.tabs]
            if sum(cell_len(text) for text, _ in pieces) + 2 * len(pieces) <= self.size.width:
                break
        at = 0
        line: list[Piece] = []
        self._spans = []
        width = self.size.width
        first = next((i for i, tab in enumerate(self.tabs) if tab.console == self._shown), 0)
        while first > 0 and sum(cell_len(t) + 2 for t, _ in pieces[: first + 1]) > width:
            pieces, first = pieces[1:], first - 1
        for tab, (text, style) in zip(self.tabs[len(self.tabs) - len(pieces) :], pieces, strict=True):
            line += [(text, style), ("  ", _PLAIN)]
            self._spans.append((at, at + cell_len(text), tab.console))
            at += cell_len(text) + 2
        self.put([line])

    def _piece(self, tab: Tab, *, short: bool) -> Piece:
        mine = tab.console == self._shown
        if tab.dead:
            mark, colour, word = ("x" if self._ascii else "✕"), states.VERMILION, tab.does
        elif tab.rang > self._heard.get(tab.console, 0.0) and not mine:
            mark, colour, word = ("!" if self._ascii else "▲"), states.ORANGE, "rang"
        elif tab.busy:
            mark, colour, word = ("*" if self._ascii else "●"), states.SKY, tab.does
        else:
            mark, colour, word = "", None, tab.does
        name = f"{tab.number} {tab.title}".rstrip()
        # A glyph never stands alone; without room only the others lose their words.
        words = [name, f"{mark} {word}".strip() if mine or not short or mark else ""]
        text = f" {' '.join(filter(None, words))} "
        return text, Style(color=colour, bold=mine, reverse=mine)

    def on_click(self, event: events.Click) -> None:
        x = event.x - self.styles.padding.left
        for begin, end, console in self._spans:
            if begin <= x < end:
                self.post_message(self.Chosen(console))


class EmptyFleet(Lines):
    """What to do when there is no worker yet: three verbs and one key that needs no account."""

    DEFAULT_CSS = """
    EmptyFleet { border: round $border-blurred; border-title-color: $foreground; }
    """
    can_focus = True

    def on_mount(self) -> None:
        self.border_title = "Fleet"

    def tell(self, hosts: int, notes: Sequence[str]) -> None:
        """`hosts` is how many ssh hosts the configuration names; `notes` are lines about keys that were found."""
        key = Style(bold=True, color=states.SKY)
        found = f" (found {hosts})" if hosts else ""
        lines: list[list[Piece]] = [
            [],
            [("   No workers yet. A worker is an agent CLI that keeps running without you.", _BOLD)],
            [],
            [("   t", key), ("   Try it now             a local shell worker; no account, no key", _PLAIN)],
            [],
            [("   n", key), ("   New worker             an agent, here or elsewhere, with a model", _PLAIN)],
            [("   h", key), (f"   Use a host             any ssh host of ~/.ssh/config{found}", _PLAIN)],
            [],
            *([(f"   {note}", _DIM)] for note in notes),
            [],
            [("   A local worker runs as you. With bwrap it sees its home and directory only;", _DIM)],
            [("   without, local is convenience, not isolation.", _DIM)],
            [("   Quitting amtui never stops an agent.", _DIM)],
        ]
        self.put(lines)


class TooSmall(Lines):
    """The card that stands instead of everything when the terminal is too small."""

    DEFAULT_CSS = """
    TooSmall { display: none; layer: above; width: 100%; height: 100%; background: $background; }
    .-tiny TooSmall, .-low TooSmall { display: block; }
    """

    def tell(self, rows: Sequence[WorkerRow], ascii_only: bool = False) -> None:
        """The counts stay visible even here."""
        tally = (
            "  ".join(f"{look.mark(ascii_only)}{n}" for look, n in states.counts(tuple(rows))) or "no workers"
        )
        self.put([
            [(" amtui", _BOLD)],
            [],
            [(" Make me bigger: 60×16 or more.", _PLAIN)],
            [(f" This is {self.app.size.width}×{self.app.size.height}.", _DIM)],
            [],
            [(f" {tally}", _PLAIN)],
            [(" Agents keep running. q quits.", _DIM)],
        ])  # fmt: skip
