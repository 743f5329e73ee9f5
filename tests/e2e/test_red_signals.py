"""amtui told to end by a signal, as `timeout`, a service manager or a closed terminal does."""

from __future__ import annotations

import os
import pty
import random
import select
import signal
import time
from pathlib import Path

import pytest
from hosts import SshWorld, processes, wait_until
from operator_world import AMTUI, Operator


def test_sigterm_during_exec_leaves_no_command_behind(operator: Operator, sshd: SshWorld) -> None:
    """`timeout 60 amtui exec …` left the command running on the ssh host."""
    operator.env.update(sshd.environ)
    operator.do("new", "w", "--on", "ssh:box", "--agent", "shell", "--no-attach")
    seconds = str(random.randrange(10**6, 10**7))  # no other run's
    call = operator.start("exec", "w", "--", "sleep", seconds)
    wait_until(lambda: _sleeps(seconds), what="the command runs", timeout=20)
    call.send_signal(signal.SIGTERM)
    call.communicate(timeout=20)
    assert call.returncode == 130
    wait_until(lambda: not _sleeps(seconds), what="the command ends", timeout=10)


@pytest.mark.parametrize("on", ["ssh:box", "local"])
def test_kill_9_during_exec_leaves_no_command_behind(operator: Operator, sshd: SshWorld, on: str) -> None:
    """Nothing told the command on the host that its amtui was gone; here, nobody is left to tell it."""
    operator.env.update(sshd.environ)
    operator.do("new", "w", "--on", on, "--agent", "shell", "--no-attach")
    seconds = str(random.randrange(10**6, 10**7))  # no other run's
    call = operator.start("exec", "w", "--", "sleep", seconds)
    wait_until(lambda: _sleeps(seconds), what="the command runs", timeout=20)
    call.kill()
    call.communicate(timeout=20)
    wait_until(lambda: not _sleeps(seconds), what="the command ends", timeout=10)


def _sleeps(seconds: str) -> bool:
    return any(_argv(pid) == ["sleep", seconds] for pid in processes(seconds))


def _argv(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")
    except OSError:
        return []


def test_sigterm_gives_the_terminal_back(operator: Operator) -> None:
    """It died in the alternate screen with mouse reports on: the shell after it was unusable."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execvpe(AMTUI[0], AMTUI, {**operator.env, "TERM": "xterm-256color"})
    shown = _read(fd, b"amtui", 30)
    assert b"\x1b[?1049h" in shown
    os.kill(pid, signal.SIGTERM)
    shown = _read(fd, b"\x1b[?1049l", 20)
    assert b"\x1b[?1000l" in shown, "mouse reports are still on"
    _read(fd, b"\x00never", 5)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 128 + signal.SIGTERM
    os.close(fd)


def _read(fd: int, until: bytes, patience: float) -> bytes:
    """What the terminal receives up to `until`, or to the end of the program."""
    got, deadline = b"", time.monotonic() + patience
    while until not in got and time.monotonic() < deadline:
        if select.select([fd], [], [], 0.1)[0]:
            try:
                data = os.read(fd, 65536)
            except OSError:
                break
            if not data:
                break
            got += data
    return got
