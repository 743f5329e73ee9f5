"""Which private keys to offer an ssh host, and how a locked one is opened.

The agent and keys without a passphrase are offered first; a locked key is opened with the secret `ssh:HOST`, or
by asking, and stays open in this process only.
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

import asyncssh

from amtui.errors import AuthRejected, MissingCredentials

_DEFAULTS: Final = ("id_ed25519_sk", "id_ecdsa_sk", "id_ed25519", "id_ecdsa", "id_rsa", "id_dsa")
_OPENSSH: Final = re.compile(rb"-----BEGIN OPENSSH PRIVATE KEY-----(.*?)-----END", re.S)
_MAGIC: Final = b"openssh-key-v1\0"

Asker = Callable[[str], Awaitable[str | None]]


class Identities:
    """Keys for one host. `files` are its IdentityFile entries, empty for the usual names in ~/.ssh."""

    def __init__(self, files: Sequence[str]) -> None:
        names = files or [f"~/.ssh/{name}" for name in _DEFAULTS]
        self.files = [path for path in map(os.path.expanduser, names) if os.path.isfile(path)]
        self.absent = [name for name in files if os.path.expanduser(name) not in self.files]
        self.locked = [path for path in self.files if is_locked(path)]

    def offer(self, opened: dict[str, asyncssh.SSHKey]) -> list[Any]:
        """Keys for a connection attempt: paths of open ones, and what was opened before."""
        plain: list[Any] = [path for path in self.files if path not in self.locked]
        return plain + [opened[path] for path in self.locked if path in opened]

    def public(self) -> list[str]:
        """Public halves, for the agent to choose by where IdentitiesOnly is set."""
        return [path + ".pub" if os.path.isfile(path + ".pub") else path for path in self.files]

    async def unlock(
        self, host: str, opened: dict[str, asyncssh.SSHKey], secret: str | None, ask: Asker | None
    ) -> bool:
        """Open locked keys with `secret` or by asking; True when there is a new one to offer.

        Raises `AuthRejected` for a passphrase that does not fit.
        """
        found = False
        for path in self.locked:
            if path in opened:
                continue
            answer = secret if secret is not None else await ask(f"Passphrase of {path}") if ask else None
            if answer:
                opened[path] = await asyncio.to_thread(_open, path, answer, host)
                found = True
        return found

    def missing(self, host: str) -> MissingCredentials:
        """What to say when only locked keys are left to try."""
        name = self.locked[0]
        return MissingCredentials(
            f"the key {name} for {host} is locked with a passphrase",
            f"`ssh-add {name}`, or keep the passphrase with `amtui secret set ssh:{host}`",
            provider="ssh",
            op="connect",
        )


def is_locked(path: str) -> bool:
    """True for a private key file that needs a passphrase; False for any other file."""
    try:
        data = Path(path).read_bytes()[: 1 << 20]
    except OSError:
        return False
    match = _OPENSSH.search(data)
    if match is None:
        return b"ENCRYPTED" in data and b"PRIVATE KEY" in data
    try:
        body = base64.b64decode(match[1])
    except ValueError:
        return False
    return body.startswith(_MAGIC) and not body[len(_MAGIC) :].startswith(b"\0\0\0\x04none")


def _open(path: str, passphrase: str, host: str) -> asyncssh.SSHKey:
    try:
        return asyncssh.read_private_key(path, passphrase)
    except (asyncssh.KeyEncryptionError, asyncssh.KeyImportError) as error:
        raise AuthRejected(
            f"that passphrase does not open {path}",
            f"correct it with `amtui secret set ssh:{host}`, or `ssh-add {path}`",
            provider="ssh",
            op="connect",
            code=type(error).__name__,
        ) from None
