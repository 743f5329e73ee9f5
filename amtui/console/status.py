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
    """`L3` duplex, `L2` streaming output, `L1` exec only, `L0` polling without the helper."""
    lowered: str = ""
    """Why it is not the best level that the substrate can carry, safe for a terminal; empty when it is."""
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
    unread: bytes = b""
    """Keys that a program's terminal got just before the program ended: perhaps read, perhaps not."""
    refusal: str = ""
    """Why either: dead, restarted, new-server."""
    exit_status: str = ""
    """Of a dead program, as tmux gives it."""
    title: str = ""
    """The terminal's title, as told while no view showed the console. Written by the worker."""
    rang: float = 0.0
    """Unix time of the last bell or notice that was told while no view showed the console."""


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
    reading: float = 2.0
    """How long a program must be known to have lived on for a key to count as read by it."""
    told: float = 10.0
    """How long keys that no program got, or may not have read, are shown at least to one who types on."""
    heal: float = 0.3
    amid: float = 10.0
    """Output that comes so soon after a picture which was news may be in a colour that was set before it."""
    brought: float = 1.0
    """How long a picture that was asked for may take longer by the usual way than by the asker's."""
    again: float = 30.0
    """Until a level that failed is tried again; longer each time."""
    watch: int = 50
    """How long one request may rest on the host that tells what consoles do which nobody looks at."""
    nap: int = 4
    """Between two looks of that request at the worker's tmux."""
    calm: float = 5.0
    """Between two such requests while things change."""
