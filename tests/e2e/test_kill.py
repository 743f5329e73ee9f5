"""kill -9 at every bootstrap phase: the next bootstrap goes on, redoes nothing that is done, adopts what runs."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from figures import proving, record
from modelserver import ModelServer
from operator_world import Operator

SHELL_PHASES = ("place", "configure", "start", "verify")


def killed_at(operator: Operator, phase: str, *words: str) -> None:
    """Begin a call and kill it, and nothing else, the moment it says that `phase` has begun."""
    call = operator.start(*words)
    assert call.stderr is not None
    for line in call.stderr:
        if line.decode().startswith(f"▸ {phase} "):
            break
    os.kill(call.pid, signal.SIGKILL)
    call.communicate()


def runs(operator: Operator, name: str) -> dict[str, int]:
    """How often each phase was started, as counted on the worker."""
    root = Path(operator.json("show", name)["root"])
    counts = {}
    for folder in sorted((root / "jobs").iterdir()):
        if (folder / "runs").exists():
            counts[folder.name] = len((folder / "runs").read_text().split()) and int(
                (folder / "runs").read_text().split()[-1]
            )
    return counts


@pytest.mark.parametrize("phase", SHELL_PHASES)
def test_killed_at_a_phase_boundary(operator: Operator, phase: str) -> None:
    killed_at(operator, phase, "new", "w", "--on", "local", "--agent", "shell", "--no-attach")
    assert [row["name"] for row in operator.json("ls", "--cached")["workers"]] == ["w"]
    operator.do("bootstrap", "w")
    assert [row["name"] for row in operator.json("ls", "--cached")["workers"]] == ["w"]
    operator.do("send", "w", "echo fine-$((1+1))")
    operator.shows("w", "fine-2")
    counted = runs(operator, "w")
    before = SHELL_PHASES[: SHELL_PHASES.index(phase)]
    assert all(counted.get(each, 1) == 1 for each in before), f"redone: {counted}"


@pytest.mark.prove
def test_a_job_in_flight_is_adopted(operator: Operator, model: ModelServer, secret: str) -> None:
    """The courier dies while npm installs; npm goes on and the next courier follows it to its end."""
    operator.env["T_KEY"] = secret
    operator.do(
        "upstream", "add", "t", "--wire", "messages", "--base-url", model.base_url, "--key-env", "T_KEY"
    )
    killed_at(
        operator, "claude", "new", "w", "--on", "local", "--agent", "claude", "--upstream", "t", "--no-attach"
    )
    first, second = operator.start("bootstrap", "w"), operator.start("bootstrap", "w")
    for call in (first, second):
        _, said = call.communicate(timeout=300)
        assert call.returncode == 0, said.decode()
    counted = runs(operator, "w")
    assert counted["claude"] == 1, counted
    assert counted.get("node", 1) == 1, counted
    assert len(operator.json("ls", "--cached")["workers"]) == 1
    record("bootstrap killed in mid-install, two at once after it", "1 run of each phase", str(counted), True)


def test_ctrl_c_during_new_leaves_a_worker_to_resume(operator: Operator) -> None:
    call = operator.start("new", "w", "--on", "local", "--agent", "shell", "--no-attach")
    assert call.stderr is not None
    for line in call.stderr:
        if line.startswith("▸".encode()):
            break
    call.send_signal(signal.SIGINT)
    call.communicate(timeout=20)
    assert call.returncode == 130
    assert [row["name"] for row in operator.json("ls", "--cached")["workers"]] == ["w"]
    operator.do("bootstrap", "w")
    operator.do("send", "w", "echo fine-$((1+1))")
    operator.shows("w", "fine-2")


@pytest.mark.prove
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("runtime", ["claude", "codex"])
def test_every_phase_of_a_real_agent(
    operator: Operator, model: ModelServer, secret: str, runtime: str
) -> None:
    """`make prove`: one worker per phase of a real agent, each killed at that phase."""
    if not proving():
        runtimes = ("node",)
    else:
        runtimes = ("place", "node", runtime, "configure", "start", "verify")
    operator.env["T_KEY"] = secret
    operator.do("upstream", "add", "t", "--wire", "messages", "--wire", "responses", "--base-url", model.base_url,
                "--key-env", "T_KEY")  # fmt: skip
    redone = []
    for number, phase in enumerate(runtimes):
        name = f"w{number}"
        killed_at(
            operator,
            phase,
            "new",
            name,
            "--on",
            "local",
            "--agent",
            runtime,
            "--upstream",
            "t",
            "--no-attach",
        )
        operator.do("bootstrap", name, timeout=400)
        counted = runs(operator, name)
        redone += [f"{phase}: {k} ran {v} times" for k, v in counted.items() if v > 1 and k != phase]
        operator.do("destroy", name, "--yes")
    record(
        f"kill -9 at each phase, {runtime}",
        "completes, 0 redone",
        "; ".join(redone) or "0 redone",
        not redone,
    )
    assert not redone
