"""What the rarer tokens of a terminal's output do to a screen."""

from __future__ import annotations

from amtui.emulator import tokens
from amtui.emulator.screen import Screen


class Commands:
    """Control characters, escape sequences, and control sequences with a marker or intermediates.

    Where a method returns whether a sequence is known: only known ones end what REP would repeat.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def control(self, char: str) -> None:
        """A control character."""
        screen = self._screen
        if char == "\r":
            screen.cursor.x = 0
        elif char == "\b":
            screen.backspace()
        elif char == "\t":
            screen.tab()
        elif char in "\n\v\f":
            screen.linefeed()
        elif char == "\a":
            screen.bell()
        elif char == "\x0e":
            screen.shift_out()
        elif char == "\x0f":
            screen.shift_in()

    def private(self, text: str) -> bool:
        """A control sequence with a marker or intermediates, without its introducer; whether it is known."""
        parts = tokens.PRIVATE.match(text)
        numbers = tokens.parameters(parts[2]) if parts else None
        if parts is None or numbers is None:
            return False
        modes = self._screen.modes
        first, second = [number or 0 for number in (*numbers, 0, 0)[:2]]
        match parts[1] + parts[3] + parts[4]:
            case "?h":
                self._screen.set_mode(*numbers, private=True)
            case "?l":
                self._screen.reset_mode(*numbers, private=True)
            case " q":
                if 0 <= first <= 6:
                    modes.cursor_style = first
                if first:
                    modes.blink = first % 2 == 1
            case ">m":
                if first == 0 or (first == 4 and second == 0):
                    modes.modify_other_keys = 0
                elif first == 4 and second in (1, 2):
                    modes.modify_other_keys = second
            case ">n":
                if first == 4:
                    modes.modify_other_keys = 0
            case ">c" | ">q":
                pass
            case ">u" | "=u":
                modes.kitty_flags = first & 31
                return False
            case "<u":
                modes.kitty_flags = 0
                return False
            case _:
                return False
        return True

    def window(self, *numbers: int | None) -> None:
        """XTWINOPS: only the title stack."""
        values = list(numbers)
        at = 0
        while at < len(values):
            value = values[at]
            if value is None or value < 0:
                return
            if value in (3, 4, 8):
                at += 2
            elif value in (9, 10, 22, 23):
                at += 1
            if value in (22, 23):
                what = values[at] if at < len(values) else None
                if what in (0, 2):
                    (self._screen.push_title if value == 22 else self._screen.pop_title)()
            at += 1

    def escape(self, text: str) -> bool:
        """An escape sequence without ESC; whether it is known."""
        screen = self._screen
        match text:
            case "7":
                screen.save_cursor()
            case "8":
                screen.restore_cursor()
            case "=":
                screen.modes.application_keypad = True
            case ">":
                screen.modes.application_keypad = False
            case "D":
                screen.linefeed()
            case "E":
                screen.next_line()
            case "H":
                screen.set_tab_stop()
            case "M":
                screen.reverse_index()
            case "c":
                screen.reset()
            case "#8":
                screen.alignment_display()
            case "(0" | "(B" | ")0" | ")B":
                screen.define_charset(text[1], text[0])
            case "\\":
                pass
            case _:
                return False
        return True

    def system(self, text: str) -> None:
        """An operating system command."""
        digits = len(text) - len(text.lstrip("0123456789"))
        if not 0 < digits <= 9:
            return
        number, rest = int(text[:digits]), text[digits:].removeprefix(";")
        screen = self._screen
        if number in (0, 2):
            screen.set_title(rest)
        if number in (0, 1):
            screen.set_icon_name(rest)
        elif number == 8:
            screen.set_link(rest)
        elif number == 52:
            screen.clipboard(rest)
        elif number > 2:
            screen.notice(number, rest)
