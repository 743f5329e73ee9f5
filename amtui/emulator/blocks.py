"""Many plain lines at once: what a build log or a flood mostly is. Rows are made from them whole.

Only at the bottom of a scroll region of three lines or more, where every line feed scrolls, while text is stored
as it is. What is matched is taken, or little is matched: else the same characters would be looked at again for
every line.
"""

from __future__ import annotations

import re
from typing import Final

from amtui.emulator.cells import DEFAULT, Row, erased
from amtui.emulator.screen import Screen

LINES: Final = re.compile("(?:[ -~]*\r\n){2,}")
"""Plain lines, each ended by CR LF."""

STAIRS: Final = re.compile("(?:[ -~]{1,8}\n){2,100}")
"""Short plain lines without CR: each begins below where the one before it ended."""


def take_lines(screen: Screen, text: str) -> None:
    """Lines of `LINES` below the one that was just ended, the cursor at its start."""
    attr, columns = screen.cursor.attr, screen.columns
    lines = text.split("\r\n")
    lines.pop()
    away: list[str] = []
    if attr is DEFAULT and len(lines) > screen.height and max(map(len, lines)) <= columns:
        # no one will see these lines without scrolling back
        away = lines[: len(lines) + 1 - screen.height]
        del lines[: len(away)]
    made: list[Row] = []
    plain = Row.plain
    for line in lines:
        if len(line) > columns:
            last = len(line) - 1 - (len(line) - 1) % columns
            made += [plain(line[at : at + columns], attr, columns, True) for at in range(0, last, columns)]
            line = line[last:]
        made.append(plain(line, attr, columns, False))
    _append(screen, away, made)


def take_stairs(screen: Screen, text: str) -> int:
    """Lines of `STAIRS` below the one that was just ended; returns how many characters were taken."""
    cursor, columns = screen.cursor, screen.columns
    attr, x = cursor.attr, cursor.x
    made: list[Row] = []
    taken = 0
    for line in text.split("\n"):
        end = x + len(line)
        if end > columns or not line:
            break
        row = Row.plain(" " * x + line, attr, columns, False, x)
        if attr.bg is not None:  # a new line has the background all over
            blank = erased(attr.bg)
            row._spans = (x, blank, end, attr, columns, blank)
            row.version, row.erasures = 2, 1
        made.append(row)
        taken += len(line) + 1
        x = end
    if made:
        cursor.x = x
        _append(screen, [], made)
    return taken


def _append(screen: Screen, away: list[str], made: list[Row]) -> None:
    """Scroll the region up by `away` and `made` and one line more, which is blank."""
    top, bottom, history = screen.top, screen.bottom, screen.history
    rows = screen.rows[top : bottom + 1]
    height = len(rows)
    if away and screen.main is None:
        history.extend(rows)
        history.extend(away)
    if away:
        rows.clear()
    rows += made
    rows.append(screen.shared(screen.cursor.attr.bg))
    gone = len(rows) - height
    if screen.main is None:
        history.extend(rows[:gone])
    elif top:
        screen.unwrap(top)
    screen.rows[top : bottom + 1] = rows[gone:]
