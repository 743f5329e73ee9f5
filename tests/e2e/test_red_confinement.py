"""Attempts of a confined agent at this computer, through the real command line."""

from __future__ import annotations

from operator_world import Operator

SWITCHES = (
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/modprobe",
    "/proc/sys/vm/drop_caches",
    "/proc/sysrq-trigger",
)


def test_roots_confined_agent_cannot_set_the_kernels_switches(operator: Operator) -> None:
    """core_pattern written from inside runs a program outside, as root, at the next crash."""
    operator.do("new", "w", "--on", "local", "--agent", "shell", "--no-attach")
    assert operator.json("show", "w")["confined"], "this proves nothing without bwrap"
    look = 'for f; do [ ! -w "$f" ] || echo "$f"; done'
    assert operator.do("exec", "w", "--", "sh", "-c", look, "sh", *SWITCHES) == ""
