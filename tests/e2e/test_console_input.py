"""Keys reach the program they were typed for: each once, in order, through a bad link; or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import random
import string
from dataclasses import replace
from pathlib import Path

import pytest
from console_rig import PROVE, QUICK, hub, rig, size, text, until
from faults import FaultyProvider
from figures import record

from amtui.console import server
from amtui.console.status import Link
from amtui.errors import ExecTimeout
from amtui.model import MAIN_CONSOLE, Authority
from amtui.providers.base import Cap, Command

RAW = "stty raw -echo; printf ready; exec cat > typed"
EXEC_ONLY = Cap.LIST | Cap.FILES | Cap.BINARY_OUTPUT
LETTERS = string.ascii_letters + string.digits + " .,;:'\"\\$#{}%"


def printable(count: int, seed: int) -> str:
    chosen = random.Random(seed)
    return "".join(chosen.choice(LETTERS) for _ in range(count))


@pytest.mark.prove
@pytest.mark.timeout(300)
@pytest.mark.parametrize("level", ["L1", "L3"])
async def test_every_key_once_and_in_order_through_a_bad_link(tmp_path: Path, level: str) -> None:
    count, rate = size(250, 2000), 200.0 if not PROVE else 100.0
    async with rig(tmp_path) as it:
        await it.start("sh", "-c", RAW)
        caps = EXEC_ONLY if level == "L1" else None
        bad = FaultyProvider(it.place.provider, 0.2, seed=7, caps=caps, streams=level == "L3")
        typed = printable(count, 3)
        async with hub() as consoles:
            handle = await consoles.open(it.with_provider(bad), MAIN_CONSOLE, Authority.TYPE)
            await handle.ready(10)
            await until(lambda: "ready" in text(handle), "the program")
            for char in typed:
                handle.type(char.encode())
                await asyncio.sleep(1 / rate)
            await handle.drain(60)
            assert handle.status.refused == b""
            assert handle.status.level == level
        await bad.settle()
        await until(lambda: (it.home / "typed").stat().st_size >= count, "the last key")
        exact = (it.home / "typed").read_text() == typed
        record(
            f"keys through a link with 20 % faults, {level}",
            f"{count} exactly, in order",
            f"{count} exact" if exact else "differs",
            exact,
            conditions=f"{rate:g} keys a second; requests dropped, late, doubled, streams broken",
        )
        assert exact
        faults = sum(
            bad.counts[fault] for fault in ("before", "after", "later", "twice", "delayed", "broken")
        )
        assert faults >= 3, f"nothing went wrong, so nothing was shown: {bad.counts}"


@pytest.mark.prove
@pytest.mark.timeout(300)
async def test_two_clients_each_exact_and_in_order(tmp_path: Path) -> None:
    count = size(120, 1000)
    async with rig(tmp_path) as it:
        await it.start("sh", "-c", RAW)
        bad = FaultyProvider(it.place.provider, 0.7 if PROVE else 0.4, seed=5, caps=EXEC_ONLY)
        sent = {"lower": "", "upper": ""}
        async with hub() as one, hub() as two:

            async def write(which: str, consoles: object, letters: str, seed: int) -> None:
                handle = await consoles.open(it.with_provider(bad), MAIN_CONSOLE, Authority.TYPE)  # type: ignore[attr-defined]
                await handle.ready(10)
                chosen = random.Random(seed)
                for _ in range(count):
                    char = chosen.choice(letters)
                    sent[which] += char
                    handle.type(char.encode(), control=True)
                    await asyncio.sleep(0.003)
                await handle.drain(60)

            await asyncio.gather(
                write("lower", one, string.ascii_lowercase, 1), write("upper", two, string.ascii_uppercase, 2)
            )
        await bad.settle()
        await until(lambda: (it.home / "typed").stat().st_size >= 2 * count, "the last key")
        got = (it.home / "typed").read_text()
        assert "".join(c for c in got if c.islower()) == sent["lower"]
        assert "".join(c for c in got if c.isupper()) == sent["upper"]
        assert len(got) == 2 * count
        record("two clients at once, 70 % faults", f"2 × {count} exact, in order", f"2 × {count} exact", True)


@pytest.mark.prove
@pytest.mark.timeout(300)
async def test_paste_of_multibyte_text_arrives_whole(tmp_path: Path) -> None:
    async with rig(tmp_path) as it:
        await it.start("sh", "-c", "stty -echo; printf ready; cat > pasted; printf over; sleep 60")
        chosen = random.Random(11)
        line = "".join(chosen.choice("aé漢🙂ß→ z") for _ in range(60))
        data = "".join(
            f"{number} {line}\n" for number in range(256 * 1024 // len(f"00 {line}\n".encode()) + 1)
        ).encode()
        assert len(data) >= 256 * 1024 - 4096
        bad = FaultyProvider(it.place.provider, 0.3, seed=2)
        async with hub() as consoles:
            handle = await consoles.open(it.with_provider(bad), MAIN_CONSOLE, Authority.TYPE)
            await handle.ready(10)
            await until(lambda: "ready" in text(handle), "the program")
            handle.type(b"typed before\r")
            handle.paste(data)
            handle.type(b"\x04", control=True)
            await handle.drain(30)
            await until(lambda: "over" in text(handle), "the end of the paste")
        got = (it.home / "pasted").read_bytes()
        want = b"typed before\n" + data
        same = hashlib.sha256(got).hexdigest() == hashlib.sha256(want).hexdigest()
        record("paste of multibyte text, 30 % faults", "sha256 equal", f"{len(want)} bytes", same)
        assert same, (len(got), len(want))


async def test_a_paste_is_bracketed_when_the_program_asked(tmp_path: Path) -> None:
    async with rig(tmp_path) as it:
        await it.start("sh", "-c", "stty raw -echo; printf '\\033[?2004hready'; exec cat > typed")
        async with hub() as consoles:
            handle = await consoles.open(it.place, MAIN_CONSOLE, Authority.TYPE)
            await handle.ready(10)
            await until(lambda: "ready" in text(handle), "the program")
            handle.paste(b"two words")
            await handle.drain(10)
            await until(lambda: (it.home / "typed").stat().st_size >= 21, "the paste")
        assert (it.home / "typed").read_bytes() == b"\x1b[200~two words\x1b[201~"


@pytest.mark.parametrize("caps", [None, EXEC_ONLY], ids=["L3", "L1"])
async def test_no_key_reaches_the_program_that_follows(tmp_path: Path, caps: Cap | None) -> None:
    """Keys typed for a program that was replaced while they were on their way are handed back, not delivered."""
    async with rig(tmp_path) as it:
        await it.start("sh", "-c", "stty raw -echo; printf first; exec cat > typed-first")
        gate = asyncio.Event()
        gate.set()
        slow = GatedProvider(it.place.provider, gate, caps)
        async with hub() as consoles:
            handle = await consoles.open(it.with_provider(slow), MAIN_CONSOLE, Authority.TYPE)
            await handle.ready(10)
            await until(lambda: "first" in text(handle), "the first program")
            handle.type(b"one", control=True)
            await handle.drain(10)
            gate.clear()  # from here on requests are held up
            handle.type(b"for the first only", control=True)
            await server.restart(
                it.place, MAIN_CONSOLE, ["sh", "-c", "stty raw -echo; printf second; exec cat > typed-second"]
            )
            gate.set()
            await until(lambda: handle.status.refused, "the refusal")
            assert handle.status.refused == b"for the first only"
            assert handle.status.refusal == "restarted"
            await until(lambda: "second" in text(handle), "the second program")
            handle.type(b"welcome", control=True)
            await handle.drain(10)
            await until(lambda: (it.home / "typed-second").stat().st_size >= 7, "keys for the second program")
        assert (it.home / "typed-second").read_bytes() == b"welcome"
        assert (it.home / "typed-first").read_bytes() == b"one"


async def test_keys_for_a_dead_program_are_handed_back(tmp_path: Path) -> None:
    async with rig(tmp_path) as it:
        await it.start("sh", "-c", "printf alive; read x; exit 3")
        async with hub() as consoles:
            handle = await consoles.open(it.place, MAIN_CONSOLE, Authority.TYPE)
            await handle.ready(10)
            await until(lambda: "alive" in text(handle), "the program")
            handle.type(b"\r", control=True)
            await until(lambda: handle.status.link is Link.DEAD, "its end")
            assert handle.status.exit_status == "3"
            handle.type(b"anyone?", control=True)
            await until(lambda: handle.status.refused, "the refusal")
            assert (handle.status.refused, handle.status.refusal) == (b"anyone?", "dead")


@pytest.mark.parametrize("caps", [None, EXEC_ONLY], ids=["L3", "L1"])
async def test_copy_mode_swallows_no_key(tmp_path: Path, caps: Cap | None) -> None:
    """A person who attached to the worker's tmux scrolls back while keys arrive."""
    async with rig(tmp_path) as it:
        await it.start("sh", "-c", RAW)
        provider = FaultyProvider(it.place.provider, 0.0, caps=caps)
        async with hub() as consoles:
            handle = await consoles.open(it.with_provider(provider), MAIN_CONSOLE, Authority.TYPE)
            await handle.ready(10)
            await until(lambda: "ready" in text(handle), "the program")
            it.tmux("copy-mode", "-t", f"={MAIN_CONSOLE}:")
            everything = bytes(range(256))
            handle.type(everything[:100], control=True)
            handle.type(everything[100:], control=True)
            await handle.drain(10)
            await until(lambda: (it.home / "typed").stat().st_size >= 256, "the keys")
        assert (it.home / "typed").read_bytes() == everything


DEAF = "stty raw -echo; printf deaf; until [ -e end ]; do sleep 0.02; done; exit 4"
LEVELS = pytest.mark.parametrize("caps", [None, EXEC_ONLY], ids=["L3", "L1"])


@LEVELS
async def test_keys_accepted_just_before_the_end_are_told_as_perhaps_unread(
    tmp_path: Path, caps: Cap | None
) -> None:
    """A program exits with keys in its terminal that it never read. tmux had accepted them."""
    async with rig(tmp_path) as it:
        await it.start("sh", "-c", DEAF)
        provider = FaultyProvider(it.place.provider, 0.0, caps=caps)
        async with hub() as consoles:
            handle = await consoles.open(it.with_provider(provider), MAIN_CONSOLE, Authority.TYPE)
            await handle.ready(10)
            await until(lambda: "deaf" in text(handle), "the program")
            handle.type(b"yes\r", control=True)
            await handle.drain(10)
            assert handle.status.unread == b"", "nothing has ended"
            (it.home / "end").touch()
            await until(lambda: handle.status.link is Link.DEAD, "its end")
            assert (handle.status.unread, handle.status.refused) == (b"yes\r", b"")
            assert handle.status.refusal == "dead"
            handle.type(b"more", control=True)
            assert (handle.status.unread, handle.status.refused) == (b"yes\r", b"more")
            handle.forget_refused()
            assert (handle.status.unread, handle.status.refused) == (b"", b"")


@LEVELS
async def test_keys_that_a_program_outlived_are_not_told(tmp_path: Path, caps: Cap | None) -> None:
    """Once it is known to have lived on for long enough, a program is taken to have read its keys."""
    async with rig(tmp_path) as it:
        await it.start("sh", "-c", DEAF)
        asked: list[Command] = []
        provider = FaultyProvider(it.place.provider, 0.0, caps=caps, only=asked.append)  # type: ignore[arg-type]
        async with hub(replace(QUICK, reading=0.2)) as consoles:
            handle = await consoles.open(it.with_provider(provider), MAIN_CONSOLE, Authority.TYPE)
            await handle.ready(10)
            await until(lambda: "deaf" in text(handle), "the program")
            handle.type(b"old ", control=True)
            await handle.drain(10)
            outbox = handle._session.outbox
            assert outbox.fresh == b"old "
            await until(lambda: not outbox.fresh, "that it lived on")
            before = sum("input" in command.argv for command in asked)
            await asyncio.sleep(0.5)
            assert before == sum("input" in command.argv for command in asked), (
                "asked once, not again and again"
            )
            (it.home / "end").touch()
            await until(lambda: handle.status.link is Link.DEAD, "its end")
            assert (handle.status.unread, handle.status.refused) == (b"", b"")


class ReplyLost(FaultyProvider):
    """Keys are typed, and no reply to them comes for as long as `lost` is set; on either path."""

    lost = False

    async def exec(self, host_id, command, **rest):  # type: ignore[no-untyped-def]
        done = await super().exec(host_id, command, **rest)
        if self.lost and "input" in command.argv:
            raise ExecTimeout("lost on the way back")
        return done

    def chosen(self) -> str:
        return "after" if self.lost else ""


@LEVELS
async def test_keys_that_were_read_are_not_handed_back(tmp_path: Path, caps: Cap | None) -> None:
    """Keys are accepted, every reply to them is lost, then the program is replaced: how far they got is asked."""
    async with rig(tmp_path) as it:
        await it.start("sh", "-c", RAW)
        provider = ReplyLost(
            it.place.provider, 1.0, caps=caps, only=lambda command: "control" in command.argv
        )
        async with hub(replace(QUICK, deadline=1.0)) as consoles:
            handle = await consoles.open(it.with_provider(provider), MAIN_CONSOLE, Authority.TYPE)
            await handle.ready(10)
            await until(lambda: "ready" in text(handle), "the program")
            handle.type(b"first ", control=True)
            await handle.drain(10)
            provider.lost = True
            handle.type(b"read", control=True)
            await until(lambda: (it.home / "typed").read_bytes() == b"first read", "the keys")
            await server.restart(
                it.place, MAIN_CONSOLE, ["sh", "-c", "stty raw -echo; printf anew; exec cat > next"]
            )
            await until(lambda: "anew" in text(handle), "the next program")
            assert handle.status.unacked == 4
            provider.lost = False
            await handle.drain(10)
            assert (handle.status.refused, handle.status.unread) == (b"", b"first read")


class GatedProvider(FaultyProvider):
    """Holds up every request that carries input, on either path, until the gate opens."""

    def __init__(self, inner: object, gate: asyncio.Event, caps: Cap | None) -> None:
        super().__init__(inner, 0.0, caps=caps)  # type: ignore[arg-type]
        self._gate = gate

    async def exec(self, host_id, command, **rest):  # type: ignore[no-untyped-def]
        if "input" in command.argv:
            await self._gate.wait()
        return await super().exec(host_id, command, **rest)

    def stream_exec(self, host_id, command, **rest):  # type: ignore[no-untyped-def]
        return _gated(super().stream_exec(host_id, command, **rest), self._gate)


class _gated:
    def __init__(self, inner, gate):  # type: ignore[no-untyped-def]
        self._inner, self._gate = inner, gate

    async def __aenter__(self):  # type: ignore[no-untyped-def]
        stream = await self._inner.__aenter__()
        write = stream.write

        async def held(data: bytes) -> None:
            await self._gate.wait()
            await write(data)

        stream.write = held
        return stream

    async def __aexit__(self, *raised):  # type: ignore[no-untyped-def]
        return await self._inner.__aexit__(*raised)
