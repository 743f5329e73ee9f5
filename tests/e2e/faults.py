"""A provider between amtui and a real one that loses, delays, repeats and breaks what it carries."""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

from amtui.errors import AmtuiError, ExecTimeout, StreamBroken
from amtui.providers.base import Cap, Command, ExecEvent, ExecResult, ExecStream, Output, Provider, Purpose

Choose = Callable[[Command], bool]


class FaultyProvider:
    """`inner` with faults in a share `rate` of its execs, chosen by a seeded generator.

    A faulty exec is, with equal odds: lost before it ran; run with its reply lost; run some time after its caller
    gave up; run twice; answered late. The same happens to each line with keys on a key channel. With `streams` live
    channels break after a random number of events. `caps` hides what `inner` can do. `counts` says what was done to
    how many.
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
        fault = self.chosen() if self._only(command) else ""
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
        elif fault == "delayed":
            await asyncio.sleep(self._random.uniform(0.01, 0.1))
        return await self.inner.exec(host_id, command, purpose=purpose)

    @asynccontextmanager
    async def stream_exec(
        self, host_id: str, command: Command, *, purpose: Purpose = Purpose.USER
    ) -> AsyncIterator[ExecStream]:
        self.counts["streams"] += 1
        async with self.inner.stream_exec(host_id, command, purpose=purpose) as stream:
            life = self._random.randint(3, 60) if self._streams else None
            if "control" in command.argv and self.rate and self._only(command):
                yield _LossyLines(stream, life, self)
            else:
                yield _Breaking(stream, life, self.counts)

    def chosen(self) -> str:
        """The fault of one request, or nothing."""
        if self._random.random() >= self.rate:
            return ""
        fault = self._random.choice(("before", "after", "later", "twice", "delayed"))
        self.counts[fault] += 1
        return fault

    def moment(self, least: float, most: float) -> float:
        return self._random.uniform(least, most)

    def _later(self, host_id: str, command: Command, delay: float) -> None:
        async def run() -> None:
            await asyncio.sleep(delay)
            with suppress(AmtuiError):
                await self.inner.exec(host_id, command)

        self.beside(run())

    def beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something that nobody waits for."""
        task = asyncio.ensure_future(work)
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


_MARK = re.compile(rb"'(am[0-9a-f]+\.[0-9]+) ")


class _LossyLines(_Breaking):
    """A key channel whose lines are lost, doubled and late, each by itself, and some of its answers lost."""

    def __init__(self, inner: ExecStream, life: int | None, faults: FaultyProvider) -> None:
        super().__init__(inner, life, faults.counts)
        self._faults = faults
        self._swallowed: set[bytes] = set()

    async def write(self, data: bytes) -> None:
        marks = _MARK.findall(data)
        fault = self._faults.chosen() if marks else ""
        if fault in ("after", "later"):
            self._swallowed.add(marks[-1])
        if fault == "before":
            return
        if fault in ("later", "twice"):
            self._faults.beside(self._again(data, self._faults.moment(0.0, 0.15)))
        if fault == "delayed":
            await asyncio.sleep(self._faults.moment(0.01, 0.1))
        if fault != "later":
            await self._inner.write(data)

    async def _again(self, data: bytes, delay: float) -> None:
        await asyncio.sleep(delay)
        with suppress(AmtuiError, OSError):
            await self._inner.write(data)

    async def __aiter__(self) -> AsyncIterator[ExecEvent]:
        rest = b""
        async for event in super().__aiter__():
            if not isinstance(event, Output) or event.stream != "stdout":
                yield event
                continue
            *lines, rest = (rest + event.data).split(b"\n")
            kept = [line for line in lines if line.partition(b" ")[0] not in self._swallowed]
            if kept:
                yield replace(event, data=b"\n".join([*kept, b""]))
