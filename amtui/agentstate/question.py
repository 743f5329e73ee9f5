"""The open question of an agent, read off its screen: the text, the options, and the key that picks each.

Used to show the question, to answer it with one key, and to guard that key: the guard's literals must still be on
the screen when tmux delivers it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from amtui.agentstate.evidence import Evidence
from amtui.agentstate.screen import OPTION, Rule, option_rows, rules_of, view
from amtui.model import AgentStatus


@dataclass(frozen=True, slots=True)
class Option:
    """One answer: its number as shown, its text, and the tmux key names that pick it."""

    number: int
    text: str
    keys: tuple[str, ...]
    selected: bool = False
    line: str = ""
    """Its number and first row of text as they stand on the screen, without the mark of the selection."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question that blocks the agent."""

    reason: str
    """permission, question, plan, login."""
    text: str
    detail: str
    """What it is about: the command, the file; empty where the program shows none."""
    options: tuple[Option, ...]
    line: str
    """The question's row as it stands on the screen, without surrounding blanks."""

    @property
    def selected(self) -> int | None:
        """Index of the option that Enter would pick."""
        return next((index for index, option in enumerate(self.options) if option.selected), None)

    def choose(self, choice: str) -> Option | None:
        """The option of that number, or the only one whose text begins with `choice` (any case)."""
        wanted = choice.strip().casefold()
        if wanted.isdigit():
            return next((option for option in self.options if option.number == int(wanted)), None)
        near = [o for o in self.options if wanted and o.text.casefold().startswith(wanted)]
        exact = [o for o in near if o.text.casefold() == wanted]
        found = exact or near
        return found[0] if len(found) == 1 else None

    def guard(self, option: Option) -> tuple[str, ...]:
        """Literals that must stand on the screen when the key of `option` is delivered."""
        return tuple(text for text in (self.line, option.line) if text)


_RULE: Final = re.compile(r"^\s*[─▔━╌]{8,}")


def question(evidence: Evidence) -> Question | None:
    """The question on the screen, or None when no rule sees one or it has no numbered options."""
    seen = view(evidence)
    if seen.prompt or evidence.pane_dead:
        return None
    rule = next((rule for rule in rules_of(evidence.runtime).rules if rule.match(seen) is not None), None)
    if rule is None or rule.status is not AgentStatus.NEEDS_YOU:
        return None
    return _parse(rule, list(seen.places["dialog"]))


def prompt_guard(runtime: str) -> tuple[str, ...]:
    """Literals of which one on the visible screen means that a question is open and text must not be sent."""
    return rules_of(runtime).guard


def _parse(rule: Rule, rows: list[str]) -> Question | None:
    starts = option_rows(rows)
    if not starts:
        return None
    first = starts[0]
    options = [
        _option(rows, y, starts[index + 1] if index + 1 < len(starts) else len(rows))
        for index, y in enumerate(starts)
    ]
    asked = _asked(rule, rows, first)
    if asked is None:
        return None
    text = rows[asked].strip()
    return Question(rule.reason, text, _detail(rows, asked, first), tuple(options), text)


def _option(rows: Sequence[str], y: int, end: int) -> Option:
    match = OPTION.match(rows[y])
    assert match is not None
    text = [match["text"].strip()]
    for row in rows[y + 1 : end]:
        if not row.strip() or _RULE.match(row) or len(row) - len(row.lstrip()) < match.start("text"):
            break
        text.append(row.strip())
    number = int(match["number"])
    keys = (str(number),) if number < 10 else ()
    return Option(
        number, " ".join(text), keys, match["mark"] is not None, rows[y][match.start("number") :].strip()
    )


def _asked(rule: Rule, rows: Sequence[str], first: int) -> int | None:
    """The row that asks: the nearest above the options that the rule itself knows, or that looks like a question."""
    above = [
        y for y in range(first - 1, max(-1, first - 24), -1) if rows[y].strip() and not _RULE.match(rows[y])
    ]
    known = rule.patterns.get("dialog", ())[:1]
    by_rule = [y for y in above if any(pattern.search(rows[y]) for pattern in known)]
    by_look = [y for y in above if rows[y].endswith(("?", ":"))]
    return next(iter(by_rule or by_look or above), None)


def _detail(rows: Sequence[str], asked: int, first: int) -> str:
    """What the question is about: the block above it, or between it and the options."""
    between = [row.strip() for row in rows[asked + 1 : first] if row.strip()]
    if between:
        command = [row for row in between if row.startswith("$ ")]
        return " ".join(command or between)[:400]
    block: list[str] = []
    rules = 0
    for row in reversed(rows[:asked]):
        if _RULE.match(row):
            rules += 1
            if rules == 2 or (block and "╌" not in row):
                break
            continue
        if row.strip():
            block.append(row.strip())
    return " ".join(reversed(block))[:400]
