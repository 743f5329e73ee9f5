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
from amtui.agentstate.screen import rules_of, view
from amtui.model import AgentStatus


@dataclass(frozen=True, slots=True)
class Option:
    """One answer: its number as shown, its text, and the tmux key names that pick it."""

    number: int
    text: str
    keys: tuple[str, ...]
    selected: bool = False
    line: str = ""
    """Its first row as it stands on the screen."""


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


_OPTION: Final = re.compile(r"^\s{0,6}(?P<mark>[❯›>])?\s{0,4}(?P<number>\d{1,2})\. (?P<label>\S.*)$")
_RULE: Final = re.compile(r"^\s*[─▔━╌]{8,}")


def question(evidence: Evidence) -> Question | None:
    """The question on the screen, or None when no rule sees one or it has no numbered options."""
    seen = view(evidence)
    if seen.prompt or evidence.pane_dead:
        return None
    rule = next((rule for rule in rules_of(evidence.runtime).rules if rule.match(seen) is not None), None)
    if rule is None or rule.status is not AgentStatus.NEEDS_YOU:
        return None
    return _parse(rule.reason, list(seen.places["dialog"]))


def prompt_guard(runtime: str) -> tuple[str, ...]:
    """Literals of which one on the visible screen means that a question is open and text must not be sent."""
    return rules_of(runtime).guard


def _parse(reason: str, rows: list[str]) -> Question | None:
    starts = _option_rows(rows)
    if not starts:
        return None
    first = starts[0]
    options = [
        _option(rows, y, starts[index + 1] if index + 1 < len(starts) else len(rows))
        for index, y in enumerate(starts)
    ]
    asked = _asked(rows, first)
    if asked is None:
        return None
    text = rows[asked].strip()
    return Question(reason, text, _detail(rows, asked, first), tuple(options), text)


def _option_rows(rows: Sequence[str]) -> list[int]:
    """Rows of the last run of options numbered 1, 2, 3 …"""
    found: list[int] = []
    for y, row in enumerate(rows):
        match = _OPTION.match(row)
        if match is None:
            continue
        number = int(match["number"])
        if number == 1:
            found = [y]
        elif found and number == len(found) + 1:
            found.append(y)
    return found


def _option(rows: Sequence[str], y: int, end: int) -> Option:
    match = _OPTION.match(rows[y])
    assert match is not None
    label = [match["label"].strip()]
    for row in rows[y + 1 : end]:
        if not row.strip() or _RULE.match(row) or len(row) - len(row.lstrip()) < match.start("label"):
            break
        label.append(row.strip())
    number = int(match["number"])
    keys = (str(number),) if number < 10 else ()
    return Option(number, " ".join(label), keys, match["mark"] is not None, rows[y].strip())


def _asked(rows: Sequence[str], first: int) -> int | None:
    """The row that asks: the nearest above the options that ends with a question mark or colon, else the nearest."""
    nearest = None
    for y in range(first - 1, max(-1, first - 16), -1):
        text = rows[y].strip()
        if not text:
            continue
        if _RULE.match(rows[y]):
            if nearest is not None:
                break
            continue
        if nearest is None:
            nearest = y
        if text.endswith(("?", ":")):
            return y
    return nearest


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
