"""What requests that were killed leave in a run directory goes with the next attach; what live ones need stays."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from console_rig import Rig, hub, rig, text, until
from faults import FaultyProvider

from amtui.console import helper
from amtui.model import MAIN_CONSOLE, Authority
from amtui.providers.base import Cap

EXEC_ONLY = Cap.LIST | Cap.FILES | Cap.BINARY_OUTPUT


@pytest.mark.parametrize("caps", [None, EXEC_ONLY], ids=["L3", "L1"])
async def test_another_viewer_leaves_a_waiting_request_its_wake_up(tmp_path: Path, caps: Cap | None) -> None:
    """A request that has waited for minutes looks old, and is not: its process lives."""
    async with rig(tmp_path) as it:
        await it.start("sh", "-c", "printf ready; exec cat")
        place = it.with_provider(FaultyProvider(it.place.provider, 0.0, caps=caps))
        waiting = Path(place.run(MAIN_CONSOLE), "w")
        async with hub() as one, hub() as two:
            first = await one.open(place, MAIN_CONSOLE)
            await first.ready(10)
            await until(lambda: any(waiting.iterdir()), "its waiting request")
            for fifo in waiting.iterdir():
                os.utime(fifo, (time.time() - 300,) * 2)
            os.mkfifo(waiting / "4194999")  # no process has that number
            old = {fifo.name for fifo in waiting.iterdir()} - {"4194999"}
            second = await two.open(place, MAIN_CONSOLE)
            await second.ready(10)
            left = {fifo.name for fifo in waiting.iterdir()}
            assert "4194999" not in left
            assert old <= left or caps is not None  # a poll may have ended by itself
            it.tmux("send-keys", "-t", f"={MAIN_CONSOLE}:", "news", "Enter")
            await until(lambda: text(first).count("news") == 2, "the echo")


@contextmanager
def heard(how: signal.Signals) -> Iterator[None]:
    """What is started in here hears the signal, though these tests may run under nohup: a shell cannot undo that."""
    before = None if how is signal.SIGKILL else signal.signal(how, signal.SIG_DFL)
    try:
        yield
    finally:
        if before is not None:
            signal.signal(how, before)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
async def test_a_key_channel_that_is_killed_leaves_nothing(tmp_path: Path, how: signal.Signals) -> None:
    async with rig(tmp_path) as it:
        await it.start("sh", "-c", "printf ready; exec cat")
        rest = (
            "1" if how is signal.SIGKILL else "60"
        )  # only who cannot say good-bye is found out by its silence
        argv = helper.request_argv(it.place, MAIN_CONSOLE, "control", rest)
        with heard(how):
            channel = await asyncio.to_thread(
                subprocess.Popen, argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
            )
        assert channel.stdin is not None
        assert channel.stdout is not None
        assert (await asyncio.to_thread(channel.stdout.readline)).startswith(b"%")
        channel.stdin.write(b"display-message -p beat\n")
        channel.stdin.flush()
        run = Path(it.place.run(MAIN_CONSOLE))
        await until(lambda: list(run.glob("ctl.*")), "its count of lines")
        os.kill(channel.pid, how)
        await asyncio.to_thread(channel.wait)
        channel.stdin.close()
        channel.stdout.close()
        if how is signal.SIGKILL:
            async with hub() as consoles:
                await (await consoles.open(it.place, MAIN_CONSOLE, Authority.VIEW)).ready(10)
        await until(lambda: not list(run.glob("ctl.*")), "the end of its files", 5)
        await until(
            lambda: not [line for line in it.processes() if " -C " in line or " control " in line], "its end"
        )


@pytest.mark.parametrize("caps", [None, EXEC_ONLY], ids=["L3", "L1"])
async def test_a_picture_whose_maker_was_killed_is_made_again(tmp_path: Path, caps: Cap | None) -> None:
    """The pump writes to the log of a generation that was begun and never became the present one."""
    async with rig(tmp_path) as it:
        await it.start("sh", "-c", "printf ready; exec cat")
        place = it.with_provider(FaultyProvider(it.place.provider, 0.0, caps=caps))
        run = Path(place.run(MAIN_CONSOLE))
        async with hub() as one, hub() as two:
            watching = await one.open(place, MAIN_CONSOLE)
            await watching.ready(10)
            await until(lambda: any((run / "w").iterdir()), "its waiting request")
            await begin_a_picture(it, run)
            it.tmux("send-keys", "-t", f"={MAIN_CONSOLE}:", "news", "Enter")
            await until(lambda: text(watching).count("news") == 2, "the echo")
            await begin_a_picture(it, run)
            coming = await two.open(place, MAIN_CONSOLE)
            await coming.ready(10)
            it.tmux("send-keys", "-t", f"={MAIN_CONSOLE}:", "more", "Enter")
            for handle in (coming, watching):
                await until(lambda handle=handle: text(handle).count("more") == 2, "the echo")  # type: ignore[misc]


async def begin_a_picture(it: Rig, run: Path) -> None:
    """As who is killed between tmux's turn and telling that there is a new generation."""

    def lock() -> bool:
        try:
            (run / "lk").mkdir()
        except FileExistsError:  # somebody makes one right now
            return False
        return True

    await until(lock, "its turn")
    generation = int((run / "cur").read_text()) + 1
    (run / f"log.{generation}").touch()
    pump = helper.request_argv(it.place, MAIN_CONSOLE, "pump", str(generation))
    it.tmux("pipe-pane", "-O", "-t", f"={MAIN_CONSOLE}:", "exec " + shlex.join(pump))
