"""The only writer to stdout: text for people, JSON for programs, and a worker's bytes, made safe for a terminal.

What a worker printed reaches a terminal without a single byte that the terminal would obey, also where an escape
sequence is cut in two by the network. Programs (a pipe, a file, `--raw`) get the bytes as they came.
"""

from __future__ import annotations

import codecs
import sys
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from amtui.model import SCHEMA, Untrusted, plain

if TYPE_CHECKING:
    from amtui.ops.base import Chunk, Result

STRING_LIMIT = 1 << 18
"""Characters of a control string that are waited for; the longest honest ones are clipboards and pictures."""

_STRING_OPENERS = frozenset("]P_^X\x9d\x90\x9f\x9e\x98")
_GROUND, _ESCAPE, _CONTROL, _STRING, _STRING_ESCAPE = range(5)


class ReaderLeft(Exception):
    """Whoever read our output has closed it. Nobody is left to be told."""


class TerminalFilter:
    """Incremental `Untrusted.for_terminal`: the same text comes out however the input is cut.

    A control string is held back until it ends. One that never does must not hide what follows it: when it is
    interrupted, grows over `STRING_LIMIT` or is the last thing sent, its text is shown as text.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._state = _GROUND
        self._held: list[str] = []

    def feed(self, data: bytes, *, final: bool = False) -> str:
        """Text that is safe to print; what is not complete yet is waited for."""
        kept: list[str] = []
        for char in self._decoder.decode(data, final):
            self._state = self._step(char, kept)
        if final:
            self._release(kept)
        return plain("".join(kept))

    def _release(self, kept: list[str]) -> None:
        kept += self._held
        self._held.clear()

    def _step(self, char: str, kept: list[str]) -> int:
        if char in "\x18\x1a":  # CAN and SUB end any sequence
            self._held.clear()
            return _GROUND
        if self._state == _STRING:
            return self._in_string(char, kept)
        if self._state == _STRING_ESCAPE:
            if char == "\\":
                self._held.clear()
                return _GROUND
            self._release(kept)
        if char == "\x1b":
            return _ESCAPE
        if char == "\x9b":
            return _CONTROL
        if char in _STRING_OPENERS and (char >= "\x80" or self._state in (_ESCAPE, _STRING_ESCAPE)):
            return _STRING
        if self._state in (_ESCAPE, _STRING_ESCAPE):
            if char == "[":
                return _CONTROL
            return _ESCAPE if " " <= char <= "/" else _GROUND
        if self._state == _CONTROL:
            if " " <= char <= "?":
                return _CONTROL
            if "@" <= char <= "~":
                return _GROUND
        kept.append(char)
        # A control character inside a CSI sequence is executed and the sequence goes on.
        return _CONTROL if self._state == _CONTROL and char < " " else _GROUND

    def _in_string(self, char: str, kept: list[str]) -> int:
        if char in "\x07\x9c":
            self._held.clear()
            return _GROUND
        if char == "\x1b":
            return _STRING_ESCAPE
        self._held.append(char)
        if len(self._held) > STRING_LIMIT:
            self._release(kept)
            return _GROUND
        return _STRING


def _versioned(data: Any) -> dict[str, Any]:
    """Data as a JSON object that tells its schema."""
    built = msgspec.to_builtins(data)
    if not isinstance(built, dict):
        built = {"data": built} if built is not None else {}
    return built if "schema" in built or "$schema" in built else {"schema": SCHEMA, **built}


class Output:
    """Stdout (and the stderr half of a worker's output) for one call."""

    def __init__(
        self,
        *,
        json: bool = False,
        raw: bool = False,
        stdout: BinaryIO | None = None,
        stderr: BinaryIO | None = None,
        terminals: tuple[bool, bool] | None = None,
    ) -> None:
        self.json = json
        self.raw = raw
        self._streams = {"stdout": stdout or sys.stdout.buffer, "stderr": stderr or sys.stderr.buffer}
        seen = terminals or (sys.stdout.isatty(), sys.stderr.isatty())
        self._terminal = {"stdout": seen[0], "stderr": seen[1]}
        self._filters = {"stdout": TerminalFilter(), "stderr": TerminalFilter()}

    def _write(self, data: bytes, stream: str = "stdout") -> None:
        try:
            self._streams[stream].write(data)
            self._streams[stream].flush()
        except BrokenPipeError:
            raise ReaderLeft from None

    def chunk(self, chunk: Chunk) -> None:
        """Live output. With `--json` it is a line of its own where it is a record, else part of the final document."""
        if self.json:
            if chunk.record is not None:
                self._line(chunk.record)
            return
        # A bootstrap's log is narration: it goes to stderr, beside the phases it belongs to.
        stream = "stderr" if chunk.stream == "log" else chunk.stream
        if self.raw or not self._terminal[stream]:
            self._write(chunk.data, stream)
        elif text := self._filters[stream].feed(chunk.data):
            self._write(text.encode("utf-8", "replace"), stream)

    def finish(self) -> None:
        """No more chunks come: what was held back as the beginning of a control string is shown."""
        for stream, through in self._filters.items():
            if text := through.feed(b"", final=True):
                self._write(text.encode("utf-8", "replace"), stream)

    def result(self, result: Result) -> None:
        """The end of an operation."""
        if self.json:
            self.document(result.data)
        elif result.raw is not None and (self.raw or not self._terminal["stdout"]):
            self._write(result.raw)
        elif result.text:
            self.text(result.text)

    def text(self, text: str) -> None:
        """Lines for a person. A terminal gets them through the filter once more: a second lock on one door."""
        if self._terminal["stdout"] and not self.raw:
            text = Untrusted(text, "amtui").for_terminal()
        self._write(text.encode("utf-8", "replace") + (b"" if text.endswith("\n") else b"\n"))

    def document(self, data: Any) -> None:
        """One JSON document with the version of its schema."""
        self._write(msgspec.json.format(msgspec.json.encode(_versioned(data)), indent=2) + b"\n")

    def _line(self, record: Any) -> None:
        self._write(msgspec.json.encode(_versioned(record)) + b"\n")

    def error(self, message: str, hint: str, exit_code: int) -> None:
        """With `--json`, a program learns of a failure on stdout too; people read stderr."""
        if self.json:
            self.document({"error": {"message": message, "hint": hint, "exit_code": exit_code}})
