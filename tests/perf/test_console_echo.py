"""A key and its echo, in the session and as a user sees it, against `ssh -t HOST tmux attach` in the same run."""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from blackbox import Glass, in_turns
from figures import proving, record, size
from link import FarHost, far_host
from operator_world import AMTUI, Operator

from amtui.ops.benchmark_contenders import (
    Contender,
    ExecOnly,
    Mosh,
    Ours,
    Poll,
    Road,
    SshTmux,
    fast,
    one_by_one,
)
from amtui.providers.ssh import SshProvider

SLACK = 1.5
"""What of a ratio's excess over 1 a busy computer may add under `make test`."""
ONE_KEY = {0.05: {"L3": 1.12, "L1": 1.30}, 0.1: {"L3": 1.08, "L1": 1.15}}
FAST = 1.2
BASELINE = 2.5
SEEN = {0.05: 1.20, 0.1: 1.12}
SEEN_WITHOUT_PERL = {0.05: 1.30, 0.1: 1.17}
MOSH_PORT = 60001
GAP = size((0.04, 0.08), (0.12, 0.25))
"""Seconds between keys."""


def allowed(ratio: float) -> float:
    """The target itself under `make prove`."""
    return ratio if proving() else 1 + (ratio - 1) * 2 * SLACK


@pytest.fixture
def far(tmp_path: Path) -> Iterator[FarHost]:
    with far_host(tmp_path, udp_port=MOSH_PORT) as host:
        yield host
        host.weather(0)


def road(far: FarHost) -> Road:
    environ = {**os.environ, **far.world.environ}
    mosh = MOSH_PORT if shutil.which("mosh-server") else 0
    door = 0 if far.kind == "namespaces" else int(far.link.facts["udp"])
    return Road(far.world.config_file, "far", environ, far.address, mosh, door)


def contenders(far: FarHost, folder: Path) -> list[Contender]:
    way = road(far)
    narrow = ExecOnly(*(SshProvider(environ=way.environ) for _ in range(3)))
    all_of_them: list[Contender] = [
        Ours("L3", SshProvider(environ=way.environ), "far"),
        Ours("L1", narrow, "far"),
        SshTmux(way, str(folder / "ref")),
        Poll(way, str(folder / "poll")),
    ]
    if proving() and way.mosh_port:
        all_of_them.append(Mosh(way, str(folder / "mosh")))
    return all_of_them


@pytest.mark.prove
@pytest.mark.timeout(600)
def test_echo_ratios(far: FarHost, tmp_path: Path) -> None:
    """One key at a time, then fast typing; end point is the emulator's cell."""
    keys = size(10, 40)
    asyncio.run(_ratios(far, tmp_path, keys))
    for name in ("ref", "mosh"):
        subprocess.run(["tmux", "-S", str(tmp_path / name), "kill-server"], capture_output=True)


async def _ratios(far: FarHost, folder: Path, keys: int) -> None:
    racers = contenders(far, folder)
    misses: list[str] = []
    try:
        for one in racers:
            await one.open()
        assert [one.handle.status.level for one in racers[:2] if isinstance(one, Ours)] == ["L3", "L1"]
        for rtt in size((0.1,), (0.0, 0.05, 0.1)):
            far.weather(rtt)
            for one in racers:
                await one.fresh_row()
            taken = await one_by_one(racers, keys, gap=GAP)
            await _judge(taken, rtt, keys, far.kind, misses)
        if not misses:
            await _fast(racers, keys, far.kind, misses)
    finally:
        far.weather(0)
        for one in racers:
            await one.close()
    assert not misses, misses


async def _judge(taken: dict[str, list[float]], rtt: float, keys: int, kind: str, misses: list[str]) -> None:
    p50 = {name: statistics.median(values) for name, values in taken.items()}
    yardstick = p50["ssh -t tmux"]
    shown = ", ".join(f"{name} {1000 * value:.1f} ms" for name, value in p50.items())
    conditions = f"{kind}, RTT {rtt * 1000:.0f} ms, p50 of {keys} keys in turns: {shown}"
    for level, target in ONE_KEY.get(rtt, {}).items():
        ratio = p50[level] / yardstick
        record(
            f"one key {level} at {rtt * 1000:.0f} ms", f"≤ {target}× ssh -t tmux attach", f"{ratio:.3f}×",
            ratio <= target, conditions=conditions,
        )  # fmt: skip
        if ratio > allowed(target):
            misses.append(f"{level} at {rtt * 1000:.0f} ms: {ratio:.3f} > {target} ({conditions})")
    if rtt:
        gain = p50["poll 50 ms"] / p50["L1"]
        record(
            f"naive poll ÷ exec only at {rtt * 1000:.0f} ms", f"≥ {BASELINE}×", f"{gain:.2f}×", gain >= BASELINE,
            conditions=conditions,
        )  # fmt: skip
        if gain < BASELINE / (1 if proving() else SLACK):
            misses.append(f"only {gain:.2f}× quicker than polling ({conditions})")


async def _fast(racers: list[Contender], keys: int, kind: str, misses: list[str]) -> None:
    """40 to 80 ms between keys at 100 ms: they do not wait for their echoes."""
    rows = {one.name: [] for one in racers[:3]}  # type: dict[str, list[float]]
    for turn in range(size(1, 3)):
        for one in racers[:3]:
            rows[one.name] += await fast(one, keys, seed=turn)
    p50 = {name: statistics.median(values) for name, values in rows.items()}
    for level in ("L3", "L1"):
        ratio = p50[level] / p50["ssh -t tmux"]
        record(
            f"fast typing {level} at 100 ms", f"≤ {FAST}× ssh -t tmux attach", f"{ratio:.3f}×", ratio <= FAST,
            conditions=f"{kind}, gaps 40–80 ms, p50 of {len(rows[level])} keys",
        )  # fmt: skip
        if ratio > allowed(FAST):
            misses.append(f"fast typing {level}: {ratio:.3f}")


WITHOUT_PERL = """
import sys
from amtui.console import helper
found = helper.helper_source()
changed = found.replace(b"then PERL=perl; fi", b"then PERL=; fi")
assert changed != found
helper.helper_source = lambda: changed
from amtui.__main__ import main
main()
"""


def amtui(pump: str) -> list[str]:
    """The command, or the same with a helper that knows no perl."""
    return [*AMTUI] if pump == "perl" else [sys.executable, "-c", WITHOUT_PERL]


@pytest.mark.prove
@pytest.mark.timeout(600)
@pytest.mark.parametrize("pump", ["perl", "dd"] if proving() else ["perl"])
def test_key_to_paint(far: FarHost, tmp_path: Path, pump: str) -> None:
    """`amtui attach` on a pseudo-terminal: key written → cell painted. Prediction off."""
    person = Operator(tmp_path / "operator", env=far.world.environ)
    (person.config / "config.toml").write_text('[console]\npredict = "off"\n')
    made = [*amtui(pump), "new", "seen", "--on", "ssh:far", "--agent", "shell", "--no-attach"]
    subprocess.run(made, env=person.env, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    line = f"tmux -S {tmp_path / 'ref'} -f /dev/null new-session -A -s ref ';' set status off"
    reference = ["ssh", "-F", str(far.world.config_file), "-t", "far", line]
    glasses = {
        "amtui": Glass([*amtui(pump), "attach", "seen"], person.env),
        "ssh": Glass(reference, person.env),
    }
    misses: list[str] = []
    try:
        for glass in glasses.values():
            glass.until(lambda glass=glass: glass.rows()[0] != "", "a prompt")  # type: ignore[misc]
            glass.rest(1.0)
            glass.write(b"stty raw -echo; clear; exec cat\r")
            glass.until(lambda glass=glass: glass.rows()[0] == "", "an empty screen")  # type: ignore[misc]
            glass.rest(0.5)
        for rtt in size((0.1,), (0.0, 0.05, 0.1)):
            far.weather(rtt)
            glasses["amtui"].rest(0.5)
            misses += _seen(in_turns(glasses, size(10, 40), gap=GAP), rtt, f"{far.kind}, {pump} pump")
    finally:
        far.weather(0)
        for glass in glasses.values():
            glass.close()
        person.destroy_all()
        subprocess.run(["tmux", "-S", str(tmp_path / "ref"), "kill-server"], capture_output=True)
    assert not misses, misses


def _seen(taken: dict[str, list[float]], rtt: float, pump: str) -> list[str]:
    ours, yardstick = (statistics.median(taken[name]) for name in ("amtui", "ssh"))
    ratio = ours / yardstick
    conditions = f"{pump}, RTT {rtt * 1000:.0f} ms, p50 of {len(taken['ssh'])} keys: "
    conditions += f"amtui {1000 * ours:.1f} ms, ssh {1000 * yardstick:.1f} ms"
    name = f"key to paint at {rtt * 1000:.0f} ms ({pump.split()[1]} pump)"
    if not rtt:
        record(name, "p50 ≤ 12 ms", f"{1000 * ours:.1f} ms", ours <= 0.012, conditions=conditions)
        return [conditions] if proving() and ours > 0.012 else []
    target = (SEEN if "perl" in pump else SEEN_WITHOUT_PERL)[rtt]
    record(name, f"≤ {target}× ssh -t tmux attach", f"{ratio:.3f}×", ratio <= target, conditions=conditions)
    return [conditions] if ratio > allowed(target) else []
