"""Conditions that tmux evaluates in the turn that types, and names of keys.

A guard is looked up by tmux in what the pane shows at that moment, so nothing can change between look and key.
Patterns are plain text here; they reach tmux as fnmatch patterns inside a format, so both kinds of special
characters are taken from them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from amtui.errors import UsageError

_FORMAT: Final = re.compile(r"[#,{}:\\*?\[\]|~^$'\"%;]")
_MODIFIERS: Final = re.compile(r"(?:[CMS]-)*")
_EDITING: Final = "Enter Escape Tab BTab Space BSpace IC DC Insert Delete"
_MOVING: Final = "Up Down Left Right Home End PPage NPage PageUp PageDown PgUp PgDn"
_NAMES: Final = frozenset((*_EDITING.split(), *_MOVING.split(), *(f"F{number}" for number in range(1, 13))))
_ALIASES: Final = {"Esc": "Escape", "Backspace": "BSpace", "Return": "Enter", "Insert": "IC", "Delete": "DC"}


def _pattern(text: str) -> str:
    """`text` as an fnmatch pattern inside a tmux format.

    A character that means something to tmux, or to fnmatch, becomes `?`: any one character. A guard may thereby
    find slightly more than was asked for, never less.
    """
    return _FORMAT.sub("?", " ".join(text.split("\n")))


def _all(conditions: list[str]) -> str:
    """All of them, with tmux's two-handed `&&`."""
    joined = "1"
    for condition in reversed(conditions):
        joined = f"#{{&&:{condition},{joined}}}"
    return joined


@dataclass(frozen=True, slots=True)
class Guard:
    """What must, and what must not, stand on the screen of a console at the moment a key is pressed.

    Each text is sought within one row. `program` (of a `Frame` or a state) also binds it to that very program.
    """

    absent: Sequence[str] = ()
    present: Sequence[str] = ()
    program: tuple[str, int, int] | None = None

    def condition(self) -> str:
        """The guard as a tmux format that expands to something true or to 0."""
        conditions = [f"#{{C:{_pattern(text)}}}" for text in self.present if text.strip()]
        conditions += [f"#{{==:#{{C:{_pattern(text)}}},0}}" for text in self.absent if text.strip()]
        if self.program is not None:
            server, pane_pid, epoch = self.program
            conditions.append(
                f"#{{==:#{{pid}}.#{{start_time}} #{{pane_pid}} #{{@am_epoch}},{server} {pane_pid} {epoch}}}"
            )
        return _all(conditions)

    def reason(self, told: str) -> str:
        """The helper's word for why, in the caller's words."""
        if told == "guard":
            return "changed" if self.present or self.program else "prompt"
        return "" if told == "-" else told


def key_words(names: Sequence[str]) -> list[str]:
    """Keys as the helper takes them. Raises `UsageError` for a name that tmux does not know."""
    words = []
    for name in names:
        modifiers = _MODIFIERS.match(name)
        assert modifiers is not None
        key = name[modifiers.end() :]
        key = _ALIASES.get(key, key)
        if key in _NAMES or (modifiers[0] and len(key) == 1 and key.isascii() and key.isalnum()):
            words.append(modifiers[0] + key)
        elif len(name) == 1 and name.isprintable():
            words.append("-H " + name.encode().hex(" "))
        else:
            raise UsageError(
                f"no key {name!r}", "keys are single characters, Enter, Up, C-c, M-x, F5, Escape, …"
            )
    if not words:
        raise UsageError("no key was named")
    return words
