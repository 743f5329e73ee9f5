"""The ladder: the level that a substrate carries, what each level does, down after failures and up again."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import string
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import pytest
from console_rig import QUICK, Rig, cells, hub, rig, text, until
from faults import FaultyProvider
from figures import record, size

from amtui.console import bare, helper, server
from amtui.console.hub import ConsoleHandle, TypingHandle
from amtui.console.status import Link
from amtui.errors import StreamBroken
from amtui.model import MAIN_CONSOLE, Authority
from amtui.providers.base import Cap, Command, ExecStream, Place, Provider, Purpose

DUPLEX = Cap.LIST | Cap.FILES | Cap.BINARY_OUTPUT | Cap.STREAM | Cap.STDIN
LIVE = DUPLEX & ~Cap.STDIN
EXEC_ONLY = DUPLEX & ~(Cap.STREAM | Cap.STDIN)
SOON = replace(QUICK, again=1.0)
RAW = "stty raw -echo; printf ready; exec tee typed"


class Substrate(FaultyProvider):
    """A provider whose streams can be made to fail while the test runs."""

    def __init__(self, inner: Provider, caps: Cap, *, rate: float = 0.0, seed: int = 1) -> None:
        super().__init__(inner, rate, seed=seed, caps=caps, only=_types)
        self.deaf = False
        """stdin of a stream is closed as soon as the stream runs."""
        self.mute = False
        """Streams break as soon as they run."""
        self.running: dict[ExecStream, tuple[str, ...]] = {}

    @asynccontextmanager
    async def stream_exec(
        self, host_id: str, command: Command, *, purpose: Purpose = Purpose.USER
    ) -> AsyncIterator[ExecStream]:
        if self.mute:
            raise StreamBroken("no stream lasts here")
        async with super().stream_exec(host_id, command, purpose=purpose) as stream:
            assert Cap.STDIN in self.caps or "control" not in command.argv, "there is no stdin here"
            if self.deaf or Cap.STDIN not in self.caps:
                await stream.close_stdin()
            self.running[stream] = tuple(command.argv)
            try:
                yield stream
            finally:
                del self.running[stream]

    async def cut(self) -> None:
        """Every stream that runs ends, and at least one did."""
        await until(lambda: any("stream" in argv for argv in self.running.values()), "a stream")
        for stream in tuple(self.running):
            await stream.signal("KILL")


def _types(command: Command) -> bool:
    """Whether it carries keys, with the helper or without."""
    return bool({"input", "paste"} & {*command.argv}) or any("send-keys" in word for word in command.argv)


class Host:
    """A place through a substrate, whose directories can be taken away from the helper."""

    def __init__(self, it: Rig, substrate: Substrate) -> None:
        self.it = it
        self.substrate = substrate
        self.place: Place = it.with_provider(substrate)
        self._bin = Path(self.place.bin)

    def fill(self) -> None:
        """Nothing of ours can be written or run any more: a file stands where the helper's directory was."""
        self._bin.rename(self._bin.with_name("bin.away"))
        self._bin.write_text("not a directory")

    def empty(self) -> None:
        """Room again."""
        self._bin.unlink()
        self._bin.with_name("bin.away").rename(self._bin)


@asynccontextmanager
async def host(tmp_path: Path, caps: Cap, program: str = RAW, **options: Any) -> AsyncIterator[Host]:
    async with rig(tmp_path) as it:
        await it.start("sh", "-c", program)
        made = Host(it, Substrate(it.place.provider, caps, **options))
        try:
            yield made
        finally:
            await made.substrate.settle()
            if Path(it.place.bin).is_file():
                made.empty()


@asynccontextmanager
async def typing(at: Host) -> AsyncIterator[TypingHandle]:
    async with hub(SOON) as consoles:
        handle = await consoles.open(at.place, MAIN_CONSOLE, Authority.TYPE)
        await handle.ready(15)
        yield handle


async def level(handle: ConsoleHandle, wanted: str, seconds: float = 30.0) -> None:
    await until(lambda: (handle.status.level, handle.status.link) == (wanted, Link.LIVE), wanted, seconds)


async def equal(at: Host, handle: ConsoleHandle) -> None:
    """What is shown is what tmux has, cell by cell."""

    def same() -> bool:
        theirs, mine = at.it.oracle(), handle.screen
        return cells(mine) == cells(theirs) and (mine.cursor.x, mine.cursor.y) == (
            theirs.cursor.x,
            theirs.cursor.y,
        )

    await until(same, "the same screen")


@pytest.mark.parametrize(
    ("caps", "wanted"),
    [(DUPLEX, "L3"), (LIVE, "L2"), (EXEC_ONLY, "L1"), (DUPLEX & ~Cap.BINARY_OUTPUT, "L1")],
    ids=["duplex", "no stdin", "exec only", "not binary"],
)
async def test_a_substrate_gets_the_level_it_can_carry(tmp_path: Path, caps: Cap, wanted: str) -> None:
    async with host(tmp_path, caps) as at, typing(at) as handle:
        await until(lambda: "ready" in text(handle), "the program")
        await level(handle, wanted)
        assert handle.status.rtt is not None
        assert handle.status.lowered == ""
        handle.type(b"seen", control=True)
        await until(lambda: "readyseen" in text(handle), "the echo")


SMOKE = pytest.mark.parametrize("wanted", ["L2", "L0"])


@asynccontextmanager
async def on(wanted: str, tmp_path: Path, program: str = RAW, **options: Any) -> AsyncIterator[Host]:
    """A host that carries just this level."""
    async with host(tmp_path, LIVE if wanted == "L2" else DUPLEX, program, **options) as at:
        if wanted == "L0":
            at.fill()
        yield at


@SMOKE
async def test_type_see_paste_and_the_picture(tmp_path: Path, wanted: str) -> None:
    async with on(wanted, tmp_path) as at, typing(at) as handle:
        await level(handle, wanted)
        assert bool(handle.status.lowered) == (wanted == "L0")
        await until(lambda: "ready" in text(handle), "the program")
        typed = "".join(random.Random(3).choice(string.ascii_letters) for _ in range(300))
        for char in typed:
            handle.type(char.encode())
        every = bytes(range(256))
        handle.type(every, control=True)
        pasted = "漢字🙂\r".encode() * 3000
        handle.paste(pasted)
        at.it.tmux("copy-mode", "-t", f"={MAIN_CONSOLE}:")
        handle.type(b"in copy mode\x00\xff", control=True)
        await handle.drain(20)
        with suppress(CalledProcessError):  # before tmux 3.2 a paste ends the mode by itself
            at.it.tmux("send-keys", "-t", f"={MAIN_CONSOLE}:", "-X", "cancel")
        handle.type(b"\x1b[2J\x1b[3;4H\x1b[31mred", control=True)
        await handle.drain(20)
        await until(lambda: "red" in handle.screen.display[2], "the echo")
        want = typed.encode() + every + pasted + b"in copy mode\x00\xff\x1b[2J\x1b[3;4H\x1b[31mred"
        await until(lambda: (at.it.home / "typed").stat().st_size >= len(want), "every byte")
        assert (at.it.home / "typed").read_bytes() == want
        await equal(at, handle)
        assert at.it.tmux("list-buffers") == b""
        assert handle.status.level == wanted


@SMOKE
async def test_a_flood_is_pictures_and_ends_with_ctrl_c(tmp_path: Path, wanted: str) -> None:
    program = "printf ready; read x; yes 'a line of a flood that nobody can read'"
    async with on(wanted, tmp_path, program) as at, typing(at) as handle:
        await level(handle, wanted)
        first = handle.status.generation
        handle.type(b"\r", control=True)
        await until(lambda: handle.status.generation >= first + 3, "pictures of the flood")
        handle.type(b"\x03", control=True)
        await until(lambda: handle.status.link is Link.DEAD, "the end of the flood")
        assert handle.status.exit_status == ""
        await equal(at, handle)
        handle.type(b"lost", control=True)
        assert handle.status.refused == b"lost"


@SMOKE
async def test_size_history_and_a_program_that_is_started_again(tmp_path: Path, wanted: str) -> None:
    program = "i=0; while [ $i -lt 300 ]; do i=$((i + 1)); echo line $i; done; printf over; exec cat"
    async with on(wanted, tmp_path, program) as at, typing(at) as handle, hub(SOON) as others:
        await level(handle, wanted)
        await until(lambda: "over" in text(handle), "the output")
        assert await handle.resize(100, 30)
        assert (handle.screen.columns, handle.screen.lines) == (100, 30)
        await equal(at, handle)
        other = await others.open(at.place, MAIN_CONSOLE, Authority.TYPE)
        await other.ready(15)
        assert not await other.resize(60, 20)
        assert other.status.size_owner not in ("", "me")
        oldest = await handle.history(0, 1 << 20)
        row = handle.screen.history.row(oldest)
        assert row is not None
        assert row.text.rstrip() == "line 1"
        if wanted == "L0":
            at.empty()
        await server.restart(at.it.place, MAIN_CONSOLE, ["sh", "-c", "printf again; exec cat"])
        if wanted == "L0":
            at.fill()
        await until(lambda: "again" in text(handle), "the new program")
        handle.type(b"hello", control=True)
        await until(lambda: "againhello" in text(handle), "keys for it")
        at.it.tmux("kill-server")
        await until(lambda: handle.status.link is Link.ENDED, "the end of it all")


@SMOKE
@pytest.mark.timeout(300)
async def test_exactly_once_through_a_bad_link(tmp_path: Path, wanted: str) -> None:
    """Requests lost before and after, late, twice: every key once, in order."""
    keys, faults = size(150, 600), 0
    for seed in range(size(1, 10)):
        async with on(wanted, tmp_path / str(seed), rate=0.5, seed=seed) as at, typing(at) as handle:
            await level(handle, wanted)
            chosen = random.Random(seed)
            sent = "".join(chosen.choice(string.ascii_letters) for _ in range(keys))
            for letter in sent:
                handle.type(letter.encode(), control=chosen.random() < 0.5)
                await asyncio.sleep(chosen.random() * 0.01)
            await handle.drain(60)
            await at.substrate.settle()
            await until(lambda at=at: (at.it.home / "typed").stat().st_size >= keys, "the last key")  # type: ignore[misc]
            assert (at.it.home / "typed").read_text() == sent, f"seed {seed}"
            counts = at.substrate.counts
            faults += sum(counts[name] for name in ("before", "after", "later", "twice", "delayed"))
    assert faults > 5, "hardly anything went wrong, so nothing was shown"
    record(
        f"exactly once at {wanted}, 50% faults", "0 keys lost, doubled or reordered", "0", True,
        conditions=f"{size(1, 10)} seeds, {keys} keys each, {faults} faults",
    )  # fmt: skip


async def test_without_stdin_a_stream_has_a_set_life_and_the_next_goes_on(tmp_path: Path) -> None:
    """Nothing tells the host that such a client is gone, so what rests there ends by itself."""
    async with host(tmp_path, LIVE, "i=0; while :; do i=$((i + 1)); echo $i; sleep 0.02; done") as at:
        async with hub(replace(SOON, poll=2)) as consoles:
            handle = await consoles.open(at.place)
            await handle.ready(15)
            await level(handle, "L2")
            first = handle.status.generation
            before = at.substrate.counts["streams"]
            await until(lambda: at.substrate.counts["streams"] >= before + 2, "two more streams", 20)
            assert handle.status.generation == first, "it went on where it was"
            assert handle.status.level == "L2"
        argv = helper.request_argv(at.place, MAIN_CONSOLE, "stream", str(first), "0", "1", "0", "2")
        async with at.substrate.inner.stream_exec("local", Command(argv=argv, timeout=None)) as orphan:
            async for _ in orphan:
                pass  # it ends by itself, though nobody told it to


@pytest.mark.parametrize("pump", ["perl", "sh"])
async def test_a_stream_of_a_set_life_ends_in_silence_too(
    tmp_path: Path, pump: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if pump == "sh":
        monkeypatch.setattr(helper, "helper_source", _without_perl(helper.helper_source()))
        helper.packed.cache_clear()
    try:
        async with host(tmp_path, LIVE, "printf ready; sleep 600") as at:
            argv = helper.request_argv(at.place, MAIN_CONSOLE, "stream", "1", "0", "1", "0", "2")
            async with (
                asyncio.timeout(15),
                at.substrate.inner.stream_exec("local", Command(argv=argv, timeout=None)) as stream,
            ):
                async for _ in stream:
                    pass
    finally:
        monkeypatch.undo()
        helper.packed.cache_clear()


def _without_perl(source: bytes) -> Callable[[], bytes]:
    changed = source.replace(b"then PERL=perl; fi", b"then PERL=; fi")
    assert changed != source
    return lambda: changed


async def works(at: Host, handle: TypingHandle, word: str) -> None:
    """What is typed now is seen."""
    handle.type(word.encode(), control=True)
    await until(lambda: word in text(handle), f"the echo of {word}")


async def test_down_where_stdin_is_not_what_was_promised_and_up_again(tmp_path: Path) -> None:
    async with host(tmp_path, DUPLEX) as at, typing(at) as handle:
        await level(handle, "L3")
        at.substrate.deaf = True
        await at.substrate.cut()
        await level(handle, "L2")
        assert handle.status.lowered
        await works(at, handle, "two")
        at.substrate.deaf = False
        await level(handle, "L3")
        assert handle.status.lowered == ""
        await works(at, handle, "three")


async def test_down_where_no_stream_lasts_and_up_again(tmp_path: Path) -> None:
    async with host(tmp_path, LIVE) as at, typing(at) as handle:
        await level(handle, "L2")
        at.substrate.mute = True
        await at.substrate.cut()
        await level(handle, "L1")
        assert handle.status.lowered == "no stream lasts here"
        await works(at, handle, "one")
        at.substrate.mute = False
        await level(handle, "L2")
        await works(at, handle, "two")


async def test_all_the_way_down_from_duplex(tmp_path: Path) -> None:
    async with host(tmp_path, DUPLEX) as at, typing(at) as handle:
        await level(handle, "L3")
        at.substrate.mute = True
        await at.substrate.cut()
        await level(handle, "L1")
        await works(at, handle, "one")


@pytest.mark.parametrize("caps", [DUPLEX, LIVE, EXEC_ONLY], ids=["L3", "L2", "L1"])
async def test_down_to_tmux_alone_when_the_host_is_full_and_up_again(tmp_path: Path, caps: Cap) -> None:
    async with host(tmp_path, caps) as at, typing(at) as handle:
        await until(lambda: handle.status.level != "", "any level")
        best = handle.status.level
        await works(at, handle, "before")
        at.fill()
        for line in at.it.processes():  # what rests on the host ends, as it does with its connection
            if " stream " in line or " poll " in line or " control " in line:
                _end(int(line.split(":")[0]))
        await level(handle, "L0")
        assert "disk full" in handle.status.lowered or "could not be written" in handle.status.lowered
        await works(at, handle, "without")
        await equal(at, handle)
        at.empty()
        await level(handle, best)
        assert handle.status.lowered == ""
        await works(at, handle, "after")
        await equal(at, handle)
        await until(lambda: (at.it.home / "typed").read_bytes() == b"beforewithoutafter", "each key once")


def _end(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)


def test_tmux_alone_is_asked_for_what_the_helper_says() -> None:
    assert f"STATE='{bare.STATE}'".encode() in helper.helper_source()
