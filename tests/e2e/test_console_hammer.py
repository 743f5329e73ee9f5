"""Exactly once, hammered: bad links, two clients, programs that end and begin, somebody in copy mode. Seeded."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import signal
import string
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from console_rig import QUICK, Rig, hub, rig, text, until
from faults import FaultyProvider
from figures import record, size

from amtui.console import server
from amtui.console.hub import Hub, TypingHandle
from amtui.console.status import Link
from amtui.model import MAIN_CONSOLE, Authority
from amtui.providers.base import Cap, Command

RAW = "stty raw -echo; printf ready; exec cat > typed"
EXEC_ONLY = Cap.LIST | Cap.FILES | Cap.BINARY_OUTPUT
LEVELS = pytest.mark.parametrize("caps", [None, EXEC_ONLY], ids=["L3", "L1"])
SEEDS = range(size(2, 20))
KEYS = size(150, 600)
HASTY = replace(QUICK, deadline=2.0, reading=0.5, told=1e9)
"""Lines that are lost are missed soon; a program is taken to read its keys within half a second."""


def _types(command: Command) -> bool:
    return bool({"input", "paste", "hello", "control"} & set(command.argv))


async def write(handle: TypingHandle, letters: str, chosen: random.Random, keys: int) -> str:
    """Type `keys` letters one after another, in small irregular steps; returns them."""
    sent = "".join(chosen.choice(letters) for _ in range(keys))
    at = 0
    while at < keys:
        step = chosen.randint(1, 4)
        handle.type(sent[at : at + step].encode(), control=chosen.random() < 0.5)
        at += step
        await asyncio.sleep(chosen.random() * 0.01)
    return sent


async def _typing(it: Rig, provider: FaultyProvider, consoles: Hub) -> TypingHandle:
    handle = await consoles.open(it.with_provider(provider), MAIN_CONSOLE, Authority.TYPE)
    await handle.ready(15)
    await until(lambda: "ready" in text(handle), "the program")
    return handle


def _faults(*providers: FaultyProvider) -> int:
    return sum(p.counts[name] for p in providers for name in ("before", "after", "later", "twice", "delayed"))


@pytest.mark.prove
@pytest.mark.timeout(3600)
@LEVELS
@pytest.mark.parametrize("rate", [0.3, 0.7])
async def test_two_clients_through_a_bad_link(tmp_path: Path, rate: float, caps: Cap | None) -> None:
    """Requests lost before, lost after, executed late, executed twice, answered late: every key once, in order."""
    faults = 0
    for seed in SEEDS:
        async with rig(tmp_path / str(seed)) as it:
            await it.start("sh", "-c", RAW)
            keyed = FaultyProvider(it.place.provider, rate, seed=seed, caps=caps, only=_types)
            async with hub(HASTY) as one, hub(HASTY) as two:
                handles = [await _typing(it, keyed, consoles) for consoles in (one, two)]
                alphabets = (string.ascii_lowercase, string.ascii_uppercase)
                sent = await asyncio.gather(
                    *(write(h, a, random.Random(f"{seed}{a}"), KEYS) for h, a in zip(handles, alphabets, strict=True))
                )  # fmt: skip
                await asyncio.gather(*(handle.drain(120) for handle in handles))
                assert [(handle.status.refused, handle.status.unread) for handle in handles] == [
                    (b"", b"")
                ] * 2
            await keyed.settle()
            typed = it.home / "typed"
            await until(lambda typed=typed: typed.stat().st_size >= 2 * KEYS, "the last key")  # type: ignore[misc]
            got = typed.read_text()
            assert "".join(c for c in got if c.islower()) == sent[0], f"seed {seed}"
            assert "".join(c for c in got if c.isupper()) == sent[1], f"seed {seed}"
            assert len(got) == 2 * KEYS
            faults += _faults(keyed)
    assert faults > KEYS / 20 * len(SEEDS), "hardly anything went wrong, so nothing was shown"
    record(
        f"exactly once, {rate:.0%} faults, {'L1' if caps else 'L3'}", "0 keys lost, doubled or reordered", "0", True,
        conditions=f"{len(SEEDS)} seeds, two clients, {KEYS} keys each, {faults} faults",
    )  # fmt: skip


ENDS = ("restart", "respawn", "kill", "exit")
AGENT = r"""
import os, select, signal, sys, tty
left = int(sys.argv[1])
tty.setraw(0, 0)
ending = []
for name in (signal.SIGHUP, signal.SIGTERM):
    signal.signal(name, lambda *_: ending.append(1))
log = os.open(f"typed.{os.getpid()}", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
os.write(1, b"\x1b[2J\x1b[Hready %d." % os.getpid())
while True:
    if select.select([0], [], [], 0 if ending else 0.02)[0]:
        try:
            keys = os.read(0, min(left, 64))
        except OSError:
            keys = b""
        left -= os.write(log, keys)
        if not keys or not left:
            os._exit(5)
    elif ending:
        os._exit(5)
"""
"""Writes what it reads to a file of its own and says who it is. Ends by itself, whatever else waits to be read, after
so many bytes; told to end, it first reads what is there. What came before it was ready it keeps (no flush): keys for
its predecessor would be seen."""


@dataclass
class Person:
    """Somebody who types what is meant for the program on their screen, and how that turned out."""

    handle: TypingHandle
    first: int
    """Code point of their first key: each key is another character of four bytes, so each can be told."""
    sent: dict[int, str] = field(default_factory=dict)
    """Keys typed while the picture of that process stood."""

    @property
    def sees(self) -> int | None:
        """The process whose picture is on the screen."""
        found = re.search(r"ready (\d+)\.", text(self.handle))
        return int(found[1]) if found else None

    @property
    def bound(self) -> int | None:
        """The process that amtui knows to be the one on the screen."""
        session = self.handle._session
        known = session.program is not None and session.shown == session.program[:2]
        return session.program[1] if session.program and known else None

    async def type(self, chosen: random.Random, keys: int) -> None:
        """Keys for whoever is on the screen at that moment, in small irregular steps."""
        while keys > 0:
            await asyncio.sleep(chosen.random() * 0.05)
            pid = self.sees
            if pid is None or (self.handle.status.link is not Link.LIVE and chosen.random() < 0.9):
                continue
            step = "".join(map(chr, range(self.first, self.first + chosen.randint(1, 4))))
            self.first += len(step)
            self.handle.type(step.encode(), control=chosen.random() < 0.5)
            self.sent[pid] = self.sent.get(pid, "") + step
            keys -= len(step)

    def own(self, data: bytes) -> list[str]:
        """This person's keys in `data`."""
        typed = set("".join(self.sent.values()))
        return [key for key in data.decode("utf-8", "ignore") if key in typed]


def judge(person: Person, files: dict[int, bytes]) -> dict[str, int]:
    """Hold what one person was told against what each life read; see docs/protocol.md, "What became of a key"."""
    refused, unread = (
        person.own(data) for data in (person.handle.status.refused, person.handle.status.unread)
    )
    assert len(set(refused)) == len(refused), "a key was handed back twice"
    tally = {"typed": 0, "read": 0, "refused": len(refused), "unread": 0, "suspected": len(unread)}
    for pid, data in files.items():
        sent, read = list(person.sent.get(pid, "")), person.own(data)
        assert set(read) <= set(sent), "a key reached another life than the one on the screen"
        accepted = [key for key in sent if key not in refused]
        assert read == accepted[: len(read)], (
            "a key was lost, doubled, reordered, or handed back and read all the same"
        )
        told = [key for key in accepted if key in unread]
        assert told == accepted[len(accepted) - len(told) :], (
            "what is told as perhaps unread is not what came last"
        )
        assert len(read) + len(told) >= len(accepted), (
            "a key was acknowledged and not read, and nobody was told"
        )
        tally["typed"] += len(sent)
        tally["read"] += len(read)
        tally["unread"] += len(accepted) - len(read)
    return tally


@pytest.mark.prove
@pytest.mark.timeout(3600)
@LEVELS
async def test_programs_that_end_and_begin(tmp_path: Path, caps: Cap | None) -> None:
    """The agent exits by itself, is killed, restarted, respawned by a stranger; copy mode; two typists; a bad link.

    Every key is read by the program its typist saw, or told as refused (then nobody read it) or as perhaps unread.
    """
    total: dict[str, int] = {}
    ends: dict[str, int] = {}
    for seed in SEEDS:
        async with rig(tmp_path / str(seed)) as it:
            await it.start(sys.executable, "-c", AGENT, "99999")
            bad = FaultyProvider(it.place.provider, 0.3, seed=seed, caps=caps, only=_types, streams=True)
            async with hub(HASTY) as one, hub(HASTY) as two:
                people = [
                    Person(await _typing(it, bad, consoles), 0x10000 * (number + 1))
                    for number, consoles in enumerate((one, two))
                ]
                typists = [
                    asyncio.ensure_future(person.type(random.Random(f"{seed} {person.first}"), KEYS))
                    for person in people
                ]
                chosen = random.Random(seed)
                for left in reversed(range(size(4, 6))):
                    keys = 99999 if not left or chosen.random() < 0.5 else 4 * chosen.randint(5, 150)
                    how = ENDS[(left + seed) % len(ENDS)]
                    await _end_a_life(it, chosen, how, keys)
                    ends[how] = ends.get(how, 0) + 1
                await asyncio.gather(*typists)
                last = int(_ask(it, "#{pane_pid}"))
                for person in people:
                    await until(lambda p=person, last=last: p.sees == p.bound == last, "the last life", 30)  # type: ignore[misc]
                await asyncio.gather(*(person.type(random.Random(seed), 20) for person in people))
                await asyncio.gather(*(person.handle.drain(60) for person in people))
                await bad.settle()
                end = it.home / f"typed.{last}"
                for person in people:
                    final = person.sent[last][-1].encode()
                    await until(lambda end=end, final=final: final in end.read_bytes(), "the last key")  # type: ignore[misc]
                    assert not set(person.own(person.handle.status.unread)) & set(person.sent[last]), (
                        "it lives"
                    )
                files = {int(path.suffix[1:]): path.read_bytes() for path in it.home.glob("typed.*")}
                for person in people:
                    try:
                        found = judge(person, files)
                    except AssertionError as error:
                        raise AssertionError(f"seed {seed}: {error}") from error
                    for name, count in found.items():
                        total[name] = total.get(name, 0) + count
    assert total["read"] > total["typed"] / 4, total
    told = ", ".join(f"{count} {name}" for name, count in total.items())
    record(
        f"programs end and begin amid keys ({'L1' if caps else 'L3'})",
        "0 acknowledged and neither read nor told, 0 to a successor", f"0, 0 ({told})", True,
        conditions=f"{len(SEEDS)} seeds, two clients, 30 % faults, copy mode, ends: {ends}",
    )  # fmt: skip


def _ask(it: Rig, facts: str) -> str:
    return it.tmux("display-message", "-p", "-t", f"={MAIN_CONSOLE}:", facts).decode().strip()


async def _end_a_life(it: Rig, chosen: random.Random, how: str, keys: int) -> None:
    """Somebody scrolls, for a while or on, then the agent ends and another, which reads so many bytes, begins."""
    target = f"={MAIN_CONSOLE}:"
    await asyncio.sleep(chosen.random() * 0.8)
    with contextlib.suppress(subprocess.CalledProcessError):
        it.tmux("copy-mode", "-t", target)
    if chosen.random() < 0.6:
        await asyncio.sleep(chosen.random() * 0.3)
        with contextlib.suppress(subprocess.CalledProcessError):
            it.tmux("send-keys", "-t", target, "-X", "cancel")
    await asyncio.sleep(chosen.random() * 0.5)
    next_one = (sys.executable, "-c", AGENT, str(keys))
    if how == "exit":
        with contextlib.suppress(AssertionError):
            await until(lambda: _ask(it, "#{pane_dead}") == "1", "an end of its own", 1.0)
    if how == "kill":
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(_ask(it, "#{pane_pid}")), signal.SIGKILL)
        await asyncio.sleep(chosen.random() * 0.2)
    if how == "respawn" or chosen.random() < 0.3:
        it.tmux("respawn-pane", "-k", "-t", target, "-c", str(it.home), "--", *next_one)
    else:
        await server.restart(it.place, MAIN_CONSOLE, next_one)
