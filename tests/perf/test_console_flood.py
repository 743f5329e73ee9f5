"""A program that prints without end: Ctrl-C is quick, the link is not filled, nothing grows on the worker."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from console_rig import hub, rig, text, until
from figures import proving, record, size
from link import FarHost, far_host

from amtui.console import helper, server
from amtui.console.hub import TypingHandle
from amtui.console.status import Timing
from amtui.model import MAIN_CONSOLE, Authority
from amtui.providers.base import Place
from amtui.providers.ssh import SshProvider

RTT, RATE = 0.05, 10.0
PROMPT = "PROMPT> "
SHELL = ["env", f"PS1={PROMPT}", "sh", "-i"]
CAP = 4 << 20
"""What the helper lets a log grow to, by its own measure; a pump writes up to 64 KiB more."""


@pytest.fixture
def far(tmp_path: Path) -> Iterator[FarHost]:
    with far_host(tmp_path) as host:
        yield host
        host.weather(0)


@asynccontextmanager
async def shell(far: FarHost, folder: Path) -> AsyncIterator[tuple[Place, TypingHandle]]:
    """A shell on the far host, followed by the real session."""
    provider = SshProvider(environ={**os.environ, **far.world.environ})
    base = await provider.root("far")
    place = Place(provider, "far", base, f"{base}/workers/0123456789ab", str(folder / "s" / "1"))
    os.makedirs(place.home, exist_ok=True)
    await server.start(place, MAIN_CONSOLE, SHELL, cwd=place.home)
    try:
        async with hub(Timing()) as consoles:
            handle = await consoles.open(place, MAIN_CONSOLE, Authority.TYPE)
            await handle.ready(15)
            await until(lambda: prompts(handle), "a prompt")
            handle.type(b"\r", control=True)
            await handle.drain()
            yield place, handle
    finally:
        far.weather(0)
        await server.stop(place)
        await provider.aclose()


def prompts(handle: TypingHandle) -> bool:
    """Whether the cursor stands behind a prompt."""
    row = handle.screen.display[handle.screen.cursor.y]
    return row.rstrip() == PROMPT.rstrip() and handle.screen.cursor.x == len(PROMPT)


def tmux_kilobytes(pid: str) -> int:
    """Resident memory of the worker's tmux server."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


@pytest.mark.prove
@pytest.mark.timeout(300)
@pytest.mark.parametrize("flood", ["seq 1 999999999", "yes"], ids=["seq", "yes"])
async def test_ctrl_c_in_a_flood(far: FarHost, tmp_path: Path, flood: str) -> None:
    """50 ms, 10 Mbit: from Ctrl-C to the prompt, and what came down the link meanwhile."""
    seconds, turns = size(2.0, 4.0), size(1, 5)
    took, rates = [], []
    async with shell(far, tmp_path) as (place, handle):
        far.weather(RTT, rate=RATE)
        for _ in range(turns):
            handle.type(f"{flood}\r".encode(), control=True)
            await until(lambda: not prompts(handle), "the flood")
            before, began = far.bytes_down(), time.perf_counter()
            await asyncio.sleep(seconds)
            rates.append((far.bytes_down() - before) / (time.perf_counter() - began) / 1000)
            began = time.perf_counter()
            handle.type(b"\x03", control=True)
            await until(lambda: prompts(handle), "the prompt after Ctrl-C", 30)
            took.append(time.perf_counter() - began)
        logs = sum(path.stat().st_size for path in Path(place.run(MAIN_CONSOLE)).glob("log.*"))
    quiet, rate = statistics.median(took), statistics.median(rates)
    conditions = f"{far.kind}, RTT 50 ms, 10 Mbit, {turns} × {seconds:g} s of `{flood}`"
    which = flood.split()[0]
    told = f"{quiet / RTT:.1f}"
    record(f"Ctrl-C to prompt in {which}", "≤ 3 round trips", told, quiet <= 3 * RTT, conditions=conditions)
    record(f"bytes down in {which}", "≤ 50 KB/s", f"{rate:.0f} KB/s", rate <= 50, conditions=conditions)
    assert logs <= 2 * (CAP + (64 << 10)), "two generations under their caps"
    print(conditions, rate, took)
    assert rate <= (50 if proving() else 75)
    assert quiet <= (3 * RTT if proving() else 20 * RTT), f"{quiet:.2f} s"


@pytest.fixture
def pump(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The pump that a host has with perl, and the one without."""
    if request.param == "dd":
        plain = helper.helper_source().replace(b"then PERL=perl; fi", b"then PERL=; fi")
        assert plain != helper.helper_source()
        monkeypatch.setattr(helper, "helper_source", lambda: plain)
        helper.packed.cache_clear()
    yield request.param
    monkeypatch.undo()
    helper.packed.cache_clear()


class Growth:
    """What grows, or does not, on the worker: tmux's memory, the logs, bytes through the pump. Sampled by itself."""

    def __init__(self, pid: str, run: Path) -> None:
        self.pid, self.run = pid, run
        self.began = self.most = tmux_kilobytes(pid)
        self.logs = self.samples = 0
        self._from = self._written()

    def _written(self) -> int:
        lines = Path(f"/proc/{self.pid}/io").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("wchar")).split()[1])

    @property
    def pumped(self) -> int:
        """Bytes that tmux has written since, nearly all of them to the pump."""
        return self._written() - self._from

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            self.most = max(self.most, tmux_kilobytes(self.pid))
            sizes = []
            for path in self.run.iterdir():
                with suppress(FileNotFoundError):
                    sizes.append(path.stat().st_size if path.is_file() else 0)
            self.logs = max(self.logs, sum(sizes))
            self.samples += 1
            await asyncio.sleep(0.25)


@pytest.mark.prove
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("pump", ["perl", "dd"], indirect=True)
async def test_an_hour_of_flood(far: FarHost, tmp_path: Path, pump: str) -> None:
    """10 minutes or 2 GB, watched over a slow link by the real session, with a Ctrl-C now and then."""
    seconds, most, turn = size(3.0, 600.0), 2_000_000_000, size(1.0, 20.0)
    took, rates = [], []
    async with shell(far, tmp_path) as (place, handle):
        pid = await place.exec(["tmux", "-S", place.socket, "display-message", "-p", "#{pid}"])
        # a history that is full grows no more
        handle.type(f"seq 1 {2 * server.HISTORY_LIMIT}; echo all 'of it'\r".encode(), control=True)
        await until(lambda: "all of it" in text(handle) and prompts(handle), "a full history", 60)
        growth = Growth(pid.stdout.decode().strip(), Path(place.run(MAIN_CONSOLE)))
        watch = asyncio.ensure_future(growth.watch())
        far.weather(RTT, rate=RATE)
        begun = time.perf_counter()
        while time.perf_counter() - begun < seconds and growth.pumped < most:
            flood = ("yes", "seq 1 999999999")[len(took) % 2]
            handle.type(f"{flood}\r".encode(), control=True)
            await until(lambda: not prompts(handle), "the flood", 60)
            before, began = far.bytes_down(), time.perf_counter()
            await asyncio.sleep(turn)
            rates.append((far.bytes_down() - before) / (time.perf_counter() - began) / 1000)
            began = time.perf_counter()
            handle.type(b"\x03", control=True)
            await until(lambda: prompts(handle), "the prompt after Ctrl-C", 60)
            took.append(time.perf_counter() - began)
        lasted, pumped = time.perf_counter() - begun, growth.pumped
        watch.cancel()
    quiet, rate, grown = statistics.median(took), statistics.fmean(rates), growth.most - growth.began
    conditions = (
        f"{far.kind}, RTT 50 ms, 10 Mbit, {pumped / 1e9:.2f} GB in {lasted:.0f} s, {len(took)} Ctrl-C (longest"
        f" {max(took) / RTT:.1f} round trips), {growth.samples} samples, tmux began with {growth.began} KB"
    )
    name = f"in an hour of flood ({pump} pump)"
    told = f"{quiet / RTT:.1f}"
    record(f"Ctrl-C to prompt {name}", "≤ 3 round trips", told, quiet <= 3 * RTT, conditions=conditions)
    record(f"bytes down {name}", "≤ 50 KB/s", f"{rate:.0f} KB/s", rate <= 50, conditions=conditions)
    record(f"tmux memory {name}", "≤ 4 MB more", f"{grown} KB more", grown <= 4096, conditions=conditions)
    kept, bound = f"{growth.logs / 1e6:.1f} MB", 2 * (CAP + (1 << 20))
    record(f"logs {name}", "two under their caps", kept, growth.logs <= bound, conditions=conditions)
    print(name, conditions, f"{quiet:.3f} s, {rate:.0f} KB/s, {grown} KB more, logs {kept}")
    assert growth.logs <= bound
    assert grown <= size(16384, 4096)
    assert rate <= (50 if proving() else 100)
    assert quiet <= (3 * RTT if proving() else 40 * RTT), f"{quiet:.2f} s"


@pytest.mark.prove
@pytest.mark.timeout(900)
async def test_nothing_grows_while_nobody_reads(tmp_path: Path) -> None:
    """The pump drains: tmux's memory stays flat, the log stays under its cap."""
    async with rig(tmp_path) as it:
        await it.start("yes", "a line that is printed over and over")
        pid = it.tmux("display-message", "-p", "#{pid}").decode().strip()
        folder = Path(it.place.run(MAIN_CONSOLE))
        await until(lambda: list(folder.glob("over.*")), "the cap", 60)
        begun, first = time.monotonic(), tmux_kilobytes(pid)
        most = first
        while time.monotonic() - begun < size(3.0, 600.0):
            await asyncio.sleep(0.5)
            most = max(most, tmux_kilobytes(pid))
        logs = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
        async with hub() as consoles:
            handle = await consoles.open(it.place)
            await handle.ready(20)
            await until(lambda: "over and over" in text(handle), "the picture")
    grown = most - first
    conditions = f"`yes` for {size(3, 600)} s past the cap; nobody reading; tmux began with {first} KB"
    told, kept = f"{grown} KB more", f"{logs / 1e6:.1f} MB"
    record("tmux memory under a flood", "flat (≤ 4 MB more)", told, grown <= 4096, conditions=conditions)
    fits = logs <= CAP + (1 << 20)
    record("log on the worker under a flood", "≤ 4 MiB and a read", kept, fits, conditions=conditions)
    assert grown <= 4096
    assert fits, logs
