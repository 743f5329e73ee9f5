"""However a base URL was pasted, it is stored in one spelling, and a key inside it is refused without being shown."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amtui.errors import UsageError
from amtui.upstreams import in_clear, loopback, normalise

FIXED = settings(derandomize=True, max_examples=500, deadline=None)

HOSTS = st.sampled_from(["api.example.com", "localhost", "127.0.0.1", "[::1]", "a-b.c_d.example", "x"])
PORTS = st.sampled_from(["", ":8080", ":1", ":65535"])
STEPS = st.lists(st.sampled_from(["api", "v2", "v1beta", "openai", "v1x", "messages2"]), max_size=3)
TAILS = st.sampled_from(
    [
        "", "/", "//", "/v1", "/v1/", "/v1//", "/v1/v1", "/v1/messages", "/v1/chat/completions/", "/v1/responses",
        "/messages", "/v1/messages/v1/", "/v1/responses/v1/chat/completions",
    ]
)  # fmt: skip


@FIXED
@given(st.sampled_from(["http", "https"]), HOSTS, PORTS, STEPS, TAILS)
def test_every_spelling_of_one_address_is_the_same(
    scheme: str, host: str, port: str, steps: list[str], tail: str
) -> None:
    base = f"{scheme}://{host}{port}" + "".join(f"/{step}" for step in steps)
    assert normalise(base + tail) == base
    assert (
        normalise(f"  {scheme.upper()}://{host.upper()}{port}{''.join('/' + s for s in steps)}{tail}\n")
        == base
    )


@FIXED
@given(
    st.one_of(
        st.text(max_size=60), st.text(alphabet="htps:/.@?#[]v1%e \t\n\\", max_size=40).map("http://".__add__)
    )
)
def test_anything_is_refused_or_stays_what_it_is(text: str) -> None:
    try:
        base = normalise(text)
    except UsageError:
        return
    assert normalise(base) == base
    assert base.isascii()
    assert base.isprintable()
    parts = urlsplit(base)
    assert parts.scheme in ("http", "https")
    assert parts.hostname
    assert not any((parts.username, parts.password, parts.query, parts.fragment))
    assert not base.endswith(("/", "/v1"))
    assert normalise(base + "/v1") == base


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://api.anthropic.com", "https://api.anthropic.com"),
        ("https://openrouter.ai/api/v1", "https://openrouter.ai/api"),
        ("https://api.dedaluslabs.ai/v1/", "https://api.dedaluslabs.ai"),
        ("HTTPS://API.Example.COM:443/v1", "https://api.example.com"),
        ("http://localhost:80/", "http://localhost"),
        ("https://example.com:80/", "https://example.com:80"),
        ("http://127.0.0.1:11434/v1/chat/completions", "http://127.0.0.1:11434"),
        (
            "https://generativelanguage.googleapis.com/v1beta/openai/",
            "https://generativelanguage.googleapis.com/v1beta/openai",
        ),
        ("http://[0:0:0:0:0:0:0:1]:8080/v1", "http://[::1]:8080"),
        ("https://x.example/Case/V1", "https://x.example/Case/V1"),
    ],
)
def test_known_addresses(url: str, base: str) -> None:
    assert normalise(url) == base


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("", "begin with"),
        ("localhost:8080", "begin with"),
        ("api.example.com/v1", "begin with"),
        ("ftp://x.example", "begin with"),
        ("file:///etc/passwd", "begin with"),
        ("javascript:alert(1)", "begin with"),
        ("http://", "no usable host"),
        ("http:///v1", "no usable host"),
        ("http://-x", "no usable host"),
        ("http://a..b", "no usable host"),
        ("http://a:0", "port"),
        ("http://a:70000", "malformed"),
        ("http://a:x", "malformed"),
        ("http://[::1", "malformed"),
        ("http://[v1.x]", "host"),
        ("http://a/?key=sk-planted", "query"),
        ("http://a/#sk-planted", "query or fragment"),
        ("http://a?", "query"),
        ("http://a/../b", ". or .."),
        ("http://a b", "characters"),
        ("http://a/\x1b[2J", "characters"),
        ("http://a\n.example", "characters"),
        ("https://аpi.example.com", "characters"),  # a Cyrillic a
        ("https://sk-planted@api.example.com", "user name or key"),
        ("https://user:sk-planted@api.example.com/v1", "user name or key"),
        ("https://@api.example.com", "user name or key"),
        ("https://a/\\@b", ""),
    ],
)
def test_refusals_name_the_reason_and_never_the_url(url: str, word: str) -> None:
    if not word:
        assert normalise(url) == url  # a backslash in the path is only a strange path
        return
    with pytest.raises(UsageError) as caught:
        normalise(url)
    assert word in caught.value.message
    assert "planted" not in caught.value.message + caught.value.hint
    assert caught.value.hint


@pytest.mark.parametrize(
    ("base", "ours", "clear"),
    [
        ("http://127.0.0.1:8080", True, False),
        ("http://127.9.9.9", True, False),
        ("http://[::1]:1", True, False),
        ("http://localhost", True, False),
        ("http://x.localhost.", True, False),
        ("https://localhost", True, False),
        ("http://localhost.example.com", False, True),
        ("http://10.0.0.1", False, True),
        ("http://api.example.com", False, True),
        ("https://api.example.com", False, False),
    ],
)
def test_where_a_key_would_travel(base: str, ours: bool, clear: bool) -> None:
    assert loopback(base) is ours
    assert in_clear(base) is clear
