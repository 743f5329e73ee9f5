"""One console followed: one Screen, one task that feeds it, one outbox of keys, however many views there are.

`Session` owns the state and the rules; `amtui.console.tail` moves frames over whatever the substrate offers. A
lost link, a late reply, a restarted program or a removed console changes the status, never the truth on screen.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from amtui.console import helper
from amtui.console.input import Outbox
from amtui.console.lookback import Lookback
from amtui.console.protocol import (
    AckFrame,
    BeatFrame,
    DataFrame,
    Frame,
    HistoryFrame,
    Position,
    SnapshotFrame,
    StateFrame,
    merge,
)
from amtui.console.scrollback import Fetched, read
from amtui.console.status import ConsoleStatus, Link, Timing
from amtui.emulator import Screen, Stream
from amtui.emulator.snapshot import BadSnapshot
from amtui.errors import AmtuiError, NotFound, ProtocolError
from amtui.providers.base import Place

SLICE: Final = 8 << 10
"""Bytes fed to the emulator before anybody else gets a turn."""
BACKLOG: Final = 128 << 10
"""Unfed bytes at which the rest is dropped for a snapshot: nobody reads what scrolls by that fast."""
CHUNK_WAIT: Final = 64 << 10
"""Unfed bytes at which the reader stops reading."""
_AMID: Final = 0.05
"""Output within so many seconds of a snapshot means that it was taken amid output."""


@dataclass(slots=True)
class Feed:
    """Output that was merged and waits for the emulator."""

    items: deque[bytes | SnapshotFrame] = field(default_factory=deque)
    size: int = 0
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    room: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, item: bytes | SnapshotFrame) -> None:
        self.items.append(item)
        self.size += len(item) if isinstance(item, bytes) else 0
        self.ready.set()

    def clear(self) -> None:
        self.items.clear()
        self.size = 0
        self.room.set()


class Session:
    """State of one followed console. All methods run on the hub's loop."""

    def __init__(
        self,
        place: Place,
        console: str,
        *,
        clock: Callable[[], float],
        timing: Timing,
        history: int,
        owner: str,
    ) -> None:
        self.place = place
        self.console = console
        self.clock = clock
        self.timing = timing
        self.screen = Screen(columns=80, lines=24, history=history)
        self.stream = Stream(self.screen)
        self.lookback = Lookback(self.screen, self._fetch, lambda: self.position)
        self.outbox = Outbox()
        self.owner = owner
        """Name under which this process sizes consoles."""
        self.registered = ""
        """The client id the worker's tmux knows us by."""
        self.position: Position | None = None
        self.program: tuple[str, int, int] | None = None
        self.state: StateFrame | None = None
        self.status = ConsoleStatus(since=clock())
        self.heard = clock()
        self.skipping = False
        """Frames of the present generation are dropped until a newer snapshot comes."""
        self.feed = Feed()
        self.typed = asyncio.Event()
        """Set when the outbox has something that is due or will be."""
        self.changed = asyncio.Event()
        self._listeners: dict[object, Callable[[], None]] = {}
        """By subscription, not by callable: two handles of one view subscribe the same method, and one may go."""
        self.wanted: tuple[int, int] | None = None
        """Size the typing view last asked for."""
        self.claim = asyncio.Event()
        """Set by typing: the last typist sizes the console."""
        self.claimed = float("-inf")
        self.unsure = asyncio.Event()
        """Set when the picture was taken amid output: tmux does not tell the pen, so a colour may be wrong."""
        self.fed = clock()
        self._loaded = float("-inf")
        self._healing = False
        self._poison: AmtuiError | None = None
        self._fresh = asyncio.Event()
        """Set once a snapshot was loaded."""

    # ---- listeners and status

    def listen(self, call: Callable[[], None]) -> Callable[[], None]:
        """Call `call` on the loop whenever screen or status changed; returns what ends that."""
        subscription = object()
        self._listeners[subscription] = call
        return lambda: self._listeners.pop(subscription, None) and None

    def tell(self) -> None:
        """Screen or status changed."""
        self.changed.set()
        for call in tuple(self._listeners.values()):
            call()

    def set_link(self, link: Link, detail: str = "") -> None:
        """Change the link state; `since` moves only when the state does."""
        if (link, detail) == (self.status.link, self.status.detail):
            return
        since = self.status.since if link is self.status.link else self.clock()
        self.status = replace(self.status, link=link, detail=detail, since=since)
        self.tell()

    def note(self, **changes: object) -> None:
        """Change other fields of the status."""
        new = replace(self.status, **changes)  # type: ignore[arg-type]
        if new != self.status:
            self.status = new
            self.tell()

    def _count_unacked(self) -> None:
        """Keep the number that views show beside the screen. No view is woken for it: their frame is the echo's."""
        self.status = replace(self.status, unacked=self.outbox.waiting)
        self.changed.set()

    async def ready(self, timeout: float) -> None:
        """Wait for the first picture. Raises TimeoutError, or `NotFound` when there is no such console."""
        async with asyncio.timeout(timeout):
            while not self._fresh.is_set():
                if self.status.link is Link.ENDED:
                    raise NotFound(f"no console {self.console}", self.status.detail, op="console")
                self.changed.clear()
                await self.changed.wait()

    # ---- frames in

    def apply(self, frame: Frame) -> bool:
        """Take one frame, from wherever it came. True when something must be asked for again.

        Raises `ProtocolError` for what the protocol does not allow.
        """
        self.heard = self.clock()
        if self._poison is not None:
            poison, self._poison = self._poison, None
            raise poison
        if isinstance(frame, SnapshotFrame | DataFrame):
            self.acknowledge(frame.ack)
            return self._merge(frame)
        if isinstance(frame, StateFrame):
            self._state(frame)
        elif isinstance(frame, AckFrame):
            self.acknowledge(frame.ack)
            if frame.reason != "-":
                self.refuse(frame.reason)
        else:
            assert isinstance(frame, BeatFrame) or frame
        return False

    def _merge(self, frame: SnapshotFrame | DataFrame) -> bool:
        merged = merge(self.position, frame)
        if merged.gap:
            return True
        # a cut through a character: the snapshot has its first bytes nowhere, so take another one
        first = merged.data[:1]
        split = bool(first) and 0x80 <= first[0] <= 0xBF and merged.position.offset == len(merged.data)
        self.position = merged.position
        if merged.snapshot is not None:
            self.skipping = False
            self.feed.clear()
            assert isinstance(frame, SnapshotFrame)
            self.feed.put(SnapshotFrame(frame.generation, merged.snapshot, b"", None))
        if merged.data and not self.skipping:
            self.feed.put(merged.data)
            if self.feed.size > BACKLOG:
                self.feed.clear()
                self.skipping = True
        return split or self.skipping

    def _state(self, state: StateFrame) -> None:
        self.state = state
        self.lookback.limit = state.history_limit
        if state.program != self.program:
            old, self.program = self.program, state.program
            if old is not None and not self.outbox.idle:
                self.refuse("new-server" if old[0] != state.server else "restarted")
            elif old is not None:
                self.outbox.refuse()
        mine = state.owner == self.owner
        self.note(
            size_owner="me" if mine and state.owner else state.owner,
            exit_status=state.status if state.dead else "",
        )
        if state.dead:
            self.set_link(Link.DEAD, f"the program exited{f' ({state.status})' if state.status else ''}")
        elif self.status.link is not Link.LIVE:
            self.set_link(Link.LIVE)

    # ---- keys out

    def type(self, data: bytes, *, control: bool) -> None:
        """Put keys on their way; returns at once."""
        self.outbox.type(data, self.clock(), control=control)
        self._typed()

    def paste(self, data: bytes) -> None:
        """Put a paste on its way; returns at once."""
        self.outbox.paste(data, self.clock())
        self._typed()

    def _typed(self) -> None:
        if self.status.link is Link.DEAD or self.status.link is Link.ENDED:
            self.refuse("dead")
            return
        self.typed.set()
        self.claim.set()
        self._count_unacked()

    def acknowledge(self, ack: int | None) -> None:
        """The worker's tmux has accepted input up to `ack`."""
        if self.outbox.acknowledge(ack):
            self._count_unacked()

    def refuse(self, reason: str) -> None:
        """What is unacknowledged reached nobody and will not be typed again."""
        lost = self.outbox.refuse()
        self.typed.set()
        if lost:
            kept = (self.status.refused + lost)[-4096:]
            self.note(unacked=0, refused=kept, refusal=reason)

    # ---- the one task that feeds

    async def run_feed(self) -> None:
        """Feed the emulator, in slices so that nobody waits long for a turn."""
        while True:
            await self.feed.ready.wait()
            while self.feed.items:
                item = self.feed.items.popleft()
                if isinstance(item, SnapshotFrame):
                    self._load(item.snapshot)
                    self.note(
                        generation=item.generation,
                        columns=self.screen.columns,
                        rows=self.screen.lines,
                    )
                else:
                    self.feed.size -= min(SLICE, len(item))
                    self.stream.feed(item[:SLICE])
                    self.fed = self.clock()
                    if self.fed - self._loaded < _AMID:
                        self.unsure.set()
                    if len(item) > SLICE:
                        self.feed.items.appendleft(item[SLICE:])
                if self.feed.size < CHUNK_WAIT:
                    self.feed.room.set()
                self.tell()
                await asyncio.sleep(0)
            self.feed.ready.clear()
            if not self._fresh.is_set():
                self._fresh.set()
                self.tell()

    def _load(self, snapshot: bytes) -> None:
        try:
            self.lookback.load(self.stream, snapshot)
        except BadSnapshot as error:
            self._poison = ProtocolError(f"the console helper sent {error}", op="console")
            return
        self._loaded = float("-inf") if self._healing else self.clock()

    async def history(self, first: int) -> int:
        """See `ConsoleHandle.history`."""
        oldest = await self.lookback.reach(first)
        self.tell()
        return oldest

    async def _fetch(self, first: int, count: int) -> Fetched:
        frames = await self.ask("history", str(first), str(count), wait=10.0)
        for frame in frames:
            if isinstance(frame, HistoryFrame):
                return await asyncio.to_thread(read, frame)
        raise ProtocolError("the console helper sent no history", op="console")

    async def room(self) -> None:
        """Wait until the emulator has caught up enough to read on."""
        while self.feed.size >= CHUNK_WAIT:
            self.feed.room.clear()
            await self.feed.room.wait()

    # ---- requests

    async def ask(self, verb: str, *words: str, stdin: bytes | None = None, wait: float = 0.0) -> list[Frame]:
        """One request with the session's deadline; measures the round trip when nothing is waited for."""
        began = self.clock()
        deadline = self.timing.deadline + wait + 2 * (self.status.rtt or 0.0)
        frames = await helper.request(self.place, self.console, verb, *words, stdin=stdin, timeout=deadline)
        if not wait:
            self.measure(self.clock() - began)
        return frames

    def measure(self, took: float) -> None:
        """A request that waits for nothing took so many seconds."""
        old = self.status.rtt
        self.status = replace(self.status, rtt=took if old is None else 0.8 * old + 0.2 * took)

    async def attach(self) -> None:
        """First contact, or contact again: a snapshot, the program's identity, our place in its input."""
        client = self.outbox.client
        frames = await self.ask("attach", client)
        self.registered = client
        for frame in frames:
            if (
                isinstance(frame, SnapshotFrame)
                and self.position
                and frame.generation != self.position.generation
            ):
                self.position = None  # whatever it was, the reply to attach is what holds now
            if self.apply(frame) and not self.skipping:
                await self.resync()

    async def register(self) -> None:
        """Tell the worker's tmux our client id, and learn which program it will be bound to."""
        client = self.outbox.client
        for frame in await self.ask("hello", client):
            self.apply(frame)
        self.registered = client

    async def resize(self, columns: int, rows: int, *, force: bool = False) -> bool:
        """Size the console; False when the size is another typist's for now."""
        self.wanted = (columns, rows)
        self.claimed = self.clock()
        words = (str(columns), str(rows), self.owner, str(self.timing.owner), "1" if force else "0")
        for frame in await self.ask("snap", *words):
            self.apply(frame)
        while self.feed.items:
            self.changed.clear()
            await self.changed.wait()
        return self.status.size_owner == "me"

    async def drain(self, timeout: float) -> None:
        """Wait until everything typed was accepted or refused. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            while not self.outbox.idle:
                self.changed.clear()
                await self.changed.wait()

    def end(self, detail: str) -> None:
        """There is no such console any more."""
        if not self.outbox.idle:
            self.refuse("new-server")
        self.set_link(Link.ENDED, detail)

    async def heal(self) -> None:
        """Once output rests, take the picture again: colours that a snapshot amid output got wrong are put right."""
        await self.unsure.wait()
        while (rest := self.fed + self.timing.heal - self.clock()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(rest)
        self.unsure.clear()
        self._healing = True
        try:
            await self.resync()
        finally:
            self._healing = False

    async def keep_size(self) -> None:
        """After typing: take or keep the right to size the console, if this view ever sized it."""
        await self.claim.wait()
        self.claim.clear()
        mine = self.status.size_owner == "me" and self.clock() - self.claimed < self.timing.owner / 2
        if self.wanted is not None and not mine:
            await self.resize(*self.wanted, force=True)

    async def resync(self) -> None:
        """A new generation, because the present one cannot be continued."""
        for _ in range(3):
            again = [self.apply(frame) for frame in await self.ask("snap")]
            if not any(again):
                return
