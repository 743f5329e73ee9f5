"""The key table against tmux: what a program in a pane receives for each key, in each mode."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from oracle import Pane

from amtui.emulator import Screen, Stream, keys, mouse

MODES = {
    "plain": b"",
    "application cursor": b"\x1b[?1h",
    "application keypad": b"\x1b=",
    "extended keys": b"\x1b[>4;2m",
    "everything": b"\x1b[?1h\x1b=\x1b[>4;1m",
}
RESET = b"\x1b[?1l\x1b>\x1b[>4m"

SPECIAL = [
    name for name in keys.NAMES if not (name[0] == "F" and name[1:].isdecimal() and int(name[1:]) > 12)
]
CHARACTERS = [chr(code) for code in range(0x21, 0x7F) if chr(code) not in ";~"] + ["é", "あ", "🚀"]
PREFIXES = ("", "C-", "M-", "S-", "C-M-", "C-S-", "M-S-", "C-M-S-")


class KeyPane(Pane):
    """A pane that tells which bytes keys become."""

    def start(self) -> None:
        """Run the reader."""
        paths = [self._directory / kind for kind in ("reader-commands", "reader-acks")]
        for path in paths:
            os.mkfifo(path)
        reader = Path(__file__).with_name("keyreader.py")
        self.tmux("respawn-pane", "-k", f"exec {sys.executable} -I -S {reader} {paths[0]} {paths[1]}")
        self._commands = open(paths[0], "w")  # noqa: SIM115 - closed with the pane
        self._acks = open(paths[1])  # noqa: SIM115

    def press(self, setting: bytes, *names: str) -> list[bytes]:
        """What the program receives for each of the keys after it wrote `setting`."""
        out = []
        for name in names:
            self._commands.write((RESET + setting).hex() + "\n")
            self._commands.flush()
            assert self._acks.readline() == "ready\n"
            self.tmux("send-keys", name, ";", "send-keys", "-l", "~end~")
            out.append(bytes.fromhex(self._acks.readline()))
        return out


@pytest.fixture(scope="module")
def keyboard(tmux_path: str) -> Iterator[KeyPane]:
    """A pane with the reader in it."""
    pane = KeyPane(tmux_path, 80, 24)
    pane.start()
    yield pane
    pane.close()


def modes_after(data: bytes) -> Screen:
    screen = Screen(20, 6)
    Stream(screen).feed(data)
    return screen


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("prefix", PREFIXES)
def test_special_keys(keyboard: KeyPane, mode: str, prefix: str) -> None:
    screen = modes_after(MODES[mode])
    wrong = []
    for name in SPECIAL:
        (theirs,) = keyboard.press(MODES[mode], prefix + name)
        ours = keys.parse_tmux_key(prefix + name, screen.modes)
        # a key that tmux has no bytes for it types as its name, or as a number of its own; a terminal would not
        if theirs not in (b"", (prefix + name).encode()) and theirs[:7] != b"\x1b[11063" and ours != theirs:
            wrong.append((prefix + name, theirs, ours))
    assert not wrong


@pytest.mark.parametrize("mode", ["plain", "extended keys"])
@pytest.mark.parametrize("prefix", ["", "C-", "M-", "C-M-", "C-S-", "C-M-S-"])
def test_characters(keyboard: KeyPane, mode: str, prefix: str) -> None:
    screen = modes_after(MODES[mode])
    wrong = []
    for char in CHARACTERS:
        (theirs,) = keyboard.press(MODES[mode], prefix + char)
        ours = keys.parse_tmux_key(prefix + char, screen.modes)
        if theirs and theirs != (prefix + char).encode() and ours != theirs:
            wrong.append((prefix + char, theirs, ours))
        if not prefix:
            assert ours == theirs == char.encode()
    assert not wrong


def test_function_keys_above_twelve(keyboard: KeyPane) -> None:
    for number in range(13, 25):
        (theirs,) = keyboard.press(b"", f"S-F{number - 12}")
        assert keys.parse_tmux_key(f"F{number}") == theirs
    assert keys.encode("ctrl+f13", None, keys.DEFAULT_MODES) == keyboard.press(b"", "C-S-F1")[0]


def test_bytes_reach_the_program_as_they_are(keyboard: KeyPane) -> None:
    for data in (
        keys.encode("alt+enter", "\r", keys.DEFAULT_MODES),
        mouse.paste_bytes("a\nb"),
        b"\x1b[<0;3;4M",
    ):
        assert data is not None
        keyboard._commands.write(RESET.hex() + "\n")
        keyboard._commands.flush()
        assert keyboard._acks.readline() == "ready\n"
        keyboard.tmux("send-keys", "-H", *(f"{byte:02x}" for byte in data), ";", "send-keys", "-l", "~end~")
        assert bytes.fromhex(keyboard._acks.readline()) == data
