"""What the helper on a worker's host says, parsed and bounded, and the rule that merges it.

A reply is a sequence of frames: one header line of words, then as many raw bytes as the header says. An empty
line is a heartbeat. `docs/protocol.md` specifies every word. The other side is a machine that an agent may have
rewritten: any number out of bounds is a `ProtocolError` and its data is discarded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from amtui.errors import ProtocolError
from amtui.model import Untrusted

MAX_BODY: Final = 8 << 20
"""Most bytes one frame may carry."""
MAX_HEADER: Final = 512
"""Longest header line in bytes."""
MAX_NUMBER: Final = 1 << 53
MAX_STEP: Final = 1_000_000
"""Most generations a console may advance between two things we hear of it."""
MAX_SIDE: Final = 10_000
"""Most columns or rows of a console."""

Program: TypeAlias = tuple[str, int, int]
"""Which program in which tmux server: the server's `pid.start_time`, the pane's process, the epoch."""

REASONS: Final = frozenset({"-", "dead", "restarted", "new-server"})
"""Why keys were refused; `-` when they were not."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a client has read: a generation, and an offset in bytes into its log."""

    generation: int
    offset: int


@dataclass(frozen=True, slots=True)
class SnapshotFrame:
    """`S`: the screen at the start of a generation and the first `data` bytes of its log."""

    generation: int
    snapshot: bytes
    data: bytes
    ack: int | None


@dataclass(frozen=True, slots=True)
class DataFrame:
    """`D` or `B`: log bytes from `offset` on."""

    generation: int
    offset: int
    data: bytes
    ack: int | None


@dataclass(frozen=True, slots=True)
class AckFrame:
    """`A`: how much of a client's input tmux has accepted, and why no more of it."""

    ack: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class StateFrame:
    """`K`: which program in which tmux server this is, and its size. Input is bound to it."""

    server: str
    """`pid.start_time` of the tmux server."""
    pane_pid: int
    epoch: int
    """Raised by each start, restart and exit of the program."""
    dead: bool
    status: str
    """Exit status of a dead program as tmux gives it, or empty."""
    columns: int
    rows: int
    owner: str
    """Client that may size the console, or empty."""
    owner_until: int
    """Unix seconds on the worker's clock."""
    piped: bool
    history_limit: int

    @property
    def program(self) -> Program:
        """Equal exactly as long as keys would reach the same program."""
        return (self.server, self.pane_pid, self.epoch)


@dataclass(frozen=True, slots=True)
class HistoryFrame:
    """`H`: rows `first`… of the console's history, with the numbers of the same server turn.

    Rows 0 … size-1 have scrolled off the screen, rows from `size` on are the screen itself.
    """

    generation: int
    size: int
    limit: int
    columns: int
    rows: int
    first: int
    data: bytes


@dataclass(frozen=True, slots=True)
class FailureFrame:
    """`E`: the request could not be served: `gone disk bad usage exists start socket-dir`."""

    reason: str


@dataclass(frozen=True, slots=True)
class BeatFrame:
    """An empty line: the other side is there and has nothing to say."""


@dataclass(frozen=True, slots=True)
class WatchFrame:
    """`W`: a fingerprint of the state of a worker's consoles."""

    mark: str


@dataclass(frozen=True, slots=True)
class TextFrame:
    """`T`: lines of facts or of a screen, for whoever asked to read."""

    data: bytes


@dataclass(frozen=True, slots=True)
class OutcomeFrame:
    """`R`: how far a text or key got, and why not further."""

    outcome: str
    reason: str


Frame: TypeAlias = (
    SnapshotFrame
    | DataFrame
    | AckFrame
    | StateFrame
    | HistoryFrame
    | FailureFrame
    | BeatFrame
    | WatchFrame
    | TextFrame
    | OutcomeFrame
)


def _broken(what: str) -> ProtocolError:
    return ProtocolError(
        f"the console helper sent {what}", "reconnecting; `amtui doctor` checks the host", op="console"
    )


_NUMBER: Final = re.compile(rb"[0-9]{1,16}\Z")
_WORD: Final = re.compile(rb"[A-Za-z0-9.,_-]{1,64}\Z")
_SERVER: Final = re.compile(rb"[0-9]{1,10}\.[0-9]{1,16}\Z")
_OWNER: Final = re.compile(rb"([A-Za-z0-9@._-]{1,64}),([0-9]{1,12})\Z")
_WORDS: Final = {b"S": 5, b"D": 5, b"B": 4, b"A": 3, b"K": 11, b"H": 8, b"E": 2, b"W": 2, b"T": 2, b"R": 3}
_BODIED: Final = frozenset({b"S", b"D", b"B", b"H", b"T"})


def _number(word: bytes, limit: int = MAX_NUMBER) -> int:
    if not _NUMBER.match(word) or int(word) > limit:
        raise _broken(f"the number {Untrusted(word[:24], 'helper').for_line()!r}")
    return int(word)


def _ack(word: bytes) -> int | None:
    return None if word == b"-" else _number(word)


def _reason(word: bytes) -> str:
    reason = word.decode("ascii", "replace")
    if reason not in REASONS:
        raise _broken("an unknown refusal")
    return reason


def _state(words: list[bytes]) -> StateFrame:
    if not _SERVER.match(words[1]):
        raise _broken("no server identity")
    if words[4] not in (b"0", b"1") or words[9] not in (b"0", b"1"):
        raise _broken("a flag that is neither 0 nor 1")
    status = words[5][1:]
    if words[5][:1] != b"s" or (status and not _NUMBER.match(status)):
        raise _broken("no exit status")
    owner = _OWNER.match(words[8])
    if owner is None and words[8] != b"-":
        raise _broken("no size owner")
    return StateFrame(
        server=words[1].decode(),
        pane_pid=_number(words[2], 1 << 31),
        epoch=_number(words[3]),
        dead=words[4] == b"1",
        status=status.decode(),
        columns=_number(words[6], MAX_SIDE),
        rows=_number(words[7], MAX_SIDE),
        owner=owner[1].decode() if owner else "",
        owner_until=int(owner[2]) if owner else 0,
        piped=words[9] == b"1",
        history_limit=_number(words[10]),
    )


def _bodied(words: list[bytes], body: bytes) -> Frame:
    tag = words[0]
    if tag == b"T":
        return TextFrame(body)
    if tag == b"S":
        cut = _number(words[2], len(body))
        return SnapshotFrame(_number(words[1]), body[:cut], body[cut:], _ack(words[3]))
    if tag == b"D":
        return DataFrame(_number(words[1]), _number(words[2]), body, _ack(words[3]))
    if tag == b"B":
        return DataFrame(_number(words[1]), _number(words[2]), body, None)
    size, limit, first = _number(words[2]), _number(words[3]), _number(words[6])
    if size > limit or first > size + MAX_SIDE:
        raise _broken("impossible history numbers")
    return HistoryFrame(
        generation=_number(words[1]),
        size=size,
        limit=limit,
        columns=_number(words[4], MAX_SIDE),
        rows=_number(words[5], MAX_SIDE),
        first=first,
        data=body,
    )


def _bodiless(words: list[bytes]) -> Frame:
    if words[0] == b"A":
        return AckFrame(_ack(words[1]), _reason(words[2]))
    if words[0] == b"K":
        return _state(words)
    if not all(_WORD.match(word) for word in words[1:]):
        raise _broken("an unknown word")
    if words[0] == b"R":
        return OutcomeFrame(words[1].decode("ascii"), words[2].decode("ascii"))
    word = words[1].decode("ascii")
    return FailureFrame(word) if words[0] == b"E" else WatchFrame(word)


class FrameReader:
    """Turns bytes, however they were cut, into frames. One reader for one reply or one stream."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._words: list[bytes] | None = None
        self._need = 0

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that `data` completes. Raises `ProtocolError`; the reader is of no use after that."""
        self._buffer += data
        while (frame := self._next()) is not None:
            yield frame

    def finish(self) -> None:
        """The reply is over. Raises `ProtocolError` when it was cut short."""
        if self._buffer or self._words is not None:
            raise _broken("a reply that was cut short")

    def _next(self) -> Frame | None:
        if self._words is None and not self._header():
            return None
        words = self._words
        assert words is not None
        if len(words) == 0:
            self._words = None
            return BeatFrame()
        if words[0] not in _BODIED:
            self._words = None
            return _bodiless(words)
        if len(self._buffer) < self._need:
            return None
        body = bytes(self._buffer[: self._need])
        del self._buffer[: self._need]
        self._words = None
        return _bodied(words, body)

    def _header(self) -> bool:
        end = self._buffer.find(b"\n", 0, MAX_HEADER)
        if end < 0:
            if len(self._buffer) >= MAX_HEADER:
                raise _broken("a header without an end")
            return False
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        words = line.split(b" ") if line else []
        if words and len(words) != _WORDS.get(words[0], -1):
            raise _broken(f"the header {Untrusted(line[:60], 'helper').for_line()!r}")
        self._words = words
        self._need = _number(words[-1], MAX_BODY) if words and words[0] in _BODIED else 0
        return True


def parse(reply: bytes) -> list[Frame]:
    """All frames of a complete reply. Raises `ProtocolError`, also for a reply that was cut short."""
    reader = FrameReader()
    frames = list(reader.feed(reply))
    reader.finish()
    return frames


@dataclass(frozen=True, slots=True)
class Merged:
    """What a frame means for a reader: where it stands now, what to load, what to feed after that."""

    position: Position
    snapshot: bytes | None = None
    data: bytes = b""
    gap: bool = False
    """The frame starts past our position: something between got lost and must be asked for again."""


def merge(position: Position | None, frame: SnapshotFrame | DataFrame) -> Merged:
    """Same generation: only what lies past our offset. Newer: take the snapshot. Older: nothing.

    Late, repeated and reordered frames are thereby harmless. `position` None means nothing was read yet.
    Raises `ProtocolError` when the generation makes a step no console makes.
    """
    if position is None:
        if isinstance(frame, DataFrame):
            return Merged(Position(frame.generation, 0), gap=True)
        return Merged(Position(frame.generation, len(frame.data)), frame.snapshot, frame.data)
    if frame.generation > position.generation + MAX_STEP:
        raise _broken("a generation far ahead")
    if frame.generation < position.generation:
        return Merged(position)
    if frame.generation > position.generation:
        if isinstance(frame, DataFrame):
            return Merged(position, gap=True)
        return Merged(Position(frame.generation, len(frame.data)), frame.snapshot, frame.data)
    start = 0 if isinstance(frame, SnapshotFrame) else frame.offset
    if start > position.offset:
        return Merged(position, gap=True)
    fresh = frame.data[position.offset - start :]
    return Merged(Position(position.generation, position.offset + len(fresh)), None, fresh)


def newer(known: Program | None, state: StateFrame) -> bool:
    """Whether `state` tells of the program known, or of one that came after it: replies may be late.

    Raises `ProtocolError` for an epoch far ahead.
    """
    if known is None:
        return True
    server, _, epoch = known
    if state.server != server:
        return int(state.server.partition(".")[2]) >= int(server.partition(".")[2])
    if state.epoch > epoch + MAX_STEP:
        raise _broken("an epoch far ahead")
    return state.epoch >= epoch


def bounded_ack(ack: int | None, acked: int, sent: int) -> int:
    """`ack` when it lies between what was acknowledged and what was sent. Raises `ProtocolError` beyond that.

    An older acknowledgement than we know of is a late reply and leaves `acked` as it is.
    """
    if ack is None:
        return acked
    if ack > sent:
        raise _broken("an acknowledgement of keys that were never typed")
    return max(ack, acked)
