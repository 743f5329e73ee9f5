"""The reference for keys and mouse: a person at a terminal who is attached to tmux, and the program in the pane.

`Attached` is that terminal: what it writes goes through a real `tmux attach` on a pseudo-terminal. `Program` is the
other end, with tmux or amtui between: it sets modes and tells which bytes reached it.
"""

from __future__ import annotations

import array
import fcntl
import os
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Thread

from oracle import Pane

PATIENCE = 20.0
"""Seconds a byte may take on a busy computer."""
MARK = b"~end~"
RESET = b"\x1b[?1l\x1b>\x1b[>4m\x1b[?2004l\x1b[?1004l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1005l\x1b[?1006l\x1b[?1015l"
"""Every mode that input depends on, off."""


class Program:
    """A program that sets the modes of its terminal and tells what was typed into it."""

    def __init__(self, folder: Path) -> None:
        self._paths = [folder / "relay-commands", folder / "relay-received"]
        for path in self._paths:
            os.mkfifo(path)
        relay = Path(__file__).with_name("keyrelay.py")
        self.argv = [sys.executable, "-I", "-S", str(relay), *map(str, self._paths)]
        self._commands = self._received = -1
        self._kept = b""

    def open(self) -> None:
        """Meet the program that was started with `argv`."""
        self._received = os.open(self._paths[1], os.O_RDONLY)
        self._commands = os.open(self._paths[0], os.O_WRONLY)

    def close(self) -> None:
        for fd in (self._commands, self._received):
            if fd >= 0:
                os.close(fd)

    def write(self, data: bytes) -> None:
        """Print `data`; that it was printed is not waited for."""
        os.write(self._commands, data.hex().encode() + b"\n")

    def sets(self, setting: bytes) -> None:
        """Set modes, and wait until its terminal has taken them."""
        self.write(RESET + setting + b"\x1b[6n")
        self.receives(lambda got: got.endswith(b"R"))
        self._kept = b""

    def receives(self, enough: Callable[[bytes], bool]) -> bytes:
        """Everything received until `enough` says so, taken out of the store."""
        end = time.monotonic() + PATIENCE
        while not enough(self._kept):
            left = end - time.monotonic()
            assert left > 0, f"the program received {self._kept!r} and nothing more"
            if select.select([self._received], [], [], left)[0]:
                self._kept += os.read(self._received, 65536)
        return self._kept

    def answers(self, deed: Callable[[], object]) -> None:
        """Wait until something more than before was received after `deed`."""
        before = len(self._kept)
        deed()
        self.receives(lambda got: len(got) > before)

    def take(self) -> bytes:
        """What was received up to MARK, without it."""
        got, _, self._kept = self.receives(lambda got: MARK in got).partition(MARK)
        return got


class Terminal:
    """A terminal on which a program runs: we are its keyboard."""

    def __init__(self, argv: Sequence[str], env: dict[str, str], columns: int, rows: int) -> None:
        self._fd, self._slave = os.openpty()
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.pid = os.fork()
        if not self.pid:
            try:
                os.login_tty(os.dup(self._slave))
                os.execvpe(argv[0], list(argv), env)
            finally:
                os._exit(127)
        self.painted = b""
        Thread(target=self._drain, daemon=True).start()

    def _drain(self) -> None:
        with suppress(OSError):
            while data := os.read(self._fd, 65536):
                self.painted = (self.painted + data)[-1_000_000:]

    def shows(self, data: bytes) -> None:
        """Wait until the program has written `data`."""
        end = time.monotonic() + PATIENCE
        while data not in self.painted:
            assert time.monotonic() < end, f"{data!r} was not painted, only {self.painted[-2000:]!r}"
            time.sleep(0.005)

    def types(self, data: bytes) -> None:
        """Write `data` as one piece, and wait until it was read, so that the next piece is another read."""
        assert os.write(self._fd, data) == len(data) < 4000
        waiting = array.array("i", [1])
        end = time.monotonic() + PATIENCE
        while waiting[0]:
            assert time.monotonic() < end, "nobody reads the terminal"
            fcntl.ioctl(self._slave, termios.FIONREAD, waiting)
            if waiting[0]:
                time.sleep(0.0005)

    def close(self) -> None:
        os.close(self._slave)
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        end = time.monotonic() + PATIENCE
        while not os.waitpid(self.pid, os.WNOHANG)[0]:
            if time.monotonic() > end:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                break
            time.sleep(0.01)
        os.close(self._fd)


class Attached(Pane):
    """A program in a pane of tmux, with a person attached."""

    def __init__(
        self, tmux: str, columns: int = 80, lines: int = 24, *, term: str = "xterm-256color"
    ) -> None:
        super().__init__(tmux, columns, lines)
        self.tmux("set", "-g", "prefix", "None", ";", "unbind", "-a", "-T", "root", ";", "unbind", "-a")
        self.tmux("set", "-s", "assume-paste-time", "0", ";", "set", "-g", "focus-events", "on")
        self.program = Program(self._directory)
        self.tmux("respawn-pane", "-k", "exec " + " ".join(self.program.argv))
        self.program.open()
        argv = [tmux, "-u", "-S", str(self._directory / "socket"), "attach"]
        env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TERM": term}
        self.terminal = Terminal(argv, env, columns, lines)
        self.terminal.shows(b"relay")

    def close(self) -> None:
        self.program.close()
        self.terminal.close()
        super().close()

    def press(self, keys: Sequence[bytes]) -> list[bytes]:
        """What the program receives for each of these keys, which are complete in themselves."""
        return press(self.terminal, self.program, keys)

    def press_slowly(self, *pieces: bytes) -> bytes:
        """What it receives for pieces, each of which is followed by silence until something of it arrived."""
        return press_slowly(self.terminal, self.program, *pieces)


def press(terminal: Terminal, program: Program, keys: Sequence[bytes]) -> list[bytes]:
    """What `program` receives for each of these keys, which are complete in themselves."""
    out: list[bytes] = []
    room: list[bytes] = []
    for number, key in enumerate(keys):
        room.append(key + MARK)
        if number + 1 == len(keys) or sum(map(len, room)) > 800:
            terminal.types(b"".join(room))
            out += [program.take() for _ in room]
            room = []
    return out


def press_slowly(terminal: Terminal, program: Program, *pieces: bytes) -> bytes:
    """What it receives for pieces, each of which is followed by silence until something of it arrived."""
    for piece in pieces:
        program.answers(partial(terminal.types, piece))
    terminal.types(MARK)
    return program.take()
