"""The price of `amtui --version` and `--help`, as a ratio to what the command-line parser alone costs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from figures import proving, record, size

AMTUI = Path(sys.executable).with_name("amtui")
BUDGET = 1.3
SLACK = 1.5
"""What a busy computer is allowed under `make test`."""


def cpu_seconds(*argv: str | Path) -> float:
    """User and system time of one run of a program."""
    null = os.open(os.devnull, os.O_RDWR)
    quiet = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)]
    pid = os.posix_spawn(argv[0], [str(word) for word in argv], dict(os.environ), file_actions=quiet)
    os.close(null)
    _, status, usage = os.wait4(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return usage.ru_utime + usage.ru_stime


@pytest.mark.prove
@pytest.mark.parametrize("flag", ["--version", "--help"])
def test_start_up_ratio(flag: str) -> None:
    """Best of several, taken in turns, so that both meet the same weather."""
    ours, click = [], []
    for _ in range(size(9, 40)):
        click.append(cpu_seconds(sys.executable, "-c", "import click"))
        ours.append(cpu_seconds(AMTUI, flag))
    ratio = min(ours) / min(click)
    record(
        f"start-up of amtui {flag}", f"≤ {BUDGET}× `import click`", f"{ratio:.2f}×", ratio <= BUDGET,
        conditions=f"CPU time, best of {len(ours)}; click alone {min(click) * 1000:.0f} ms",
    )  # fmt: skip
    assert ratio <= (BUDGET if proving() else BUDGET * SLACK)
