"""Files of this computer, in threads: the local half of `FileOps`."""

from __future__ import annotations

import asyncio
import os
import secrets
import stat as stat_
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from amtui.errors import Invalid
from amtui.providers.base import FileStat
from amtui.providers.faults import from_os

T = TypeVar("T")


class LocalFiles:
    """`FileOps` on the local file system. Raises `NotFound`, `Refused`, `DiskFull`, `Invalid`."""

    async def read(self, host_id: str, path: str, *, limit: int = 64 << 20) -> bytes:
        return await self._run("read", path, lambda: _read(path, limit))

    async def write(self, host_id: str, path: str, data: bytes, *, mode: int = 0o600) -> None:
        await self._run("write", path, lambda: _write(path, data, mode))

    async def stat(self, host_id: str, path: str) -> FileStat:
        return await self._run("stat", path, lambda: _stat(path))

    async def list(self, host_id: str, path: str) -> list[FileStat]:
        return await self._run("list", path, lambda: _list(path))

    async def mkdir(self, host_id: str, path: str, *, mode: int = 0o700) -> None:
        await self._run("mkdir", path, lambda: _mkdir(path, mode))

    async def remove(self, host_id: str, path: str) -> None:
        await self._run("remove", path, lambda: _remove(path))

    async def _run(self, op: str, path: str, work: Callable[[], T]) -> T:
        if not path.startswith("/") or "\0" in path:
            raise Invalid(f"not an absolute path: {path!r}", provider="local", op=op)
        try:
            return await asyncio.to_thread(work)
        except OSError as error:
            raise from_os(error, path, provider="local", op=op) from error


def too_big(path: str, limit: int, *, provider: str) -> Invalid:
    """The refusal of a file larger than the caller wants in memory; `limit` in bytes."""
    return Invalid(
        f"larger than {limit} bytes: {path}",
        "fetch it another way, or a part of it",
        provider=provider,
        op="read",
    )


def no_file(path: str, *, provider: str) -> Invalid:
    """The refusal of what is no regular file: opening a FIFO that an agent left there would wait for ever."""
    return Invalid(
        f"not a regular file: {path}", "move it away, then try again", provider=provider, op="read"
    )


def _read(path: str, limit: int) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        if not stat_.S_ISREG(os.fstat(fd).st_mode):
            raise no_file(path, provider="local")
        with open(fd, "rb", closefd=False) as file:
            data = file.read(limit + 1)
    finally:
        os.close(fd)
    if len(data) > limit:
        raise too_big(path, limit, provider="local")
    return data


def _write(path: str, data: bytes, mode: int) -> None:
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name[:100]}.{secrets.token_hex(6)}")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            os.fchmod(file.fileno(), mode)  # before the content: a secret is never wider open than asked
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def kind_of(mode: int) -> str:
    """`file`, `dir`, `link` or `other` for a mode as in `st_mode`."""
    if stat_.S_ISREG(mode):
        return "file"
    if stat_.S_ISDIR(mode):
        return "dir"
    return "link" if stat_.S_ISLNK(mode) else "other"


def _stat(path: str) -> FileStat:
    found = os.lstat(path)
    return FileStat(
        name=os.path.basename(path.rstrip("/")),
        kind=kind_of(found.st_mode),  # type: ignore[arg-type]
        size=found.st_size,
        mode=stat_.S_IMODE(found.st_mode),
        mtime=found.st_mtime,
    )


def _list(path: str) -> list[FileStat]:
    entries = []
    for name in sorted(os.listdir(path)):
        with suppress(FileNotFoundError):  # gone between listing and looking
            entries.append(_stat(os.path.join(path, name)))
    return entries


def _mkdir(path: str, mode: int) -> None:
    parent = os.path.dirname(path.rstrip("/"))
    if not os.path.isdir(parent):
        _mkdir(parent, 0o700)
    try:
        os.mkdir(path, mode)
        os.chmod(path, mode)  # the umask does not decide
    except FileExistsError:
        if not os.path.isdir(path):
            raise


def _remove(path: str) -> None:
    try:
        os.rmdir(path) if stat_.S_ISDIR(os.lstat(path).st_mode) else os.unlink(path)
    except FileNotFoundError:
        return
