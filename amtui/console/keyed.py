"""Keys of a console: for which program they are, what became of them, what is told of that.

`amtui.console.ledger` and `amtui.console.input` hold the rules, `amtui.console.typist` carries.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from amtui.console.input import Outbox
from amtui.console.ledger import Ledger
from amtui.console.protocol import Program, StateFrame
from amtui.console.status import Link, Timing
from amtui.console.telling import Telling

_KEPT: Final = 4096
"""Most bytes of keys of unlucky streams that a status carries, the newest."""
_ENDING: Final = 5.0
"""Most seconds that a restart takes to end the old program."""


class Keyed(Telling):
    """A console that is typed into."""

    def __init__(self, clock: Callable[[], float], timing: Timing) -> None:
        super().__init__(clock)
        self.timing = timing
        self.ledger = Ledger(timing.reading)
        self.program: Program | None = None
        """The program that runs, or ran last, as far as we were told."""
        self.shown: tuple[str, int] | None = None
        """The program whose picture stands: its server and process. Keys are for what the typist sees."""
        self.typed = asyncio.Event()
        """Set when the outbox has something that is due or will be."""
        self.claim = asyncio.Event()
        """Set by typing: the last typist sizes the console."""
        self._judged = float("-inf")
        self._ending = float("-inf")
        """Until when nothing is typed to a program that is being ended."""

    @property
    def outbox(self) -> Outbox:
        """Keys for the program that runs."""
        return self.ledger.outbox

    def type(self, data: bytes, *, control: bool) -> None:
        """Put keys on their way; returns at once."""
        if self._aimed(data):
            self.outbox.type(data, self.clock(), control=control)
            self._typed()

    def paste(self, data: bytes) -> None:
        """Put a paste on its way; returns at once."""
        if self._aimed(data):
            self.outbox.paste(data, self.clock())
            self._typed()

    def _aimed(self, data: bytes) -> bool:
        """Have a stream of keys for the program that the picture shows. False when it is over: keys are handed back."""
        over = self.status.link is Link.ENDED or (self.status.link is Link.DEAD and self._seen)
        if over or self.clock() < self._ending:
            self.ledger.hand_back(data, "dead" if over else "restarted")
            self._report()
            return False
        program = self.outbox.program
        whose = self.outbox.aim or (program and program[:2])
        if whose is not None and self.shown is not None and whose != self.shown:
            self.ledger.part("restarted")
            self._report()
        self.outbox.aim = self.shown
        return True

    def _typed(self) -> None:
        self.typed.set()
        self.claim.set()
        self._count_unacked()

    def _acknowledge(self, asked: Outbox | None, ack: int | None) -> None:
        """The worker's tmux has accepted input of that stream up to `ack`."""
        if asked is not None and asked.acknowledge(ack, self.clock()):
            if self.clock() - self._judged > self.timing.told and asked is self.outbox:
                self.note(refused=b"", unread=b"", refusal="")
            self._count_unacked()

    def settle(self, asked: Outbox, reason: str, *, known: bool) -> None:
        """The program of that stream has ended; with `known`, how far the stream got is."""
        self.ledger.settle(asked, reason, known=known)
        self._report()
        self.typed.set()

    def _report(self) -> None:
        """Show what is lost, and what may be: it will not be typed again."""
        self._count_unacked()
        for verdict in self.ledger.verdicts():
            self._judged = self.clock()
            refused = (self.status.refused + verdict.refused)[-_KEPT:]
            unread = (self.status.unread + verdict.unread)[-_KEPT:]
            self.note(refused=refused, unread=unread, refusal=verdict.reason)

    @property
    def _seen(self) -> bool:
        """Whether the picture is of the program that runs, as far as either is known."""
        return self.shown is None or self.program is None or self.shown == self.program[:2]

    def _became(self, state: StateFrame) -> None:
        """This is the program now; keys that are for another one are not for it."""
        old, self.program = self.program, state.program
        if old is None or state.program == old:
            return
        why = "new-server" if old[0] != state.server else "dead" if state.dead else "restarted"
        already = self.outbox.program is None and self.outbox.aim == state.program[:2] != old[:2]
        if not already:  # keys typed since its picture came are for this program
            self.ledger.part(why)
            self._report()
        ending = (
            old[:2] == state.program[:2] and not state.dead
        )  # the epoch rises before the program is ended
        self._ending = self.clock() + _ENDING if ending else float("-inf")
        self.typed.set()

    def _bind(self, outbox: Outbox) -> None:
        """The worker's tmux knows that stream: from now on it is for the program that runs, if it was typed for it."""
        if outbox is not self.outbox or self.program is None:
            return
        if outbox.aim in (None, self.program[:2]):
            outbox.program = self.program
        elif outbox.program is None:
            self.ledger.part("restarted")
            self._report()

    def _over(self) -> None:
        """There is nobody any more who could say how far keys got."""
        for outbox in (*self.ledger.leaving, self.outbox):
            self.settle(outbox, "new-server", known=False)

    async def drain(self, timeout: float) -> None:
        """Wait until everything typed was accepted or refused. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            while not self.ledger.idle:
                self.changed.clear()
                await self.changed.wait()

    def _count_unacked(self) -> None:
        """Keep the number that views show beside the screen. No view is woken for it: their frame is the echo's."""
        self.status = replace(self.status, unacked=self.ledger.waiting)
        self.changed.set()
