"""Files of a host through its own POSIX tools, for where there is no file protocol.

Every request is one exec of a small script that reports its finding as an exit code, never as words.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Final, Literal, cast

from amtui.errors import AmtuiError, Invalid, NotFound, ProtocolError, ProviderError, Refused
from amtui.model import Untrusted
from amtui.providers.base import Command, ExecResult, FileStat
from amtui.providers.faults import disk_full
from amtui.providers.local_files import no_file, too_big

Exec = Callable[[str, Command], Awaitable[ExecResult]]

_ABSENT: Final = 44
_FORBIDDEN: Final = 43
_TOO_BIG: Final = 41
_FULL: Final = 45
_OTHER_KIND: Final = 46
_NO_FILE: Final = 47

_TIMEOUT: Final = 120.0

_READ: Final = """
[ -e "$1" ] || exit 44; [ -f "$1" ] || exit 47; [ -r "$1" ] || exit 43
head -c "$2" <"$1"
"""

_WRITE: Final = """
umask 077; d=${1%/*}; d=${d:-/}; t=$d/.amtui-$$-$2; need=$(($4 / 1024 + 4))
failed() {
  free=$(df -Pk "$d" | awk 'END { if ($2 > 0) print $4 }')
  [ "${free:-$need}" -lt "$need" ] && exit 45
  exit "$1"
}
[ -d "$d" ] || exit 44; [ -w "$d" ] || exit 43; [ -d "$1" ] && exit 46
trap 'rm -f "$t"' EXIT
( : >"$t" ) 2>/dev/null || failed 43
chmod "$3" "$t" && cat >"$t" && [ "$(wc -c <"$t")" -eq "$4" ] && mv -f "$t" "$1" || failed 1
"""

_STAT: Final = r"""
one() {
  if [ -L "$1" ]; then k=link; elif [ -d "$1" ]; then k=dir; elif [ -f "$1" ]; then k=file; else k=other; fi
  f=$(stat -c '%a %s %Y' "$1" 2>/dev/null || stat -f '%Lp %z %m' "$1") || return 1
  printf '%s %s %s\0' "$k" "$f" "${1##*/}"
}
if [ "$2" = one ]; then [ -e "$1" ] || [ -L "$1" ] || exit 44; one "$1"; exit; fi
[ -e "$1" ] || exit 44; [ -d "$1" ] || exit 46; [ -r "$1" ] || exit 43; cd "$1" || exit 43
for n in .* *; do
  case $n in .|..) continue;; esac
  if [ -e "$n" ] || [ -L "$n" ]; then one "./$n"; fi
done
"""

_MKDIR: Final = """
[ -d "$1" ] && exit 0; [ -e "$1" ] && exit 46
umask 077; p=${1%/*}
mkdir -p "${p:-/}" 2>/dev/null && mkdir "$1" 2>/dev/null && chmod "$2" "$1" && exit 0
[ -d "$1" ] && exit 0
n=$(df -Pk "${p:-/}" 2>/dev/null | awk 'END { print $4 }'); [ "${n:-1}" -eq 0 ] && exit 45
exit 43
"""

_REMOVE: Final = """
[ -e "$1" ] || [ -L "$1" ] || exit 0
if [ -d "$1" ] && [ ! -L "$1" ]; then rmdir "$1" 2>/dev/null || exit 46; else rm -f "$1" 2>/dev/null || exit 43; fi
"""


_RECORD: Final = re.compile(rb"(file|dir|link|other) ([0-7]{1,7}) (\d{1,19}) (-?\d{1,15}) ([^/]+|)", re.S)


class ExecFiles:
    """`FileOps` over `exec`. Raises `NotFound`, `Refused`, `DiskFull`, `Invalid` and what exec raises."""

    def __init__(self, exec_: Exec, *, provider: str) -> None:
        self._exec = exec_
        self._provider = provider
        self._count = 0

    async def read(self, host_id: str, path: str, *, limit: int = 64 << 20) -> bytes:
        done = await self._run("read", host_id, _READ, path, str(limit + 1), room=limit + 1)
        if len(done.stdout) > limit:
            raise too_big(path, limit, provider=self._provider)
        return done.stdout

    async def write(self, host_id: str, path: str, data: bytes, *, mode: int = 0o600) -> None:
        self._count += 1
        words = (str(self._count), f"{mode:o}", str(len(data)))
        await self._run("write", host_id, _WRITE, path, *words, stdin=data)

    async def stat(self, host_id: str, path: str) -> FileStat:
        done = await self._run("stat", host_id, _STAT, path.rstrip("/") or "/", "one")
        entries = _parse(done.stdout)
        if len(entries) != 1:
            raise ProtocolError(f"{host_id} says nothing of {path}", provider=self._provider, op="stat")
        return entries[0]

    async def list(self, host_id: str, path: str) -> list[FileStat]:
        done = await self._run("list", host_id, _STAT, path, "all")
        return sorted(_parse(done.stdout), key=lambda entry: entry.name)

    async def mkdir(self, host_id: str, path: str, *, mode: int = 0o700) -> None:
        await self._run("mkdir", host_id, _MKDIR, path.rstrip("/"), f"{mode:o}")

    async def remove(self, host_id: str, path: str) -> None:
        await self._run("remove", host_id, _REMOVE, path)

    async def _run(
        self,
        op: str,
        host_id: str,
        script: str,
        path: str,
        *words: str,
        stdin: bytes = b"",
        room: int = 8 << 20,
    ) -> ExecResult:
        if not path.startswith("/") or "\0" in path:
            raise Invalid(f"not an absolute path: {path!r}", provider=self._provider, op=op)
        argv = ["/bin/sh", "-c", script, "sh", path, *words]
        done = await self._exec(
            host_id, Command(argv=argv, stdin=stdin, timeout=_TIMEOUT, max_output=max(room, 1 << 20))
        )
        if done.ok:
            return done
        raise self._error(op, host_id, path, done)

    def _error(self, op: str, host_id: str, path: str, done: ExecResult) -> AmtuiError:
        if done.exit_code == _ABSENT:
            return NotFound(f"not there: {path}", "check the path", provider=self._provider, op=op)
        if done.exit_code == _FORBIDDEN:
            return Refused(f"not permitted: {path}", "check its owner and mode")
        if done.exit_code == _FULL:
            return disk_full(path, provider=self._provider, op=op)
        if done.exit_code == _NO_FILE:
            return no_file(path, provider=self._provider)
        if done.exit_code == _OTHER_KIND:
            return Invalid(
                f"of another kind, or not empty: {path}", "check the path", provider=self._provider, op=op
            )
        reason = Untrusted(done.stderr, host_id).for_line()
        return ProviderError(f"{op} of {path} failed: {reason}", provider=self._provider, op=op)


def _parse(data: bytes) -> list[FileStat]:
    return [_entry(record) for record in data.split(b"\0")[:-1]]


def _entry(record: bytes) -> FileStat:
    """One record of `_STAT`: kind, octal mode, size, seconds, name."""
    found = _RECORD.fullmatch(record)
    if found is None:
        raise ProtocolError("a host lists files in a form nobody asked for", op="list")
    kind, mode, size, mtime, name = found.groups()
    return FileStat(
        name=name.decode("utf-8", "surrogateescape"),
        kind=cast(Literal["file", "dir", "link", "other"], kind.decode()),
        size=int(size),
        mode=int(mode, 8) & 0o7777,
        mtime=float(mtime),
    )
