"""Agent programs: how each is installed, configured, launched and resumed."""

from __future__ import annotations

from amtui.runtimes.autonomy import AUTONOMY, Grant, grant
from amtui.runtimes.base import FileEdit, Launch, Runtime, Setup, Step
from amtui.runtimes.registry import RUNTIMES, get

__all__ = [
    "AUTONOMY",
    "RUNTIMES",
    "FileEdit",
    "Grant",
    "Launch",
    "Runtime",
    "Setup",
    "Step",
    "get",
    "grant",
]
