"""What a view shows is what tmux shows: through bursts, floods, resizes, lost clients, lost directories."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from console_rig import QUICK, Rig, cells, hub, rig, size, text, until
from faults import FaultyProvider
from figures import record

from amtui.console import server
from amtui.console.hub import ConsoleHandle
from amtui.console.status import Link
from amtui.model import MAIN_CONSOLE, Authority
from amtui.providers.base import Cap

EXEC_ONLY = Cap.LIST | Cap.FILES | Cap.BINARY_OUTPUT
LEVELS = pytest.mark.parametrize("caps", [None, EXEC_ONLY], ids=["L3", "L1"])
BURST = r"""import sys, random, time
r = random.Random(5); w = sys.stdout.buffer
for n in range(int(sys.argv[1])):
    w.write(b"\x1b[%d;%dH\x1b[%dm%d %s\x1b[0m" % (r.randint(1, 24), r.randint(1, 60), r.choice((1, 7, 31, 44, 93)), n,
        r.choice(("漢字", "🙂", "plain", "é")).encode()))
    if n % 40 == 0: w.write(b"\r\nline %d" % n)
    if n % 8 == 0: w.flush(); time.sleep(0.001)
w.write(b"\x1b[24;1H\x1b[0;7mover\x1b[0m"); w.flush(); time.sleep(600)
"""
"""Cursor jumps, colours and wide characters, cut wherever the pipe cuts them."""


def same_as_tmux(it: Rig, handle: ConsoleHandle) -> bool:
    oracle = it.oracle()
    mine, theirs = handle.screen, oracle
    return cells(mine) == cells(theirs) and (mine.cursor.x, mine.cursor.y) == (
        theirs.cursor.x,
        theirs.cursor.y,
    )


async def show(it: Rig, handle: ConsoleHandle, seconds: float = 10.0) -> None:
    """Wait until both agree; on failure say where they differ."""
    try:
        await until(lambda: same_as_tmux(it, handle), "the same screen", seconds)
    except AssertionError:
        for ours, theirs in zip(handle.screen.display, it.oracle().display, strict=False):
            assert ours == theirs
        raise


@pytest.mark.prove
@pytest.mark.timeout(300)
@LEVELS
async def test_a_client_killed_in_a_burst_comes_back_to_the_same_screen(
    tmp_path: Path, caps: Cap | None
) -> None:
    """Another process follows the burst and is killed in the middle; a new one shows tmux's screen cell for cell."""
    async with rig(tmp_path) as it:
        await it.start(sys.executable, "-c", BURST, str(size(4000, 20000)))
        victim = follower(it, exec_only=caps is not None)
        try:
            await until(
                lambda: b"seen" in (victim.stdout.readline() if victim.stdout else b""), "the first client"
            )
        finally:
            victim.kill()
            victim.wait()
        provider = FaultyProvider(it.place.provider, 0.0, caps=caps)
        async with hub() as consoles:
            handle = await consoles.open(it.with_provider(provider))
            await handle.ready(10)
            await until(lambda: "over" in text(handle), "the end of the burst", 30)
            await show(it, handle)
        agent = int(it.tmux("display-message", "-p", "-t", f"={MAIN_CONSOLE}:", "#{pane_pid}"))
        os.kill(agent, 0)  # the program never noticed
        record(
            f"client killed -9 in a burst, {'L1' if caps else 'L3'}",
            "screen equals tmux cell for cell",
            "equal, the agent alive",
            True,
        )


FOLLOW = """import asyncio, sys
sys.path[:0] = {path!r}
from console_rig import QUICK
from faults import FaultyProvider
from amtui.console.hub import Hub
from amtui.model import Authority, MAIN_CONSOLE
from amtui.providers.base import Cap, Place
from amtui.providers.local import LocalProvider

async def main():
    caps = Cap.LIST | Cap.FILES | Cap.BINARY_OUTPUT if {exec_only} else None
    provider = FaultyProvider(LocalProvider({base!r}), 0.0, caps=caps)
    place = Place(provider, "local", {base!r}, {root!r}, {socket!r})
    handle = await Hub(timing=QUICK).open(place, MAIN_CONSOLE, Authority.TYPE)
    await handle.ready(10)
    print("seen", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def follower(it: Rig, *, exec_only: bool = False) -> subprocess.Popen[bytes]:
    """Another process that follows the console."""
    place, here = it.place, [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
    code = FOLLOW.format(
        path=here, base=place.base, root=place.root, socket=place.socket, exec_only=exec_only
    )
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)


@LEVELS
async def test_a_killed_client_leaves_no_process_behind(tmp_path: Path, caps: Cap | None) -> None:
    async with rig(tmp_path) as it:
        await it.start("sh")
        async with hub():
            before = {line.split(":")[0] for line in it.processes()}
            victim = follower(it, exec_only=caps is not None)
            await until(lambda: b"seen" in (victim.stdout.readline() if victim.stdout else b""), "the client")
            fifos = Path(it.place.run(MAIN_CONSOLE)) / "w"
            await until(lambda: any(fifos.iterdir()), "its waiting request")
            os.kill(victim.pid, signal.SIGKILL)
            victim.wait()
            await until(
                lambda: not {p.split(":")[0] for p in it.processes()} - before - pumps(it),
                "the end of all of its requests",
                10,
            )
            await until(lambda: not any(fifos.iterdir()), "the end of its FIFO", 10)


def pumps(it: Rig) -> set[str]:
    """Processes that belong to tmux: the pump of the present generation."""
    return {line.split(":")[0] for line in it.processes() if " pump " in line}


@LEVELS
async def test_a_flood_shows_snapshots_and_stops_at_once(tmp_path: Path, caps: Cap | None) -> None:
    async with rig(tmp_path) as it:
        await it.start("sh", "-c", "printf ready; read x; yes 'a line of a flood that nobody can read'")
        provider = FaultyProvider(it.place.provider, 0.0, caps=caps)
        async with hub() as consoles:
            handle = await consoles.open(it.with_provider(provider), MAIN_CONSOLE, Authority.TYPE)
            await handle.ready(10)
            first = handle.status.generation
            handle.type(b"\r", control=True)
            await until(lambda: handle.status.generation >= first + 3, "snapshots instead of bytes")
            handle.type(b"\x03", control=True)
            await until(lambda: handle.status.link is Link.DEAD, "the end of the flood", 5)
            await show(it, handle)
            log = Path(it.place.run(MAIN_CONSOLE))
            assert sum(f.stat().st_size for f in log.glob("log.*")) < 12 << 20


async def test_nobody_reads_and_the_log_stays_under_its_cap(tmp_path: Path) -> None:
    async with rig(tmp_path) as it:
        await it.start("sh", "-c", "yes | head -c 9000000; printf over; sleep 600")
        run = Path(it.place.run(MAIN_CONSOLE))
        await until(lambda: list(run.glob("over.*")), "the mark of a full log", 20)
        await until(lambda: "over" in "".join(it.oracle().display), "the end of the output", 20)
        assert sum(f.stat().st_size for f in run.glob("log.*")) < 5 << 20
        async with hub() as consoles:
            handle = await consoles.open(it.place)
            await handle.ready(10)
            await show(it, handle)


@LEVELS
async def test_two_consoles_of_one_worker_do_not_mix(tmp_path: Path, caps: Cap | None) -> None:
    async with rig(tmp_path) as it:
        await it.start("sh", "-c", "stty raw -echo; printf one; exec cat > typed-1")
        await it.start("sh", "-c", "stty raw -echo; printf two; exec cat > typed-2", console="amconsole-2")
        provider = FaultyProvider(it.place.provider, 0.0, caps=caps)
        place = it.with_provider(provider)
        async with hub() as consoles:
            first = await consoles.open(place, MAIN_CONSOLE, Authority.TYPE)
            second = await consoles.open(place, "amconsole-2", Authority.TYPE)
            await first.ready(10)
            await second.ready(10)
            await until(lambda: "one" in text(first) and "two" in text(second), "both programs")
            assert "two" not in text(first)
            assert "one" not in text(second)
            for char in b"abcdefgh":
                first.type(bytes([char]))
                second.type(bytes([char - 32]))
            await first.drain()
            await second.drain()
            await until(
                lambda: (it.home / "typed-1").stat().st_size + (it.home / "typed-2").stat().st_size >= 16,
                "keys",
            )
        assert (it.home / "typed-1").read_bytes() == b"abcdefgh"
        assert (it.home / "typed-2").read_bytes() == b"ABCDEFGH"


async def test_two_workers_on_one_host_are_strangers(tmp_path: Path) -> None:
    async with rig(tmp_path, 1) as one, rig(tmp_path, 2) as two:
        await one.start("sh", "-c", "printf first; exec cat")
        await two.start("sh", "-c", "printf second; exec cat")
        async with hub() as consoles:
            left, right = await consoles.open(one.place), await consoles.open(two.place)
            await left.ready(10)
            await right.ready(10)
            await until(lambda: "first" in text(left) and "second" in text(right), "both")
            await server.stop(one.place)
            await until(lambda: left.status.link is Link.ENDED, "the end of one")
            assert right.status.link is Link.LIVE
            assert (await server.capture(two.place, MAIN_CONSOLE)).rows[0].startswith("second")


async def test_views_share_one_session_and_hidden_ones_cost_nothing(tmp_path: Path) -> None:
    async with rig(tmp_path) as it:
        await it.start("sh", "-c", "printf here; exec cat")
        provider = FaultyProvider(it.place.provider, 0.0, caps=EXEC_ONLY)
        place = it.with_provider(provider)
        async with hub() as consoles:
            one, two = await consoles.open(place), await consoles.open(place)
            assert one.screen is two.screen
            assert not hasattr(one, "type")
            assert not hasattr(one, "resize")
            await one.ready(10)
            one.visible = False
            two.visible = False
            await until(lambda: not waiting(it), "the end of the poll", 5)
            before = provider.counts["execs"]
            it.tmux("send-keys", "-t", f"={MAIN_CONSOLE}:", "while hidden", "Enter")
            await until(lambda: "while hidden" in "".join(it.oracle().display), "output nobody sees")
            assert provider.counts["execs"] == before
            two.visible = True
            await until(lambda: "while hidden" in text(one), "the picture again")
            await one.release()
            assert two.status.link is Link.LIVE
            await two.release()
        await until(lambda: not waiting(it), "the end of the session", 5)


def waiting(it: Rig) -> list[Path]:
    return list((Path(it.place.run(MAIN_CONSOLE)) / "w").iterdir())


@LEVELS
async def test_a_wiped_run_directory_and_a_killed_server_are_noticed(
    tmp_path: Path, caps: Cap | None
) -> None:
    async with rig(tmp_path) as it:
        await it.start("sh", "-c", "printf before; exec cat")
        provider = FaultyProvider(it.place.provider, 0.0, caps=caps)
        async with hub() as consoles:
            handle = await consoles.open(it.with_provider(provider), MAIN_CONSOLE, Authority.TYPE)
            await handle.ready(10)
            shutil.rmtree(it.place.run(MAIN_CONSOLE))
            shutil.rmtree(it.place.bin)
            handle.type(b"after the loss", control=True)
            await until(lambda: "after the loss" in text(handle), "a picture again")
            it.tmux("kill-server")
            await until(lambda: handle.status.link is Link.ENDED, "the end of the server")
            await it.start("sh", "-c", "printf reborn; exec cat")
            await until(
                lambda: "reborn" in text(handle) and handle.status.link is Link.LIVE, "the new server"
            )
            handle.type(b"hello", control=True)
            await until(lambda: "hello" in text(handle), "keys to the new one")


@LEVELS
async def test_size_belongs_to_the_last_typist(tmp_path: Path, caps: Cap | None) -> None:
    async with rig(tmp_path) as it:
        await it.start("sh", "-c", "trap 'stty size' WINCH; stty size; while :; do read x; done")
        provider = FaultyProvider(it.place.provider, 0.0, caps=caps)
        place = it.with_provider(provider)
        async with hub() as mine, hub() as theirs:
            first = await mine.open(place, MAIN_CONSOLE, Authority.TYPE)
            other = await theirs.open(place, MAIN_CONSOLE, Authority.TYPE)
            await first.ready(10)
            await other.ready(10)
            assert await first.resize(100, 30)
            assert (first.status.columns, first.status.size_owner) == (100, "me")
            await until(lambda: other.screen.columns == 100, "the other view")
            assert not await other.resize(60, 20)
            assert other.status.size_owner not in ("", "me")
            assert other.screen.columns == 100
            other.type(b"\r", control=True)
            await until(lambda: first.screen.columns == 60, "the size of who typed last")
            await until(lambda: other.status.size_owner == "me", "its own right")
            await until(lambda: first.status.size_owner not in ("", "me"), "the first knows")
            await show(it, first)
            await show(it, other)


async def test_full_screen_programs_look_as_tmux_has_them(tmp_path: Path) -> None:
    async with rig(tmp_path) as it:
        await it.start("sh", "-c", "seq 1 60; exec vim -u NONE -N notes")
        async with hub(QUICK) as consoles:
            handle = await consoles.open(it.place, MAIN_CONSOLE, Authority.TYPE)
            await handle.ready(10)
            await until(lambda: handle.screen.alternate and "notes" in text(handle), "vim")
            handle.type("ihello 漢字\x1b".encode(), control=True)
            await until(lambda: "hello 漢" in text(handle), "the text")
            await show(it, handle)
            handle.type(b":wq\r", control=True)
            await until(lambda: handle.status.link is Link.DEAD, "its end")
            assert (it.home / "notes").read_text() == "hello 漢字\n"


async def test_stop_leaves_nothing_behind(tmp_path: Path) -> None:
    async with rig(tmp_path) as it:
        await it.start(
            "sh",
            "-c",
            "trap '' HUP TERM; setsid sh -c 'trap \"\" HUP TERM; printf far; sleep 600; :' & printf near; sleep 600; :",
        )
        async with hub() as consoles:
            handle = await consoles.open(it.place)
            await handle.ready(10)
            await until(lambda: "near" in text(handle) and "far" in text(handle), "both processes")
            agents = [int(p) for p in it.tmux("list-panes", "-a", "-F", "#{pane_pid}").split()]
            family = [entry for entry in Path("/proc").glob("[0-9]*") if stamped(entry, it.place.socket)]
            assert len(family) >= 4
            await server.stop(it.place)
            await until(lambda: not any(entry.exists() for entry in family), "the end of them all")
            assert not any(Path(f"/proc/{agent}").exists() for agent in agents)
            await until(lambda: handle.status.link is Link.ENDED, "the view knows")
            await server.stop(it.place)  # nothing there is success
        await until(lambda: not it.processes(), "the end of our own requests")
        assert not os.path.exists(it.place.socket)
        assert list(Path(it.place.root, "run").glob("*")) == []
        assert await server.consoles(it.place) == []


def stamped(entry: Path, socket: str) -> bool:
    try:
        return f"AMTUI_SOCKET={socket}".encode() in (entry / "environ").read_bytes()
    except OSError:
        return False


async def test_the_program_gets_the_allow_list_and_nothing_of_tmux_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = {"E2B_API_KEY": "planted", "SSH_AUTH_SOCK": "/planted", "TMUX": "/planted,1,0", "DISPLAY": ":9"}
    for name, value in planted.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LANG", "C")
    monkeypatch.delenv("LC_ALL", raising=False)
    async with rig(tmp_path) as it:
        await it.start("sh", "-c", "env > seen; sleep 600")
        await until(lambda: (it.home / "seen").exists() and (it.home / "seen").stat().st_size, "the program")
        seen = dict(line.partition("=")[::2] for line in (it.home / "seen").read_text().splitlines())
        assert not {"E2B_API_KEY", "SSH_AUTH_SOCK", "DISPLAY"} & seen.keys()
        assert seen["TMUX"].startswith(it.place.socket)
        assert "UTF-8" in seen.get("LC_ALL", seen["LANG"])
        assert b"planted" not in it.tmux("show-environment", "-g")


async def test_nobody_else_may_own_the_socket_directory(tmp_path: Path) -> None:
    async with rig(tmp_path) as it:
        folder = Path(it.place.socket).parent
        folder.mkdir(mode=0o755)
        folder.chmod(0o755)
        with pytest.raises(Exception, match=r"others may enter") as refused:
            await it.start("sh")
        assert "socket" in str(refused.value)
        folder.chmod(0o700)
        await it.start("sh")


async def test_bells_and_notices_stand_in_the_signal_file(tmp_path: Path) -> None:
    async with rig(tmp_path) as it:
        await it.start(
            "sh", "-c", r"printf '\033]0;title with a bell end\007\033]777;notify;Done;all green\007\033]7501;st';"
            r"sleep 0.1; printf 'ate=idle\033\\'; printf '\033]9;4;1;50\007'; printf '\007'; printf over; sleep 600",
        )  # fmt: skip
        sig = Path(it.place.run(MAIN_CONSOLE)) / "sig"
        await until(lambda: sig.exists() and len(sig.read_text().splitlines()) == 4, "four signals")
        lines = dict(line.split(" ", 1) for line in sig.read_text().splitlines())
        assert {name: [*line.split(" ", 1), ""][1] for name, line in lines.items()} == {
            "777": "notify;Done;all green",
            "7501": "state=idle",
            "9": "4;1;50",
            "bel": "",
        }
        probed = (await server.probe(it.place)).decode()
        assert "G\tamconsole\t777 " in probed
        assert "L\tamconsole\tover" in probed
        await asyncio.sleep(0)
