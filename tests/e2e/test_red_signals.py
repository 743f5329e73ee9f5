"""amtui told to end by a signal, as `timeout`, a service manager or a closed terminal does."""

from __future__ import annotations

import os
import pty
import select
import signal
import time

from hosts import SshWorld, processes, wait_until
from operator_world import AMTUI, Operator


def test_sigterm_during_exec_leaves_no_command_behind(operator: Operator, sshd: SshWorld) -> None:
    """`timeout 60 amtui exec …` left the command running on the ssh host."""
    operator.env.update(sshd.environ)
    operator.do("new", "w", "--on", "ssh:box", "--agent", "shell", "--no-attach")
    call = operator.start("exec", "w", "--", "sleep", "31415")
    wait_until(
        lambda: bool(processes("sleep\x0031415\x00")) and _sleeps(), what="the command runs", timeout=20
    )
    call.send_signal(signal.SIGTERM)
    call.communicate(timeout=20)
    assert call.returncode == 130
    wait_until(lambda: not _sleeps(), what="the command ends", timeout=10)


def _sleeps() -> bool:
    for pid in processes("sleep\x0031415"):
        try:
            with open(f"/proc/{pid}/comm") as file:
                if file.read().strip() == "sleep":
                    return True
        except OSError:
            continue
    return False


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
