"""Keys, mouse and pastes of the operator's terminal without the losses of the stock parser.

Textual's own parser turns alt+enter into enter, shift+F3 into a cursor report, a thumb button into a left click and
the escape sequences of a paste into keystrokes, and stops at bytes that are no UTF-8. Here the driver reads bytes
through `amtui.emulator.terminal_input`, and each key event also carries the key itself (`key_of`). The patch is narrow:
one reading loop and one keyboard flag.
"""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from textual import constants, events, messages
from textual._keyboard_protocol import FUNCTIONAL_KEYS
from textual._xterm_parser import _re_in_band_window_resize, _re_terminal_mode_response
from textual.keys import _character_to_key
from textual.message import Message

from amtui.emulator.keys import ALT, CTRL, PREFIX, SHIFT, SUPER, Key, typed
from amtui.emulator.terminal_input import (
    ESCAPE_DELAY,
    Answer,
    Event,
    Focus,
    Mouse,
    Paste,
    Press,
    Reader,
)

if TYPE_CHECKING:
    from textual.driver import Driver

_NAMES: Final = {"BSpace": "backspace", "KPEnter": "enter"} | {
    name: name.lower()
    for name in (
        "Up", "Down", "Left", "Right", "Home", "End", "Insert", "Delete", "PageUp", "PageDown", "Tab", "Enter",
        "Escape", "Space", *(f"F{number}" for number in range(1, 25)),
    )
}  # fmt: skip
_TYPES: Final = {"enter": "\r", "tab": "\t", "escape": "\x1b", "backspace": "\x7f", "space": " "}
_HELD: Final = (("alt", ALT | PREFIX), ("ctrl", CTRL), ("shift", SHIFT), ("super", SUPER))
_UNNAMED: Final = {
    f"\x1b[{code}~": f"f{number}"
    for code, number in zip((25, 26, 28, 29, 31, 32, 33, 34), range(13, 21), strict=True)
} | {"\x1b[E": "kp_begin"}
_MOUSE: Final[Mapping[str, type[events.MouseEvent]]] = {
    "down": events.MouseDown,
    "up": events.MouseUp,
    "move": events.MouseMove,
    "scroll_up": events.MouseScrollUp,
    "scroll_down": events.MouseScrollDown,
    "scroll_left": events.MouseScrollLeft,
    "scroll_right": events.MouseScrollRight,
}
_ALTERNATE_KEYS: Final = "\x1b[=4;2u"
"""Adds to the kitty flags that Textual asks for: what shift makes of a key, and which key it is on a Latin keyboard."""
_POLL: Final = 0.1
"""Seconds between looks at whether the driver ends."""


def key_of(event: events.Key) -> Key | None:
    """The key that was pressed, or None for an event that no terminal sent."""
    return getattr(event, "pressed", None)


def key_event(press: Press) -> events.Key:
    """The event of a key, under the name that Textual has for it."""
    base, modifiers = press.key
    if base.startswith("KP") and base != "KPEnter":
        base, press = base[2:], press._replace(text=base[2:])
    if base == "BTab":
        base, modifiers = "Tab", modifiers | SHIFT
    name = _NAMES.get(base, "")
    if press.text == "\b":
        name, modifiers = "backspace", 0  # some terminals send ctrl+h for it
    elif not name and len(base) == 1:
        if base.isupper() and modifiers & (ALT | CTRL | PREFIX):
            base, modifiers = base.lower(), modifiers | SHIFT
        name = base if base.isalnum() or (base == "@" and modifiers & CTRL) else _character_to_key(base)
    elif not name:
        name = _UNNAMED.get(base) or FUNCTIONAL_KEYS.get(base[2:], "unknown")
    types = len(base) == 1 and press.text >= " "
    held = [] if types else [word for word, bit in _HELD if modifiers & bit]
    event = events.Key("+".join([*held, name]), press.text or (None if held else _TYPES.get(name)))
    event.pressed = typed(press.key)  # type: ignore[attr-defined]  # read by key_of
    return event


class HostParser:
    """Bytes of a terminal as Textual's messages."""

    def __init__(self, term: str = "") -> None:
        self._reader = Reader(term)
        self._last = (0.0, 0.0)
        self._cell: tuple[float, float] | None = None
        """Pixels of a cell, once the terminal reports the mouse in them."""

    @property
    def patience(self) -> float:
        """Seconds to wait for more bytes before `expire`; 0 when nothing is unfinished."""
        waits = self._reader.patience
        return constants.ESCAPE_DELAY if waits == ESCAPE_DELAY else waits

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are complete with `data`."""
        return self._messages(self._reader.feed(data))

    def expire(self) -> list[Message]:
        """No more bytes came within `patience`."""
        return self._messages(self._reader.expire())

    def _messages(self, found: list[Event]) -> list[Message]:
        out: list[Message] = []
        for event in found:
            if isinstance(event, Press):
                out.append(key_event(event))
            elif isinstance(event, Mouse):
                out.append(self._mouse(event))
            elif isinstance(event, Paste):
                out.append(events.Paste(event.text))
            elif isinstance(event, Focus):
                out.append(events.AppFocus() if event.gained else events.AppBlur())
            elif message := self._answer(event):
                out.append(message)
        return out

    def _mouse(self, event: Mouse) -> events.MouseEvent:
        x, y = float(event.x), float(event.y)
        if self._cell is not None:
            x, y = x / self._cell[0], y / self._cell[1]
        delta = int(x) - int(self._last[0]), int(y) - int(self._last[1])
        self._last = x, y
        kind = _MOUSE[event.kind]
        return kind(
            None, x, y, *delta, event.button, event.shift, event.alt, event.ctrl, screen_x=x, screen_y=y
        )  # fmt: skip

    def _answer(self, event: Answer) -> Message | None:
        if match := _re_in_band_window_resize.fullmatch(event.sequence):
            height, width, *pixels = (int(group.partition(":")[0]) for group in match.groups())
            resize = events.Resize.from_dimensions((width, height), (pixels[1], pixels[0]))
            if width and height and all(pixels):
                self._cell = pixels[1] / width, pixels[0] / height
            return resize
        if match := _re_terminal_mode_response.match(event.sequence):
            mode, setting = match["mode_id"], int(match["setting_parameter"])
            if mode == "2026" and setting > 0:
                return messages.TerminalSupportsSynchronizedOutput()
            if mode == "2048" and constants.SMOOTH_SCROLL and not _IS_ITERM:
                return messages.InBandWindowResize.from_setting_parameter(setting)
        return None


_IS_ITERM: Final = (
    os.environ.get("LC_TERMINAL", "") == "iTerm2" or os.environ.get("TERM_PROGRAM", "") == "iTerm.app"
)
"""Its in-band sizes are faulty; Textual does without them too."""


def faithful(driver: type[Driver]) -> type[Driver]:
    """`driver` reading through `HostParser`; a driver that reads no terminal is returned as is."""
    from textual.drivers import linux_driver

    if not issubclass(driver, linux_driver.LinuxDriver):
        return driver

    class HostDriver(driver):  # type: ignore[misc, valid-type]  # the platform decides the base
        """The platform's driver with our reading loop."""

        def start_application_mode(self) -> None:
            super().start_application_mode()
            if not constants.DISABLE_KITTY_KEY and self._writer_thread is not None:
                self.write(_ALTERNATE_KEYS)
                self.flush()

        def _disable_mouse_support(self) -> None:
            # Textual switches pixel reports on and forgets them; the shell would get them.
            super()._disable_mouse_support()
            if self._mouse:
                self.write("\x1b[?1016l")
                self.flush()

        def run_input_thread(self) -> None:
            """Read until the driver ends, or the terminal does."""
            parser = HostParser(os.environ.get("TERM", ""))
            due = 0.0
            with selectors.SelectSelector() as selector:
                selector.register(self.fileno, selectors.EVENT_READ)
                while not self.exit_event.is_set():
                    wait = min(_POLL, max(0.0, due - time.monotonic())) if parser.patience else _POLL
                    if selector.select(wait):
                        data = os.read(self.fileno, 65536)
                        if not data:
                            self.exit_event.wait()
                            return
                        found = parser.feed(data)
                        due = time.monotonic() + parser.patience
                    elif parser.patience and time.monotonic() >= due:
                        found = parser.expire()
                    else:
                        continue
                    for message in found:
                        self.process_message(message)
                if selector.select(_POLL):  # what the terminal still said of modes that are off now
                    os.read(self.fileno, 65536)

    return HostDriver
