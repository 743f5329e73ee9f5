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

from amtui.console.protocol import bounded_ack

WINDOW: Final = 0.008
"""Seconds printable text waits for company."""
QUIET: Final = 0.030
"""A key after this many seconds of silence goes at once."""
BATCH: Final = 256
"""Most bytes in one batch of keys; more goes the way of a paste."""
REQUEST: Final = 12_000
"""Most bytes of one tmux command; tmux takes 16 KiB."""
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
    """What was typed and is not yet known to be accepted. Times are seconds of the caller's clock."""

    def __init__(self) -> None:
        self.client = secrets.token_hex(6)
        """Names this byte stream on the worker; a new one for every program that is typed to."""
        self.acked = 0
        self._next = 0
        self._pending = bytearray()
        self._due: float | None = None
        self._last = float("-inf")
        self._batches: deque[Batch] = deque()

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

    def acknowledge(self, ack: int | None) -> bool:
        """Forget what was accepted. True when that moved. Raises `ProtocolError` for more than was typed."""
        before = self.acked
        self.acked = bounded_ack(ack, self.acked, self._next)
        while self._batches and self._batches[0].end <= self.acked:
            self._batches.popleft()
        return self.acked > before

    def refuse(self) -> bytes:
        """The program these keys were meant for is gone: hand them back and begin a new stream.

        They are to be shown, never typed again.
        """
        lost = self.unacked
        self._batches.clear()
        self._pending.clear()
        self._due = None
        self._next = self.acked = 0
        self.client = secrets.token_hex(6)
        return lost
