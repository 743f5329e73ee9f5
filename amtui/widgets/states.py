"""How a worker's state is shown: glyph and word, colour, and the group it is sorted into.

Glyph and word always come together, so a state reads in monochrome, in ASCII and to the colour-blind.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from rich.style import Style

from amtui.model import AgentStatus, HostState, PhaseStatus, WorkerRow

# Okabe–Ito, chosen to differ in lightness as well as hue.
ORANGE: Final = "#E69F00"
VERMILION: Final = "#D55E00"
GREEN: Final = "#009E73"
SKY: Final = "#56B4E9"
YELLOW: Final = "#F0E442"
PURPLE: Final = "#CC79A7"
GREY: Final = "#9a9a9a"


_LIGHT: Final = {
    ORANGE: "#8a5a00",
    VERMILION: "#b03a00",
    GREEN: "#00674a",
    SKY: "#0061a0",
    YELLOW: "#6b6300",
    PURPLE: "#8d3f6c",
    GREY: "#5c5c5c",
}


@lru_cache(maxsize=512)
def themed(style: Style, dark: bool) -> Style:
    """`style` with the darker twins of our colours where the ground is light."""
    if dark or style.color is None or not style.color.name:
        return style
    twin = next(
        (light for colour, light in _LIGHT.items() if colour.lower() == style.color.name.lower()), None
    )
    return style if twin is None else style + Style(color=twin)


class Look(NamedTuple):
    """A state as drawn."""

    glyph: str
    ascii: str
    word: str
    colour: str
    group: str
    dim: bool = False

    def mark(self, plain: bool) -> str:
        """The glyph, or its ASCII twin."""
        return self.ascii if plain else self.glyph


GROUPS: Final = ("needs", "problems", "done", "starting", "working", "quiet")
"""Groups of a fleet, most urgent first."""

GROUP_TITLES: Final = {
    "needs": "needs you",
    "problems": "problems",
    "done": "done, not looked at yet",
    "starting": "starting",
    "working": "working",
    "quiet": "quiet",
}

_AGENT: Final = {
    AgentStatus.NEEDS_YOU: Look("▲", "!", "needs you", ORANGE, "needs"),
    AgentStatus.FAILED: Look("✕", "x", "failed", VERMILION, "problems"),
    AgentStatus.DONE: Look("✓", "+", "done", GREEN, "done"),
    AgentStatus.WORKING: Look("●", "*", "working", SKY, "working"),
    AgentStatus.IDLE: Look("○", "-", "idle", GREY, "quiet"),
    AgentStatus.NONE: Look("·", ".", "no agent", GREY, "quiet", True),
    AgentStatus.UNKNOWN: Look("?", "?", "unknown", GREY, "quiet", True),
}
_HOST: Final = {
    HostState.PROVISIONING: Look("◐", "o", "provisioning", YELLOW, "starting"),
    HostState.WAKING: Look("◐", "o", "waking", YELLOW, "starting"),
    HostState.STOPPING: Look("z", "z", "stopping", GREY, "quiet", True),
    HostState.ASLEEP: Look("z", "z", "asleep", GREY, "quiet", True),
    HostState.UNREACHABLE: Look("⚠", "%", "unreachable", VERMILION, "problems"),
    HostState.FAILED: Look("✕", "x", "host failed", VERMILION, "problems"),
    HostState.DESTROYING: Look("◐", "o", "destroying", GREY, "quiet", True),
    HostState.DESTROYED: Look("✕", "x", "destroyed", GREY, "problems", True),
}


def every() -> list[Look]:
    """The whole vocabulary, for help."""
    return [*_AGENT.values(), *_HOST.values()]


def look(row: WorkerRow) -> Look:
    """The one state to show for a row: its bootstrap first, then its host's trouble, then what the agent does."""
    phases = row.phases
    if phases:
        if any(p.status is PhaseStatus.FAILED and p.core for p in phases):
            return Look("✕", "x", "setup failed", VERMILION, "problems")
        ended = sum(p.status in (PhaseStatus.DONE, PhaseStatus.SKIPPED, PhaseStatus.FAILED) for p in phases)
        if ended < len(phases):
            return Look("◐", "o", f"setup {ended}/{len(phases)}", YELLOW, "starting")
    if row.worker.asleep:
        return _HOST[HostState.ASLEEP]
    if host := _HOST.get(row.host.state):
        return host
    base = _AGENT[row.agent.status]
    if row.agent.reason and row.agent.status in (AgentStatus.NEEDS_YOU, AgentStatus.FAILED):
        return base._replace(word=row.agent.reason)
    if row.agent.status is AgentStatus.NONE and row.worker.runtime == "shell":
        return base._replace(word="shell")
    return base


def since(row: WorkerRow) -> float:
    """Unix time at which the shown state began; 0 when nobody knows."""
    shown = look(row)
    if shown.word.startswith("setup"):
        return next((p.started_at or 0.0 for p in row.phases if p.started_at), 0.0)
    if shown in _HOST.values():
        return row.host.since or 0.0
    return row.agent.since


def task(row: WorkerRow) -> str:
    """The line a person needs of this row: the question, the phase in flight, the cause, the task."""
    failed = next((p for p in row.phases if p.status is PhaseStatus.FAILED and p.core), None)
    if failed is not None:
        return f"{failed.title}: {failed.cause}" if failed.cause else failed.title
    running = next((p for p in row.phases if p.status is PhaseStatus.RUNNING), None)
    if running is not None:
        return running.title
    if row.host.state in (HostState.UNREACHABLE, HostState.FAILED) and row.host.detail:
        return row.host.detail
    return row.agent.text


def ago(seconds: float) -> str:
    """A duration in at most four characters: `6s`, `11m`, `2h`, `14d`."""
    if seconds < 0:
        seconds = 0
    for size, letter in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{letter}"
    return f"{int(seconds)}s"


def order(rows: tuple[WorkerRow, ...]) -> list[WorkerRow]:
    """Rows by attention, then by how long they have waited (longest first), then by name."""

    def key(row: WorkerRow) -> tuple[int, float, str]:
        group = look(row).group
        waited = since(row) if group in ("needs", "problems") else 0.0
        return GROUPS.index(group), waited, row.worker.name

    return sorted(rows, key=key)


def counts(rows: tuple[WorkerRow, ...]) -> list[tuple[Look, int]]:
    """What the header counts: needs you, working, done, idle, asleep, problems; zero counts left out."""
    slots: dict[str, tuple[Look, int]] = {
        "needs": (_AGENT[AgentStatus.NEEDS_YOU]._replace(word="need you"), 0),
        "starting": (_HOST[HostState.PROVISIONING]._replace(word="starting"), 0),
        "working": (_AGENT[AgentStatus.WORKING], 0),
        "done": (_AGENT[AgentStatus.DONE], 0),
        "idle": (_AGENT[AgentStatus.IDLE]._replace(word="quiet"), 0),
        "asleep": (_HOST[HostState.ASLEEP], 0),
        "problems": (_AGENT[AgentStatus.FAILED]._replace(word="problem"), 0),
    }
    for row in rows:
        shown = look(row)
        slot = shown.group
        if slot == "quiet":
            slot = "asleep" if shown.glyph == "z" else "idle"
        head, number = slots[slot]
        slots[slot] = head, number + 1
    return [(head, number) for head, number in slots.values() if number]
