"""Where a worker's logs are and how they are read: one exec lists them, one exec reads all that grew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from amtui.errors import ProtocolError, StateGone, UnknownName
from amtui.logs.lines import LogLine, Splitter
from amtui.model import Untrusted, Worker
from amtui.providers.base import Place, Purpose

CHUNK: Final = 256 << 10
"""Most bytes of one source that one reply carries."""

AGENT_LOGS: Final[Mapping[str, tuple[str, ...]]] = {
    "claude": (".claude/debug",),
    "codex": (".codex/log",),
    "hermes": (".hermes/logs",),
    "openclaw": (".openclaw/logs",),
}
"""Runtime id → directories under the worker's home in which it keeps logs."""


class Kind(StrEnum):
    """Who writes a log."""

    BOOTSTRAP = "bootstrap"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class Source:
    """One log: its id is the phase's, or `agent:FILE`; `size` in bytes when it was listed."""

    id: str
    kind: Kind
    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of a source from `offset`, and how large it is now. `offset` is 0 when the file had become shorter."""

    offset: int
    size: int
    data: bytes

    @property
    def end(self) -> int:
        """Where to read on."""
        return self.offset + len(self.data)


# No link is followed at any step: the agent could point one at a file of somebody else, also between a look and the
# step, so that where one stands is asked after each.
_INTO: Final = r"""
into() { # HOME FOLDER
    cd -P -- "$1" 2>/dev/null && at=$(pwd -P) || return 1
    left=$2
    while [ -n "$left" ]; do
        step=${left%%/*}
        case $left in */*) left=${left#*/} ;; *) left= ;; esac
        [ ! -L "./$step" ] && cd -P "./$step" 2>/dev/null || return 1
        at=$at/$step
        [ "$(pwd -P)" = "$at" ] || return 1
    done
}
"""

_LIST: Final = (
    _INTO
    + r"""
jobs=$1 home=$2
shift 2
[ -d "$jobs" ] || exit 98
for file in $(cd "$jobs" && ls -1tr -- */log 2>/dev/null); do
    [ -f "$jobs/$file" ] && echo "bootstrap $(($(wc -c <"$jobs/$file"))) $jobs/$file"
done
for folder do
    (
        into "$home" "$folder" || exit
        for file in *.log *.txt; do
            # shellcheck disable=SC2046 # the fields of ls
            # The size without opening it: what was a file just now may be a FIFO.
            [ -f "./$file" ] && [ ! -L "./$file" ] && set -- $(ls -lnd "./$file") && echo "agent $5 $home/$folder/$file"
        done
    )
done
exit 0
"""
)

_READ: Final = (
    _INTO
    + r"""
limit=$1 home=$2
shift 2
open() { # PATH: its bytes from fd 3
    agents=yes
    case $1 in
    "$home"/*/*) folder=${1#"$home/"} && into "$home" "${folder%/*}" && file=$at/${1##*/} ;;
    "$home"/*) into "$home" "" && file=$at/${1##*/} ;;
    *) file=$1 agents=no ;;
    esac || return 1
    [ -f "$file" ] && [ ! -L "$file" ] && command exec 3<"$file" || return 1
    # What was opened, where the system can tell.
    [ ! -d /proc/self/fd ] || [ "$agents" = no ] || [ "$(readlink /proc/self/fd/3)" = "$file" ]
}
while [ $# -ge 2 ]; do
    (
        size=0 from=$2
        if open "$1" 2>/dev/null; then
            [ ! -d /proc/self/fd ] || file=/dev/fd/3
            size=$(($(wc -c <"$file")))
        fi
        [ "$size" -ge "$from" ] || from=0
        count=$((size - from < limit ? size - from : limit))
        echo "L1 $from $size $count"
        [ "$count" -eq 0 ] || tail -c "+$((from + 1))" <"$file" | head -c "$count"
    )
    shift 2
done
"""
)


async def sources(place: Place, worker: Worker, *, purpose: Purpose = Purpose.USER) -> list[Source]:
    """The worker's logs, those of the bootstrap first in the order they were last written.

    Raises `StateGone` when the worker's directory is gone.
    """
    words = ["/bin/sh", "-c", _LIST, "sh", place.jobs, place.home, *AGENT_LOGS.get(worker.runtime, ())]
    result = await place.exec(words, purpose=purpose)
    if result.exit_code == 98:
        raise StateGone(f"{worker.name} has no directory on its host", f"amtui bootstrap {worker.name}")
    found = []
    for line in result.stdout.decode("utf-8", "replace").splitlines():
        kind, _, rest = line.partition(" ")
        size, _, path = rest.partition(" ")
        # The agent names its files: one with a newline in its name could pose as another line of this list.
        home = place.jobs if kind == Kind.BOOTSTRAP else place.home
        if kind not in tuple(Kind) or not size.isdigit() or not path.startswith(f"{home}/") or "/../" in path:
            continue
        parts = path.split("/")
        name = parts[-2] if kind == Kind.BOOTSTRAP else f"agent:{parts[-1]}"
        found.append(Source(name, Kind(kind), path, int(size)))
    return found


async def tail(
    place: Place, source: Source, offset: int = 0, *, limit: int = CHUNK, purpose: Purpose = Purpose.USER
) -> Piece:
    """The bytes of `source` from `offset` on, at most `limit`."""
    return (await read(place, [(source, offset)], limit=limit, purpose=purpose))[0]


async def read(
    place: Place, wanted: Sequence[tuple[Source, int]], *, limit: int = CHUNK, purpose: Purpose = Purpose.USER
) -> list[Piece]:
    """Several sources from their offsets on, in one exec. Raises `ProtocolError` for a reply that is none."""
    words = [word for source, offset in wanted for word in (source.path, str(offset))]
    result = await place.exec(["/bin/sh", "-c", _READ, "sh", str(limit), place.home, *words], purpose=purpose)
    rest, pieces = result.stdout, []
    for _ in wanted:
        head, _, rest = rest.partition(b"\n")
        fields = head.split()
        if len(fields) != 4 or fields[0] != b"L1" or not all(field.isdigit() for field in fields[1:]):
            raise ProtocolError("the host answered a log request strangely", "try again", op="logs")
        count = int(fields[3])
        if count > limit:
            raise ProtocolError("the host sent more log than was asked for", op="logs")
        pieces.append(Piece(int(fields[1]), int(fields[2]), rest[:count]))
        rest = rest[count:]
    return pieces


async def follow(
    place: Place, worker: Worker, *, source: str = "", live: bool = False, every: float = 0.5
) -> AsyncIterator[LogLine]:
    """Lines of the worker's logs: all there are, and with `live` those that come, looking `every` so many seconds.

    `source` keeps one source or one kind (`bootstrap`, `agent`). Raises `UnknownName` for a source that is not
    there, `StateGone`.
    """
    splitters: dict[str, Splitter] = {}
    offsets: dict[str, int] = {}
    purpose = Purpose.USER
    while True:
        listed = await sources(place, worker, purpose=purpose)
        chosen = [each for each in listed if source in ("", each.id, each.kind)]
        if source and not chosen and not live:
            names = ", ".join(Untrusted(each.id, "host").for_line(40) for each in listed) or "none yet"
            raise UnknownName(f"{worker.name} has no log {source[:40]!r}", f"it has: {names}")
        behind = [each for each in chosen if each.size != offsets.get(each.path, 0)]
        while behind:
            pieces = await read(
                place, [(each, offsets.get(each.path, 0)) for each in behind], purpose=purpose
            )
            for each, piece in zip(behind, pieces, strict=True):
                splitter = splitters.setdefault(each.path, Splitter(each.id, f"{worker.name}:{each.id}"))
                offsets[each.path] = piece.end
                for line in splitter.feed(piece.data):
                    yield line
            behind = [
                each
                for each, piece in zip(behind, pieces, strict=True)
                if piece.data and piece.end < piece.size
            ]
        if not live:
            for splitter in splitters.values():
                for line in splitter.end():
                    yield line
            return
        purpose = Purpose.PROBE  # watching must not keep a host awake
        await asyncio.sleep(every)
