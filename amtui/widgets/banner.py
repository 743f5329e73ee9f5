"""What a console's border and banner say of the link to it."""

from __future__ import annotations

from typing import Final

from amtui.model import Untrusted
from amtui.widgets.seams import Status
from amtui.widgets.states import ago

FRESH: Final = ("live", "polled", "duplex", "streaming")
"""Links under which the picture is the present one."""
_SAYS: Final = {
    "connecting": "connecting",
    "stale": "link lost",
    "reconnecting": "link lost, retrying",
    "lost": "link lost, retrying",
    "unreachable": "host unreachable",
    "dead": "the program has exited · R restarts it",
    "ended": "the console has ended · R restarts the agent",
    "closed": "the console is closed",
    "failed": "the link failed",
    "asleep": "the worker sleeps · s wakes it",
}


def is_old(status: Status) -> bool:
    """True when the last frame is not known to be the present one."""
    return str(status.link) not in FRESH


def text(status: Status, now: float) -> str:
    """The banner over a console; empty while the link is live. `now` is Unix time in seconds."""
    link = str(status.link)
    refused = refusal(status)
    if link in FRESH:
        return refused
    said = _SAYS.get(link, link)
    parts = [said]
    if status.since and link != "connecting":
        parts[0] += f" {ago(now - status.since)} ago" if link not in ("dead", "ended") else ""
    if status.detail:
        parts.append(Untrusted(str(status.detail), "link").for_line(160))
    if refused:
        parts.append(refused)
    return " · ".join(parts)


def refusal(status: Status) -> str:
    """Keys that were refused, shown as text so that nobody has to guess what was lost."""
    refused = status.refused
    if not refused:
        return ""
    return "not typed: " + Untrusted(
        refused if isinstance(refused, (bytes, str)) else str(refused), "input"
    ).for_line(60)


def transport(status: Status) -> str:
    """Level and round trip for the border: `L3 34 ms`."""
    level = str(status.level or "")
    if level.isdigit():
        level = f"L{level}"
    parts = [level] if level else []
    if status.rtt is not None:
        parts.append(f"{status.rtt * 1000:.0f} ms")
    if status.unacked:
        parts.append(f"{status.unacked} unsent")
    return " ".join(parts)
