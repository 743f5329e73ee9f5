"""What a view shows beside the screen, and the periods a console lives by."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Link(StrEnum):
    """How far what is shown can be trusted."""

    CONNECTING = "connecting"
    LIVE = "live"
    RECONNECTING = "reconnecting"
    STALE = "stale"
    """No answer for a while; the picture is old, still trying."""
    DEAD = "dead"
    """The program has exited; its last screen stands."""
    ENDED = "ended"
    """There is no such console any more."""


@dataclass(frozen=True, slots=True)
class ConsoleStatus:
    """What a view shows beside the screen. Times are seconds of the hub's clock."""

    link: Link = Link.CONNECTING
    detail: str = ""
    """Why the link is as it is, safe for a terminal."""
    level: str = ""
    """`L3` duplex or `L1` exec only."""
    rtt: float | None = None
    since: float = 0.0
    """When `link` became what it is."""
    columns: int = 80
    rows: int = 24
    size_owner: str = ""
    """Who sized the console: empty, `me`, or another client's name."""
    unacked: int = 0
    """Bytes typed and not yet known to be accepted."""
    generation: int = 0
    refused: bytes = b""
    """Keys that no program got, to be shown, never typed again."""
    refusal: str = ""
    """Why: dead, restarted, new-server."""
    exit_status: str = ""
    """Of a dead program, as tmux gives it."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Periods in seconds; tests shorten them."""

    poll: int = 50
    beat: int = 15
    deadline: float = 15.0
    """For a request that should answer at once."""
    backoff: tuple[float, ...] = (0.1, 0.3, 1.0, 2.0, 4.0, 8.0)
    stale: float = 20.0
    gone: float = 5.0
    """Between two looks whether a console that ended is back."""
    brisk: float = 1.0
    """Between two looks where no request may rest on the host."""
    echo: float = 0.04
    """How long an exec that carries keys waits for their echo (L1)."""
    owner: int = 60
    """How long the last typist keeps the right to size the console."""
    heal: float = 0.3
