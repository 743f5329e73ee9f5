"""Keys on their own path: they do not wait for output, and output does not wait for them."""

from __future__ import annotations

import asyncio
from typing import Final

from amtui.console.channel import KeyChannel
from amtui.console.follow import take
from amtui.console.input import Batch, Outbox
from amtui.console.protocol import AckFrame, DataFrame, Frame, Position
from amtui.console.session import Session
from amtui.errors import AmtuiError, NotFound

IN_FLIGHT: Final = 4
"""Requests with keys that may be under way at once; each repeats everything unacknowledged."""


class Typist:
    """Takes the outbox to the worker: cumulative, several requests in flight, repeated until acknowledged.

    Afterwards it asks once whether the program lived on, and of a program that ended, how far its keys got.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.channel: KeyChannel | None = None
        self._flying: dict[asyncio.Task[None], tuple[Outbox, int]] = {}
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
        self._landed.clear()
        for left in session.ledger.leaving:
            if not self._under_way(left):
                self._launch(left, [])
        if outbox.idle:
            session.typed.clear()
            proof = outbox.proof_due
            if proof is not None and proof <= session.clock() and not self._under_way(outbox):
                self._launch(outbox, [])
            await self._something(None if self._under_way(outbox) else proof)
            return
        if outbox.program is None and not await self._known():
            return
        due = outbox.due
        if due is not None and due > session.clock():
            await asyncio.sleep(due - session.clock())
        if outbox is not session.outbox:
            return
        outbox.collect(session.clock())
        batches = outbox.request()
        if not batches:
            return
        flying = self._under_way(outbox)
        if batches[-1].end > max(flying, default=outbox.acked) and len(flying) < IN_FLIGHT:
            self._launch(outbox, batches)
            return
        session.typed.clear()
        await self._something(outbox.due)

    def _under_way(self, outbox: Outbox) -> list[int]:
        """Requests of that stream that have not landed, by how far each carries it."""
        return [end for whose, end in self._flying.values() if whose is outbox]

    async def _something(self, due: float | None) -> None:
        """Wait until a request landed, more was typed, or something is due."""
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
        try:
            await session.register()
        except NotFound:
            session.settle(session.outbox, "new-server", known=False)
            return False
        except (AmtuiError, TimeoutError) as error:
            session.doubt(error)
            await self._pause()
            return False
        return True

    def _launch(self, outbox: Outbox, batches: list[Batch]) -> None:
        """Send `batches`; none only asks how far the stream got and whether its program lives."""
        if batches:
            outbox.went(batches)
        task = asyncio.ensure_future(self._send(outbox, batches))
        self._flying[task] = (outbox, batches[-1].end if batches else outbox.acked)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._flying.pop(task, None)
        self._landed.set()
        if not task.cancelled():
            task.exception()

    async def _send(self, outbox: Outbox, batches: list[Batch]) -> None:
        session, began, acked = self._session, self._session.clock(), outbox.acked
        try:
            frames = await self._carry(outbox, batches)
            for frame in frames:
                await take(session, frame, outbox)
        except NotFound:
            session.settle(outbox, "new-server", known=False)
            return
        except (AmtuiError, TimeoutError) as error:
            session.doubt(error)
            await self._pause()
            return
        acks = [
            frame for frame in frames if isinstance(frame, AckFrame | DataFrame) and frame.ack is not None
        ]
        if not acks:
            return
        self._failures = 0
        if min(frame.ack or 0 for frame in acks) < acked:
            session.settle(outbox, "new-server", known=False)  # tmux forgot what it had told us
        outbox.lived(began)
        if outbox in session.ledger.leaving:
            await (
                self._pause()
            )  # a program that is said to have ended and to live; whom to believe shows in time

    async def _carry(self, outbox: Outbox, batches: list[Batch]) -> list[Frame]:
        session = self._session
        assert outbox.program is not None
        server_id, pid, epoch = outbox.program
        bound = (outbox.client, str(pid), str(epoch), server_id)
        if batches and batches[0].paste:
            paste = batches[0]
            words = (outbox.client, str(paste.base), str(len(paste.data)), *bound[1:], paste.paste)
            return await session.ask("paste", *words, stdin=paste.data, wait=1.0)
        at = session.position or Position(0, 0)
        head = [str(at.generation), str(at.offset)]
        tail = [*bound, *(batch.word() for batch in batches)]
        if self.channel is not None and self.channel.open:
            began = session.clock()
            ack = await self.channel.type(bound, batches, session.timing.deadline)
            session.measure(session.clock() - began)
            if ack is not None:
                return [ack]
        echo = str(session.timing.echo) if batches and session.status.level == "L1" else "0"
        return await session.ask("input", *head, echo, *tail, wait=float(echo))

    async def _pause(self) -> None:
        steps = self._session.timing.backoff
        await asyncio.sleep(steps[min(self._failures, len(steps) - 1)])
        self._failures += 1
