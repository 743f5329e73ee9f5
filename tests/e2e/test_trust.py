"""What must not travel: substrate keys into a worker, a worker's control bytes onto the operator's terminal."""

from __future__ import annotations

import os
import pty
import select
import sqlite3
from pathlib import Path

import pytest
from figures import record
from hosts import SshWorld
from leaks import tmux_environment
from operator_world import AMTUI, Operator

PLANTED = {
    "E2B_API_KEY": "e2b_planted_6d1f0c",
    "DEDALUS_API_KEY": "dsk-planted-77aa01",
    "SPRITES_TOKEN": "sprites-planted-1b2c3d",
    "SSH_AUTH_SOCK": "/tmp/planted-agent.sock",
    "DBUS_SESSION_BUS_ADDRESS": "unix:path=/tmp/planted-bus",
    "DISPLAY": ":77",
    "TMUX": "/tmp/planted-tmux,1,0",
}


def worker(operator: Operator, substrate: str) -> str:
    """A shell worker; returns its tmux socket on the host."""
    operator.do("new", "w", "--on", substrate, "--agent", "shell", "--no-attach")
    rows = sqlite3.connect(operator.state / "amtui.db").execute(
        "SELECT json_extract(doc, '$.socket') FROM workers"
    )
    return str(rows.fetchone()[0])


def nothing_planted(operator: Operator, socket: str) -> None:
    in_exec = operator.do("exec", "w", "--", "env")
    operator.do("send", "w", "env > pane.txt; echo written")
    operator.shows("w", "\nwritten")
    in_pane = operator.do("exec", "w", "--", "cat", "pane.txt")
    in_tmux = tmux_environment(socket)
    assert "HOME=" in in_exec and "HOME=" in in_pane and "HOME=" in in_tmux
    for name, value in PLANTED.items():
        for where, text in (("exec", in_exec), ("pane", in_pane), ("tmux", in_tmux)):
            assert value not in text, f"{name} in the environment of {where}"
    for name in ("E2B_API_KEY", "DEDALUS_API_KEY", "SSH_AUTH_SOCK"):
        assert name not in in_exec + in_pane + in_tmux
    substrate = operator.json("show", "w")["substrate"]
    record(f"planted substrate keys on {substrate}", "absent in pane, exec and tmux", "absent", True)


@pytest.mark.prove
def test_substrate_keys_stay_here_local(operator: Operator) -> None:
    operator.env.update(PLANTED)
    operator.do("secret", "set", "SPRITES_TOKEN", "--file", stdin=b"stored-planted-424242\n")
    socket = worker(operator, "local")
    nothing_planted(operator, socket)
    if operator.json("show", "w")["confined"]:
        for path in (operator.config, operator.state / "amtui.db", Path.home() / ".ssh"):
            if path.exists():
                assert operator.run("exec", "w", "--", "ls", str(path)).returncode != 0, f"{path} is visible"


@pytest.mark.prove
def test_substrate_keys_stay_here_ssh(operator: Operator, sshd: SshWorld) -> None:
    # The host's own shell start files export credentials too: they are not the worker's.
    for name in (".bashrc", ".profile", ".bash_profile"):
        (Path(sshd.home) / name).write_text(
            "".join(f"export {k}={v}\n" for k, v in PLANTED.items() if k != "TMUX")
        )
    operator.env.update(sshd.environ)
    operator.env.update({k: v for k, v in PLANTED.items() if k != "SSH_AUTH_SOCK"})
    nothing_planted(operator, worker(operator, "ssh:box"))


HOSTILE = r"printf '\033]52;c;aGFjaw==\007\033]0;title-attack\007\033[2J\033[31mred\302\233\n'"


def on_terminal(operator: Operator, *words: str) -> bytes:
    """What a person's terminal would receive."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execvpe(AMTUI[0], [*AMTUI, *words], operator.env)
    got = b""
    while select.select([fd], [], [], 30)[0]:
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        if not data:
            break
        got += data
    os.waitpid(pid, 0)
    os.close(fd)
    return got


@pytest.mark.prove
@pytest.mark.timeout(180)
def test_hostile_output_never_reaches_a_terminal(operator: Operator) -> None:
    worker(operator, "local")
    operator.do("exec", "w", "--", "sh", "-c", f"cat > hostile.sh <<'E'\n{HOSTILE}\nE\n")
    operator.do("send", "w", "sh hostile.sh; echo shown")
    operator.shows("w", "shown")
    seen = {
        "screen": on_terminal(operator, "screen", "w"),
        "logs": on_terminal(operator, "logs", "w"),
        "exec": on_terminal(operator, "exec", "w", "--", "sh", "hostile.sh"),
        "ls": on_terminal(operator, "ls"),
        "show": on_terminal(operator, "show", "w"),
    }
    assert b"red" in seen["screen"] and b"red" in seen["exec"]
    for verb, data in seen.items():
        for bad in (b"\x1b", b"\x07", b"\x9b", b"\xc2\x9b"):
            assert bad not in data, f"{bad!r} from {verb}: {data[:300]!r}"
    piped = operator.run("exec", "w", "--", "sh", "hostile.sh").stdout
    assert b"\x1b]52;c;aGFjaw==\x07" in piped, "a pipe gets the bytes as they are"
    record("OSC 52, OSC 0, CSI 2J from a pane", "no control byte on the operator's terminal", "none", True)
