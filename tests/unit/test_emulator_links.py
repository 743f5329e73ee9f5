"""Links in a console: found over wraps, and checked as what they are, hostile data."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amtui.emulator import Screen, Stream, lines
from amtui.emulator.lines import Place
from amtui.emulator.links import Link, UnsafeLink, link_at, links, target


def fed(data: str, columns: int = 40, rows: int = 8) -> Screen:
    screen = Screen(columns=columns, lines=rows, history=100)
    Stream(screen).feed(data.encode())
    return screen


def osc8(address: str, text: str, name: str = "") -> str:
    return f"\x1b]8;{f'id={name}' if name else ''};{address}\x1b\\{text}\x1b]8;;\x1b\\"


def found(screen: Screen) -> list[str]:
    return [link.address for link in links(screen, lines.first(screen), lines.end(screen))]


@pytest.mark.parametrize(
    ("said", "addresses"),
    [
        ("see https://a.example/x, or", ["https://a.example/x"]),
        ("(https://a.example/x_(y))", ["https://a.example/x_(y)"]),
        ("<https://a.example/?a=b&c=d#e>.", ["https://a.example/?a=b&c=d#e"]),
        ("[x](http://a.example).", ["http://a.example"]),
        ("HTTPS://A.example/", ["HTTPS://A.example/"]),
        ("mailto:me@a.example!", ["mailto:me@a.example"]),
        ("ftp://a.example file:///etc/passwd javascript:alert(1)", []),
        ("https://a.example https://a.example", ["https://a.example"]),
        ("xhttps://a.example http://", []),
    ],
)
def test_addresses_written_out(said: str, addresses: list[str]) -> None:
    assert found(fed(said, columns=100)) == addresses


def test_an_address_that_wrapped_is_one_from_every_row_of_it() -> None:
    screen = fed("x" * 30 + " https://a.example/" + "path/" * 12 + " end")
    whole = "https://a.example/" + "path/" * 12
    assert found(screen) == [whole]
    for place in (Place(0, 35), Place(1, 0), Place(2, 3)):
        link = link_at(screen, place)
        assert link is not None and link.address == whole
    assert link_at(screen, Place(0, 5)) is None


def test_marked_links_with_their_text_and_over_a_wrap() -> None:
    screen = fed(
        "y" * 35 + osc8("https://a.example/1", "the first one") + " " + osc8("https://b.example", "b")
    )
    first, second = links(screen, 0, 8)
    assert (first.address, first.text) == ("https://a.example/1", "the first one")
    assert [s.row for s in first.stretches] == [0, 1]
    assert second.address == "https://b.example"
    assert link_at(screen, Place(1, 2)) == first


def test_a_marked_link_counts_before_the_address_it_shows() -> None:
    screen = fed(osc8("https://evil.example", "https://bank.example"))
    (link,) = links(screen, 0, 8)
    assert link.address == "https://evil.example"
    real = target(link)
    assert real.host == "evil.example"
    assert real.warnings == ("the text names another host: bank.example",)


def plain(address: str, text: str = "") -> Link:
    return Link(address, text or address, ())


@pytest.mark.parametrize(
    ("address", "opened", "host", "warned"),
    [
        ("https://a.example/x?y=1#z", "https://a.example/x?y=1#z", "a.example", ""),
        ("HTTP://A.Example:8080", "http://a.example:8080", "a.example", ""),
        (
            "https://bücher.example/ü",
            "https://xn--bcher-kva.example/%C3%BC",
            "xn--bcher-kva.example",
            "other letters",
        ),
        ("https://аpple.example", "https://xn--pple-43d.example", "xn--pple-43d.example", "other letters"),
        ("https://xn--pple-43d.example", "https://xn--pple-43d.example", "xn--pple-43d.example", "xn--"),
        (
            "https://bank.example@evil.example/",
            "https://bank.example@evil.example/",
            "evil.example",
            "before the @",
        ),
        ("http://[::1]:80/", "http://[::1]:80/", "::1", ""),
        ("https://a.example/%2e%2e", "https://a.example/%2e%2e", "a.example", ""),
        (
            "mailto:me@a.example?subject=hi",
            "mailto:me@a.example?subject=hi",
            "a.example",
            "already be written",
        ),
    ],
)
def test_an_address_is_shown_as_it_would_be_opened(address: str, opened: str, host: str, warned: str) -> None:
    real = target(plain(address))
    assert (real.address, real.host) == (opened, host)
    assert any(warned in each for each in real.warnings) if warned else not real.warnings


@pytest.mark.parametrize(
    "address",
    [
        "", "javascript:alert(1)", "file:///etc/passwd", "data:text/html,x", "vscode://x", "ssh://-oProxyCommand=x",
        "https://", "https:///path", "https://a b.example", "https://a.example/\x1b]0;x", "https://a.example/\u202egpj",
        "https://a.example\\@b.example", "https://a.example:99999", "https://[::1", "https://-a.example/", "--help",
        "https://a.example/" + "x" * 3000, "mailto:nobody", "mailto:a@b.example?attach=/etc/passwd", "https://a\u200b.example",
    ],
)  # fmt: skip
def test_what_is_not_opened(address: str) -> None:
    with pytest.raises(UnsafeLink) as caught:
        target(plain(address))
    assert str(caught.value)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=40), st.text(max_size=40).map(lambda t: "https://" + t)))
def test_an_address_is_safe_or_refused(address: str) -> None:
    try:
        real = target(plain(address, "text"))
    except UnsafeLink:
        return
    assert real.address.isascii() and real.address.isprintable() and " " not in real.address
    assert real.address.split(":")[0] in ("http", "https", "mailto")


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=80))
def test_any_text_can_be_looked_through(text: str) -> None:
    screen = fed(text.replace("\n", "\r\n") + "https://a.example", columns=13)
    for link in links(screen, 0, lines.end(screen)):
        assert link.stretches
        assert link_at(screen, Place(link.stretches[0].row, link.stretches[0].start)) is not None
