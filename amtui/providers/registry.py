"""Which substrates there are, one adapter of each, and where a worker lives on its host.

Adapters are imported when first used: listing substrates must not load ssh or HTTP libraries.
"""

from __future__ import annotations

import asyncio
import difflib
import importlib.util
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from amtui.errors import Refused, StateGone, Unsupported, UsageError
from amtui.model import Untrusted, Worker
from amtui.providers.base import Cap, Command, Place, Provider, Purpose

if TYPE_CHECKING:
    from amtui.config import Paths, Secrets

Ask = Callable[[str], Awaitable[str | None]]
"""Ask the operator for a secret such as the passphrase of a key: prompt in, answer or None out."""

SOCKET_LIMIT: Final = 100
"""Longest tmux socket path in characters; sockaddr_un holds 108 or 104."""

_CONCRETE: Final = (
    Cap.LIST | Cap.STREAM | Cap.STDIN | Cap.SIGNAL | Cap.FILES | Cap.METRICS | Cap.BINARY_OUTPUT
)
_HOST: Final = re.compile(r"(?:[A-Za-z0-9_.][A-Za-z0-9_.-]*@)?[A-Za-z0-9_.:\[][A-Za-z0-9_.:\[\]-]*\Z")
"""An alias, name, address or user@host:port: nothing that reads as an option or that a shell would obey, for it
stands in commands that hints tell people to run."""

_LATER: Final = "comes with a later release"


@dataclass(frozen=True, slots=True)
class KindInfo:
    """One substrate as lists and forms show it; `available` is False with the reason in `note`."""

    kind: str
    title: str
    caps: Cap
    available: bool
    note: str = ""


_KINDS: Final = (
    KindInfo("local", "This computer", _CONCRETE, True),
    KindInfo("ssh", "SSH host", _CONCRETE, True, "ssh:HOST, as in ~/.ssh/config"),
    KindInfo("e2b", "E2B", Cap(0), False, _LATER),
    KindInfo("sprites", "Sprites", Cap(0), False, _LATER),
    KindInfo("vercel", "Vercel Sandbox", Cap(0), False, _LATER),
    KindInfo("dedalus", "Dedalus Machines", Cap(0), False, _LATER),
)


class _SecretStore(Protocol):
    def get(self, name: str) -> Any: ...


class Providers:
    """One adapter per substrate kind, made when first asked for.

    `secrets` holds passphrases of ssh keys as `ssh:HOST`; `ask` is how an adapter asks the operator for one.
    """

    def __init__(
        self,
        paths: Paths,
        config: object = None,
        secrets: Secrets | _SecretStore | None = None,
        ask: Ask | None = None,
        *,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._paths = paths
        self._config = config
        self._secrets = secrets
        self._ask = ask
        self._environ = environ
        self._made: dict[str, Provider] = {}
        self._uids: dict[str, int] = {}
        self._ready: set[tuple[str, str]] = set()

    def kinds(self) -> list[KindInfo]:
        """Every substrate, usable or not, with what it can do."""
        return [_installed(info) for info in _KINDS]

    def get(self, substrate: str) -> Provider:
        """The adapter of `local`, `ssh:HOST`, …. Raises `UsageError` or `Unsupported`."""
        info, _ = _parse(substrate)
        if info.kind not in self._made:
            self._made[info.kind] = self._make(info)
        return self._made[info.kind]

    def host_id(self, substrate: str) -> str:
        """What the adapter calls the host: `ssh:box` is `box`, `local` is `local`."""
        return _parse(substrate)[1]

    async def place(self, worker: Worker) -> Place:
        """Where `worker` lives. Asks its host only when it has no root or socket on record yet."""
        provider, host_id = self.get(worker.substrate), self.host_id(worker.substrate)
        if worker.root:
            base = os.path.dirname(os.path.dirname(worker.root))
        else:
            base = await provider.root(host_id)
        root = worker.root or f"{base}/workers/{worker.short_id}"
        socket = worker.socket or await self._socket(provider, worker.substrate, host_id, worker.short_id)
        return Place(provider=provider, host_id=host_id, base=base, root=root, socket=socket)

    async def ensure_place(self, worker: Worker) -> Place:
        """`place`, with the base and socket directories made (0700) and their owner checked, once a process.

        Raises `Refused` when somebody else owns the socket directory.
        """
        place = await self.place(worker)
        folder = os.path.dirname(place.socket)
        if (worker.substrate, folder) not in self._ready:
            done = await place.exec(["/bin/sh", "-c", _PREPARE, "sh", place.base, folder], timeout=30)
            if done.exit_code == 3:
                raise Refused(
                    f"{folder} on {worker.substrate} belongs to somebody else or is a link",
                    "look at it with `ls -ld`, and remove it there if nobody needs it",
                )
            if not done.ok:
                reason = Untrusted(done.stderr, worker.substrate).for_line()
                raise StateGone(
                    f"{worker.substrate}: cannot make {place.base}: {reason}", "check its owner and disk"
                )
            self._ready.add((worker.substrate, folder))
        return place

    async def accept_host_key(self, line: str) -> None:
        """Put the `line` of a `HostKeyUnknown` on file, after the operator compared its fingerprint.

        Raises `Refused` for a line that no host showed to this process.
        """
        from amtui.providers.ssh import SshProvider

        provider = self._made.get("ssh")
        if not isinstance(provider, SshProvider):
            raise Refused("no ssh host has shown a key yet", "connect first")
        await provider.accept_host_key(line)

    async def aclose(self) -> None:
        """Close every adapter that was made."""
        made, self._made = list(self._made.values()), {}
        await asyncio.gather(*(provider.aclose() for provider in made))

    def _make(self, info: KindInfo) -> Provider:
        if info.kind == "local":
            from amtui.providers.local import LocalProvider

            return LocalProvider(self._paths.machines, environ=self._environ)
        if info.kind == "ssh":
            from amtui.providers.ssh import SshProvider

            return SshProvider(secrets=self._secrets, ask=self._ask, environ=self._environ)
        raise Unsupported(
            f"{info.title} {_LATER}", "use local or ssh:HOST", provider=info.kind, op="get", code="later"
        )

    async def _socket(self, provider: Provider, substrate: str, host_id: str, short_id: str) -> str:
        if substrate not in self._uids:
            self._uids[substrate] = await _uid(provider, host_id)
        uid = self._uids[substrate]
        folder = "/tmp"
        if provider.kind == "local":
            folder = _runtime_dir(os.environ if self._environ is None else self._environ) or folder
        path = f"{folder}/amtui-{uid}/{short_id}"
        return path if len(path) <= SOCKET_LIMIT else f"/tmp/amtui-{uid}/{short_id}"


_PREPARE: Final = """
set -u; umask 077
mkdir -p "$1/bin" "$1/cache" "$1/workers" && chmod 700 "$1" || exit 1
mkdir "$2" 2>/dev/null
set -- $(ls -ldn "$2") || exit 1
case $1 in d*) ;; *) exit 3 ;; esac
[ "$3" = "$(id -u)" ] || exit 3
shift 8; chmod 700 "$1"
"""
"""Arguments: base and socket directory (which holds no blanks). 3: not a directory, or not ours."""


async def _uid(provider: Provider, host_id: str) -> int:
    done = await provider.exec(host_id, Command(argv=["id", "-u"], timeout=30), purpose=Purpose.USER)
    uid = done.stdout.strip()
    if not uid.isdigit() or len(uid) > 10:
        raise StateGone(f"{host_id}: `id -u` gave no number", "is this a POSIX host?")
    return int(uid)


def _runtime_dir(environ: Mapping[str, str]) -> str | None:
    """XDG_RUNTIME_DIR when it is a directory of ours."""
    path = environ.get("XDG_RUNTIME_DIR", "")
    try:
        found = os.stat(path)
    except OSError:
        return None
    ours = found.st_uid == os.getuid() and os.path.isdir(path) and not any(c.isspace() for c in path)
    return path.rstrip("/") if ours and path.startswith("/") else None


def _parse(substrate: str) -> tuple[KindInfo, str]:
    """The kind and host id of `SUBSTRATE` as on the command line."""
    kind, colon, host = substrate.partition(":")
    names = [info.kind for info in _KINDS]
    if kind not in names:
        near = difflib.get_close_matches(kind, names, n=2, cutoff=0.5)
        hint = (
            f"did you mean {' or '.join(near)}?" if near else "use local, ssh:HOST, " + ", ".join(names[2:])
        )
        raise UsageError(f"unknown substrate {substrate[:60]!r}", hint)
    info = _KINDS[names.index(kind)]
    if kind == "ssh":
        if len(host) > 255 or not _HOST.match(host):
            raise UsageError(
                f"ssh needs a host, by its name alone: {substrate[:60]!r}",
                "write ssh:HOST, with HOST as in ~/.ssh/config, or ssh:USER@HOST:PORT",
            )
        return info, host
    if colon:
        raise UsageError(f"{kind} takes no host: {substrate[:60]!r}", f"write {kind}")
    return info, kind


def _installed(info: KindInfo) -> KindInfo:
    if info.kind == "ssh" and importlib.util.find_spec("asyncssh") is None:
        return KindInfo(info.kind, info.title, info.caps, False, "asyncssh is not installed")
    return info
