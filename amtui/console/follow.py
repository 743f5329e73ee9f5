"""Frames over what a substrate offers: one long stream (L3, L2), one long poll after another (L1), looks (L0)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Final

from amtui.console import helper
from amtui.console.input import Outbox
from amtui.console.lines import rest_for
from amtui.console.protocol import FailureFrame, Frame, FrameReader
from amtui.console.session import Session
from amtui.console.stir import Stir
from amtui.errors import StreamBroken
from amtui.providers.base import Command, ExecStream, Exit, Output, Purpose

QUIET: Final = 3
"""Heartbeats of ours that the host may miss before it ends what rests there for us."""
SOON: Final = 0.05
"""L0: seconds to the next look after a key or a change."""
LATE: Final = 5.0
"""L0: most seconds between two looks."""
SLOWER: Final = 1.3
"""L0: how much longer each pause is in which nothing changed."""


def command(session: Session, verb: str, *words: str) -> Command:
    """A request that rests on the host, as a command without an end."""
    argv = helper.request_argv(session.place, session.console, verb, *words)
    return Command(argv=argv, timeout=None, max_output=1 << 62)


async def frames(stream: ExecStream, silence: float) -> AsyncIterator[Frame]:
    """Frames of a stream until it ends; raises `StreamBroken` when nothing at all comes for `silence` seconds."""
    reader = FrameReader()
    events = stream.__aiter__()
    while True:
        try:
            async with asyncio.timeout(silence):  # wait_for may swallow a cancellation
                event = await anext(events)
        except TimeoutError:
            raise StreamBroken(f"silent for {silence:.0f} s", op="console") from None
        except StopAsyncIteration:
            return
        if isinstance(event, Exit):
            return
        if isinstance(event, Output) and event.stream == "stdout":
            for frame in reader.feed(event.data):
                yield frame


async def follow_duplex(session: Session) -> None:
    """L3: output of one long exec, which ends when we are silent. Never returns; raises what ended it."""
    beat = session.timing.beat
    async with _stream(session, beat, QUIET * beat, 0) as stream:
        pulse = asyncio.ensure_future(_pulse(stream, beat))
        try:
            await _follow(session, stream, 2 * beat + 5.0)
        finally:
            pulse.cancel()
    raise StreamBroken("the stream ended", op="console")


async def follow_stream(session: Session) -> None:
    """L2: the same without stdin. Nothing tells the host that we are gone, so each exec has a set life.

    Never returns; raises what ended it.
    """
    life, beat = resting(session), session.timing.beat
    while True:
        began = session.clock()
        async with _stream(session, min(beat, life), 0, life) as stream:
            await _follow(session, stream, 2 * beat + 5.0)
        if session.clock() - began < life - 1:
            raise StreamBroken("the stream ended", op="console")


def _stream(session: Session, beat: int, quiet: int, life: int) -> AbstractAsyncContextManager[ExecStream]:
    assert session.position is not None
    at = session.position
    words = (str(at.generation), str(at.offset), str(beat), str(quiet), str(life))
    place = session.place
    return place.provider.stream_exec(
        place.host_id, command(session, "stream", *words), purpose=Purpose.CONSOLE
    )


async def _follow(session: Session, stream: ExecStream, silence: float) -> None:
    async for frame in frames(stream, silence):
        await take(session, frame)
        await session.room()


async def _pulse(stream: ExecStream, beat: float) -> None:
    """Tell the host that we are still there: a link that was cut tells it nothing, and what rests there must end."""
    while True:
        await asyncio.sleep(beat)
        await stream.write(b"\n")


async def follow_polls(session: Session) -> None:
    """L1: one exec at a time, each waiting on the host until there is something to say. Never returns."""
    while True:
        await _poll(session, resting(session))


def resting(session: Session) -> int:
    """Seconds that one request may rest on the host."""
    return rest_for(session.timing.poll, session.place.provider.limits.exec_cap)


async def follow_briskly(session: Session, until: Callable[[], bool], stir: Stir) -> None:
    """L1 where no request of ours may rest on the host: ask whenever another's tells that there is something.

    Until `until()` says there is room.
    """

    def server() -> str:
        return session.program[0].partition(".")[0] if session.program else ""

    with stir.seat(session.place, session.console, server) as seat:
        while not until():
            if await seat.stirred(session.timing.brisk):
                await _poll(session, 0)


async def follow_looks(session: Session, stirred: asyncio.Event) -> None:
    """L0: look again and again, soon after keys and changes, seldom where nothing moves. Never returns."""
    pause = SOON
    while True:
        at = session.position
        await _poll(session, 0)
        pause = SOON if session.position != at or stirred.is_set() else min(LATE, pause * SLOWER)
        stirred.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await stirred.wait()


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
