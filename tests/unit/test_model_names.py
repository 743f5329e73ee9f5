"""A worker's name is safe in a shell, a path, a tmux target and a host name, whatever somebody types."""

from __future__ import annotations

import shlex
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amtui.model import ATTENTION, NAME_RULE, AgentStatus

FIXED = settings(derandomize=True, max_examples=400, deadline=None)
ALLOWED = set(string.ascii_lowercase + string.digits + "-")


@FIXED
@given(
    st.one_of(
        st.text(max_size=60), st.from_regex(NAME_RULE, fullmatch=True), st.from_regex(r"[a-z0-9;\n$-]{1,45}")
    )
)
def test_a_name_that_passes_needs_no_quoting(name: str) -> None:
    if NAME_RULE.match(name):
        assert set(name) <= ALLOWED
        assert 1 <= len(name) <= 40
        assert not name.startswith("-")
        assert shlex.quote(name) == name
    else:
        assert not (name and set(name) <= ALLOWED and len(name) <= 40 and not name.startswith("-"))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-a",
        "A",
        "a b",
        "a;b",
        "a\n",
        "a/b",
        "..",
        "a.b",
        "a$x",
        "a'b",
        "ä",
        "a" * 41,
        "a" * 300,
        "a\0",
        "a_b",
    ],
)
def test_these_are_refused(name: str) -> None:
    assert NAME_RULE.match(name) is None


@pytest.mark.parametrize("name", ["a", "web-1", "0", "a" * 40, "7up"])
def test_these_pass(name: str) -> None:
    assert NAME_RULE.match(name)


def test_attention_orders_every_agent_state_once() -> None:
    assert sorted(ATTENTION) == sorted(AgentStatus)
    assert ATTENTION[0] is AgentStatus.NEEDS_YOU
