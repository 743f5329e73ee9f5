"""Mouse events as bytes, and pasted text made safe.

Sources: xterm's mouse tracking and tmux 3.3a's input_key_get_mouse.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from amtui.emulator import keys
from amtui.emulator.modes import Modes

KINDS: Final = ("down", "up", "move", "scroll_up", "scroll_down", "scroll_left", "scroll_right")

_WHEEL: Final = {"scroll_up": 64, "scroll_down": 65, "scroll_left": 66, "scroll_right": 67}
_BITS: Final = {"shift": 4, "alt": 8, "meta": 8, "ctrl": 16}
_MOTION: Final = 32
_NO_BUTTON: Final = 3
_THUMB: Final = 128
_LINES_PER_WHEEL: Final = 3
_LARGEST_BYTE: Final = 255
_LARGEST_UTF8: Final = 0x7FF


def encode(
    kind: str,
    button: int,
    x: int,
    y: int,
    modifiers: Collection[str],
    modes: Modes,
    *,
    alternate: bool = False,
) -> bytes | None:
    """The bytes of a mouse event, or None when the program did not ask for it.

    `kind` is one of KINDS; `button` 1 left, 2 middle, 3 right, 8 to 11 the thumb's, 0 none; `x` and `y` the
    cell, from 0; `modifiers` any of shift, alt, ctrl. On the alternate screen of a program that did not ask for the
    mouse the wheel becomes arrow keys.
    """
    if kind not in KINDS or x < 0 or y < 0:
        return None
    if not modes.mouse:
        return _wheel_as_arrows(kind, modes) if alternate else None
    code = _code(kind, button)
    if code is None or not _wanted(kind, button, modes):
        return None
    bits = sum({_BITS[name] for name in modifiers if name in _BITS})
    if modes.mouse_sgr:
        final = "m" if kind == "up" else "M"
        return f"\x1b[<{code + bits};{x + 1};{y + 1}{final}".encode()
    # the old forms do not tell which button was released, nor what was held then
    return _old_form(_NO_BUTTON if kind == "up" else code + bits, x, y, modes.mouse_utf8)


def paste_bytes(text: str) -> bytes:
    """Text as it may be pasted: no escape or control characters but tab and newline, so that no paste can
    end its own bracket and type commands. Line ends become newlines."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.translate(_NO_CONTROLS).encode("utf-8", "ignore")


_NO_CONTROLS: Final = dict.fromkeys(
    code for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"
)


def _wheel_as_arrows(kind: str, modes: Modes) -> bytes | None:
    name = {"scroll_up": "Up", "scroll_down": "Down"}.get(kind)
    if name is None:
        return None
    return (keys.bytes_of(keys.Key(name), modes) or b"") * _LINES_PER_WHEEL


def _code(kind: str, button: int) -> int | None:
    if kind in _WHEEL:
        return _WHEEL[kind]
    number = button - 1 if 1 <= button <= 3 else _THUMB + button - 8 if 8 <= button <= 11 else None
    if kind == "move":
        return _MOTION + (_NO_BUTTON if number is None else number)
    return number


def _wanted(kind: str, button: int, modes: Modes) -> bool:
    """Drags are for 1002 and 1003, other motion only for 1003."""
    return kind != "move" or modes.mouse == 1003 or (modes.mouse == 1002 and button > 0)


def _old_form(code: int, x: int, y: int, utf8: bool) -> bytes | None:
    values = (code + 32, x + 33, y + 33)
    if utf8:
        if max(values) > _LARGEST_UTF8:
            return None
        return b"\x1b[M" + "".join(map(chr, values)).encode()
    if values[0] > _LARGEST_BYTE:
        return None
    return b"\x1b[M" + bytes(min(value, _LARGEST_BYTE) for value in values)
