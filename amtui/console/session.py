"""One console followed: one Screen, one task that feeds it, one outbox of keys, however many views there are.

`Session` owns the state and the rules; `amtui.console.tail` moves frames over whatever the substrate offers. A
lost link, a late reply, a restarted program or a removed console changes the status, never the truth on screen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final, TypeAlias

from amtui.console import helper
from amtui.console.feed import BACKLOG, CHUNK_WAIT, Feed
from amtui.console.input import Outbox
from amtui.console.keyed import Keyed
from amtui.console.lookback import Lookback
from amtui.console.protocol import (
    AckFrame,
    DataFrame,
    Frame,
    HistoryFrame,
    Position,
    SnapshotFrame,
    StateFrame,
    merge,
    newer,
)
from amtui.console.scrollback import Fetched, read
from amtui.console.status import Link, Timing
from amtui.emulator import Screen, Stream
from amtui.emulator.snapshot import BadSnapshot
from amtui.errors import AmtuiError, NotFound, ProtocolError
from amtui.providers.base import Place

_DOUBT: Final = 10.0
"""For so many seconds after a reply that broke the protocol the picture is taken anew each second."""
_HEALS: Final = 3
"""Pictures in a row that may be taken for their colours alone, as tmux may capture less than we know."""
_AMID: Final = 0.05
"""Output within so many seconds of a snapshot means that it was taken amid output."""


Answer: TypeAlias = Callable[[str, Sequence[str], bytes | None, float], Awaitable[list[Frame]]]
"""Takes a request's verb, words, stdin and timeout in seconds."""


class Session(Keyed):
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
        super().__init__(clock, timing)
        self.place = place
        self.console = console
        self.screen = Screen(columns=80, lines=24, history=history)
        self.stream = Stream(self.screen)
        self.lookback = Lookback(self.screen, self._fetch, lambda: self.position)
        self.owner = owner
        """Name under which this process sizes consoles."""
        self.instead: Answer | None = None
        """Answers requests where the helper cannot."""
        self.position: Position | None = None
        self.state: StateFrame | None = None
        self.heard = clock()
        self.skipping = False
        """Frames of the present generation are dropped until a newer snapshot comes."""
        self.feed = Feed()
        self.wanted: tuple[int, int] | None = None
        """Size the typing view last asked for."""
        self.claimed = float("-inf")
        self.unsure = asyncio.Event()
        """Set when the picture was taken amid output: tmux does not tell the pen, so a colour may be wrong."""
        self.fed = clock()
        self._loaded = float("-inf")
        self._healing = False
        self._heals = 0
        """Pictures in a row that were only taken for their colours."""
        self._adopted = clock()
        """When the present generation was."""
        self._doubted = float("-inf")
        self._poison: AmtuiError | None = None
        self._fresh = asyncio.Event()
        """Set once a snapshot was loaded."""

    async def ready(self, timeout: float) -> None:
        """Wait for the first picture. Raises TimeoutError, or `NotFound` when there is no such console."""
        async with asyncio.timeout(timeout):
            while not self._fresh.is_set():
                if self.status.link is Link.ENDED:
                    raise NotFound(f"no console {self.console}", self.status.detail, op="console")
                self.changed.clear()
                await self.changed.wait()

    # ---- frames in

    def apply(self, frame: Frame, asked: Outbox | None = None, *, anew: bool = False) -> bool:
        """Take one frame, from wherever it came. True when something must be asked for again.

        `asked` is the stream of keys the request was about: an acknowledgement is of that one. With `anew` the frame
        answers who asked which program there is, so what it says holds; else an older program is old news.
        Raises `ProtocolError` for what the protocol does not allow.
        """
        self.heard = self.clock()
        if self._poison is not None:
            poison, self._poison = self._poison, None
            raise poison
        if isinstance(frame, SnapshotFrame | DataFrame):
            self._acknowledge(asked, frame.ack)
            return self._merge(frame)
        if isinstance(frame, StateFrame):
            return (anew or newer(self.program, frame)) and self._state(frame)
        if isinstance(frame, AckFrame) and asked is not None:
            self._acknowledge(asked, frame.ack)
            if frame.reason != "-":
                self.settle(asked, frame.reason, known=frame.ack is not None)
        return False

    def doubt(self, error: Exception) -> None:
        """What a request beside the connection raised: a broken rule ends the connection, visibly."""
        if isinstance(error, ProtocolError):
            self._poison = error

    def distrust(self) -> None:
        """The other side broke the protocol: nothing we have of it counts, and for a while nothing it says lasts."""
        self.position = None
        self._doubted = self.clock()
        self.unsure.set()

    def _merge(self, frame: SnapshotFrame | DataFrame) -> bool:
        merged = merge(self.position, frame)
        if merged.gap:
            return True
        # a cut through a character: the snapshot has its first bytes nowhere, so take another one
        first = merged.data[:1]
        split = bool(first) and 0x80 <= first[0] <= 0xBF and merged.position.offset == len(merged.data)
        if self.position is not None and frame.generation < self.position.generation:
            # late, unless it goes on: then the one we took for newer never was
            return self.clock() - self._adopted > max(1.0, 4 * (self.status.rtt or 0.0))
        if self.position is None or self.position.generation != merged.position.generation:
            self._adopted = self.clock()
        self.position = merged.position
        if merged.snapshot is not None:
            self.skipping = False
            self.feed.clear()
            assert isinstance(frame, SnapshotFrame)
            self.feed.put(SnapshotFrame(frame.generation, merged.snapshot, b"", None))
        self.skipping = self.skipping or split
        if merged.data and not self.skipping:
            self.feed.put(merged.data)
            if self.feed.size > BACKLOG:
                self.feed.clear()
                self.skipping = True
        return split or self.skipping

    def _state(self, state: StateFrame) -> bool:
        """True when the picture is not of this program."""
        self.state = state
        self.lookback.limit = state.history_limit
        self._became(state)
        mine = state.owner == self.owner
        self.note(
            size_owner="me" if mine and state.owner else state.owner,
            exit_status=state.status if state.dead else "",
        )
        if state.dead:
            self.set_link(Link.DEAD, f"the program exited{f' ({state.status})' if state.status else ''}")
        elif self.status.link is not Link.LIVE:
            self.set_link(Link.LIVE)
        return not (state.dead or self.feed.pictured or self._seen)

    # ---- the one task that feeds

    async def run_feed(self) -> None:
        """Feed the emulator, in slices so that nobody waits long for a turn."""
        while True:
            await self.feed.ready.wait()
            while self.feed.items:
                item = self.feed.take()
                if isinstance(item, SnapshotFrame):
                    self._load(item.snapshot)
                    self.note(
                        generation=item.generation,
                        columns=self.screen.columns,
                        rows=self.screen.lines,
                    )
                else:
                    self.stream.feed(item)
                    self.fed = self.clock()
                    if self.fed - self._loaded < (_AMID if self.lookback.continued else self.timing.amid):
                        self.unsure.set()
                    self._loaded = float("-inf")
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
            loaded = self.lookback.load(self.stream, snapshot)
        except BadSnapshot as error:
            self._poison = ProtocolError(f"the console helper sent {error}", op="console")
            return
        self._heals = self._heals + 1 if self._healing else 0
        self._loaded = self.clock() if self._heals < _HEALS else float("-inf")
        self.shown = (loaded.server, loaded.pid)
        if not self._seen:
            self.unsure.set()

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
        await self.feed.drained()

    # ---- requests

    async def ask(self, verb: str, *words: str, stdin: bytes | None = None, wait: float = 0.0) -> list[Frame]:
        """One request with the session's deadline; measures the round trip when nothing is waited for."""
        began = self.clock()
        deadline = self.timing.deadline + wait + 2 * (self.status.rtt or 0.0)
        if self.instead is not None:
            frames = await self.instead(verb, words, stdin, deadline)
        else:
            frames = await helper.request(
                self.place, self.console, verb, *words, stdin=stdin, timeout=deadline
            )
        if not wait:
            self.measure(self.clock() - began)
        return frames

    def measure(self, took: float) -> None:
        """A request that waits for nothing took so many seconds."""
        old = self.status.rtt
        self.status = replace(self.status, rtt=took if old is None else 0.8 * old + 0.2 * took)

    async def attach(self) -> None:
        """First contact, or contact again: a snapshot, the program's identity, our place in its input."""
        outbox = self.outbox
        frames = await self.ask("attach", outbox.client)
        for frame in frames:
            if (
                isinstance(frame, SnapshotFrame)
                and self.position
                and frame.generation != self.position.generation
            ):
                self.position = None  # whatever it was, the reply to attach is what holds now
            if self.apply(frame, outbox, anew=True) and not self.skipping:
                await self.resync()
        if self.position is None:
            raise ProtocolError("the console helper sent no picture", op="console")
        self._bind(outbox)

    async def register(self) -> None:
        """Tell the worker's tmux our client id, and learn which program it will be bound to."""
        outbox = self.outbox
        frames = await self.ask("hello", outbox.client)
        again = [self.apply(frame, outbox, anew=True) for frame in frames]
        if not any(isinstance(frame, StateFrame) for frame in frames):
            raise ProtocolError("the console helper did not say which program runs", op="console")
        self._bind(outbox)
        if any(again):
            await self.resync()

    async def resize(self, columns: int, rows: int, *, force: bool = False) -> bool:
        """Size the console; False when the size is another typist's for now."""
        self.wanted = (columns, rows)
        self.claimed = self.clock()
        words = (str(columns), str(rows), self.owner, str(self.timing.owner), "1" if force else "0")
        for frame in await self.ask("snap", *words):
            if isinstance(frame, SnapshotFrame) and self.instead is None:
                await self._brought(frame.generation)
            self.apply(frame)
        while self.feed.items:
            self.changed.clear()
            await self.changed.wait()
        return self.status.size_owner == "me"

    async def _brought(self, generation: int) -> None:
        """Give whoever follows the output the time to bring this picture, and before it the last of what came before.

        Taken from elsewhere it would leave out the colour that output goes on in.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(self.timing.brought + (self.status.rtt or 0.0)):
                while self.position is None or self.position.generation < generation:
                    self.changed.clear()
                    await self.changed.wait()

    def end(self, detail: str) -> None:
        """There is no such console any more."""
        self._over()
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
        if self.clock() - self._doubted < _DOUBT:
            await asyncio.sleep(1.0)
            self.unsure.set()

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
            before = self.position
            frames = await self.ask("snap")
            for frame in frames:
                past = isinstance(frame, SnapshotFrame) and before and frame.generation < before.generation
                if past:
                    raise ProtocolError(
                        "the console helper sent a new generation that is an old one", op="console"
                    )
            again = [self.apply(frame) for frame in frames]
            if not any(again):
                return
