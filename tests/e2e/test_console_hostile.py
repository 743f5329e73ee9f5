"""A host that lies: replies that are garbage, cut, out of bounds, of another time. Seeded, thousands of them.

The view says what is wrong, or goes on; nothing escapes the hub, nothing grows; and once the host is honest again the
view shows what tmux has, cell for cell, and a key typed then arrives once.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from console_rig import QUICK, Rig, cells, hub, rig, text, until
from faults import FaultyProvider
from figures import record, size

from amtui.console.hub import TypingHandle
from amtui.console.status import Link
from amtui.model import MAIN_CONSOLE, Authority
from amtui.providers.base import Cap, Command, ExecEvent, ExecResult, ExecStream, Output, Provider, Purpose

EXEC_ONLY = Cap.LIST | Cap.FILES | Cap.BINARY_OUTPUT
REPLIES = size(150, 4000)
ASKED = {"attach", "hello", "poll", "input", "snap", "history", "state", "stream", "control"}
NUMBER = re.compile(rb"[0-9]+")
HEADER = re.compile(rb"^[SDBAKH] [^\n]{1,300}\n", re.M)

PROGRAM = """
stty raw -echo
exec 3<&0
cat <&3 > typed &
i=0
until [ -e calm ]; do
    i=$((i + 1))
    printf '\\033[%d;%dH\\033[3%dmline %d 漢é\\033[0m' $((i % 22 + 1)) $((i % 60 + 1)) $((i % 8)) $i
    [ $((i % 20)) != 0 ] || printf '\\r\\nscrolled %d\\r\\n' $i
    sleep 0.01
done
printf '\\033[2J\\033[Hready and calm'
wait
"""


class Liar(FaultyProvider):
    """Spoils a share of what the helper says, as long as `lying` is set."""

    def __init__(self, inner: Provider, rate: float, *, seed: int, caps: Cap | None) -> None:
        super().__init__(inner, 0.0, caps=caps)
        self.lying = False
        self.replies = 0
        self.spoilt: Counter[str] = Counter()
        self._share = rate
        self._chosen = random.Random(seed)
        self._past: list[bytes] = []

    async def exec(self, host_id: str, command: Command, *, purpose: Purpose = Purpose.USER) -> ExecResult:
        done = await super().exec(host_id, command, purpose=purpose)
        return replace(done, stdout=self.spoil(done.stdout)) if ASKED & set(command.argv) else done

    @asynccontextmanager
    async def stream_exec(
        self, host_id: str, command: Command, *, purpose: Purpose = Purpose.USER
    ) -> AsyncIterator[ExecStream]:
        async with self.inner.stream_exec(host_id, command, purpose=purpose) as stream:
            yield _LyingStream(stream, self)  # type: ignore[misc]

    def spoil(self, data: bytes) -> bytes:
        """`data`, or what the host says instead."""
        self.replies += 1
        self._past = [*self._past[-20:], data]
        if not self.lying or self._chosen.random() >= self._share:
            return data
        how = self._chosen.choice(
            ("garbage", "cut", "twice", "late", "huge", "negative", "number", "word", "noise", "endless")
        )
        self.spoilt[how] += 1
        return self._lie(how, data)

    def _lie(self, how: str, data: bytes) -> bytes:
        chosen = self._chosen
        match how:
            case "garbage":
                return chosen.randbytes(chosen.randint(1, 3000))
            case "cut":
                return data[: chosen.randint(0, len(data))]
            case "twice":
                return data + data
            case "late":
                return chosen.choice(self._past)
            case "endless":
                return b"D 1 " + b"9" * 2_000_000
            case "noise":
                at = chosen.randint(0, len(data))
                return (
                    data[:at] + chosen.randbytes(chosen.randint(1, 40)) + data[at + chosen.randint(0, 40) :]
                )
        headers = list(HEADER.finditer(data))
        if not headers:
            return data
        header = chosen.choice(headers)
        word = chosen.choice(list(NUMBER.finditer(data, *header.span())) or [header])
        true = int(word[0]) if word[0].isdigit() else 0
        lies = {
            "huge": b"%d" % 10 ** chosen.randint(7, 30),
            "negative": b"-%d" % true,
            "number": b"%d" % max(0, true + chosen.choice((-1000, -7, -1, 1, 7, 1000, 10**6))),
            "word": chosen.choice((b"", b"x", b" ", b"\x1b[2J", b"-", b"S", b"../..")),
        }
        return data[: word.start()] + lies[how] + data[word.end() :]


class _LyingStream:
    def __init__(self, inner: ExecStream, liar: Liar) -> None:
        self._inner, self._liar = inner, liar

    async def __aiter__(self) -> AsyncIterator[ExecEvent]:
        async for event in self._inner:
            if isinstance(event, Output) and event.stream == "stdout":
                event = replace(event, data=self._liar.spoil(event.data))
            yield event

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def memory() -> int:
    """Bytes this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def keep_typing(handle: TypingHandle, letters: AsyncIterator[str]) -> None:
    async for letter in letters:
        handle.type(letter.encode(), control=True)
        await asyncio.sleep(0.02)


async def endless(typed: list[str]) -> AsyncIterator[str]:
    """Keys of four bytes, each another one."""
    for number in range(0x10000, 0x10FFFF):
        typed.append(chr(number))
        yield typed[-1]


async def same(it: Rig, handle: TypingHandle) -> None:
    """The view shows what tmux has."""
    await until(
        lambda: "ready and calm" in text(handle) and cells(handle.screen) == cells(it.oracle()),
        "the truth",
        40,
    )


class OneLie(FaultyProvider):
    """Once told to, answers one poll with output that was never printed, well formed, and the next with garbage."""

    def __init__(self, inner: Provider) -> None:
        super().__init__(inner, 0.0, caps=EXEC_ONLY)
        self.lies: list[bytes] = []

    async def exec(self, host_id: str, command: Command, *, purpose: Purpose = Purpose.USER) -> ExecResult:
        done = await super().exec(host_id, command, purpose=purpose)
        if not self.lies or "poll" not in command.argv:
            return done
        at = command.argv.index("poll") + 4  # RUN SOCKET CONSOLE GENERATION OFFSET
        lie = self.lies.pop(0)
        return replace(
            done, stdout=lie % tuple(int(word) for word in command.argv[at : at + lie.count(b"%d")])
        )


async def test_after_a_broken_reply_nothing_that_was_said_before_it_counts(tmp_path: Path) -> None:
    """A lie that keeps to the rules moves the reader past the truth; the next is found out, and all is read anew."""
    async with rig(tmp_path) as it:
        await it.start("sh", "-c", "printf 'the truth'; exec sleep 600")
        liar = OneLie(it.place.provider)
        # no picture is taken for its colours meanwhile: it would make the first lie one of an older generation
        async with hub(replace(QUICK, poll=1, heal=3600.0)) as consoles:
            handle = await consoles.open(it.with_provider(liar))
            await until(lambda: "the truth" in text(handle), "the picture")
            liar.lies = [b"D %d %d - 16\n, and never this", b"D 1 x\n"]
            await until(lambda: "never this" in text(handle), "the lie")
            await until(lambda: not liar.lies, "the broken reply")
            await until(lambda: cells(handle.screen) == cells(it.oracle()), "the truth again")
            assert handle.status.link is not Link.ENDED


@pytest.mark.prove
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("caps", [None, EXEC_ONLY], ids=["L3", "L1"])
@pytest.mark.parametrize("share", [0.05, 0.5])
async def test_a_host_that_lies(
    tmp_path: Path, caps: Cap | None, share: float, caplog: pytest.LogCaptureFixture
) -> None:
    async with rig(tmp_path) as it:
        await it.start("sh", "-c", PROGRAM)
        liar = Liar(it.place.provider, share, seed=11, caps=caps)
        timing = replace(QUICK, deadline=1.0, poll=2, backoff=(0.01, 0.02), again=0.5)
        async with hub(timing) as consoles:
            handle = await consoles.open(it.with_provider(liar), MAIN_CONSOLE, Authority.TYPE)
            await handle.ready(15)
            states: Counter[str] = Counter()
            handle.listen(lambda: states.update([f"{handle.status.link} {handle.status.detail}"]))
            typed: list[str] = []
            typing = asyncio.ensure_future(keep_typing(handle, endless(typed)))
            before, most = memory(), 0
            liar.lying = True
            while liar.replies < REPLIES:
                await asyncio.sleep(0.05)
                most = max(most, memory() - before)
                if liar.replies % 5 == 0:
                    handle.visible = False  # other requests too
                    handle.visible = True
                assert not handle._followed.task.done(), "the session broke"
            typing.cancel()
            liar.lying = False
            (it.home / "calm").touch()
            await same(it, handle)
            assert handle.status.link is Link.LIVE
            handle.type(b"<honest>", control=True)
            await until(
                lambda: b"<honest>" in (it.home / "typed").read_bytes(), "a key typed to an honest host"
            )
            await handle.drain(20)
            await same(it, handle)
        got = [key for key in (it.home / "typed").read_bytes().decode("utf-8", "replace") if key > "\uffff"]
        assert len(set(got)) == len(got), "a key was typed twice"
        assert got == sorted(got), "keys changed their order"
        assert sum(liar.spoilt.values()) > REPLIES * share / 3
    assert any("the console helper sent" in said for said in states), "nothing was seen to be wrong"
    assert not [line for line in caplog.records if line.levelname == "ERROR"], caplog.text
    record(
        f"a lying host, {share:.0%} of replies, {'L1' if caps else 'L3'}", "right again; ≤ 256 MB more",
        f"{most >> 20} MB",
        most < 256 << 20, conditions=f"{liar.replies} replies, {sum(liar.spoilt.values())} spoilt: {dict(liar.spoilt)}",
    )  # fmt: skip
    assert most < 256 << 20
