"""Ways to type into a program on another computer, timed key by key: ours and what there was before.

Each contender has a program of its own on the host that echoes raw bytes. Ours ends at the emulator's cell; the
others end when the letter comes out of their terminal, which is a little less work than ours.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import random
import secrets
import shlex
import signal
import struct
import termios
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from amtui.console import server
from amtui.console.hub import Hub, TypingHandle
from amtui.model import MAIN_CONSOLE, Authority
from amtui.providers.base import Cap, Command, ExecResult, Place, Provider, Purpose
from amtui.providers.ssh import SshProvider

LETTERS: Final = "eiouvwyz"
"""None of them ends an escape sequence that tmux or mosh prints."""
LINE: Final = 60
"""Keys on one row; then a new row begins."""
ECHO: Final = ("sh", "-c", "stty raw -echo; printf ready; exec cat")
_PATIENCE: Final = 10.0


@dataclass(frozen=True)
class Road:
    """How to reach the host: an ssh configuration and the alias in it; where mosh's packets go."""

    config: Path
    alias: str
    environ: Mapping[str, str]
    address: str = "127.0.0.1"
    mosh_port: int = 0
    """UDP port of the server on the host; 0: mosh is left out."""
    mosh_door: int = 0
    """UDP port the client sends to, when it is another one."""


class ExecOnly:
    """Providers of one host that hide everything but exec, as most substrates are.

    Several, used in turns, because such a substrate has no cap on sessions: a key costs it one round trip, and so it
    does here, as long as each connection has a waiting shell.
    """

    def __init__(self, *inner: Provider) -> None:
        self._inner = inner
        self.caps = inner[0].caps & ~(Cap.STREAM | Cap.STDIN | Cap.SIGNAL)
        self.calls = 0
        """Execs so far."""

    async def exec(self, host_id: str, command: Command, *, purpose: Purpose = Purpose.USER) -> ExecResult:
        self.calls += 1
        provider = self._inner[self.calls % len(self._inner)]
        return await provider.exec(host_id, command, purpose=purpose)

    async def aclose(self) -> None:
        await asyncio.gather(*(provider.aclose() for provider in self._inner))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner[0], name)


async def _until(true: Callable[[], bool], timeout: float = _PATIENCE) -> None:
    async with asyncio.timeout(timeout):
        while not true():  # noqa: ASYNC110  # a screen, or bytes of a terminal: nothing there to wait on
            await asyncio.sleep(0.002)


class Contender(ABC):
    """One way to type. `now` counts seconds."""

    name: str

    @abstractmethod
    async def open(self) -> None: ...

    @abstractmethod
    async def close(self) -> None: ...

    @abstractmethod
    def press(self, letter: str) -> asyncio.Future[float]:
        """Type one letter; the future is when its echo was there."""

    @abstractmethod
    async def fresh_row(self) -> None:
        """Before letters run into the right edge."""

    async def key(self, letter: str) -> float:
        """Seconds from a key to its echo."""
        began = time.perf_counter()
        async with asyncio.timeout(_PATIENCE):
            return await self.press(letter) - began


class Ours(Contender):
    """The real session: hub, typing handle, and the cell of the emulator."""

    def __init__(self, name: str, provider: Provider, host: str, place: Place | None = None) -> None:
        self.name = name
        self.provider = provider
        self._host = host
        self._made: Place | None = None
        self._given = place
        self._hub = Hub()
        self._waiting: list[tuple[int, int, str, asyncio.Future[float]]] = []
        self._at: tuple[int, int] | None = None
        self.handle: TypingHandle

    async def open(self) -> None:
        place = self._given or await self._place()
        self.handle = await self._hub.open(place, MAIN_CONSOLE, Authority.TYPE)
        self.handle.listen(self._look)
        await self.handle.ready()
        await _until(lambda: "ready" in self.handle.screen.display[0])
        self.handle.type(b"\r\n", control=True)  # the key channel opens beside the first key
        await self.handle.drain()
        await _until(lambda: self.handle.screen.cursor.y == 1)
        await asyncio.sleep(0.5)

    async def _place(self) -> Place:
        base = await self.provider.root(self._host)
        name = secrets.token_hex(6)
        made = Place(self.provider, self._host, base, f"{base}/workers/{name}", f"/tmp/amtui-b{name}/s")
        await made.exec(["mkdir", "-p", made.home])
        await server.start(made, MAIN_CONSOLE, list(ECHO), cwd=made.home)
        self._made = made
        return made

    async def close(self) -> None:
        await self._hub.aclose()
        if self._made is not None:
            await server.stop(self._made)
            await self._made.exec(["rm", "-rf", self._made.root, os.path.dirname(self._made.socket)])
        await self.provider.aclose()

    def press(self, letter: str) -> asyncio.Future[float]:
        cursor = self.handle.screen.cursor
        x, y = self._at if self._waiting and self._at else (cursor.x, cursor.y)
        self._at = (x + 1, y)
        done: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._waiting.append((x, y, letter, done))
        self.handle.type(letter.encode())
        return done

    def _look(self) -> None:
        now = time.perf_counter()
        buffer = self.handle.screen.buffer
        while self._waiting:
            x, y, letter, done = self._waiting[0]
            if buffer[y][x].data != letter:
                return
            self._waiting.pop(0)
            if not done.done():
                done.set_result(now)

    async def fresh_row(self) -> None:
        self.handle.type(b"\x1b[H\x1b[2J", control=True)
        await self.handle.drain()
        await _until(lambda: self.handle.screen.cursor.x == 0 and self.handle.screen.cursor.y == 0)
        await asyncio.sleep(0.1)


class Pty(Contender):
    """A program of this computer on a pseudo-terminal, as `ssh -t HOST tmux attach`."""

    def __init__(self, name: str, argv: Sequence[str], environ: Mapping[str, str]) -> None:
        self.name = name
        self.argv = list(argv)
        self.environ = {**environ, "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        self._fd = -1
        self._pid = 0
        self._seen = bytearray()
        self._waiting: list[tuple[bytes, asyncio.Future[float]]] = []

    async def open(self) -> None:
        self._pid, self._fd = pty.fork()
        if not self._pid:
            try:
                os.execvpe(self.argv[0], self.argv, self.environ)
            finally:
                os._exit(127)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        asyncio.get_running_loop().add_reader(self._fd, self._read)
        await _until(lambda: b"ready" in self._seen, 20)
        await asyncio.sleep(0.3)

    async def close(self) -> None:
        if self._fd < 0:
            return
        asyncio.get_running_loop().remove_reader(self._fd)
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGTERM)
        os.close(self._fd)
        await asyncio.to_thread(os.waitpid, self._pid, 0)

    def press(self, letter: str) -> asyncio.Future[float]:
        done: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._waiting.append((letter.encode(), done))
        os.write(self._fd, letter.encode())
        return done

    def _read(self) -> None:
        try:
            data = os.read(self._fd, 65536)
        except OSError:
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._fd)
            return
        now = time.perf_counter()
        self._seen = (self._seen + data)[-4096:]
        at = 0
        while self._waiting and (at := data.find(self._waiting[0][0], at)) >= 0:
            at += 1
            _, done = self._waiting.pop(0)
            if not done.done():
                done.set_result(now)

    async def fresh_row(self) -> None:
        os.write(self._fd, b"\x1b[H\x1b[2J")
        await asyncio.sleep(0.3)


class Poll(Contender):
    """What a web page does: read the log every 50 ms, one new command each time; keys by `tmux send-keys`."""

    name = "poll 50 ms"

    def __init__(self, road: Road, socket: str, interval: float = 0.05) -> None:
        self._road = road
        self._tmux = f"tmux -S {shlex.quote(socket)}"
        self._log = f"{socket}.log"
        self._interval = interval
        self._offset = 0
        self._waiting: list[tuple[bytes, asyncio.Future[float]]] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._keys: asyncio.Queue[str] = asyncio.Queue()

    async def open(self) -> None:
        import asyncssh

        self._connection = await asyncssh.connect(
            self._road.alias, config=[str(self._road.config)], client_factory=None, known_hosts=None,
            compression_algs=None,
        )  # fmt: skip
        start = " ".join(map(shlex.quote, ECHO))
        await self._run(f"{self._tmux} -f /dev/null new-session -d -x 80 -y 24 {shlex.quote(start)}")
        await self._run(
            f"{self._tmux} pipe-pane {shlex.quote(f'cat >> {self._log}')}; sleep 0.5; : >{self._log}"
        )
        for work in (self._poll(), self._type()):
            self._tasks.add(asyncio.ensure_future(work))

    async def _run(self, line: str) -> bytes:
        done = await self._connection.run(line, encoding=None)
        return bytes(done.stdout or b"")  # type: ignore[arg-type]

    async def _poll(self) -> None:
        while True:
            data = await self._run(f"tail -c +{self._offset + 1} {self._log}")
            self._offset += len(data)
            now = time.perf_counter()
            at = 0
            while self._waiting and (at := data.find(self._waiting[0][0], at)) >= 0:
                at += 1
                self._waiting.pop(0)[1].set_result(now)
            await asyncio.sleep(self._interval)

    async def _type(self) -> None:
        while True:
            letters = await self._keys.get()
            await asyncio.sleep(0.008)
            while not self._keys.empty():
                letters += self._keys.get_nowait()
            await self._run(f"{self._tmux} send-keys -l {shlex.quote(letters)}")

    def press(self, letter: str) -> asyncio.Future[float]:
        done: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._waiting.append((letter.encode(), done))
        self._keys.put_nowait(letter)
        return done

    async def fresh_row(self) -> None:
        """It reads bytes, not rows."""

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(Exception):
            await self._run(f"{self._tmux} kill-server")
            self._connection.close()
            await self._connection.wait_closed()


class SshTmux(Pty):
    """`ssh -t HOST tmux attach`, the yardstick."""

    def __init__(self, road: Road, socket: str) -> None:
        line = f"tmux -S {socket} -f /dev/null new-session -A -s ref {shlex.quote(shlex.join(ECHO))} ';' set status off"
        super().__init__("ssh -t tmux", ["ssh", "-F", str(road.config), "-t", road.alias, line], road.environ)


class Mosh(Pty):
    """mosh without its predictions."""

    def __init__(self, road: Road, socket: str) -> None:
        super().__init__("mosh", [], {**road.environ, "MOSH_PREDICTION_DISPLAY": "never"})
        self._road = road
        self._socket = socket

    async def open(self) -> None:
        road = self._road
        provider = SshProvider(environ=road.environ)
        try:
            argv = ["mosh-server", "new", "-i", "0.0.0.0", "-p", str(road.mosh_port), "--"]
            argv += [
                "tmux",
                "-S",
                self._socket,
                "-f",
                "/dev/null",
                "new-session",
                "-A",
                "-s",
                "mosh",
                shlex.join(ECHO),
                ";",
                "set",
                "status",
                "off",
            ]
            done = await provider.exec(road.alias, Command(argv=argv, env={"LANG": "C.UTF-8"}, timeout=20))
            said = [line.split() for line in done.stdout.decode().splitlines() if "MOSH CONNECT" in line]
        finally:
            await provider.aclose()
        if not said:
            raise OSError(f"mosh-server said {done.stdout + done.stderr!r}")
        self.environ["MOSH_KEY"] = said[0][3]
        self.argv = ["mosh-client", road.address, str(road.mosh_door or said[0][2])]
        await super().open()


async def one_by_one(
    contenders: Sequence[Contender], keys: int, *, gap: tuple[float, float] = (0.12, 0.25), seed: int = 1
) -> dict[str, list[float]]:
    """Seconds from key to echo: one key at a time, the contenders in turns, so that all meet the same weather."""
    chosen = random.Random(seed)
    taken: dict[str, list[float]] = {one.name: [] for one in contenders}
    for number in range(keys):
        if number % LINE == LINE - 1:
            for one in contenders:
                await one.fresh_row()
        for one in contenders:
            await asyncio.sleep(chosen.uniform(*gap))
            taken[one.name].append(await one.key(chosen.choice(LETTERS)))
    return taken


async def fast(
    contender: Contender, keys: int, *, gap: tuple[float, float] = (0.04, 0.08), seed: int = 2
) -> list[float]:
    """The same for somebody who types fast and waits for nothing."""
    chosen = random.Random(seed)
    taken: list[float] = []
    while keys > 0:
        row = min(keys, LINE)
        keys -= row
        await contender.fresh_row()
        flying: list[tuple[float, asyncio.Future[float]]] = []
        for _ in range(row):
            await asyncio.sleep(chosen.uniform(*gap))
            began = time.perf_counter()
            flying.append((began, contender.press(chosen.choice(LETTERS))))
        async with asyncio.timeout(_PATIENCE):
            taken += [await seen - began for began, seen in flying]
    return taken
