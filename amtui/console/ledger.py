"""What became of the keys: which a program got, which it may not have read, and which nobody got.

A worker's tmux says how much of a stream of keys it accepted: put into the terminal of the program the stream is for.
Whether the program read them before it ended, nobody outside can see. So when a program ends, what was typed for it
falls into three parts, oldest first: accepted, and the program is known to have lived on for `reading` seconds
(it had the time to read them); accepted just before it ended (`unread`); and never accepted (`refused`). Nothing of a
stream is ever typed for another program.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from amtui.console.input import Outbox


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be told about a stream of keys whose program has ended. Shown, never typed again."""

    refused: bytes
    """Reached nobody."""
    unread: bytes
    """Accepted just before the program ended, or sent and never answered for: perhaps read, perhaps not."""
    reason: str
    """`dead restarted new-server`."""


class Ledger:
    """The stream of keys for the program that runs, and those of ended programs until tmux said how far they got.

    Verdicts are told in the order in which keys were typed.
    """

    def __init__(self, reading: float) -> None:
        self._reading = reading
        self.outbox = Outbox(reading)
        self.leaving: dict[Outbox, str] = {}
        """Streams of programs that ended, with the reason, of which some keys have no answer yet."""
        self._untold: deque[Outbox | Verdict] = deque()
        """In order of typing: verdicts that wait behind a stream that has none."""

    @property
    def idle(self) -> bool:
        """Whether the fate of everything typed is known."""
        return self.outbox.idle and not self.leaving

    @property
    def waiting(self) -> int:
        """How many bytes have no answer yet."""
        return self.outbox.waiting + sum(outbox.waiting for outbox in self.leaving)

    def part(self, reason: str) -> None:
        """The program is known to have ended: begin a new stream for the next.

        Tmux takes nothing more for the old one, so its position is final; where it is not known it must be asked for,
        and `settle` then tells the rest.
        """
        outbox, self.outbox = self.outbox, Outbox(self._reading)
        if outbox.sent <= outbox.acked:
            self._untold.append(_verdict(outbox, reason, known=True))
        else:
            self.leaving[outbox] = reason
            self._untold.append(outbox)

    def settle(self, outbox: Outbox, reason: str, *, known: bool) -> None:
        """The last word on a stream, heeded once; with `known`, its position is exact."""
        if outbox is self.outbox:
            self.outbox = Outbox(self._reading)
            self._untold.append(_verdict(outbox, reason, known=known))
        elif self.leaving.pop(outbox, None) is not None:
            self._untold[self._untold.index(outbox)] = _verdict(outbox, reason, known=known)

    def hand_back(self, data: bytes, reason: str) -> None:
        """Keys for which there is no program: they go nowhere."""
        self._untold.append(Verdict(data, b"", reason))

    def verdicts(self) -> Iterator[Verdict]:
        """What is to be told now, oldest first; each once."""
        while self._untold and isinstance(self._untold[0], Verdict):
            verdict = self._untold.popleft()
            if isinstance(verdict, Verdict) and (verdict.refused or verdict.unread):
                yield verdict


def _verdict(outbox: Outbox, reason: str, *, known: bool) -> Verdict:
    fresh = outbox.fresh
    went, kept = outbox.close()
    if known:
        return Verdict(went + kept, fresh, reason)
    return Verdict(kept, fresh + went, reason)
