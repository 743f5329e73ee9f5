"""The key table: what terminals send for every key, and where tmux and amtui part on purpose.

A row has the bytes of a terminal without extended keys (`legacy`), with the kitty keyboard protocol as amtui asks for
it (`kitty`), and with xterm's modifyOtherKeys=1, which tmux asks for when its extended-keys are on (`other`, where it
differs from legacy). Layout: US. Sources: xterm's ctlseqs, the kitty keyboard protocol with its table of legacy keys,
rxvt's and the Linux console's terminfo.
"""

from __future__ import annotations

from typing import NamedTuple

SHIFT, ALT, CTRL = 1, 2, 4


class Row(NamedTuple):
    """One key."""

    name: str
    legacy: bytes
    kitty: bytes
    other: bytes = b""


PROGRAM_MODES = {
    "plain": b"",
    "application cursor": b"\x1b[?1h",
    "application keypad": b"\x1b=",
    "bracketed paste": b"\x1b[?2004h",
    "extended keys 1": b"\x1b[>4;1m",
    "extended keys 2": b"\x1b[>4;2m",
    "kitty pushed": b"\x1b[>1u",
    "kitty set": b"\x1b[=31;1u",
    "everything": b"\x1b[?1h\x1b=\x1b[>4;1m\x1b[?2004h\x1b[>31u",
}

_SHIFTED = dict(zip("`1234567890-=[]\\;',./", '~!@#$%^&*()_+{}|:"<>?', strict=True))
_UNSHIFTED = {shifted: plain for plain, shifted in _SHIFTED.items()}
_CONTROL = {
    " ": 0, "2": 0, "3": 27, "4": 28, "5": 29, "6": 30, "7": 31, "8": 127, "/": 31, "`": 0, "[": 27, "\\": 28, "]": 29,
    **{chr(code): code - 96 for code in range(97, 123)},
}  # fmt: skip
_CONTROL_SHIFTED = {"@": 0, "^": 30, "_": 31, "?": 127, "{": 27, "|": 28, "}": 29, "~": 30}


def names(modifiers: int) -> str:
    """`ctrl+alt+` and the like."""
    return "".join(
        f"{name}+" for bit, name in ((CTRL, "ctrl"), (ALT, "alt"), (SHIFT, "shift")) if modifiers & bit
    )


def _u(code: str, modifiers: int, text: str = "") -> bytes:
    """A key in the kitty protocol, flags 1, 4, 8 and 16."""
    number = str(modifiers + 1) if modifiers else ""
    fields = ";".join((code, number, str(ord(text)))) if text else f"{code};{number}" if number else code
    return f"\x1b[{fields}u".encode()


def _code(char: str) -> tuple[str, int]:
    """The key of a character and whether shift is held."""
    if char in _UNSHIFTED:
        return f"{ord(_UNSHIFTED[char])}:{ord(char)}", SHIFT
    if char.isupper():
        return f"{ord(char.lower())}:{ord(char)}", SHIFT
    return str(ord(char)), 0


def _characters() -> list[Row]:
    out = []
    for char in [*map(chr, range(0x21, 0x7F)), *"éßñ漢あ🚀ж"]:
        code, shift = _code(char)
        out.append(Row(char, char.encode(), _u(code, shift, char)))
        out.append(Row(f"alt+{char}", b"\x1b" + char.encode(), _u(code, shift | ALT)))
    return [row for row in out if row.name not in ("alt+[", "alt+O", "alt+]", "alt+P", "alt+_")]


def _controls() -> list[Row]:
    out = []
    for char, code in [*_CONTROL.items(), *_CONTROL_SHIFTED.items()]:
        key, shift = _code(char)
        if char == " " or code == 27:
            continue
        data = bytes([code])
        known = char.isalpha() or char in "2345678\\]/`@^_{|}~"  # modifyOtherKeys=1 leaves these alone
        for alt in (0, ALT):
            held = CTRL | alt | shift
            other = b"" if known else f"\x1b[27;{held + 1};{ord(char)}~".encode()
            prefix = b"\x1b" if alt else b""
            out.append(Row(f"{names(CTRL | alt)}{char}", prefix + data, _u(key, held), other))
            if char.isalpha():
                upper = f"{ord(char)}:{ord(char.upper())}"
                held |= SHIFT
                name = f"{names(held)}{char}"
                out.append(
                    Row(
                        name,
                        prefix + data,
                        _u(upper, held),
                        f"\x1b[27;{held + 1};{ord(char.upper())}~".encode(),
                    )
                )
    for char in "190,.;'=":
        out.append(
            Row(f"ctrl+{char}", char.encode(), _u(str(ord(char)), CTRL), f"\x1b[27;5;{ord(char)}~".encode())
        )
    return out


_LETTERS = {"up": "A", "down": "B", "right": "C", "left": "D", "home": "H", "end": "F"}
_TILDES = {
    "insert": 2, "delete": 3, "pageup": 5, "pagedown": 6, "f5": 15, "f6": 17, "f7": 18, "f8": 19, "f9": 20, "f10": 21,
    "f11": 23, "f12": 24,
}  # fmt: skip
_FUNCTIONS = {"f1": "P", "f2": "Q", "f3": "R", "f4": "S"}


def _special() -> list[Row]:
    out = []
    for modifiers in range(8):
        m, held = modifiers + 1, names(modifiers)
        for name, letter in _LETTERS.items():
            data = f"\x1b[1;{m}{letter}" if modifiers else f"\x1b[{letter}"
            out.append(Row(held + name, data.encode(), data.encode()))
        for name, number in _TILDES.items():
            data = f"\x1b[{number};{m}~" if modifiers else f"\x1b[{number}~"
            out.append(Row(held + name, data.encode(), data.encode()))
        for name, letter in _FUNCTIONS.items():
            data = f"\x1b[1;{m}{letter}" if modifiers else f"\x1bO{letter}"
            kitty = f"\x1b[1;{m}{letter}" if modifiers else f"\x1b[{letter}"
            if name == "f3":
                kitty = f"\x1b[13;{m}~" if modifiers else "\x1b[13~"
            out.append(Row(held + name, data.encode(), kitty.encode()))
    return out


def _coded() -> list[Row]:
    """Keys that have one byte, by the kitty protocol's table of what terminals make of them with modifiers."""
    out = []
    table = {
        "enter": (13, {0: b"\r"}), "tab": (9, {0: b"\t", SHIFT: b"\x1b[Z", CTRL | SHIFT: b"\x1b[Z"}),
        "backspace": (127, {0: b"\x7f", CTRL: b"\x08", CTRL | SHIFT: b"\x08"}),
        "space": (32, {0: b" ", CTRL: b"\0", CTRL | SHIFT: b"\0"}),
    }  # fmt: skip
    for name, (code, forms) in table.items():
        for modifiers in range(8):
            data = forms.get(modifiers & ~ALT, forms[0])
            text = " " if name == "space" and modifiers in (0, SHIFT) else ""
            other = f"\x1b[27;{modifiers + 1};{code}~".encode() if modifiers & (CTRL | SHIFT) else b""
            if name == "space" or (name == "tab" and modifiers & ~ALT == SHIFT):
                other = b""
            legacy = (b"\x1b" if modifiers & ALT else b"") + data
            out.append(Row(f"{names(modifiers)}{name}", legacy, _u(str(code), modifiers, text), other))
    return out


def _keypad() -> list[Row]:
    """With and without num lock. Terminals send its characters, or the keys it stands in for."""
    out = [
        Row(f"kp {digit}", f"{digit}".encode(), _u(f"{57399 + digit}", 128, f"{digit}"))
        for digit in range(10)
    ]
    signs = {".": 57409, "/": 57410, "*": 57411, "-": 57412, "+": 57413, "=": 57415}
    out += [Row(f"kp {sign}", sign.encode(), _u(f"{code}", 0, sign)) for sign, code in signs.items()]
    moves = {"left": 57417, "right": 57418, "up": 57419, "down": 57420, "home": 57423, "end": 57424}
    out += [
        Row(f"kp {name}", f"\x1b[{_LETTERS[name]}".encode(), _u(f"{code}", 0)) for name, code in moves.items()
    ]
    pages = {"pageup": 57421, "pagedown": 57422, "insert": 57425, "delete": 57426}
    out += [
        Row(f"kp {name}", f"\x1b[{_TILDES[name]}~".encode(), _u(f"{code}", 0)) for name, code in pages.items()
    ]
    return [
        *out,
        Row("kp enter", b"\r", b"\x1b[57414u"),
        Row("kp begin", b"\x1b[E", b"\x1b[57427u"),
        Row("kp begin, as CSI E", b"\x1b[E", b"\x1b[E"),
        Row("menu", b"\x1b[29~", b"\x1b[57363u"),
    ]


def _locked() -> list[Row]:
    """Caps lock and num lock are no modifiers."""
    return [
        Row("a, caps lock", b"A", b"\x1b[97;65;65u"),
        Row("shift+a, caps lock", b"a", b"\x1b[97:65;66;97u"),
        Row("a, num lock", b"a", b"\x1b[97;129;97u"),
        Row("a, both locks", b"A", b"\x1b[97;193;65u"),
        Row("ctrl+c, num lock", b"\x03", b"\x1b[99;133u"),
        Row("alt+x, num lock", b"\x1bx", b"\x1b[120;131u"),
        Row("up, num lock", b"\x1b[A", b"\x1b[1;129A"),
        Row("ctrl+right, both locks", b"\x1b[1;5C", b"\x1b[1;197C"),
        Row("delete, num lock", b"\x1b[3~", b"\x1b[3;129~"),
        Row("f1, num lock", b"\x1bOP", b"\x1b[1;129P"),
        Row("enter, num lock", b"\r", b"\x1b[13;129u"),
    ]


def _dialects() -> list[Row]:
    """Other spellings of the kitty protocol, from flags that somebody else left on and terminals that differ."""
    return [
        Row("a, press", b"a", b"\x1b[97;1:1;97u"),
        Row("a, held down", b"a", b"\x1b[97;1:2;97u"),
        Row("up, held down", b"\x1b[A", b"\x1b[1;1:2A"),
        Row("delete, held down", b"\x1b[3~", b"\x1b[3;1:2~"),
        Row("A, without alternates", b"A", b"\x1b[97;2;65u"),
        Row("a, without text", b"a", b"\x1b[97u"),
        Row("A, without text", b"A", b"\x1b[97;2u"),
        Row("alt+a, with text", b"\x1ba", b"\x1b[97;3;97u"),
        Row("alt+shift+a, with text", b"\x1bA", b"\x1b[97:65;4;65u"),
        Row("alt+shift+a, without alternates", b"\x1bA", b"\x1b[97;4u"),
        Row("option+a that types å", "å".encode(), b"\x1b[97;3;229u"),
        Row("altgr+q that types @", b"@", b"\x1b[113;7;64u"),
        Row("ctrl+c on a Russian keyboard", b"\x03", b"\x1b[1089::99;5u"),
        Row("ctrl+shift+c on a Russian keyboard", b"\x03", b"\x1b[1089:1057:99;6u", b"\x1b[27;6;67~"),
        Row("с on a Russian keyboard", "с".encode(), b"\x1b[1089::99;;1089u"),
        Row("two characters at once", "你好".encode(), b"\x1b[0;;20320:22909u"),
        Row("a dead key", "ê".encode(), b"\x1b[101;;234u"),
        Row("a letter and its accent", "e\u0301".encode(), b"\x1b[101;;101:769u"),
        Row("a family", "👩‍👧".encode(), b"\x1b[0;;128105:8205:128103u"),
        Row("a sentence of an input method", "日本語を入力します".encode(),
            b"\x1b[0;;26085:26412:35486:12434:20837:21147:12375:12414:12377u"),
    ]  # fmt: skip


ROWS = [*_characters(), *_controls(), *_special(), *_coded(), *_keypad(), *_locked(), *_dialects()]

NOTHING = [
    b"\x1b[97;1:3u", b"\x1b[97;:3u", b"\x1b[97;5:3u", b"\x1b[1;1:3A", b"\x1b[3;1:3~", b"\x1b[13;1:3u", b"\x1b[1;5:3P",
    b"\x1b[57441;2u", b"\x1b[57442;5u", b"\x1b[57443;3u", b"\x1b[57447u", b"\x1b[57358;65u", b"\x1b[57360;129u",
    b"\x1b[57453u", b"\x1b[97;9u", b"\x1b[57440;5u",
]  # fmt: skip
"""What a kitty keyboard sends besides keys: releases, modifiers and locks for themselves, super: no program sees it."""

ALONE = [b"\x1b", b"\x1b[", b"\x1bO", b"\x1b]", b"\x1bP", b"\x1b_", b"\x1b\x1b"]
"""Keys whose bytes may begin a longer sequence; they are keys once nothing followed: escape, alt+[ and so on."""

PREFIXED = [
    b"\x1b" + row.legacy for row in ROWS if row.legacy[:2] in (b"\x1b[", b"\x1bO") and "+" not in row.name
]
"""Alt as an ESC before the key: iTerm2, Terminal.app, rxvt."""

TEXT = [
    "e\u0301", "👩‍👧", "🇨🇭", "👍🏽", "❤️", "\u00a0", "\u3000", "\u200b", "\ue0b0", "\u00ad", "ﬁ", "\U0001d11e",
    "日本語", "naïve café", "a\u202eb",
]  # fmt: skip
"""What people type with input methods, dead keys and emoji pickers; several characters in one read."""


def _after(introducer: str, finals: str) -> list[bytes]:
    """One sequence for each final character."""
    return [f"{introducer}{final}".encode() for final in finals]


def _numbered(*numbers: int, ends: str = "~") -> list[bytes]:
    """CSI number ~ and its like."""
    return [f"\x1b[{number}{end}".encode() for number in numbers for end in ends]


_HIGH = (25, 26, 28, 29, 31, 32, 33, 34)
_FIVE_UP = (15, 17, 18, 19, 20, 21, 23, 24)
_VT_KEYPAD = _after("\x1bO", "jkmnopqrstuvwxyM")
TERMINALS = {
    "xterm-256color": [
        *_numbered(*_HIGH), *_after("\x1bO", "ABCDHF"), *_VT_KEYPAD, b"\x1b[1;9A", b"\x1b[1;9D", b"\x08", b"\x1b\x08",
        b"\x1b[1;5p", b"\x1b[1;5y", b"\x1b[57376u", b"\x1b[57387u", b"\x1bO2P", b"\x1bO5S", b"\x1b[Z",
    ],
    "rxvt-unicode-256color": [
        *_numbered(2, 3, 5, 6, 7, 8, ends="~$^@"), *(b"\x1b" + key for key in _numbered(2, 3, 5, 6, 7, 8)),
        *_numbered(11, 12, 13, 14, *_FIVE_UP, ends="~^"), *_numbered(*_HIGH), *_VT_KEYPAD, *_after("\x1b[", "ABCDabcd"),
        *_after("\x1bO", "abcd"), *_after("\x1b\x1b[", "ABCD"), b"\x1b[Z", b"\x1b\x1b[Z", b"\x7f", b"\x1b\x7f",
    ],
    "linux": [
        *_after("\x1b[[", "ABCDE"), *_numbered(1, 2, 3, 4, 5, 6, *_FIVE_UP[1:]), *_numbered(*_HIGH),
        b"\x1b[A", b"\x1b[D", b"\x7f", b"\x1b\t", b"\x1b\x1b[A", b"\x1bx",
    ],
    "tmux-256color": [
        *_numbered(1, 2, 3, 4, 5, 6, *_FIVE_UP), *_after("\x1bO", "PQRSABCD"), *_after("\x1b[1;2", "PQRSABCDHF"),
        *_after("\x1b[1;5", "PQRSABCDHF"), *_after("\x1b[1;8", "PQRSABCDHF"), b"\x1b[15;5~", b"\x1b[3;3~", b"\x1b[Z",
        b"\x1b[A", b"\x1b\x1b[A", b"\x1b\x1bOP",
    ],
    "screen-256color": [
        *_numbered(1, 2, 3, 4, 5, 6, *_FIVE_UP), *_after("\x1bO", "PQRSABCD"), b"\x1b[Z", b"\x1b[A",
    ],
}  # fmt: skip
"""TERM → keys that such a terminal spells in its own way. kitty, ghostty, WezTerm, iTerm2, Windows Terminal and
Terminal.app say xterm-256color or are xterms as far as keys go."""


MOUSE_MODES = {
    f"{mode}, {name}": f"\x1b[?{mode}h".encode() + form
    for mode in (1000, 1002, 1003)
    for name, form in {
        "default": b"", "1005": b"\x1b[?1005h", "1006": b"\x1b[?1006h", "1015": b"\x1b[?1015h",
        "1005 and 1006": b"\x1b[?1005h\x1b[?1006h",
    }.items()
} | {"off": b"", "off, 1006": b"\x1b[?1006h", "1003 and back": b"\x1b[?1003h\x1b[?1003l\x1b[?1006h"}  # fmt: skip
"""1015 is unknown to tmux."""

COLUMNS, LINES = 300, 120
CELLS = [(1, 1), (95, 5), (96, 96), (127, 1), (223, 1), (224, 119), (256, 100), (300, 120)]


def sgr(code: int, x: int, y: int, final: str = "M") -> bytes:
    """A mouse event as modern terminals send it."""
    return f"\x1b[<{code};{x};{y}{final}".encode()


def _gestures() -> list[list[bytes]]:
    """Each press comes three times: tmux drops the press of another button within 300 ms of the first."""
    out = []
    for button in (0, 1, 2, 128, 129, 130, 131):
        for held in (0, 4, 8, 16, 28):
            code = button + held
            drag = [sgr(code + 32, 7, 6), sgr(code + 32, 250, 100), sgr(code, 250, 100, "m")]
            out.append([sgr(code, 6, 6)] * 3 + drag)
    for wheel in (64, 65, 66, 67):
        out += [[sgr(wheel + held, x, y)] * 3 for held in (0, 4, 8, 16, 28) for x, y in CELLS]
    for x, y in CELLS:
        out.append([sgr(0, x, y)] * 3 + [sgr(0, x, y, "m")])
        out += [[sgr(35 + held, x, y)] for held in (0, 4, 16)]
    return [*out, [sgr(64, 5, 5, "m")]]


GESTURES = _gestures()
OLD_MOUSE = [
    [b"\x1b[M &&"] * 3 + [b"\x1b[M@'&", b"\x1b[M#'&"],
    [b'\x1b[M"&&'] * 3 + [b"\x1b[M#&&"],
    [b"\x1b[M`\x80!"],
    [b"\x1b[M \xff!"] * 3,
]
"""The same from a terminal that knows three bytes only, such as screen."""


class Parting(NamedTuple):
    """Where we part from tmux on purpose. Both sides are tested."""

    setting: bytes
    sent: bytes
    tmux: bytes
    ours: bytes
    why: str


_NO_FORM = "tmux drops what has no old form and was not asked for; a terminal without extended keys sends the plain key"
_UNKNOWN = (
    "tmux types a sequence that it does not know into the program; an answer of the terminal is not typing"
)
_PROTOCOL = "tmux 3.3a does not speak the kitty protocol, and terminals do not speak it to tmux"
_HIGH_KEY = "ctrl+F13 has no form in tmux; amtui says that nothing was sent"
_FORM = "tmux falls back to the old form, which cannot tell cells beyond 223; we know which button was held"
_CLICK = "tmux drops the press of another button within 300 ms, by mistaking it for a double click"
_CLICKED, _OTHER = sgr(0, 5, 5) + sgr(0, 5, 5, "m"), sgr(2, 6, 6)
PARTINGS = [
    Parting(b"", b"\x1b[27;2;13~", b"", b"\r", _NO_FORM),
    Parting(b"", b"\x1b[27;5;13~", b"", b"\r", _NO_FORM),
    Parting(b"", b"\x1b[13;5u", b"", b"\r", _NO_FORM),
    Parting(b"", b"\x1b[27;5;49~", b"", b"1", _NO_FORM),
    Parting(b"", b"\x1b[27;6;65~", b"", b"\x01", _NO_FORM),
    Parting(b"", b"\x1b[57376;5u", b"", b"", _HIGH_KEY),
    Parting(b"", b"\x1b[97;;97u", b"\x1b[97;;97u", b"a", _PROTOCOL),
    Parting(b"", b"\x1b[P", b"\x1b[P", b"\x1bOP", _PROTOCOL),
    Parting(b"", b"\x1b[97;1:3u", b"\x1b[97;1:3u", b"", _PROTOCOL),
    Parting(b"", b"\x1b[0n", b"\x1b[0n", b"", _UNKNOWN),
    Parting(b"", b"\x1b[24;80R", b"\x1b[24;80R", b"", _UNKNOWN),
    Parting(b"", b"\x1b[?2026;2$y", b"\x1b[?2026;2$y", b"", _UNKNOWN),
    Parting(b"\x1b[?1003h\x1b[?1006h", b"\x1b[<0;0;0M", b"\x1b[<0;0;0M", b"", "no cell: a terminal's fault"),
    Parting(b"\x1b[?1000h\x1b[?1006h", b"\x1b[M &&", b"\x1b[M &&", b"\x1b[<0;6;6M", _FORM),
    Parting(b"\x1b[?1000h\x1b[?1006h", _CLICKED + _OTHER, _CLICKED, _CLICKED + _OTHER, _CLICK),
]  # fmt: skip
"""Besides these: amtui does not put the terminal into keypad mode as tmux does, so the keypad types its characters; a
newline in a paste reaches the program as a carriage return, as from tmux's own paste-buffer, and the control characters
in it not at all; kitty's ctrl+- is ^_, as tmux has it with modifyOtherKeys. Textual is told of super, media keys and
F25 and up; no program behind tmux is."""
