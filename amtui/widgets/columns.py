"""Columns of a list and how they share a width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from rich.cells import cell_len, set_cell_size


class Column(NamedTuple):
    """One column: how narrow and how wide it may be, and below which total width it is dropped."""

    id: str
    title: str
    least: int
    ideal: int
    drop_below: int = 0
    right: bool = False
    first: int = 0
    """Grows to this before any other column grows."""


FLEET: Final = (
    Column("state", "STATE", 12, 14),
    Column("for", "FOR", 4, 4, right=True),
    Column("name", "WORKER", 12, 20, first=16),
    Column("on", "ON", 7, 12),
    Column("agent", "AGENT", 6, 8, drop_below=100),
    Column("model", "MODEL", 8, 18, drop_below=140),
    Column("task", "TASK / REASON", 12, 400, first=30),
    Column("autonomy", "MAY", 5, 5, drop_below=90),
    Column("rtt", "RTT", 7, 7, drop_below=110, right=True),
)


def share(columns: Sequence[Column], width: int) -> list[tuple[Column, int]]:
    """The columns shown in `width` cells with one blank between them, and their widths."""
    kept = [c for c in columns if width >= c.drop_below]
    while kept and sum(c.least for c in kept) + len(kept) - 1 > width:
        kept = kept[:-1] if len(kept) > 1 else kept
        if len(kept) == 1:
            return [(kept[0], max(1, width))]
    sizes = [c.least for c in kept]
    spare = width - sum(sizes) - len(kept) + 1
    for i, column in enumerate(kept):
        if column.first:
            more = max(0, min(spare, column.first - column.least))
            sizes[i] += more
            spare -= more
    while spare > 0:
        growable = [i for i, c in enumerate(kept) if sizes[i] < c.ideal]
        if not growable:
            break
        for i in growable:
            if spare:
                sizes[i] += 1
                spare -= 1
    return list(zip(kept, sizes, strict=True))


def folded(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` columns, broken at blanks where one is near."""
    lines = []
    while cell_len(text) > width > 0:
        cut = _cut(text, width)
        lines.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return [*lines, text]


def _cut(text: str, width: int) -> int:
    """How many characters go on this line: up to a blank where one is near, else as many as fit."""
    at = used = 0
    while at < len(text) and (used := used + cell_len(text[at])) <= width:
        at += 1
    blank = text.rfind(" ", 0, at + 1)
    return blank if blank > max(1, at // 2) else max(1, at)


def cell(text: str, width: int, right: bool = False) -> str:
    """`text` in exactly `width` columns, cut with an ellipsis."""
    size = cell_len(text)
    if size > width:
        return set_cell_size(text, width - 1) + "…" if width > 1 else set_cell_size(text, width)
    return " " * (width - size) + text if right else text + " " * (width - size)
