"""Keys all the way: a terminal, amtui on it, the session, the worker's tmux, the program; beside `tmux attach`."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from figures import record, size
from operator_world import AMTUI, Operator

sys.path.insert(0, str(Path(__file__).parent.parent / "emulator"))

import keytable as table
from attached import Attached, Program, Terminal, press, press_slowly

FULL_SCREEN = b"\x1b[?1049h"
"""A full-screen program gets shift+PgUp too: it has no scrollback that amtui could look back in."""
KEPT = {b"\x1d", b"\x1b[24~"}
"""^] and F12 are amtui's own; ^] twice sends it."""
STEP = size(9, 1)


class Person:
    """amtui on a terminal, in type mode, and the program that it types into."""

    def __init__(self, operator: Operator) -> None:
        operator.do("new", "keys", "--on", "local", "--agent", "shell", "--no-attach")
        (home,) = operator.machines.glob("workers/*/home")
        folder = home / "relay"
        folder.mkdir()
        self.program = Program(folder)
        shutil.copy(self.program.argv[3], folder)
        env = {**operator.env, "TERM": "xterm-256color", "LANG": "C.UTF-8", "COLORTERM": "truecolor"}
        self.terminal = Terminal([*AMTUI, "attach", "keys"], env, 100, 30)
        self._steps = count(1)
        try:
            self.terminal.shows(b"F12")
            self.terminal.types(b"cd ~/relay; echo at-$((6*7))\r")
            self.terminal.shows(b"at-42")
            self.terminal.types(b"exec python3 -I -S keyrelay.py relay-commands relay-received\r")
            self.program.open()
        except BaseException:
            self.terminal.close()
            raise

    def sets(self, setting: bytes) -> None:
        """The program sets modes, and amtui has seen it."""
        self.program.sets(setting)
        step = f"step-{next(self._steps)}-"
        self.program.write(step.encode())
        self.terminal.shows(step.encode())

    def close(self) -> None:
        self.program.close()
        self.terminal.close()


@pytest.fixture
def person(operator: Operator) -> Iterator[Person]:
    """In type mode, after the program has begun."""
    it = Person(operator)
    yield it
    it.close()


@pytest.mark.prove
@pytest.mark.timeout(300)
def test_keys_all_the_way(person: Person, tmux_path: str) -> None:
    assert b"\x1b[>25u" in person.terminal.painted, "the kitty keyboard was not asked for"
    assert b"\x1b[=4;2u" in person.terminal.painted, "its alternate keys were not asked for"
    rows = [row for row in table.ROWS if row.legacy not in KEPT and row.other not in KEPT][::STEP]
    reference = Attached(tmux_path)
    made, wrong = 0, []
    try:
        for mode in size(("plain", "everything"), tuple(table.PROGRAM_MODES)):
            setting = FULL_SCREEN + table.PROGRAM_MODES[mode]
            person.sets(setting)
            reference.program.sets(setting)
            extended = b"\x1b[>4;" in setting
            keyboards = {
                "legacy": ([row.legacy for row in rows], [row.legacy for row in rows]),
                "kitty": (
                    [row.kitty for row in rows],
                    [(extended and row.other) or row.legacy for row in rows],
                ),
                "text": ([text.encode() for text in table.TEXT],) * 2,
                "alt as ESC": (table.PREFIXED[::STEP],) * 2,
            }
            for keyboard, (mine, theirs) in keyboards.items():
                got = press(person.terminal, person.program, mine)
                wanted = reference.press(theirs)
                made += len(got)
                both = zip(mine, got, wanted, strict=True)
                wrong += [(mode, keyboard, key, own, tmux) for key, own, tmux in both if own != tmux]
            for key in table.ALONE[::STEP]:
                made += 1
                own = press_slowly(person.terminal, person.program, key)
                if own != (tmux := reference.press_slowly(key)):
                    wrong.append((mode, "alone", key, own, tmux))
    finally:
        reference.close()
    record(
        "key round trip through amtui on a terminal",
        "all equal to tmux attach",
        f"{made - len(wrong):,} of {made:,} equal",
        not wrong,
        conditions=f"{len(rows)} keys, local worker, kitty and legacy bytes",
    )
    assert not wrong, wrong[:20]


@pytest.mark.timeout(120)
def test_mouse_pastes_and_noise_all_the_way(person: Person) -> None:
    terminal, program = person.terminal, person.program
    person.sets(FULL_SCREEN + b"\x1b[?1003h\x1b[?1006h\x1b[?2004h")
    wheels = [table.sgr(code, 42, 13) for code in (64, 65, 66, 67, 80)]
    events = [table.sgr(0, 40, 12), table.sgr(0, 40, 12, "m"), table.sgr(35, 41, 14), *wheels]
    for code in (0, 1, 2, 8, 16, 24, 128, 131):
        events += [table.sgr(code, 44, 12), table.sgr(code + 32, 60, 5), table.sgr(code, 60, 5, "m")]
    got = press(terminal, program, events)
    first = re.fullmatch(rb"\x1b\[<0;(\d+);(\d+)M", got[0])
    assert first, got
    left, top = 40 - int(first[1]), 12 - int(first[2])
    assert left >= 0 and top >= 0
    for event, own in zip(events, got, strict=True):
        code, x, y, final = re.fullmatch(rb"\x1b\[<(\d+);(\d+);(\d+)(.)", event).groups()  # type: ignore[union-attr]
        assert own == table.sgr(int(code), int(x) - left, int(y) - top, final.decode()), event
    # bytes that are no text do not stop the keyboard; half a report is not typed
    assert press(terminal, program, [b"\xff\xfe\x80", b"\x1b[24;80R", b"\x1b]11;rgb:0/0/0\x07"]) == [b""] * 3
    hostile = b"one\x1b[31m\x03two\x1b\r\x1b[A"
    (pasted,) = press(terminal, program, [b"\x1b[200~" + hostile + b"\x1b[201~"])
    assert pasted == b"\x1b[200~one[31mtwo\r[A\x1b[201~"
    # ^] twice is ^]
    assert press(terminal, program, [b"\x1d\x1d", b"\x1b[93;5u\x1b[93;5u"]) == [b"\x1d"] * 2
