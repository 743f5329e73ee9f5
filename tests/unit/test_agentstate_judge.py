"""Agent state: the labelled frames made with the real agents, and the order of evidence."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from amtui.agentstate import Evidence, Signal, StatusFile, explain, from_frame, judge, prompt_guard, question
from amtui.agentstate.screen import parse_rules, rules_of
from amtui.errors import ConfigError
from amtui.model import AgentStatus

FRAMES = sorted((Path(__file__).parents[1] / "agentstate" / "frames").glob("*.json"))
NOW = 2_000_000_000.0


def load(path: Path) -> dict[str, Any]:
    frame = json.loads(path.read_text())
    assert isinstance(frame, dict)
    return frame


def frame_of(runtime: str, note: str) -> Evidence:
    """The wide frame of that note."""
    (path,) = [p for p in FRAMES if p.name.startswith(f"{runtime}-100x30-") and p.stem.endswith(note)]
    return from_frame(load(path))


def told(evidence: Evidence) -> tuple[str, str]:
    state = judge(evidence, NOW)
    return state.status.value, state.reason


def test_the_corpus_covers_every_state_of_both_agents() -> None:
    seen = {(frame["runtime"], frame["label"], frame["reason"]) for frame in map(load, FRAMES)}
    for runtime in ("claude", "codex"):
        for label, reason in (
            ("idle", None),
            ("working", None),
            ("done", None),
            ("needs-you", "permission"),
            ("needs-you", "login"),
            ("needs-you", "limit"),
            ("failed", "exited"),
            ("failed", "crashed"),
        ):
            assert (runtime, label, reason) in seen
    assert sum(bool(load(path)["adversarial"]) for path in FRAMES) >= 8


@pytest.mark.parametrize("path", FRAMES, ids=lambda path: path.stem)
def test_a_frame_is_judged_as_its_driver_knew_it(path: Path) -> None:
    frame = load(path)
    assert told(from_frame(frame)) == (frame["label"], frame["reason"] or "")


@pytest.mark.parametrize("path", FRAMES, ids=lambda path: path.stem)
def test_screen_and_title_alone_suffice(path: Path) -> None:
    frame = load(path)
    evidence = dataclasses.replace(from_frame(frame), status_file=None, signals={})
    assert told(evidence) == (frame["label"], frame["reason"] or "")


@pytest.mark.parametrize("path", FRAMES, ids=lambda path: path.stem)
def test_the_guard_against_sending_stands_on_the_screen_exactly_where_a_dialog_is_open(path: Path) -> None:
    frame = load(path)
    if frame["adversarial"]:
        return  # what an answer quotes stands on the screen too: refused as well, which errs on the safe side
    dialog = frame["label"] == "needs-you" and frame["reason"] in ("permission", "question", "plan")
    shown = any(text in row for text in prompt_guard(frame["runtime"]) for row in frame["screen"])
    assert shown == dialog or frame["reason"] == "login"


def test_a_permission_question_is_read_with_its_options_and_what_it_is_about() -> None:
    asked = question(frame_of("claude", "needs-you-command"))
    assert asked is not None
    assert asked.line == "Do you want to proceed?"
    assert "touch made.txt" in asked.detail
    assert [option.number for option in asked.options] == [1, 2, 3]
    assert asked.options[0].text == "Yes"
    assert asked.options[1].text.endswith("from this project")
    assert asked.selected == 0
    assert asked.options[2].keys == ("3",)
    assert asked.options[2].line == "3. No"
    assert asked.choose("no") is asked.options[2]
    assert asked.choose("2") is asked.options[1]
    assert asked.choose("4") is None

    asked = question(frame_of("codex", "needs-you-command"))
    assert asked is not None
    assert asked.line == "Would you like to run the following command?"
    assert asked.detail == "$ touch made.txt"
    assert len(asked.options) == 3
    assert asked.selected == 0
    assert asked.choose("Yes, proceed (y)") is asked.options[0]
    assert asked.choose("yes") is None  # two options begin so


def test_a_multiple_choice_question_is_read() -> None:
    asked = question(frame_of("claude", "multiple-choice"))
    assert asked is not None
    assert asked.reason == "question"
    assert asked.line == "Which cache backend should I use?"
    assert [option.text.split(" ")[0] for option in asked.options[:2]] == ["Redis", "SQLite"]


@pytest.mark.parametrize("note", ["answer-quotes-a-prompt", "answer-quotes-a-prompt-and-goes-on"])
@pytest.mark.parametrize("runtime", ["claude", "codex"])
def test_what_an_answer_quotes_is_no_question(runtime: str, note: str) -> None:
    assert question(frame_of(runtime, note)) is None


def test_a_dead_pane_outweighs_every_notice_and_stale_screen() -> None:
    evidence = frame_of("claude", "needs-you-command")
    assert told(dataclasses.replace(evidence, pane_dead=True, exit_signal="9")) == ("failed", "crashed")
    assert told(dataclasses.replace(evidence, pane_dead=True, exit_status=3)) == ("failed", "crashed")
    assert told(dataclasses.replace(evidence, pane_dead=True, exit_status=0)) == ("failed", "exited")
    assert question(dataclasses.replace(evidence, pane_dead=True)) is None


def test_a_screen_left_behind_in_a_shell_is_no_dialog() -> None:
    evidence = dataclasses.replace(
        frame_of("codex", "needs-you-command"), command="bash", signals={}, started_at=NOW - 60, probed_at=NOW
    )
    assert told(evidence) == ("failed", "exited")
    starting = dataclasses.replace(evidence, started_at=NOW - 1, probed_at=NOW)
    assert told(starting)[0] != "failed"  # the launcher is a shell too


def test_without_a_console_there_is_no_agent() -> None:
    assert told(Evidence(runtime="claude", present=False)) == ("none", "")


def test_the_status_file_decides_and_the_screen_gives_the_reason() -> None:
    asking = frame_of("claude", "plan-to-approve")
    assert told(asking) == ("needs-you", "plan")
    late = dataclasses.replace(asking, rows=frame_of("claude", "working-answer-streams").rows)
    assert told(late) == ("needs-you", "permission")  # the file says so before the screen does
    busy = dataclasses.replace(
        frame_of("claude", "idle-fresh"), status_file=StatusFile("busy", at=NOW), probed_at=NOW
    )
    assert told(busy) == ("working", "")


def test_a_notice_of_a_program_before_this_one_is_ignored() -> None:
    evidence = dataclasses.replace(
        frame_of("codex", "idle-fresh"),
        signals={"7501": Signal(NOW - 100, "state=working:app=codex")},
        started_at=NOW - 50,
        probed_at=NOW,
    )
    assert told(evidence) == ("idle", "")
    fresh = dataclasses.replace(evidence, started_at=NOW - 150)
    assert told(fresh) == ("working", "")


def test_a_dialog_that_stays_outweighs_a_notice_of_done() -> None:
    evidence = dataclasses.replace(
        frame_of("codex", "needs-you-command"), signals={"7501": Signal(NOW - 5, "state=done:app=codex")}
    )
    assert told(dataclasses.replace(evidence, probed_at=NOW)) == ("needs-you", "permission")


def test_the_message_of_a_notice_is_shown_when_the_screen_is_late() -> None:
    evidence = dataclasses.replace(
        frame_of("codex", "idle-fresh"),
        signals={"7501": Signal(NOW, "state=blocked:app=codex:kind=permission:msg=YXBwcm92ZSBpdA==")},
        probed_at=NOW,
    )
    state = judge(evidence, NOW)
    assert (state.status, state.reason, state.text) == (AgentStatus.NEEDS_YOU, "permission", "approve it")


def test_times_of_a_wrong_remote_clock_become_ours() -> None:
    remote = NOW + 3600
    evidence = dataclasses.replace(
        frame_of("claude", "idle-fresh"), status_file=StatusFile("busy", at=remote - 7), probed_at=remote
    )
    assert judge(evidence, NOW).since == NOW - 7


def test_a_shell_is_idle_at_its_prompt_and_works_while_it_runs_something() -> None:
    assert told(Evidence(runtime="shell", rows=("$",), command="bash")) == ("idle", "")
    assert told(Evidence(runtime="shell", rows=("",), command="vim")) == ("working", "")
    assert told(Evidence(runtime="shell", rows=("~ $", "", ""), command="bwrap")) == ("idle", "")
    assert told(Evidence(runtime="shell", rows=("~ $ make", "cc a.c"), command="bwrap")) == ("working", "")


def test_explain_names_every_rule_and_marks_the_one_that_decided() -> None:
    evidence = dataclasses.replace(frame_of("claude", "needs-you-command"), status_file=None)
    trail = explain(evidence, NOW)
    assert {rule for rule, _, _ in trail} >= {f"screen.{rule.id}" for rule in rules_of("claude").rules[:5]}
    (decided,) = [rule for rule, _, result in trail if result.startswith("→")]
    assert decided == judge(evidence, NOW).rule == "screen.permission"


@pytest.mark.parametrize("runtime", ["claude", "codex"])
def test_rule_files_name_what_they_were_checked_against(runtime: str) -> None:
    from amtui.runtimes import RUNTIMES

    rules = rules_of(runtime)
    assert rules.runtime == runtime
    assert rules.checked == RUNTIMES[runtime].version
    assert rules.guard
    assert len({rule.id for rule in rules.rules}) == len(rules.rules)


@pytest.mark.parametrize(
    ("text", "needle"),
    [
        ('[[rule]]\nid = "a"\nstatus = "idle"\nlast = "("\n', "rule a: last is no regular expression"),
        ('[[rule]]\nid = "a"\nstatus = "idle"\nlsat = "x"\n', "unknown key lsat"),
        ('[[rule]]\nid = "a"\nstatus = "sleepy"\n', "unknown status"),
        ("[[rule", "x.toml"),
    ],
)
def test_a_broken_rule_file_is_named_with_its_rule(text: str, needle: str) -> None:
    with pytest.raises(ConfigError, match=r"x\.toml") as caught:
        parse_rules(text, "x.toml")
    assert needle in caught.value.message


@pytest.mark.parametrize(
    "frame",
    [
        {},
        {"screen": 3, "cursor": "x", "evidence": [], "title": None},
        {"runtime": "claude", "screen": [None, 1], "evidence": {"osc7501": [1, [2]], "bells": "x"}},
        {
            "runtime": "claude",
            "evidence": {"claude_sessions": {"a": 1, "b": {"status": 3}}, "captured_at": "no"},
        },
        {"runtime": "../x", "screen": ["a\x1b[2Jb"]},
    ],
)
def test_odd_frames_never_raise(frame: dict[str, Any]) -> None:
    evidence = from_frame(frame)
    assert not any("\x1b" in row for row in evidence.rows)
    assert judge(evidence, NOW).status in AgentStatus
    assert question(evidence) is None
