"""Making one ssh connection: the operator's own configuration, their keys, and a verdict on every failure.

`~/.ssh/config` and `/etc/ssh/ssh_config` are honoured (AMTUI_SSH_CONFIG names another file instead), ProxyJump by
connecting hop by hop with the same care. Agent and X11 forwarding, SendEnv, SetEnv, RemoteCommand and passwords
are off whatever the configuration says.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import asyncssh

from amtui.errors import (
    AmtuiError,
    AuthRejected,
    ConfigError,
    Invalid,
    MissingCredentials,
    ProviderError,
    Unreachable,
)
from amtui.errors import ProtocolError as BadProtocol
from amtui.model import Untrusted
from amtui.providers.host_keys import HostKeyCheck, KnownHosts
from amtui.providers.identities import Asker, Identities

CONNECT_TIMEOUT: Final = 15.0
LOGIN_TIMEOUT: Final = 30.0
KEEPALIVE: Final = 2.5
"""Seconds of silence after which the host is asked whether it is there: a flow that died silently is noticed soon."""
KEEPALIVE_COUNT: Final = 2
"""Questions that may stay unanswered; the next one ends the connection: after 7.5 s, as a Wi-Fi change may take 5."""
_MOST_HOPS: Final = 8

# Without certificates: for a host whose certificate nobody on file has signed.
_PLAIN_KEYS: Final = (
    "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256"
)


class SecretStore(Protocol):
    """Where passphrases are kept; the value of the found secret is its `value`."""

    def get(self, name: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class Target:
    """A host as the operator wrote it, taken apart."""

    host: str
    user: str | None
    port: int | None

    @classmethod
    def parse(cls, text: str) -> Target:
        """`alias`, `user@host`, `user@host:port`, `[v6]:port`. Raises `Invalid`."""
        user, at, rest = text.rpartition("@")
        match = re.fullmatch(r"\[([^\]]+)\](?::(\d+))?|([^:]+)(?::(\d+))?|([0-9a-fA-F:.]+)", rest)
        if match is None or (at and not user):
            raise Invalid(
                f"not an ssh host: {text!r}", "write HOST, USER@HOST or USER@HOST:PORT", provider="ssh"
            )
        port = match[2] or match[4]
        if port and not 0 < int(port) < 65536:
            raise Invalid(f"not a port: {port[:20]}", "a port is a number from 1 to 65535", provider="ssh")
        return cls(match[1] or match[3] or match[5], user or None, int(port) if port else None)


class Dialer:
    """Opens connections. Keys that were unlocked stay open for its life, in memory."""

    def __init__(
        self, *, environ: Mapping[str, str], secrets: SecretStore | None = None, ask: Asker | None = None
    ) -> None:
        self._environ = environ
        self._secrets = secrets
        self._ask = ask
        self._opened: dict[str, asyncssh.SSHKey] = {}

    async def connect(self, host_id: str, *, hops: int = 0) -> asyncssh.SSHClientConnection:
        """A connection that is logged in. Raises the errors of `provider`'s taxonomy, each with a hint."""
        target = Target.parse(host_id)
        if hops > _MOST_HOPS:
            raise Invalid(f"ProxyJump goes round in a circle at {host_id}", "check your ssh configuration")
        try:
            settings = await asyncio.to_thread(self._settings, target)
            tunnel = await self._tunnel(settings, hops)
            try:
                connection = await self._login(host_id, target, settings, tunnel)
            except BaseException:
                if tunnel is not None:
                    tunnel.close()
                raise
        except asyncssh.ConfigParseError as error:
            raise ConfigError(f"your ssh configuration is wrong: {error}", "check it with `ssh -G`") from None
        except (OSError, UnicodeError, asyncssh.Error) as error:
            raise dial_error(host_id, error) from error
        if tunnel is not None:
            connection.set_tunnel(tunnel)
        return connection

    async def known_hosts(self, host_id: str) -> KnownHosts:
        """The known_hosts files that count for this host."""
        settings = await asyncio.to_thread(self._settings, Target.parse(host_id))
        return _known_hosts(settings)

    def config_files(self) -> list[str]:
        """The ssh configuration files that are read, in order."""
        named = self._environ.get("AMTUI_SSH_CONFIG")
        if named:
            return [named]
        usual = (os.path.expanduser("~/.ssh/config"), "/etc/ssh/ssh_config")
        return [path for path in usual if os.access(path, os.R_OK)]

    def _settings(self, target: Target) -> asyncssh.SSHClientConnectionOptions:
        """What the configuration says about `target`; reads files, so not on the loop."""
        files = self.config_files()
        if self._environ.get("AMTUI_SSH_CONFIG") and not os.path.exists(files[0]):
            raise ConfigError(f"AMTUI_SSH_CONFIG names a file that is not there: {files[0]}")
        return asyncssh.SSHClientConnectionOptions(client_keys=None, **_where(target, files))

    async def _tunnel(
        self, settings: asyncssh.SSHClientConnectionOptions, hops: int
    ) -> asyncssh.SSHClientConnection | None:
        jump = settings.config.get("ProxyJump")
        if not isinstance(jump, str) or jump.lower() == "none":
            return None
        first, *more = [hop.strip().removeprefix("ssh://") for hop in jump.split(",")]
        connection = await self.connect(first, hops=hops + 1)
        for hop in more:
            target = Target.parse(hop)
            inner = await asyncio.to_thread(self._settings, target)
            try:
                beyond = await self._login(hop, target, inner, connection)
            except BaseException:
                connection.close()
                raise
            beyond.set_tunnel(connection)
            connection = beyond
        return connection

    async def _login(
        self,
        host_id: str,
        target: Target,
        settings: asyncssh.SSHClientConnectionOptions,
        tunnel: asyncssh.SSHClientConnection | None,
    ) -> asyncssh.SSHClientConnection:
        keys = await asyncio.to_thread(Identities, _names(settings, "IdentityFile"))
        secret = self._secret(host_id)
        if secret is not None:
            await keys.unlock(host_id, self._opened, secret, None)
        try:
            return await self._attempt(host_id, target, settings, tunnel, keys)
        except asyncssh.PermissionDenied as error:
            if not keys.locked or all(path in self._opened for path in keys.locked):
                raise _rejected(host_id, keys) from error
        if not await keys.unlock(host_id, self._opened, None, self._ask):
            raise keys.missing(host_id)
        try:
            return await self._attempt(host_id, target, settings, tunnel, keys)
        except asyncssh.PermissionDenied as error:
            raise _rejected(host_id, keys) from error

    async def _attempt(
        self,
        host_id: str,
        target: Target,
        settings: asyncssh.SSHClientConnectionOptions,
        tunnel: asyncssh.SSHClientConnection | None,
        keys: Identities,
    ) -> asyncssh.SSHClientConnection:
        known = await asyncio.to_thread(_known_hosts(settings).load)
        options: dict[str, Any] = {}
        if settings.config.get("IdentityAgent") is None:
            options["agent_path"] = self._environ.get("SSH_AUTH_SOCK", "")
        if settings.config.get("IdentitiesOnly"):
            options["agent_identities"] = keys.public()
        if tunnel is not None:
            options["tunnel"] = tunnel
        while True:
            check = HostKeyCheck(host_id, known, settings.host_key_alias or "")
            try:
                return await asyncssh.connect(
                    client_factory=check.client,
                    known_hosts=check.match,
                    client_keys=keys.offer(self._opened),
                    ignore_encrypted=True,
                    connect_timeout=CONNECT_TIMEOUT,
                    login_timeout=LOGIN_TIMEOUT,
                    keepalive_interval=KEEPALIVE,
                    keepalive_count_max=KEEPALIVE_COUNT,
                    agent_forwarding=False,
                    x11_forwarding=False,
                    password_auth=False,
                    kbdint_auth=False,
                    gss_delegate_creds=False,
                    command=None,
                    env={},
                    send_env=[],
                    request_pty=False,
                    encoding=None,
                    **_where(target, self.config_files()),
                    **options,
                )
            except asyncssh.HostKeyNotVerifiable:
                if check.certified and check.shown is None and "server_host_key_algs" not in options:
                    options["server_host_key_algs"] = _PLAIN_KEYS
                    continue
                raise check.verdict() from None

    def _secret(self, host_id: str) -> str | None:
        found = self._secrets.get(f"ssh:{host_id}") if self._secrets is not None else None
        value = getattr(found, "value", found)
        return value if isinstance(value, str) and value else None


def _where(target: Target, files: list[str]) -> dict[str, Any]:
    where: dict[str, Any] = {"host": target.host, "config": files}
    if target.user is not None:
        where["username"] = target.user
    if target.port is not None:
        where["port"] = target.port
    return where


def _known_hosts(settings: asyncssh.SSHClientConnectionOptions) -> KnownHosts:
    """`UserKnownHostsFile none` means an empty list here, never: no check."""
    user = _names(settings, "UserKnownHostsFile") or ["~/.ssh/known_hosts"]
    system = _names(settings, "GlobalKnownHostsFile") or ["/etc/ssh/ssh_known_hosts"]
    return KnownHosts([*user, *system])


def _names(settings: asyncssh.SSHClientConnectionOptions, option: str) -> list[str]:
    found = settings.config.get(option)
    return [str(name) for name in found] if isinstance(found, list) else []


def _rejected(host: str, keys: Identities) -> ProviderError:
    if not keys.files:
        gone = f" ({keys.absent[0]} is not there)" if keys.absent else ""
        return MissingCredentials(
            f"{host} wants a key and there is none to offer{gone}",
            f"make one with `ssh-keygen` and bring it there with `ssh-copy-id {host}`, or start an ssh agent",
            provider="ssh",
            op="connect",
            code="PermissionDenied",
        )
    return AuthRejected(
        f"{host} refused every key: {', '.join(os.path.basename(path) for path in keys.files)}",
        f"check user and key with `ssh {host} true`, or bring the key there with `ssh-copy-id {host}`",
        provider="ssh",
        op="connect",
        code="PermissionDenied",
    )


_REASONS: Final = {
    errno.ECONNREFUSED: ("nothing answers on its ssh port", "is sshd running there, and is the port right?"),
    errno.EHOSTUNREACH: ("there is no route to it", "is it switched on, and is the VPN up?"),
    errno.ENETUNREACH: ("there is no network to it", "is this computer online?"),
    errno.ETIMEDOUT: ("it does not answer", "is it switched on, and is the VPN up?"),
    errno.ECONNRESET: ("it closed the connection", "its sshd may be limiting connections; try again"),
}


def dial_error(host: str, error: Exception) -> AmtuiError:
    """The error of the taxonomy for a connection that did not come about, by class and errno."""
    code = type(error).__name__
    if isinstance(error, AmtuiError):
        return error
    if isinstance(error, TimeoutError):
        reason, hint = _REASONS[errno.ETIMEDOUT]
    elif isinstance(error, socket.gaierror | UnicodeError):  # the latter for a label over 63 characters
        reason, hint = "its name is not known", "check the spelling and your ssh configuration"
    elif isinstance(error, OSError):
        number = error.errno or 0
        code = errno.errorcode.get(number, code)
        reason, hint = _REASONS.get(number, ("it cannot be reached", f"see what `ssh {host} true` says"))
    elif isinstance(error, asyncssh.PermissionDenied):
        return AuthRejected(
            f"{host} refused the login",
            f"see what `ssh {host} true` says",
            provider="ssh",
            op="connect",
            code=code,
        )
    elif isinstance(
        error, asyncssh.KeyExchangeFailed | asyncssh.ProtocolNotSupported | asyncssh.ProtocolError
    ):
        text = Untrusted(str(error), host).for_line()
        return BadProtocol(
            f"{host} does not speak ssh as we do: {text}", provider="ssh", op="connect", code=code
        )
    elif isinstance(error, asyncssh.ChannelOpenError):
        reason, hint = (
            "the jump host could not reach it",
            "check ProxyJump and that the jump host may forward",
        )
    else:
        text = Untrusted(str(error), host).for_line()
        reason, hint = f"the connection was lost ({text})", f"see what `ssh {host} true` says"
    return Unreachable(f"{host} is unreachable: {reason}", hint, provider="ssh", op="connect", code=code)
