"""More consoles in view than a host has places for requests that rest there."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from console_rig import QUICK, Rig, hub, rig, text, until
from faults import FaultyProvider
from hosts import processes

from amtui.console import roster
from amtui.console.lines import RESERVED
from amtui.console.status import Link


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
