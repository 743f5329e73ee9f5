"""amtui started as a shell's background job, where interrupts are ignored."""

from __future__ import annotations

import shlex
import subprocess

from operator_world import AMTUI, Operator


def test_an_agent_deployed_from_the_background_hears_ctrl_c(operator: Operator) -> None:
    new = shlex.join([*AMTUI, "new", "w", "--on", "local", "--agent", "shell", "--no-attach"])
    # A shell without job control starts what follows with SIGINT and SIGQUIT ignored.
    done = subprocess.run(
        ["sh", "-c", f"{new} & wait $!"], env=operator.env, capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode()
    operator.do(
        "send",
        "w",
        "sh -c 'trap \"echo caught-$((40+2)); exit\" INT; echo ready-$((1+1)); while :; do sleep 0.1; done'",
    )
    operator.shows("w", "ready-2")
    operator.do("keys", "w", "C-c")
    operator.shows("w", "caught-42", timeout=10)
