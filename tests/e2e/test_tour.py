"""A new user's first minute, in a real tmux: one key deploys a shell worker, and its console is as good as local."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from figures import record
from operator_world import AMTUI, Operator


class Terminal:
    """A person's terminal: amtui inside a tmux of its own, typed into by tmux and read back from it."""

    def __init__(self, operator: Operator, folder: Path, columns: int, rows: int) -> None:
        self._tmux = ["tmux", "-S", str(folder / "person"), "-f", "/dev/null"]
        self._operator = operator
        command = " ".join(map(shlex.quote, AMTUI))
        env = {**operator.env, "TERM": "xterm-256color"}
        size = ["-x", str(columns), "-y", str(rows)]
        subprocess.run([*self._tmux, "new-session", "-d", *size, command], env=env, check=True)

    def text(self) -> str:
        """What the person sees."""
        return subprocess.run([*self._tmux, "capture-pane", "-p"], capture_output=True, text=True).stdout

    def keys(self, *names: str) -> None:
        """Press keys by tmux's names."""
        subprocess.run([*self._tmux, "send-keys", *names], check=True)

    def type(self, text: str) -> None:
        """Type literally."""
        subprocess.run([*self._tmux, "send-keys", "-l", text], check=True)

    def until(self, *wanted: str, absent: str = "", timeout: float = 30.0) -> str:
        """Wait until the person sees all of `wanted` and not `absent`."""
        try:
            self._operator.until(
                lambda: all(w in (now := self.text()) for w in wanted) and not (absent and absent in now),
                f"{wanted} without {absent!r}",
                timeout,
            )
        except AssertionError as error:
            raise AssertionError(f"{error}\nthe screen at the end:\n{self.text()}") from None
        return self.text()

    def alive(self) -> bool:
        return subprocess.run([*self._tmux, "has-session"], capture_output=True).returncode == 0

    def close(self) -> None:
        subprocess.run([*self._tmux, "kill-server"], capture_output=True)


@pytest.fixture(params=[(120, 36), (80, 24)], ids=["120x36", "80x24"])
def terminal(request: pytest.FixtureRequest, operator: Operator, tmp_path: Path) -> Iterator[Terminal]:
    """amtui, just opened, with nothing configured."""
    opened = Terminal(operator, tmp_path, *request.param)
    yield opened
    opened.close()


@pytest.mark.prove
@pytest.mark.timeout(180)
def test_from_nothing_to_an_edited_file(terminal: Terminal, operator: Operator) -> None:
    terminal.until("No workers yet", "Try")
    terminal.keys("t")
    terminal.until("view", "#" if os.geteuid() == 0 else "$", "Type")
    terminal.keys("i")
    terminal.until("F12 Leave")
    terminal.type("seq 1 500")
    terminal.keys("Enter")
    terminal.until("499", "500")
    terminal.type("echo hello from amtui > note.txt; echo wrote-$((1+1))")
    terminal.keys("Enter")
    terminal.until("wrote-2")
    terminal.keys("C-]")
    terminal.until("esc Leave")
    terminal.keys("Escape")
    terminal.until("i Type", absent="F12 Leave")
    name = operator.json("ls", "--cached")["workers"][0]["name"]
    assert operator.do("exec", name, "--", "cat", "note.txt") == "hello from amtui\n"
    terminal.keys("Escape")
    terminal.until("attention", name, "? Help")
    terminal.keys("q")
    operator.until(lambda: not terminal.alive(), "amtui ended")
    assert "500" in operator.screen(name) or "wrote-2" in operator.screen(name), "quitting stopped the agent"
    record("tour in tmux", "t, i, seq, a file, ^] esc", "as written", True, conditions="120×36 and 80×24")


def test_vim_in_the_console(terminal: Terminal, operator: Operator) -> None:
    """A full-screen program: alternate screen, cursor keys, modes, and the shell's screen back afterwards."""
    if not os.path.exists("/usr/bin/vi"):  # a confined agent sees the system's programs and no cache of ours
        editor = [
            "sh", "-c", "tput smcup; tput clear; printf INSERT; head -n1 > note.txt; tput rmcup; echo closed"
        ]  # fmt: skip
    else:
        editor = []
    terminal.until("No workers yet")
    terminal.keys("t")
    terminal.until("Type", "view")
    terminal.keys("i")
    terminal.until("F12 Leave")
    if editor:
        terminal.type(shlex.join(editor))
        terminal.keys("Enter")
        terminal.until("INSERT")
        terminal.type("edited here")
        terminal.keys("Enter")
        terminal.until("closed")
    else:
        terminal.type("vi -u NONE -N -c 'set backspace=2' note.txt")
        terminal.keys("Enter")
        terminal.until("~")
        terminal.type("iedited X")
        terminal.keys("Left", "BSpace", "Escape")
        terminal.until("editedX")
        terminal.type(":wq")
        terminal.keys("Enter")
        terminal.until("vi -u NONE")
    terminal.keys("F12")
    terminal.until("i Type")
    name = operator.json("ls", "--cached")["workers"][0]["name"]
    operator.until(
        lambda: b"edited" in operator.run("exec", name, "--", "cat", "note.txt").stdout, "the file is written"
    )


def test_without_a_terminal_it_does_the_whole_main_job(operator: Operator) -> None:
    done = operator.run(timeout=120)
    said = done.stdout.decode()
    assert done.returncode == 0, said + done.stderr.decode()
    for step in ("deploy", "bootstrap", "attach", "type", "read back", "destroy"):
        assert f"✓ {step}" in said, said
    assert operator.json("ls", "--cached")["workers"] == []


def test_a_tiny_terminal_says_so_and_lives(operator: Operator, tmp_path: Path) -> None:
    tiny = Terminal(operator, tmp_path, 40, 10)
    try:
        tiny.until("60")
        assert tiny.alive()
        assert not list(operator.state.glob("crashes/*"))
    finally:
        tiny.close()
