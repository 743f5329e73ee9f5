"""Keys as bytes: what a program behind tmux 3.3a receives when a person presses a key.

Three languages meet here. Textual names keys `ctrl+alt+left`; tmux names them `C-M-Left`; the program reads
bytes that depend on the modes it switched on. Sources: tmux 3.3a's input-keys.c and key-string.c, and for keys
that tmux cannot express in the program's modes, what a terminal without extended keys sends.
"""

from __future__ import annotations

import difflib
import unicodedata
from typing import Final, NamedTuple

from amtui.emulator.modes import Modes

SHIFT: Final = 1
ALT: Final = 2
CTRL: Final = 4
SUPER: Final = 8
"""A key that only terminals with the kitty protocol tell of; no program behind tmux sees it."""
PREFIX: Final = 16
"""Alt as an ESC before the bytes of the key, which rxvt, iTerm2 and Terminal.app send even for keys that have a form
of their own with alt."""

_MODIFIERS: Final = {"shift": SHIFT, "alt": ALT, "meta": ALT, "ctrl": CTRL, "control": CTRL}
_LETTERS: Final = {"C": CTRL, "M": ALT, "S": SHIFT}


class Key(NamedTuple):
    """A key without any terminal's encoding."""

    base: str
    """A tmux key name such as `Up`, the one character that the key types, or the whole sequence of a key that has no
    name; empty for a key that no program behind tmux sees."""
    modifiers: int = 0
    """SHIFT, ALT, CTRL, SUPER and PREFIX, or-ed."""


_ARROWS: Final = {"Up": "A", "Down": "B", "Right": "C", "Left": "D"}
_TILDES: Final = {
    "F5": 15,
    "F6": 17,
    "F7": 18,
    "F8": 19,
    "F9": 20,
    "F10": 21,
    "F11": 23,
    "F12": 24,
    "Insert": 2,
    "Delete": 3,
    "PageUp": 5,
    "PageDown": 6,
}
_FUNCTIONS: Final = {"F1": "P", "F2": "Q", "F3": "R", "F4": "S"}
_ENDS: Final = {"Home": ("1~", "H"), "End": ("4~", "F")}
_CODES: Final = {"Tab": 9, "Enter": 13, "Escape": 27, "Space": 32, "BSpace": 127}
_KEYPAD: Final = {
    "KP/": "o/",
    "KP*": "j*",
    "KP-": "m-",
    "KP+": "k+",
    "KP.": "n.",
    "KPEnter": "M\n",
    **{f"KP{digit}": f"{chr(ord('p') + digit)}{digit}" for digit in range(10)},
}

NAMES: Final = (
    *_ARROWS,
    *_FUNCTIONS,
    *_TILDES,
    *(f"F{number}" for number in range(13, 25)),
    *_ENDS,
    *_CODES,
    "BTab",
    *_KEYPAD,
)
"""Every tmux key name that is understood, besides single characters; `C-`, `M-` and `S-` go before."""

_ALIASES: Final = {
    "ic": "Insert",
    "dc": "Delete",
    "npage": "PageDown",
    "pgdn": "PageDown",
    "ppage": "PageUp",
    "pgup": "PageUp",
}
_BY_NAME: Final = {name.lower(): name for name in NAMES} | _ALIASES

_TEXTUAL: Final = {
    "up": "Up",
    "down": "Down",
    "left": "Left",
    "right": "Right",
    "home": "Home",
    "end": "End",
    "insert": "Insert",
    "delete": "Delete",
    "pageup": "PageUp",
    "pagedown": "PageDown",
    "tab": "Tab",
    "enter": "Enter",
    "return": "Enter",
    "escape": "Escape",
    "space": "Space",
    "backspace": "BSpace",
    "divide": "KP/",
    "multiply": "KP*",
    "subtract": "KP-",
    "add": "KP+",
    "decimal": "KP.",
    "kp_begin": "KP5",
    **{f"f{number}": f"F{number}" for number in range(1, 25)},
    # How Textual shows keys that it does not know: the number of their sequence as a character.
    "\r": "Enter",
    "\t": "Tab",
    "\x1b": "Escape",
    "\x7f": "BSpace",
    "\x19": "F13",
    "\x1a": "F14",
    "\x1c": "F15",
    "\x1d": "F16",
    "\x1f": "F17",
}
_CHARACTERS: Final = {
    "at": "@",
    "backslash": "\\",
    "circumflex_accent": "^",
    "left_square_bracket": "[",
    "minus": "-",
    "plus": "+",
    "right_square_bracket": "]",
    "slash": "/",
    "underscore": "_",
}
_CONTROL: Final = {
    " ": 0,
    "2": 0,
    "3": 27,
    "4": 28,
    "5": 29,
    "6": 30,
    "7": 31,
    "8": 127,
    "|": 28,
    "-": 31,
    "/": 31,
    "`": 0,
}
"""What ctrl makes of characters that have no control code of their own."""

_WELL_KNOWN: Final = {"2": "@", "4": "\\", "5": "]", "6": "^", "7": "_", "/": "_", "`": "@"} | {
    char: char for char in "@^_"
} | {"|": "\\", "}": "]", "~": "^", "3": "Escape", "{": "Escape", "8": "BSpace"}  # fmt: skip

DEFAULT_MODES: Final = Modes()


def encode(key: str, character: str | None, modes: Modes) -> bytes | None:
    """The bytes for a key as Textual names it, or None for one that no program behind tmux would see.

    `character` is Textual's; it is believed only for keys that type one printable character.
    """
    parsed = _from_textual(key, character)
    if parsed is None:
        return None
    if parsed == ("BSpace", 0) and character == "\b":
        return b"\b"
    return bytes_of(parsed, modes)


def typed(key: Key) -> Key:
    """The key that a keyboard makes of `key`: with ctrl some digits and signs are old control codes, which no program
    gets as CSI u unless somebody names the key."""
    base, modifiers = key
    if not modifiers & CTRL or modifiers & SUPER:
        return key
    if base == "Space":
        return Key(base, modifiers & ~SHIFT)
    known = _WELL_KNOWN.get(base)
    if known is None:
        return key
    return Key(known, modifiers & (ALT | PREFIX) | (CTRL if len(known) == 1 else 0))


def is_control(key: str, data: bytes) -> bool:
    """Whether the key does something rather than typing text, so that it must not wait for more keys."""
    return not data or data[0] < 0x20 or data[0] == 0x7F


def tmux_name(key: str) -> str | None:
    """tmux's name of a key that Textual names `key`, as `amtui keys` takes it."""
    parsed = _from_textual(key, None)
    if parsed is None:
        return None
    base, modifiers = parsed
    return "".join(f"{letter}-" for letter, bit in _LETTERS.items() if modifiers & bit) + base


def parse_tmux_key(name: str, modes: Modes | None = None) -> bytes | None:
    """The bytes for a key as tmux names it (`C-c`, `M-Enter`, `F5`, `x`), or None for an unknown name."""
    parsed = _from_tmux(name)
    return None if parsed is None else bytes_of(parsed, modes or DEFAULT_MODES)


def nearest(name: str, count: int = 3) -> list[str]:
    """Key names that `name` may have meant, best first."""
    prefix, rest = _split(name)
    found = difflib.get_close_matches(rest.lower(), _BY_NAME, count, 0.5)
    return list(dict.fromkeys(prefix + _BY_NAME[close] for close in found))


def bytes_of(key: Key, modes: Modes) -> bytes | None:
    """The bytes of a key in the program's modes."""
    base, modifiers = key
    if modifiers & SUPER or not base:
        return None
    if modifiers & PREFIX:
        data = bytes_of(Key(base, modifiers & ~PREFIX), modes)
        return None if data is None else b"\x1b" + data
    if base[0] == "\x1b":
        return base.encode()
    if base in _KEYPAD:
        return _keypad(base, modifiers, modes)
    if base == "BTab":
        if not modifiers & CTRL:
            return _with_alt(modifiers, b"\x1b[Z")
        base, modifiers = "Tab", modifiers | SHIFT
    if base in _CODES:
        return _coded(base, modifiers, modes)
    if len(base) == 1:
        return _typed(base, modifiers, modes)
    return _function(base, modifiers, modes)


def _with_alt(modifiers: int, data: bytes) -> bytes:
    return b"\x1b" + data if modifiers & ALT else data


def _extended(code: int, modifiers: int) -> bytes:
    return f"\x1b[{code};{1 + modifiers}u".encode()


def _keypad(base: str, modifiers: int, modes: Modes) -> bytes:
    application, plain = _KEYPAD[base][0], _KEYPAD[base][1]
    return _with_alt(
        modifiers, f"\x1bO{application}".encode() if modes.application_keypad else plain.encode()
    )


def _coded(base: str, modifiers: int, modes: Modes) -> bytes:
    """Tab, Enter, Escape, Space and Backspace: one byte, or CSI u where the program asked for it."""
    code = _CODES[base]
    if base == "Space" and modifiers & CTRL and not modifiers & SHIFT:
        return _with_alt(modifiers, b"\0")
    control = bool(modifiers & CTRL)
    if modes.modify_other_keys and modifiers & (SHIFT | CTRL):
        return _extended(64 if base == "Space" and control else code, modifiers)
    if base == "Tab" and modifiers & SHIFT:
        return _with_alt(modifiers, b"\x1b[Z")
    if control and base in ("BSpace", "Space"):
        code = 8 if base == "BSpace" else 0
    return _with_alt(modifiers, bytes([code]))


def _typed(char: str, modifiers: int, modes: Modes) -> bytes | None:
    """A key that types a character."""
    if modifiers & SHIFT and char.isalpha() and len(char.upper()) == 1 and not modifiers & CTRL:
        char = char.upper()
    if not modifiers & CTRL:
        return _with_alt(modifiers, char.encode("utf-8", "ignore")) if char >= " " else None
    if char > "\x7f":
        return _with_alt(modifiers, char.encode("utf-8", "ignore"))
    code = _control_code(char)
    if modes.modify_other_keys and (modifiers & SHIFT or code is None or char in _CONTROL):
        # tmux makes a control code of the character first and spells that as its capital
        if char not in _CONTROL and code in (9, 13, 27, 127):
            return _extended(code, modifiers & ~CTRL)
        return _extended(ord(char) if code is None or char in _CONTROL else 64 + code, modifiers)
    return _with_alt(modifiers, char.encode("utf-8", "ignore") if code is None else bytes([code]))


def _control_code(char: str) -> int | None:
    if char in _CONTROL:
        return _CONTROL[char]
    if "@" <= char <= "_":
        return ord(char) - 64
    if "a" <= char <= "~":
        return ord(char) - 96
    return 127 if char == "?" else None


def _function(base: str, modifiers: int, modes: Modes) -> bytes | None:
    """Arrows, function keys and the block above the arrows."""
    if base.startswith("F") and base[1:].isdecimal() and int(base[1:]) > 12:
        # terminals, and so tmux, count shift+F1 as F13
        base, modifiers = f"F{int(base[1:]) - 12}", modifiers | SHIFT
    modifier = f";{1 + modifiers}" if modifiers else ""
    if base in _ARROWS:
        if modifiers:
            return f"\x1b[1{modifier}{_ARROWS[base]}".encode()
        return f"\x1b{'O' if modes.application_cursor else '['}{_ARROWS[base]}".encode()
    if base in _FUNCTIONS:
        return (
            f"\x1b[1{modifier}{_FUNCTIONS[base]}".encode()
            if modifiers
            else f"\x1bO{_FUNCTIONS[base]}".encode()
        )
    if base in _ENDS:
        plain, final = _ENDS[base]
        return f"\x1b[1{modifier}{final}".encode() if modifiers else f"\x1b[{plain}".encode()
    if base in _TILDES:
        return f"\x1b[{_TILDES[base]}{modifier}~".encode()
    return None


def _from_textual(key: str, character: str | None) -> Key | None:
    *names, base = key.split("+") if key != "+" else ["+"]
    modifiers = 0
    for name in names:
        if name not in _MODIFIERS:
            return None  # super, hyper: terminals without the kitty protocol have no bytes for them
        modifiers |= _MODIFIERS[name]
    if base in _TEXTUAL:
        return _pressed(_TEXTUAL[base], modifiers)
    if character and len(character) == 1 and character.isprintable() and not modifiers & ~SHIFT:
        return Key(character)
    char = _character(base)
    if char is None:
        return None
    if modifiers & CTRL and not modifiers & SHIFT and char == " ":
        return Key("Space", modifiers)
    return Key(char, modifiers)


def _pressed(base: str, modifiers: int) -> Key:
    """Shift+Tab is a key of its own, and shift held while typing a space means nothing."""
    if base == "Tab" and modifiers & SHIFT and not modifiers & CTRL:
        return Key("BTab", modifiers & ~SHIFT)
    return Key(base, 0 if (base, modifiers) == ("Space", SHIFT) else modifiers)


def _character(name: str) -> str | None:
    """The character that Textual calls `name`."""
    if len(name) == 1:
        return name if name.isprintable() else None
    if name in _CHARACTERS:
        return _CHARACTERS[name]
    try:
        return unicodedata.lookup(name.replace("_", " "))
    except KeyError:
        pass
    if "_" in name:  # HYPHEN-MINUS and its like lose their hyphen
        try:
            return unicodedata.lookup(name.replace("_", "-"))
        except KeyError:
            pass
    return None


def _split(name: str) -> tuple[str, str]:
    """The modifiers of a tmux key name, in tmux's spelling, and what follows them."""
    prefix = ""
    if len(name) > 1 and name[0] == "^":
        prefix, name = "C-", name[1:]
    while len(name) > 2 and name[1] == "-" and name[0].upper() in _LETTERS:
        prefix += f"{name[0].upper()}-"
        name = name[2:]
    return prefix, name


def _from_tmux(name: str) -> Key | None:
    prefix, rest = _split(name)
    modifiers = 0
    for letter in prefix[::2]:
        modifiers |= _LETTERS[letter]
    if len(rest) == 1:
        return Key(rest, modifiers) if rest.isprintable() else None
    base = _BY_NAME.get(rest.lower())
    return None if base is None else Key(base, modifiers)
