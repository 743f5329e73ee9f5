"""The local substrate: this computer, no account, no key, no network.

Every command is a process group of its own in a new session, so that a deadline, a cancellation or an early
leave ends all of it. Without bwrap this is convenience, not isolation (`amtui.providers.confinement`).
"""

from __future__ import annotations

import asyncio
import getpass
import os
import platform
import shutil
import signal as signals
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Final, Literal

from amtui.errors import AmtuiError, Invalid, NotFound, Unsupported
from amtui.model import Host, HostState
from amtui.providers import confinement
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
from amtui.providers.environment import allow_list
from amtui.providers.faults import from_os
from amtui.providers.local_files import LocalFiles
from amtui.providers.running import Feed, Running, checked, collect, leash

HOST_ID: Final = "local"
Stream = Literal["stdout", "stderr"]
Pipes = tuple[tuple[Stream, IO[bytes] | None], ...]
_GRACE: Final = 1.0


class LocalProvider:
    """`Provider` for this computer. `root` is where workers live; `environ` replaces `os.environ`."""

    kind = "local"
    caps = Cap.LIST | Cap.STREAM | Cap.STDIN | Cap.SIGNAL | Cap.FILES | Cap.METRICS | Cap.BINARY_OUTPUT
    limits = Limits(max_parallel_exec=16)

    def __init__(self, root: str | Path, *, environ: Mapping[str, str] | None = None) -> None:
        self._root = os.path.abspath(root)
        self._environ = environ
        self.files: FileOps = LocalFiles()

    async def check(self, host_id: str | None = None) -> Account:
        self._known(host_id or HOST_ID)
        isolated = await asyncio.to_thread(confinement.available)
        note = "agents are confined with bwrap" if isolated else confinement.UNCONFINED
        return Account(identity=f"{_user()}@{platform.node()}", notes=(note,))

    async def provision(self, host_id: str, *, name: str, labels: Mapping[str, str], key: str) -> Host:
        await self.root(host_id)
        return await self.state(host_id)

    async def root(self, host_id: str) -> str:
        self._known(host_id)
        await self.files.mkdir(host_id, self._root, mode=0o700)
        return self._root

    async def state(self, host_id: str) -> Host:
        self._known(host_id)
        return Host(id=HOST_ID, substrate="local", state=HostState.READY, raw_state="here")

    async def list(self) -> AsyncIterator[Host]:
        yield await self.state(HOST_ID)

    async def wake(self, host_id: str, *, timeout: float = 180.0) -> Host:
        raise _not_ours("wake")

    async def sleep(self, host_id: str, *, timeout: float = 180.0) -> Host:
        raise _not_ours("sleep")

    async def destroy(self, host_id: str) -> None:
        raise _not_ours("destroy")

    async def exec(self, host_id: str, command: Command, *, purpose: Purpose = Purpose.USER) -> ExecResult:
        self._known(host_id)
        return await collect(lambda it: self._stream(it, live=False), command, provider=self.kind)

    def stream_exec(
        self, host_id: str, command: Command, *, purpose: Purpose = Purpose.USER
    ) -> AbstractAsyncContextManager[ExecStream]:
        """Run with live output. `stdin` given: written, then closed; None: open for `write`."""
        self._known(host_id)
        return self._stream(command, live=True)

    async def metrics(self, host_id: str) -> Metrics:
        self._known(host_id)
        return await asyncio.to_thread(_metrics, await self.root(host_id))

    async def aclose(self) -> None:
        return None

    @asynccontextmanager
    async def _stream(self, command: Command, *, live: bool) -> AsyncIterator[Running]:
        checked(command, provider=self.kind)
        running = self._spawn(command, live=live)
        async with leash(running):
            await running.connect()
            if command.stdin is not None:
                running.give(command.stdin)
            yield running

    def _spawn(self, command: Command, *, live: bool) -> _Child | _Unstarted:
        environ = os.environ if self._environ is None else self._environ
        env = allow_list(environ) | dict(command.env)
        cwd = _directory(command.cwd, env.get("HOME", "/"))
        program = command.argv[0]
        if "/" not in program:  # looked for here: execvp calls a PATH entry it may not search "not permitted"
            program = shutil.which(program, path=env["PATH"]) or ""
            if not program:
                return _Unstarted(command.argv[0], 127)
        pipe = subprocess.PIPE
        try:
            process = subprocess.Popen(
                command.argv,
                executable=program,
                stdin=pipe if live or command.stdin is not None else subprocess.DEVNULL,
                stdout=pipe,
                stderr=pipe,
                bufsize=0,
                env=env,
                cwd=cwd,
                start_new_session=True,
            )
        except OSError as error:
            return _Unstarted(command.argv[0], _unstartable(error, command.argv[0]))
        return _Child(process)

    def _known(self, host_id: str) -> None:
        if host_id != HOST_ID:
            raise NotFound(
                f"no host {host_id!r} here", "the local substrate has one host: local", provider="local"
            )


class _Stdin(asyncio.streams.FlowControlMixin, asyncio.BaseProtocol):
    """The writing end of a program's stdin, with asyncio's own flow control."""

    def __init__(self) -> None:
        super().__init__()
        self.lost = False

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        super().connection_lost(exc)

    async def drain(self) -> None:
        await self._drain_helper()  # type: ignore[attr-defined]


class _Reader(asyncio.Protocol):
    """The reading end of one output stream."""

    def __init__(self, child: _Child, stream: Stream) -> None:
        self._child = child
        self._stream = stream

    def data_received(self, data: bytes) -> None:
        self._child.feed.output(self._stream, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._child.ended(self._stream)


class _Child(Running):
    """A process group of this computer.

    Not asyncio's own subprocess: that hands a socket to stdin, which /dev/stdin cannot open, and kills a
    detached program when its transport is collected.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        super().__init__(Feed(self._flow))
        self._process = process
        self._readers: dict[str, asyncio.ReadTransport] = {}
        self._stdin: asyncio.WriteTransport | None = None
        self._flowing = _Stdin()
        self._open = {"stdout", "stderr"}
        self.feed.started(self.handle)
        _when_over(process, self._over)

    async def connect(self) -> None:
        """Follow its streams; awaited under the leash, so that a cancellation here kills it too."""
        process = self._process
        loop = asyncio.get_running_loop()
        if process.stdin is not None:
            self._stdin, _ = await loop.connect_write_pipe(lambda: self._flowing, process.stdin)
        pipes: Pipes = (("stdout", process.stdout), ("stderr", process.stderr))
        for stream, pipe in pipes:
            transport, _ = await loop.connect_read_pipe(partial(_Reader, self, stream), pipe)
            if stream in self._open:
                self._readers[stream] = transport

    @property
    def handle(self) -> str:
        return str(self._process.pid)

    def ended(self, stream: str) -> None:
        """One output stream is at its end."""
        self._readers.pop(stream, None)
        self._open.discard(stream)
        if not self._open:
            self.feed.eof()

    def _over(self) -> None:
        code = self._process.wait()
        if code < 0:
            self.feed.exited(None, _signal_name(-code))
        else:
            self.feed.exited(code, None)

    def _flow(self, go: bool) -> None:
        for transport in self._readers.values():
            transport.resume_reading() if go else transport.pause_reading()

    async def write(self, data: bytes) -> None:
        if self._stdin is None or self._stdin.is_closing():
            return
        self._stdin.write(data)
        with suppress(ConnectionError):  # the program closed its stdin: its right
            await self._flowing.drain()

    async def close_stdin(self) -> None:
        if self._stdin is not None:
            self._stdin.close()

    async def signal(self, name: str) -> None:
        self._send(signal_number(name))

    async def kill(self) -> None:
        if not self._send(signals.SIGTERM):
            return
        deadline = asyncio.get_running_loop().time() + _GRACE
        while asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)
            if not self._send(0) or not _living(self._process.pid):
                return
        self._send(signals.SIGKILL)
        with suppress(TimeoutError):
            await asyncio.wait_for(self.feed.gone.wait(), 1.0)

    async def close(self) -> None:
        if self._stdin is not None and not self._flowing.lost:
            self._stdin.abort()
        for transport in list(self._readers.values()):
            transport.close()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()  # those never connected; again for the others

    def _send(self, number: int) -> bool:
        """False when nobody of the group is left, or nobody we may signal."""
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True


def _living(group: int) -> bool:
    """False when nobody of `group` is left but the dead that init has not collected yet."""
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, IndexError):
            state, _, found = entry.read_text("ascii", "replace").rsplit(") ", 1)[1].split(" ", 3)[:3]
            if int(found) == group and state not in "ZX":
                return True
    return not os.path.exists("/proc/self/stat")


def _when_over(process: subprocess.Popen[bytes], call: Callable[[], None]) -> None:
    """Call `call` on the running loop once `process` has ended."""
    loop = asyncio.get_running_loop()
    try:
        watch = os.pidfd_open(process.pid)
    except (AttributeError, OSError):  # not Linux, or an old kernel
        threading.Thread(target=_wait_in_thread, args=(process, loop, call), daemon=True).start()
        return

    def ready() -> None:
        loop.remove_reader(watch)
        os.close(watch)
        call()

    loop.add_reader(watch, ready)


def _wait_in_thread(
    process: subprocess.Popen[bytes], loop: asyncio.AbstractEventLoop, call: Callable[[], None]
) -> None:
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    with suppress(RuntimeError):  # the loop is closed: nobody is interested any more
        loop.call_soon_threadsafe(call)


def _directory(wanted: str | None, home: str) -> str:
    """Where to run: `wanted`, else the home, else /. Raises `NotFound`."""
    if wanted is None:
        return home if os.path.isdir(home) else "/"
    if not os.path.isdir(wanted):
        raise NotFound(f"no such directory: {wanted}", "check the path", provider="local", op="exec")
    return wanted


class _Unstarted(Running):
    """A program that could not be started, told the way a shell tells it: 127 not found, 126 not runnable."""

    def __init__(self, program: str, code: int) -> None:
        super().__init__(Feed(lambda go: None))
        reason = "not found" if code == 127 else "cannot be run"
        self.feed.started("")
        self.feed.output("stderr", os.fsencode(f"{program}: {reason}\n"))
        self.feed.eof()
        self.feed.exited(code, None)

    @property
    def handle(self) -> str:
        return ""

    async def connect(self) -> None: ...

    async def write(self, data: bytes) -> None: ...

    async def close_stdin(self) -> None: ...

    async def signal(self, name: str) -> None: ...

    async def kill(self) -> None: ...

    async def close(self) -> None: ...


def signal_number(name: str) -> int:
    """Number of `TERM`, `KILL`, `INT`, …; raises `Invalid` for another word."""
    try:
        return signals.Signals[f"SIG{name}"].value
    except KeyError:
        raise Invalid(
            f"no signal {name!r}", "use TERM, KILL, INT or HUP", provider="local", op="signal"
        ) from None


def _signal_name(number: int) -> str:
    try:
        return signals.Signals(number).name.removeprefix("SIG")
    except ValueError:
        return str(number)


def _unstartable(error: OSError, program: str) -> int:
    """Exit code for a program that is missing or not executable; raises for a system without room."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return 127
    if isinstance(error, PermissionError) or error.errno == 8:  # ENOEXEC
        return 126
    raise from_os(error, program, provider="local", op="exec") from error


def _not_ours(op: str) -> AmtuiError:
    return Unsupported(
        f"this computer is not amtui's to {op}",
        f"`amtui {op} NAME` acts on the worker alone",
        provider="local",
        op=op,
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _metrics(root: str) -> Metrics:
    load = memory = available = uptime = None
    with suppress(OSError):
        load = os.getloadavg()[0]
    with suppress(OSError, ValueError, IndexError):
        facts = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        memory = int(facts["MemTotal"].split()[0]) * 1024
        available = int(facts.get("MemAvailable", facts["MemFree"]).split()[0]) * 1024
    with suppress(OSError, ValueError, IndexError):
        uptime = float(Path("/proc/uptime").read_text().split()[0])
    disk = os.statvfs(root)
    return Metrics(
        load=load,
        cores=os.cpu_count(),
        memory_total=memory,
        memory_available=available,
        disk_total=disk.f_blocks * disk.f_frsize,
        disk_free=disk.f_bavail * disk.f_frsize,
        uptime=uptime,
    )
