"""Real programs in a live pane: what we make of the bytes they print equals what tmux shows, after every step."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from oracle import Pane, Screen, differences

from amtui.emulator import Stream

COLUMNS, LINES = 80, 24
PATIENCE = 15.0

ANSI = r"""
import sys, time
w = sys.stdout.write
w("\x1b[2J\x1b[H\x1b[1;44mtitle\x1b[K\x1b[0m\r\n")
for n in range(60):
    w(f"\x1b[3{n % 8}mline {n}\x1b[0m \x1b[2mdim\x1b[22m \x1b[4:3mcurly\x1b[24m 漢字 é\r\n")
for n in range(0, 101, 5):
    w(f"\r\x1b[2K[{'█' * (n // 5):20}] {n:3d} %")
w("\r\n\x1b[5;20r\x1b[20;1H" + "".join(f"scrolled {n}\n\r" for n in range(30)) + "\x1b[r\x1b[24;1H")
w("\x1b]2;a title\x07\x1b[?1049h\x1b[H\x1b(0lqqk\x1b(B alternate\x1b[?25l")
w("\x1b[10;10H\x1b[7mbox\x1b[27m\x1b[3@\x1b[2P\x1b[?1000;1006h ready")
sys.stdout.flush()
sys.stdin.readline()
w("\x1b[?1049l\x1b[?25h\x1b[?1000lover now")
sys.stdout.flush()
time.sleep(1000)
"""

Step = tuple[tuple[str, ...], str]


class Watched:
    """A program in a pane, its bytes also going to a file and from there to our screen."""

    def __init__(self, tmux: str, directory: Path) -> None:
        self.pane = Pane(tmux, COLUMNS, LINES)
        self._log = directory / "log"
        self._log.touch()
        self.screen = Screen(COLUMNS, LINES, 20_000)
        self._stream = Stream(self.screen)
        self._read = 0

    def start(self, command: str) -> None:
        """Run `command` in a pane whose output is piped from its first byte."""
        self.pane.tmux("respawn-pane", "-k", f"read go; {command}; exec sleep 1000")
        self.pane.tmux("pipe-pane", "-O", f"exec cat >> {shlex.quote(str(self._log))}")
        self.pane.tmux("send-keys", "Enter")

    def step(self, keys: tuple[str, ...], expected: str) -> None:
        """Press keys, wait for a text, then for our screen to be tmux's."""
        for key in keys:
            self.pane.tmux("send-keys", *(["-l", key[1:]] if key[0] == "'" else [key]))
        deadline = time.monotonic() + PATIENCE
        found = [f"{expected!r} is not on the screen"]
        while found and time.monotonic() < deadline:
            data = self._log.read_bytes()[self._read :]
            self._read += len(data)
            self._stream.feed(data)
            if expected in "\n".join(self.screen.display):
                found = differences(self.pane, self.screen)
            else:
                found = [f"{expected!r} is not on the screen"]
                time.sleep(0.01)
        assert not found, (keys, expected, found, self.screen.display)


@pytest.fixture
def watched(tmux_path: str, tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmux_path, tmp_path)
    yield made
    made.pane.close()


def text(path: Path) -> Path:
    """A file with something of everything in it."""
    lines = [
        f"{n:4d} \x1b[3{n % 8}mcolour\x1b[0m and 漢字 and é\u0301 and\ttabs, word{n}" for n in range(300)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def needs(name: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is not installed; this test needs it"
    return found


def test_vim(watched: Watched, tmp_path: Path) -> None:
    file = text(tmp_path / "file.txt")
    watched.start(f"{needs('vim')} -u NONE -N -n {file}")
    steps: list[Step] = [
        ((), "word5"),
        (("'ihello 漢字 ", "Escape"), "hello"),
        (("':set number nowrap", "Enter"), " 1 "),
        (("G",), "word299"),
        (("'?word250", "Enter"), "word250"),
        (("':split", "Enter", "'gg"), "word3"),
        (("C-w", "w", "C-e", "C-e", "'dd"), "word2"),
        (("':%s/word/changed/", "Enter"), "changed"),
        (("u",), "change"),
        (("':only | vsplit", "Enter"), "colour"),
        (("':only | set list", "Enter"), "^I"),
    ]
    for keys, expected in steps:
        watched.step(keys, expected)
    watched.step(("':qa!", "Enter"), "")


def test_less(watched: Watched, tmp_path: Path) -> None:
    file = text(tmp_path / "file.txt")
    watched.start(f"env LESS= LESSCHARSET=utf-8 {needs('less')} -R {file}")
    for keys, expected in (
        ((), "word5"),
        (("Space",), "word30"),
        (("G",), "word299"),
        (("'b", "'b", "'j", "'k"), "word240"),
        (("'?word100", "Enter"), "word101"),
        (("-", "S", "Enter", "'d"), "word1"),
        (("h",), "SUMMARY"),
    ):
        watched.step(keys, expected)


def test_ansi_script(watched: Watched, tmp_path: Path) -> None:
    script = tmp_path / "ansi.py"
    script.write_text(ANSI, encoding="utf-8")
    watched.start(f"{sys.executable} -I -S -X utf8 {script}")
    watched.step((), "ready")
    assert watched.screen.alternate
    assert watched.screen.title == "a title"
    watched.step(("Enter",), "over now")
    assert not watched.screen.alternate


def test_tmux_in_tmux(watched: Watched, tmp_path: Path, tmux_path: str) -> None:
    inner = f"env -u TMUX SHELL=/bin/sh PS1='> ' {tmux_path} -S {tmp_path}/inner -f /dev/null"
    watched.start(f"{inner} new-session -n win 'exec sh -i'")
    try:
        for keys, expected in (
            ((), "win"),
            (("'echo one; seq 40", "Enter"), "40"),
            (("C-b", "%"), "│"),
            (("C-b", '"', "'echo 漢字", "Enter"), "漢字"),
            (("C-b", "z"), "漢字"),
            (("C-b", "z", "C-b", "["), "[0/"),
        ):
            watched.step(keys, expected)
    finally:
        subprocess.run(
            [tmux_path, "-S", str(tmp_path / "inner"), "kill-server"], capture_output=True, check=False
        )
