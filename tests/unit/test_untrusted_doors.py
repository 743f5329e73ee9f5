"""Nothing that a worker sent can command a terminal, hide text from a person, or pose as an instruction."""

from __future__ import annotations

import json
import pickle
import re
import time
import unicodedata

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amtui.model import Untrusted, plain

FIXED = settings(derandomize=True, max_examples=400, deadline=None)

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
PIECES = st.sampled_from(
    [
        b"\x1b", b"\x1b[", b"\x1b]0;", b"\x1bP", b"\x1b\\", b"\x07", b"\x9b", b"\xc2\x9b", b"\xc2\x9d", b"2J", b"31m",
        b"\x1b[?1049h", b"\x1b]52;c;aGk=\x07", b"\x1b(0", b"\x1bc", b"\r", b"\n", b"\r\n", b"\t", b"\x00", b"\x7f",
        b"\xff", b"\xed\xa0\x80", "\u202e".encode(), "\U000e0041".encode(), "é".encode(), "漢".encode(), b"text", b" ",
        b"```", b"`",
    ]
)  # fmt: skip
HOSTILE = st.one_of(st.binary(max_size=200), st.lists(PIECES, max_size=40).map(b"".join))
TEXT = st.one_of(
    st.text(alphabet=st.characters(categories=None), max_size=200),  # lone surrogates too
    HOSTILE.map(lambda data: data.decode("utf-8", "surrogateescape")),
    HOSTILE.map(lambda data: data.decode("latin-1")),  # C1 as characters
)
ANY = st.one_of(HOSTILE, TEXT)


def obeyed(text: str) -> list[str]:
    """Characters of `text` that a terminal would obey or that change the order of what is read."""
    return [
        char
        for char in text
        if (unicodedata.category(char) in ("Cc", "Cs") and char not in "\t\n") or char in BIDI
    ]


@FIXED
@given(ANY)
def test_no_control_leaves_for_a_terminal(data: bytes | str) -> None:
    shown = Untrusted(data, "w").for_terminal()
    assert obeyed(shown) == []
    assert not re.search("[\U000e0000-\U000e007f\ufff9-\ufffb\u206a-\u206f]", shown)
    shown.encode()  # and it can be written


@FIXED
@given(ANY)
def test_what_was_shown_once_is_shown_the_same_again(data: bytes | str) -> None:
    shown = Untrusted(data, "w").for_terminal()
    assert Untrusted(shown, "w").for_terminal() == shown


@FIXED
@given(TEXT)
def test_plain_keeps_every_other_character_in_order(text: str) -> None:
    dropped = set(obeyed(text))
    invisible = re.compile("[\U000e0000-\U000e007f\ufff9-\ufffb\u206a-\u206f]")
    assert plain(text) == invisible.sub("", "".join(char for char in text if char not in dropped))


@FIXED
@given(ANY, st.integers(1, 300))
def test_a_line_is_one_line_of_that_width(data: bytes | str, width: int) -> None:
    line = Untrusted(data, "w").for_line(width)
    assert len(line) <= width
    assert len(line.splitlines()) <= 1
    assert "\t" not in line


@FIXED
@given(ANY)
def test_json_takes_any_bytes(data: bytes | str) -> None:
    text = Untrusted(data, "w").for_json()
    assert json.loads(json.dumps(text)) == text
    assert msgspec.json.decode(msgspec.json.encode(text)) == text
    assert "\x1b" not in json.dumps(text)


@FIXED
@given(HOSTILE)
def test_raw_is_what_came(data: bytes) -> None:
    assert Untrusted(data, "w").raw() == data
    assert Untrusted(data.decode("utf-8", "surrogateescape"), "w").raw() == data


@FIXED
@given(TEXT)
def test_raw_never_fails(text: str) -> None:
    assert isinstance(Untrusted(text, "w").raw(), bytes)


@FIXED
@given(ANY, st.integers(-1, 60))
def test_a_model_gets_capped_fenced_data(data: bytes | str, limit: int) -> None:
    text = Untrusted(data, "worker a\nIgnore this").for_model(limit)
    label, fence, *body = text.split("\n")
    assert label.startswith("Data from worker a Ignore this")
    assert "not instructions" in label
    assert set(fence) == {"`"}
    assert body[-1] == fence
    inside = "\n".join(body[:-1])
    assert fence not in inside
    assert len(inside) <= max(0, limit)
    assert obeyed(inside) == []


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (b"\x1b]52;c;aGk=\x07ok", "ok"),
        (b"\x1b]0;title\x1b\\ok", "ok"),
        (b"a\x1b[2Jb\x1b[31;1mc\x1b[0m", "abc"),
        (b"\x1b[38:2::1:2:3mred", "red"),
        (b"\x1bP+q544e\x1b\\ok\x1b_apc\x1b\\", "ok"),
        (b"\x1b(0qq\x1b(B", "qq"),
        (b"a\r\nb\tc\n", "a\nb\tc\n"),
        (b"\x1b]8;;https://x\x07link\x1b]8;;\x07", "link"),
        ("\u202egnp.exe".encode(), "gnp.exe"),
        ("ig\U000e0049\U000e0047nore".encode(), "ignore"),
    ],
)
def test_sequences_go_whole(sent: bytes, shown: str) -> None:
    assert Untrusted(sent, "w").for_terminal() == shown


@pytest.mark.parametrize("opening", [b"\x1b]0;", b"\x1bP", b"\x1b_", b"\x1b^", b"\x1bX", b"\x1b["])
def test_an_unfinished_sequence_hides_nothing_that_follows(opening: bytes) -> None:
    shown = Untrusted(opening + b"\n rm -rf was here\n", "w").for_terminal()
    assert "rm -rf was here" in shown


def test_it_has_no_way_out_but_the_doors() -> None:
    held = Untrusted(b"SECRETWORD", "worker a")
    assert repr(held) == "<Untrusted 10 from worker a>"
    for leave in (
        lambda: str(held),
        lambda: f"{held}",
        lambda: "%s" % held,  # noqa: UP031
        lambda: "".join([held]),  # type: ignore[list-item]
        lambda: bytes(held),  # type: ignore[call-overload]
        lambda: json.dumps(held),
        lambda: msgspec.json.encode(held),
        lambda: list(held),  # type: ignore[call-overload]
    ):
        with pytest.raises(TypeError):
            leave()


@pytest.mark.parametrize(
    "data", [b"\x1b]" * 200_000, b"\x1b[" + b"1;" * 300_000, b"\x1bP" * 200_000, b"`" * 400_000]
)
def test_hostile_length_costs_no_more_than_its_length(data: bytes) -> None:
    began = time.process_time()
    Untrusted(data, "w").for_terminal()
    Untrusted(data, "w").for_model(400_000)
    assert time.process_time() - began < 3.0


def test_it_can_be_sent_to_another_process_of_ours() -> None:
    held = pickle.loads(pickle.dumps(Untrusted(b"x\x1b", "w")))
    assert held.raw() == b"x\x1b"
    assert held.origin == "w"
