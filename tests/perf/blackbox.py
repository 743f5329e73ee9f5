"""A person's terminal, timed: keys written to a pseudo-terminal, cells painted there read back by an emulator."""

from __future__ import annotations

import fcntl
import os
import pty
import random
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from amtui.emulator import Screen, Stream
from amtui.ops.benchmark_contenders import LETTERS


class Glass:
    """A program on a pseudo-terminal, seen as its user sees it."""

    def __init__(
        self, argv: Sequence[str], env: Mapping[str, str], *, columns: int = 100, rows: int = 30
    ) -> None:
        self.screen = Screen(columns, rows, 0)
        self._stream = Stream(self.screen)
        self.painted = 0
        """Bytes read so far."""
        self._pid, self._fd = pty.fork()
        if not self._pid:
            try:
                os.execvpe(
                    argv[0],
                    list(argv),
                    {**env, "TERM": "xterm-256color", "LANG": "C.UTF-8", "COLORTERM": "truecolor"},
                )
            finally:
                os._exit(127)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @property
    def pid(self) -> int:
        return self._pid

    def write(self, data: bytes) -> None:
        os.write(self._fd, data)

    def rows(self) -> list[str]:
        return [row.rstrip() for row in self.screen.display]

    def read(self, seconds: float) -> bool:
        """Take what is painted within `seconds`; False when nothing came."""
        if not select.select([self._fd], [], [], max(0.0, seconds))[0]:
            return False
        try:
            data = os.read(self._fd, 1 << 18)
        except OSError:
            return False
        self.painted += len(data)
        self._stream.feed(data)
        return True

    def rest(self, seconds: float) -> None:
        """Read on for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.read(left)

    def until(self, true: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
        """Read until something is so."""
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, f"not within {seconds:g} s: {what}\n" + "\n".join(self.rows())
            self.read(0.1)

    def shows(self, text: str, seconds: float = 30.0) -> None:
        """Read until `text` stands somewhere."""
        self.until(lambda: any(text in row for row in self.rows()), f"{text!r} on the screen", seconds)

    def count(self, letter: str) -> int:
        return sum(row.count(letter) for row in self.rows())

    def key(self, letter: str, seconds: float = 5.0) -> float:
        """Seconds from a key written to one more such letter painted."""
        before = self.count(letter)
        began = time.perf_counter()
        self.write(letter.encode())
        while True:
            waited = time.perf_counter() - began
            assert waited < seconds, f"{letter!r} was not painted\n" + "\n".join(self.rows())
            came = select.select([self._fd], [], [], seconds)[0]
            now = time.perf_counter()
            if came and self.read(0) and self.count(letter) > before:
                return now - began

    def close(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGTERM)
        end = time.monotonic() + 5
        while time.monotonic() < end:
            self.read(0.05)
            if os.waitpid(self._pid, os.WNOHANG)[0]:
                break
        else:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        os.close(self._fd)


def in_turns(
    glasses: Mapping[str, Glass], keys: int, *, gap: tuple[float, float] = (0.12, 0.25), seed: int = 3
) -> dict[str, list[float]]:
    """Seconds from key to paint, one key at a time, the terminals in turns."""
    chosen = random.Random(seed)
    taken: dict[str, list[float]] = {name: [] for name in glasses}
    for number in range(keys):
        if number % 60 == 59:
            for glass in glasses.values():
                glass.write(b"\x0c")
                glass.rest(0.3)
        for name, glass in glasses.items():
            for other in glasses.values():
                other.rest(chosen.uniform(*gap) / len(glasses))
            taken[name].append(glass.key(chosen.choice(LETTERS)))
    return taken
