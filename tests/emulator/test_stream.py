"""Feeding: cut anywhere, hostile, bounded, silent. None of this needs tmux."""

from __future__ import annotations

import random
import sys
import time
import unicodedata

import pytest
import wilder
from oracle import flags_of, glyphs_of
from probes import PROBES
from sequences import output

from amtui.emulator import DEFAULT, Screen, Stream

CONTROLS = {"Cc", "Zl", "Zp"}


def fed(data: bytes, columns: int = 20, lines: int = 6) -> tuple[Screen, Stream]:
    screen = Screen(columns, lines)
    stream = Stream(screen)
    stream.feed(data)
    return screen, stream


def everything(screen: Screen) -> object:
    rows = [*screen.history, *screen.rows, *(screen.main or [])]
    return [(glyphs_of(row), row.wrapped) for row in rows], flags_of(screen), screen.title, screen.cursor.attr


def harmful(text: str) -> list[str]:
    return [char for char in text if unicodedata.category(char) in CONTROLS or "\u202a" <= char <= "\u202e"]


SPLIT = [data for _, data in PROBES] + [
    b"".join(output(("split", seed), 150, 20, 6, wide=True)) for seed in range(20)
]
SPLIT += [b"".join(wilder.output(kind, seed, 60)[1]) for kind in wilder.KINDS for seed in range(8)]


@pytest.mark.parametrize("seed", range(3))
def test_where_the_bytes_are_cut_makes_no_difference(seed: int) -> None:
    chance = random.Random(seed)
    for data in SPLIT:
        whole, _ = fed(data)
        pieces = Screen(20, 6)
        stream = Stream(pieces)
        at = 0
        while at < len(data):
            size = 1 if seed == 0 else chance.randint(1, 40)
            stream.feed(data[at : at + size])
            at += size
        assert everything(pieces) == everything(whole), data


def hostile() -> dict[str, bytes]:
    chance = random.Random(7)
    size = 65_536
    plain = {
        "unterminated OSC": b"\x1b]0;" + b"A" * size,
        "unterminated DCS": b"\x1bP" + b"A" * size,
        "digits": b"\x1b[" + b"9" * size + b"m",
        "parameters": b"\x1b[" + b"1;" * (size // 2) + b"m",
        "combining": b"e" + "\u0301".encode() * (size // 2),
        "joiners": "👨\u200d".encode() * (size // 7),
        "random": chance.randbytes(size),
        "colours": b"".join(b"\x1b[38;2;%d;%d;%dm." % (n & 255, n >> 8 & 255, n >> 16) for n in range(3600)),
    }
    repeated = {
        "save": b"\x1b7",
        "insert lines": b"\x1b[9999L",
        "scroll up": b"\x1b[9999S",
        "scroll down": b"\x1b[9999T",
        "insert": b"\x1b[9999@",
        "delete": b"\x1b[9999P",
        "repeat": b"a\x1b[99999999b",
        "132 columns": b"\x1b[?3h\x1b[?3l",
        "alignment": b"\x1b#8",
        "clear": b"\x1b[2J",
        "alternate": b"\x1b[?1049h\x1b[?1049l",
        "OSC starts": b"\x1b]",
        "escapes": b"\x1b",
        "tabs": b"\x1bH\t",
        "back tabs": b"\x1b[1;80H\x1b[3g\x1b[9999Z",
        "titles": b"\x1b]0;title\x07",
        "links": b"\x1b]8;;http://x/\x07",
        "line feeds": b"\n",
        "reverse": b"\x1bM",
        "bells": b"\x07",
        "title stack": b"\x1b[22;0t",
        "long lines": b"x" * 500 + b"\r\n",
    }
    return plain | {name: data * (size // len(data)) for name, data in repeated.items()}


def cpu(data: bytes, chunk: int = 4096) -> float:
    """Seconds of CPU time for feeding `data`."""
    screen = Screen(80, 24)
    stream = Stream(screen)
    start = time.process_time()
    for at in range(0, len(data), chunk):
        stream.feed(data[at : at + chunk])
    return time.process_time() - start


@pytest.fixture(scope="module")
def allowed() -> float:
    """CPU time of thirty chunks of ordinary coloured output."""
    line = b"\x1b[32mok\x1b[0m %05d a line of an ordinary log \x1b[2mwith some colour\x1b[0m in it\r\n"
    chunk = b"".join(line % n for n in range(1000))[:65_536]
    return 30 * min(cpu(chunk) for _ in range(3))


@pytest.mark.parametrize("name", hostile())
def test_hostile_bytes_cost_little(name: str, allowed: float) -> None:
    data = hostile()[name]
    assert min(cpu(data) for _ in range(2)) < allowed


@pytest.mark.parametrize("name", hostile())
def test_hostile_bytes_end_with_a_working_screen(name: str) -> None:
    screen, stream = fed(hostile()[name], 80, 24)
    stream.feed(b"\x18\x1b\\\x1bchello")
    assert screen.display[0].rstrip() == "hello"


@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_ever_raised(seed: int) -> None:
    chance = random.Random(seed)
    known = [data for _, data in PROBES]
    screen, stream = fed(b"")
    for _ in range(300):
        piece = bytearray(chance.choice(known))
        for _ in range(chance.randint(0, 3)):
            piece[chance.randrange(len(piece))] = chance.randrange(256)
        stream.feed(bytes(piece))
        if chance.random() < 0.05:
            screen.resize(chance.randint(1, 12), chance.randint(1, 40))
        assert all(len(row.chars) == len(row.attrs) == screen.columns for row in screen.rows)
        assert len(screen.rows) == screen.lines
        assert 0 <= screen.cursor.y < screen.lines
        assert 0 <= screen.cursor.x <= screen.columns


@pytest.mark.parametrize("seed", range(8))
def test_no_control_character_is_shown(seed: int) -> None:
    data = b"".join(output(("shown", seed), 300, 20, 6, wide=True)) + "\u202e\u2028x\u200ey\x85".encode()
    screen, _ = fed(data + random.Random(seed).randbytes(3000))
    for row in [*screen.history, *screen.rows]:
        assert sum(cells for _, _, cells in row.runs()) == screen.columns
        for text, _, _ in row.runs():
            assert not harmful(text)
    assert not harmful("".join(screen.display))
    assert not harmful(screen.title)


def test_what_is_kept_is_bounded() -> None:
    screen, stream = fed(b"")
    stream.feed(b"\x1b]0;" + b"t" * 100_000 + b"\x07")
    assert len(screen.title) == 256
    stream.feed(b"\x1b]0;" + b"t" * 100_000)
    stream.feed(b"\x1b[" * 5 + b"1" * 100_000)
    stream.feed(b"\x1bP" + b"x" * 100_000)
    held = sum(sys.getsizeof(value) for value in vars(stream).values() if isinstance(value, str | bytes))
    assert held < 10_000
    stream.feed(b"\x1b\\e" + "\u0301".encode() * 1000)
    assert max(len(char.encode()) for row in screen.rows for char in row.chars) <= 21
    for n in range(20_000):
        stream.feed(b"\x1b[38;2;%d;%d;%dm\x1b[%d;%dH" % (n & 255, n >> 8, n % 7, n % 99, n))
    assert len(screen.pens._pens) <= screen.pens.LIMIT + 1
    assert len(stream._known) <= 4096
    stream.feed(b"\r\n" * 20_000)
    assert len(screen.history) == screen.history.limit == 5000


def test_a_title_is_cleaned() -> None:
    screen, stream = fed("\x1b]2;a\u200eb\u200fc\u061cd\x1b\\".encode())
    assert screen.title == "abcd"
    for unprintable in ("\u2028", "\x85", "\x7f"):
        stream.feed(f"\x1b]2;new{unprintable}\x1b\\".encode())
        assert screen.title == "abcd"
    stream.feed(b"\x1b]2;new\xe6\xbc\x1b\\")  # half a character
    assert screen.title == "abcd"


def test_no_reply_is_ever_written(monkeypatch: pytest.MonkeyPatch) -> None:
    replies: list[str] = []
    monkeypatch.setattr(Screen, "write_process_input", lambda self, data: replies.append(data))
    fed(
        b"\x1b[c\x1b[>c\x1b[=c\x1b[5n\x1b[6n\x1b[?6n\x1b[18t\x1b[>q\x1b[?2026$p\x1b]10;?\x07\x1b]52;c;?\x07\x1bP$qm\x1b\\\x05"
    )
    assert replies == []


def test_callbacks_are_off_and_their_errors_stay_here() -> None:
    screen = Screen(20, 6)
    stream = Stream(screen)
    stream.feed(b"\x07\x1b]9;hello\x07\x1b]52;c;aGk=\x07")
    heard: list[object] = []
    screen.on_bell = lambda: heard.append("bell")
    screen.on_osc = lambda number, text: heard.append((number, text))
    stream.feed(
        b'\x07\x1b]9;hel\x1blo\x07\x1b]9;hello\x07\x1b]777;notify;t;b\x1b\\\x1b]7501;{"a":1}\x07\x1b]52;c;aGk=\x07\x1b]0;t\x07'
    )
    assert heard == ["bell", (9, "hel"), "bell", (9, "hello"), (777, "notify;t;b"), (7501, '{"a":1}')]
    screen.on_clipboard = lambda selection, data: heard.append((selection, data))
    stream.feed(b"\x1b]52;c;?\x07\x1b]52;c;" + b"QUJD" * 5000 + b"\x07")
    assert heard[-1] == ("c", "QUJD" * 5000)
    assert len(heard) == 7

    def broken() -> None:
        raise ValueError("callback")

    screen.on_bell = broken
    stream.feed(b"\x07still here")
    assert "still here" in "".join(screen.display)


def test_a_string_that_never_ends_is_given_up_after_five_seconds() -> None:
    now = [0.0]
    screen = Screen(20, 6)
    stream = Stream(screen, clock=lambda: now[0])
    stream.feed(b"a\x1b]0;never")
    stream.feed(b" ends")
    now[0] = 5.1
    stream.feed(b"back")
    assert screen.display[0].rstrip() == "aback"


def test_links_are_kept_on_the_cells() -> None:
    screen, _ = fed(b"\x1b]8;id=7;https://example.org/\x1b\\L\x1b[1mM\x1b[0mN\x1b]8;;\x1b\\O")
    links = [attr.link for attr in screen.row(0).attrs[:4]]
    assert links == [("7", "https://example.org/")] * 3 + [None]
    assert screen.row(0).attrs[3] == DEFAULT


def test_a_stream_wants_our_screen() -> None:
    import pyte

    with pytest.raises(TypeError):
        Stream(pyte.Screen(80, 24))  # type: ignore[arg-type]
