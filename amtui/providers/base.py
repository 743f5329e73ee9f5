"""What a substrate must offer, and nothing more: `exec` is the only primitive amtui builds on.

The rules every adapter keeps (docs/architecture.md): bytes inside; our own deadlines, enforced by killing the
remote process group; state and list never wake, extend or cost; a started stream is re-attached or reported,
never re-run; capabilities are honest.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import Flag, StrEnum, auto
from typing import Literal, Protocol, TypeAlias

from amtui.model import Host, HostState


class Cap(Flag):
    """What a substrate can really do; asking for anything else is an `Unsupported` that says why."""

    PROVISION = auto()
    """Hosts are created and destroyed on demand; without it hosts exist before and after their workers."""
    SLEEP = auto()
    WAKE = auto()
    LIST = auto()
    STREAM = auto()
    """stdout arrives while the command runs."""
    STDIN = auto()
    """stdin can be written while the command runs (with STREAM: a duplex channel)."""
    SIGNAL = auto()
    REATTACH = auto()
    FILES = auto()
    METRICS = auto()
    EXEC_WAKES = auto()
    """An exec wakes the host or counts as activity, so probes need care."""
    MEMORY_SURVIVES = auto()
    """Processes survive sleep."""
    BINARY_OUTPUT = auto()
    """stdout carries any byte unharmed; without it replies travel in base64."""
    LEASE = auto()


class Purpose(StrEnum):
    """Why an exec is made; decides whether it may wake a host or count as activity."""

    USER = "user"
    CONSOLE = "console"
    PROBE = "probe"
    KEEPALIVE = "keepalive"


@dataclass(frozen=True, slots=True)
class Command:
    """One program to run on a host.

    `argv` is run as it is: no login shell, no word splitting. Its environment is the provider's allow-list
    (see `amtui.providers.environment`) plus `env`, which must never hold a secret: other users of the host
    can read it. `timeout` is in seconds, None for no deadline; `max_output` bounds each stream in bytes.
    """

    argv: Sequence[str]
    cwd: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes | None = None
    timeout: float | None = 60.0
    max_output: int = 8 << 20


@dataclass(frozen=True, slots=True)
class ExecResult:
    """How a command ended. A non-zero exit is a result, not an exception."""

    stdout: bytes
    stderr: bytes
    exit_code: int | None
    """None when a signal ended it."""
    signal: str | None = None
    """Name without SIG, as `TERM`."""
    truncated: bool = False
    duration: float = 0.0

    @property
    def ok(self) -> bool:
        """True when the program ran to its end and said 0."""
        return self.exit_code == 0


@dataclass(frozen=True, slots=True)
class Started:
    """The command runs; `handle` re-attaches to it where the substrate can."""

    handle: str


@dataclass(frozen=True, slots=True)
class Output:
    """Bytes of one stream, in order within that stream."""

    stream: Literal["stdout", "stderr"]
    data: bytes


@dataclass(frozen=True, slots=True)
class Gap:
    """Output was lost here and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Exit:
    """The one terminal event of a stream."""

    code: int | None
    signal: str | None = None


ExecEvent: TypeAlias = Started | Output | Gap | Exit


class ExecStream(Protocol):
    """A running command. Iterating yields `Started` first and exactly one `Exit` last, or raises.

    Raises `StreamBroken` when the link fails after `Started`.
    """

    @property
    def handle(self) -> str: ...

    def __aiter__(self) -> AsyncIterator[ExecEvent]: ...

    async def write(self, data: bytes) -> None:
        """Write to stdin; returns when it is on its way."""
        ...

    async def close_stdin(self) -> None: ...

    async def signal(self, name: str) -> None:
        """Send a signal (`TERM`, `KILL`, `INT`) to the remote process group."""
        ...

    def detach(self) -> None:
        """Leaving the context will not kill the command."""
        ...


@dataclass(frozen=True, slots=True)
class FileStat:
    """One directory entry; `mtime` is Unix seconds, `size` bytes, `mode` permission bits."""

    name: str
    kind: Literal["file", "dir", "link", "other"]
    size: int
    mode: int
    mtime: float


class FileOps(Protocol):
    """Files of one host. Paths are absolute. Raises `NotFound`, `Refused`, `DiskFull`, `Unreachable`."""

    async def read(self, host_id: str, path: str, *, limit: int = 64 << 20) -> bytes: ...

    async def write(self, host_id: str, path: str, data: bytes, *, mode: int = 0o600) -> None:
        """Atomic: a reader sees the old file or the whole new one."""
        ...

    async def stat(self, host_id: str, path: str) -> FileStat: ...

    async def list(self, host_id: str, path: str) -> list[FileStat]: ...

    async def mkdir(self, host_id: str, path: str, *, mode: int = 0o700) -> None: ...

    async def remove(self, host_id: str, path: str) -> None:
        """Remove one file or empty directory; not there is success."""
        ...


@dataclass(frozen=True, slots=True)
class Metrics:
    """One reading of a host. Bytes and fractions; None where the substrate does not say."""

    load: float | None = None
    cores: int | None = None
    memory_total: int | None = None
    memory_available: int | None = None
    disk_total: int | None = None
    disk_free: int | None = None
    uptime: float | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """What `check` found out: who we are there and what holds the workers back, one line each."""

    identity: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """Numbers the console and the fleet must respect."""

    max_parallel_exec: int = 8
    exec_cap: float | None = None
    """Longest exec the substrate allows, in seconds; long polls stay 3 s under it."""
    argv_bytes: int = 96_000
    """Safe size of one argument."""


class Provider(Protocol):
    """One substrate kind (`local`, `ssh`, …). Hosts are addressed by `Host.id`."""

    kind: str
    caps: Cap
    limits: Limits
    files: FileOps

    async def check(self, host_id: str | None = None) -> Account:
        """Prove the credentials (and the host, if given) cheaply and without changing anything."""
        ...

    async def provision(self, host_id: str, *, name: str, labels: Mapping[str, str], key: str) -> Host:
        """Make a host, or prove an existing one reachable where the substrate has no PROVISION.

        `key` makes a repeat harmless.
        """
        ...

    async def root(self, host_id: str) -> str:
        """Absolute directory on the host under which amtui keeps `bin/`, `cache/` and `workers/`."""
        ...

    async def state(self, host_id: str) -> Host:
        """Never wakes, never extends a lease, never raises for a host that is merely away."""
        ...

    def list(self) -> AsyncIterator[Host]: ...

    async def wake(self, host_id: str, *, timeout: float = 180.0) -> Host: ...

    async def sleep(self, host_id: str, *, timeout: float = 180.0) -> Host: ...

    async def destroy(self, host_id: str) -> None:
        """Idempotent. Raises `Unsupported` where hosts are not ours to destroy."""
        ...

    async def exec(self, host_id: str, command: Command, *, purpose: Purpose = Purpose.USER) -> ExecResult:
        """Run to the end; stdin is empty when the command gives none.

        Raises `ExecTimeout` after killing the process group, `Unreachable`, `StreamBroken`, and `NotFound`
        when `cwd` is not there. A program that is not there is a result: exit code 127, as in a shell.
        """
        ...

    def stream_exec(
        self, host_id: str, command: Command, *, purpose: Purpose = Purpose.USER
    ) -> AbstractAsyncContextManager[ExecStream]:
        """Run with live output. `stdin` given is written, then closed; None leaves it open for `write`.

        `timeout` and `max_output` do not apply. Leaving the context early kills the remote process group
        unless detached.
        """
        ...

    async def metrics(self, host_id: str) -> Metrics: ...

    async def aclose(self) -> None:
        """Close every connection; nothing of ours keeps running on this computer."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where one worker lives: a host of a provider, and the worker's own directories on it.

    Every path is absolute and on the host. Layout under `root` (= `<provider root>/workers/<short id>`)::

        worker.json      whose directory this is; checked before anything is removed
        home/            HOME of the agent; what it learns stays here
        run/<console>/   the console protocol's files, 0700
        jobs/<phase>/    bootstrap jobs: log, status, exit
        etc/env          secrets of the worker, 0600, read by the launcher
        etc/launch       the 0700 launcher that tmux runs
    """

    provider: Provider
    host_id: str
    base: str
    """The provider's root on that host: `bin/`, `cache/` and `workers/` live here."""
    root: str
    socket: str

    @property
    def home(self) -> str:
        return f"{self.root}/home"

    @property
    def etc(self) -> str:
        return f"{self.root}/etc"

    @property
    def jobs(self) -> str:
        return f"{self.root}/jobs"

    @property
    def bin(self) -> str:
        """Programs of ours that all workers of the host share."""
        return f"{self.base}/bin"

    def run(self, console: str) -> str:
        """Run directory of one console."""
        return f"{self.root}/run/{console}"

    async def exec(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes | None = None,
        timeout: float | None = 60.0,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        purpose: Purpose = Purpose.USER,
    ) -> ExecResult:
        """Run one of our own programs for this worker."""
        command = Command(argv=argv, stdin=stdin, timeout=timeout, cwd=cwd, env=env or {})
        return await self.provider.exec(self.host_id, command, purpose=purpose)


AWAKE = frozenset({HostState.READY})
"""Host states in which a probe may be sent."""
