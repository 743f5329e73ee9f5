"""Keys on their own path: they do not wait for output, and output does not wait for them."""

from __future__ import annotations

import asyncio
from typing import Final

from amtui.console.channel import KeyChannel
from amtui.console.follow import take
from amtui.console.input import Batch
from amtui.console.protocol import Frame
from amtui.console.session import Session
from amtui.errors import AmtuiError, NotFound

IN_FLIGHT: Final = 4
"""Requests with keys that may be under way at once; each repeats everything unacknowledged."""


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
            began = session.clock()
            ack = await self.channel.type(bound, batches, session.timing.deadline)
            session.measure(session.clock() - began)
            if ack is not None:
                return [ack]
        echo = "0" if session.status.level == "L3" else str(session.timing.echo)
        return await session.ask("input", *head, echo, *tail, wait=float(echo))

    async def _pause(self) -> None:
        steps = self._session.timing.backoff
        await asyncio.sleep(steps[min(self._failures, len(steps) - 1)])
        self._failures += 1
