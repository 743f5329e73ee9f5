"""Keys straight into tmux: its own control client, parked on the host, takes one line a request.

No process is started for a key and no shell is asked: the line reaches tmux as it is, guard and all. tmux answers
commands in the order they came; everything else it says is passed over.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections import deque
from collections.abc import Sequence
from typing import Final

from amtui.console import helper
from amtui.console.follow import QUIET, command
from amtui.console.input import Batch
from amtui.console.protocol import AckFrame, parse
from amtui.console.session import Session
from amtui.errors import ProtocolError, StreamBroken
from amtui.providers.base import ExecStream, Output, Purpose

_LINE: Final = 1 << 20
"""Longest line of tmux that is waited for."""
_ANSWER: Final = re.compile(
    rb"([0-9]{1,16}|x) ([01]) ([0-9]{1,10}) ([0-9]{1,16}) ([0-9.]{3,30}) ([0-9]{1,3})\Z"
)

Bound = tuple[str, str, str, str]
"""Who types to what: client, pane's process, epoch, server."""


def guard(bound: Bound, base: int, *, scrolled: bool = False) -> str:
    """The format that is true exactly while keys from position `base` on are to be taken by that program.

    Keys are eaten where somebody reads the pane's history, a buffer is not: with `scrolled` that is no reason.
    """
    client, pid, epoch, server = bound
    conditions = {
        f"@am_{client}": str(base),
        "pane_dead": "0",
        "pane_pid": pid,
        "@am_epoch": epoch,
        "pid}.#{start_time": server,
    }
    if not scrolled:
        conditions = {"pane_in_mode": "0", **conditions}
    joined = "1"
    for name, value in conditions.items():
        joined = f"#{{&&:#{{==:#{{{name}}},{value}}},{joined}}}"
    return joined


def facts(client: str) -> str:
    """The format of what `judge` reads."""
    return (
        f"#{{?#{{==:#{{@am_{client}}},}},x,#{{@am_{client}}}}} #{{pane_dead}} #{{?pane_pid,#{{pane_pid}},0}}"
        " #{?@am_epoch,#{@am_epoch},0} #{pid}.#{start_time} #{pane_in_mode}"
    )


def request(console: str, bound: Bound, batches: Sequence[Batch], mark: str) -> bytes:
    """The line that delivers `batches` under their guards and asks how far the client's input got."""
    client, target = bound[0], f"={console}:"
    words = []
    for batch in batches:
        deed = f"set-option -t {target} @am_{client} {batch.end} ; send-keys -t {target} -H {batch.data.hex(' ')}"
        words.append(f"if-shell -F -t '{target}' '{guard(bound, batch.base)}' '{deed}'")
    words.append(f"display-message -p -t '{target}' '{mark} {facts(client)}'")
    return " ; ".join(words).encode() + b"\n"


def judge(answer: bytes, bound: Bound, *, scrolled: bool = False) -> AckFrame | None:
    """What tmux said about a request; None when somebody reads its history there, where keys would be eaten.

    With `scrolled` a buffer was pasted, which that does not hinder.

    Raises `ProtocolError` for what is no such answer.
    """
    found = _ANSWER.match(answer)
    if found is None:
        raise ProtocolError("tmux answered a request with something else", op="console")
    ack, dead, pid, epoch, server, mode = (word.decode() for word in found.groups())
    if server != bound[3] or ack == "x":
        return AckFrame(None if ack == "x" else int(ack), "new-server")
    why = "dead" if dead == "1" else "restarted" if (pid, epoch) != bound[1:3] else "-"
    if why == "-" and mode != "0" and not scrolled:
        return None
    return AckFrame(int(ack), why)


class KeyChannel:
    """A parked control client of the worker's tmux."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._stream: ExecStream | None = None
        self._waiting: deque[tuple[bytes, asyncio.Future[bytes]]] = deque()
        self._nonce = secrets.token_hex(6)
        self._count = 0

    @property
    def open(self) -> bool:
        return self._stream is not None

    async def run(self) -> None:
        """Keep the channel open until something breaks it, then raise that."""
        session, beat = self._session, self._session.timing.beat
        asked = command(session, "control", str((QUIET - 1) * beat))
        place = session.place
        pulse: asyncio.Future[None] | None = None
        buffer = b""
        try:
            async with place.provider.stream_exec(place.host_id, asked, purpose=Purpose.CONSOLE) as stream:
                async for event in stream:
                    if not isinstance(event, Output) or event.stream != "stdout":
                        continue
                    *lines, buffer = (buffer + event.data).split(b"\n")
                    if len(buffer) > _LINE:
                        raise ProtocolError("tmux said a line without an end", op="console")
                    if self._stream is None and lines:
                        self._hello(lines[0])
                        self._stream = stream
                        pulse = asyncio.ensure_future(self._pulse(beat))
                    for line in lines:
                        self._heard(line)
            raise StreamBroken("tmux let the key channel go", op="console")
        finally:
            self._stream = None
            if pulse is not None:
                pulse.cancel()
            for _, waiting in self._waiting:
                if not waiting.done():
                    waiting.set_exception(StreamBroken("the key channel closed", op="console"))
            self._waiting.clear()

    def _hello(self, line: bytes) -> None:
        """tmux announces itself; the helper, in its place, would say why not."""
        if not line.startswith(b"%"):
            frames = parse(line + b"\n")
            reason = getattr(frames[0], "reason", "usage") if frames else "usage"
            raise helper.failure(reason, self._session.console)

    def _heard(self, line: bytes) -> None:
        """An answer is told by its mark; the ones before it that are still waited for were lost."""
        mark, _, answer = line.partition(b" ")
        if not any(mark == expected for expected, _ in self._waiting):
            return
        while self._waiting:
            expected, waiting = self._waiting.popleft()
            if expected == mark:
                if not waiting.done():
                    waiting.set_result(answer)
                return
            if not waiting.done():
                waiting.set_exception(StreamBroken("tmux passed over a request", op="console"))

    async def _pulse(self, beat: float) -> None:
        """A line now and then, so that the host knows we are there."""
        while self._stream is not None:
            await asyncio.sleep(beat)
            if self._stream is not None:
                await self._stream.write(b"display-message -p beat\n")

    async def type(self, bound: Bound, batches: Sequence[Batch], timeout: float) -> AckFrame | None:
        """One request, one answer, in order; None: not delivered here. Raises `StreamBroken`, TimeoutError."""
        if self._stream is None:
            raise StreamBroken("the key channel is closed", op="console")
        self._count += 1
        mark = f"am{self._nonce}.{self._count}"
        waiting: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.append((mark.encode(), waiting))
        await self._stream.write(request(self._session.console, bound, batches, mark))
        async with asyncio.timeout(timeout):
            return judge(await waiting, bound)
