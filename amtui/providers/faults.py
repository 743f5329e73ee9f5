"""Errors of an operating system in amtui's words: by errno, with the step that helps."""

from __future__ import annotations

import errno

from amtui.errors import (
    AmtuiError,
    CapacityUnavailable,
    DiskFull,
    Invalid,
    NotFound,
    ProviderError,
    Refused,
)

FULL = frozenset((errno.ENOSPC, errno.EDQUOT))
_ABSENT = frozenset((errno.ENOENT, errno.ENOTDIR))
_FORBIDDEN = frozenset((errno.EACCES, errno.EPERM, errno.EROFS))
_BUSY = frozenset((errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM))


def disk_full(where: str, *, provider: str, op: str) -> DiskFull:
    """`where` is a path or a host."""
    return DiskFull(
        f"no space left: {where}",
        "free space or inodes there (`df -h`, `df -i`), then try again",
        provider=provider,
        op=op,
        code="ENOSPC",
    )


def from_os(error: OSError, where: str, *, provider: str, op: str) -> AmtuiError:
    """The error a user can act on for a failed system call about `where` (a path or program)."""
    number = error.errno or 0
    code = errno.errorcode.get(number, type(error).__name__)
    if number in FULL:
        return disk_full(where, provider=provider, op=op)
    if number in _ABSENT:
        return NotFound(f"not there: {where}", "check the path", provider=provider, op=op, code=code)
    if number in _FORBIDDEN:
        return Refused(f"not permitted: {where}", "check its owner and mode")
    if number == errno.E2BIG:
        return Invalid(
            "the command is too long for the system",
            "send the long part over stdin",
            provider=provider,
            op=op,
        )
    if number in _BUSY:
        return CapacityUnavailable(
            f"the system has no room for another process or file: {where}",
            "close something, or raise the limits (`ulimit -n`, `ulimit -u`)",
            provider=provider,
            op=op,
            code=code,
        )
    if number in (errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST, errno.ENAMETOOLONG, errno.EINVAL, errno.ELOOP):
        return Invalid(
            f"{error.strerror or code}: {where}", "check the path", provider=provider, op=op, code=code
        )
    return ProviderError(f"{error.strerror or code}: {where}", provider=provider, op=op, code=code)
