"""What of consoles a user may configure."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from amtui.config import register

HISTORY_LIMIT: Final = 50_000
"""Rows of history tmux keeps for a console unless told otherwise."""


class ConsoleConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section `[console]`."""

    history: Annotated[int, Meta(ge=100, le=1_000_000)] = HISTORY_LIMIT
    """Rows that tmux and a view keep of each console; a console started before the change keeps its own."""
    predict: Literal["auto", "on", "off"] = "auto"
    """Show what keys will do before the host has answered: over slow links, always, or never."""


register("console", ConsoleConfig)
