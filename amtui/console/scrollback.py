"""History joined from two sources: rows the screen pushed while we watched, and rows tmux still holds.

Below tmux's history limit a row's number is its index in tmux's history, and joining is arithmetic. At the limit
tmux drops the oldest tenth again and again and numbers shift; then rows are joined by what they say. Where that
gives no single answer a visible marker stands: nothing is ever silently missing or shown twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from amtui.console.protocol import HistoryFrame
from amtui.emulator import DEFAULT, Row, Screen
from amtui.emulator.snapshot import parse_rows

NOT_KEPT: Final = "— output not kept —"
"""The marker's text."""

_LEAST: Final = 3
"""Fewest equal rows that count as a join."""


def trimmed(size: int, limit: int) -> bool:
    """Whether tmux may have dropped rows: it then keeps between nine tenths of the limit and all of it."""
    return size >= limit - max(1, limit // 10)


def marker(columns: int) -> Row:
    """A row that says that something is missing here."""
    return Row.plain(NOT_KEPT[:columns], DEFAULT, columns, False)


def is_marker(row: Row) -> bool:
    return row.text.rstrip() == NOT_KEPT[: len(row)]


def _failures(pattern: Sequence[str]) -> list[int]:
    """Knuth-Morris-Pratt: for each prefix, the longest proper prefix of it that is also its suffix."""
    fail = [0] * len(pattern)
    length = 0
    for at in range(1, len(pattern)):
        while length and pattern[at] != pattern[length]:
            length = fail[length - 1]
        if pattern[at] == pattern[length]:
            length += 1
        fail[at] = length
    return fail


def _meetings(text: Sequence[str], pattern: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where in `text` `pattern` begins, whole or running over the end, and how many rows agree there."""
    if not pattern:
        return
    fail = _failures(pattern)
    length = 0
    for at, row in enumerate(text):
        while length and (length == len(pattern) or row != pattern[length]):
            length = fail[length - 1]
        if row == pattern[length]:
            length += 1
        if length == len(pattern):
            yield at + 1 - length, length
    while length:
        if length < len(pattern):
            yield len(text) - length, length
        length = fail[length - 1]


def align(known: Sequence[str], fetched: Sequence[str]) -> int | None:
    """The number n such that `fetched[0]` is `known[n]`, judged by content; None when that is not certain.

    Both are windows of one growing list of rows. n is negative when `fetched` begins earlier. Every row that both
    windows cover must agree. Repetitive output fits in several places and gives None.
    """
    fits: dict[int, int] = dict(_meetings(known, fetched))
    for at, agreed in _meetings(fetched, known):
        fits[-at] = max(agreed, fits.get(-at, 0))
    ranked = sorted(((agreed, n) for n, agreed in fits.items()), reverse=True)
    if not ranked:
        return None
    best, n = ranked[0]
    second = ranked[1][0] if len(ranked) > 1 else 0
    rows = fetched[:best] if n >= 0 else fetched[-n : -n + best]
    certain = best >= _LEAST and best >= 4 * second and len(set(rows)) > 1
    return n if certain else None


@dataclass(frozen=True, slots=True)
class Fetched:
    """Rows of tmux's history from number `first` on, and the screen when the fetch reached that far."""

    first: int
    size: int
    limit: int
    columns: int
    past: list[Row]
    visible: list[Row]

    @property
    def dropped(self) -> bool:
        """Rows older than these may have existed and are gone."""
        return trimmed(self.size, self.limit)


def read(frame: HistoryFrame) -> Fetched:
    """Parse a reply; slow for thousands of rows, and safe in a thread."""
    lines = frame.data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    rows = parse_rows(lines, frame.columns)
    for row in rows:
        row.pack()
    cut = max(0, frame.size - frame.first)
    return Fetched(frame.first, frame.size, frame.limit, frame.columns, rows[:cut], rows[cut:])


def _texts(rows: Sequence[Row]) -> list[str]:
    return [row.text.rstrip() for row in rows]


def _put(screen: Screen, rows: list[Row]) -> None:
    """Make `rows` the history, so that the row after the last one keeps its number."""
    history = screen.history
    base, following = history.base, history.next
    history.clear()
    history.next = following - len(rows)
    history.extend(rows)
    history.base = base


def join_numbered(screen: Screen, fetched: Fetched) -> bool:
    """Put rows before ours by number. False when numbers cannot be trusted here.

    They cannot when tmux may have dropped rows, or when rows that both sides have differ.
    """
    history, past = screen.history, fetched.past
    begin = history.base + fetched.first
    if fetched.dropped or fetched.columns != screen.columns or begin > history.first:
        return False
    if begin + len(past) < history.first:
        return False
    for number in range(max(history.first, begin), min(history.next, begin + len(past))):
        ours = history.row(number)
        if ours is not None and ours.text.rstrip() != past[number - begin].text.rstrip():
            return False
    _put(screen, past[: history.first - begin] + list(history))
    return True


def join_by_content(screen: Screen, fetched: Fetched, held: Sequence[Row]) -> bool:
    """Rebuild the history from all that tmux holds, what we saw since, and `held`: what we saw before a gap.

    `fetched` must hold every row of tmux's history and its screen. False when the present could not be joined:
    output went on meanwhile and it is worth asking again.
    """
    ours = list(screen.history)
    at = align(_texts(fetched.past + fetched.visible), _texts(ours + screen.rows))
    if at is None:
        return False
    newer = fetched.past[:at] + ours if at > 0 else ours
    _put(screen, _before(held, newer, fetched.dropped and at >= 0) + newer)
    return True


def settle(screen: Screen, fetched: Fetched, held: Sequence[Row]) -> None:
    """When the present cannot be joined: what tmux holds, and a marker between that and the screen.

    Rows of ours that tmux has no more are kept only where they join; what might stand twice goes.
    """
    older = [*held, *screen.history]
    start = align(_texts(older), _texts(fetched.past))
    before = older[: max(0, start)] if start is not None else []
    gap = marker(fetched.columns)
    _put(screen, [*(before or [gap]), *fetched.past, gap])


def _before(held: Sequence[Row], newer: Sequence[Row], dropped: bool) -> list[Row]:
    """What of `held` came before `newer`; a marker where the two do not meet, or where tmux dropped rows."""
    start = align(_texts(held), _texts(newer))
    if start is None:
        return [*held, marker(len(held[0]))] if held else [marker(len(newer[0]))] if dropped and newer else []
    if start > 0:
        return list(held[:start])
    return [marker(len(newer[0]))] if dropped else []
