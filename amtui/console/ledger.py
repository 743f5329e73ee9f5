"""What became of the keys: which a program got, which it may not have read, and which nobody got.

A worker's tmux says how much of a stream of keys it accepted: put into the terminal of the program the stream is for.
Whether the program read them before it ended, nobody outside can see. So when a program ends, what was typed for it
falls into three parts, oldest first: accepted, and the program is known to have lived on for `reading` seconds
(it had the time to read them); accepted just before it ended (`unread`); and never accepted (`refused`). Nothing of a
stream is ever typed for another program.
"""

from __future__ import annotations

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
    """The stream of keys for the program that runs, and those of ended programs until tmux said how far they got."""

    def __init__(self, reading: float) -> None:
        self._reading = reading
        self.outbox = Outbox(reading)
        self.leaving: dict[Outbox, str] = {}
        """Streams of programs that ended, with the reason, of which some keys have no answer yet."""

    @property
    def idle(self) -> bool:
        """Whether the fate of everything typed is known."""
        return self.outbox.idle and not self.leaving

    @property
    def waiting(self) -> int:
        """How many bytes have no answer yet."""
        return self.outbox.waiting + sum(outbox.waiting for outbox in self.leaving)

    def part(self, reason: str) -> Verdict | None:
        """The program is known to have ended: begin a new stream for the next.

        Tmux takes nothing more for the old one, so its position is final: None means that it must be asked for, and
        `settle` then tells the rest.
        """
        outbox, self.outbox = self.outbox, Outbox(self._reading)
        if outbox.sent <= outbox.acked:
            return _verdict(outbox, reason, known=True)
        self.leaving[outbox] = reason
        return None

    def settle(self, outbox: Outbox, reason: str, *, known: bool) -> Verdict | None:
        """The last word on a stream; with `known`, its position is exact. None for one that is settled already."""
        if outbox is self.outbox:
            self.outbox = Outbox(self._reading)
        elif self.leaving.pop(outbox, None) is None:
            return None
        return _verdict(outbox, reason, known=known)


def _verdict(outbox: Outbox, reason: str, *, known: bool) -> Verdict:
    fresh = outbox.fresh
    went, kept = outbox.close()
    if known:
        return Verdict(went + kept, fresh, reason)
    return Verdict(kept, fresh + went, reason)
