"""Frames over what a substrate offers: one long stream (L3), or one long poll after another (L1).

A connection lasts until something breaks it; then it is made again from the position the session has, with growing
pauses. Keys travel on their own path and do not wait for output.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Final

from amtui.console import helper
from amtui.console.input import Batch
from amtui.console.lines import Lines
from amtui.console.protocol import BeatFrame, FailureFrame, Frame, FrameReader
from amtui.console.session import Link, Session
from amtui.errors import AmtuiError, CapacityUnavailable, NotFound, StreamBroken
from amtui.providers.base import Cap, Command, ExecStream, Exit, Output, Purpose

IN_FLIGHT: Final = 4
"""Requests with keys that may be under way at once; each repeats everything unacknowledged."""
_PATIENCE: Final = 3.0
"""Seconds that a console which is typed into waits for the place of one that is only watched."""
_STEADY: Final = 5.0
"""A connection that lasted so many seconds was a good one."""
_TRIES: Final = 3
"""Streams that break at once, one after another, before polling is tried."""
DUPLEX: Final = Cap.STREAM | Cap.STDIN | Cap.BINARY_OUTPUT


def best_level(session: Session) -> str:
    """`L3` where the substrate has a live channel in both directions, else `L1`."""
    return "L3" if DUPLEX in session.place.provider.caps else "L1"


def _command(session: Session, verb: str, *words: str) -> Command:
    argv = helper.request_argv(session.place, session.console, verb, *words)
    return Command(argv=argv, timeout=None, max_output=1 << 62)


async def _frames(stream: ExecStream, silence: float) -> AsyncIterator[Frame]:
    """Frames of a stream; raises `StreamBroken` when nothing at all comes for `silence` seconds or it ends."""
    reader = FrameReader()
    events = stream.__aiter__()
    while True:
        try:
            async with asyncio.timeout(silence):  # wait_for may swallow a cancellation
                event = await anext(events)
        except TimeoutError:
            raise StreamBroken(f"silent for {silence:.0f} s", op="console") from None
        except StopAsyncIteration:
            raise StreamBroken("the stream ended", op="console") from None
        if isinstance(event, Exit):
            raise StreamBroken("the stream ended", op="console")
        if isinstance(event, Output) and event.stream == "stdout":
            for frame in reader.feed(event.data):
                yield frame


async def follow_stream(session: Session) -> None:
    """L3: output of one long exec. Never returns; raises what ended it."""
    assert session.position is not None
    at, beat = session.position, session.timing.beat
    command = _command(session, "stream", str(at.generation), str(at.offset), str(beat))
    provider, host = session.place.provider, session.place.host_id
    async with provider.stream_exec(host, command, purpose=Purpose.CONSOLE) as stream:
        async for frame in _frames(stream, 2 * beat + session.timing.deadline):
            await _take(session, frame)
            await session.room()


async def follow_polls(session: Session) -> None:
    """L1: one exec at a time, each waiting on the host until there is something to say. Never returns."""
    cap = session.place.provider.limits.exec_cap
    wait = session.timing.poll if cap is None else max(1, min(session.timing.poll, int(cap) - 3))
    while True:
        await _poll(session, wait)


async def follow_briskly(session: Session, until: Callable[[], bool]) -> None:
    """L1 where no request may rest on the host: look every second, until `until()` says there is room."""
    while not until():
        await _poll(session, 0)
        await asyncio.sleep(session.timing.brisk)


async def _poll(session: Session, wait: int) -> None:
    assert session.position is not None
    at = session.position
    words = (str(at.generation), str(at.offset), str(wait), str(min(wait, session.timing.beat) or 1))
    for frame in await session.ask("poll", *words, wait=float(wait)):
        await _take(session, frame)
    await session.room()


async def _take(session: Session, frame: Frame) -> None:
    if isinstance(frame, FailureFrame):
        raise helper.failure(frame.reason, session.console)
    if session.apply(frame):
        await session.resync()


class KeyChannel:
    """A parked helper that takes one request a line: a key costs no process and no new channel."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._stream: ExecStream | None = None
        self._waiting: deque[asyncio.Future[Frame]] = deque()

    @property
    def open(self) -> bool:
        return self._stream is not None

    async def run(self) -> None:
        """Keep the channel open until something breaks it, then raise that."""
        command = _command(self._session, "duplex")
        place = self._session.place
        try:
            async with place.provider.stream_exec(place.host_id, command, purpose=Purpose.CONSOLE) as stream:
                async for frame in _frames(stream, 1e9):
                    if self._stream is None:
                        self._stream = stream  # its first heartbeat: it listens
                    elif not isinstance(frame, BeatFrame) and self._waiting:
                        waiting = self._waiting.popleft()
                        if not waiting.done():
                            waiting.set_result(frame)
        finally:
            self._stream = None
            for waiting in self._waiting:
                if not waiting.done():
                    waiting.set_exception(StreamBroken("the key channel closed", op="console"))
            self._waiting.clear()

    async def send(self, line: str, timeout: float) -> Frame:
        """One request, one answer, in order. Raises `StreamBroken`, TimeoutError."""
        if self._stream is None:
            raise StreamBroken("the key channel is closed", op="console")
        waiting: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        await self._stream.write(line.encode() + b"\n")
        async with asyncio.timeout(timeout):
            return await waiting


class Typist:
    """Takes the outbox to the worker: cumulative, several requests in flight, repeated until acknowledged."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.channel: KeyChannel | None = None
        self._flying: dict[asyncio.Task[None], int] = {}
        self._failures = 0
        self._landed = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled. A failed request is repeated; what a request raises becomes link state."""
        try:
            while True:
                await self._turn()
        finally:
            for task in self._flying:
                task.cancel()
            await asyncio.gather(*self._flying, return_exceptions=True)

    async def _turn(self) -> None:
        session, outbox = self._session, self._session.outbox
        if outbox.idle:
            session.typed.clear()
            await session.typed.wait()
        if not await self._known():
            return
        due = outbox.due
        if due is not None and due > session.clock():
            await asyncio.sleep(due - session.clock())
        outbox.collect(session.clock())
        batches = outbox.request()
        sent = max(self._flying.values(), default=outbox.acked)
        if not batches:
            return
        self._landed.clear()
        if batches[-1].end > sent and len(self._flying) < IN_FLIGHT:
            self._launch(batches)
            return
        session.typed.clear()
        await self._something(outbox.due)

    async def _something(self, due: float | None) -> None:
        """Wait until a request landed, more was typed, or something typed before is due."""
        waits = [
            asyncio.ensure_future(self._landed.wait()),
            asyncio.ensure_future(self._session.typed.wait()),
        ]
        try:
            timeout = None if due is None else max(0.0, due - self._session.clock())
            await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _known(self) -> bool:
        """Register this stream of keys with the program it is for, once."""
        session = self._session
        if session.program is not None and session.registered == session.outbox.client:
            return True
        try:
            await session.register()
        except NotFound:
            session.refuse("new-server")
            return False
        except AmtuiError:
            await self._pause()
            return False
        return True

    def _launch(self, batches: list[Batch]) -> None:
        task = asyncio.ensure_future(self._send(batches))
        self._flying[task] = batches[-1].end
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._flying.pop(task, None)
        self._landed.set()
        if not task.cancelled():
            task.exception()

    async def _send(self, batches: list[Batch]) -> None:
        session = self._session
        client, program = session.outbox.client, session.program
        assert program is not None
        bound = (client, str(program[1]), str(program[2]), program[0])
        try:
            frames = await self._carry(batches, bound)
        except NotFound:
            if client == session.outbox.client:
                session.refuse("new-server")
            return
        except (AmtuiError, TimeoutError):
            await self._pause()
            return
        self._failures = 0
        if client != session.outbox.client:
            return  # answers a stream of keys that was given up meanwhile
        for frame in frames:
            await _take(session, frame)

    async def _carry(self, batches: list[Batch], bound: tuple[str, str, str, str]) -> list[Frame]:
        session = self._session
        client, pid, epoch, server_id = bound
        if batches[0].paste:
            paste = batches[0]
            words = (client, str(paste.base), str(len(paste.data)), pid, epoch, server_id, paste.paste)
            return await session.ask("paste", *words, stdin=paste.data, wait=1.0)
        at = session.position
        assert at is not None
        head = [str(at.generation), str(at.offset)]
        tail = [*bound, *(batch.word() for batch in batches)]
        if self.channel is not None and self.channel.open:
            line = "\t".join(["input", *head, "0", *tail])
            began = session.clock()
            frame = await self.channel.send(line, session.timing.deadline)
            session.measure(session.clock() - began)
            if isinstance(frame, FailureFrame):
                raise helper.failure(frame.reason, session.console)
            return [frame]
        echo = "0" if session.status.level == "L3" else str(session.timing.echo)
        return await session.ask("input", *head, echo, *tail, wait=float(echo))

    async def _pause(self) -> None:
        steps = self._session.timing.backoff
        await asyncio.sleep(steps[min(self._failures, len(steps) - 1)])
        self._failures += 1


class Tail:
    """Keeps a session in step with its console for as long as anybody looks."""

    def __init__(self, session: Session, lines: Lines) -> None:
        self.session = session
        self.typist = Typist(session)
        self._lines = lines
        self._seen = False
        self._typing = False
        self._outranked = False
        self._changed = asyncio.Event()
        self._failures = 0
        self._narrow = False
        """Streams keep breaking here: poll instead."""

    def want(self, *, seen: bool, typing: bool) -> None:
        """Whether somebody sees the console (a hidden one costs nothing), and whether somebody may type."""
        self._seen, self._typing = seen, typing
        self._outranked = self._outranked and not typing
        self._changed.set()

    async def run(self) -> None:
        """Until cancelled: feed, type, follow. What it raises is a mistake of ours."""
        async with asyncio.TaskGroup() as beside:
            works = (self.session.run_feed, self.typist.run, self._keep_channel, self._keep_size, self._heal)
            for work in works:
                beside.create_task(work())
            while True:
                await self._until(lambda: self._seen)
                await self._once()

    async def _until(self, true: Callable[[], bool]) -> None:
        while not true():
            self._changed.clear()
            await self._changed.wait()

    async def _while(self, true: Callable[[], bool], work: Awaitable[None]) -> None:
        """Do `work` for as long as `true()` holds; what it raises is raised."""
        task = asyncio.ensure_future(work)
        end = asyncio.ensure_future(self._until(lambda: not true()))
        try:
            await asyncio.wait({task, end}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
        finally:
            for one in (task, end):
                one.cancel()
            await asyncio.gather(task, end, return_exceptions=True)

    async def _once(self) -> None:
        """One connection, from attach to whatever ends it."""
        session = self.session
        began = session.clock()
        try:
            await session.attach()
            patience = _PATIENCE if self._typing else 0.0
            resting = await self._lines.take(
                self, None if self._typing else self._step_back, patience=patience
            )
            wide = resting and not self._narrow and best_level(session) == "L3"
            session.note(level="L3" if wide else "L1")
            if wide:
                await self._while(lambda: self._seen and not self._outranked, follow_stream(session))
            elif resting:
                await self._while(lambda: self._seen and not self._outranked, follow_polls(session))
            else:
                await self._while(lambda: self._seen, follow_briskly(session, self._room))
        except NotFound as error:
            session.end(error.message)
            self._lines.give(self)
            await asyncio.sleep(session.timing.gone)
        except (AmtuiError, TimeoutError, OSError) as error:
            if session.clock() - began > _STEADY:
                self._failures = 0
            self._lines.give(self)
            await self._failed(error)
        finally:
            self._lines.give(self)

    def _step_back(self) -> None:
        """Somebody types into another console of this host and needs our place."""
        self._outranked = True
        self._changed.set()

    def _room(self) -> bool:
        """Leave brisk polling when a place is free, or when this console is typed into now."""
        if self._lines.free:
            self._outranked = False
        return self._lines.free

    async def _failed(self, error: Exception) -> None:
        session = self.session
        steps = session.timing.backoff
        reason = error.message if isinstance(error, AmtuiError) else "no answer in time"
        if isinstance(error, CapacityUnavailable):
            self._narrow = True  # the substrate has fewer places than it says
        elif isinstance(error, StreamBroken) and self._failures >= _TRIES:
            self._narrow = not self._narrow  # try the other way
        old = session.clock() - session.heard > session.timing.stale
        session.set_link(Link.STALE if old else Link.RECONNECTING, reason)
        await asyncio.sleep(steps[min(self._failures, len(steps) - 1)])
        self._failures += 1

    async def _keep_size(self) -> None:
        while True:
            with suppress(AmtuiError, TimeoutError):
                await self.session.keep_size()

    async def _heal(self) -> None:
        while True:
            with suppress(AmtuiError, TimeoutError):
                await self.session.heal()

    async def _keep_channel(self) -> None:
        """Hold a duplex channel for keys while somebody may type and the substrate has one and room for it."""
        session = self.session
        failures = 0
        while DUPLEX in session.place.provider.caps:
            await self._until(lambda: self._seen and self._typing)
            channel = KeyChannel(session)
            began = session.clock()
            if await self._lines.take(channel, None, patience=_PATIENCE):
                try:
                    self.typist.channel = channel
                    with suppress(AmtuiError, TimeoutError, OSError):
                        await helper.ensure_installed(session.place)
                        await self._while(lambda: self._seen and self._typing, channel.run())
                finally:
                    self.typist.channel = None
                    self._lines.give(channel)
            failures = 0 if session.clock() - began > _STEADY else failures + 1
            steps = session.timing.backoff
            await asyncio.sleep(steps[min(failures, len(steps) - 1)])
