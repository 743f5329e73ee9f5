"""What the agent does, from the best evidence there is, with the rule that decided.

Order: the pane's own fate · the program's status file · its notices (OSC 7501) · title and screen rules · the
process in the foreground · silence. A stronger source decides the state; the screen adds reason and text.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from amtui.agentstate.evidence import Evidence, Signal, StatusFile, clean
from amtui.agentstate.question import question
from amtui.agentstate.screen import Rule, rules_of, view
from amtui.model import AgentState, AgentStatus

_SHELLS: Final = frozenset({"bash", "sh", "dash", "zsh", "fish", "ash", "ksh", "busybox"})
_SETTLED: Final = 2.0
"""Seconds after which a dialog that is still on the screen outweighs a notice that says otherwise."""
_FRESH: Final = 3.0
"""Seconds of silence after which output is no sign of work."""

_LAUNCHING: Final = 10.0
"""Seconds after its start in which a shell in the foreground may be the launcher."""
_SHELL_PROMPT: Final = re.compile(r"[$#%>]$")

_WAITING_FOR: Final = {
    "permission prompt": "permission",
    "input needed": "question",
    "dialog open": "question",
}


@dataclass(frozen=True, slots=True)
class Tried:
    """One step of the judgement: the rule, where it looked, what it saw; `state` when it would decide."""

    rule: str
    source: str
    seen: str
    state: AgentState | None = None


def judge(evidence: Evidence, now: float) -> AgentState:
    """The state of the agent. `now` is our clock in Unix seconds; times of the worker are carried over to it."""
    for tried in trail(evidence, now):
        if tried.state is not None:
            return tried.state
    return AgentState(
        status=AgentStatus.UNKNOWN, rule="nothing", source="none", confidence="guess", seen_at=now
    )


def explain(evidence: Evidence, now: float) -> list[tuple[str, str, str]]:
    """Every rule tried, in order: rule, source, what it saw or would say; `→` marks the one that decided."""
    told, decided = [], False
    for tried in trail(evidence, now):
        result = tried.seen
        if tried.state is not None:
            verdict = f"{tried.state.status} {tried.state.reason}".strip()
            result = f"{verdict if decided else f'→ {verdict}'}: {tried.seen}"
            decided = True
        told.append((tried.rule, tried.source, result or "does not hold"))
    return told


@dataclass(frozen=True, slots=True)
class _Case:
    evidence: Evidence
    now: float

    def state(
        self,
        status: AgentStatus,
        rule: str,
        source: str,
        *,
        reason: str = "",
        text: str = "",
        confidence: str = "certain",
        since: float = 0.0,
    ) -> AgentState:
        return AgentState(
            status=status,
            reason=reason,
            text=clean(text, 300),
            rule=rule,
            source=source,
            confidence=confidence,
            since=self.ours(since),
            seen_at=self.now,
        )

    def ours(self, at: float) -> float:
        """A time of the worker's clock on our clock; 0 stays unknown, nothing lies in the future."""
        if not at or not self.evidence.probed_at:
            return 0.0
        return self.now - max(0.0, self.evidence.probed_at - at)


def trail(evidence: Evidence, now: float) -> Iterator[Tried]:
    """Every step of the judgement in order; the first with a state decides."""
    case = _Case(evidence, now)
    yield from _pane(case)
    on_screen = list(_screen(case))
    best = next((tried.state for tried in on_screen if tried.state is not None), None)
    yield _status_file(case, best)
    yield _notice(case, best)
    yield from on_screen
    yield _process(case)
    yield _silence(case)


def _pane(case: _Case) -> Iterator[Tried]:
    evidence = case.evidence
    if not evidence.present:
        yield Tried(
            "pane.absent", "process", "no console", case.state(AgentStatus.NONE, "pane.absent", "process")
        )
        return
    if not evidence.pane_dead:
        yield Tried("pane.dead", "process", "the pane lives")
        return
    if evidence.exit_signal not in ("", "0") or evidence.exit_status not in (0, None):
        how = f"signal {evidence.exit_signal}" if evidence.exit_signal else f"exit {evidence.exit_status}"
        state = case.state(AgentStatus.FAILED, "pane.crashed", "process", reason="crashed", text=how)
        yield Tried("pane.crashed", "process", how, state)
        return
    state = case.state(
        AgentStatus.FAILED, "pane.exited", "process", reason="exited", text="the program ended"
    )
    yield Tried("pane.exited", "process", "exit 0", state)


def _status_file(case: _Case, on_screen: AgentState | None) -> Tried:
    """Claude Code's own word. A turn stopped by an error still says idle: there the screen knows more."""
    status = case.evidence.status_file
    if status is None:
        return Tried("status-file", "status-file", "none of a live process")
    seen = f"{status.status} {status.waiting_for}".strip()
    rule = f"status-file.{status.status}"
    if status.status == "waiting":
        return Tried(rule, "status-file", seen, _waiting(case, status, on_screen))
    if status.status == "idle":
        settled = case.evidence.probed_at - status.at >= _SETTLED
        if on_screen is not None and (on_screen.status is AgentStatus.DONE or _error(on_screen) or settled):
            return Tried(rule, "status-file", f"{seen}; the screen knows more")
        return Tried(
            rule, "status-file", seen, case.state(AgentStatus.IDLE, rule, "status-file", since=status.at)
        )
    if status.status == "busy" and on_screen is not None and on_screen.rule == "screen.key-retried":
        return Tried(rule, "status-file", f"{seen}; but its key is refused")
    if status.status in ("busy", "shell"):
        sure = "certain" if status.status == "busy" else "likely"
        text = on_screen.text if on_screen and on_screen.status is AgentStatus.WORKING else ""
        state = case.state(
            AgentStatus.WORKING, rule, "status-file", text=text, confidence=sure, since=status.at
        )
        return Tried(rule, "status-file", seen, state)
    return Tried("status-file", "status-file", f"unknown word {seen}")


def _waiting(case: _Case, status: StatusFile, on_screen: AgentState | None) -> AgentState:
    asked = on_screen is not None and on_screen.status is AgentStatus.NEEDS_YOU and not _error(on_screen)
    reason = on_screen.reason if asked and on_screen else _WAITING_FOR.get(status.waiting_for, "question")
    text = on_screen.text if asked and on_screen else status.waiting_for
    return case.state(
        AgentStatus.NEEDS_YOU,
        "status-file.waiting",
        "status-file",
        reason=reason,
        text=text,
        since=status.at,
    )


def _notice(case: _Case, on_screen: AgentState | None) -> Tried:
    """OSC 7501: `state=…:app=…[:kind=…][:msg=base64]`, the last one the program sent."""
    signal = case.evidence.signal("7501")
    fields = dict(part.split("=", 1) for part in signal.text.split(":") if "=" in part) if signal else {}
    word = fields.get("state", "")
    if signal is None or not word:
        return Tried("osc", "osc", "none")
    dialog = on_screen is not None and on_screen.status is AgentStatus.NEEDS_YOU and not _error(on_screen)
    asked = on_screen if dialog else None
    rule = f"osc.{word}"
    if word == "blocked":
        return Tried(rule, "osc", signal.text, _blocked(case, signal, fields, asked))
    settled = case.evidence.probed_at - signal.at >= _SETTLED
    # Codex reports done or idle while it asks whether to carry out a plan.
    if asked is not None and (word != "working" or settled):
        return Tried(rule, "osc", f"{signal.text}; a dialog is open")
    state = None
    if word == "error":
        known = on_screen if on_screen is not None and _error(on_screen) else None
        state = case.state(
            AgentStatus.NEEDS_YOU,
            rule,
            "osc",
            reason=known.reason if known else "error",
            text=known.text if known else "the turn ended with an error",
            since=signal.at,
        )
    elif word in ("working", "idle", "done"):
        text = on_screen.text if on_screen is not None and on_screen.status == word else ""
        state = case.state(AgentStatus(word), rule, "osc", text=text, since=signal.at)
    return Tried(rule, "osc", signal.text, state)


def _blocked(case: _Case, signal: Signal, fields: dict[str, str], asked: AgentState | None) -> AgentState:
    kind = fields.get("kind", "")
    reason = (
        asked.reason if asked else kind if kind in ("permission", "question", "plan", "login") else "question"
    )
    return case.state(
        AgentStatus.NEEDS_YOU,
        "osc.blocked",
        "osc",
        reason=reason,
        text=asked.text if asked else _message(fields),
        since=signal.at,
    )


def _message(fields: dict[str, str]) -> str:
    try:
        return base64.b64decode(fields.get("msg", ""), validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""


def _screen(case: _Case) -> Iterator[Tried]:
    """Every rule of the runtime, with the state it would give."""
    if case.evidence.pane_dead or not case.evidence.present:
        return
    if case.evidence.command in _SHELLS and case.evidence.runtime != "shell" and not _starting(case.evidence):
        # The program has gone and left its last screen behind; the shell it was started from is back.
        state = case.state(
            AgentStatus.FAILED,
            "process.gone",
            "process",
            reason="exited",
            text="the program ended",
            confidence="likely",
        )
        yield Tried("process.gone", "process", case.evidence.command, state)
        return
    seen = view(case.evidence)
    for rule in rules_of(case.evidence.runtime).rules:
        source = "title" if set(rule.patterns) == {"title"} else "screen"
        name = f"{source}.{rule.id}"
        row = rule.match(seen)
        if row is None:
            yield Tried(name, source, "")
            continue
        yield Tried(name, source, row, _by_rule(case, rule, name, source, row))


def _by_rule(case: _Case, rule: Rule, name: str, source: str, row: str) -> AgentState:
    text = row
    if rule.status is AgentStatus.NEEDS_YOU and rule.prompt is False:
        asked = question(case.evidence)
        text = f"{asked.text} {asked.detail}".strip() if asked else row
    return case.state(
        rule.status,
        name,
        source,
        reason=rule.reason,
        text=text if rule.status in (AgentStatus.NEEDS_YOU, AgentStatus.WORKING) else "",
        confidence=rule.confidence,
    )


def _starting(evidence: Evidence) -> bool:
    """The launcher, itself a shell, may still be at work."""
    return bool(evidence.started_at) and evidence.probed_at - evidence.started_at < _LAUNCHING


def _process(case: _Case) -> Tried:
    """A shell in the foreground is idle; anything else that it runs is work."""
    command = case.evidence.command
    if case.evidence.runtime != "shell" or not command:
        return Tried("process", "process", command)
    if command == "bwrap":
        # From outside a confined shell looks the same whatever it runs; all there is is its prompt.
        last = next((row for row in reversed(case.evidence.rows) if row), "")
        status = AgentStatus.IDLE if _SHELL_PROMPT.search(last) else AgentStatus.WORKING
        state = case.state(status, "process.confined", "screen", confidence="guess")
    elif command in _SHELLS:
        state = case.state(AgentStatus.IDLE, "process.shell", "process", confidence="likely")
    else:
        text = f"runs {command}"
        state = case.state(AgentStatus.WORKING, "process.runs", "process", text=text, confidence="likely")
    return Tried(state.rule, "process", command, state)


def _silence(case: _Case) -> Tried:
    evidence = case.evidence
    if not evidence.last_output or not evidence.probed_at:
        return Tried("silence", "silence", "no time of output")
    quiet = evidence.probed_at - evidence.last_output
    if quiet > _FRESH:
        return Tried("silence", "silence", f"quiet for {quiet:.0f} s")
    state = case.state(AgentStatus.WORKING, "silence.output", "silence", confidence="guess")
    return Tried("silence.output", "silence", f"output {quiet:.0f} s ago", state)


def _error(state: AgentState) -> bool:
    """A turn that was stopped; the prompt is free."""
    return (state.status is AgentStatus.NEEDS_YOU and state.reason in ("limit", "error")) or (
        state.reason == "login" and state.rule.endswith(".rejected")
    )
