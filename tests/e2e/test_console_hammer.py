"""Exactly once, hammered: bad links, two clients, programs that end and begin, somebody in copy mode. Seeded."""

from __future__ import annotations

import asyncio
import random
import string
import sys
from pathlib import Path

import pytest
from console_rig import Rig, hub, rig, text, until
from faults import FaultyProvider
from figures import record, size

from amtui.console import server
from amtui.console.hub import Hub, TypingHandle
from amtui.console.status import Link
from amtui.model import MAIN_CONSOLE, Authority
from amtui.providers.base import Cap, Command

RAW = "stty raw -echo; printf ready; exec cat > typed"
EXEC_ONLY = Cap.LIST | Cap.FILES | Cap.BINARY_OUTPUT
SEEDS = range(size(2, 20))
KEYS = size(150, 600)
AGENT = r"""
import os, select, signal, sys, termios, tty
tty.setraw(0)
ending = []
for name in (signal.SIGUSR1, signal.SIGHUP, signal.SIGTERM):
    signal.signal(name, lambda *_: ending.append(1))
log = os.open(f"typed.{os.getpid()}", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
os.write(1, b"ready")
while True:
    ready = select.select([0], [], [], 0 if ending else 0.02)[0]
    if ready:
        os.write(log, os.read(0, 4096))
    elif ending:
        os._exit(5)
"""
"""Writes what it reads to a file of its own; told to end, it first reads what is there."""


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


@pytest.mark.prove
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("rate", [0.3, 0.7])
async def test_two_clients_through_a_bad_link(tmp_path: Path, rate: float) -> None:
    """Requests lost before, lost after, executed late, executed twice, answered late: every key once, in order."""
    faults = 0
    for seed in SEEDS:
        async with rig(tmp_path / str(seed)) as it:
            await it.start("sh", "-c", RAW)
            keyed = FaultyProvider(it.place.provider, rate, seed=seed, caps=EXEC_ONLY, only=_types)
            async with hub() as one, hub() as two:
                handles = [await _typing(it, keyed, consoles) for consoles in (one, two)]
                alphabets = (string.ascii_lowercase, string.ascii_uppercase)
                sent = await asyncio.gather(
                    *(write(h, a, random.Random(f"{seed}{a}"), KEYS) for h, a in zip(handles, alphabets, strict=True))
                )  # fmt: skip
                await asyncio.gather(*(handle.drain(120) for handle in handles))
            await keyed.settle()
            typed = it.home / "typed"
            await until(lambda typed=typed: typed.stat().st_size >= 2 * KEYS, "the last key")  # type: ignore[misc]
            got = typed.read_text()
            assert "".join(c for c in got if c.islower()) == sent[0], f"seed {seed}"
            assert "".join(c for c in got if c.isupper()) == sent[1], f"seed {seed}"
            assert len(got) == 2 * KEYS
            faults += sum(keyed.counts[name] for name in ("before", "after", "later", "twice", "delayed"))
    assert faults > KEYS / 20 * len(SEEDS), "hardly anything went wrong, so nothing was shown"
    record(
        f"exactly once, {rate:.0%} faults", "0 keys lost, doubled or reordered", "0", True,
        conditions=f"{len(SEEDS)} seeds, two clients, {KEYS} keys each, {faults} faults",
    )  # fmt: skip


def _types(command: Command) -> bool:
    return "input" in command.argv


async def _typing(it: Rig, provider: FaultyProvider, consoles: Hub) -> TypingHandle:
    handle = await consoles.open(it.with_provider(provider), MAIN_CONSOLE, Authority.TYPE)
    await handle.ready(15)
    await until(lambda: "ready" in text(handle), "the program")
    return handle


@pytest.mark.prove
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("caps", [None, EXEC_ONLY], ids=["L3", "L1"])
async def test_programs_that_end_and_begin(tmp_path: Path, caps: Cap | None) -> None:
    """The agent is ended and another begun, somebody enters copy mode, at random points: no key for a successor."""
    undelivered = acts = 0
    for seed in SEEDS:
        async with rig(tmp_path / str(seed)) as it:
            await it.start(sys.executable, "-c", AGENT)
            bad = FaultyProvider(it.place.provider, 0.3, seed=seed, caps=caps, only=_types)
            chosen = random.Random(seed)
            async with hub() as consoles:
                handle = await _typing(it, bad, consoles)
                programs: dict[int, str] = {}
                alphabet = iter(string.ascii_letters)
                sent = ""
                for _ in range(size(3, 6)):
                    letter = next(alphabet)  # a letter of its own for each life of the agent
                    pid = int(it.tmux("display-message", "-p", "-t", f"={MAIN_CONSOLE}:", "#{pane_pid}"))
                    programs[pid] = letter
                    act = asyncio.ensure_future(_disturb(it, chosen, pid))
                    sent += await write(handle, letter, chosen, KEYS // 5)
                    await act
                    acts += 1
                    await handle.drain(60)
                    await _alive(it, handle)
                refused = handle.status.refused.decode()
            await bad.settle()
            got = {pid: (it.home / f"typed.{pid}").read_text() for pid in programs}
            for pid, letter in programs.items():
                assert set(got[pid]) <= {letter}, f"seed {seed}: keys of one life reached another"
            assert all(
                sent.count(c) >= sum(t.count(c) for t in got.values()) + refused.count(c) for c in set(sent)
            )
            undelivered += len(sent) - sum(map(len, got.values())) - len(refused)
    record(
        f"restarts and copy mode amid keys ({'L1' if caps else 'L3'})",
        "0 acknowledged but undelivered, 0 to a successor",
        f"{undelivered}, 0", undelivered == 0, conditions=f"{len(SEEDS)} seeds, {acts} lives, 30 % faults",
    )  # fmt: skip
    assert undelivered == 0


async def _disturb(it: Rig, chosen: random.Random, pid: int) -> None:
    """Copy mode, and in the end of this life: a restart or an exit, somewhere amid the keys."""
    await asyncio.sleep(chosen.random() * 0.1)
    it.tmux("copy-mode", "-t", f"={MAIN_CONSOLE}:")
    await asyncio.sleep(chosen.random() * 0.2)
    await server.restart(it.place, MAIN_CONSOLE, [sys.executable, "-c", AGENT])


async def _alive(it: Rig, handle: TypingHandle) -> None:
    """The next life has begun and the view knows."""
    await until(lambda: "ready" in text(handle) and handle.status.link is Link.LIVE, "the next life", 20)
    said = it.tmux("display-message", "-p", "-t", f"={MAIN_CONSOLE}:", "#{pane_pid}")
    await until(lambda: (it.home / f"typed.{int(said)}").exists(), "its file")
    followed = handle._session
    await until(lambda: followed.program is not None and followed.program[1] == int(said), "news of it")
