"""More consoles in view than a host has places for requests that rest there."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from console_rig import QUICK, Rig, hub, rig, text, until
from faults import FaultyProvider
from hosts import processes

from amtui.console import helper, roster
from amtui.console.lines import RESERVED
from amtui.console.status import Link
from amtui.console.stir import _script
from amtui.model import MAIN_CONSOLE


def shared(it: Rig) -> bool:
    """Whether the request that waits for several consoles rests on the host."""
    for pid in processes(it.place.root):
        with suppress(OSError):
            if b"amtui-stir" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                return True
    return False


async def test_those_without_a_place_share_one_and_miss_nothing(tmp_path: Path) -> None:
    """Two places for six consoles: one streams, five wait with one request, and who printed is asked at once."""
    async with rig(tmp_path) as it:
        names = [roster.name_of(number) for number in range(1, 7)]
        for name in names:
            await it.start("sh", "-c", f"printf ready-{name}; exec cat", console=name)
        provider = FaultyProvider(it.place.provider, 0.0)
        provider.limits = replace(provider.limits, max_parallel_exec=RESERVED + 2)
        async with hub(replace(QUICK, brisk=0.2, beat=30, poll=30, watch=30)) as consoles:
            handles = [await consoles.open(it.with_provider(provider), name) for name in names]
            for name, handle in zip(names, handles, strict=True):
                await handle.ready(15)
                await until(lambda name=name, handle=handle: f"ready-{name}" in text(handle), "its picture")  # type: ignore[misc]

            async def calm() -> int:
                """Requests so far, once no more come."""
                while True:
                    before = sum(provider.counts.values())
                    await asyncio.sleep(1.0)
                    if sum(provider.counts.values()) == before:
                        return before

            await until(lambda: shared(it), "one request for those without")
            before = await calm()
            for number, (name, handle) in enumerate(zip(names, handles, strict=True)):
                it.tmux("send-keys", "-t", f"={name}:", f"word{number}", "Enter")
                await until(
                    lambda number=number, handle=handle: text(handle).count(f"word{number}") == 2, name
                )  # type: ignore[misc]
            asked = await calm() - before
            assert asked <= 4 * len(names), f"{asked} requests for {len(names)} lines"
            # The death of one, and then of their server, is nothing printed, and seen all the same.
            it.tmux("send-keys", "-t", f"={names[-1]}:", "C-d")
            await until(lambda: handles[-1].status.link is Link.DEAD, "the end of one program")
            it.tmux("kill-server")
            for handle in handles:
                await until(lambda handle=handle: handle.status.link is Link.ENDED, "the end of the server")  # type: ignore[misc]
        await until(lambda: not shared(it), "nothing of ours")


@pytest.mark.parametrize("perl", [True, False])
def test_the_shared_request_tells_what_printed_and_which_server_is_gone(tmp_path: Path, perl: bool) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("wc", "cksum", "sleep", *(["perl"] if perl else [])):
        (programs / name).symlink_to(shutil.which(name) or name)
    one, two = tmp_path / "with space" / "amconsole", tmp_path / "two" / "amconsole-2"
    for folder in (one, two):
        folder.mkdir(parents=True)
    (one / "log.7").write_bytes(b"abc")

    def start(mark: str, rounds: int) -> subprocess.Popen[bytes]:
        words = [
            str(rounds),
            "0.05",
            mark,
            f"{os.getpid()} 99999999",
            str(one),
            str(two),
            str(tmp_path / "none"),
        ]
        argv = ["/bin/sh", "-c", _script(), "amtui-stir", *words]
        return subprocess.Popen(
            argv, env={"PATH": str(programs)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def told(asked: subprocess.Popen[bytes]) -> tuple[bytes, set[bytes]]:
        out, err = asked.communicate(timeout=20)
        assert err == b""
        mark, *lines = out.strip(b"\n").split(b"\n")
        return mark, {line.strip() for line in lines if not line.endswith(b" total")}

    mark, lines = told(start("none", 0))
    assert lines == {b"3 " + bytes(one / "log.7"), b"gone 99999999"}
    assert told(start(mark.decode(), 2)) == (mark, lines), "nothing new, and an answer all the same"
    waiting = start(mark.decode(), 2000)
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(0.3)
    (two / "log.8").write_bytes(b"x")
    new, lines = told(waiting)
    assert new != mark
    assert lines == {b"3 " + bytes(one / "log.7"), b"1 " + bytes(two / "log.8"), b"gone 99999999"}


async def test_a_pulse_is_answered(tmp_path: Path) -> None:
    """It comes as often as the beat of the host and kept that from ever being due: "silent" each 35 s, and all anew."""
    async with rig(tmp_path) as it:
        await it.start("sh", "-c", "printf ready; exec cat")
        async with hub() as consoles:
            handle = await consoles.open(it.place)
            await handle.ready(15)
            await until(lambda: "ready" in text(handle), "its picture")
        at = handle._session.position
        assert at is not None
        words = (str(at.generation), str(at.offset), "60", "120", "0")
        argv = helper.request_argv(it.place, MAIN_CONSOLE, "stream", *words)
        asked = await asyncio.create_subprocess_exec(*argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert asked.stdin is not None
        assert asked.stdout is not None
        try:
            said = []
            for _ in range(4):
                asked.stdin.write(b"\n")
                async with asyncio.timeout(20):
                    said.append(await asked.stdout.readline())
            assert said[:3] == [b"\n"] * 3
            assert said[3].startswith(b"K "), "now and then tmux is asked how it is"
        finally:
            asked.kill()
            await asked.wait()
