"""What the command line answers when another front end has to take over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple


class Launch(NamedTuple):
    """A wish to start another front end. Only `amtui.__main__` acts on it; front ends do not know each other."""

    front: Literal["tui", "mcp", "serve"]
    env: Mapping[str, str]
    """The environment under which to open the estate: it carries `--config-dir` and `--state-dir`."""
    read_only: bool = False
    focus: str = ""
    """Worker whose console to show first."""
    console: str = ""
    """Which of its consoles; empty is the agent's."""
    bare: bool = False
    """Nothing but that console, for use inside one's own tmux."""
