"""A confined agent that plants programs in its home, and waits for amtui to run them outside."""

from __future__ import annotations

from pathlib import Path

import pytest
from operator_world import Operator

PLANTED = ("infocmp", "mkdir", "node", "npm", "tmux", "grep", "find", "python3", "claude", "rm", "ln")


@pytest.mark.timeout(180)
def test_nothing_planted_in_the_home_runs_outside_the_confinement(operator: Operator, tmp_path: Path) -> None:
    """`restart` ran ~/.local/bin/infocmp, `bootstrap` ~/.local/bin/claude and npm, as the operator, unconfined."""
    operator.do(
        "new", "w", "--on", "local", "--agent", "claude", "--login", "later", "--no-attach", timeout=150
    )
    shown = operator.json("show", "w")
    assert shown["confined"], "this proves nothing without bwrap"
    planted, escaped = Path(shown["root"]) / "home/.local/bin", tmp_path / "escaped"
    for name in PLANTED:
        program = planted / name
        program.unlink(missing_ok=True)
        program.write_text(f"#!/bin/sh\necho {name} >>{escaped}\nexit 1\n")
        program.chmod(0o755)
    operator.run("restart", "w", "--yes")
    operator.run("bootstrap", "w")
    operator.run("bootstrap", "w", "--from", "tools")
    operator.run("git", "w", "status")
    operator.run("logs", "w")
    assert not escaped.exists(), f"ran outside: {sorted(set(escaped.read_text().split()))}"
