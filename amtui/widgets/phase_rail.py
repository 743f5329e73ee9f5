"""The phases of a bootstrap: what is done, what runs, what failed and why, and how far it is."""

from __future__ import annotations

from typing import Final

from rich.style import Style

from amtui.model import Phase, PhaseStatus
from amtui.widgets import states
from amtui.widgets.columns import cell
from amtui.widgets.panes import Lines, Piece

_MARKS: Final = {
    PhaseStatus.PENDING: (" ", " ", None),
    PhaseStatus.RUNNING: ("▸", ">", states.YELLOW),
    PhaseStatus.DONE: ("✓", "+", states.GREEN),
    PhaseStatus.FAILED: ("✕", "x", states.VERMILION),
    PhaseStatus.SKIPPED: ("✓", "+", None),
}
_BAR: Final = 30


class PhaseRail(Lines):
    """Phases, one a line, and a bar under them."""

    DEFAULT_CSS = """
    PhaseRail { height: auto; max-height: 60%; border: round $border-blurred; border-title-color: $foreground;
                padding: 0 1; }
    """

    def __init__(self, *, ascii_only: bool = False) -> None:
        super().__init__()
        self._ascii = ascii_only

    def tell(self, phases: tuple[Phase, ...], share: float | None, now: float) -> None:
        """Show these phases; `share` is 0 to 1, `now` Unix time in seconds."""
        lines = [self._line(phase, now) for phase in phases] or [[("getting ready…", Style(dim=True))]]
        if phases or share is not None:
            ended = sum(p.status in (PhaseStatus.DONE, PhaseStatus.SKIPPED) for p in phases)
            part = share if share is not None else ended / max(1, len(phases))
            filled = round(max(0.0, min(1.0, part)) * _BAR)
            full, hollow = ("#", ".") if self._ascii else ("█", "░")
            lines += [[], [(full * filled, Style(color=states.SKY)), (hollow * (_BAR - filled), Style(dim=True)),
                           (f" {part:.0%}", Style())]]  # fmt: skip
        self.styles.height = len(lines) + 2
        self.put(lines)

    def _line(self, phase: Phase, now: float) -> list[Piece]:
        glyph, plain, colour = _MARKS[phase.status]
        style = Style(color=colour, bold=phase.status is PhaseStatus.RUNNING)
        took = ""
        if phase.status is PhaseStatus.SKIPPED:
            took = "already there"
        elif phase.started_at is not None:
            until = phase.ended_at if phase.ended_at is not None else now
            took = (
                f"{until - phase.started_at:.1f} s"
                if phase.ended_at is not None
                else f"{until - phase.started_at:.0f} s…"
            )
        title = phase.title + ("" if phase.core else " (optional)")
        pieces: list[Piece] = [(f"{plain if self._ascii else glyph} ", style), (cell(title, 34), style)]
        pieces.append((f" {took:>10}", Style(dim=True)))
        if phase.cause:
            pieces.append((f"  {phase.cause}", Style(color=states.VERMILION)))
        return pieces
