"""The console of a worker as the bootstrap sees it: start it, is it alive, does it stand at a dialog."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Session:
    """Three questions to the tmux session that holds the agent."""

    alive: Callable[[], Awaitable[bool]]
    """The session is there and its program lives."""
    start: Callable[[Callable[[str], None]], Awaitable[None]]
    """Make it; takes the log's `say`."""
    trouble: Callable[[float], Awaitable[str]]
    """What is wrong with the pane, or "": dead, empty after this many seconds, or standing at a dialog."""
