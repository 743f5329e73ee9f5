"""One hub per process: one session for each followed console, shared by any number of views.

A view gets a handle. A view handle has no way to type, paste or resize: authority is the type of the object.
"""

from __future__ import annotations

import asyncio
import getpass
import logging
import re
import secrets
import socket
import time
from collections.abc import Callable
from typing import Final, Literal, overload
from weakref import WeakKeyDictionary

from amtui.console.config import HISTORY_LIMIT
from amtui.console.input import unbracketed
from amtui.console.lines import Lines
from amtui.console.roster import Listed
from amtui.console.session import Session
from amtui.console.status import ConsoleStatus, Link, Timing
from amtui.console.stir import Stir
from amtui.console.tail import Tail
from amtui.console.watch import Watch
from amtui.emulator import Screen
from amtui.errors import AmtuiError
from amtui.model import MAIN_CONSOLE, Authority
from amtui.providers.base import Place, Provider

_log: Final = logging.getLogger(__name__)
Key = tuple[str, str, str]


def _who() -> str:
    """The person at this computer, as others who watch the same console know them."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "somebody"
    whole = f"{user}@{socket.gethostname().partition('.')[0]}"
    return re.sub(r"[^A-Za-z0-9@_-]", "", whole)[:40]


class _Followed:
    """A session, its tail and who looks at it."""

    def __init__(
        self, session: Session, lines: Lines, stir: Stir, watch: Callable[[], ConsolesHandle]
    ) -> None:
        self.session = session
        self.tail = Tail(session, lines, stir)
        self.handles: set[ConsoleHandle] = set()
        self._watch = watch
        self._watched: ConsolesHandle | None = None
        self.task = asyncio.ensure_future(self.tail.run())
        self.task.add_done_callback(self._over)

    def looked_at(self) -> None:
        """Handles came, went, were shown or hidden."""
        seen = any(handle.visible for handle in self.handles)
        self.tail.want(seen=seen, typing=any(isinstance(handle, TypingHandle) for handle in self.handles))
        if seen or not self.handles:
            self._look_away()
        elif self._watched is None:
            self._watched = self._watch()
            self._watched.listen(self._noticed)
            self._noticed()

    def _look_away(self) -> None:
        """The state watch of a hidden console ends."""
        watched, self._watched = self._watched, None
        if watched is not None:
            watched.release()

    def _noticed(self) -> None:
        """What the state watch told of this console, which no view shows."""
        session, watched = self.session, self._watched
        if watched is None:
            return
        if watched.unreachable:
            session.set_link(Link.STALE, watched.error)
        if watched.listed is None or watched.error:
            return
        found = next((one for one in watched.listed if one.name == session.console), None)
        if found is None:
            session.end(f"no console {session.console}")
            return
        info = found.info
        status = info.status if info.dead else ""
        session.note(title=info.title, rang=found.rang, exit_status=status)
        if info.dead:
            session.set_link(Link.DEAD, f"the program exited{f' ({status})' if status else ''}")
        elif session.status.link in (Link.DEAD, Link.ENDED, Link.STALE):
            session.set_link(Link.LIVE)

    async def close(self) -> None:
        """End it, with everything it runs on any host."""
        self._look_away()
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
        """The operator has seen which keys no program got, or may not have read."""
        self._session.note(refused=b"", unread=b"", refusal="")

    async def resize(self, columns: int, rows: int) -> bool:
        """Size the console to this view; False when the size is another typist's for now."""
        return await self._session.resize(columns, rows)

    async def drain(self, timeout: float = 15.0) -> None:
        """Wait until everything typed was accepted or refused. Raises TimeoutError."""
        await self._session.drain(timeout)


class ConsolesHandle:
    """Somebody's interest in which consoles a worker has and what they do. Nothing is followed for it."""

    def __init__(self, watch: Watch, over: Callable[[ConsolesHandle], None]) -> None:
        self._watch = watch
        self._over = over
        self._unlisten: set[Callable[[], None]] = set()

    @property
    def listed(self) -> tuple[Listed, ...] | None:
        """The worker's consoles by number; None until its host has answered once."""
        return self._watch.listed

    @property
    def error(self) -> str:
        """Why the host does not answer now, or empty."""
        return self._watch.error

    @property
    def unreachable(self) -> bool:
        """The host itself does not answer, which is worse than a question it does not understand."""
        return self._watch.unreachable

    def listen(self, call: Callable[[], None]) -> Callable[[], None]:
        """Call `call` on the loop when a console came, went, exited, rang, or changed its program or title."""
        stop = self._watch.listen(call)
        self._unlisten.add(stop)
        return stop

    def refresh(self) -> None:
        """Look at once, because something was just changed."""
        self._watch.refresh()

    def release(self) -> None:
        """The interest is over; the last one ends the watch."""
        for stop in self._unlisten:
            stop()
        self._unlisten.clear()
        self._over(self)


class _Watched:
    """A watch, the task that runs it, and whose it is."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.handles: set[ConsolesHandle] = set()
        self.task = asyncio.ensure_future(watch.run())
        self.task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a watch of consoles failed", exc_info=error)


class Hub:
    """The consoles this process follows. `clock` counts seconds and never jumps back."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        timing: Timing | None = None,
        history: int = HISTORY_LIMIT,
        owner: str = "",
    ) -> None:
        """`owner` is who others are told has sized a console; empty: the user and this computer."""
        self._clock = clock
        self._timing = timing or Timing()
        self._history = history
        self._followed: dict[Key, _Followed] = {}
        self._watched: dict[tuple[str, str], _Watched] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._hosts: WeakKeyDictionary[Provider, dict[str, tuple[Lines, Stir]]] = WeakKeyDictionary()
        self._owner = f"{owner or _who()}.{secrets.token_hex(4)}"
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
            followed = self._followed[key] = _Followed(
                session, *self._lines_to(place), lambda: self.watch(place)
            )
        kind = TypingHandle if authority is Authority.TYPE else ConsoleHandle
        handle = kind(self, key, followed)
        followed.handles.add(handle)
        followed.looked_at()
        return handle

    def watch(self, place: Place) -> ConsolesHandle:
        """Interest in which consoles a worker has and what they do; one request at most rests on the host for it."""
        if self._closed:
            raise AmtuiError("amtui is closing")
        key = (place.host_id, place.socket)
        watched = self._watched.get(key)
        if watched is None:
            watch = Watch(place, self._lines_to(place)[0], self._timing, self._clock)
            watched = self._watched[key] = _Watched(watch)

        def over(handle: ConsolesHandle) -> None:
            watched.handles.discard(handle)
            if not watched.handles and self._watched.get(key) is watched:
                del self._watched[key]
                watched.task.cancel()
                self._ending.add(watched.task)
                watched.task.add_done_callback(self._ending.discard)

        handle = ConsolesHandle(watched.watch, over)
        watched.handles.add(handle)
        return handle

    def _lines_to(self, place: Place) -> tuple[Lines, Stir]:
        """The places for resting requests on a host, and who shares one of them."""
        hosts = self._hosts.setdefault(place.provider, {})
        if place.host_id not in hosts:
            lines = Lines(place.provider.limits.max_parallel_exec)
            hosts[place.host_id] = lines, Stir(lines, self._timing)
        return hosts[place.host_id]

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
        for watched in self._watched.values():
            watched.task.cancel()
        tasks = [*self._ending, *(watched.task for watched in self._watched.values())]
        self._watched.clear()
        await asyncio.gather(*tasks, return_exceptions=True)
        stirs = [stir for hosts in self._hosts.values() for _, stir in hosts.values()]
        await asyncio.gather(*(stir.aclose() for stir in stirs))
