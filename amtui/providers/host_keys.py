"""Whose host key is trusted: known_hosts, read by us, so that unknown, changed and revoked are told apart.

Nothing here ever trusts a key on its own: an unknown key is shown by fingerprint and accepted only through
`KnownHosts.accept`; another key than the one on file is refused, and no call of ours accepts it.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

from amtui.errors import HostKeyChanged, HostKeyUnknown, ProviderError, Refused

_DEFAULT_PORT = 22


class KnownHosts:
    """The known_hosts files of one destination; the first is the one that gets accepted keys."""

    def __init__(self, files: Sequence[str]) -> None:
        self.files = [os.path.expanduser(name) for name in files]

    def load(self) -> asyncssh.SSHKnownHosts:
        """Every readable line of every file; a line nobody understands is skipped, as OpenSSH does."""
        lines: list[str] = []
        for name in self.files:
            try:
                text = Path(name).read_text("utf-8", "replace")
            except OSError:
                continue
            lines += text.splitlines()
        try:
            return asyncssh.import_known_hosts("\n".join(lines))
        except ValueError:
            return asyncssh.import_known_hosts("\n".join(line for line in lines if _readable(line)))

    def accept(self, line: str) -> None:
        """Append one line that `HostKeyUnknown` carried. Raises `Refused` when the host is on file by now."""
        name = line.split(" ", 1)[0]
        if any(self.load().match(name, "", None)[:3]):
            raise Refused(f"{name} has a key on file by now", "compare it with the one that the host shows")
        path = Path(self.files[0])
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "r+b") as file:
            size = file.seek(0, os.SEEK_END)
            unfinished = size > 0 and os.pread(file.fileno(), 1, size - 1) != b"\n"
            file.write((b"\n" if unfinished else b"") + line.encode() + b"\n")


@dataclass
class HostKeyCheck:
    """What one connection attempt saw; `client` and `match` are handed to asyncssh."""

    host: str
    """As the operator wrote it."""
    known: asyncssh.SSHKnownHosts
    alias: str = ""
    """HostKeyAlias: the name to look for, without port, as OpenSSH does."""
    on_file: list[Any] = field(default_factory=list)
    revoked: list[Any] = field(default_factory=list)
    name: str = ""
    shown: asyncssh.SSHKey | None = None
    certified: bool = False
    """The host showed a certificate of an authority that is not on file."""

    def match(self, host: str, addr: str, port: int | None) -> Any:
        """Trusted keys for asyncssh; remembers what is on file for exactly this host and port."""
        addr = addr if _is_address(addr) else ""
        names = [host, addr] if port in (None, _DEFAULT_PORT) else [f"[{host}]:{port}", f"[{addr}]:{port}"]
        if self.alias:
            names, addr = [self.alias], ""
        self.name = names[0].lower()
        for name in names[: 2 if addr else 1]:
            exact = self.known.match(name, "", None)
            self.on_file += exact[0]
            self.revoked += exact[2]
        found = self.known.match(host, addr, port)
        self.revoked += found[
            2
        ]  # asyncssh alone forgets a key revoked for a port when it has no other for it
        return (*found[:2], self.revoked, *found[3:])

    def client(self) -> asyncssh.SSHClient:
        """Makes the object that asyncssh asks about a key that is not on file."""
        return _Witness(self)

    def verdict(self) -> ProviderError:
        """Why the key was not accepted."""
        key = self.shown
        if key is None and self.revoked:
            return self._changed("a revoked key")
        if key is None:
            return ProviderError(
                f"{self.host} showed a host certificate that known_hosts does not vouch for",
                "add its @cert-authority line to known_hosts",
                provider="ssh",
                op="connect",
                code="HostKeyNotVerifiable",
            )
        fingerprint = key.get_fingerprint("sha256")
        if self.on_file:
            return self._changed(f"another key than the one on file: {fingerprint}")
        algorithm, data = key.export_public_key("openssh").decode().split()[:2]
        return HostKeyUnknown(
            f"nobody has vouched for the key of {self.host} yet: {fingerprint}",
            "compare the fingerprint with the host's owner, then accept it, "
            f"or connect once with `ssh {self.host}`",
            host=self.host,
            fingerprint=fingerprint,
            line=f"{self.name} {algorithm} {data}",
        )

    def _changed(self, what: str) -> HostKeyChanged:
        return HostKeyChanged(
            f"{self.host} shows {what}",
            "if its owner confirms a new key, remove the old one with "
            f"`ssh-keygen -R '{self.name}'` and connect again; otherwise somebody is in between",
            provider="ssh",
            op="connect",
            code="HostKeyNotVerifiable",
        )


class _Witness(asyncssh.SSHClient):
    """Notes the key a host shows, and trusts none."""

    def __init__(self, check: HostKeyCheck) -> None:
        self._check = check

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self._check.shown = key
        return False

    def validate_host_ca_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self._check.certified = True
        return False


def _is_address(addr: str) -> bool:
    try:
        ipaddress.ip_address(addr)
    except ValueError:
        return False
    return True


def _readable(line: str) -> bool:
    try:
        asyncssh.import_known_hosts(line)
    except ValueError:
        return False
    return True
