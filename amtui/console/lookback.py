"""Looking back: what a view may scroll to, brought from the worker when somebody scrolls there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from amtui.console.continuity import Before
from amtui.console.protocol import Position
from amtui.console.scrollback import Fetched, join_by_content, join_numbered, settle, trimmed
from amtui.emulator import Row, Screen, SnapshotState, Stream
from amtui.emulator.snapshot import load_snapshot

_VERIFY: Final = 20
"""Rows of ours that are fetched again to see whether numbers still agree."""
_TRIES: Final = 3
"""Attempts to join history while output goes on."""
_EVERYTHING: Final = 1 << 30


class Lookback:
    """The history of one screen. `fetch` asks the worker for rows, `where` tells how far output was read."""

    def __init__(
        self,
        screen: Screen,
        fetch: Callable[[int, int], Awaitable[Fetched]],
        where: Callable[[], Position | None],
    ) -> None:
        self.limit = 0
        """tmux's history limit; 0 until it was told."""
        self.continued = False
        """The last picture showed what stood there before it: what tmux does not tell with it was kept."""
        self._screen = screen
        self._fetch = fetch
        self._where = where
        self._held: list[Row] = []
        """Rows seen before a snapshot that skipped output at the limit."""
        self._joined: Position | None = None
        """Where we stood when everything tmux holds was joined: until output comes there is nothing older."""
        self._lock = asyncio.Lock()

    def load(self, stream: Stream, snapshot: bytes) -> SnapshotState:
        """Show a snapshot; rows that tmux may no longer number as we do are held for joining by content.

        Raises `BadSnapshot`.
        """
        screen, history = self._screen, self._screen.history
        columns = screen.columns
        before = [] if self._held else list(history)
        sure = not trimmed(history.next - history.base, self.limit)  # at the limit equal sizes prove nothing
        then = Before(screen)
        state = load_snapshot(screen, stream, snapshot, keep_history=sure)
        self.continued = then.carry_on(screen)
        if columns != screen.columns:  # tmux wrapped every row anew
            self._held = []
            history.restart(state.history_size)
        elif before and not len(history) and trimmed(state.history_size, self.limit):
            self._held = before
        return state

    async def reach(self, first: int) -> int:
        """Bring rows from number `first` on, as far as there are any; returns the oldest number there is now."""
        async with self._lock:
            screen, history = self._screen, self._screen.history
            wanted = max(history.base, first)
            nothing = not self._held and (wanted >= history.first or self._joined == self._where())
            if screen.alternate or nothing:
                return history.first
            dropped = trimmed(history.next - history.base, self.limit)
            if self._held or dropped or not await self._page(wanted - history.base):
                await self._everything()
            return history.first

    async def _page(self, first: int) -> bool:
        history = self._screen.history
        fetched = await self._fetch(first, history.first - history.base - first + _VERIFY)
        return join_numbered(self._screen, fetched)

    async def _everything(self) -> None:
        for _ in range(_TRIES):
            self._joined = self._where()
            fetched = await self._fetch(0, _EVERYTHING)
            if join_by_content(self._screen, fetched, self._held):
                break
        else:
            settle(self._screen, fetched, self._held)
        self._held = []
