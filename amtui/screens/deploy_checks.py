"""What is wrong with a wish for a new worker, field by field, before anything is asked of the world.

The gate of the operation has the last word; this only spares the person a round trip to it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from amtui.model import NAME_RULE
from amtui.screens.offers import Offers


def problems(values: Mapping[str, str], offers: Offers, taken: Collection[str]) -> dict[str, str]:
    """Field name → what is wrong with it; empty when nothing is."""
    found = {
        "name": _name(values.get("name", ""), taken),
        "on": _substrate(values.get("on", "")),
        "upstream": _upstream(values, offers),
        "workdir": "not with a repo" if values.get("workdir") and values.get("repo") else "",
    }
    return {field: text for field, text in found.items() if text}


def _name(name: str, taken: Collection[str]) -> str:
    if not name:
        return "give it a name"
    if name in taken:
        return "taken"
    if not NAME_RULE.match(name):
        return "a-z 0-9 and -, at most 40"
    return ""


def _substrate(on: str) -> str:
    if on == "ssh:":
        return "name the host: ssh:HOST"
    kind, colon, host = on.partition(":")
    if kind == "ssh" and not (colon and host):
        return "name the host: ssh:HOST"
    return ""


def _upstream(values: Mapping[str, str], offers: Offers) -> str:
    agent, chosen = values.get("agent", "") or "shell", values.get("upstream", "")
    if agent == "shell":
        return ""
    if values.get("login") == "later":
        return "not with login later" if chosen else ""
    if not chosen:
        return "choose one, or login later"
    known = offers.upstream(chosen)
    if known is None:
        return ""
    if agent not in known.runtimes:
        return f"does not speak {agent}'s wire"
    return "" if known.key else f"{known.key_env} is not set"


def advice(values: Mapping[str, str], offers: Offers) -> list[str]:
    """Lines that are no problem but good to know before pressing deploy."""
    lines = []
    on = values.get("on") or "local"
    if on == "local":
        lines.append("local: runs as you; confined only where bwrap works")
        if values.get("autonomy") == "full" and values.get("agent", "shell") != "shell":
            lines.append("full: may do anything without asking; unconfined needs typed consent")
    chosen = offers.upstream(values.get("upstream", ""))
    if chosen is not None and not chosen.key:
        lines.append(f"set the key: amtui secret set {chosen.key_env}")
    if values.get("login") == "later":
        lines.append("starts at the agent's own login screen and waits for you")
    if values.get("workdir"):
        lines.append("workdir: the agent works in it; amtui never deletes it")
    if values.get("repo"):
        lines.append("repo: cloned with your git here, sent as a bundle")
    return lines
