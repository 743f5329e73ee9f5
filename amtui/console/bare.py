"""A console without the helper: tmux itself is asked, one exec a question (L0).

For hosts where nothing can be written or started: a full disk, a home made read-only. The requests are those of the
helper and so are the frames, so whoever asks need not know. Keys keep their guard, which is tmux's own; output is a
picture at each look, compared with the one before.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Sequence
from typing import Final

from amtui.console.channel import Bound, facts, guard, judge
from amtui.console.input import Batch
from amtui.console.protocol import AckFrame, Frame, HistoryFrame, Position, SnapshotFrame, StateFrame, parse
from amtui.emulator.snapshot import SNAPSHOT_FORMAT
from amtui.errors import MissingTool, NotFound, ProtocolError, UsageError
from amtui.model import Untrusted
from amtui.providers.base import Command, ExecResult, Place, Purpose

STATE: Final = (
    "K #{pid}.#{start_time} #{?pane_pid,#{pane_pid},0} #{?@am_epoch,#{@am_epoch},0} #{pane_dead} s#{pane_dead_status}"
    " #{pane_width} #{pane_height} #{?@am_size_owner,#{@am_size_owner},-} #{pane_pipe} #{history_limit}"
)
"""The helper's own line about a program."""
APART: Final = 500_000
"""Generations between a helper's and ours: they cannot meet, and are still within what a console may advance."""
_RUN: Final = 'PATH=$1:$PATH; export PATH; shift; unset TMUX TMUX_PANE; exec tmux "$@"'
_LONGEST: Final = 64 << 20
_WORD: Final = re.compile(r"[A-Za-z0-9@.,_-]{1,64}\Z")
_VERSION: Final = re.compile(r"(\d+)\.(\d+)")


class Bare:
    """One console, asked of tmux. `after` is how far the reader has come with a helper."""

    def __init__(self, place: Place, console: str, after: Position | None) -> None:
        self.stirred = asyncio.Event()
        """Set when keys went out: what they did should be looked at soon."""
        self._place = place
        self._console = console
        self._target = f"={console}:"
        self._generation = (after.generation if after else 0) + APART
        self._seen = b""
        self._version = (0, 0)

    async def ask(self, verb: str, words: Sequence[str], stdin: bytes | None, timeout: float) -> list[Frame]:
        """As `helper.request`. Raises `NotFound`, `MissingTool`, `ProtocolError` and what exec raises."""
        match verb:
            case "attach":
                return await self._attach(words[0], timeout, picture=True)
            case "hello":
                return await self._attach(words[0], timeout, picture=False)
            case "poll" | "state":
                return await self._look(timeout)
            case "snap" if len(words) >= 5:
                return await self._resize(words, timeout)
            case "snap":
                self._seen = b""
                return await self._look(timeout)
            case "history":
                return await self._history(timeout)
            case "input":
                return await self._input(words, timeout)
            case "paste":
                return await self._paste(words, stdin or b"", timeout)
        raise UsageError(f"tmux alone cannot {verb}")

    # ---- pictures

    def _picture(self) -> list[str]:
        target = self._target
        return [
            "display-message", "-p", "-t", target, STATE, ";", "display-message", "-p", "-t", target, "#{version}", ";",
            "display-message", "-p", "-t", target, SNAPSHOT_FORMAT, ";", "capture-pane", "-p", "-P", "-C", "-t", target,
            ";", "display-message", "-p", "-t", target, "@@am", ";", "capture-pane", "-p", "-e", "-N", "-t", target,
            ";", "display-message", "-p", "-t", target, "@@saved", ";",
            "capture-pane", "-a", "-q", "-p", "-e", "-N", "-t", target,
        ]  # fmt: skip

    async def _look(self, timeout: float) -> list[Frame]:
        done = await self._tmux(self._picture(), timeout=timeout)
        state, _, rest = done.stdout.partition(b"\n")
        version, _, snapshot = rest.partition(b"\n")
        return [*self._fresh(snapshot), self._state(state, version)]

    def _fresh(self, snapshot: bytes) -> list[Frame]:
        if snapshot == self._seen:
            return []
        self._seen = snapshot
        self._generation += 1
        return [SnapshotFrame(self._generation, snapshot, b"", None)]

    def _state(self, line: bytes, version: bytes) -> StateFrame:
        (frame,) = parse(line + b"\n")
        if not isinstance(frame, StateFrame):
            raise ProtocolError("tmux did not say which program runs", op="console")
        found = _VERSION.search(version.decode("ascii", "replace"))
        self._version = (int(found[1]), int(found[2])) if found else (0, 0)
        return frame

    async def _attach(self, client: str, timeout: float, *, picture: bool) -> list[Frame]:
        """Register the client once, and say how far its input got."""
        _checked(client)
        target, name = self._target, f"@am_{client}"
        words = [
            "if-shell",
            "-F",
            "-t",
            target,
            f"#{{==:#{{{name}}},}}",
            f"set-option -t {target} {name} 0",
            ";",
        ]
        words += ["display-message", "-p", "-t", target, f"#{{{name}}}", ";", *self._picture()]
        done = await self._tmux(words, timeout=timeout)
        ack, _, rest = done.stdout.partition(b"\n")
        state, _, rest = rest.partition(b"\n")
        version, _, snapshot = rest.partition(b"\n")
        if not ack.isdigit():
            raise ProtocolError("tmux did not register this client", op="console")
        said = self._state(state, version)
        if not picture:
            return [AckFrame(int(ack), "-"), said]
        self._seen = snapshot
        self._generation += 1
        return [SnapshotFrame(self._generation, snapshot, b"", int(ack)), said]

    async def _resize(self, words: Sequence[str], timeout: float) -> list[Frame]:
        """The size rule of the helper: who sized it is compared in the turn that sizes it."""
        columns, rows, owner, seconds, force = words[:5]
        _checked(columns, rows, owner, seconds)
        before = await self._look(timeout)  # what holds now, and a program that exited in between
        state = before[-1]
        assert isinstance(state, StateFrame)
        clock = await self._place.exec(["date", "+%s"], timeout=timeout, purpose=Purpose.CONSOLE)
        now = int(clock.stdout) if clock.stdout.strip().isdigit() else state.owner_until
        if force != "1" and state.owner not in ("", owner) and state.owner_until > now:
            return before
        held = f"{state.owner}#,{state.owner_until}" if state.owner else ""
        target = self._target
        deed = f"set-option -t {target} @am_size_owner {owner},{now + int(seconds)}"
        if (str(state.columns), str(state.rows)) != (columns, rows):
            deed += f" ; resize-window -t {target} -x {columns} -y {rows}"
        sized = ["if-shell", "-F", "-t", target, f"#{{==:#{{@am_size_owner}},{held}}}", deed]
        await self._tmux(sized, timeout=timeout)
        return [*before[:-1], *await self._look(timeout)]

    async def _history(self, timeout: float) -> list[Frame]:
        """All of it: where tmux is asked alone, nobody counts the rows that scroll away meanwhile."""
        target = self._target
        numbers = "#{history_size} #{history_limit} #{pane_width} #{pane_height}"
        words = ["display-message", "-p", "-t", target, numbers, ";"]
        words += ["capture-pane", "-p", "-e", "-N", "-t", target, "-S", "-", "-E", "-"]
        done = await self._tmux(words, timeout=timeout, most=_LONGEST)
        head, _, rows = done.stdout.partition(b"\n")
        said = head.split(b" ")
        if (
            len(said) != 4
            or not all(number.isdigit() and len(number) < 10 for number in said)
            or done.truncated
        ):
            raise ProtocolError("tmux did not say how much history it has", op="console")
        size, limit, columns, height = map(int, said)
        return [HistoryFrame(self._generation, size, max(size, limit), columns, height, 0, rows)]

    # ---- keys

    async def _input(self, words: Sequence[str], timeout: float) -> list[Frame]:
        bound = _bound(words[3:7])
        client = bound[0]
        batches = [_batch(word) for word in words[7:]]
        target = self._target
        asked: list[str] = []
        for batch in batches:
            deed = f"set-option -t {target} @am_{client} {batch.end} ; send-keys -t {target} -H {batch.data.hex(' ')}"
            asked += ["if-shell", "-F", "-t", target, guard(bound, batch.base), deed, ";"]
        answer = await self._judged(asked, bound, None, timeout)
        if (
            answer is None and batches
        ):  # somebody reads its history there; a buffer reaches the program all the same
            for batch in batches:
                answer = await self._deliver(bound, batch.base, batch.data, "-r", timeout)
        self.stirred.set()
        return [answer] if answer is not None else []

    async def _paste(self, words: Sequence[str], data: bytes, timeout: float) -> list[Frame]:
        client, base, _, pid, epoch, server, mode = words
        bound = _bound((client, pid, epoch, server))
        if mode not in ("-p", "-r") or not base.isdigit():
            raise UsageError("no such way to paste")
        answer = await self._deliver(bound, int(base), data, mode, timeout)
        self.stirred.set()
        return [answer] if answer is not None else []

    async def _deliver(
        self, bound: Bound, base: int, data: bytes, mode: str, timeout: float
    ) -> AckFrame | None:
        target, client = self._target, bound[0]
        buffer = f"am.{client}.{base}.{secrets.token_hex(4)}"
        raw = " -S" if self._version >= (3, 7) else ""
        deed = f"set-option -t {target} @am_{client} {base + len(data)} ; "
        if self._version < (3, 2):  # it does not paste into a pane whose history is read
            deed += f"if-shell -F -t {target} '#{{pane_in_mode}}' 'send-keys -t {target} -X cancel' ; "
        deed += f"paste-buffer -d{raw} {mode} -b {buffer} -t {target}"
        words = ["load-buffer", "-b", buffer, "-", ";", "if-shell", "-F", "-t", target]
        words += [guard(bound, base, scrolled=True), deed, f"delete-buffer -b {buffer}", ";"]
        return await self._judged(words, bound, data, timeout, scrolled=True)

    async def _judged(
        self, words: list[str], bound: Bound, stdin: bytes | None, timeout: float, *, scrolled: bool = False
    ) -> AckFrame | None:
        asked = [*words, "display-message", "-p", "-t", self._target, facts(bound[0])]
        done = await self._tmux(asked, stdin=stdin, timeout=timeout)
        return judge(done.stdout.strip(), bound, scrolled=scrolled)

    # ---- tmux

    async def _tmux(
        self,
        words: Sequence[str],
        *,
        stdin: bytes | None = None,
        timeout: float,
        most: int = 8 << 20,
    ) -> ExecResult:
        place = self._place
        argv = ["/bin/sh", "-c", _RUN, "sh", place.bin, "-u", "-S", place.socket, "-f", "/dev/null", *words]
        command = Command(argv=argv, stdin=stdin, timeout=timeout, max_output=most)
        done = await place.provider.exec(place.host_id, command, purpose=Purpose.CONSOLE)
        if done.ok:
            return done
        said = Untrusted(done.stderr, "tmux").for_line(120)
        if done.exit_code == 127:
            raise MissingTool("tmux is not on the host", "install the package tmux there")
        if any(known in said for known in ("no server", "can't find", "error connecting", "no current")):
            raise NotFound(f"no console {self._console}", "`amtui restart NAME` starts it", op="console")
        raise ProtocolError(f"tmux refused the request: {said}", op="console")


def _checked(*words: str) -> None:
    if not all(_WORD.match(word) for word in words):
        raise UsageError("a word that tmux would read as an order")


def _bound(words: Sequence[str]) -> Bound:
    _checked(*words)
    client, pid, epoch, server = words
    return (client, pid, epoch, server)


def _batch(word: str) -> Batch:
    base, _, data = word.split(":")
    return Batch(int(base), bytes.fromhex(data))
