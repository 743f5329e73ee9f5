"""What a console's border and banner say of the link to it."""

from __future__ import annotations

from typing import Final

from amtui.model import Untrusted
from amtui.widgets.seams import Status
from amtui.widgets.states import ago

LIVE: Final = "live"
_SAYS: Final = {
    "connecting": "connecting",
    "reconnecting": "link lost, retrying",
    "stale": "no answer, still trying · this picture is old",
    "dead": "the program has exited · R restarts it",
    "ended": "the console has ended · R restarts the agent",
}
_AGED: Final = ("reconnecting", "stale", "dead", "ended")


def is_old(status: Status) -> bool:
    """True when the last frame is not known to be the present one."""
    return str(status.link) != LIVE


def text(status: Status, now: float) -> str:
    """The banner over a console; empty while the link is live. `now` is in seconds of the status's clock."""
    link = str(status.link)
    refused = refusal(status)
    if link == LIVE:
        return refused
    said = _SAYS.get(link, link)
    if link in _AGED and status.since:
        said += f" · {ago(now - status.since)} ago"
    parts = [said]
    if status.detail and link != "dead":
        parts.append(Untrusted(str(status.detail), "link").for_line(160))
    if link == "dead" and status.exit_status:
        parts.append(f"exit {Untrusted(str(status.exit_status), 'link').for_line(20)}")
    if refused:
        parts.append(refused)
    return " · ".join(parts)


def refusal(status: Status) -> str:
    """Keys that no program got, or may not have read, shown so that nobody has to guess what was lost."""
    parts = []
    if status.refused:
        why = f" ({Untrusted(status.refusal, 'link').for_line(30)})" if status.refusal else ""
        parts.append(f"not typed{why}: {_keys(status.refused)}")
    if status.unread:
        parts.append(f"typed just before it ended, perhaps unread: {_keys(status.unread)}")
    return " · ".join(parts)


def _keys(data: bytes) -> str:
    return Untrusted(data, "input").for_line(60) or f"{len(data)} keys"


def transport(status: Status) -> str:
    """Level and round trip for the border: `L3 34 ms`."""
    level = str(status.level)
    parts = [f"{level} polling" if level == "L0" else level] if level else []
    if status.rtt is not None:
        parts.append(f"{status.rtt * 1000:.0f} ms")
    if status.unacked:
        parts.append(f"{status.unacked} bytes under way")
    return " ".join(parts)


def sized_by(status: Status) -> str:
    """Who sized the console, where that was somebody else: the part of their name that tells a person."""
    owner = str(status.size_owner)
    if owner in ("", "me"):
        return ""
    return f"sized by {Untrusted(owner.rpartition('.')[0] or 'another client', 'link').for_line(32)}"
