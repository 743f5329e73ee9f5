"""A live tmux as the specification: the same bytes go to a pane and to our screen, then every cell is compared.

Cells are compared as tmux captures them: character by character with colours and attributes, blank cells at a
line's end removed. That also holds where half of a wide character is left over, which a capture cannot place.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from amtui.emulator import Screen, Stream
from amtui.emulator.cells import BLINK, BOLD, CONCEAL, DIM, ITALIC, OVERLINE, REVERSE, STRIKE, Row
from amtui.emulator.snapshot import SNAPSHOT_FORMAT

Look = tuple[Any, Any, int, int, Any]
Glyph = tuple[str, Look]
PLAIN: Look = (None, None, 0, 0, None)

FLAGS = (
    "cursor_x cursor_y alternate_on cursor_flag insert_flag keypad_cursor_flag keypad_flag mouse_standard_flag"
    " mouse_button_flag mouse_all_flag mouse_sgr_flag mouse_utf8_flag origin_flag wrap_flag"
    " scroll_region_upper scroll_region_lower history_size pane_tabs"
).split()

_SGR = re.compile(r"\x1b\[([0-9;:]*)m")
_ON = {1: BOLD, 2: DIM, 3: ITALIC, 5: BLINK, 7: REVERSE, 8: CONCEAL, 9: STRIKE, 53: OVERLINE}
_LINES = dict(
    zip("+,-.0`abcdefghijklmnopqrstuvwxyz{|}~", "→←↑↓▮◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·", strict=True)
)


def feed(screen: Screen, data: bytes) -> None:
    """`data` into a screen through a stream of its own."""
    Stream(screen).feed(data)


RESET = b"\x18\x1b\\\x1b[?1049l\x1bc\x1b[?1049h\x1b[?1049l\x1b7\x1b]2;\x07\x1b[3J"
"""Brings a pane, whatever happened in it, and a new screen to the same state; quicker than a new pane."""


def new_screen(pane: Pane) -> tuple[Screen, Stream]:
    """A screen of the pane's size in the state after RESET, and its stream."""
    screen = Screen(pane.columns, pane.lines, 20_000)
    stream = Stream(screen)
    stream.feed(RESET)
    return screen, stream


class Pane:
    """One tmux pane on a private server, and the means to write to it and read it."""

    def __init__(self, tmux: str, columns: int, lines: int) -> None:
        self.columns, self.lines = columns, lines
        self._tmux = tmux
        self._directory = Path(tempfile.mkdtemp(prefix="amtui-oracle-"))
        self._count = 0
        self._commands: Any = None
        self._acks: Any = None
        config = self._directory / "conf"
        config.write_text(
            "set -g status off\nset -g history-limit 20000\nset -s escape-time 0\nset -g remain-on-exit on\n"
            "set -g default-terminal tmux-256color\nset -g allow-rename off\n"
        )
        size = ("-x", str(columns), "-y", str(lines))
        self.tmux("-f", str(config), "new-session", "-d", "-s", "oracle", *size, "sleep 100000")

    def close(self) -> None:
        """End the server and remove everything."""
        self._disconnect()
        self.tmux("kill-server")
        shutil.rmtree(self._directory, ignore_errors=True)

    def tmux(self, *arguments: str, data: bytes | None = None) -> bytes:
        """Output of one tmux call on the private server."""
        keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environment = keep | {"LC_ALL": "C.UTF-8", "TERM": "xterm-256color", "SHELL": "/bin/sh"}
        call = [self._tmux, "-S", str(self._directory / "socket"), *arguments]
        return subprocess.run(call, capture_output=True, env=environment, timeout=30, input=data).stdout

    def _disconnect(self) -> None:
        if self._commands is not None:
            self._commands.close()
            self._acks.close()
            self._commands = None

    def fresh(self) -> None:
        """A pane in which nothing has happened yet."""
        self._disconnect()
        self._count += 1
        commands, acks = (self._directory / f"{kind}{self._count}" for kind in ("commands", "acks"))
        os.mkfifo(commands)
        os.mkfifo(acks)
        feeder = Path(__file__).with_name("feeder.py")
        self.tmux(
            *("respawn-pane", "-k", f"exec {sys.executable} -I -S {feeder} {commands} {acks} 2>/dev/null"),
            *(";", "clear-history"),
            *(";", "select-pane", "-T", ""),
        )
        self._commands = open(commands, "w")  # noqa: SIM115 - closed by _disconnect
        self._acks = open(acks)  # noqa: SIM115
        commands.unlink()
        acks.unlink()

    def feed(self, data: bytes) -> list[int]:
        """Write `data` to the pane and wait until tmux has parsed it.

        Returns the cursor's column, from 0, at each `CSI 6 n` in it and at its end.
        """
        path = self._directory / "in"
        path.write_bytes(data)
        self._commands.write(f"{path}\n")
        self._commands.flush()
        answers = self._acks.readline().split()
        assert answers, f"tmux did not answer after {data[-80:]!r}"
        return [int(column) - 1 for column in answers]

    def state(self) -> tuple[list[list[Glyph]], dict[str, str]]:
        """What the pane shows, and tmux's format values."""
        form = " ".join(f"#{{{name}}}" for name in FLAGS) + " =#{pane_title}"
        out = self.tmux("capture-pane", "-p", "-e", "-N", ";", "display-message", "-p", form).decode(
            "utf-8", "replace"
        )
        *rows, info = out.rstrip("\n").split("\n") if out else ["", ""]
        values, _, title = info.partition(" =")
        flags = dict(zip(FLAGS, values.split(" "), strict=True)) | {"pane_title": title}
        return parse_capture(rows, self.lines), flags

    def snapshot(self, saved: bool = True) -> bytes:
        """What the console protocol sends for this pane."""
        calls = [
            *("display-message", "-p", SNAPSHOT_FORMAT),
            *(";", "capture-pane", "-p", "-P", "-C"),
            *(";", "display-message", "-p", "@@am"),
            *(";", "capture-pane", "-p", "-e", "-N"),
        ]
        if saved:
            calls += [
                ";",
                "display-message",
                "-p",
                "@@saved",
                ";",
                "capture-pane",
                "-a",
                "-q",
                "-p",
                "-e",
                "-N",
            ]
        return self.tmux(*calls)

    def history(self) -> list[list[Glyph]]:
        """The pane's scrollback, oldest first."""
        count = int(self.tmux("display-message", "-p", "#{history_size}"))
        if not count:
            return []
        out = self.tmux("capture-pane", "-p", "-e", "-N", "-S", "-", "-E", "-1").decode("utf-8", "replace")
        return parse_capture(out.split("\n"), count)


def parse_capture(rows: list[str], lines: int) -> list[list[Glyph]]:
    """Rows of `capture-pane -e` as glyphs; attributes run on from row to row."""
    look, drawing, out = PLAIN, False, []
    for text in rows[:lines]:
        glyphs: list[Glyph] = []
        at = 0
        while at < len(text):
            char = text[at]
            sgr = _SGR.match(text, at) if char == "\x1b" else None
            if sgr:
                look = _apply(look, sgr[1])
                at = sgr.end()
                continue
            at += 1
            if char in "\x0e\x0f":
                drawing = char == "\x0e"
            else:
                glyphs.append((_LINES.get(char, char) if drawing else char, look))
        out.append(_trimmed(glyphs))
    return out + [[] for _ in range(lines - len(out))]


def _apply(look: Look, parameters: str) -> Look:
    fg, bg, flags, underline, colour = look
    items = (
        [int(item) for item in parameters.replace(":", ".").split(";") if "." not in item]
        if parameters
        else [0]
    )
    if ":" in parameters:  # tmux writes 4:3 for a style and 5:3 for overline; colours have semicolons
        for item in parameters.split(";"):
            if item.startswith("4:"):
                underline = int(item[2:])
            elif item == "5:3":
                flags |= OVERLINE
            else:
                fg, bg, flags, underline, colour = _apply((fg, bg, flags, underline, colour), item)
        return fg, bg, flags, underline, colour
    at = 0
    while at < len(items):
        code = items[at]
        at += 1
        if code == 0:
            fg = bg = colour = None
            flags = underline = 0
        elif code in _ON:
            flags |= _ON[code]
        elif code == 4:
            underline = 1
        elif 30 <= code <= 37:
            fg = code - 30
        elif code == 39:
            fg = None
        elif 40 <= code <= 47:
            bg = code - 40
        elif code == 49:
            bg = None
        elif 90 <= code <= 97:
            fg = code - 82
        elif 100 <= code <= 107:
            bg = code - 92
        elif code in (38, 48, 58):
            value: Any = items[at + 1] if items[at] == 5 else tuple(items[at + 1 : at + 4])
            at += 2 if items[at] == 5 else 4
            fg, bg, colour = (
                value if code == own else old for own, old in ((38, fg), (48, bg), (58, colour))
            )
        else:
            raise AssertionError(f"tmux captured SGR {code}")
    return fg, bg, flags, underline, colour


def _trimmed(glyphs: list[Glyph]) -> list[Glyph]:
    while glyphs and glyphs[-1] == (" ", PLAIN):
        glyphs.pop()
    return glyphs


def glyphs_of(row: Row) -> list[Glyph]:
    """A row of ours in the form of a capture."""
    out: list[Glyph] = []
    for cell, attr in zip(row.chars, row.attrs, strict=True):
        out += [(char, tuple(attr[:5])) for char in cell]
    return _trimmed(out)


def same_line(theirs: list[Glyph], ours: list[Glyph]) -> bool:
    """Whether a line is equal. tmux 3.3a does not capture cells at the end of a line that only have a background
    (grid_string_cells stops at cellused), so ours may have such cells beyond its end."""
    size = len(theirs)
    return ours[:size] == theirs and all(
        char == " " and look[0] is None and not look[2] for char, look in ours[size:]
    )


def flags_of(screen: Screen) -> dict[str, str]:
    """Our state in tmux's format values."""
    modes = screen.modes
    values: dict[str, object] = {
        "cursor_x": screen.cursor.x,
        "cursor_y": screen.cursor.y,
        "alternate_on": screen.alternate,
        "cursor_flag": modes.cursor_visible and not screen.cursor.hidden,
        "insert_flag": modes.insert,
        "keypad_cursor_flag": modes.application_cursor,
        "keypad_flag": modes.application_keypad,
        "mouse_standard_flag": modes.mouse == 1000,
        "mouse_button_flag": modes.mouse == 1002,
        "mouse_all_flag": modes.mouse == 1003,
        "mouse_sgr_flag": modes.mouse_sgr,
        "mouse_utf8_flag": modes.mouse_utf8,
        "origin_flag": modes.origin,
        "wrap_flag": modes.wrap,
        "scroll_region_upper": screen.top,
        "scroll_region_lower": screen.bottom,
        "history_size": screen.history.next - screen.history.base,
        "pane_tabs": ",".join(map(str, sorted(screen.tabstops))),
    }
    return {name: str(int(value) if isinstance(value, bool) else value) for name, value in values.items()}


def differences(pane: Pane, screen: Screen, *, ignore: tuple[str, ...] = ()) -> list[str]:
    """Every way in which our screen is not what the pane shows, in words."""
    rows, flags = pane.state()
    out = []
    for y, theirs in enumerate(rows):
        ours = glyphs_of(screen.row(y))
        if not same_line(theirs, ours):
            out.append(f"line {y}: tmux {theirs!r}, ours {ours!r}")
    own = flags_of(screen)
    out += [
        f"{name}: tmux {flags[name]}, ours {own[name]}"
        for name in FLAGS
        if name not in ignore and flags[name] != own[name]
    ]
    return out
