"""Guards and keys as tmux will read them."""

from __future__ import annotations

import pytest

from amtui.console.guard import Guard, key_words
from amtui.errors import UsageError


def test_no_guard_is_always_true() -> None:
    assert Guard().condition() == "1"
    assert Guard(absent=("", "  ")).condition() == "1"


def test_nothing_of_a_guard_is_read_as_a_format_or_a_pattern() -> None:
    inside = Guard(present=("#(touch x) #{a},b} [c]* \\ ~ 'q' \"r\" $V; d\ne",)).condition()
    text = inside.removeprefix("#{&&:#{C:").removesuffix("},1}")
    assert not set("#{},[]*\\~'\"$;\n") & set(text)
    assert "touch x" in text


def test_guards_are_joined_and_bound_to_a_program() -> None:
    assert (
        Guard(present=("yes",), absent=("no",), program=("1.2", 3, 4)).condition()
        == "#{&&:#{C:yes},#{&&:#{==:#{C:no},0},"
        "#{&&:#{==:#{pid}.#{start_time} #{pane_pid} #{@am_epoch},1.2 3 4},1}}}"
    )


def test_reasons_are_the_callers_words() -> None:
    assert Guard(absent=("x",)).reason("guard") == "prompt"
    assert Guard(present=("x",)).reason("guard") == "changed"
    assert Guard().reason("dead") == "dead"
    assert Guard().reason("-") == ""


def test_keys_are_names_of_tmux_or_characters() -> None:
    assert key_words(["Enter", "C-c", "M-x", "F12", "Up", "Esc", "y", " ", "é", ";", "S-Up", "BTab"]) == [
        "Enter", "C-c", "M-x", "F12", "Up", "Escape", "-H 79", "-H 20", "-H c3 a9", "-H 3b", "S-Up", "BTab",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name", ["", "Enterr", "F13", "C-;", "C-", "yes", "\x1b", "-H 41", "$(x)", "Up;kill"]
)
def test_anything_else_is_refused_by_name(name: str) -> None:
    with pytest.raises(UsageError):
        key_words([name])


def test_no_key_is_refused() -> None:
    with pytest.raises(UsageError):
        key_words([])
