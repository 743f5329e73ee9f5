"""The console of a worker as the bootstrap sees it: start it, is it alive, does it stand at a dialog."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Session:
    """Three things to do with the tmux session that holds the agent. The caller brings them: it knows the console."""

    alive: Callable[[], Awaitable[bool]]
    """The session is there and its program lives."""
    start: Callable[[Callable[[str], None]], Awaitable[None]]
    """Make it, or start its dead program again; takes the log's `say`."""
    trouble: Callable[[float], Awaitable[str]]
    """What is wrong with the pane, or "": waits so many seconds for a program that is still coming up."""
