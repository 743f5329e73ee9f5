"""The list of workers tells the truth."""

from __future__ import annotations

from operator_world import Operator


def test_a_second_list_right_after_the_first_still_has_the_worker(operator: Operator) -> None:
    """Nothing was new since the first, nothing was written: it said "no workers yet"."""
    operator.do("new", "w", "--on", "local", "--agent", "shell", "--no-attach")
    for _ in range(3):
        assert [row["name"] for row in operator.json("ls")["workers"]] == ["w"]
        assert "w " in operator.do("ls")
