"""The ssh substrate: any host that `~/.ssh/config` knows, without anything installed or listening there.

Commands run through `ssh_shell` under the same environment allow-list as local ones; our deadline kills the
remote process group through a second session. A command that may have started is never run again.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Final

from amtui.errors import (
    AmtuiError,
    CapacityUnavailable,
    HostKeyUnknown,
    Refused,
    StateGone,
    StreamBroken,
    Unreachable,
    Unsupported,
)
from amtui.model import Host, HostState, Untrusted
from amtui.providers.base import (
    Account,
    Cap,
    Command,
    ExecResult,
    ExecStream,
    FileOps,
    Limits,
    Metrics,
    Purpose,
)
from amtui.providers.dial import Dialer, SecretStore
from amtui.providers.identities import Asker
from amtui.providers.running import Running, checked, collect, leash
from amtui.providers.sftp_files import SftpFiles
from amtui.providers.ssh_lane import Lane
from amtui.providers.ssh_link import STREAM_PATIENCE, Link, LinkLost, Links, SshRunning

_PROBE_TIMEOUT: Final = 20.0

_METRICS: Final = """
d=$1; while [ ! -d "$d" ]; do d=${d%/*}; d=${d:-/}; done
cat /proc/loadavg 2>/dev/null || echo -; echo
getconf _NPROCESSORS_ONLN 2>/dev/null || nproc 2>/dev/null || echo -
awk '/^MemTotal:/ { t = $2 } /^MemAvailable:/ { a = $2 } END { print t, a }' /proc/meminfo 2>/dev/null || echo -
cat /proc/uptime 2>/dev/null || echo -
df -Pk "$d" 2>/dev/null | awk 'END { print $2, $4 }'
"""


class SshProvider:
    """`Provider` for ssh hosts. A host id is what follows `ssh:`: an alias, `user@host` or `user@host:port`.

    `secrets` holds passphrases as `ssh:HOST`; `ask` asks the operator for one; `environ` replaces `os.environ`.
    """

    kind = "ssh"
    caps = Cap.LIST | Cap.STREAM | Cap.STDIN | Cap.SIGNAL | Cap.FILES | Cap.METRICS | Cap.BINARY_OUTPUT
    limits = Limits(max_parallel_exec=7)

    def __init__(
        self,
        *,
        secrets: SecretStore | None = None,
        ask: Asker | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._dialer = Dialer(environ=os.environ if environ is None else environ, secrets=secrets, ask=ask)
        self._links = Links(self._dialer.connect)
        self._homes: dict[str, str] = {}
        self._issued: dict[str, str] = {}
        self.files: FileOps = SftpFiles(self._link, self.exec)

    async def check(self, host_id: str | None = None) -> Account:
        if host_id is None:
            files = ", ".join(self._dialer.config_files()) or "no ssh configuration"
            return Account(identity=os.environ.get("USER", ""), notes=(files,))
        done = await self._ask_host(
            host_id, ["/bin/sh", "-c", "id -un; uname -sm; command -v tmux || echo no tmux"]
        )
        user, system, tmux = (
            Untrusted(line, host_id).for_line() for line in [*done.split(b"\n"), b"", b""][:3]
        )
        return Account(identity=f"{user}@{host_id}", notes=(system, tmux))

    async def accept_host_key(self, line: str) -> None:
        """Append the known_hosts line that a `HostKeyUnknown` of this provider carried.

        Raises `Refused` for any other line, and when the host has a key on file by now.
        """
        host_id = self._issued.get(line)
        if host_id is None:
            raise Refused(
                "that line was not offered by a host just now", "connect again and compare the fingerprint"
            )
        known = await self._dialer.known_hosts(host_id)
        await asyncio.to_thread(known.accept, line)
        del self._issued[line]

    async def provision(self, host_id: str, *, name: str, labels: Mapping[str, str], key: str) -> Host:
        await self.files.mkdir(host_id, await self.root(host_id), mode=0o700)
        return Host(id=host_id, substrate=f"ssh:{host_id}", state=HostState.READY, raw_state="connected")

    async def root(self, host_id: str) -> str:
        if host_id not in self._homes:
            home = await self._ask_host(host_id, ["/bin/sh", "-c", 'printf %s "$HOME"'])
            path = home.decode("utf-8", "replace")
            if not path.startswith("/") or not path.isprintable() or "\ufffd" in path:
                raise StateGone(
                    f"{host_id} has no usable home directory for this user", "check the account there"
                )
            self._homes[host_id] = path.rstrip("/")
        return f"{self._homes[host_id]}/.agent-machines"

    async def state(self, host_id: str) -> Host:
        state, raw, detail = HostState.READY, "connected", ""
        try:
            await self._ask_host(host_id, ["true"])
        except AmtuiError as error:
            state, raw, detail = HostState.UNREACHABLE, type(error).__name__, error.message
        return Host(id=host_id, substrate=f"ssh:{host_id}", state=state, raw_state=raw, detail=detail)

    async def list(self) -> AsyncIterator[Host]:
        """Aliases of the ssh configuration, without connecting to any."""
        for alias in await asyncio.to_thread(_aliases, self._dialer.config_files()):
            yield Host(id=alias, substrate=f"ssh:{alias}", state=HostState.UNKNOWN)

    async def wake(self, host_id: str, *, timeout: float = 180.0) -> Host:
        raise _not_ours("wake", host_id)

    async def sleep(self, host_id: str, *, timeout: float = 180.0) -> Host:
        raise _not_ours("sleep", host_id)

    async def destroy(self, host_id: str) -> None:
        raise _not_ours("destroy", host_id)

    async def exec(self, host_id: str, command: Command, *, purpose: Purpose = Purpose.USER) -> ExecResult:
        return await collect(lambda it: self._stream(host_id, it, live=False), command, provider=self.kind)

    def stream_exec(
        self, host_id: str, command: Command, *, purpose: Purpose = Purpose.USER
    ) -> AbstractAsyncContextManager[ExecStream]:
        return self._stream(host_id, command, live=True)

    async def metrics(self, host_id: str) -> Metrics:
        root = await self.root(host_id)
        return _metrics(await self._ask_host(host_id, ["/bin/sh", "-c", _METRICS, "sh", root]))

    async def aclose(self) -> None:
        await self._links.aclose()

    @asynccontextmanager
    async def _stream(self, host_id: str, command: Command, *, live: bool) -> AsyncIterator[Running]:
        checked(command, provider=self.kind)
        link, lane = await self._lane(host_id, live=live)
        try:
            try:
                running = SshRunning(link, lane, command)
            except BaseException:
                await link.give_back(lane)
                raise
            async with leash(running):
                if command.stdin is not None:
                    running.give(command.stdin)
                elif not live:
                    await running.close_stdin()
                yield running
        finally:
            if live:
                link.streams.release()

    async def _lane(self, host_id: str, *, live: bool) -> tuple[Link, Lane]:
        """A waiting shell on the host. One new connection is tried where the old one turns out dead."""
        for last in (False, True):
            link = await self._link(host_id)
            if live:
                await _stream_slot(link)
            try:
                return link, await link.take()
            except BaseException as error:
                if live:
                    link.streams.release()
                if isinstance(error, Unreachable):
                    await self._links.drop(link)
                if not isinstance(error, LinkLost):
                    raise
                await self._links.drop(link)
                if last:
                    break
        raise Unreachable(
            f"{host_id} closes every connection", "see what its sshd logs", provider="ssh", op="exec"
        )

    async def _link(self, host_id: str) -> Link:
        try:
            return await self._links.get(host_id)
        except HostKeyUnknown as error:
            self._issued[error.line] = host_id
            raise

    async def _ask_host(self, host_id: str, argv: Sequence[str]) -> bytes:
        """Output of a command that only reads, and so may be run again when the link broke under it."""
        command = Command(argv=argv, timeout=_PROBE_TIMEOUT, max_output=64 << 10)
        try:
            done = await self.exec(host_id, command)
        except StreamBroken:
            done = await self.exec(host_id, command)
        if not done.ok:
            raise StateGone(
                f"{host_id} does not run plain commands: {Untrusted(done.stderr, host_id).for_line()}",
                f"see what `ssh {host_id} true` says",
                provider="ssh",
                op="exec",
            )
        return done.stdout


async def _stream_slot(link: Link) -> None:
    try:
        async with asyncio.timeout(STREAM_PATIENCE):
            await link.streams.acquire()
    except TimeoutError:
        raise CapacityUnavailable(
            f"{link.host} carries as many live streams as one connection may",
            "close a console there; short commands still work",
            provider="ssh",
            op="stream",
        ) from None


def _not_ours(op: str, host_id: str) -> Unsupported:
    return Unsupported(
        f"{host_id} is your own host; amtui does not {op} it",
        f"`amtui {op} NAME` acts on the worker alone",
        provider="ssh",
        op=op,
    )


def _aliases(files: list[str]) -> list[str]:
    """Host names of the configuration that stand for one host, in order."""
    found: dict[str, None] = {}
    for name in files:
        with suppress(OSError), open(name, encoding="utf-8", errors="replace") as file:
            for line in file:
                words = line.replace("=", " ", 1).split()
                if words and words[0].lower() == "host":
                    found |= dict.fromkeys(word for word in words[1:] if not set(word) & set("*?!"))
    return list(found)


def _metrics(data: bytes) -> Metrics:
    """Lines: loadavg, empty, cores, memory total and available in KiB, uptime, disk total and free in KiB."""
    lines = [line.split() for line in data.decode("ascii", "replace").splitlines() if line.strip()]
    lines += [[]] * (5 - len(lines))
    load, cores, memory, uptime, disk = lines[:5]

    def number(words: list[str], at: int) -> float | None:
        try:
            value = float(words[at])
        except (ValueError, IndexError):
            return None
        return value if 0 <= value < 1e18 else None

    def kib(words: list[str], at: int) -> int | None:
        value = number(words, at)
        return None if value is None else int(value) * 1024

    count = number(cores, 0)
    return Metrics(
        load=number(load, 0),
        cores=None if count is None else int(count),
        memory_total=kib(memory, 0),
        memory_available=kib(memory, 1),
        disk_total=kib(disk, 0),
        disk_free=kib(disk, 1),
        uptime=number(uptime, 0),
    )
