"""Keys on their way to a program: coalesced, numbered, sent until acknowledged, never typed twice.

Input is a byte stream with positions. `Outbox` decides what goes into which batch and when; it holds no clock, no
task and no channel, so every rule is testable. A batch keeps its bytes once it was handed out: the worker's tmux
compares positions, so a batch that was sent must be repeated exactly or not at all.
"""

from __future__ import annotations

import secrets
from collections import deque
from dataclasses import dataclass
from typing import Final

from amtui.console.protocol import Program, bounded_ack

WINDOW: Final = 0.008
"""Seconds printable text waits for company."""
QUIET: Final = 0.030
"""A key after this many seconds of silence goes at once."""
BATCH: Final = 256
"""Most bytes in one batch of keys; more goes the way of a paste."""
REQUEST: Final = 12_000
"""Most bytes of one tmux command; tmux takes 16 KiB."""
KEPT: Final = 4096
"""Most bytes of fresh keys that are remembered, the newest."""
_OVERHEAD: Final = 420
"""What a batch adds to the command beyond three characters a byte."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Bytes with their position in the client's input. A paste travels alone, on stdin."""

    base: int
    data: bytes
    paste: str = ""
    """`-p` for text that may be bracketed, `-r` for bytes that go as they are, empty for keys."""

    @property
    def end(self) -> int:
        return self.base + len(self.data)

    def word(self) -> str:
        """As the helper reads it."""
        return f"{self.base}:{len(self.data)}:{self.data.hex(' ')}"


def unbracketed(text: bytes) -> bytes:
    """`text` without the sequences that begin and end a paste: what is pasted must not be able to leave it."""
    before = None
    while before != text:
        before = text
        for mark in (b"\x1b[200~", b"\x1b[201~", b"\xc2\x9b200~", b"\xc2\x9b201~"):
            text = text.replace(mark, b"")
    return text


class Outbox:
    """What was typed for one program, and how far it got. Times are seconds of the caller's clock."""

    def __init__(self, reading: float) -> None:
        self._reading = reading
        """Seconds a program is given to read a key: until it is known to have lived on that long, the key is fresh."""
        self.client = secrets.token_hex(6)
        """Names this byte stream on the worker; a new one for every program that is typed to."""
        self.aim: tuple[str, int] | None = None
        """Server and process of the program that the typist saw; None when there was no picture yet."""
        self.program: Program | None = None
        """The program these keys are for; None until the worker's tmux was told of the stream: nothing has gone yet."""
        self.acked = 0
        self.sent = 0
        """How far any request ever carried this stream."""
        self._next = 0
        self._pending = bytearray()
        self._due: float | None = None
        self._last = float("-inf")
        self._batches: deque[Batch] = deque()
        self._fresh: deque[tuple[float, bytes]] = deque()

    @property
    def unacked(self) -> bytes:
        """Everything that is not known to have been accepted, in order."""
        return b"".join(batch.data for batch in self._batches) + bytes(self._pending)

    @property
    def waiting(self) -> int:
        """How many bytes that is."""
        return self._next - self.acked + len(self._pending)

    @property
    def idle(self) -> bool:
        return not self._batches and not self._pending

    @property
    def due(self) -> float | None:
        """When `collect` should be called, or None."""
        return self._due

    def type(self, data: bytes, now: float, *, control: bool) -> None:
        """Keys. `control` marks what must not wait: Enter, arrows, Ctrl-, Tab, Esc, function keys."""
        if not data:
            return
        quiet = now - self._last >= QUIET
        self._last = now
        self._pending += data
        wanted = now if control or quiet or len(self._pending) >= BATCH else now + WINDOW
        self._due = wanted if self._due is None else min(self._due, wanted)

    def paste(self, data: bytes, now: float) -> None:
        """A paste: keeps its place between the keys, and is bracketed when the program asked for that."""
        self.collect(now, force=True)
        if data:
            self._add(data, "-p")
            self._due = now

    def collect(self, now: float, *, force: bool = False) -> bool:
        """Turn pending keys that are due into batches; True when there is something new to send."""
        if self._due is None or (now < self._due and not force):
            return False
        self._due = None
        data = bytes(self._pending)
        self._pending.clear()
        if len(data) > 8 * BATCH:
            self._add(data, "-r")
        else:
            for start in range(0, len(data), BATCH):
                self._add(data[start : start + BATCH], "")
        return True

    def _add(self, data: bytes, paste: str) -> None:
        self._batches.append(Batch(self._next, data, paste))
        self._next += len(data)

    def request(self) -> list[Batch]:
        """The oldest unacknowledged batches that fit into one request; a paste alone."""
        chosen: list[Batch] = []
        room = REQUEST
        for batch in self._batches:
            if batch.paste:
                return chosen or [batch]
            room -= _OVERHEAD + 3 * len(batch.data)
            if room < 0 and chosen:
                break
            chosen.append(batch)
        return chosen

    def went(self, batches: list[Batch]) -> None:
        """A request with these batches is on its way."""
        self.sent = max(self.sent, batches[-1].end)

    def acknowledge(self, ack: int | None, now: float) -> bool:
        """Take note of what was accepted: it is fresh now. True when that moved.

        Raises `ProtocolError` for more than was sent.
        """
        before = self.acked
        self.acked = bounded_ack(ack, self.acked, self.sent)
        while self._batches and self._batches[0].end <= self.acked:
            self._fresh.append((now, self._batches.popleft().data[-KEPT:]))
        while (
            sum(len(data) for _, data in self._fresh) - len(self._fresh[0][1] if self._fresh else b"") >= KEPT
        ):
            self._fresh.popleft()
        return self.acked > before

    @property
    def fresh(self) -> bytes:
        """What was accepted and perhaps not read: the program is not known to have lived on for long."""
        return b"".join(data for _, data in self._fresh)[-KEPT:]

    @property
    def proof_due(self) -> float | None:
        """When to ask whether the program still lives, so that what it accepted last is fresh no more; or None."""
        return self._fresh[-1][0] + self._reading if self._fresh else None

    def lived(self, asked: float) -> None:
        """A request made at `asked` found the program alive."""
        while self._fresh and self._fresh[0][0] + self._reading <= asked:
            self._fresh.popleft()

    def close(self) -> tuple[bytes, bytes]:
        """No more of this stream goes out: the bytes that went and were not acknowledged, and those that never went."""
        self.collect(0.0, force=True)
        went = [batch.data for batch in self._batches if batch.end <= self.sent]
        kept = [batch.data for batch in self._batches if batch.end > self.sent]
        self._batches.clear()
        self._fresh.clear()
        return b"".join(went), b"".join(kept)
