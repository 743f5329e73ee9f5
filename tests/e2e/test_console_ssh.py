"""The same console over ssh, and on a host that carries few requests at once."""

from __future__ import annotations

import os
import random
import string
from dataclasses import replace
from pathlib import Path

from console_rig import hub, rig, text, until
from faults import FaultyProvider

from amtui.console import server
from amtui.model import MAIN_CONSOLE, Authority
from amtui.providers.base import Limits, Place
from amtui.providers.ssh import SshProvider


async def test_a_console_over_ssh(ssh_provider: SshProvider, tmp_path: Path) -> None:
    base = await ssh_provider.root("box")
    place = Place(ssh_provider, "box", base, f"{base}/workers/0123456789ab", str(tmp_path / "s" / "1"))
    os.makedirs(place.home)
    await server.start(
        place, MAIN_CONSOLE, ["sh", "-c", "stty raw -echo; printf ready; exec tee typed"], cwd=place.home
    )
    try:
        async with hub() as consoles:
            handle = await consoles.open(place, MAIN_CONSOLE, Authority.TYPE)
            await handle.ready(15)
            await until(lambda: "ready" in text(handle), "the program")
            typed = "".join(random.Random(4).choice(string.ascii_letters) for _ in range(100))
            for char in typed:
                handle.type(char.encode())
            handle.paste("漢字🙂".encode() * 1000)
            handle.type(b"end", control=True)
            await handle.drain(20)
            await until(lambda: "end" in text(handle), "the echo")
            assert handle.status.level == "L3"
            assert handle.status.rtt is not None
            want = typed.encode() + "漢字🙂".encode() * 1000 + b"end"
            assert (Path(place.home) / "typed").read_bytes() == want
            shown = (await server.capture(place, MAIN_CONSOLE)).rows
            assert [row.rstrip() for row in handle.screen.display] == [row.rstrip() for row in shown]
    finally:
        await server.stop(place)
    assert await server.consoles(place) == []
    assert not os.path.exists(place.socket)


async def test_more_consoles_than_the_host_carries_at_once(tmp_path: Path) -> None:
    """Two resting requests are allowed: a console that is typed into has both, watched ones look every second."""
    async with rig(tmp_path) as it:
        names = (MAIN_CONSOLE, "amconsole-2", "amconsole-3")
        for name in names:
            await it.start("sh", "-c", f"printf {name}; exec cat", console=name)
        few = FaultyProvider(it.place.provider, 0.0)
        few.limits = replace(Limits(), max_parallel_exec=4)
        place = it.with_provider(few)
        async with hub() as consoles:
            first, second = await consoles.open(place, names[0]), await consoles.open(place, names[1])
            await until(lambda: first.status.level == second.status.level == "L3", "two streams")
            third = await consoles.open(place, names[2], Authority.TYPE)
            await third.ready(10)
            await until(lambda: third.status.level == "L3", "a stream for who types")
            third.type(b"hello\r", control=True)
            await until(lambda: "hello" in text(third), "the echo")
            for name, handle in zip(names[:2], (first, second), strict=True):
                it.tmux("send-keys", "-t", f"={name}:", "still", "Enter")
                await until(lambda handle=handle: "still" in text(handle), "news of the watched ones")  # type: ignore[misc]
            assert "L1" in (first.status.level, second.status.level)
            await third.release()
            await until(lambda: first.status.level == second.status.level == "L3", "streams again")
