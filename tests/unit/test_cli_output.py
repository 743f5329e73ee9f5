"""What may leave through stdout, to whom, and in which shape."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from amtui.cli.output import Output, TerminalFilter
from amtui.model import Untrusted
from amtui.ops.base import Chunk, Result

HOSTILE = {
    "clipboard": b"a\x1b]52;c;cm0gLXJmIC8=\x07b",
    "title": b"a\x1b]0;title\x1b\\b",
    "clear": b"a\x1b[2Jb",
    "query": b"a\x1b[>0;276cb",
    "device control": b"a\x1bP+q544e\x1b\\b",
    "application": b"a\x1b_hidden\x1b\\b",
    "charset": b"a\x1b(0b",
    "reset": b"a\x1bcb",
    "one byte CSI": "a\x9b2Jb".encode(),
    "one byte OSC": "a\x9d52;c;cm0=\x9cb".encode(),
    "one after another": b"a\x1b]0;x\x07\x1b]52;c;cm0=\x07\x07b",
    "cancelled": b"a\x1b]0;x\x18b",
    "control inside CSI": b"a\x1b[2\x08Jb",
    "bell and backspace": b"a\x07\x08b",
}
ALLOWED = {"\n", "\t"}


def filtered(*pieces: bytes) -> str:
    """Pieces as they come from the network, through one filter."""
    through = TerminalFilter()
    return "".join(through.feed(piece) for piece in pieces) + through.feed(b"", final=True)


def is_harmless(text: str) -> bool:
    return all(char.isprintable() or char in ALLOWED or char >= "\xa0" for char in text)


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_nothing_that_a_terminal_obeys_gets_through(data: bytes) -> None:
    assert filtered(data) == "ab"


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_cuts_do_not_matter(data: bytes) -> None:
    for cut in range(len(data) + 1):
        assert filtered(data[:cut], data[cut:]) == "ab"
    assert filtered(*(bytes([byte]) for byte in data)) == "ab"


NOISE = st.lists(
    st.one_of(
        st.sampled_from([b"\x1b", b"[", b"]", b"P", b"\\", b"\x07", b"\x9b", b"\xc2", b"\x18", b"2J", b"0;", b"\n"]),
        st.binary(max_size=6),
        st.text(max_size=4).map(lambda text: text.encode("utf-8", "replace")),
    ),
    max_size=40,
)  # fmt: skip


@given(NOISE)
def test_any_bytes_in_any_pieces(pieces: list[bytes]) -> None:
    out = filtered(*pieces)
    assert out == filtered(b"".join(pieces))
    assert is_harmless(out)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=200))
def test_plain_text_is_left_alone_as_everywhere_else(text: str) -> None:
    assert filtered(text.encode()) == Untrusted(text, "test").for_terminal()


@pytest.mark.parametrize(
    "data", [b"a\x1b]0;shown", b"a\x1b]0;sho\x1b[2Jwn", b"a\x1b]0;shown\x1b]52;c;cm0=\x07", b"a\x1bP0;shown"]
)
def test_an_unfinished_control_string_hides_nothing(data: bytes) -> None:
    assert filtered(data) == "a0;shown"
    assert Untrusted(data, "test").for_terminal() == "a0;shown"


def test_an_endless_control_string_is_neither_kept_nor_hidden() -> None:
    through = TerminalFilter()
    assert through.feed(b"a\x1b]52;c;") == "a"
    assert sum(len(through.feed(b"A" * 10_000)) for _ in range(100)) > 900_000
    assert through.feed(b"\x07b") == "b"


class Streams:
    """An `Output` and what it wrote."""

    def __init__(self, *, terminal: bool = False, json: bool = False, raw: bool = False) -> None:
        self.stdout, self.stderr = io.BytesIO(), io.BytesIO()
        self.output = Output(
            json=json, raw=raw, stdout=self.stdout, stderr=self.stderr, terminals=(terminal, terminal)
        )

    @property
    def document(self) -> object:
        return json.loads(self.stdout.getvalue())


def test_a_terminal_gets_filtered_chunks_and_each_stream_has_its_own_state() -> None:
    streams = Streams(terminal=True)
    for chunk in (Chunk(b"a\x1b]0;"), Chunk(b"err\x1b]", "stderr"), Chunk(b"x\x07b"), Chunk(b"or", "stderr")):
        streams.output.chunk(chunk)
    assert streams.stdout.getvalue() == b"ab"
    assert streams.stderr.getvalue() == b"err"
    streams.output.finish()
    assert streams.stdout.getvalue() == b"ab"
    assert streams.stderr.getvalue() == b"error"


@pytest.mark.parametrize(("terminal", "raw"), [(False, False), (True, True), (False, True)])
def test_programs_and_raw_get_every_byte(terminal: bool, raw: bool) -> None:
    streams = Streams(terminal=terminal, raw=raw)
    every = bytes(range(256))
    streams.output.chunk(Chunk(every))
    streams.output.result(Result(raw=b"\x1b[2J", text="never"))
    assert streams.stdout.getvalue() == every + b"\x1b[2J"


def test_a_terminal_gets_the_text_of_a_result_not_its_bytes() -> None:
    streams = Streams(terminal=True)
    streams.output.result(Result(raw=b"\x1b[2J", text="shown \x1b[2J"))
    assert streams.stdout.getvalue() == b"shown \n"


class Fact(Struct):
    name: str


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"schema": 1, "workers": []}, {"schema": 1, "workers": []}),
        ({"workers": []}, {"schema": 1, "workers": []}),
        (Fact("a"), {"schema": 1, "name": "a"}),
        ([Fact("a")], {"schema": 1, "data": [{"name": "a"}]}),
        (None, {"schema": 1}),
        ({"$schema": "https://json-schema.org/"}, {"$schema": "https://json-schema.org/"}),
    ],
)
def test_every_document_has_a_schema(data: object, expected: object) -> None:
    streams = Streams(json=True)
    streams.output.chunk(Chunk(b"not in a document"))
    streams.output.result(Result(data, text="not this"))
    assert streams.document == expected


def test_what_goes_on_and_on_is_a_line_of_json_each() -> None:
    streams = Streams(json=True)
    for name in "ab":
        streams.output.chunk(Chunk(b"text", record=Fact(name)))
    assert [json.loads(line) for line in streams.stdout.getvalue().splitlines()] == [
        {"schema": 1, "name": "a"},
        {"schema": 1, "name": "b"},
    ]


def test_an_error_is_a_document_for_programs_only() -> None:
    program, person = Streams(json=True), Streams()
    for streams in (program, person):
        streams.output.error("no worker a", "amtui ls", 3)
    assert program.document == {
        "schema": 1,
        "error": {"message": "no worker a", "hint": "amtui ls", "exit_code": 3},
    }
    assert person.stdout.getvalue() == b""
