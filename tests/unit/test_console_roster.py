"""Consoles as a list: what the host says of them is hostile, what a person calls them is forgiven."""

from __future__ import annotations

import pytest

from amtui.console import roster
from amtui.errors import NotFound, Refused, UsageError
from amtui.model import MAIN_CONSOLE
from amtui.ops.registry import verb_first

FACTS = "0\t\t77\t3\t99.1700000000\tvim\t80\t24\t1\t0\t0\t1\t12\t1700000005\t0"


def line(name: str, called: str = "", title: str = "t", facts: str = FACTS) -> bytes:
    return f"P\t{name}\t{facts}\t{called}\t{title}\n".encode()


def test_consoles_come_by_number_with_their_signals() -> None:
    data = (
        b"M\t0.1\t2\n"
        + line("amconsole-10")
        + b"G\tamconsole-10\tbel 1700000001\n"
        + line("amconsole-2", "build")
    )
    data += b"G\tamconsole-2\t9 1700000009 done: see here\nL\tamconsole-2\tP\tamconsole-3\n" + line(
        MAIN_CONSOLE
    )
    found = roster.parse(data)
    assert [one.number for one in found] == [1, 2, 10]
    assert found[1].info.called == "build"
    assert found[1].signals == {"9": (1700000009.0, "done: see here")}
    assert [one.rang for one in found] == [0.0, 1700000009.0, 1700000001.0]


@pytest.mark.parametrize(
    "data",
    [
        line("other"), line("amconsole-1"), line("amconsole-02"), line("amconsole-2x"),
        line("amconsole-2", facts="0\t"), line("amconsole-2", facts=FACTS.replace("77", "seven")), b"P\n",
        b"P\tamconsole-2\n", b"G\tamconsole-2\tbel x\n", b"\xff\xfe\t\n",
    ],
)  # fmt: skip
def test_what_makes_no_sense_hides_no_neighbour(data: bytes) -> None:
    found = roster.parse(data + line("amconsole-3") + data)
    assert [one.name for one in found] == ["amconsole-3"]
    assert found[0].signals == {}


def test_a_console_is_meant_by_number_name_or_title() -> None:
    there = roster.parse(line(MAIN_CONSOLE) + line("amconsole-2", "build") + line("amconsole-3", "web 2"))
    for word, name in (
        ("1", MAIN_CONSOLE), ("2", "amconsole-2"), ("amconsole-3", "amconsole-3"), ("build", "amconsole-2"),
        ("web 2", "amconsole-3"),
    ):  # fmt: skip
        assert roster.by_word(there, word).name == name
    with pytest.raises(NotFound, match="no console logs") as refused:
        roster.by_word(there, "logs")
    assert "2 build" in refused.value.hint


@pytest.mark.parametrize("title", ["build", "web 2", "a", "größe", "src/app (dev)", "x" * 40])
def test_titles(title: str) -> None:
    assert roster.check_title(title) == title


@pytest.mark.parametrize(
    "title",
    ["", " a", "a ", "2", "amconsole-2", "x" * 41, "a;b", "a\tb", "#{pid}", "$(id)", "a\nb", "-x", "'", "\x1b[2J"]
)  # fmt: skip
def test_what_is_no_title(title: str) -> None:
    with pytest.raises(UsageError):
        roster.check_title(title)


def test_the_lowest_free_number_is_next_and_there_is_an_end() -> None:
    there = roster.parse(line(MAIN_CONSOLE) + line("amconsole-2") + line("amconsole-4"))
    assert roster.free_number(there) == 3
    with pytest.raises(Refused, match=str(roster.MOST)):
        roster.free_number(roster.parse(b"".join(line(roster.name_of(n)) for n in range(1, roster.MOST + 1))))


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("w ls", "ls w"), ("ls w", "ls w"), ("w close 2", "close w 2"), ("close w 2", "close w 2"), ("w", "w"),
        ("", ""), ("--json w ls", "ls --json w"), ("w --json ls", "ls w --json"), ("ls ls", "ls ls"), ("w x", "w x"),
    ],
)  # fmt: skip
def test_the_verb_may_follow_the_name(words: str, meant: str) -> None:
    assert " ".join(verb_first("console", words.split())) == meant
    assert " ".join(verb_first("upstream", words.split())) == words
