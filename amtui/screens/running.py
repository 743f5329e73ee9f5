"""A deploy or bootstrap in flight: it belongs to the application, not to the screen that watches it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from amtui.errors import AmtuiError, NeedsConfirmation
from amtui.model import Untrusted
from amtui.ops.base import Chunk, Progress, Result

if TYPE_CHECKING:
    from amtui.screens.desk import Desk

_KEPT: Final = 5_000


class Run:
    """One operation going on, with everything it has said so far."""

    def __init__(self, desk: Desk, name: str, op_id: str, values: Any) -> None:
        self.name = name
        self.op_id = op_id
        self.values = values
        self.lines: deque[tuple[str, str]] = deque(maxlen=_KEPT)
        """(tone, text): note for narration, log for output of the worker, bad for an error."""
        self.said = 0
        """Lines ever said; a screen reads on from the number it has seen."""
        self.share: float | None = None
        """How far it is, 0 to 1."""
        self.error: AmtuiError | None = None
        self.result: Result | None = None
        self.listeners: set[Callable[[], None]] = set()
        self._desk = desk
        self._partial = b""

    @property
    def running(self) -> bool:
        """True until it succeeded or failed."""
        return self.error is None and self.result is None

    async def go(self) -> None:
        """Run to the end. Errors are kept, not raised: whoever watches decides what to do."""
        try:
            async for item in self._desk.operations.run(self._desk.ctx, self.op_id, self.values):
                if isinstance(item, Progress):
                    self.share = item.fraction if item.fraction is not None else self.share
                    self._say("note", item.text)
                elif isinstance(item, Chunk):
                    self._output(item.data)
                else:
                    self.result = item
            self.result = self.result or Result()
        except AmtuiError as error:
            self.error = error
            if not isinstance(error, NeedsConfirmation):
                self._say("bad", error.message)
            if error.hint:
                self._say("note", error.hint)
        except Exception as error:
            self._desk.report_crash(error)
            self.error = AmtuiError(f"internal error: {type(error).__name__}", "a crash file was written")
            self._say("bad", self.error.message)
        finally:
            self._tell()

    def _output(self, data: bytes) -> None:
        *whole, self._partial = (self._partial + data).split(b"\n")
        self._partial = self._partial[-65_536:]
        for line in whole:
            self._say(
                "log",
                Untrusted(line.rsplit(b"\r", 1)[-1] if b"\r" in line.rstrip(b"\r") else line, "log").for_line(
                    2000
                ),
            )

    def _say(self, tone: str, text: str) -> None:
        self.lines.append((tone, text))
        self.said += 1
        self._tell()

    def _tell(self) -> None:
        for listener in tuple(self.listeners):
            listener()

    def since(self, seen: int) -> list[tuple[str, str]]:
        """The lines after the first `seen`."""
        fresh = min(self.said - seen, len(self.lines))
        return list(self.lines)[len(self.lines) - fresh :] if fresh > 0 else []
