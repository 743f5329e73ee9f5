"""Consoles that are looked at where no request of their own may rest on the host: one request tells which printed.

A host carries only so many commands beside each other. With more consoles in view than that, those that go without
share one that rests for all of them, of whichever workers; only a console that printed something is asked for it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import resources
from typing import Final

from amtui.console.lines import PATIENCE, Lines, Shared, rest_for
from amtui.console.status import Timing
from amtui.errors import AmtuiError, ProtocolError
from amtui.providers.base import Place, Purpose

_NAP: Final = 0.5
"""Seconds between two looks at the logs, on the host."""
_LOG: Final = re.compile(rb" *([0-9]{1,16}) (/.*)/log\.([0-9]{1,16})\Z")


class Seat:
    """One console that waits with the others."""

    def __init__(self, place: Place, console: str, server: Callable[[], str]) -> None:
        self.place = place
        self.folder = place.run(console)
        self.server = server
        """Pid of its tmux server, or empty."""
        self.sizes: frozenset[tuple[bytes, bytes]] | None = None
        """Its logs, each with its size, as last told."""
        self._stirred = asyncio.Event()
        self._stirred.set()

    def stir(self) -> None:
        """It may have printed something."""
        self._stirred.set()

    async def stirred(self, patience: float) -> bool:
        """Wait so long until it may have printed something; True when it has to be asked, which is the caller's."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._stirred.wait()
        was = self._stirred.is_set()
        self._stirred.clear()
        return was


class Stir:
    """The request that rests on one host for all consoles there which have none of their own."""

    def __init__(self, lines: Lines, timing: Timing) -> None:
        self._timing = timing
        self._seats: set[Seat] = set()
        self._rest = Shared(lines)
        """Up also when seats changed."""
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def seat(self, place: Place, console: str, server: Callable[[], str]) -> Iterator[Seat]:
        """Wait with the others, for as long as the context lasts. `server` gives the pid of its tmux server."""
        seat = Seat(place, console, server)
        self._seats.add(seat)
        self._rest.up.set()
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._run())
        try:
            yield seat
        finally:
            self._seats.discard(seat)
            self._rest.up.set()

    async def aclose(self) -> None:
        """End what rests."""
        self._seats.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        """While anybody waits. Where nothing can rest, each is told to ask for itself."""
        mark = b"none"
        lonely = False
        try:
            while self._seats:
                if self._rest.held and lonely and len(self._seats) == 1:
                    # What one console has no use for sharing, it may have for itself: it looks whether a place is free.
                    self._rest.give()
                    await asyncio.sleep(2 * self._timing.brisk)
                    lonely = False
                    continue
                held = await self._rest.take()
                self._rest.up.clear()
                told = None
                if held:
                    with suppress(AmtuiError, TimeoutError, OSError):
                        told = await self._look(tuple(self._seats), mark)
                lonely = told is not None and len(self._seats) == 1
                if told is not None:
                    mark = told
                elif not self._rest.up.is_set():
                    mark = b"none"
                    for seat in self._seats:
                        seat.stir()
                await asyncio.sleep(self._timing.brisk)
        finally:
            self._rest.give()

    async def _look(self, seats: tuple[Seat, ...], mark: bytes) -> bytes | None:
        """One request: the new mark, or None when it was called off."""
        place = seats[0].place
        rest = rest_for(self._timing.watch, place.provider.limits.exec_cap)
        if len(seats) == 1:
            rest = min(rest, int(PATIENCE))
        folders = sorted({seat.folder for seat in seats})
        pids = " ".join(sorted({seat.server() for seat in seats}))
        argv = [
            "/bin/sh",
            "-c",
            _script(),
            "amtui-stir",
            str(int(rest / _NAP)),
            str(_NAP),
            mark.decode(),
            pids,
            *folders,
        ]
        timeout = rest + self._timing.deadline
        done = await self._rest.unless_up(place.exec(argv, timeout=timeout, purpose=Purpose.CONSOLE))
        if done is None:
            return None
        lines = done.stdout.strip(b"\n").split(b"\n")
        if not re.fullmatch(rb"[0-9a-f]{1,64}", lines[0]):
            raise ProtocolError("the host did not say what its consoles printed", op="console")
        self._compare(seats, lines[1:])
        return lines[0]

    def _compare(self, seats: tuple[Seat, ...], lines: list[bytes]) -> None:
        sizes: dict[bytes, set[tuple[bytes, bytes]]] = {}
        gone = {line.removeprefix(b"gone ") for line in lines if line.startswith(b"gone ")}
        for line in lines:
            if found := _LOG.match(line):
                sizes.setdefault(found[2], set()).add((found[3], found[1]))
        for seat in seats:
            now = frozenset(sizes.get(seat.folder.encode(), ()))
            if (pid := seat.server().encode()) in gone:
                now |= {(b"gone", pid)}
            if now != seat.sizes:
                seat.sizes = now
                seat.stir()


@cache
def _script() -> str:
    return resources.files("amtui.console").joinpath("remote/stir.sh").read_text(encoding="utf-8")
