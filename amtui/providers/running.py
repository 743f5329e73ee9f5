"""A command while it runs, whatever carries it: the queue from transport to reader, and the leash on it.

An adapter's callbacks feed a `Feed`; a `Running` is the adapter's `ExecStream`; `leash` is the context
manager that never leaves a process behind by accident; `collect` is exec, written once on top of stream_exec.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Final, Literal

from amtui.errors import AmtuiError, ExecTimeout, Invalid, Unreachable
from amtui.providers.base import Command, ExecEvent, ExecResult, Exit, Output, Started

LINGER: Final = 0.5
"""Seconds of silence after a program's end before streams that a grandchild still holds are let go."""

KILL_BOUND: Final = 5.0
"""Seconds that leaving a stream may spend on killing what ran in it."""

_HIGH: Final = 1 << 20
_LOW: Final = 256 << 10


class Feed:
    """Events of one command, in order, between transport callbacks and one reader.

    The transport is paused while more than 1 MiB waits to be read. The one `Exit` comes after both streams
    ended, or after `LINGER` seconds of silence where a background child keeps them open.
    """

    def __init__(self, flow: Callable[[bool], None], *, linger: float = LINGER) -> None:
        self._flow = flow
        self._linger = linger
        self._events: deque[ExecEvent] = deque()
        self._waiting = 0
        self._paused = False
        self._wake = asyncio.Event()
        self._exit: Exit | None = None
        self._eof = False
        self._error: AmtuiError | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._heard = False
        self.over = asyncio.Event()
        """The program has ended, or its link is lost: nothing is left to kill from here."""
        self.gone = asyncio.Event()
        """The program itself has ended."""

    def started(self, handle: str) -> None:
        self._push(Started(handle))

    def output(self, stream: Literal["stdout", "stderr"], data: bytes) -> None:
        """Bytes as they came; dropped once the stream is over."""
        if self._closed or not data:
            return
        self._heard = True
        self._waiting += len(data)
        self._push(Output(stream, data))
        if self._waiting > _HIGH and not self._paused:
            self._paused = True
            self._flow(False)

    def eof(self) -> None:
        """Both streams ended."""
        self._eof = True
        self._settle()

    def exited(self, code: int | None, signal: str | None) -> None:
        """The program ended; streams may still hold bytes."""
        if self._exit is None:
            self._exit = Exit(code, signal)
            self.gone.set()
            self._settle()

    def fail(self, error: AmtuiError) -> None:
        """The link broke: what was read stays readable, then `error` is raised."""
        if not self._closed:
            self._error = error
            self._cancel_timer()
            self.over.set()
            self._wake.set()

    @property
    def exit(self) -> Exit | None:
        return self._exit

    async def next(self) -> ExecEvent:
        """The next event; raises what `fail` was given, or StopAsyncIteration after `Exit`."""
        while not self._events:
            if self._error is not None:
                raise self._error
            if self.over.is_set():
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        event = self._events.popleft()
        if isinstance(event, Output):
            self._waiting -= len(event.data)
            if self._paused and self._waiting < _LOW:
                self._paused = False
                self._flow(True)
        return event

    def close(self) -> None:
        """No more events and no timer: the reader left."""
        self._cancel_timer()
        self.over.set()

    @property
    def _closed(self) -> bool:
        return self.over.is_set()

    def _push(self, event: ExecEvent) -> None:
        self._events.append(event)
        self._wake.set()

    def _settle(self) -> None:
        if self._exit is None or self._closed:
            return
        if self._eof:
            self._finish()
        elif self._timer is None:
            self._heard = False
            self._timer = asyncio.get_running_loop().call_later(self._linger, self._lingered)

    def _lingered(self) -> None:
        self._timer = None
        if self._heard or self._paused:
            self._settle()
        else:
            self._finish()

    def _finish(self) -> None:
        assert self._exit is not None
        self._cancel_timer()
        self._push(self._exit)
        self.over.set()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Running(ABC):
    """An adapter's running command: an `ExecStream` with the two steps that end it."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.detached = False
        self._writer: asyncio.Task[None] | None = None

    @property
    @abstractmethod
    def handle(self) -> str:
        """Re-attaches to it where the substrate can; else its process group on the host."""

    @abstractmethod
    async def write(self, data: bytes) -> None:
        """To stdin; returns when it is on its way. A program that closed its stdin loses it silently."""

    @abstractmethod
    async def close_stdin(self) -> None: ...

    @abstractmethod
    async def signal(self, name: str) -> None: ...

    @abstractmethod
    async def kill(self) -> None:
        """End the whole process group: TERM, a short grace, KILL. Bounded by the caller."""

    @abstractmethod
    async def close(self) -> None:
        """Give back what the command held on this computer."""

    def detach(self) -> None:
        self.detached = True

    def __aiter__(self) -> AsyncIterator[ExecEvent]:
        return self

    async def __anext__(self) -> ExecEvent:
        return await self.feed.next()

    def give(self, stdin: bytes) -> None:
        """Write all of `stdin` and its end while output is being read."""
        self._writer = asyncio.ensure_future(self._give(stdin))

    async def _give(self, stdin: bytes) -> None:
        if stdin:
            await self.write(stdin)
        await self.close_stdin()

    async def stop_giving(self) -> None:
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)


@asynccontextmanager
async def leash(running: Running) -> AsyncIterator[Running]:
    """Yield `running`; on the way out kill what still runs, unless detached, and give everything back."""
    try:
        yield running
    finally:
        await _shielded(_end(running))


async def _end(running: Running) -> None:
    try:
        await running.stop_giving()
        if not running.detached and not running.feed.over.is_set():
            with suppress(TimeoutError, AmtuiError, OSError):
                async with asyncio.timeout(KILL_BOUND):
                    await running.kill()
    finally:
        running.feed.close()
        await running.close()


async def _shielded(work: Awaitable[None]) -> None:
    """Finish `work` even when this task is cancelled meanwhile; then let the cancellation through."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as stop:
            if task.cancelled():
                raise
            cancelled = stop
    if cancelled is not None:
        raise cancelled
    task.result()


class _Kept:
    """The first `limit` bytes of a stream."""

    def __init__(self, limit: int) -> None:
        self.data = bytearray()
        self.truncated = False
        self._limit = limit

    def add(self, data: bytes) -> None:
        room = self._limit - len(self.data)
        self.data += data[:room] if room > 0 else b""
        self.truncated |= len(data) > room


async def collect(
    stream_exec: Callable[[Command], AbstractAsyncContextManager[Running]], command: Command, *, provider: str
) -> ExecResult:
    """Run `command` to its end. Raises `ExecTimeout` with what was printed, after the group was killed."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    kept = {"stdout": _Kept(command.max_output), "stderr": _Kept(command.max_output)}
    end: Exit | None = None
    started = False
    try:
        async with asyncio.timeout(command.timeout), stream_exec(command) as running:
            async for event in running:
                if isinstance(event, Output):
                    kept[event.stream].add(event.data)
                elif isinstance(event, Exit):
                    end = event
                elif isinstance(event, Started):
                    started = True
    except TimeoutError:
        raise _late(
            command, provider, started, bytes(kept["stdout"].data), bytes(kept["stderr"].data)
        ) from None
    assert end is not None
    return ExecResult(
        stdout=bytes(kept["stdout"].data),
        stderr=bytes(kept["stderr"].data),
        exit_code=end.code,
        signal=end.signal,
        truncated=kept["stdout"].truncated or kept["stderr"].truncated,
        duration=loop.time() - began,
    )


def _late(command: Command, provider: str, started: bool, stdout: bytes, stderr: bytes) -> AmtuiError:
    if not started:
        return Unreachable(
            f"no answer within {command.timeout:g} s; nothing was started", provider=provider, op="exec"
        )
    return ExecTimeout(
        f"a command did not end within {command.timeout:g} s and was stopped",
        "it may be waiting for input, or the host is slow",
        provider=provider,
        stdout=stdout,
        stderr=stderr,
    )


def checked(command: Command, *, provider: str) -> Command:
    """`command` itself; raises `Invalid` for what no system can run."""
    if isinstance(command.argv, str) or not command.argv or not command.argv[0]:
        raise Invalid("a command needs a program and arguments", provider=provider, op="exec")
    words = [*command.argv, command.cwd or "", *command.env, *command.env.values()]
    if any("\0" in word for word in words):
        raise Invalid("a NUL byte cannot be part of a command", provider=provider, op="exec")
    if any(not name or "=" in name for name in command.env):
        raise Invalid("an environment variable needs a name without =", provider=provider, op="exec")
    return command
