"""The helper on a worker's host: how it gets there, and one question put to it."""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import os
import re
from functools import lru_cache
from importlib import resources
from typing import Final
from weakref import WeakKeyDictionary

from amtui.console.protocol import FailureFrame, Frame, parse
from amtui.emulator.snapshot import SNAPSHOT_FORMAT
from amtui.errors import (
    AmtuiError,
    Conflict,
    DiskFull,
    MissingTool,
    NotFound,
    ProtocolError,
    Refused,
    StateGone,
    StreamBroken,
    Unreachable,
    UsageError,
)
from amtui.model import Untrusted
from amtui.providers.base import Cap, Place, Provider, Purpose

ALL: Final = "all"
"""In place of a console's name: the request is about all of them."""

_SAFE_PATH: Final = re.compile(r"/[^'\"#%$`\\;{}\x00-\x1f\x7f]*\Z")
_CONSOLE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")

_REMARK: Final = re.compile(r"^(\w+\(\) \{) # .*")
"""What a function of the helper takes, said behind its head: for readers of the source only."""
_ASIDE: Final = re.compile(r"(?<=\S) +# [A-Za-z][^'\"`]*$")
"""A remark behind a line, likewise."""

_INSTALL: Final = """set -u; umask 077
same() { [ "$( { sha256sum || shasum -a 256; } <"$1" 2>/dev/null | cut -c1-64)" = "$2" ]; }
if [ -f "$1" ] && [ -r "$1" ] && same "$1" "$2"; then exit 0; fi
mkdir -p "${1%/*}" || exit 73
printf %s "$3" | base64 -d | gzip -dc >"$1.$$" || { rm -f "$1.$$"; exit 73; }
mv -f "$1.$$" "$1" && same "$1" "$2" || exit 74
"""

_NO_DIRECTORY: Final = ("File exists", "Not a directory", "Permission denied", "Read-only file system")
"""The C library's words, in the C locale of our requests, for a directory that no free space would make."""

_installed: WeakKeyDictionary[Provider, set[tuple[str, str]]] = WeakKeyDictionary()


@lru_cache(maxsize=1)
def helper_source() -> bytes:
    """The helper as it is installed: the snapshot's fields filled in, comments and indentation left at home."""
    source = resources.files("amtui.console").joinpath("remote/amc").read_text(encoding="utf-8")
    first, *rest = source.replace("@FIELDS@", SNAPSHOT_FORMAT).split("\n")
    lines = [_ASIDE.sub("", _REMARK.sub(r"\1", line.lstrip())) for line in rest]
    return "\n".join([first, *(line for line in lines if line and not line.startswith("#"))]).encode() + b"\n"


@lru_cache(maxsize=1)
def packed() -> tuple[str, str]:
    """sha256 of the helper and its compressed form as one safe argument."""
    source = helper_source()
    digest = hashlib.sha256(source).hexdigest()
    return digest, base64.b64encode(gzip.compress(source, 9, mtime=0)).decode()


def helper_path(place: Place) -> str:
    """Where the helper of this version stands on the host."""
    return f"{place.bin}/amc-{packed()[0][:8]}"


def check_place(place: Place, console: str) -> None:
    for path in (place.base, place.root, place.socket):
        if not _SAFE_PATH.match(path):
            raise UsageError(
                f"the directory {path!r} has characters that shells and tmux read as orders",
                "put amtui's state directory somewhere plainer (AMTUI_STATE_DIR)",
            )
    if len(os.fsencode(place.socket)) > 100:
        raise UsageError(f"the socket path {place.socket} is longer than 100 bytes")
    if not _CONSOLE.match(console):
        raise UsageError(f"{console!r} is no name for a console", "use letters, digits, - and _")


async def install(place: Place) -> str:
    """Bring the helper to the host unless the same bytes are there. Returns its path.

    Raises `DiskFull`, `StateGone` when what was written does not read back, and what exec raises.
    """
    check_place(place, "x")
    path = helper_path(place)
    digest, payload = packed()
    done = await place.exec(
        ["/bin/sh", "-c", _INSTALL, "sh", path, digest, payload], timeout=30, purpose=Purpose.CONSOLE
    )
    if done.exit_code == 73:
        raise DiskFull("the console helper could not be written", "is the disk full or the home read-only?")
    if not done.ok:
        raise StateGone(
            f"{path} on the host is not the console helper that was written there",
            f"remove {path} on the host, then try again",
        )
    _installed.setdefault(place.provider, set()).add((place.host_id, place.base))
    return path


def request_argv(place: Place, console: str, verb: str, *words: str) -> list[str]:
    """The command line of one request to the helper."""
    run = f"{place.root}/run" if console == ALL else place.run(console)
    tail = [run, place.socket, console]
    start = ["/bin/sh", helper_path(place)]
    if Cap.BINARY_OUTPUT not in place.provider.caps:
        return [*start, "armour", *tail, verb, *words]
    return [*start, verb, *tail, *words]


async def ensure_installed(place: Place) -> None:
    """Install once for each host and process."""
    if (place.host_id, place.base) not in _installed.get(place.provider, set()):
        await install(place)


async def request(
    place: Place,
    console: str,
    verb: str,
    *words: str,
    stdin: bytes | None = None,
    timeout: float = 30.0,
    purpose: Purpose = Purpose.CONSOLE,
) -> list[Frame]:
    """Ask the helper once and return the frames of its reply.

    Raises `ProtocolError`, what exec raises, and for an `E` frame the error of its reason: `NotFound` (no such
    console), `DiskFull`, `MissingTool`, `Conflict` (exists already), `Refused`.
    """
    check_place(place, console)
    await ensure_installed(place)
    for attempt in (1, 2):
        argv = request_argv(place, console, verb, *words)
        done = await place.exec(argv, stdin=stdin, timeout=timeout, purpose=purpose)
        if done.stdout or done.ok:
            break
        if attempt == 2:
            raise HelperSilent(
                "the console helper does not run on the host: "
                + Untrusted(done.stderr, "helper").for_line(120),
                op="console",
            )
        await install(place)  # its directory was removed behind our back
    frames = parse(_unarmoured(place, done.stdout))
    for frame in frames:
        if isinstance(frame, FailureFrame):
            raise failure(frame.reason, console, Untrusted(done.stderr, "tmux").for_line(160))
    return frames


def unusable(error: Exception) -> bool:
    """Whether it says that the helper cannot be brought to the host or run there: what tmux alone can do is left."""
    return isinstance(error, DiskFull | StateGone | Refused | HelperSilent)


class HelperSilent(Unreachable):
    """The host answers, and the helper does not run there."""


def _unarmoured(place: Place, data: bytes) -> bytes:
    if Cap.BINARY_OUTPUT in place.provider.caps:
        return data
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error:
        raise ProtocolError("the console helper sent what is no base64", op="console") from None


def failure(reason: str, console: str, detail: str = "") -> AmtuiError:
    """The error for the reason of an `E` frame."""
    if reason == "gone":
        return NotFound(f"no console {console}", "`amtui restart NAME` starts it", op="console")
    if reason == "lost":
        return StreamBroken("the console's run directory is gone from the host", op="console")
    if reason == "disk" and any(cause in detail for cause in _NO_DIRECTORY):
        return Refused(
            f"the worker's run directory cannot be used: {detail}",
            "remove on the host what stands in its place, then `amtui restart NAME`",
        )
    if reason == "disk":
        return DiskFull("no space left in the worker's run directory", "free some space on the host")
    if reason == "tmux":
        return MissingTool("tmux is not on the host", "install the package tmux there")
    if reason == "old":
        return MissingTool(
            "the tmux on the host is older than 3.1",
            "install a newer tmux there, or destroy and make the worker anew",
        )
    if reason == "exists":
        return Conflict(f"console {console} is running already", op="console")
    if reason == "socket-dir":
        return Refused(
            "the directory of tmux sockets belongs to somebody else or others may enter it",
            "remove it, or have its owner make it 0700",
        )
    if reason == "start":
        return AmtuiError(f"tmux did not start the program: {detail or 'no reason given'}")
    return ProtocolError(f"the console helper refused the request: {reason}", op="console")
