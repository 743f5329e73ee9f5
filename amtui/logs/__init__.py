"""What a worker wrote down: logs of its bootstrap phases and of its agent, read by offset, followed, searched."""

from __future__ import annotations

from amtui.logs.lines import Level, LogLine, Splitter, find, level_of
from amtui.logs.sources import Kind, Piece, Source, follow, read, sources, tail

__all__ = [
    "Kind",
    "Level",
    "LogLine",
    "Piece",
    "Source",
    "Splitter",
    "find",
    "follow",
    "level_of",
    "read",
    "sources",
    "tail",
]
