"""Questions: a person at a terminal is asked, nobody else is."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

PROGRAM = """
import asyncio, sys
from amtui.cli import asking, diagnostics
from amtui.cli.output import Output
from amtui.errors import AmtuiError
from collections import namedtuple
Question = namedtuple("Question", "kind title text options expect")
async def main():
    answer = await asking.ask(Question(*QUESTION))
    sys.stdout.write(f"<{answer}>")
try:
    asyncio.run(main())
except AmtuiError as error:
    sys.exit(diagnostics.report(error))
except KeyboardInterrupt:
    sys.exit(130)
"""
CONFIRM = ("confirm", "destroy a", "it has unpushed work", (), "")
NAME = ("name", "destroy a", "it has unpushed work", (), "a")
SECRET = ("secret", "KEY", "not shown", (), "")
CHOICE = ("choice", "which", "one of them", ("once", "always"), "")


def program(question: tuple[object, ...]) -> list[str]:
    return [sys.executable, "-c", f"QUESTION = {question!r}\n{PROGRAM}"]


class Terminal:
    """A person's terminal: what the program shows there, and what is typed."""

    def __init__(self, question: tuple[object, ...]) -> None:
        pid, self.fd = pty.fork()
        if pid == 0:
            words = program(question)
            os.execv(words[0], words)
        self.pid = pid
        self.shown = b""

    def until(self, text: bytes, seconds: float = 20.0) -> None:
        """Wait until `text` has been shown."""
        deadline = time.monotonic() + seconds
        while text not in self.shown:
            assert time.monotonic() < deadline, self.shown
            try:
                self.shown += os.read(self.fd, 4096)
            except OSError:  # Linux says EIO when the other side is gone
                break
        assert text in self.shown, self.shown

    def type(self, data: bytes) -> None:
        os.write(self.fd, data)

    def end(self) -> int:
        """Read what is left and return the exit code."""
        try:
            while piece := os.read(self.fd, 4096):
                self.shown += piece
        except OSError:
            pass
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(self.fd)


@pytest.fixture
def terminal(request: pytest.FixtureRequest) -> Iterator[Terminal]:
    opened = Terminal(request.param)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("terminal", "prompt", "typed", "answer"),
    [
        (CONFIRM, b"[y/N]", b"y\r", b"<yes>"),
        (CONFIRM, b"[y/N]", b"\r", b"<None>"),
        (CONFIRM, b"[y/N]", b"\x04", b"<None>"),
        (NAME, b"Type 'a'", b"a\r", b"<a>"),
        (NAME, b"Type 'a'", b"b\r", b"<b>"),
        (CHOICE, b"[once/always]", b"al\r", b"<always>"),
        (CHOICE, b"[once/always]", b"x\r", b"<None>"),
        (SECRET, b"KEY", b"hush\r", b"<hush>"),
    ],
    indirect=["terminal"],
)
def test_a_person_is_asked(terminal: Terminal, prompt: bytes, typed: bytes, answer: bytes) -> None:
    terminal.until(prompt)
    terminal.type(typed)
    assert terminal.end() == 0
    assert answer in terminal.shown


@pytest.mark.parametrize("terminal", [SECRET], indirect=True)
def test_a_secret_is_not_echoed(terminal: Terminal) -> None:
    terminal.until(b"(not shown): ")
    terminal.type(b"hush\r")
    terminal.end()
    assert terminal.shown.count(b"hush") == 1  # in our own answer only


@pytest.mark.parametrize("terminal", [CONFIRM], indirect=True)
def test_ctrl_c_at_a_question_ends_it_at_once(terminal: Terminal) -> None:
    terminal.until(b"[y/N]")
    terminal.type(b"\x03")
    assert terminal.end() == 130


def without_terminal(question: tuple[object, ...], stdin: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(program(question), input=stdin, capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize("question", [CONFIRM, NAME, CHOICE], ids=lambda question: str(question[0]))
def test_nobody_is_asked_without_a_terminal(question: tuple[object, ...]) -> None:
    done = without_terminal(question, b"y\n")
    assert done.returncode == 4
    assert done.stdout == b""
    assert done.stderr.startswith(f"amtui: {question[1]}".encode())
    assert len(done.stderr.splitlines()) == 2


def test_a_secret_may_be_piped_in() -> None:
    done = without_terminal(SECRET, b"hush\n")
    assert (done.returncode, done.stdout) == (0, b"<hush>")
