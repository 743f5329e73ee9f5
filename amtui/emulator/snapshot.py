"""A screen from a capture: what the console protocol sends when a console is attached or fell behind.

The form is: a line of tmux format values (`SNAPSHOT_FORMAT`), the bytes of a half-parsed escape sequence as
`capture-pane -p -P -C` prints them, a line `@@am`, the rows of `capture-pane -p -e -N`, and optionally a line
`@@saved` with the rows of `capture-pane -a -q -p -e -N`: the main screen below an alternate one.

What tmux does not tell is left at its default: the pen, character sets, the DECSC slot, bracketed paste,
focus reports, the cursor's shape, and which lines were wrapped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from amtui.emulator.cells import DEFAULT, Row
from amtui.emulator.reflow import used

if TYPE_CHECKING:
    from amtui.emulator.screen import Screen
    from amtui.emulator.stream import Stream

SNAPSHOT_FIELDS: Final = (
    ("width", "#{pane_width}"),
    ("height", "#{pane_height}"),
    ("cursor_x", "#{cursor_x}"),
    ("cursor_y", "#{cursor_y}"),
    ("alternate", "#{alternate_on}"),
    ("cursor_visible", "#{cursor_flag}"),
    ("insert", "#{insert_flag}"),
    ("application_cursor", "#{keypad_cursor_flag}"),
    ("application_keypad", "#{keypad_flag}"),
    ("wrap", "#{wrap_flag}"),
    ("origin", "#{origin_flag}"),
    (
        "mouse",
        "#{mouse_standard_flag}#{mouse_button_flag}#{mouse_any_flag}#{mouse_sgr_flag}#{mouse_utf8_flag}",
    ),
    ("region_top", "#{scroll_region_upper}"),
    ("region_bottom", "#{scroll_region_lower}"),
    ("history_size", "#{history_size}"),
    ("in_mode", "#{pane_in_mode}"),
    ("dead", "#{pane_dead}"),
    ("pid", "#{pane_pid}"),
    ("server", "#{pid}.#{start_time}"),
    ("saved_x", "#{alternate_saved_x}"),
    ("saved_y", "#{alternate_saved_y}"),
    ("tabs", "#{pane_tabs}"),
    ("title", "=#{pane_title}"),
)
"""Name and tmux format of each value of the header, in order. Values are separated by one space. A newer
helper may send more values before the title, which is the first that begins with `=` and goes to the end."""

SNAPSHOT_FORMAT: Final = " ".join(form for _, form in SNAPSHOT_FIELDS)
"""The header as a tmux format."""

ROWS_MARK: Final = b"@@am"
SAVED_MARK: Final = b"@@saved"

_REQUIRED: Final = 19
"""Values that every helper sends; the ones after it may be missing."""
_UNSENT: Final = "-"
"""The tab stops of a helper that does not send them; an empty value says that there are none."""
_LARGEST: Final = 2000
_ESCAPED: Final = re.compile(rb"\\(?:([0-7]{3})|(\\))")
_CAPTURED_SGR: Final = re.compile(rb"\x1b\[[0-9;:]*m")
_OVERLINE: Final = re.compile(rb"(?<![0-9:])5:3(?![0-9:])")


@dataclass(frozen=True, kw_only=True)
class SnapshotState:
    """What a snapshot said besides the cells. Sizes and positions in cells, from 0."""

    width: int
    height: int
    cursor_x: int
    cursor_y: int
    alternate: bool
    history_size: int
    """Lines of history that tmux holds."""
    in_mode: bool
    """Someone reads the pane's history in tmux's copy mode."""
    dead: bool
    """The program has ended."""
    pid: int
    server: str
    """`pid.start_time` of the tmux server: another one means the console was restarted."""
    title: str
    pending: bytes
    """The half-parsed escape sequence; already fed."""
    extra: tuple[str, ...] = ()
    """Values of a newer helper."""


class BadSnapshot(ValueError):
    """The bytes are not a snapshot."""


def load_snapshot(
    screen: Screen, stream: Stream, snap: bytes, *, keep_history: bool = False
) -> SnapshotState:
    """Make `screen` and `stream` what the pane was at the moment of the capture, whatever they were before.

    Feeding the bytes that the pane printed after it then keeps them equal. The screen's history is forgotten,
    because nothing tells how many lines were missed: page it in again with `history.extend_older`. With
    `keep_history` it stays, if its length allows that no line was missed.
    Raises BadSnapshot, and then changes nothing.
    """
    header, _, rest = snap.partition(b"\n")
    values, extra = _header(header)
    pending, rows, saved = _sections(rest, int(values["height"]))
    state = SnapshotState(
        width=int(values["width"]),
        height=int(values["height"]),
        cursor_x=int(values["cursor_x"]),
        cursor_y=int(values["cursor_y"]),
        alternate=values["alternate"] == "1",
        history_size=int(values["history_size"]),
        in_mode=values["in_mode"] not in ("", "0"),
        dead=values["dead"] == "1",
        pid=int(values["pid"] or 0),
        server=values["server"],
        title=values["title"],
        pending=pending,
        extra=extra,
    )
    history = screen.history
    if not (keep_history and history.next - history.base == state.history_size):
        history.restart(state.history_size)
    _restore(screen, stream, state, rows, saved)
    _restore_modes(screen, values)
    if pending:
        stream.feed(pending)
    screen.changed += 1
    return state


def parse_rows(lines: Sequence[bytes], columns: int) -> list[Row]:
    """Lines of `capture-pane -e` as rows; attributes run on from line to line, as tmux prints them."""
    from amtui.emulator.screen import Screen
    from amtui.emulator.stream import Stream

    screen = Screen(columns + 1, 2, 0)  # one more, as a wide character at the edge may have lost its half
    stream = Stream(screen)
    screen.charsets = [False, True]  # line drawing is captured as SO … SI
    out = []
    for line in lines:
        row = screen._blank()
        screen.rows = [row, screen._blank()]  # what is too long for the width goes to the second and is lost
        screen.cursor.x = screen.cursor.y = 0
        stream.feed(_CAPTURED_SGR.sub(_overline, line.replace(b"\n", b"")))
        row.wrapped = False
        del row.chars[columns:], row.attrs[columns:]
        out.append(row)
    return out


def _overline(found: re.Match[bytes]) -> bytes:
    """tmux 3.3a captures overline, SGR 53, as `5:3`, by the rule for underline styles."""
    return _OVERLINE.sub(b"53", found[0])


def unescape(data: bytes) -> bytes:
    r"""The bytes that `capture-pane -C` wrote as `\ooo` and `\\`."""
    return _ESCAPED.sub(lambda found: b"\\" if found[2] else bytes([int(found[1], 8) & 255]), data)


def _header(line: bytes) -> tuple[dict[str, str], tuple[str, ...]]:
    parts = line.decode("utf-8", "replace").split(" ")
    names = [name for name, _ in SNAPSHOT_FIELDS[:-1]]
    mark = next((at for at in range(_REQUIRED, len(parts)) if parts[at].startswith("=")), None)
    if mark is None:  # a helper without the mark: the title follows the values that every helper sends
        mark = min(_REQUIRED, len(parts))
        title = " ".join(parts[mark:])
    else:
        title = " ".join(parts[mark:])[1:]
    values = (
        dict.fromkeys(names, "")
        | {"tabs": _UNSENT}
        | dict(zip(names, parts[:mark], strict=False))
        | {"title": title}
    )
    numbers = [values[name] for name in names[:4]] + [values["history_size"], values["pid"] or "0"]
    if mark < _REQUIRED or not all(number.isdecimal() and len(number) < 10 for number in numbers):
        raise BadSnapshot(f"not the header of a snapshot: {line[:80]!r}")
    if not (0 < int(values["width"]) <= _LARGEST and 0 < int(values["height"]) <= _LARGEST):
        raise BadSnapshot(f"a pane of {values['width']}×{values['height']} cells")
    return values, tuple(parts[len(names) : mark])


def _sections(rest: bytes, height: int) -> tuple[bytes, list[bytes], list[bytes] | None]:
    pending, mark, body = (b"\n" + rest).partition(b"\n" + ROWS_MARK + b"\n")
    if not mark:
        raise BadSnapshot("no rows in the snapshot")
    lines = body.removesuffix(b"\n").split(b"\n")
    saved = lines[height + 1 :] if len(lines) > height and lines[height] == SAVED_MARK else None
    return unescape(pending.strip(b"\n")), lines[:height], saved


def _restore(
    screen: Screen, stream: Stream, state: SnapshotState, rows: list[bytes], saved: list[bytes] | None
) -> None:
    changed = screen.changed
    main, main_size = screen.main, screen.main_size
    before = _cut(screen, state) if state.alternate and main is not None else []
    screen._set_up(state.width, state.height, screen.history)
    screen.changed = changed
    stream.attach(screen)
    screen.rows = _filled(screen, rows, screen.columns, screen.lines)
    if state.alternate:
        screen.main_size = (state.width, len(saved) if saved else state.height)
        screen.main = _filled(screen, saved or [], *screen.main_size)
        if main is not None and _same(main, screen.main, state.width):
            screen.main, screen.main_size = main, main_size
    for old, row in zip(before, screen.rows, strict=False):
        wide = min(len(old), len(row))
        if old.chars[:wide] == row.chars[:wide]:
            row.wrapped, row.reach = old.wrapped, used(old)
    screen.cursor.x = min(state.cursor_x, state.width)
    screen.cursor.y = min(state.cursor_y, state.height - 1)
    screen.set_title(state.title)


def _cut(screen: Screen, state: SnapshotState) -> list[Row]:
    """The alternate screen's lines that a new height leaves: tmux takes them from below the cursor first, then
    from the top (screen_resize_y)."""
    needed = max(0, screen.lines - state.height)
    below = min(needed, screen.lines - 1 - screen.cursor.y)
    return screen.rows[needed - below : screen.lines - below]


def _same(kept: list[Row], captured: list[Row], columns: int) -> bool:
    """Whether a capture is of the rows that we have kept: it is cut at the present width, and tells no wraps."""
    return len(kept) == len(captured) and all(
        ours.chars[:columns] == theirs.chars[: len(ours.chars)]
        for ours, theirs in zip(kept, captured, strict=True)
    )


def _filled(screen: Screen, lines: list[bytes], columns: int, height: int) -> list[Row]:
    rows = parse_rows(lines[:height], columns)
    return rows + parse_rows([b""] * (height - len(rows)), columns)


def _restore_modes(screen: Screen, values: dict[str, str]) -> None:
    modes = screen.modes
    modes.cursor_visible = values["cursor_visible"] != "0"
    screen.cursor.hidden = not modes.cursor_visible
    modes.insert = values["insert"] == "1"
    modes.application_cursor = values["application_cursor"] == "1"
    modes.application_keypad = values["application_keypad"] == "1"
    modes.wrap = values["wrap"] != "0"
    modes.origin = values["origin"] == "1"
    mouse = values["mouse"].ljust(5, "0")
    modes.mouse = 1000 if mouse[0] == "1" else 1002 if mouse[1] == "1" else 1003 if mouse[2] == "1" else 0
    modes.mouse_sgr = mouse[3] == "1"
    modes.mouse_utf8 = mouse[4] == "1"
    screen._refresh_plain()
    top, bottom = values["region_top"], values["region_bottom"]
    if top.isdecimal() and bottom.isdecimal() and int(top) < int(bottom) < screen.lines:
        screen.top, screen.bottom = int(top), int(bottom)
    if values["saved_x"].isdecimal() and values["saved_y"].isdecimal():
        saved = (int(values["saved_x"]), int(values["saved_y"]))
        if max(saved) <= _LARGEST:
            screen.main_cursor, screen.main_attr = saved, DEFAULT
    screen.tabstops = screen._usual_tabs
    if values["tabs"] != _UNSENT:
        stops = [int(stop) for stop in values["tabs"].split(",") if stop.isdecimal() and len(stop) < 6]
        screen.tabstops = {stop for stop in stops if stop < screen.columns}
