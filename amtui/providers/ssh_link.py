"""One ssh connection per host, and the few sessions it may carry.

sshd allows 10 sessions a connection; we use at most 8: seven for commands and files, one kept free for killing.
A session is a `Lane`: a waiting shell (`ssh_shell`) that becomes one command. Two lanes are opened ahead while
there is room, so that a command costs one round trip.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, TypeVar

import asyncssh

from amtui.errors import (
    AmtuiError,
    CapacityUnavailable,
    Unreachable,
    Unsupported,
)
from amtui.providers import ssh_shell
from amtui.providers.base import Command
from amtui.providers.dial import dial_error
from amtui.providers.running import Feed, Running
from amtui.providers.ssh_lane import Lane

SESSIONS: Final = 8
STREAMS: Final = 5
"""Of them, how many may be live streams, which can last for days."""
AHEAD: Final = 2
OPEN_TIMEOUT: Final = 30.0
BUSY_TIMEOUT: Final = 20.0
STREAM_PATIENCE: Final = 5.0

_T = TypeVar("_T")

_ADMINISTRATIVE: Final = 1
_REQUEST_REFUSED: Final = 0xFFFFFFFF
_CLOSE_TIMEOUT: Final = 2.0
_TURN: Final = 0.005
_CROWDED: Final = 10.0
"""Seconds without opening lanes ahead after the server had no room."""

# No -- before the group: dash and busybox take it for a number.
_KILL: Final = """
kill -TERM "$1" 2>/dev/null || exit 0
i=0
while [ "$i" -lt 10 ]; do
  kill -0 "$1" 2>/dev/null || exit 0
  sleep 0.1 2>/dev/null || sleep 1
  i=$((i + 1))
done
kill -KILL "$1" 2>/dev/null
exit 0
"""


class LinkLost(Exception):
    """The connection is gone and nothing was started on it: another may be tried."""


class _Busy(Exception):
    """The server has no room for one more session on this connection."""


class Link:
    """A logged-in connection and its sessions."""

    def __init__(self, host: str, connection: asyncssh.SSHClientConnection) -> None:
        self.host = host
        self.connection = connection
        self.slots = asyncio.Semaphore(SESSIONS - 1)
        self.streams = asyncio.Semaphore(STREAMS)
        self._crowded_until = 0.0
        self._control = asyncio.Lock()
        self._idle: list[Lane] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._sftp: asyncssh.SFTPClient | None = None
        self._sftp_lock = asyncio.Lock()
        self.without_sftp = False

    @property
    def closed(self) -> bool:
        return self.connection.is_closed()

    async def take(self) -> Lane:
        """A waiting shell and a slot for it; `give_back` returns the slot. Raises `LinkLost`."""
        lane = self._ahead()
        if lane is None:
            await self.slots.acquire()
            try:
                lane = await self._patiently(self._open, instead=self._ahead_and_slot)
            except BaseException:
                self.slots.release()
                raise
        self._open_ahead()
        return lane

    async def give_back(self, lane: Lane, *, detached: bool = False) -> None:
        """The command is over or left: close its session, then free its slot."""
        try:
            if detached:  # the server keeps the session until the command ends
                lane.channel.close()
            else:
                await self._shut(lane)
        finally:
            # sshd frees a session on its next turn: a request that reaches it together with our close comes
            # too early.
            asyncio.get_running_loop().call_later(_TURN, self.slots.release)

    async def kill(self, group: str) -> None:
        """TERM, a second's grace, KILL for a process group, through the session kept free for it."""
        async with self._control:
            await self._run_control(["/bin/sh", "-c", _KILL, "sh", f"-{group}"])

    async def signal(self, group: str, name: str) -> None:
        async with self._control:
            await self._run_control(["/bin/sh", "-c", 'kill "-$1" "$2"', "sh", name, f"-{group}"])

    async def sftp(self) -> asyncssh.SFTPClient | None:
        """The one shared SFTP session; None where the host offers none."""
        async with self._sftp_lock:
            if self._sftp is None and not self.without_sftp:
                await self.slots.acquire()
                try:
                    async with asyncio.timeout(OPEN_TIMEOUT):
                        self._sftp = await self._patiently(
                            lambda: self._session(self.connection.start_sftp_client)
                        )
                except (Unsupported, asyncssh.SFTPError):
                    self.without_sftp = True
                finally:
                    if self._sftp is None:
                        self.slots.release()
            return self._sftp

    async def aclose(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.connection.close()
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await self.connection.wait_closed()
        except TimeoutError:
            self.connection.abort()

    def _ahead(self) -> Lane | None:
        while self._idle:
            lane = self._idle.pop(0)
            if lane.waiting:
                return lane
            self.slots.release()
        return None

    def _ahead_and_slot(self) -> Lane | None:
        """A lane opened ahead, for one who holds a slot already."""
        lane = self._ahead()
        if lane is not None:
            self.slots.release()
        return lane

    def _open_ahead(self) -> None:
        if asyncio.get_running_loop().time() < self._crowded_until:
            return
        wanted = AHEAD - len(self._idle) - len(self._tasks)
        room = self.slots._value - len(self._tasks) - 2
        for _ in range(min(wanted, room)):
            task = asyncio.ensure_future(self._prepare())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _prepare(self) -> None:
        """Open one lane ahead; whatever goes wrong will be told to the one who needs a lane."""
        await self.slots.acquire()
        lane: Lane | None = None
        try:
            with suppress(LinkLost, AmtuiError, _Busy):
                lane = await self._open()
        finally:
            if lane is None:
                self.slots.release()
        if lane is None:
            return
        if self.slots.locked():  # somebody waits for a slot, not for this lane
            await self.give_back(lane)
        else:
            self._idle.append(lane)

    async def _open(self) -> Lane:
        lane = Lane(self.host)
        command = ssh_shell.opening(lane.nonce)
        opening = asyncio.ensure_future(
            self._session(lambda: self.connection.create_session(lambda: lane, command, encoding=None))
        )
        try:
            async with asyncio.timeout(OPEN_TIMEOUT):
                await asyncio.shield(opening)
                await lane.ready
        except TimeoutError:
            self._drop(lane, opening)
            raise Unreachable(
                f"{self.host} does not answer on its connection",
                "it may be overloaded, or the network is gone",
                provider="ssh",
                op="exec",
            ) from None
        except asyncssh.Error as error:
            if self.closed:
                raise LinkLost from error
            raise dial_error(self.host, error) from error
        except BaseException:
            self._drop(lane, opening)
            raise
        return lane

    def _drop(self, lane: Lane, opening: asyncio.Future[Any]) -> None:
        """Close a session that may still be on its way to being opened."""
        if opening.done():
            if hasattr(lane, "channel"):
                lane.channel.abort()
        else:
            opening.add_done_callback(lambda done: _abort(lane, done))

    async def _session(self, opening: Callable[[], Awaitable[_T]]) -> _T:
        """Open one session. Raises `_Busy` where the server has no room for one more, `LinkLost`, `Unsupported`."""
        try:
            return await opening()
        except asyncssh.ChannelOpenError as error:
            if self.closed:
                raise LinkLost from error
            if error.code not in (_REQUEST_REFUSED, _ADMINISTRATIVE):
                self._crowded_until = asyncio.get_running_loop().time() + _CROWDED
                raise _Busy from error
            raise Unsupported(
                f"{self.host} does not let this account run commands",
                "sshd there may have ForceCommand or MaxSessions 0",
                provider="ssh",
                op="exec",
                code=str(error.code),
            ) from error
        except (asyncssh.DisconnectError, OSError) as error:
            raise LinkLost from error

    async def _patiently(
        self, opening: Callable[[], Awaitable[_T]], *, instead: Callable[[], _T | None] = lambda: None
    ) -> _T:
        """Open a session, backing off while the server has no room; or take what `instead` finds meanwhile."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + BUSY_TIMEOUT
        delay = 0.05
        while True:
            try:
                return await opening()
            except _Busy:
                if loop.time() + delay > deadline:
                    raise CapacityUnavailable(
                        f"{self.host} allows no further session on one connection",
                        "close a console, or raise MaxSessions in its sshd_config",
                        provider="ssh",
                        op="exec",
                    ) from None
            await asyncio.sleep(delay * (0.5 + secrets.randbelow(1000) / 1000))
            found = instead()
            if found is not None:
                return found
            delay = min(delay * 2, 2.0)

    async def _run_control(self, argv: list[str]) -> None:
        if self.closed:
            return
        idle = self._ahead()
        try:
            lane = idle if idle is not None else await self._patiently(self._open)
        except LinkLost:
            return
        try:
            feed = Feed(lambda go: None)
            lane.request(Command(argv=argv), feed)
            lane.channel.write_eof()
            await feed.over.wait()
        finally:
            await self._shut(lane)
            if idle is not None:
                self.slots.release()

    async def _shut(self, lane: Lane) -> None:
        if lane.waiting:
            lane.channel.write_eof()  # it ends by itself; sshd counts a session until its shell has ended
        else:
            lane.channel.close()
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await lane.gone.wait()
        except TimeoutError:
            lane.channel.abort()


class SshRunning(Running):
    """A process group on an ssh host."""

    def __init__(self, link: Link, lane: Lane, command: Command) -> None:
        super().__init__(Feed(self._flow))
        self._link = link
        self._lane = lane
        lane.request(command, self.feed)

    @property
    def handle(self) -> str:
        return self._lane.group or self._lane.nonce

    async def write(self, data: bytes) -> None:
        if self._lane.gone.is_set() or self._lane.channel.is_closing():
            return
        with suppress(BrokenPipeError, OSError):
            self._lane.channel.write(data)
        await self._lane.writable.wait()

    async def close_stdin(self) -> None:
        if not self._lane.gone.is_set():
            with suppress(BrokenPipeError, OSError):
                self._lane.channel.write_eof()

    async def signal(self, name: str) -> None:
        if self._lane.group and self.feed.exit is None:
            await self._link.signal(self._lane.group, name)

    async def kill(self) -> None:
        if self._lane.group:
            await self._link.kill(self._lane.group)

    async def close(self) -> None:
        await self._link.give_back(self._lane, detached=self.detached and not self.feed.gone.is_set())

    def _flow(self, go: bool) -> None:
        if not self._lane.gone.is_set():
            self._lane.channel.resume_reading() if go else self._lane.channel.pause_reading()


def _abort(lane: Lane, opening: asyncio.Future[Any]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        lane.channel.abort()


class Links:
    """One `Link` per host, made when needed, one at a time per host."""

    def __init__(self, connect: Callable[[str], Awaitable[asyncssh.SSHClientConnection]]) -> None:
        self._connect = connect
        self._links: dict[str, Link] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def get(self, host: str) -> Link:
        """The live link to `host`. Raises what connecting raises."""
        async with self._locks.setdefault(host, asyncio.Lock()):
            link = self._links.get(host)
            if link is None or link.closed:
                if link is not None:
                    await link.aclose()
                link = self._links[host] = Link(host, await self._connect(host))
            return link

    async def drop(self, link: Link) -> None:
        """Forget a link that does not answer."""
        if self._links.get(link.host) is link:
            del self._links[link.host]
        link.connection.abort()
        await link.aclose()

    async def aclose(self) -> None:
        links, self._links = list(self._links.values()), {}
        await asyncio.gather(*(link.aclose() for link in links))
