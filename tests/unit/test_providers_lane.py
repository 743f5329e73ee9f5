"""A session's greeting and answers, byte by byte, from honest and from hostile hosts."""

from __future__ import annotations

import pytest

from amtui.errors import AmtuiError, NotFound, ProtocolError, StreamBroken, Unsupported
from amtui.providers.base import Command, ExecEvent, Exit, Output, Started
from amtui.providers.exec_files import _parse
from amtui.providers.running import Feed
from amtui.providers.ssh_lane import Lane

STDERR = 1


class Channel:
    """What a lane needs of asyncssh's channel."""

    def __init__(self) -> None:
        self.written = b""
        self.aborted = False

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.aborted = True


def lane() -> tuple[Lane, Channel]:
    it, channel = Lane("box"), Channel()
    it.connection_made(channel)  # type: ignore[arg-type]
    return it, channel


def greet(it: Lane) -> None:
    it.data_received(b"\x1e%s 4711\n" % it.nonce.encode(), None)
    it.data_received(b"\x1e%s\n" % it.nonce.encode(), STDERR)


async def events(feed: Feed) -> list[ExecEvent | AmtuiError]:
    found: list[ExecEvent | AmtuiError] = []
    while True:
        try:
            found.append(await feed.next())
        except StopAsyncIteration:
            return found
        except AmtuiError as error:
            return [*found, error]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
async def test_whatever_the_pieces(size: int) -> None:
    it, channel = lane()
    nonce = it.nonce.encode()
    out = b"motd\n\x1eother 1\n\x1e" + nonce + b" 4711\n"
    err = b"warning: " + b"\x1e" + nonce + b"\n"
    for stream, data in ((STDERR, err), (None, out)):
        for at in range(0, len(data), size):
            assert not it.waiting
            it.data_received(data[at : at + size], stream)
    assert it.waiting
    assert it.group == "4711"
    feed = Feed(lambda go: None)
    it.request(Command(argv=["x"]), feed)
    assert channel.written.endswith(b"\n")
    it.exit_status_received(3)  # sshd may tell the end before the output
    data = b"\x1e" + nonce + b" go\nout\x1eput\n"
    for at in range(0, len(data), size):
        it.data_received(data[at : at + size], None)
    it.data_received(b"error", STDERR)
    it.eof_received()
    first, *middle, last = await events(feed)
    assert first == Started("4711")
    assert last == Exit(3)
    assert (
        b"".join(e.data for e in middle if isinstance(e, Output) and e.stream == "stdout") == b"out\x1eput\n"
    )
    assert b"".join(e.data for e in middle if isinstance(e, Output) and e.stream == "stderr") == b"error"


async def test_a_directory_that_is_not_there() -> None:
    it, _ = lane()
    greet(it)
    feed = Feed(lambda go: None)
    it.request(Command(argv=["x"], cwd="/no"), feed)
    it.exit_status_received(1)
    it.data_received(b"\x1e%s cwd\n" % it.nonce.encode(), None)
    it.eof_received()
    assert isinstance((await events(feed))[-1], NotFound)


async def test_a_link_lost_before_and_after_the_end() -> None:
    for ended in (False, True):
        it, _ = lane()
        greet(it)
        feed = Feed(lambda go: None)
        it.request(Command(argv=["x"]), feed)
        it.data_received(b"\x1e%s go\nout" % it.nonce.encode(), None)
        if ended:
            it.exit_signal_received("TERM", False, "", "")
        it.connection_lost(None)
        last = (await events(feed))[-1]
        assert last == Exit(None, "TERM") if ended else isinstance(last, StreamBroken)


async def test_a_shell_that_never_comes() -> None:
    it, _ = lane()
    it.data_received(b"This account is \x1b[31mclosed\x1b[0m.\r\n", None)
    it.connection_lost(None)
    with pytest.raises(Unsupported) as caught:
        await it.ready
    assert "This account is closed." in caught.value.message
    assert "\x1b" not in caught.value.message


async def test_endless_noise_before_the_greeting_is_cut_off() -> None:
    it, channel = lane()
    for _ in range(100):
        it.data_received(b"x" * 32_768, None)
        if channel.aborted:
            break
    assert channel.aborted
    with pytest.raises(Unsupported):
        await it.ready


async def test_endless_noise_instead_of_an_answer_is_cut_off() -> None:
    it, channel = lane()
    greet(it)
    feed = Feed(lambda go: None)
    it.request(Command(argv=["x"]), feed)
    for _ in range(100):
        it.data_received(b"x" * 32_768, None)
        if channel.aborted:
            break
    assert channel.aborted
    assert isinstance((await events(feed))[-1], ProtocolError)


@pytest.mark.parametrize(
    "data", [b"x\0", b"file 644 1\0", b"file 999 1 1 a\0", b"sock 644 1 1 a\0", b"file 644 1 1 ../a\0"]
)
def test_a_listing_in_another_form_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        _parse(data)
