"""The command line over fleet and operations: exit codes, followers, signals, a Ctrl-C in the middle."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time

import pytest
from operator_world import Operator


@pytest.fixture
def shell(operator: Operator) -> Operator:
    """An operator with one shell worker `w`."""
    operator.do("new", "w", "--on", "local", "--agent", "shell", "--no-attach")
    return operator


def line_of(process: subprocess.Popen[bytes], deadline: float = 20.0) -> str:
    """The next line of a follower, or a failure in time."""
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    end, held = time.monotonic() + deadline, b""
    while not held.endswith(b"\n"):
        assert time.monotonic() < end and process.poll() is None, (held, process.poll())
        held += process.stdout.read(1) or b""
        if not held:
            time.sleep(0.01)
    return held.decode()


def test_exec_from_a_shell(shell: Operator) -> None:
    assert shell.run("exec", "w", "--", "sh", "-c", "exit 7").returncode == 7
    assert shell.run("exec", "w", "--", "sh", "-c", "kill -TERM $$").returncode == 143
    assert shell.run("exec", "w", "--", "cat", timeout=20).returncode == 0, "nothing waits for our stdin"
    said = shell.refused("exec", "w", "--timeout", "0.5", "--", "sleep", "4711", code=7)
    assert "0.5 s" in said
    assert subprocess.run(["pgrep", "-fx", "sleep 4711"], capture_output=True).stdout == b""
    made = json.loads(shell.do("exec", "--json", "w", "--", "sh", "-c", "echo out; echo err >&2"))
    assert (made["stdout"], made["stderr"], made["exit_code"]) == ("out\n", "err\n", 0)


def test_watch_and_events_follow_as_it_happens(shell: Operator) -> None:
    watching = shell.start("ls", "--watch", "--plain")
    following = shell.start("events", "-f", "--json", "--limit", "0")
    try:
        assert line_of(watching).split("\t")[1] == "w"
        shell.do("sleep", "w")
        while "asleep" not in (seen := line_of(watching)):
            assert seen.split("\t")[1] == "w"
        assert json.loads(line_of(following))["kind"] == "asleep"
        for each in (watching, following):
            each.send_signal(signal.SIGINT)
            assert each.wait(20) == 130
    finally:
        for each in (watching, following):
            each.kill()
            each.communicate()


def test_lifecycle_of_what_is_not_whole(shell: Operator) -> None:
    shell.do("sleep", "w")
    shell.do("sleep", "w")
    shell.do("bootstrap", "w")
    assert shell.json("show", "w")["asleep"] is False, "a bootstrap wakes"
    assert not (shell.machines / "workers" / shell.json("show", "w")["id"][:12] / "asleep").exists()
    shell.do("wake", "w")
    root = shell.json("show", "w")["root"]
    os.rename(root, root + ".away")
    try:
        for verb in ("restart", "wake"):
            assert "amtui bootstrap w" in shell.refused(verb, "w", code=3)
        assert not os.path.exists(root), "and made nothing of it again"
    finally:
        os.rename(root + ".away", root)
    shell.do("restart", "w")


def test_ctrl_c_in_new_leaves_what_bootstrap_resumes(operator: Operator) -> None:
    birth = operator.start("new", "w", "--on", "local", "--agent", "shell", "--no-attach")
    database = operator.state / "amtui.db"

    def placed() -> bool:
        if birth.poll() is not None or not database.exists():
            return birth.poll() is not None
        try:
            rows = sqlite3.connect(database).execute("SELECT doc FROM phases").fetchall()
        except sqlite3.OperationalError:
            return False
        return bool(rows) and b'"running"' in bytes(rows[0][0])

    operator.until(placed, "a phase runs")
    birth.send_signal(signal.SIGINT)
    _, narrated = birth.communicate(timeout=30)
    assert birth.returncode in (130, 0), narrated
    assert b"Traceback" not in narrated
    assert [row["name"] for row in operator.json("ls", "--cached")["workers"]] == ["w"]
    operator.do("bootstrap", "w")
    operator.do("send", "w", "echo back-$((1+1))")
    operator.shows("w", "back-2")


def test_two_of_one_name_at_the_same_time(operator: Operator) -> None:
    both = [operator.start("new", "w", "--on", "local", "--agent", "shell", "--no-attach") for _ in range(2)]
    said = [each.communicate(timeout=60) for each in both]
    assert sorted(each.returncode for each in both) == [0, 1], said
    assert [row["name"] for row in operator.json("ls", "--cached")["workers"]] == ["w"]


def test_a_filter_leaves_out_with_a_dash_and_a_flag_stays_a_flag(operator: Operator) -> None:
    operator.do("new", "w", "--on", "local", "--agent", "shell", "--no-attach")
    assert [row["name"] for row in operator.json("ls", "-asleep")["workers"]] == ["w"]
    assert operator.json("ls", "-on:local")["workers"] == []
    assert "--frob" in operator.refused("ls", "--frob", code=2)
