"""The line that explains a failure, out of logs as real programs write them."""

from __future__ import annotations

import pytest

from amtui.bootstrap.runner import cause_line

NPM = b"""--- claude, run 1 ---
npm error code E404
npm error 404 Not Found - GET https://registry.example/nope - Not found
npm error
npm error A complete log of this run can be found in: /root/.npm/_logs/x.log
"""
APT = b"Reading package lists...\nE: Unable to locate package tmux\nDone\n"
AGAIN = b"--- x, run 1 ---\nerror: old\n--- x, run 2 ---\nnothing said\n"


@pytest.mark.parametrize(
    ("log", "code", "why", "cause"),
    [
        (
            NPM,
            1,
            "exit",
            "npm error 404 Not Found - GET https://registry.example/nope - Not found (exit status 1)",
        ),
        (APT, 100, "exit", "E: Unable to locate package tmux (exit status 100)"),
        (AGAIN, 3, "exit", "nothing said (exit status 3)"),
        (b"", 3, "exit", "exit status 3"),
        (b"working\n", 137, "exit", "working (killed by signal 9)"),
        (b"\x1b[31merror: red\x1b[0m\x1b]0;evil\x07\n", 1, "exit", "error: red (exit status 1)"),
        (b"10%\r50%\rfatal: no route\n", 1, "exit", "fatal: no route (exit status 1)"),
        (b"error: x\n", 143, "timeout", "it did not end in time and was stopped"),
        (b"error: x\n", 143, "cancelled", "it was cancelled"),
    ],
)
def test_cause(log: bytes, code: int, why: str, cause: str) -> None:
    assert cause_line(log, code, why) == cause


def test_a_cause_is_one_line_of_bounded_length() -> None:
    assert len(cause_line(b"error: " + b"x" * 100_000, 1, "exit")) < 230
