"""A provider between amtui and a real one that loses, delays, repeats and breaks what it carries."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from amtui.errors import AmtuiError, ExecTimeout, StreamBroken
from amtui.providers.base import Cap, Command, ExecEvent, ExecResult, ExecStream, Provider, Purpose

Choose = Callable[[Command], bool]


class FaultyProvider:
    """`inner` with faults in a share `rate` of its execs, chosen by a seeded generator.

    A faulty exec is, with equal odds: lost before it ran; run with its reply lost; run some time after its caller
    gave up; run twice; answered late. With `streams` live channels break after a random number of events. `caps`
    hides what `inner` can do. `counts` says what was done to how many.
    """

    def __init__(
        self,
        inner: Provider,
        rate: float,
        *,
        seed: int = 1,
        caps: Cap | None = None,
        streams: bool = False,
        only: Choose = lambda command: True,
    ) -> None:
        self.inner = inner
        self.rate = rate
        self.kind = inner.kind
        self.caps = inner.caps if caps is None else caps
        self.limits = inner.limits
        self.files = inner.files
        self.counts: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._streams = streams
        self._only = only
        self._late: set[asyncio.Task[Any]] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def exec(self, host_id: str, command: Command, *, purpose: Purpose = Purpose.USER) -> ExecResult:
        self.counts["execs"] += 1
        if not self._only(command) or self._random.random() >= self.rate:
            return await self.inner.exec(host_id, command, purpose=purpose)
        fault = self._random.choice(("before", "after", "later", "twice", "delayed"))
        self.counts[fault] += 1
        if fault == "before":
            raise ExecTimeout("lost on the way there")
        if fault == "after":
            await self.inner.exec(host_id, command, purpose=purpose)
            raise ExecTimeout("lost on the way back")
        if fault == "later":
            self._later(host_id, command, self._random.uniform(0.01, 0.15))
            raise ExecTimeout("given up, and run all the same")
        if fault == "twice":
            self._later(host_id, command, 0.0)
        else:
            await asyncio.sleep(self._random.uniform(0.01, 0.1))
        return await self.inner.exec(host_id, command, purpose=purpose)

    @asynccontextmanager
    async def stream_exec(
        self, host_id: str, command: Command, *, purpose: Purpose = Purpose.USER
    ) -> AsyncIterator[ExecStream]:
        self.counts["streams"] += 1
        async with self.inner.stream_exec(host_id, command, purpose=purpose) as stream:
            life = self._random.randint(3, 60) if self._streams else None
            yield _Breaking(stream, life, self.counts)

    def _later(self, host_id: str, command: Command, delay: float) -> None:
        async def run() -> None:
            await asyncio.sleep(delay)
            with suppress(AmtuiError):
                await self.inner.exec(host_id, command)

        task = asyncio.ensure_future(run())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def settle(self) -> None:
        """Wait for everything that runs late."""
        await asyncio.gather(*self._late, return_exceptions=True)


class _Breaking:
    """A stream that breaks after `life` events, or never."""

    def __init__(self, inner: ExecStream, life: int | None, counts: Counter[str]) -> None:
        self._inner = inner
        self._life = life
        self._counts = counts
        self.handle = inner.handle

    async def __aiter__(self) -> AsyncIterator[ExecEvent]:
        seen = 0
        async for event in self._inner:
            seen += 1
            if self._life is not None and seen > self._life:
                self._counts["broken"] += 1
                raise StreamBroken("the link broke")
            yield event

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
