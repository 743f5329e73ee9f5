"""The screen: pyte's class and names, tmux's behaviour, rows that keep their identity."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pyte
from pyte.screens import Char, Margins

from amtui.emulator.cells import DEFAULT, HARMFUL, Row, intern
from amtui.emulator.editing import Number
from amtui.emulator.history import History
from amtui.emulator.screens import Screens
from amtui.emulator.state import Saved
from amtui.emulator.tokens import sgr
from amtui.emulator.views import BufferView
from amtui.emulator.width import width

log = logging.getLogger(__name__)

TITLE_LENGTH = 256
_TITLES_KEPT = 16
_LINK_LENGTH = 2048
_SHIFT = 5
"""Bits by which `pyte.modes` shifts the number of a private mode."""
_MOUSE = (1000, 1001, 1002, 1003)


def clean(text: str, length: int) -> str:
    """`text` without controls and bidi controls, at most `length` characters."""
    return text[: 4 * length].translate(HARMFUL)[:length]


def _unshifted(mode: Number, private: bool) -> tuple[Number, bool]:
    if mode is not None and not private and mode >= 1 << _SHIFT and mode % (1 << _SHIFT) == 0:
        return mode >> _SHIFT, True
    return mode, private


class Screen(Screens, pyte.Screen):  # type: ignore[misc]
    """A terminal screen that shows what tmux 3.3a would, fed by a `Stream`.

    `rows` are the lines on show, `history` what scrolled off, `modes` what the program switched on. Nothing
    that is fed makes it reply, open or copy anything: bells, notices and clipboard requests only go to the
    callbacks `on_bell()`, `on_osc(number, text)` and `on_clipboard(selection, base64)`, which are None by
    default. They are called from within `feed`, must be quick, and an exception in them is only logged.
    """

    def __init__(self, columns: int = 80, lines: int = 24, history: int = 5000) -> None:
        """`columns` × `lines` cells and at most `history` lines of scrollback."""
        self.on_bell: Callable[[], object] | None = None
        self.on_osc: Callable[[int, str], object] | None = None
        self.on_clipboard: Callable[[str, str], object] | None = None
        self.bells = 0
        """Bells rung so far."""
        self.dirty: set[int] = set()
        self.savepoints = []  # pyte's stack; tmux has one slot, `saved`
        self.saved_columns = None
        self._titles: list[str] = []
        self._set_up(columns, lines, History(history, columns, self.parse_rows))
        self.tabstops = self._usual_tabs

    # What it shows

    @property
    def alternate(self) -> bool:
        """The alternate screen shows."""
        return self.main is not None

    def row(self, y: int) -> Row:
        """The row shown in line `y`, counted from 0."""
        return self.rows[y]

    @property
    def display(self) -> list[str]:
        """The lines as text, for reading and searching; never a control character in them."""
        return [row.text for row in self.rows]

    @property
    def buffer(self) -> BufferView:  # type: ignore[override]
        """`buffer[y][x]` is a pyte Char with `dim` and `conceal` added."""
        return BufferView(self)

    @property
    def default_char(self) -> Char:
        """A blank cell."""
        return Char(" ")

    @property
    def mode(self) -> set[int]:  # type: ignore[override]
        """pyte's set of modes; `modes` says it in words."""
        return self.modes.as_pyte()

    @property
    def margins(self) -> Margins | None:  # type: ignore[override]
        """pyte's scroll margins: None when they are the whole screen."""
        if self.top == 0 and self.bottom == self.lines - 1:
            return None
        return Margins(self.top, self.bottom)

    # Reset, margins, modes

    def reset(self) -> None:
        """RIS as tmux does it: what was on the main screen goes into history, the title stays."""
        origin = self.saved.origin
        self.saved = Saved()
        self.saved.origin = origin  # tmux forgets to reset this one (input_reset_cell)
        self.charsets, self.shift, self.joining = [False, False], 0, False
        self.set_attr(DEFAULT)
        self.tabstops = self._usual_tabs
        self.top, self.bottom = 0, self.lines - 1
        self.modes.reset()
        self._refresh_plain()
        self.cursor.hidden = False
        self._clear_screen()
        self.cursor.x = self.cursor.y = 0

    def set_margins(self, top: Number = None, bottom: Number = None, *_: Number) -> None:
        """DECSTBM, counted from 1; the cursor goes home."""
        first = top or 1
        last = self.lines if bottom is None else (bottom or 1)
        if first < 0 or last < 0:
            return
        first, last = min(first - 1, self.lines - 1), min(last - 1, self.lines - 1)
        if first >= last:
            return
        self.cursor.x = self.cursor.y = 0
        self.top, self.bottom = first, last

    def set_mode(self, *modes: Number, private: bool = False, **_: Any) -> None:
        """SM, and DECSET when `private`; as in pyte, a number shifted by five bits is a private mode too."""
        for mode in modes:
            self._switch(*_unshifted(mode, private), on=True)

    def public_modes(self, on: bool, *modes: Number) -> None:
        """SM and RM as a program sends them: no number of it is a private mode."""
        for mode in modes:
            self._switch(mode, False, on=on)

    def reset_mode(self, *modes: Number, private: bool = False, **_: Any) -> None:
        """RM, and DECRST when `private`; numbers as for `set_mode`."""
        for mode in modes:
            self._switch(*_unshifted(mode, private), on=False)

    def _switch(self, mode: Number, private: bool, *, on: bool) -> None:
        modes = self.modes
        if not private:
            if mode == 4:
                modes.insert = on
                self._refresh_plain()
        elif mode == 1:
            modes.application_cursor = on
        elif mode == 3:
            self._move_to(0, 0, True)
            self._clear_screen()
        elif mode == 6:
            modes.origin = on
            self._move_to(0, 0, True)
        elif mode == 7:
            modes.wrap = on
            self._refresh_plain()
        elif mode == 12:
            modes.blink = on
        elif mode == 25:
            modes.cursor_visible = on
            self.cursor.hidden = not on
        elif mode in (47, 1047, 1049):
            self._switch_alternate(on, mode == 1049)
        elif mode in _MOUSE:
            if not on:
                modes.mouse = 0
            elif mode != 1001:
                modes.mouse = mode
        elif mode == 1004:
            modes.focus = on
        elif mode == 1005:
            modes.mouse_utf8 = on
        elif mode == 1006:
            modes.mouse_sgr = on
        elif mode == 2004:
            modes.bracketed_paste = on
        elif mode == 2026:
            modes.sync = on

    # Character sets

    def define_charset(self, code: str, mode: str) -> None:
        """Designate G0 (`(`) or G1 (`)`): `0` draws lines, `B` is ASCII; others are ignored."""
        if code in "0B" and mode in "()":
            self.charsets["()".index(mode)] = code == "0"
            self._refresh_plain()

    def shift_in(self) -> None:
        """SI: use G0."""
        self.shift = 0
        self._refresh_plain()

    def shift_out(self) -> None:
        """SO: use G1."""
        self.shift = 1
        self._refresh_plain()

    # Attributes, titles, notices

    def select_graphic_rendition(self, *attrs: int, private: bool = False, **_: Any) -> None:
        """SGR with parameters as numbers."""
        if not private:
            self.set_attr(sgr(self.cursor.attr, ";".join(map(str, attrs))))

    def set_title(self, param: str) -> None:
        """OSC 0 and 2. A title with something unprintable in it is not taken."""
        if param.isprintable() or all(width(char) >= 0 for char in param):
            self.title = clean(param, TITLE_LENGTH)

    def set_icon_name(self, param: str) -> None:
        """OSC 1."""
        self.icon_name = clean(param, TITLE_LENGTH)

    def push_title(self) -> None:
        """CSI 22 t."""
        self._titles = [*self._titles[1 - _TITLES_KEPT :], self.title]

    def pop_title(self) -> None:
        """CSI 23 t."""
        if self._titles:
            self.title = self._titles.pop()

    def set_link(self, param: str) -> None:
        """OSC 8: `id=…;address`; an empty address ends the link."""
        options, _, address = param.partition(";")
        link = None
        if address and len(address) <= _LINK_LENGTH:
            name = next((part[3:] for part in options.split(":") if part.startswith("id=")), "")
            link = (clean(name, 64), address.translate(HARMFUL))
        self.set_attr(intern(self.cursor.attr._replace(link=link)))

    def bell(self) -> None:
        """BEL."""
        self.bells += 1
        self._tell(self.on_bell)

    def notice(self, number: int, text: str) -> None:
        """An operating system command that is not the screen's business, such as 9, 777 and 7501."""
        self._tell(self.on_osc, number, text.translate(HARMFUL))

    def clipboard(self, text: str) -> None:
        """OSC 52: dropped unless there is a callback; a request to read is always dropped."""
        selection, _, data = text.partition(";")
        if data != "?":
            self._tell(self.on_clipboard, clean(selection, 16), data.translate(HARMFUL))

    def _tell(self, callback: Callable[..., object] | None, *arguments: object) -> None:
        if callback is None:
            return
        try:
            callback(*arguments)
        except Exception:
            log.exception("a console callback failed")

    def write_process_input(self, data: str) -> None:
        """Never called: the worker's tmux has answered every query already."""

    def report_device_attributes(self, mode: int = 0, **_: Any) -> None:
        """DA: no reply."""

    def report_device_status(self, mode: int = 0) -> None:
        """DSR: no reply."""

    def debug(self, *args: Any, **kwargs: Any) -> None:
        """pyte's hook for what it does not know."""

    # Rows from a capture

    def parse_rows(self, lines: list[bytes]) -> list[Row]:
        """Lines as `capture-pane -e` prints them, as rows of this screen's width."""
        from amtui.emulator.snapshot import parse_rows

        return parse_rows(lines, self.columns)
