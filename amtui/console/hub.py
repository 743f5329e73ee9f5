"""One hub per process: one session for each followed console, shared by any number of views.

A view gets a handle. A view handle has no way to type, paste or resize: authority is the type of the object.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from typing import Final, Literal, overload
from weakref import WeakKeyDictionary

from amtui.console.config import HISTORY_LIMIT
from amtui.console.input import unbracketed
from amtui.console.lines import Lines
from amtui.console.session import Session
from amtui.console.status import ConsoleStatus, Link, Timing
from amtui.console.tail import Tail
from amtui.emulator import Screen
from amtui.errors import AmtuiError
from amtui.model import MAIN_CONSOLE, Authority
from amtui.providers.base import Place, Provider

_log: Final = logging.getLogger(__name__)
Key = tuple[str, str, str]


class _Followed:
    """A session, its tail and who looks at it."""

    def __init__(self, session: Session, lines: Lines) -> None:
        self.session = session
        self.tail = Tail(session, lines)
        self.handles: set[ConsoleHandle] = set()
        self.task = asyncio.ensure_future(self.tail.run())
        self.task.add_done_callback(self._over)

    def looked_at(self) -> None:
        """Handles came, went, were shown or hidden."""
        self.tail.want(
            seen=any(handle.visible for handle in self.handles),
            typing=any(isinstance(handle, TypingHandle) for handle in self.handles),
        )

    async def close(self) -> None:
        """End it, with everything it runs on any host."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    def _over(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a console session failed", exc_info=error)
            self.session.set_link(
                Link.STALE, f"amtui made a mistake here ({type(error).__name__}); reopen the console"
            )


class ConsoleHandle:
    """One view of a console. The screen is shared: read it, never feed it."""

    def __init__(self, hub: Hub, key: Key, followed: _Followed) -> None:
        self._hub = hub
        self._key = key
        self._followed = followed
        self._session = followed.session
        self._visible = True
        self._unlisten: set[Callable[[], None]] = set()

    @property
    def screen(self) -> Screen:
        return self._session.screen

    @property
    def status(self) -> ConsoleStatus:
        return self._session.status

    @property
    def visible(self) -> bool:
        """Whether this view is on screen. A console that no view shows is not followed."""
        return self._visible

    @visible.setter
    def visible(self, visible: bool) -> None:
        self._visible = visible
        self._followed.looked_at()

    def listen(self, call: Callable[[], None]) -> Callable[[], None]:
        """Call `call` on the loop when screen or status changed; returns what ends that."""
        stop = self._session.listen(call)
        self._unlisten.add(stop)
        return stop

    async def ready(self, timeout: float = 15.0) -> None:
        """Wait for the first picture. Raises TimeoutError, or `NotFound` when there is no such console."""
        await self._session.ready(timeout)

    async def history(self, first: int, count: int) -> int:
        """See to it that rows `first` … `first + count` stand in `screen.history`, as far as tmux has them.

        Rows are named by the screen's absolute numbers. Returns the number of the oldest row there is now; where
        output was lost a row `— output not kept —` stands. Raises what exec raises.
        """
        return await self._session.history(first)

    async def release(self) -> None:
        """This view is over; the last one ends the session."""
        for stop in self._unlisten:
            stop()
        self._unlisten.clear()
        await self._hub.released(self._key, self)


class TypingHandle(ConsoleHandle):
    """A view that may also type, paste and size the console."""

    def type(self, data: bytes, *, control: bool = False) -> None:
        """Keys, as the program expects them; never blocks. `control` marks keys that must not wait."""
        self._session.type(data, control=control)

    def paste(self, data: bytes) -> None:
        """Text of any size, bracketed when the program asked for that; never blocks."""
        self._session.paste(unbracketed(data))

    def forget_refused(self) -> None:
        """The operator has seen which keys no program got."""
        self._session.note(refused=b"", refusal="")

    async def resize(self, columns: int, rows: int) -> bool:
        """Size the console to this view; False when the size is another typist's for now."""
        return await self._session.resize(columns, rows)

    async def drain(self, timeout: float = 15.0) -> None:
        """Wait until everything typed was accepted or refused. Raises TimeoutError."""
        await self._session.drain(timeout)


class Hub:
    """The consoles this process follows. `clock` counts seconds and never jumps back."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        timing: Timing | None = None,
        history: int = HISTORY_LIMIT,
    ) -> None:
        self._clock = clock
        self._timing = timing or Timing()
        self._history = history
        self._followed: dict[Key, _Followed] = {}
        self._lines: WeakKeyDictionary[Provider, dict[str, Lines]] = WeakKeyDictionary()
        self._owner = secrets.token_hex(6)
        self._closed = False

    @overload
    async def open(
        self, place: Place, console: str = ..., authority: Literal[Authority.VIEW] = ...
    ) -> ConsoleHandle: ...

    @overload
    async def open(self, place: Place, console: str, authority: Literal[Authority.TYPE]) -> TypingHandle: ...

    @overload
    async def open(self, place: Place, console: str, authority: Authority) -> ConsoleHandle: ...

    async def open(
        self, place: Place, console: str = MAIN_CONSOLE, authority: Authority = Authority.VIEW
    ) -> ConsoleHandle:
        """A handle on a console; returns at once, `ready` waits for the first picture."""
        if self._closed:
            raise AmtuiError("amtui is closing")
        key = (place.host_id, place.socket, console)
        followed = self._followed.get(key)
        if followed is None:
            session = Session(
                place,
                console,
                clock=self._clock,
                timing=self._timing,
                history=self._history,
                owner=self._owner,
            )
            followed = self._followed[key] = _Followed(session, self._lines_to(place))
        kind = TypingHandle if authority is Authority.TYPE else ConsoleHandle
        handle = kind(self, key, followed)
        followed.handles.add(handle)
        followed.looked_at()
        return handle

    def _lines_to(self, place: Place) -> Lines:
        lines = self._lines.setdefault(place.provider, {})
        if place.host_id not in lines:
            lines[place.host_id] = Lines(place.provider.limits.max_parallel_exec)
        return lines[place.host_id]

    async def released(self, key: Key, handle: ConsoleHandle) -> None:
        """A handle is over."""
        followed = self._followed.get(key)
        if followed is None or handle not in followed.handles:
            return
        followed.handles.discard(handle)
        if followed.handles:
            followed.looked_at()
        else:
            del self._followed[key]
            await followed.close()

    async def aclose(self) -> None:
        """End every session; nothing of ours keeps running on any host."""
        self._closed = True
        followed, self._followed = list(self._followed.values()), {}
        await asyncio.gather(*(one.close() for one in followed))
