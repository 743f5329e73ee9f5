"""Keys on their own path: they do not wait for output, and output does not wait for them."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from amtui.console import helper
from amtui.console.follow import command, frames, take
from amtui.console.input import Batch
from amtui.console.protocol import BeatFrame, FailureFrame, Frame
from amtui.console.session import Session
from amtui.errors import AmtuiError, NotFound, StreamBroken
from amtui.providers.base import ExecStream, Purpose

IN_FLIGHT: Final = 4
"""Requests with keys that may be under way at once; each repeats everything unacknowledged."""


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
        asked = command(self._session, "duplex")
        place = self._session.place
        try:
            async with place.provider.stream_exec(place.host_id, asked, purpose=Purpose.CONSOLE) as stream:
                async for frame in frames(stream, 1e9):
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
            await take(session, frame)

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
