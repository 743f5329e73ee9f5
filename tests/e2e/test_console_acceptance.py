"""What any console must stand: twelve things, on this computer, over ssh, and where there is nothing but exec.

`make prove` tries each on all three. `make test` tries each where it is most likely to go wrong, and every substrate
with several.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import re
import signal
import string
import sys
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest
from console_rig import QUICK, Rig, cells, hub, reachable, text, until
from faults import FaultyProvider
from figures import proving, size
from hosts import SshWorld, processes
from operator_world import AMTUI, Operator

from amtui.console.hub import ConsoleHandle, Hub, TypingHandle
from amtui.console.scrollback import NOT_KEPT
from amtui.console.status import Link
from amtui.emulator import Screen, Stream
from amtui.model import MAIN_CONSOLE, Authority
from amtui.providers.base import Cap, Command, ExecResult, Place, Provider, Purpose
from amtui.providers.local import LocalProvider
from amtui.providers.ssh import SshProvider

sys.path.insert(0, str(Path(__file__).parent.parent / "perf"))

from blackbox import Glass

pytestmark = [pytest.mark.prove, pytest.mark.timeout(300)]
SITES = ("local", "ssh", "exec only")
"""Exec only means: no streams, no stdin, no binary output."""
RAW = "stty raw -echo; printf ready; exec cat > typed"


class Site(Rig):
    """A worker's place on any of the three substrates; its host is always this computer."""

    def __init__(self, provider: Provider, base: str, host_id: str) -> None:
        super().__init__(provider, base)
        self.place = Place(provider, host_id, base, self.place.root, self.place.socket)


def on(*picked: str) -> pytest.MarkDecorator:
    """Where a test runs: on all substrates, under `make test` on those picked."""
    return pytest.mark.parametrize("site", SITES if proving() else picked, indirect=True)


@pytest.fixture
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    provider: Provider = LocalProvider(tmp_path / "machines")
    host_id = "local"
    if request.param == "ssh":
        world: SshWorld = request.getfixturevalue("sshd")
        provider, host_id = SshProvider(environ=world.environ), "box"
    elif request.param == "exec only":
        provider = FaultyProvider(provider, 0.0, caps=Cap.LIST | Cap.FILES)
    made = Site(provider, await provider.root(host_id), host_id)
    try:
        yield made
    finally:
        await made.end()
        await provider.aclose()


async def typing(site: Site, consoles: Hub, wanted: str = "ready") -> TypingHandle:
    handle = await consoles.open(site.place, MAIN_CONSOLE, Authority.TYPE)
    await handle.ready(15)
    await until(lambda: wanted in text(handle), wanted)
    return handle


async def same(site: Site, handle: ConsoleHandle, seconds: float = 15.0) -> None:
    """Wait until the view shows what tmux has, cell for cell."""

    def agree() -> bool:
        theirs, mine = site.oracle(), handle.screen
        return cells(mine) == cells(theirs) and (mine.cursor.x, mine.cursor.y) == (
            theirs.cursor.x,
            theirs.cursor.y,
        )

    await until(agree, "the screen tmux has", seconds)


@on("ssh")
async def test_01_arrow_keys_and_single_letters(site: Site) -> None:
    await site.start("sh", "-c", "seq 1 200 > long; less long; exec vim -u NONE -N notes")
    async with hub() as consoles:
        handle = await typing(site, consoles, "long")
        for key in (b" ", b"\x1bOB", b"\x1bOB", b"k", b"G"):
            handle.type(key, control=True)
        await until(lambda: "200" in text(handle), "the end of the file")
        handle.type(b"q")
        await until(lambda: "notes" in text(handle), "vim")
        for key in (b"i", b"a", b"c", b"\x1bOD", b"b", b"\x1b"):
            handle.type(key, control=len(key) > 1)
        await until(lambda: "abc" in text(handle), "the letters in order")
        await same(site, handle)
        handle.type(b":wq\r", control=True)
        await until(lambda: handle.status.link is Link.DEAD, "the end of vim")
    assert (site.home / "notes").read_text() == "abc\n"


class Slow(FaultyProvider):
    """Half a second for each exec, and for what is written to a stream."""

    async def exec(self, host_id: str, command: Command, *, purpose: Purpose = Purpose.USER) -> ExecResult:
        await asyncio.sleep(0.5 if "input" in command.argv else 0.0)
        return await super().exec(host_id, command, purpose=purpose)


@on("exec only")
async def test_02_typing_ahead_of_a_slow_exec(site: Site) -> None:
    await site.start("sh", "-c", RAW)
    slow = Slow(site.place.provider, 0.0, caps=site.place.provider.caps & ~(Cap.STREAM | Cap.STDIN))
    site.place = site.with_provider(slow)
    count = size(60, 200)
    sent = "".join(random.Random(2).choice(string.ascii_letters) for _ in range(count))
    async with hub() as consoles:
        handle = await typing(site, consoles)
        for letter in sent:
            handle.type(letter.encode())
            await asyncio.sleep(1 / 30)
        await handle.drain(60)
    await until(lambda: (site.home / "typed").stat().st_size >= count, "the last letter")
    assert (site.home / "typed").read_text() == sent


@on("ssh", "exec only")
async def test_03_a_paste_of_64_kilobytes(site: Site) -> None:
    await site.start("sh", "-c", "stty -echo; printf ready; cat > pasted; sha256sum pasted; exec sleep 60")
    line = "".join(random.Random(3).choice("aé漢🙂ß ") for _ in range(100))
    data = "".join(f"{number} {line}\n" for number in range(300)).encode()[: 64 << 10]
    data = data[: data.rindex(b"\n") + 1]
    async with hub() as consoles:
        handle = await typing(site, consoles)
        handle.paste(data)
        handle.type(b"\x04", control=True)
        await until(lambda: hashlib.sha256(data).hexdigest()[:40] in text(handle), "the same checksum", 30)


BURST = r"""
import os, sys
line = "\x1b[3%dm%d 漢🙂é\x1b[0m-%s\r\n"
data = "".join(line % (n % 8, n, "x" * (n % 50)) for n in range(int(sys.argv[1]) // 40)).encode() + b"the end"
open("raw", "wb").write(data)
at, n = 0, 0
while at < len(data):
    n += 1
    step = n % 7 + 1 if n < 3000 else 4093
    os.write(1, data[at : at + step])
    at += step
import time; time.sleep(600)
"""


@on("local")
async def test_04_a_burst_cut_at_every_byte(site: Site) -> None:
    await site.start(
        "sh", "-c", f"stty -opost; exec {sys.executable} -c '{BURST}' {size(600_000, 5_000_000)}"
    )
    async with hub() as consoles:
        handle = await consoles.open(site.place)
        await handle.ready(15)
        await until(lambda: "the end" in text(handle), "the end", 60)
        await same(site, handle)
        alone = Screen(80, 24, 0)
        Stream(alone).feed((site.home / "raw").read_bytes())
        assert cells(handle.screen) == cells(alone)


NUMBERS = "i=0; while [ $i -lt {count} ]; do i=$((i + 1)); echo line $i; done; printf over; exec sleep 600"


def numbered(rows: list[str]) -> list[int]:
    return [int(found[1]) for row in rows if (found := re.match(r"line (\d+)\s*$", row))]


async def each_line_once(handle: ConsoleHandle, count: int) -> None:
    """From the first line to the last, on screen and by scrolling back: none missing, none doubled."""
    rows = await reachable(handle)
    assert NOT_KEPT not in rows
    assert numbered(rows) == list(range(1, count + 1))


def check_rows(handle: ConsoleHandle, seen: list[int]) -> None:
    """Whatever is on show is a run of consecutive numbers."""
    rows = list(handle.screen.display)
    del rows[handle.screen.cursor.y]  # may be half written
    shown = numbered(rows)
    assert all(b == a + 1 for a, b in pairwise(shown)), shown
    seen.append(len(shown))


@on("local", "exec only")
async def test_05_attaching_amid_output(site: Site) -> None:
    count = size(3000, 20_000)
    await site.start("sh", "-c", NUMBERS.format(count=count))
    seen: list[int] = []
    async with hub() as consoles:
        for _ in range(4):
            handle = await consoles.open(site.place)
            stop = handle.listen(lambda handle=handle: check_rows(handle, seen))  # type: ignore[misc]
            await handle.ready(15)
            await asyncio.sleep(0.05)
            stop()
            await handle.release()
        last = await consoles.open(site.place)
        await last.ready(15)
        await until(lambda: "over" in text(last), "the end", 60)
        await same(site, last)
        check_rows(last, seen)
        await each_line_once(last, count)
    assert max(seen) >= 20


def our_requests(site: Site) -> list[int]:
    """Processes of the helper that carry output or keys for a viewer."""
    found = []
    for pid in processes(site.place.socket):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if {"stream", "poll", "control"} & set(words):
            found.append(pid)
    return found


PACED = """
import sys, time
for number in range(1, int(sys.argv[1]) + 1):
    print("line", number, flush=number % 5 == 0)
    if number % 5 == 0: time.sleep(0.001)
print("over", end="", flush=True)
time.sleep(600)
"""


@on("ssh", "exec only")
async def test_06_the_transport_dies_in_a_burst(site: Site, request: pytest.FixtureRequest) -> None:
    count = size(6000, 30_000)
    await site.start(sys.executable, "-c", PACED, str(count))
    seen: list[int] = []
    async with hub() as consoles:
        handle = await consoles.open(site.place)
        handle.listen(lambda: check_rows(handle, seen))
        await handle.ready(15)
        killed = 0
        while "over" not in text(handle) and killed < 10:
            if request.node.callspec.params["site"] == "ssh":
                request.getfixturevalue("sshd").host.cut()
            for pid in our_requests(site):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            killed += 1
            await asyncio.sleep(0.2)
        await until(lambda: "over" in text(handle), "the end", 60)
        await same(site, handle, 30)
        check_rows(handle, seen)
        await each_line_once(handle, count)
    assert killed


@on("local")
async def test_07_the_server_is_killed(site: Site) -> None:
    await site.start("sh", "-c", RAW)
    async with hub(QUICK) as consoles:
        handle = await typing(site, consoles)
        before = handle.status.generation
        site.tmux("kill-server")
        await until(lambda: handle.status.link is Link.ENDED, "the view knows")
        await site.start("sh", "-c", "printf anew; exec sleep 600")
        await until(lambda: "anew" in text(handle) and handle.status.link is Link.LIVE, "the new one", 20)
        assert handle.status.generation > before


@on("ssh")
async def test_08_questions_to_the_terminal_are_not_ours(site: Site) -> None:
    asks = r"stty raw -echo; printf '"
    asks += r"\033[c\033[>c\033[6n\033[5n\033]11;?\007\033[?u\033[?1049$preadyx'; exec cat > typed"
    await site.start("sh", "-c", asks)
    async with hub() as consoles:
        handle = await typing(site, consoles)
        await until(lambda: (site.home / "typed").stat().st_size > 0, "tmux's own answers")
        await asyncio.sleep(0.3)
        assert handle._session.outbox.idle
        assert handle._session.outbox.acked == 0
        answered = (site.home / "typed").read_bytes()
        assert answered.count(b"c") <= 2, answered
        assert len(re.findall(rb"\x1b\[\d+;\d+R", answered)) == 1


@on("exec only")
async def test_09_two_viewers_of_different_size(site: Site) -> None:
    await site.start("sh", "-c", RAW)
    async with hub() as one, hub() as two:
        first, second = await typing(site, one), await typing(site, two)
        assert await first.resize(100, 30)
        assert not await second.resize(60, 20), "the size is another's for now"
        await until(lambda: (second.screen.columns, second.screen.lines) == (100, 30), "both see one size")
        sizes: list[tuple[int, int]] = []

        def note() -> None:
            now = (first.screen.columns, first.screen.lines)
            sizes.extend([now] if sizes[-1:] != [now] else [])

        first.listen(note)
        second.type(b"x", control=True)
        await until(lambda: (first.screen.columns, first.screen.lines) == (60, 20), "the last typist's size")
        await second.drain(10)
        await until(lambda: first.status.size_owner not in ("", "me"), "the first knows whose it is")
        await until(lambda: second.status.size_owner == "me", "and so does the second")
        assert second.status.size_owner == "me"
        assert "@" in first.status.size_owner, "a name that tells a person who"
        note()
        assert sizes in ([(60, 20)], [(100, 30), (60, 20)]), "no flapping"


@on("local")
async def test_10_noise_stays_under_the_cap(site: Site) -> None:
    await site.start("yes", "noise")
    folder = Path(site.place.run(MAIN_CONSOLE))
    await until(lambda: list(folder.glob("over.*")), "the cap", 60)
    assert sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) < 6 << 20
    async with hub() as consoles:
        handle = await consoles.open(site.place)
        await handle.ready(15)
        await until(lambda: "noise" in text(handle), "the picture")


@on("ssh", "exec only")
async def test_11_closing_leaves_nothing(site: Site) -> None:
    await site.start("sh", "-c", RAW)
    async with hub() as consoles:
        handle = await typing(site, consoles)
        handle.type(b"a key", control=True)
        await handle.drain(10)
        await until(lambda: our_requests(site), "something that rests there")
    await until(lambda: not our_requests(site), "the end of our requests")
    await until(lambda: not list(Path(site.place.run(MAIN_CONSOLE), "w").iterdir()), "no FIFO")
    assert (site.home / "typed").read_text() == "a key"


def asks(operator: Operator, root: str, answer: bytes, then: str) -> None:
    """Attach to a sleeping worker: it must ask, and do nothing before it has an answer."""
    glass = Glass([*AMTUI, "attach", "w"], operator.env)
    try:
        glass.shows("Go ahead?")
        assert any("wake w" in row for row in glass.rows())
        assert processes(root) == [], "it did not wait for the answer"
        glass.write(answer)
        glass.until(lambda: any(re.search(then, row) for row in glass.rows()), then, 60)
    finally:
        glass.close()


@pytest.mark.parametrize("substrate", ["local", "ssh:box"] if proving() else ["local"])
def test_12_a_sleeping_worker_asks_before_it_is_woken(
    operator: Operator, substrate: str, request: pytest.FixtureRequest
) -> None:
    if substrate != "local":
        operator.env.update(request.getfixturevalue("sshd").environ)
    operator.do("new", "w", "--on", substrate, "--agent", "shell", "--no-attach")
    root = operator.json("show", "w")["root"]
    operator.do("sleep", "w")
    # Looking at it does not wake it.
    glass = Glass([*AMTUI], operator.env)
    try:
        glass.shows("asleep")
        glass.write(b"\r")
        glass.until(lambda: any("Fleet › w" in row for row in glass.rows()), "the worker's screen")
        glass.until(
            lambda: any("ended" in row or "no console" in row for row in glass.rows()), "that nothing runs"
        )
        glass.rest(1.0)
        assert processes(root) == [], "looking woke it"
    finally:
        glass.close()
    # Nor is it woken by attaching before a person agreed.
    asks(operator, root, b"n\r", "not confirmed")
    assert processes(root) == [], "it was woken against a no"
    asks(operator, root, b"y\r", r"[$#](?: |$)")
    assert not operator.json("ls", "--cached")["workers"][0]["asleep"]


def test_every_substrate_has_its_share() -> None:
    """What `make test` picks must not leave one out, nor one of the twelve."""
    source = Path(__file__).read_text()
    picked = re.findall(r"^@on\((.*)\)\nasync def test_(\d\d)_", source, re.M)
    assert [int(number) for _, number in picked] == list(range(1, 12))
    for name in SITES:
        assert sum(f'"{name}"' in words for words, _ in picked) >= 3, name
