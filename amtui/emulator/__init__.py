"""A terminal screen that equals tmux: pyte's classes and API, tmux's semantics. Knows no Textual."""

from __future__ import annotations

from amtui.emulator.cells import DEFAULT, Attr, Colour, Row
from amtui.emulator.history import History
from amtui.emulator.modes import Modes
from amtui.emulator.screen import Screen
from amtui.emulator.snapshot import SNAPSHOT_FIELDS, SNAPSHOT_FORMAT, SnapshotState, load_snapshot
from amtui.emulator.stream import Stream

__all__ = [
    "DEFAULT",
    "SNAPSHOT_FIELDS",
    "SNAPSHOT_FORMAT",
    "Attr",
    "Colour",
    "History",
    "Modes",
    "Row",
    "Screen",
    "SnapshotState",
    "Stream",
    "load_snapshot",
]
