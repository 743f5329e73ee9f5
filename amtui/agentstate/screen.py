"""The versioned screen rules of `rules/*.toml`, and the places of a screen they look at.

A rule never looks at the whole screen. It names a place that only the program itself draws, so that an answer
which quotes a permission prompt, or the words "esc to interrupt", cannot match.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Final

from amtui.agentstate.evidence import Evidence
from amtui.errors import ConfigError
from amtui.model import AgentStatus

PLACES: Final = ("last", "dialog", "footer", "above", "title")
REASONS: Final = ("", "permission", "question", "plan", "login", "limit", "error")
CONFIDENCES: Final = ("certain", "likely", "guess")


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of knowledge: where must what be seen, and what does it mean."""

    id: str
    status: AgentStatus
    reason: str
    confidence: str
    prompt: bool | None
    """Whether the free prompt must be there; None where it does not matter."""
    patterns: Mapping[str, tuple[re.Pattern[str], ...]]
    """Place → patterns; each must match some row of that place."""

    def match(self, view: View) -> str | None:
        """The lowest row its first pattern matched (empty without patterns); None when the rule does not hold."""
        if self.prompt is not None and self.prompt != view.prompt:
            return None
        seen = None
        for place, patterns in self.patterns.items():
            for pattern in patterns:
                row = next((row for row in reversed(view.places[place]) if pattern.search(row)), None)
                if row is None:
                    return None
                seen = row.strip() if seen is None else seen
        return seen or ""


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one runtime."""

    runtime: str
    version: int
    checked: str
    guard: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """A screen cut into the places rules may look at."""

    prompt: bool
    """The free prompt is on the screen: keys typed now would be a message to the agent."""
    places: Mapping[str, Sequence[str]] = field(default_factory=dict)


@cache
def rules_of(runtime: str) -> Rules:
    """The rules of that runtime; empty where it has none. Raises `ConfigError` for a broken file."""
    source = files("amtui.agentstate").joinpath("rules", f"{runtime}.toml")
    if not re.fullmatch(r"[a-z]{1,20}", runtime) or not source.is_file():
        return Rules(runtime=runtime, version=0, checked="")
    return parse_rules(source.read_text("utf-8"), f"{runtime}.toml")


def parse_rules(text: str, name: str) -> Rules:
    """`text` of a rule file. Raises `ConfigError` naming the file, the rule and what is wrong with it."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name}: {error}", "mend the rule file") from error
    return Rules(
        runtime=str(document.get("runtime", "")),
        version=int(document.get("version", 0)),
        checked=str(document.get("checked", "")),
        guard=tuple(str(literal) for literal in document.get("guard", [])),
        rules=tuple(_rule(entry, name) for entry in document.get("rule", [])),
    )


def _rule(entry: Mapping[str, Any], name: str) -> Rule:
    where = f"{name}, rule {entry.get('id', '?')}"
    unknown = set(entry) - {"id", "status", "reason", "confidence", "prompt", *PLACES}
    if unknown:
        raise ConfigError(f"{where}: unknown key {min(unknown)}", f"known places: {', '.join(PLACES)}")
    patterns: dict[str, tuple[re.Pattern[str], ...]] = {}
    for place in PLACES:
        wanted = entry.get(place, [])
        try:
            compiled = tuple(re.compile(p) for p in ([wanted] if isinstance(wanted, str) else wanted))
        except re.error as error:
            raise ConfigError(f"{where}: {place} is no regular expression: {error}", "mend it") from error
        if compiled:
            patterns[place] = compiled
    reason, confidence = entry.get("reason", ""), entry.get("confidence", "likely")
    if reason not in REASONS or confidence not in CONFIDENCES or entry.get("status") not in list(AgentStatus):
        raise ConfigError(f"{where}: unknown status, reason or confidence", "see the other rules")
    return Rule(
        id=str(entry["id"]),
        status=AgentStatus(entry["status"]),
        reason=reason,
        confidence=confidence,
        prompt=entry.get("prompt"),
        patterns=patterns,
    )


def view(evidence: Evidence) -> View:
    """The screen cut up the way its runtime draws it."""
    rows = list(evidence.rows)
    while rows and not rows[-1]:
        rows.pop()
    cut = {"claude": _claude, "codex": _codex}.get(evidence.runtime)
    prompt, places = cut(rows, evidence.columns) if cut else (False, {})
    whole = {place: places.get(place, ()) for place in PLACES}
    return View(prompt, {**whole, "last": rows[-1:], "title": [evidence.title] if evidence.title else []})


_FULL_RULE: Final = re.compile(r"[─▔━]{8,}(?:[^─▔━]{1,40}[─▔━]{2,})?\Z")
_HINT: Final = re.compile(r"\s{30,}\S")
"""A remark pushed to the right edge, such as the effort level."""
_DIALOG_ROWS: Final = 40


def _claude(rows: list[str], columns: int) -> tuple[bool, dict[str, list[str]]]:
    """The prompt box lies between the last two full-width rules; a dialog has no such box below it."""
    rules = [y for y, row in enumerate(rows) if _FULL_RULE.match(row) and len(row) >= columns - 2]
    if len(rules) >= 2:
        top, bottom = rules[-2], rules[-1]
        inside = rows[top + 1 : bottom]
        boxed = bool(inside) and re.match(r"[❯>!#&](\s|$)", inside[0]) and not _is_option(inside[0])
        if boxed and len(rows) - bottom <= 12:
            return True, {"footer": rows[bottom + 1 :], "above": _block_above(rows, top)}
    options = option_rows(rows)
    above = [y for y in rules if options and y < options[0]]
    return False, {"dialog": rows[above[-1] :] if above else rows[-_DIALOG_ROWS:]}


def _codex(rows: list[str], columns: int) -> tuple[bool, dict[str, list[str]]]:
    """The composer is the last row that begins with the prompt sign at the left edge and is no option."""
    for y in range(len(rows) - 1, -1, -1):
        if re.match(r"›(\s|$)", rows[y]):
            if _is_option(rows[y]) or _PRESS.search(rows[-1]):
                break
            return True, {"footer": rows[y + 1 :], "above": _block_above(rows, y)}
    return False, {"dialog": rows[-_DIALOG_ROWS:]}


_PRESS: Final = re.compile(r"^ +[Pp]ress enter to |enter to submit")


OPTION: Final = re.compile(r"^\s{0,6}(?P<mark>[❯›>])?\s{0,4}(?P<number>\d{1,2})\. (?P<text>\S.*)$")
"""One numbered answer of a dialog; the mark is the selection."""


def option_rows(rows: Sequence[str]) -> list[int]:
    """Rows of the last run of options numbered 1, 2, 3 …"""
    found: list[int] = []
    for y, row in enumerate(rows):
        match = OPTION.match(row)
        if match is None:
            continue
        number = int(match["number"])
        if number == 1:
            found = [y]
        elif found and number == len(found) + 1:
            found.append(y)
    return found


def _is_option(row: str) -> bool:
    return re.match(r"[❯›>]\s\d{1,2}\. ", row) is not None


def _block_above(rows: list[str], y: int) -> list[str]:
    """The last block of rows without a blank between them above row `y`; remarks at the right edge left out."""
    block: list[str] = []
    for row in reversed(rows[:y]):
        if _HINT.match(row):
            continue
        if row:
            block.append(row)
        elif block:
            break
    return block[::-1]
