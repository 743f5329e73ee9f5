"""The main job with the real agent CLIs against a scripted model: deploy, ask, answer, act, in both substrates."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest
from figures import record
from hosts import Sshd, SshWorld
from leaks import environments_of, files_with, processes_showing, said_by, tmux_environment
from modelserver import FINAL, ModelServer
from operator_world import Operator, share

PROMPT = "please write the proof file"


def deploy(
    operator: Operator, model: ModelServer, secret: str, name: str, substrate: str, runtime: str
) -> float:
    """Deploy `runtime` with the scripted model as its upstream; returns seconds taken."""
    operator.env["T_KEY"] = secret
    operator.do("upstream", "add", "t", "--wire", "messages", "--wire", "responses", "--base-url", model.base_url,
                "--key-env", "T_KEY")  # fmt: skip
    began = time.monotonic()
    operator.do("new", name, "--on", substrate, "--agent", runtime, "--upstream", "t", "--model", "scripted-1",
                "--no-attach", timeout=400)  # fmt: skip
    return time.monotonic() - began


def asked(operator: Operator, name: str, *answer: str) -> None:
    """A prompt leads to a permission prompt; nothing else may be typed there; `answer` allows it."""
    assert operator.do("send", name, PROMPT).strip() == "submitted"
    state = operator.json("wait", name, "--until", "needs-you,failed", "--timeout", "60")["agent"]
    assert (state["status"], state["reason"]) == ("needs-you", "permission"), operator.screen(name)
    refused_at_once = operator.refused(
        "send", name, "something else", code=1
    )  # its dialog may not be drawn yet
    assert "nothing was typed" in refused_at_once
    operator.shows(name, "Yes", timeout=10)
    before = operator.screen(name)
    assert "nothing was typed" in operator.refused("send", name, "something else", code=1)
    assert "something else" not in operator.screen(name), before
    assert operator.run("exec", name, "--", "test", "-e", "proof.txt").returncode == 1
    operator.do(answer[0], name, *answer[1:])
    acted(operator, name)


def kept(operator: Operator, secret: str, program: str, *roots: Path) -> None:
    """While the agent runs, its key is in its env file, its own environment, and nowhere else."""
    holders = {path.name for path in files_with(secret, *roots)}
    assert holders == {"env"}, holders
    assert processes_showing(secret) == []
    row = operator.json("show", "a")
    rows = sqlite3.connect(operator.state / "amtui.db").execute(
        "SELECT json_extract(doc, '$.socket') FROM workers"
    )
    assert secret not in tmux_environment(rows.fetchone()[0])
    assert secret not in said_by(operator, "a")
    assert any(secret in env for env in environments_of(program)), (
        f"{program} has no key at all: {row['agent']}"
    )
    where = f"planted upstream key, {program} on {row['substrate']}"
    record(where, "nowhere but the worker's env file", "only there", True)


def acted(operator: Operator, name: str) -> None:
    """The agent did what it was told and said so."""
    operator.shows(name, FINAL[:30], timeout=60)
    assert operator.do("exec", name, "--", "cat", "proof.txt") == "hi\n"


def unasked(operator: Operator, name: str) -> None:
    """Under full autonomy the same prompt leads to the deed without a question."""
    operator.do("exec", name, "--", "rm", "proof.txt")
    operator.do("set", name, "--autonomy", "full", "--yes")
    operator.do("restart", name)
    operator.json("wait", name, "--until", "idle,done", "--timeout", "60")
    last = operator.json("events", "--limit", "1")["events"][-1]["id"]
    assert operator.do("send", name, PROMPT).strip() == "submitted"
    acted(operator, name)
    later = [event["kind"] for event in operator.json("events")["events"] if event["id"] > last]
    assert "needs-you" not in later


@pytest.mark.prove
@pytest.mark.timeout(600)
@pytest.mark.parametrize("runtime", ["claude", "codex"])
def test_a_real_agent_on_this_computer(
    operator: Operator, model: ModelServer, secret: str, runtime: str
) -> None:
    took = deploy(operator, model, secret, "a", "local", runtime)
    state = operator.json("wait", "a", "--until", "idle,done", "--timeout", "30")["agent"]
    assert state["status"] in ("idle", "done"), operator.screen("a")
    asked(operator, "a", "keys", "Enter")
    assert {request.key for request in model.requests if request.method == "POST"} == {secret}
    assert "scripted-1" in {request.model for request in model.requests}
    kept(operator, secret, runtime, operator.folder)
    unasked(operator, "a")
    record(f"new --on local --agent {runtime}: deploy to usable prompt", "no dialog", f"{took:.1f} s", True)


@pytest.mark.prove
@pytest.mark.timeout(600)
@pytest.mark.parametrize("runtime", ["claude", "codex"])
def test_a_real_agent_over_ssh(
    operator: Operator, sshd: SshWorld, model: ModelServer, secret: str, downloads: Path, runtime: str
) -> None:
    operator.env.update(sshd.environ)
    share(remote_base(sshd.host), downloads)
    took = deploy(operator, model, secret, "a", "ssh:box", runtime)
    state = operator.json("wait", "a", "--until", "idle,done", "--timeout", "30")["agent"]
    assert state["status"] in ("idle", "done"), operator.screen("a")
    asked(operator, "a", "reply", "1")
    kept(operator, secret, runtime, operator.folder, sshd.host.directory)
    unasked(operator, "a")
    record(f"new --on ssh:box --agent {runtime}: deploy to usable prompt", "no dialog", f"{took:.1f} s", True)


def remote_base(host: Sshd) -> Path:
    """Where amtui keeps workers on that host."""
    return Path(host.home) / ".agent-machines"
