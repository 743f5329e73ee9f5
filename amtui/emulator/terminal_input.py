"""What a person's terminal sends, as keys, mouse events, pastes and answers.

One reader for every dialect: xterm and its like, rxvt, the Linux console, tmux and screen as the terminal, alt as an
ESC before the key, modifyOtherKeys and the kitty keyboard protocol. It holds no clock: `patience` tells how long to
wait for the rest of a sequence before `expire`. Sources: xterm's ctlseqs, the kitty keyboard protocol, tmux 3.3a's
tty-keys.c.
"""

from __future__ import annotations

import codecs
import re
from typing import Final, NamedTuple

from amtui.emulator.keys import ALT, CTRL, PREFIX, SHIFT, SUPER, Key

ESCAPE_DELAY: Final = 0.025
"""Seconds after which a lone ESC is the Escape key."""
SEQUENCE_DELAY: Final = 0.5
"""Seconds for the rest of what no person can have typed."""
LONGEST: Final = 16_384
"""Bytes of the longest sequence; a longer one is dropped."""


class Press(NamedTuple):
    """A key was pressed."""

    key: Key
    text: str = ""
    """The one character that it types, if any."""


class Mouse(NamedTuple):
    """The mouse did something; cells count from 0, or pixels where the terminal was told to report them."""

    kind: str
    """One of `amtui.emulator.mouse.KINDS`."""
    button: int
    """1 left, 2 middle, 3 right, 8 to 11, 0 none."""
    x: int
    y: int
    shift: bool
    alt: bool
    ctrl: bool


class Paste(NamedTuple):
    """Text in brackets, as it came."""

    text: str


class Focus(NamedTuple):
    """The terminal's window was entered or left."""

    gained: bool


class Answer(NamedTuple):
    """The terminal answers a question or reports its size; never a key."""

    sequence: str


Event = Press | Mouse | Paste | Focus | Answer

_ESC: Final = 0x1B
_PASTE_END: Final = b"\x1b[201~"
_ENDS: Final = (b"\x1b[H", b"\x1b[F", b"\x1bOH", b"\x1bOF")
"""The two keys for which tmux takes an ESC before them as it takes alt."""
_CSI: Final = re.compile(rb"\x1b\[([0-?]*)([ -/]*)([@-~])")
_PART_OF_CSI: Final = re.compile(rb"\x1b\[[0-?]*[ -/]*")
_RXVT_SHIFT: Final = re.compile(rb"\x1b\[(\d+)\$")
_SS3: Final = re.compile(rb"\x1bO((?:1;)?\d?)([A-FHMP-Sa-dj-y])")
_PART_OF_SS3: Final = re.compile(rb"\x1bO[\d;]{0,3}")
_STRING_START: Final = re.compile(rb"\x1b(?:\]\d|P[\d>!+$|]|_G)")
_STRING_END: Final = re.compile(rb"\x07|\x1b\\")
_LEGACY: Final = re.compile(r"(\d{0,4})(?:;(\d{0,3})(?::(\d?))?)?(?:;[\d:]*)?")
_EXTENDED: Final = re.compile(
    r"(\d{1,7})(?::(\d{0,7}))?(?::(\d{0,7}))?(?:;(\d{0,3})(?::(\d?))?)?(?:;([\d:]*))?"
)
_MODIFY_OTHER: Final = re.compile(r"27;(\d{1,3});(\d{1,7})")
_OTHER_KEY: Final = re.compile(r"1;\d[Ep-y]|E|\d+(?:;\d+)?[~^@$]")
"""Keys that tmux does not know and therefore hands on as they are: F13 and up, menu, the middle of the keypad."""
_MOUSE: Final = re.compile(r"(<?)(\d{1,5});(\d{1,6});(\d{1,6})")

_SUPER: Final = 8 | 16
_META: Final = 32
_WHEEL: Final = ("scroll_up", "scroll_down", "scroll_left", "scroll_right")
_LETTERS: Final = {
    "A": "Up", "B": "Down", "C": "Right", "D": "Left", "H": "Home", "F": "End",
    "P": "F1", "Q": "F2", "R": "F3", "S": "F4",
}  # fmt: skip
_TILDES: Final = {
    1: "Home", 2: "Insert", 3: "Delete", 4: "End", 5: "PageUp", 6: "PageDown", 7: "Home", 8: "End",
    11: "F1", 12: "F2", 13: "F3", 14: "F4", 15: "F5", 17: "F6", 18: "F7", 19: "F8", 20: "F9", 21: "F10",
    23: "F11", 24: "F12",
}  # fmt: skip
_HIGH_FUNCTIONS: Final = {25: 13, 26: 14, 28: 15, 29: 16, 31: 17, 32: 18, 33: 19, 34: 20}
_RXVT_ENDS: Final = {"~": 0, "$": SHIFT, "^": CTRL, "@": CTRL | SHIFT}
_KEYPAD: Final = {
    "j": "KP*", "k": "KP+", "m": "KP-", "n": "KP.", "o": "KP/", "M": "KPEnter",
    **{chr(ord("p") + digit): f"KP{digit}" for digit in range(10)},
}  # fmt: skip
_KITTY: Final = {
    9: "Tab", 13: "Enter", 27: "Escape", 32: "Space", 127: "BSpace",
    57409: ".", 57410: "/", 57411: "*", 57412: "-", 57413: "+", 57414: "Enter", 57415: "=", 57416: ",",
    57417: "Left", 57418: "Right", 57419: "Up", 57420: "Down", 57421: "PageUp", 57422: "PageDown",
    57423: "Home", 57424: "End", 57425: "Insert", 57426: "Delete", 57427: "\x1b[E", 57363: "\x1b[29~",
    **{57399 + digit: str(digit) for digit in range(10)},
}  # fmt: skip
_NO_KEYS: Final = frozenset((57358, 57359, 57360, *range(57441, 57455)))
"""Caps lock, shift and their like, which the kitty protocol reports for themselves."""
_KITTY_OWN: Final = range(57344, 63744)
_CONTROL: Final = {
    "\0": Key("@", CTRL), "\t": Key("Tab"), "\r": Key("Enter"), "\x1b": Key("Escape"), "\x7f": Key("BSpace"),
    "\x1c": Key("\\", CTRL), "\x1d": Key("]", CTRL), "\x1e": Key("^", CTRL), "\x1f": Key("_", CTRL),
    " ": Key("Space"),
}  # fmt: skip


class Reader:
    """Turns what a terminal sends into events, whatever pieces it comes in.

    `term` is the terminal's name in terminfo: where two terminals spell different keys alike, it decides as in tmux.
    """

    def __init__(self, term: str = "") -> None:
        self._counts_shifted = term.startswith(("rxvt", "linux"))
        self._tab_is_back = term.startswith("linux")
        self._kept = b""
        self._paste: bytearray | None = None
        self._held = 1
        self.patience = 0.0
        """Seconds to wait for more bytes before `expire`; 0 when nothing is unfinished."""

    def feed(self, data: bytes) -> list[Event]:
        """The events that are complete with `data`."""
        out: list[Event] = []
        data, at, self.patience = self._kept + data, 0, 0.0
        while at < len(data) and not self.patience:
            if self._paste is not None:
                at = self._read_paste(data, at, out)
            elif data[at] != _ESC:
                at = self._read_text(data, at, out)
            else:
                at = self._read_escape(data, at, out)
        self._kept = data[at:]
        if len(self._kept) > LONGEST:
            self._kept, self.patience = b"", 0.0
        return out

    def expire(self) -> list[Event]:
        """No more bytes came: what was begun is keys if a person can have typed it, else nothing."""
        out: list[Event] = []
        data, self._kept = self._kept, b""
        if self.patience == ESCAPE_DELAY:
            while data[:2] == b"\x1b\x1b":
                out.append(Press(Key("Escape")))
                data = data[1:]
            out += _typed(data[1:].decode("utf-8", "ignore"), ALT) or [Press(Key("Escape"))]
        self.patience = 0.0
        return out

    def _wait(self, at: int, seconds: float = SEQUENCE_DELAY) -> int:
        """The rest from `at` on is unfinished."""
        self.patience = seconds
        return at

    def _read_paste(self, data: bytes, at: int, out: list[Event]) -> int:
        """Nothing in a paste is a key, and only its end ends it, however long that takes."""
        assert self._paste is not None
        seen = max(0, len(self._paste) - len(_PASTE_END))
        self._paste += data[at:]
        end = self._paste.find(_PASTE_END, seen)
        if end < 0:
            return len(data)
        rest = len(self._paste) - end - len(_PASTE_END)
        out.append(Paste(self._paste[:end].decode("utf-8", "ignore").replace("\0", "")))
        self._paste = None
        return len(data) - rest

    def _read_text(self, data: bytes, at: int, out: list[Event]) -> int:
        end = data.find(b"\x1b", at)
        last = end < 0
        text, used = codecs.utf_8_decode(data[at:] if last else data[at:end], "ignore", not last)
        out += _typed(text)
        at += used
        return self._wait(at) if at < len(data) and last else at

    def _read_escape(self, data: bytes, at: int, out: list[Event]) -> int:
        """What begins with ESC at `at`; returns where the next thing begins."""
        start = at
        doubled = data[at : at + 3] in (b"\x1b\x1b[", b"\x1b\x1bO")
        if doubled:
            at += 1  # alt as an ESC before the key
        elif len(data) == at + 1 or data[at:] == b"\x1b\x1b":
            return self._wait(at, ESCAPE_DELAY)
        kind = data[at + 1]
        if kind in b"[O" and len(data) == at + 2:
            return self._wait(start, ESCAPE_DELAY)
        if kind == 0x5B:
            found = self._read_csi(data, at)
        elif kind == 0x4F:
            found = _read_ss3(data, at)
        elif kind in b"]P_" and (len(data) == at + 2 or _STRING_START.match(data, at)):
            found = _read_string(data, at)
            if len(data) == at + 2:
                return self._wait(start, ESCAPE_DELAY)
        else:
            found = None
        if found is None:
            return self._read_alt(data, start, out)
        end, events = found
        if end < 0:
            return self._wait(start)
        if doubled:
            alt = ALT if data[start + 1 : end] in _ENDS else PREFIX
            events = [
                Press(Key(event.key.base, event.key.modifiers | alt)) if isinstance(event, Press) else event
                for event in events
            ]
        out += events
        return end

    def _read_alt(self, data: bytes, at: int, out: list[Event]) -> int:
        """ESC before a character is alt; ESC before ESC is the Escape key."""
        if data[at + 1] == _ESC:
            out.append(Press(Key("Escape")))
            return at + 1
        if self._tab_is_back and data[at + 1] == 0x09:
            out.append(Press(Key("BTab")))
            return at + 2
        size = 1 if data[at + 1] < 0xC0 else 2 if data[at + 1] < 0xE0 else 3 if data[at + 1] < 0xF0 else 4
        if len(data) < at + 1 + size and _ESC not in data[at + 1 :]:
            return self._wait(at)
        out += _typed(data[at + 1 : at + 1 + size].decode("utf-8", "ignore"), ALT)
        return at + 1 + size

    def _read_csi(self, data: bytes, at: int) -> _Found:
        if data[at + 2 : at + 3] == b"M":
            return (at + 6, self._mouse_bytes(data[at + 3 : at + 6])) if len(data) >= at + 6 else _UNFINISHED
        if data[at + 2 : at + 3] == b"[":  # the Linux console
            if len(data) == at + 3:
                return _UNFINISHED
            number = data[at + 3] - 0x40
            return (at + 4, [Press(Key(f"F{number}"))]) if 1 <= number <= 5 else None
        if rxvt := _RXVT_SHIFT.match(data, at):
            return rxvt.end(), self._key(rxvt[1].decode(), "$") or []
        found = _CSI.match(data, at)
        if found is None:
            part = _PART_OF_CSI.match(data, at)
            return _UNFINISHED if part and part.end() == len(data) else None
        parameters, between, final = (part.decode("ascii") for part in found.groups())
        if final in "Mm" and (mouse := _MOUSE.fullmatch(parameters)):
            code, x, y = int(mouse[2]), int(mouse[3]), int(mouse[4])
            return found.end(), self._mouse(mouse[1] == "<", code, x, y, final)
        if final == "~" and parameters in ("200", "201"):
            self._paste = bytearray() if parameters == "200" else None
            return found.end(), []
        if not parameters and final in "IO":
            return found.end(), [Focus(final == "I")]
        if not between and (events := self._key(parameters, final)) is not None:
            return found.end(), events
        return found.end(), [Answer(found[0].decode("ascii"))]

    # ---- keys

    def _key(self, parameters: str, final: str) -> list[Event] | None:
        """The presses of a CSI sequence, which are none for a key that was released; None for what is no key."""
        if final == "u" or (final == "~" and parameters.startswith("27;")):
            if other := _MODIFY_OTHER.fullmatch(parameters):
                parameters = f"{other[2]};{other[1]}"
            if (extended := _EXTENDED.fullmatch(parameters)) and extended[1]:
                return _extended(*extended.groups(""))
        if final == "Z":
            return [Press(Key("BTab"))]
        if not parameters and final in "abcd":  # rxvt
            return [Press(Key(_LETTERS[final.upper()], SHIFT))]
        legacy = _LEGACY.fullmatch(parameters)
        if legacy is None:
            return None
        if legacy[3] == "3":
            return []
        number, bits = int(legacy[1] or 1), max(0, int(legacy[2] or 1) - 1)
        modifiers = bits & (SHIFT | ALT | CTRL) | (ALT if bits & (_SUPER | _META) else 0)
        base = ""
        if final in _RXVT_ENDS:
            base = _TILDES.get(number, "")
            modifiers |= _RXVT_ENDS[final]
            if final == "~" and self._counts_shifted and number in _HIGH_FUNCTIONS:
                base = f"F{_HIGH_FUNCTIONS[number]}"
        elif number == 1:
            base = _LETTERS.get(final, "")
        if base:
            return [Press(Key(base, modifiers))]
        raw = f"{parameters}{final}"
        return [Press(Key(f"\x1b[{raw}"))] if _OTHER_KEY.fullmatch(raw) else None

    # ---- the mouse

    def _mouse_bytes(self, three: bytes) -> list[Event]:
        """The first form: three bytes."""
        code, x, y = three
        return self._mouse(False, code, x - 32, y - 32, "M") if code >= 32 else []

    def _mouse(self, modern: bool, code: int, x: int, y: int, final: str) -> list[Event]:
        """`modern`: SGR, which counts codes from 0 and tells which button was released."""
        code -= 0 if modern else 32
        if code < 0 or x < 1 or y < 1:
            return []
        number = code & 3
        button = 8 + number if code & 128 else number + 1 if number < 3 else 0
        if code & 64 and not code & 128:
            kind, button = _WHEEL[number], 0
            if final == "m":
                return []  # some terminals release the wheel
        elif code & 32:
            kind = "move"
        elif final == "m":
            kind = "up"
        elif button:
            kind, self._held = "down", button
        else:
            kind, button = "up", self._held
        return [Mouse(kind, button, x - 1, y - 1, bool(code & 4), bool(code & 8), bool(code & 16))]


_Found = tuple[int, list[Event]] | None
"""Where a sequence ends and what it was; None when it is none."""
_UNFINISHED: Final[_Found] = (-1, [])


def _read_ss3(data: bytes, at: int) -> _Found:
    found = _SS3.match(data, at)
    if found is None:
        part = _PART_OF_SS3.match(data, at)
        return _UNFINISHED if part and part.end() == len(data) else None
    final = found[2].decode()
    bits = max(0, int(found[1].rpartition(b";")[2] or 1) - 1)
    if final in _LETTERS:
        return found.end(), [Press(Key(_LETTERS[final], bits & (SHIFT | ALT | CTRL)))]
    if final in "abcd":
        return found.end(), [Press(Key(_LETTERS[final.upper()], CTRL))]
    return found.end(), [Press(Key(_KEYPAD[final]))]


def _read_string(data: bytes, at: int) -> _Found:
    end = _STRING_END.search(data, at + 2)
    return (end.end(), [Answer("")]) if end else _UNFINISHED


def _typed(text: str, modifiers: int = 0) -> list[Event]:
    """The keys of characters, the first of them with `modifiers`."""
    out: list[Event] = []
    for char in text:
        if (key := _CONTROL.get(char)) is None and char < " ":
            key = Key(chr(ord(char) + 96), CTRL)
        elif key is None and not "\x80" <= char < "\xa0":
            key = Key(char)
        if key is not None:
            out.append(Press(Key(key.base, key.modifiers | modifiers), "" if modifiers else char))
        modifiers = 0
    return out


def _extended(code: str, shifted: str, latin: str, modifiers: str, kind: str, text: str) -> list[Event]:
    """CSI u: a key by its code, as modifyOtherKeys and the kitty protocol spell it."""
    number, bits = int(code), max(0, int(modifiers or 1) - 1)
    if kind == "3" or number in _NO_KEYS:
        return []
    held = bits & (SHIFT | ALT | CTRL) | (ALT if bits & _META else 0) | (SUPER if bits & _SUPER else 0)
    typed = "".join(chr(int(each)) for each in text.split(":") if each and 32 <= int(each) < 0x110000)
    plain = chr(int(shifted) if shifted and held & SHIFT else number) if number < 0x110000 else ""
    if typed and not (held & ~SHIFT and typed in (plain, chr(number), chr(number).upper())):
        return _typed(typed)
    if base := _KITTY.get(number):
        return [Press(_named(base, held))]
    if number in _KITTY_OWN:
        return [Press(Key("" if held else f"\x1b[{number}u"))]
    if number < 32 or number >= 0x110000:
        return []
    if latin and held & (CTRL | ALT) and plain > "\x7f":
        plain = chr(int(latin))
    if held & SHIFT and not shifted and len(plain.upper()) == 1 and not held & ~SHIFT:
        plain = plain.upper()
    return [Press(Key(plain, held), "" if held & ~SHIFT else plain)]


def _named(base: str, held: int) -> Key:
    """A key of the kitty protocol that has a name of its own or types a character from the keypad."""
    if base == "Tab" and held & SHIFT and not held & CTRL:
        return Key("BTab", held & ~SHIFT)
    if base[0] == "\x1b":
        return Key("" if held else base)
    return Key(base, held & ~SHIFT if base == "Space" and not held & CTRL else held)
