"""Files of an ssh host over one shared SFTP session, and over exec where sshd offers none."""

from __future__ import annotations

import asyncio
import os
import secrets
import stat as stat_
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, Literal, TypeVar, cast

import asyncssh

from amtui.errors import AmtuiError, Invalid, NotFound, ProviderError, Refused, Unreachable
from amtui.model import Untrusted
from amtui.providers.base import FileStat
from amtui.providers.exec_files import Exec, ExecFiles
from amtui.providers.faults import disk_full
from amtui.providers.local_files import kind_of, no_file, too_big
from amtui.providers.ssh_link import Link, LinkLost

T = TypeVar("T")
_TIMEOUT: Final = 120.0

_ABSENT: Final = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath, asyncssh.SFTPNotADirectory)
_FORBIDDEN: Final = (asyncssh.SFTPPermissionDenied, asyncssh.SFTPWriteProtect, asyncssh.SFTPCannotDelete)
_FULL: Final = (asyncssh.SFTPNoSpaceOnFilesystem, asyncssh.SFTPQuotaExceeded)
_LOST: Final = (
    LinkLost,
    OSError,  # TimeoutError too
    asyncssh.DisconnectError,
    asyncssh.SFTPConnectionLost,
    asyncssh.SFTPNoConnection,
)


class SftpFiles:
    """`FileOps` of ssh hosts. Reads are tried twice when the link breaks; writes are not."""

    def __init__(self, link: Callable[[str], Awaitable[Link]], exec_: Exec) -> None:
        self._link = link
        self._plain = ExecFiles(exec_, provider="ssh")

    async def read(self, host_id: str, path: str, *, limit: int = 64 << 20) -> bytes:
        async def work(sftp: asyncssh.SFTPClient) -> bytes:
            mode = (await sftp.stat(path)).permissions
            if mode is not None and not stat_.S_ISREG(mode):
                raise no_file(path, provider="ssh")
            async with sftp.open(path, "rb") as file:
                data: bytes = await file.read(limit + 1)
            if len(data) > limit:
                raise too_big(path, limit, provider="ssh")
            return data

        return await self._run(
            "read", host_id, path, work, lambda: self._plain.read(host_id, path, limit=limit)
        )

    async def write(self, host_id: str, path: str, data: bytes, *, mode: int = 0o600) -> None:
        async def work(sftp: asyncssh.SFTPClient) -> None:
            await _write(sftp, path, data, mode)

        plain = lambda: self._plain.write(host_id, path, data, mode=mode)  # noqa: E731
        await self._run("write", host_id, path, work, plain, again=False)

    async def stat(self, host_id: str, path: str) -> FileStat:
        async def work(sftp: asyncssh.SFTPClient) -> FileStat:
            return _entry(os.path.basename(path.rstrip("/")), await sftp.lstat(path))

        return await self._run("stat", host_id, path, work, lambda: self._plain.stat(host_id, path))

    async def list(self, host_id: str, path: str) -> list[FileStat]:
        async def work(sftp: asyncssh.SFTPClient) -> list[FileStat]:
            found = [_entry(_text(name.filename), name.attrs) for name in await sftp.readdir(path)]
            return sorted((it for it in found if it.name not in (".", "..")), key=lambda it: it.name)

        return await self._run("list", host_id, path, work, lambda: self._plain.list(host_id, path))

    async def mkdir(self, host_id: str, path: str, *, mode: int = 0o700) -> None:
        await self._plain.mkdir(host_id, path, mode=mode)

    async def remove(self, host_id: str, path: str) -> None:
        await self._plain.remove(host_id, path)

    async def _run(
        self,
        op: str,
        host_id: str,
        path: str,
        work: Callable[[asyncssh.SFTPClient], Awaitable[T]],
        plain: Callable[[], Awaitable[T]],
        *,
        again: bool = True,
    ) -> T:
        if not path.startswith("/") or "\0" in path:
            raise Invalid(f"not an absolute path: {path!r}", provider="ssh", op=op)
        link = await self._link(host_id)
        try:
            async with asyncio.timeout(_TIMEOUT):
                sftp = await link.sftp()
                return await (work(sftp) if sftp is not None else plain())
        except _LOST as error:
            if again:
                return await self._run(op, host_id, path, work, plain, again=False)
            raise Unreachable(
                f"the link to {host_id} broke at {op} of {path}", "try again", provider="ssh", op=op
            ) from error
        except asyncssh.SFTPError as error:
            raise _fault(error, path, op, host_id) from error


async def _write(sftp: asyncssh.SFTPClient, path: str, data: bytes, mode: int) -> None:
    folder, name = os.path.split(path)
    temporary = f"{folder.rstrip('/')}/.{name[:100]}.{secrets.token_hex(6)}"
    try:
        async with sftp.open(temporary, "xb", asyncssh.SFTPAttrs(permissions=0o600)) as file:
            await file.setstat(asyncssh.SFTPAttrs(permissions=mode))  # before the content
            await file.write(data)
        await sftp.posix_rename(temporary, path)
    except BaseException as error:
        with suppress(asyncssh.SFTPError, OSError):
            await sftp.remove(temporary)
        if isinstance(error, asyncssh.SFTPFailure) and await _is_full(sftp, folder or "/", len(data)):
            raise disk_full(path, provider="ssh", op="write") from error
        raise


async def _is_full(sftp: asyncssh.SFTPClient, folder: str, size: int) -> bool:
    """SFTP version 3 has no word for a full disk, so we look: the temporary file is gone again by now."""
    with suppress(asyncssh.SFTPError):
        found = await sftp.statvfs(folder)
        return bool((found.bavail or 0) * (found.frsize or 1) < size + 4096 or found.favail == 0)
    return False


def _entry(name: str, attrs: asyncssh.SFTPAttrs) -> FileStat:
    mode = attrs.permissions or 0
    return FileStat(
        name=name,
        kind=cast(Literal["file", "dir", "link", "other"], kind_of(mode)),
        size=attrs.size or 0,
        mode=stat_.S_IMODE(mode),
        mtime=float(attrs.mtime or 0),
    )


def _text(name: bytes | str) -> str:
    return name if isinstance(name, str) else name.decode("utf-8", "surrogateescape")


def _fault(error: asyncssh.SFTPError, path: str, op: str, host: str) -> AmtuiError:
    code = type(error).__name__
    if isinstance(error, _ABSENT):
        return NotFound(f"not there: {path}", "check the path", provider="ssh", op=op, code=code)
    if isinstance(error, _FORBIDDEN):
        return Refused(f"not permitted: {path}", "check its owner and mode")
    if isinstance(error, _FULL):
        return disk_full(path, provider="ssh", op=op)
    reason = Untrusted(str(error), host).for_line()
    return ProviderError(
        f"{op} of {path} failed: {reason}", "check the path", provider="ssh", op=op, code=code
    )
