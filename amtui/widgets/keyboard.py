"""Keys of the operator's terminal without the losses of the stock parser.

Textual's parser turns alt+enter into enter, alt+backspace into ctrl+w, ctrl+alt+a into ctrl+a and `ESC 1` into an
inverted exclamation mark; an agent needs them as they were pressed. The patch is narrow: one parser subclass and the
one place where the driver makes its parser.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from textual import events
from textual._xterm_parser import XTermParser
from textual.keys import KEY_NAME_REPLACEMENTS, _character_to_key

if TYPE_CHECKING:
    from textual.driver import Driver

_CONTROL: Final = {
    "\r": "alt+enter",
    "\n": "alt+ctrl+j",
    "\t": "alt+tab",
    "\x7f": "alt+backspace",
    "\x08": "alt+ctrl+h",
    "\x00": "alt+ctrl+@",
    "\x1c": "alt+ctrl+backslash",
    "\x1d": "alt+ctrl+right_square_bracket",
    "\x1e": "alt+ctrl+circumflex_accent",
    "\x1f": "alt+ctrl+underscore",
} | {chr(code): f"alt+ctrl+{chr(code + 96)}" for code in range(1, 27) if chr(code) not in "\r\n\t\x08"}
_INTRODUCERS: Final = frozenset("[OP]_^X")
"""After ESC these may begin a longer sequence; alone they are alt+key once the escape delay has passed."""
_KITTY_RELEASE: Final = re.compile(r"\x1b\[[\d:]*;\d+:3(?:;[\d:]*)?[u~ABCDEFHPQRS]")
_KITTY_EVENT: Final = re.compile(r"(\x1b\[[\d:]*;\d+):\d+((?:;[\d:]*)?[u~ABCDEFHPQRS])")
_MODIFY_OTHER: Final = re.compile(r"\x1b\[27;(\d+);(\d+)~")
_HIGH_FUNCTION: Final = {
    f"\x1b[{n}~": f"f{f}" for n, f in zip((25, 26, 28, 29, 31, 32, 33, 34), range(13, 21), strict=True)
}


def alt_key(character: str) -> events.Key:
    """The key event of alt with a character."""
    if name := _CONTROL.get(character):
        return events.Key(name, None)
    if character.isalnum() and len(character) == 1:
        name = character
        if character.isupper():
            name = f"shift+{character.lower()}"
        return events.Key(f"alt+{name}", character)
    name = _character_to_key(character)
    return events.Key(f"alt+{KEY_NAME_REPLACEMENTS.get(name, name)}", character)


class HostParser(XTermParser):
    """Textual's parser that keeps alt, and does not fall over key releases."""

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[events.Key]:
        if alt and len(sequence) == 1:
            return (alt_key(sequence),)
        if len(sequence) == 2 and sequence[0] == "\x1b" and sequence[1] not in _INTRODUCERS | {"\x1b"}:
            return (alt_key(sequence[1]),)
        if name := _HIGH_FUNCTION.get(sequence):
            return (events.Key(name, None),)
        if _KITTY_RELEASE.fullmatch(sequence):
            return (events.Key("<ignore>", sequence),)
        if match := _KITTY_EVENT.fullmatch(sequence):
            sequence = match[1] + match[2]
        if match := _MODIFY_OTHER.fullmatch(sequence):
            sequence = f"\x1b[{match[2]};{match[1]}u"
        return super()._sequence_to_key_events(sequence, alt)


def faithful(driver: type[Driver]) -> type[Driver]:
    """`driver` with `HostParser` in place of the stock parser; a driver that reads no terminal is returned as is."""
    from textual.drivers import linux_driver

    if not issubclass(driver, linux_driver.LinuxDriver):
        return driver

    class HostDriver(driver):  # type: ignore[misc, valid-type]  # the platform decides the base
        """The platform's driver, reading keys through `HostParser`."""

        def _disable_mouse_support(self) -> None:
            # Textual switches pixel reports on and forgets them; the shell would get them.
            super()._disable_mouse_support()
            if self._mouse:
                self.write("\x1b[?1016l")
                self.flush()

        def run_input_thread(self) -> None:
            # The driver looks its parser up in its module when the thread starts.
            linux_driver.XTermParser = HostParser  # type: ignore[attr-defined]
            super().run_input_thread()

    return HostDriver
