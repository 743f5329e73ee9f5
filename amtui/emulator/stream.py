"""Bytes into a screen: the hot loop, and the slow path for sequences that are cut, malformed or hostile."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Final

import pyte

from amtui.emulator import tokens
from amtui.emulator.blocks import LINES, STAIRS, take_lines, take_stairs
from amtui.emulator.commands import Commands
from amtui.emulator.decoding import Utf8
from amtui.emulator.screen import Screen
from amtui.emulator.tokens import NONE, TOKEN, Parameters
from amtui.emulator.width import NARROW

_STRING_KEPT: Final = 4096
"""Characters kept of a control string; what is longer is parsed to its end and only its head is used."""
_CLIPBOARD_KEPT: Final = 131_072
_SEQUENCE_KEPT: Final = 256
_STRING_SECONDS: Final = 5.0
"""After this long tmux no longer waits for the end of a control string."""
_PARAMETERS_KEPT: Final = 4096
_SMALL: Final = 4096
"""Bytes fed at once below which there is time to store a few history lines compactly."""

UNSEEN: Final[Parameters] = (-2,)
"""In place of parameters that were not met before."""

_GROUND, _ESCAPE, _SEQUENCE, _STRING, _DCS_HEAD, _DCS, _DCS_ESCAPE = range(7)


class Stream(pyte.ByteStream):
    """Feeds bytes to a `Screen`. `feed` never raises, never waits, keeps no unbounded buffer, never replies."""

    def __init__(self, screen: Screen, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` tells seconds, for giving up on control strings that never end."""
        self._clock = clock
        self._utf8 = Utf8()
        self._known: dict[str, Parameters | None] = {}
        self.last = ""
        """What REP repeats: the text printed last, empty after anything else."""
        super().__init__(screen)

    def attach(self, screen: pyte.Screen) -> None:
        """Feed `screen` from now on."""
        if not isinstance(screen, Screen):
            raise TypeError("Stream feeds an amtui.emulator.Screen")
        self.listener = screen
        self.screen = screen
        self.commands = Commands(screen)
        self.clear()
        self._functions: dict[str, Callable[..., None]] = {
            "@": screen.insert_characters,
            "A": screen.cursor_up,
            "B": screen.cursor_down,
            "C": screen.cursor_forward,
            "D": screen.cursor_back,
            "E": screen.cursor_down1,
            "F": screen.cursor_up1,
            "G": screen.cursor_to_column,
            "H": screen.cursor_position,
            "J": screen.erase_in_display,
            "K": screen.erase_in_line,
            "L": screen.insert_lines,
            "M": screen.delete_lines,
            "P": screen.delete_characters,
            "S": screen.scroll_up,
            "T": screen.scroll_down,
            "X": screen.erase_characters,
            "Z": screen.cursor_back_tab,
            "`": screen.cursor_to_column,
            "c": lambda *_: None,
            "d": screen.cursor_to_line,
            "f": screen.cursor_position,
            "g": screen.clear_tab_stop,
            "h": partial(screen.public_modes, True),
            "l": partial(screen.public_modes, False),
            "n": lambda *_: None,
            "r": screen.set_margins,
            "s": screen.save_cursor,
            "t": self.commands.window,
            "u": screen.restore_cursor,
        }

    def clear(self) -> None:
        """Forget what is half parsed."""
        self._state = _GROUND
        self._held = ""
        self._kind = ""
        self._since = 0.0
        self._utf8.clear()
        self.last = ""

    def feed(self, data: bytes) -> None:  # type: ignore[override]
        """Show what the program wrote. Any bytes, cut anywhere."""
        if self._state >= _STRING and self._clock() - self._since > _STRING_SECONDS:
            self._state = _GROUND
            self._utf8.give_up()
        text = self._utf8.decode(data, self._opening() if self._state else b"")
        if not text:
            return
        self._run(text)
        screen = self.screen
        screen.changed += 1
        if len(data) < _SMALL:
            screen.history.compact()

    # The hot loop

    def _run(self, data: str) -> None:
        at, size = 0, len(data)
        if self._state:
            at = self._resume(data, 0)
        last = self.last
        while at < size:
            start, at, last = self._tokens(data, at, last)
            if at < size and start == at:
                self.last = last
                at = self._resume(data, at)
                last = self.last
        self.last = last

    def _tokens(self, data: str, at: int, last: str) -> tuple[int, int, str]:
        """Obey tokens from `at`, until one does not match or a block of lines was taken whole.

        Returns where the next token was expected, where to go on, and what REP would repeat. The two places are
        the same when no token matched there.
        """
        screen = self.screen
        cursor, columns, pens = screen.cursor, screen.columns, screen.pens
        draw, functions, known = screen.draw, self._functions, self._known
        for token in TOKEN.finditer(data, at):
            kind: int = token.lastindex  # type: ignore[assignment]
            if kind <= 3:  # text, with 2 CR LF or with 3 LF behind it
                last = token[1]
                x = cursor.x
                end = x + len(last)
                row = screen.rows[cursor.y]
                if row.shared:
                    row = screen._own(cursor.y)
                if (end <= columns and screen.plain and not row.wide and last.isascii()) or (
                    end <= columns
                    and screen.plain
                    and not row.wide
                    and not screen.joining
                    and NARROW.fullmatch(last)
                ):
                    row.chars[x:end] = last
                    row.attrs[x:end] = [cursor.attr] * (end - x)
                    row.version += 1
                    cursor.x = end
                else:
                    draw(last)
                if kind == 1:
                    continue
            elif kind == 5:  # SGR
                last = ""
                text = token[4]
                pen = screen.pen.next.get(text)
                if pen is None:
                    pen = pens.step(screen.pen, text)
                screen.pen = pen
                cursor.attr = pen.attr
                continue
            elif kind == 6:  # any other CSI without marker or intermediate
                text, final = token.group(4, 6)
                numbers = known.get(text, UNSEEN)
                if numbers is UNSEEN:
                    numbers = self._parameters(text)
                if numbers is None:
                    continue
                function = functions.get(final)
                if function is not None:
                    last = ""
                    function(*numbers)
                elif final == "b":
                    self._repeat(last, *numbers)
                    last = ""
                continue
            elif kind > 8:
                if kind == NONE:
                    at = token.start()
                    return at, at, last
                last = self._other(kind, token[kind], last)
                continue
            # the end of a line: CR LF with 2 and 7, LF with 3 and 8
            last = ""
            if kind == 2 or kind == 7:
                cursor.x = 0
                if cursor.y == screen.bottom > screen.top + 1 and screen.plain and cursor.attr.bg is None:
                    at = token.end()
                    block = LINES.match(data, at)
                    if block:
                        take_lines(screen, block.group())
                        return at, block.end(), last
            elif kind == 3 and cursor.y == screen.bottom > screen.top + 1 and screen.plain:
                at = token.end()
                block = STAIRS.match(data, at)
                taken = take_stairs(screen, block.group()) if block else 0
                if taken:
                    return at, at + taken, last
            if cursor.y == screen.bottom:
                screen._scroll_one(cursor.attr.bg)
            elif cursor.y < screen.lines - 1:
                cursor.y += 1
        return at, len(data), last

    def _other(self, kind: int | None, text: str, last: str) -> str:
        """The rarer tokens; returns what REP would repeat after them."""
        if kind == tokens.CONTROL:
            if text == "\x7f":
                return last
            self.commands.control(text)
            return ""
        if kind == tokens.OSC:
            self.commands.system(text)
            return ""
        if kind == tokens.CSI_ODD:
            return "" if self.commands.private(text) else last
        return "" if self.commands.escape(text) else last

    def _parameters(self, text: str) -> Parameters | None:
        numbers = tokens.parameters(text)
        if len(text) <= tokens.MAX_PARAMETERS:
            if len(self._known) >= _PARAMETERS_KEPT:
                self._known.clear()
            self._known[text] = numbers
        return numbers

    def _repeat(self, last: str, count: int | None = None, *_: int | None) -> None:
        """REP: only a character of plain ASCII, and not beyond the end of the line."""
        screen = self.screen
        count = min(count or 1, screen.columns - screen.cursor.x)
        if last and last[-1] < "\x7f" and count > 0:
            screen.draw(last[-1] * count)

    def _opening(self) -> bytes:
        """How what is half parsed began."""
        if self._state == _ESCAPE:
            return b"\x1b" + self._held.encode()
        if self._state == _SEQUENCE:
            return b"\x1b["
        return b"\x1b" + (self._kind.encode() if self._state == _STRING else b"P")

    # The slow path: character by character, across chunks

    def _resume(self, data: str, at: int) -> int:
        """Go on from `at` in the present state; returns where the hot loop may go on."""
        size = len(data)
        while at < size:
            state = self._state
            if state == _GROUND:
                if data[at] != "\x1b":
                    return at
                self._state, self._held = _ESCAPE, ""
                at += 1
            elif state >= _STRING:
                at = self._string(data, at)
            else:
                char = data[at]
                at += 1
                if char < " " or char >= "\x7f":
                    self._interrupt(char)
                elif state == _ESCAPE:
                    self._in_escape(char)
                else:
                    self._in_sequence(char)
        return at

    def _interrupt(self, char: str) -> None:
        """A control character within a sequence is obeyed, and the sequence goes on."""
        if char == "\x1b":
            self._state, self._held = _ESCAPE, ""
        elif char < " ":
            self.commands.control(char)
            self.last = ""
            if char in "\x18\x1a":
                self._state = _GROUND

    def _in_escape(self, char: str) -> None:
        held = self._held
        if char < "0":
            self._held = (held + char)[:4]
        elif held:
            self._state = _GROUND
            if self.commands.escape(held + char):
                self.last = ""
        elif char == "[":
            self._state = _SEQUENCE
        elif char in "]X^_k":
            self._begin_string(char, _STRING)
        elif char == "P":
            self._begin_string(char, _DCS_HEAD)
        else:
            self._state = _GROUND
            if self.commands.escape(char):
                self.last = ""

    def _in_sequence(self, char: str) -> None:
        if char < "@":
            if len(self._held) < _SEQUENCE_KEPT:
                self._held += char
            return
        self._state = _GROUND
        text = self._held + char
        token = TOKEN.match("\x1b[" + text) if len(text) <= _SEQUENCE_KEPT else None
        if token is not None and token.end() == len(text) + 2:
            self._run("\x1b[" + text)

    def _begin_string(self, kind: str, state: int) -> None:
        self._state, self._kind, self._held = state, kind, ""
        self._since = self._clock()
        self.last = ""

    def _string(self, data: str, at: int) -> int:
        if self._state == _DCS_HEAD:
            self._in_dcs_head(data[at])
            return at + 1
        if self._state == _DCS_ESCAPE:
            self._state = _GROUND if data[at] == "\\" else _DCS
            return at + 1
        if self._state == _DCS:
            end = data.find("\x1b", at)
            if end < 0:
                return len(data)
            self._state = _DCS_ESCAPE
            return end + 1
        found = tokens.STRING_END.search(data, at)
        end = found.start() if found else len(data)
        self._keep(data, at, end)
        if found is None:
            return end
        char = data[end]
        if char != "\a" or self._kind == "]":
            self._end_string(char)
        return end + 1

    def _in_dcs_head(self, char: str) -> None:
        """Up to its final character a device control string follows the grammar of a control sequence."""
        held = self._held
        if char in "\x18\x1a\x1b":
            self._interrupt(char)
        elif "@" <= char <= "~":
            self._state = _DCS
        elif char == ":" or (held and ("<" <= char <= "?" or (held[-1] < "0" <= char <= "?"))):
            self._state, self._kind = _STRING, "X"  # malformed: skipped, but anything may end it
        elif " " <= char < "\x7f":
            self._held = (held + char)[-4:]

    def _keep(self, data: str, at: int, end: int) -> None:
        if self._kind not in "]_":
            return
        limit = _STRING_KEPT
        if self.screen.on_clipboard is not None and (self._held or data[at : at + 3]).startswith("52;"):
            limit = _CLIPBOARD_KEPT
        room = limit - len(self._held)
        if room > 0:
            self._held += data[at : min(end, at + room)]

    def _end_string(self, char: str) -> None:
        """The string ends at BEL, or at whatever begins with CAN, SUB or ESC."""
        self._state = _GROUND
        text = self._held.translate(_NO_CONTROLS)
        if self._kind == "]":
            self.commands.system(text)
        elif self._kind == "_":
            self.screen.set_title(text)
        self._held = ""
        if char == "\x1b":
            self._state = _ESCAPE


_NO_CONTROLS: Final = dict.fromkeys(range(0x20))
