"""Output that was merged and waits for the emulator."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from amtui.console.protocol import SnapshotFrame

SLICE: Final = 8 << 10
"""Bytes fed to the emulator before anybody else gets a turn."""
BACKLOG: Final = 128 << 10
"""Unfed bytes at which the rest is dropped for a snapshot: nobody reads what scrolls by that fast."""
CHUNK_WAIT: Final = 64 << 10
"""Unfed bytes at which the reader stops reading."""


@dataclass(slots=True)
class Feed:
    """A queue of output and pictures, oldest first."""

    items: deque[bytes | SnapshotFrame] = field(default_factory=deque)
    size: int = 0
    """Bytes of output in it."""
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    room: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, item: bytes | SnapshotFrame) -> None:
        self.items.append(item)
        self.size += len(item) if isinstance(item, bytes) else 0
        self.ready.set()

    def take(self) -> bytes | SnapshotFrame:
        """The next picture, or the next slice of output."""
        item = self.items.popleft()
        if isinstance(item, SnapshotFrame):
            return item
        if len(item) > SLICE:
            self.items.appendleft(item[SLICE:])
        self.size -= min(SLICE, len(item))
        return item[:SLICE]

    @property
    def pictured(self) -> bool:
        """Whether a picture waits in it; there is one at most, and first."""
        return bool(self.items) and isinstance(self.items[0], SnapshotFrame)

    def clear(self) -> None:
        self.items.clear()
        self.size = 0
        self.room.set()

    async def drained(self) -> None:
        """Wait until there is room enough to read on."""
        while self.size >= CHUNK_WAIT:
            self.room.clear()
            await self.room.wait()
