"""Every key and mouse event of the table: what a program in a pane gets from a person attached to tmux, and from us.

The reference is real: the terminal's bytes go through `tmux attach` on a pseudo-terminal. Ours go through the parser
of the driver and the encoder, as `ConsoleView` joins them; tests/e2e/test_real_keys.py takes the whole road once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import keytable as table
import pytest
from attached import Attached
from figures import record
from textual import events
from textual.message import Message
from textual.messages import TerminalSupportsSynchronizedOutput

from amtui.emulator import Modes, Screen, Stream, keys, mouse
from amtui.widgets.keyboard import HostParser, key_of


@pytest.fixture(scope="module")
def attached(tmux_path: str) -> Iterator[Attached]:
    """A person at an xterm, attached to tmux."""
    it = Attached(tmux_path)
    yield it
    it.close()


def modes_after(data: bytes) -> Modes:
    """The modes that a program has set with `data`."""
    screen = Screen(20, 6)
    Stream(screen).feed(data)
    return screen.modes


def sent(found: Iterable[Message], modes: Modes) -> bytes:
    """What the program gets for these messages."""
    out = b""
    for message in found:
        if isinstance(message, events.Key):
            key = key_of(message)
            assert key is not None
            out += keys.bytes_of(key, modes) or b""
        elif isinstance(message, events.MouseEvent):
            kind = type(message).__name__.removeprefix("Mouse")
            kind = {"Down": "down", "Up": "up", "Move": "move"}.get(kind) or f"scroll_{kind[6:].lower()}"
            flags = (("shift", message.shift), ("alt", message.meta), ("ctrl", message.ctrl))
            held = [name for name, on in flags if on]
            x, y = int(message.x), int(message.y)
            out += mouse.encode(kind, message.button, x, y, held, modes) or b""
        elif not isinstance(message, TerminalSupportsSynchronizedOutput):
            raise AssertionError(f"{message!r} is neither key nor mouse")
    return out


def ours(data: bytes, modes: Modes, term: str = "xterm-256color") -> bytes:
    """What the program gets from us when the terminal sends `data` and then nothing."""
    parser = HostParser(term)
    return sent([*parser.feed(data), *parser.expire()], modes)


class Tally:
    """Comparisons made and differences found."""

    def __init__(self) -> None:
        self.made = 0
        self.wrong: list[tuple[object, ...]] = []

    def compare(self, what: object, data: bytes, theirs: bytes, own: bytes) -> None:
        self.made += 1
        if theirs != own:
            self.wrong.append((what, data, "tmux", theirs, "ours", own))

    def judge(self, name: str, conditions: str) -> None:
        """Record the figure, and fail on any difference."""
        equal = self.made - len(self.wrong)
        record(
            name,
            "all equal to tmux attach",
            f"{equal:,} of {self.made:,} equal",
            not self.wrong,
            conditions=conditions,
        )
        assert not self.wrong, self.wrong[:20]


@pytest.mark.prove
def test_every_key_in_every_mode(attached: Attached) -> None:
    tally = Tally()
    for mode, setting in table.PROGRAM_MODES.items():
        modes = modes_after(setting)
        attached.program.sets(setting)
        legacy = attached.press([row.legacy for row in table.ROWS])
        # a program that asked for extended keys gets from a kitty keyboard what it gets from xterm's modifyOtherKeys
        other = (
            attached.press([row.other or row.legacy for row in table.ROWS])
            if modes.modify_other_keys
            else legacy
        )
        for row, first, second in zip(table.ROWS, legacy, other, strict=True):
            tally.compare((mode, row.name, "legacy"), row.legacy, first, ours(row.legacy, modes))
            tally.compare((mode, row.name, "kitty"), row.kitty, second, ours(row.kitty, modes))
            if row.other and modes.modify_other_keys:
                tally.compare((mode, row.name, "modifyOtherKeys"), row.other, second, ours(row.other, modes))
        for data, theirs in zip(table.PREFIXED, attached.press(table.PREFIXED), strict=True):
            tally.compare((mode, "alt as ESC"), data, theirs, ours(data, modes))
        texts = [text.encode() for text in table.TEXT]
        for data, theirs in zip(texts, attached.press(texts), strict=True):
            tally.compare((mode, "text"), data, theirs, ours(data, modes))
        for data in table.ALONE:
            tally.compare((mode, "alone"), data, attached.press_slowly(data), ours(data, modes))
        for data in table.NOTHING:
            tally.compare((mode, "no key"), data, b"", ours(data, modes))
    assert tally.made > 11_900
    tally.judge(
        "key round trip", f"{len(table.ROWS)} keys, {len(table.PROGRAM_MODES)} program modes, three keyboards"
    )


@pytest.mark.prove
def test_every_terminal(tmux_path: str) -> None:
    tally = Tally()
    for term, data in table.TERMINALS.items():
        person = Attached(tmux_path, term=term)
        try:
            for mode in ("plain", "everything"):
                modes = modes_after(table.PROGRAM_MODES[mode])
                person.program.sets(table.PROGRAM_MODES[mode])
                for key, theirs in zip(data, person.press(data), strict=True):
                    tally.compare((term, mode), key, theirs, ours(key, modes, term))
        finally:
            person.close()
    tally.judge("key round trip, terminals", ", ".join(table.TERMINALS))


@pytest.mark.prove
def test_every_mouse_event_in_every_mode(tmux_path: str) -> None:
    tally = Tally()
    person = Attached(tmux_path, table.COLUMNS, table.LINES)
    try:
        for mode, setting in table.MOUSE_MODES.items():
            modes = modes_after(setting)
            person.program.sets(setting)
            gestures = [*table.GESTURES, *(table.OLD_MOUSE if not modes.mouse_sgr else [])]
            theirs = iter(person.press([data for gesture in gestures for data in gesture]))
            for gesture in gestures:
                parser = HostParser()
                for data in gesture:
                    tally.compare(mode, data, next(theirs), sent(parser.feed(data), modes))
    finally:
        person.close()
    tally.judge(
        "mouse round trip", f"{table.COLUMNS} × {table.LINES} cells, {len(table.MOUSE_MODES)} mouse modes"
    )


def test_where_we_part_from_tmux_on_purpose(tmux_path: str) -> None:
    for part in table.PARTINGS:
        assert ours(part.sent, modes_after(part.setting)) == part.ours, part
    person = Attached(tmux_path)
    try:
        for part in table.PARTINGS:
            person.program.sets(part.setting)
            assert person.press([part.sent]) == [part.tmux], part
    finally:
        person.close()


def test_an_old_terminals_mouse_is_told_in_the_programs_form() -> None:
    """tmux falls back to the old form, which cannot tell cells beyond 223; we know which button was held."""
    modes = modes_after(b"\x1b[?1002h\x1b[?1006h")
    parser = HostParser()
    gesture = [b'\x1b[M"&&', b"\x1b[MB'&", b"\x1b[M#'&", b"\x1b[M`\xe0\xe0", b"\x1b[34;150;30M"]
    told = [sent(parser.feed(data), modes) for data in gesture]
    assert told == [
        b"\x1b[<2;6;6M",
        b"\x1b[<34;7;6M",
        b"\x1b[<2;7;6m",
        b"\x1b[<64;192;192M",
        b"\x1b[<2;150;30M",
    ]


def test_pieces_of_a_key_are_that_key() -> None:
    modes = modes_after(table.PROGRAM_MODES["plain"])
    every = {data for row in table.ROWS for data in (row.legacy, row.kitty, row.other) if len(data) > 1}
    every |= {text.encode() for text in table.TEXT} | {data for gesture in table.GESTURES for data in gesture}
    for data in sorted(every):
        whole = ours(data, modes)
        parser = HostParser()
        found: list[Message] = []
        for at in range(len(data)):
            assert not at or parser.patience or not data.startswith(b"\x1b"), (
                f"{data!r} is not waited for at {at}"
            )
            found += parser.feed(data[at : at + 1])
        assert sent([*found, *parser.expire()], modes) == whole, data


def test_a_key_cut_by_a_long_silence(attached: Attached) -> None:
    """ESC, silence, and then the rest: the Escape key and what was typed after it, as in tmux."""
    attached.program.sets(b"")
    modes = modes_after(b"")
    for pieces in [
        (b"\x1b", b"[A"),
        (b"\x1b", b"OP"),
        (b"\x1b", b"x"),
        (b"\x1b[", b"A"),
        (b"\x1b", b"\x1b"),
        (b"\x1bO", b"A"),
    ]:
        parser = HostParser()
        found = []
        for piece in pieces:
            found += [*parser.feed(piece), *parser.expire()]
        assert sent(found, modes) == attached.press_slowly(*pieces)
        first = HostParser()
        assert [*first.feed(pieces[0]), *first.expire()], "the first piece is a key of its own"


def test_what_only_a_terminal_can_have_begun_is_never_typed() -> None:
    """Half a mouse report, half an answer, a sequence that nobody knows: tmux types some of these into the program."""
    modes = modes_after(b"")
    for data in (
        b"\x1b[<35;1", b"\x1b[1;", b"\x1b[M ", b"\x1b]11;rgb:00", b"\x1bP1$r", b"\x1b[?2026;2", b"\x1b[97;;9",
        b"\x1b[?1;2c", b"\x1b[>0;276;0c", b"\x1b[0n", b"\x1b[24;80R", b"\x1b]10;rgb:1/2/3\x1b\\", b"\x1bP>|name\x1b\\",
        b"\xe2\x82", b"\x1b_Gi=1;OK\x1b\\", b"\x1b[8;24;80t", b"\x1b[?62;c", b"\x1b[>1u", b"\x1b[?25u", b"\x1b[<0;0;0M",
        b"\xff\xfe", b"\xc2\x9b", b"\x1b[" + b"9" * 20_000 + b"u", b"\x1b]52;c;" + b"A" * 20_000 + b"\x07",
    ):  # fmt: skip
        parser = HostParser()
        found = [*parser.feed(data), *parser.expire()]
        assert not [each for each in found if isinstance(each, events.Key)], data
        assert sent(parser.feed(b"x"), modes) == b"x", f"the key after {data!r} is lost"


def pasted(parser: HostParser, *pieces: bytes) -> list[str]:
    """The pastes in what a terminal sent; anything else fails."""
    out = []
    for piece in pieces:
        for message in [*parser.feed(piece), *parser.expire()]:
            assert isinstance(message, events.Paste), f"{message!r} came out of a paste"
            out.append(message.text)
    return out


def test_nothing_in_a_paste_is_a_key(attached: Attached) -> None:
    hostile = "rm -rf\r\x1b[31mred\x1b[0m\x1b\r\x03\x1b[A\x1b[<0;1;1M\x1b]0;x\x07\x1b[200~ again é👩‍👧"
    data = b"\x1b[200~" + hostile.encode() + b"\x1b[201~"
    assert pasted(HostParser(), data) == [hostile]
    start = len(b"\x1b[200~")
    slowly = (data[at : at + 1] for at in range(start, len(data)))
    assert pasted(HostParser(), data[:start], *slowly) == [hostile]
    assert pasted(HostParser(), data[:12], data[12:-3], data[-3:]) == [hostile]
    # what the terminal lets through after the end of the paste is typed, in tmux and here
    parser = HostParser()
    first, *keys_after = parser.feed(b"\x1b[200~a\x1b[201~b")
    assert isinstance(first, events.Paste)
    assert sent(keys_after, modes_after(b"")) == b"b"
    # text without control characters reaches the program as through tmux
    attached.program.sets(b"\x1b[?2004h")
    text = "naïve café 日本語 👩‍👧\tand tab"
    (theirs,) = attached.press([b"\x1b[200~" + text.encode() + b"\x1b[201~"])
    assert theirs == b"\x1b[200~" + mouse.paste_bytes(text) + b"\x1b[201~"


def test_focus_is_told_as_tmux_tells_it(attached: Attached) -> None:
    attached.program.sets(b"\x1b[?1004h")
    out, back = attached.press([b"\x1b[O", b"\x1b[I"])
    assert out + back == b"\x1b[O\x1b[I"
    found = HostParser().feed(b"\x1b[O\x1b[I")
    assert [type(each) for each in found] == [events.AppBlur, events.AppFocus]
