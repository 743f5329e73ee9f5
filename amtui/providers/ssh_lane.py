"""One ssh session: a shell that announces itself, waits, and becomes one command (`ssh_shell`).

Callbacks of asyncssh come in here; what they carry is hostile data, and every buffer before the command's own
output is bounded.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Final

import asyncssh

from amtui.errors import NotFound, ProtocolError, ProviderError, StreamBroken, Unsupported
from amtui.model import Untrusted
from amtui.providers import ssh_shell
from amtui.providers.base import Command
from amtui.providers.running import Feed

_NOISE: Final = 256 << 10
"""Most bytes of start-up noise, or of anything else where a line of ours is due."""


class Lane(asyncssh.SSHClientSession[bytes]):
    """One session: a shell that announces itself, waits, and becomes one command."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.nonce = secrets.token_hex(8)
        self.group = ""
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.writable = asyncio.Event()
        self.writable.set()
        self.gone = asyncio.Event()
        self.channel: asyncssh.SSHClientChannel[bytes]
        self._heads = {"stdout": bytearray(), "stderr": bytearray()}
        self._announced: set[str] = set()
        self._noise = 0
        self._feed: Feed | None = None
        self._acknowledged = False

    def request(self, command: Command, feed: Feed) -> None:
        """Make the waiting shell run `command`; from here on it may have started."""
        line = ssh_shell.request(command, self.nonce)
        self._feed = feed
        feed.started(self.group or self.nonce)
        if self.gone.is_set():
            self._lost()
        else:
            self.channel.write(line)

    @property
    def waiting(self) -> bool:
        """The shell is there and has nothing to do yet."""
        return self.ready.done() and self._feed is None and not self.gone.is_set()

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self.channel = chan

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        stream = "stdout" if datatype is None else "stderr"
        if stream in self._announced and (stream == "stderr" or self._acknowledged):
            if self._feed is not None:
                self._feed.output("stdout" if datatype is None else "stderr", data)
            return
        head = self._heads[stream]
        head += data
        if stream not in self._announced:
            self._greeting(stream, head)
        if stream in self._announced and head:
            self._answer(stream, head)

    def exit_status_received(self, status: int) -> None:
        if self._feed is not None:  # may come before the program's output, and before "go"
            self._feed.exited(status, None)

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        if self._feed is not None:
            self._feed.exited(None, signal)

    def eof_received(self) -> bool:
        if self._feed is not None:
            self._feed.eof()
        return True

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()
        self.writable.set()
        if not self.ready.done():
            self.ready.set_exception(exc or self._mute())
            self.ready.exception()  # somebody may have left before it
        self._lost()

    def _lost(self) -> None:
        if self._feed is None:
            return
        if self._feed.exit is None:
            self._feed.fail(
                StreamBroken(
                    f"the link to {self.host} broke while a command ran; its outcome is unknown",
                    "look at what it did before running it again",
                    provider="ssh",
                    op="exec",
                )
            )
        self._feed.eof()

    def _greeting(self, stream: str, head: bytearray) -> None:
        """Drop what start-up files printed; take the group from the shell's own line."""
        mark = ssh_shell.MARK + self.nonce.encode()
        at = head.find(mark)
        end = head.find(b"\n", at) if at >= 0 else -1
        if end < 0:
            self._noise += max(0, len(head) - _NOISE)
            if self._noise > _NOISE and not self.ready.done():
                self.ready.set_exception(self._mute())
                self.channel.abort()
            return
        if stream == "stdout":
            group = bytes(head[at + len(mark) : end]).strip()
            self.group = group.decode() if group.isdigit() else ""
        del head[: end + 1]
        self._announced.add(stream)
        if len(self._announced) == 2 and not self.ready.done():
            self.ready.set_result(None)

    def _answer(self, stream: str, head: bytearray) -> None:
        """The shell's word on a request comes before the program's first byte."""
        if stream == "stdout" and not self._acknowledged:
            end = head.find(b"\n")
            if end < 0:
                if len(head) > _NOISE and self._feed is not None:
                    self._feed.fail(
                        ProtocolError(f"{self.host} answers a request with noise", provider="ssh", op="exec")
                    )
                    self.channel.abort()
                return
            words = bytes(head[:end]).split()
            del head[: end + 1]
            if self._feed is not None and words[-1:] == [b"cwd"]:
                self._feed.fail(
                    NotFound("no such directory on the host", "check the path", provider="ssh", op="exec")
                )
                return
            self._acknowledged = True
        if self._feed is not None and head:
            self._feed.output("stdout" if stream == "stdout" else "stderr", bytes(head))
        head.clear()

    def _mute(self) -> ProviderError:
        said = Untrusted(bytes(self._heads["stdout"] + self._heads["stderr"])[-400:], self.host).for_line()
        return Unsupported(
            f"{self.host} did not start a shell for us" + (f": {said}" if said else ""),
            f"`ssh {self.host} true` must work without a question; is the account allowed to run commands?",
            provider="ssh",
            op="exec",
        )
