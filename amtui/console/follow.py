"""Frames over what a substrate offers: one long stream (L3), or one long poll after another (L1)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

from amtui.console import helper
from amtui.console.input import Outbox
from amtui.console.protocol import FailureFrame, Frame, FrameReader
from amtui.console.session import Session
from amtui.errors import StreamBroken
from amtui.providers.base import Cap, Command, ExecStream, Exit, Output, Purpose

QUIET: Final = 3
"""Heartbeats of ours that the host may miss before it ends what rests there for us."""
DUPLEX: Final = Cap.STREAM | Cap.STDIN | Cap.BINARY_OUTPUT


def best_level(session: Session) -> str:
    """`L3` where the substrate has a live channel in both directions, else `L1`."""
    return "L3" if DUPLEX in session.place.provider.caps else "L1"


def command(session: Session, verb: str, *words: str) -> Command:
    """A request that rests on the host, as a command without an end."""
    argv = helper.request_argv(session.place, session.console, verb, *words)
    return Command(argv=argv, timeout=None, max_output=1 << 62)


async def frames(stream: ExecStream, silence: float) -> AsyncIterator[Frame]:
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
    words = (str(at.generation), str(at.offset), str(beat), str(QUIET * beat))
    asked = command(session, "stream", *words)
    provider, host = session.place.provider, session.place.host_id
    async with provider.stream_exec(host, asked, purpose=Purpose.CONSOLE) as stream:
        pulse = asyncio.ensure_future(_pulse(stream, beat))
        try:
            async for frame in frames(stream, 2 * beat + 5.0):
                await take(session, frame)
                await session.room()
        finally:
            pulse.cancel()


async def _pulse(stream: ExecStream, beat: float) -> None:
    """Tell the host that we are still there: a link that was cut tells it nothing, and what rests there must end."""
    while True:
        await asyncio.sleep(beat)
        await stream.write(b"\n")


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
        await take(session, frame)
    await session.room()


async def take(session: Session, frame: Frame, asked: Outbox | None = None) -> None:
    """Give a frame to the session; ask again for what it misses. Raises the error of an `E` frame.

    `asked` is the stream of keys that the request was about.
    """
    if isinstance(frame, FailureFrame):
        raise helper.failure(frame.reason, session.console)
    if session.apply(frame, asked):
        await session.resync()
