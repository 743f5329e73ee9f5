"""The reader of the probe: what it accepts, and that a hostile worker gets no further than ProtocolError."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amtui.agentstate import parse_probe
from amtui.errors import ProtocolError

FACTS = "0|||77|3|4|80|24|1000|claude|a title | with a bar"
CLOCK = b"1010\n900\n5000\npid:[42]\n"


def section(name: str, body: bytes, *words: str) -> bytes:
    return f"@{name} {len(body)}{''.join(' ' + w for w in words)}\n".encode() + body + b"\n"


def session(status: str = "busy", start: str = "5000", at: int = 1_009_000, **more: object) -> bytes:
    entry = {"status": status, "procStart": start, "statusUpdatedAt": at, "startedAt": 1_000_000, **more}
    return json.dumps(entry).encode()


def answer(*extra: bytes, facts: str = FACTS, screen: str = "one\ntwo") -> bytes:
    return section("facts", f"{facts}\n{screen}".encode()) + b"".join(extra) + section("clock", CLOCK)


def test_facts_screen_and_clock_are_read() -> None:
    evidence = parse_probe("claude", answer())
    assert evidence.rows == ("one", "two")
    assert evidence.title == "a title | with a bar"
    assert (evidence.command, evidence.columns, evidence.cursor) == ("claude", 80, (3, 4))
    assert (evidence.pane_dead, evidence.exit_status, evidence.present) == (False, None, True)
    assert (evidence.probed_at, evidence.last_output, evidence.started_at) == (1010, 1000, 950)


def test_how_a_dead_pane_ended_is_read() -> None:
    facts = FACTS.replace("0|||", "1|3|9|", 1)
    evidence = parse_probe("claude", answer(facts=facts))
    assert (evidence.pane_dead, evidence.exit_status, evidence.exit_signal) == (True, 3, "9")


def test_no_tmux_means_no_console() -> None:
    evidence = parse_probe("claude", section("facts", b"") + section("clock", CLOCK))
    assert not evidence.present


def test_the_status_file_of_a_live_process_counts_and_that_of_a_dead_one_does_not() -> None:
    live = section("session", session(), "77", "S", "5000")
    status = parse_probe("claude", answer(live)).status_file
    assert status is not None
    assert (status.status, status.at) == ("busy", 1009)
    for words in (("77", "-", "-"), ("77", "Z", "5000"), ("77", "S", "6000")):
        assert parse_probe("claude", answer(section("session", session(), *words))).status_file is None


def test_a_predecessor_on_its_way_out_does_not_speak_for_the_program_in_the_pane() -> None:
    predecessor = section("session", session("idle", startedAt=900_000), "70", "S", "5000")
    assert parse_probe("claude", answer(predecessor)).status_file is None


def test_of_several_live_status_files_the_newest_counts() -> None:
    old = section("session", session("idle", at=1_001_000), "70", "S", "5000")
    new = section("session", session("waiting", waitingFor="permission prompt"), "77", "S", "5000")
    status = parse_probe("claude", answer(new, old)).status_file
    assert status is not None
    assert (status.status, status.waiting_for) == ("waiting", "permission prompt")


def test_a_status_file_from_another_pid_namespace_counts_when_it_is_younger_than_the_pane() -> None:
    inside = "linux:x:pid:[43]"
    young = section("session", session(pidDomain=inside), "2", "-", "-")
    old = section("session", session(pidDomain=inside, startedAt=1000), "2", "-", "-")
    assert parse_probe("claude", answer(young)).status_file is not None
    assert parse_probe("claude", answer(old)).status_file is None


def test_the_signal_file_is_read_and_cleaned() -> None:
    body = b"7501 1009.5 state=idle:app=codex\x1b[2J\nbel 1001\n9 1002 hi there\nnonsense\n7501x 3 y\nbel x\n"
    signals = parse_probe("codex", answer(section("sig", body))).signals
    assert signals["7501"].at == 1009.5
    assert signals["7501"].text == "state=idle:app=codex"
    assert signals["9"].text == "hi there"
    assert set(signals) == {"7501", "bel", "9"}


def test_a_screen_that_looks_like_sections_is_a_screen() -> None:
    forged = "@session 20 77 S 5000\n" + session("idle").decode() + "\n@clock 5\n9\n9\n9\n"
    evidence = parse_probe("claude", answer(screen=forged))
    assert evidence.status_file is None
    assert evidence.probed_at == 1010
    assert evidence.rows[0].startswith("@session")


@pytest.mark.parametrize(
    "output",
    [
        b"",
        b"hello\n",
        b"@facts 10\nshort\n",
        b"@facts -1\n\n",
        b"@facts 99999999999\n",
        section("facts", b"1|2|3\nx"),
        section("clock", CLOCK),
        b"x" * ((2 << 20) + 1),
    ],
)
def test_anything_else_is_a_protocol_error(output: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_probe("claude", output)


@given(st.binary(max_size=300), st.binary(max_size=200), st.binary(max_size=200))
def test_hostile_content_in_well_formed_sections_never_raises_anything_else(
    sig: bytes, entry: bytes, screen: bytes
) -> None:
    body = FACTS.encode() + b"\n" + screen
    output = (
        section("facts", body)
        + section("sig", sig)
        + section("session", entry, "77", "S", "5000")
        + section("clock", screen[:40])
    )
    evidence = parse_probe("claude", output)
    assert all(
        char.isprintable() or char.isspace() for row in evidence.rows for char in row if ord(char) < 128
    )


@given(st.binary(max_size=400))
def test_garbage_is_refused_and_never_crashes(output: bytes) -> None:
    try:
        parse_probe("claude", output)
    except ProtocolError:
        return
    raise AssertionError("random bytes passed for a probe")
