"""Where keys and tokens come from: the environment, then the OS keyring, then a 0600 file by consent.

A value never stands in a repr, an error or a log; it leaves only through `Secret.value`.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Literal, NoReturn, TypeAlias

import msgspec
from msgspec import Struct

from amtui.config.file import locked, replace
from amtui.config.os_keyring import OsKeyring
from amtui.config.paths import Paths, private_directory
from amtui.errors import ConfigError, NeedsConfirmation, UsageError

Source: TypeAlias = Literal["environment", "keyring", "file"]

SECRET_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}\Z")
"""As an environment variable is named."""

_PASSPHRASE: Final = re.compile(r"ssh:[A-Za-z0-9_.@:\[\]-]{1,255}\Z")
"""Of the key for an ssh host, named as the substrate; never looked for in the environment."""

_MAX: Final = 64 * 1024


class Secret:
    """A value with its name and where it was found. Only `.value` shows it."""

    __slots__ = ("name", "source", "value")

    def __init__(self, name: str, value: str, source: Source) -> None:
        self.name = name
        self.value = value
        self.source: Source = source

    @property
    def last4(self) -> str:
        """The last four characters, to tell two keys apart; empty when that would give away a short one."""
        return self.value[-4:] if len(self.value) >= 16 else ""

    def __repr__(self) -> str:
        return f"<Secret {self.name} from {self.source}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (self.name, self.value) == (other.name, other.value)

    def __hash__(self) -> int:
        return hash((self.name, self.value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not to be serialised")


class _File(Struct, kw_only=True):
    """Content of the secrets file. `keyring` lists names only: a keyring cannot be asked what it holds."""

    values: dict[str, str] = {}
    keyring: list[str] = []


class Secrets:
    """All secrets of this user. Values are read when asked for and never cached."""

    def __init__(
        self, paths: Paths, env: Mapping[str, str] | None = None, *, keyring: OsKeyring | None = None
    ) -> None:
        self._paths = paths
        self._env = os.environ if env is None else env
        self._keyring = keyring or OsKeyring()

    @property
    def keyring_absent(self) -> str:
        """Why the OS keyring is not used, or empty; asks it first."""
        self._keyring.available()
        return self._keyring.absent

    def get(self, name: str) -> Secret | None:
        """The secret, or None. Raises `UsageError` for a malformed name, `ConfigError` for an unsafe file."""
        _check_name(name)
        value = self._env.get(name, "").strip()
        if value:
            return Secret(name, value, "environment")
        value = self._keyring.get(name) or ""
        if value:
            return Secret(name, value, "keyring")
        value = self._read().values.get(name, "")
        return Secret(name, value, "file") if value else None

    def set(self, name: str, value: str, *, allow_file: bool) -> Source:
        """Keep a secret in the OS keyring, else with `allow_file` in the 0600 file; says where it went.

        Raises `NeedsConfirmation` when only the file is left and `allow_file` is false, `UsageError` for a
        bad name or value. A variable of that name in the environment still wins.
        """
        _check_name(name)
        value = _check_value(name, value)
        kept = self._keyring.set(name, value)
        if not kept and not allow_file:
            raise NeedsConfirmation(
                f"no OS keyring here ({self._keyring.absent or 'it did not take the value'}); "
                f"{name} would be kept in a file that only you can read",
                f"agree to {self._paths.secrets_file}, or export {name} in the environment instead",
            )
        with self._changing() as content:
            content.values.pop(name, None)
            content.keyring = sorted({*content.keyring, name} if kept else {*content.keyring} - {name})
            if not kept:
                content.values[name] = value
        return "keyring" if kept else "file"

    def remove(self, name: str) -> bool:
        """Forget a stored secret; False when none was stored. The environment is not ours to change."""
        _check_name(name)
        gone = self._keyring.delete(name)
        present = self._read()
        if name in present.values or name in present.keyring:
            with self._changing() as content:
                gone = content.values.pop(name, None) is not None or gone
                content.keyring = [each for each in content.keyring if each != name]
        return gone

    def names(self, also: Iterable[str] = ()) -> list[tuple[str, Source]]:
        """Stored names, and those of `also` that the environment holds, each with its effective source."""
        content = self._read()
        found: dict[str, Source] = dict.fromkeys(content.values, "file")
        found.update(dict.fromkeys(content.keyring, "keyring"))
        found.update({name: "environment" for name in {*found, *also} if self._env.get(name, "").strip()})
        return sorted(found.items())

    def _changing(self) -> _Change:
        return _Change(self)

    def _read(self) -> _File:
        return _read_file(self._paths.secrets_file)


class _Change:
    """The file's content under its lock; written back when the block ends well."""

    def __init__(self, secrets: Secrets) -> None:
        self._paths = secrets._paths

    def __enter__(self) -> _File:
        private_directory(self._paths.config_dir)
        self._lock = locked(self._paths.config_dir / ".lock")
        self._lock.__enter__()
        try:
            self._content = _read_file(self._paths.secrets_file)
        except BaseException:
            self._lock.__exit__(None, None, None)
            raise
        return self._content

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if kind is None:
                data = msgspec.json.format(msgspec.json.encode(self._content)) + b"\n"
                replace(self._paths.secrets_file, data)
        finally:
            self._lock.__exit__(None, None, None)


def _read_file(file: Path) -> _File:
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return _File()
    except OSError as error:
        raise ConfigError(
            f"cannot read {file}: {error.strerror or error}",
            "it must be a plain file of yours with mode 0600",
        ) from error
    with os.fdopen(handle, "rb") as source:
        facts = os.fstat(source.fileno())
        mode = stat.S_IMODE(facts.st_mode)
        if not stat.S_ISREG(facts.st_mode):
            raise ConfigError(f"{file} is not a regular file", "move it away and store the secrets again")
        if facts.st_uid != os.geteuid():
            raise ConfigError(f"{file} belongs to another user", "remove it and store the secrets again")
        if mode & 0o077:
            raise ConfigError(
                f"{file} can be read by others (mode {mode:04o})",
                f"run: chmod 600 {file}  and consider its secrets known to others",
            )
        data = source.read()
    try:
        return msgspec.json.decode(data, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # From None: the decoder's message may quote what it read.
        raise ConfigError(f"{file} is damaged", "move it away and store the secrets again") from None


def _check_name(name: str) -> None:
    if not SECRET_NAME.match(name) and not _PASSPHRASE.match(name):
        raise UsageError(
            "a secret's name is written like an environment variable",
            "use letters, digits and underscores, as in ANTHROPIC_API_KEY",
        )


def _check_value(name: str, value: str) -> str:
    value = value.strip()
    if not value:
        raise UsageError(f"the value of {name} is empty", f"to forget it: amtui secret rm {name}")
    if len(value) > _MAX:
        raise UsageError(f"the value of {name} is longer than {_MAX // 1024} KB", "keep files as files")
    if any((ord(char) < 32 and char not in "\t\n") or ord(char) == 127 for char in value):
        raise UsageError(f"the value of {name} holds control characters", "copy it again")
    return value
