"""Keys by name, without a terminal: Textual's names, tmux's names, mouse events and pasted text."""

from __future__ import annotations

import pytest

from amtui.emulator import Modes, keys, mouse


def modes(**values: int) -> Modes:
    out = Modes()
    for name, value in values.items():
        setattr(out, name, value)
    return out


PLAIN = modes()
TABLE = [
    ("a", "a", b"a", "a"),
    ("A", "A", b"A", "A"),
    ("é", "é", "é".encode(), "é"),
    ("plus", "+", b"+", "+"),
    ("full_stop", ".", b".", "."),
    ("space", " ", b" ", "Space"),
    ("shift+space", " ", b" ", "Space"),
    ("enter", "\r", b"\r", "Enter"),
    ("tab", "\t", b"\t", "Tab"),
    ("shift+tab", None, b"\x1b[Z", "BTab"),
    ("escape", "\x1b", b"\x1b", "Escape"),
    ("backspace", "\x7f", b"\x7f", "BSpace"),
    ("backspace", "\x08", b"\x08", "BSpace"),
    ("ctrl+a", "\x01", b"\x01", "C-a"),
    ("ctrl+c", None, b"\x03", "C-c"),
    ("ctrl+z", None, b"\x1a", "C-z"),
    ("ctrl+i", None, b"\t", "C-i"),
    ("ctrl+m", None, b"\r", "C-m"),
    ("ctrl+j", "\n", b"\n", "C-j"),
    ("ctrl+at", None, b"\0", "C-@"),
    ("ctrl+@", "\0", b"\0", "C-@"),
    ("ctrl+space", None, b"\0", "C-Space"),
    ("ctrl+backslash", None, b"\x1c", "C-\\"),
    ("ctrl+right_square_bracket", None, b"\x1d", "C-]"),
    ("ctrl+left_square_bracket", None, b"\x1b", "C-["),
    ("ctrl+circumflex_accent", None, b"\x1e", "C-^"),
    ("ctrl+underscore", None, b"\x1f", "C-_"),
    ("ctrl+slash", None, b"\x1f", "C-/"),
    ("ctrl+shift+a", None, b"\x01", "C-S-a"),
    ("alt+x", None, b"\x1bx", "M-x"),
    ("alt+shift+x", None, b"\x1bX", "M-S-x"),
    ("alt+enter", "\r", b"\x1b\r", "M-Enter"),
    ("alt+backspace", None, b"\x1b\x7f", "M-BSpace"),
    ("alt+escape", None, b"\x1b\x1b", "M-Escape"),
    ("alt+left_square_bracket", "[", b"\x1b[", "M-["),
    ("ctrl+alt+a", None, b"\x1b\x01", "C-M-a"),
    ("alt+shift+tab", None, b"\x1b\x1b[Z", "M-BTab"),
    ("shift+enter", None, b"\r", "S-Enter"),
    ("ctrl+enter", None, b"\r", "C-Enter"),
    ("ctrl+\r", None, b"\r", "C-Enter"),
    ("up", None, b"\x1b[A", "Up"),
    ("shift+up", None, b"\x1b[1;2A", "S-Up"),
    ("alt+left", None, b"\x1b[1;3D", "M-Left"),
    ("ctrl+right", None, b"\x1b[1;5C", "C-Right"),
    ("ctrl+alt+shift+down", None, b"\x1b[1;8B", "C-M-S-Down"),
    ("home", None, b"\x1b[1~", "Home"),
    ("ctrl+home", None, b"\x1b[1;5H", "C-Home"),
    ("end", None, b"\x1b[4~", "End"),
    ("insert", None, b"\x1b[2~", "Insert"),
    ("delete", None, b"\x1b[3~", "Delete"),
    ("ctrl+delete", None, b"\x1b[3;5~", "C-Delete"),
    ("pageup", None, b"\x1b[5~", "PageUp"),
    ("shift+pagedown", None, b"\x1b[6;2~", "S-PageDown"),
    ("f1", None, b"\x1bOP", "F1"),
    ("shift+f4", None, b"\x1b[1;2S", "S-F4"),
    ("f5", None, b"\x1b[15~", "F5"),
    ("f12", None, b"\x1b[24~", "F12"),
    ("ctrl+f12", None, b"\x1b[24;5~", "C-F12"),
    ("f13", None, b"\x1b[1;2P", "F13"),
    ("f24", None, b"\x1b[24;2~", "F24"),
    ("\x19", None, b"\x1b[1;2P", "F13"),
    ("divide", None, b"/", "KP/"),
]


@pytest.mark.parametrize(("key", "character", "data", "name"), TABLE)
def test_key(key: str, character: str | None, data: bytes, name: str) -> None:
    assert keys.encode(key, character, PLAIN) == data
    assert keys.tmux_name(key) == name


@pytest.mark.parametrize(("key", "character", "data", "name"), TABLE)
def test_a_name_means_the_same_bytes(key: str, character: str | None, data: bytes, name: str) -> None:
    if character != "\x08":
        assert keys.parse_tmux_key(name) == data


@pytest.mark.parametrize(
    "key", ["super+c", "hyper+x", "caps_lock", "left_shift", "nonsense_key", "ctrl+nonsense_key"]
)
def test_keys_that_no_program_sees(key: str) -> None:
    assert keys.encode(key, None, PLAIN) is None
    assert keys.tmux_name(key) is None


def test_modes_change_keys() -> None:
    assert keys.encode("up", None, modes(application_cursor=True)) == b"\x1bOA"
    assert keys.encode("ctrl+up", None, modes(application_cursor=True)) == b"\x1b[1;5A"
    assert keys.encode("add", None, modes(application_keypad=True)) == b"\x1bOk"
    extended = modes(modify_other_keys=2)
    assert keys.encode("shift+enter", None, extended) == b"\x1b[13;2u"
    assert keys.encode("ctrl+enter", None, extended) == b"\x1b[13;5u"
    assert keys.encode("ctrl+shift+a", None, extended) == b"\x1b[65;6u"
    assert keys.encode("ctrl+c", None, extended) == b"\x03"
    assert keys.encode("alt+enter", None, extended) == b"\x1b\r"
    assert keys.encode("shift+tab", None, extended) == b"\x1b[Z"
    assert keys.encode("shift+space", " ", extended) == b" "


@pytest.mark.parametrize("name", ["", "Entr", "C-", "X-a", "hello", "F99", "C-Nope", "\x1b", "M-\n"])
def test_unknown_names(name: str) -> None:
    assert keys.parse_tmux_key(name) is None


@pytest.mark.parametrize(
    ("typo", "meant"),
    [("Entr", "Enter"), ("C-Upp", "C-Up"), ("PgeUp", "PageUp"), ("esc", "Escape"), ("F55", "F5")],
)
def test_what_a_typo_meant(typo: str, meant: str) -> None:
    assert meant in keys.nearest(typo)


def test_names_are_read_as_tmux_reads_them() -> None:
    assert keys.parse_tmux_key("c-c") == keys.parse_tmux_key("^c") == b"\x03"
    assert keys.parse_tmux_key("enter") == keys.parse_tmux_key("ENTER") == b"\r"
    assert keys.parse_tmux_key("PgDn") == keys.parse_tmux_key("NPage") == b"\x1b[6~"
    assert keys.parse_tmux_key("DC") == b"\x1b[3~"
    assert keys.parse_tmux_key("-") == b"-"
    assert keys.parse_tmux_key("^") == b"^"


def test_what_must_be_sent_at_once() -> None:
    for key, character, data, _ in TABLE:
        typed = bool(character) and character.isprintable() and not key.startswith(("ctrl", "alt"))
        assert keys.is_control(key, data) is (not typed and data not in (b"/",))


CLICK = modes(mouse=1000, mouse_sgr=True)
DRAG = modes(mouse=1002, mouse_sgr=True)
MOVE = modes(mouse=1003, mouse_sgr=True)
OLD = modes(mouse=1000)


@pytest.mark.parametrize(
    ("event", "state", "data"),
    [
        (("down", 1, 0, 0, ()), PLAIN, None),
        (("down", 1, 0, 0, ()), CLICK, b"\x1b[<0;1;1M"),
        (("up", 1, 4, 5, ()), CLICK, b"\x1b[<0;5;6m"),
        (("up", 3, 4, 5, ()), CLICK, b"\x1b[<2;5;6m"),
        (("down", 2, 4, 5, ("shift", "ctrl")), CLICK, b"\x1b[<21;5;6M"),
        (("down", 2, 4, 5, ("alt", "meta")), CLICK, b"\x1b[<9;5;6M"),
        (("move", 1, 4, 5, ()), CLICK, None),
        (("move", 1, 4, 5, ()), DRAG, b"\x1b[<32;5;6M"),
        (("move", 0, 4, 5, ()), DRAG, None),
        (("move", 0, 4, 5, ()), MOVE, b"\x1b[<35;5;6M"),
        (("scroll_up", 0, 4, 5, ()), CLICK, b"\x1b[<64;5;6M"),
        (("scroll_down", 0, 4, 5, ("ctrl",)), CLICK, b"\x1b[<81;5;6M"),
        (("scroll_left", 0, 4, 5, ()), CLICK, b"\x1b[<66;5;6M"),
        (("down", 1, 500, 300, ()), CLICK, b"\x1b[<0;501;301M"),
        (("down", 1, 4, 5, ()), OLD, b"\x1b[M %&"),
        (("up", 1, 4, 5, ()), OLD, b"\x1b[M#%&"),
        (("down", 1, 500, 5, ()), OLD, b"\x1b[M \xff&"),
        (
            ("down", 1, 500, 5, ()),
            modes(mouse=1000, mouse_utf8=True),
            b"\x1b[M " + chr(533).encode() + b"&",
        ),
        (("down", 0, 4, 5, ()), CLICK, None),
        (("down", 1, -1, 5, ()), CLICK, None),
        (("wiggle", 1, 4, 5, ()), CLICK, None),
        (("scroll_up", 0, 4, 5, ()), PLAIN, None),
    ],
)
def test_mouse(event: tuple[str, int, int, int, tuple[str, ...]], state: Modes, data: bytes | None) -> None:
    assert mouse.encode(*event, state) == data


def test_the_wheel_turns_to_arrows_on_the_alternate_screen() -> None:
    assert mouse.encode("scroll_up", 0, 1, 1, (), PLAIN, alternate=True) == b"\x1b[A" * 3
    assert (
        mouse.encode("scroll_down", 0, 1, 1, (), modes(application_cursor=True), alternate=True)
        == b"\x1bOB" * 3
    )
    assert mouse.encode("scroll_down", 0, 1, 1, (), CLICK, alternate=True) == b"\x1b[<65;2;2M"
    assert mouse.encode("down", 1, 1, 1, (), PLAIN, alternate=True) is None


def test_pasted_text_cannot_break_out() -> None:
    pasted = mouse.paste_bytes("a\tb\r\nc\rd\x1b[201~\x03rm\x9b31m\x7f\x00é🚀")
    assert pasted == "a\tb\nc\nd[201~rm31mé🚀".encode()
    assert mouse.paste_bytes("\ud800x") == b"x"
