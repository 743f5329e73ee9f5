"""A slow link on this computer: a process that relays TCP connections and UDP packets late, lossy and narrow.

`Weather` is what the link does to what it carries, and knows no sockets. Run as a program it relays one address to
another and takes orders on stdin, one JSON object a line, each answered by one on stdout::

    {"weather": {"delay": 0.025, "rate": 10.0}}    from now on
    {"deaf": true}      connections that exist are swallowed silently, new ones work
    {"down": true}      nothing passes until {"down": false}
    {}                  only the counters: {"up": bytes, "down": bytes, "lost": n}
"""

from __future__ import annotations

import heapq
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import count
from typing import IO, Any, Final

UP, DOWN = 0, 1
_CHUNK: Final = 16 << 10
_RETRANSMIT: Final = 0.2
"""Seconds that a TCP connection stands still for a lost packet, at least."""


@dataclass(frozen=True, slots=True)
class Weather:
    """What happens to each packet, in each direction."""

    delay: float = 0.0
    """Seconds one way: half a round trip."""
    jitter: float = 0.0
    """Up to so many seconds more; order is kept."""
    loss: float = 0.0
    """Share of packets lost, 0 to 1."""
    rate: float = 0.0
    """Megabits a second; 0 is no limit."""
    queue: int = 256_000
    """Bytes that wait for a narrow link before packets are lost."""


class Direction:
    """One way of a link: when what enters it now will come out."""

    def __init__(self, weather: Weather, *, seed: int = 0) -> None:
        self.weather = weather
        self.bytes = 0
        self.lost = 0
        self._random = random.Random(seed)
        self._busy = 0.0
        self._last = 0.0

    def full(self, now: float) -> bool:
        """Whether the queue has no room."""
        weather = self.weather
        return weather.rate > 0 and (self._busy - now) * weather.rate * 125_000 > weather.queue

    def admit(self, now: float, size: int, *, reliable: bool = False) -> float | None:
        """When `size` bytes arrive, or None when they are lost. `reliable`: late instead of lost."""
        weather = self.weather
        penalty = 0.0
        if not reliable and self.full(now):
            self.lost += 1
            return None
        if weather.loss and self._random.random() < weather.loss:
            self.lost += 1
            if not reliable:
                return None
            penalty = max(_RETRANSMIT, 3 * weather.delay)
        self.bytes += size
        due = now
        if weather.rate > 0:
            self._busy = max(self._busy, now) + size / (weather.rate * 125_000)
            due = self._busy
        due += weather.delay + weather.jitter * self._random.random() + penalty
        self._last = max(self._last, due)
        return self._last


class LinkProcess:
    """The process that is the link, and how it is told what to do. Leaves nothing behind when closed."""

    def __init__(self, argv: list[str]) -> None:
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in: IO[bytes] = self._process.stdin
        self._out: IO[bytes] = self._process.stdout
        self.facts: dict[str, Any] = self._read()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _read(self) -> dict[str, Any]:
        line = self._out.readline()
        if not line:
            raise RuntimeError(f"the link ended: {self._process.wait()}")
        said: dict[str, Any] = json.loads(line)
        return said

    def tell(self, **order: Any) -> dict[str, Any]:
        """Give an order and return the counters."""
        self._in.write(json.dumps(order).encode() + b"\n")
        self._in.flush()
        return self._read()

    def weather(self, weather: Weather) -> None:
        """Change the weather from now on."""
        self.tell(weather=asdict(weather))

    def freeze(self) -> None:
        """Nothing moves any more; nothing is lost either, as far as queues reach."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._in.close()
        self._out.close()


def relay(host: str, port: int, udp: int | None = None) -> LinkProcess:
    """A link to `host:port`; clients connect to 127.0.0.1 and the port `facts["port"]`.

    With `udp`, packets to the UDP port `facts["udp"]` go to that port of the host.
    """
    words = [host, str(port), *([str(udp)] if udp else [])]
    return LinkProcess([sys.executable, "-m", __name__, *words])


def obey(line: str, directions: list[Direction]) -> dict[str, Any]:
    """Carry out what every kind of link understands; returns the order."""
    order: dict[str, Any] = json.loads(line)
    if "weather" in order:
        for direction in directions:
            direction.weather = Weather(**order["weather"])
    return order


def say(line: str) -> None:
    """One line for whoever gives the orders."""
    os.write(1, line.encode() + b"\n")


def counters(directions: list[Direction]) -> str:
    """The answer to an order."""
    up, down = directions
    return json.dumps({"up": up.bytes, "down": down.bytes, "lost": up.lost + down.lost})


class _End:
    """One socket of a relayed connection."""

    def __init__(self, sock: socket.socket, way: int) -> None:
        self.sock = sock
        self.way = way
        """Direction of what is read here."""
        self.peer: _End
        self.waiting = bytearray()
        self.under_way = 0
        """Bytes that will be written here."""
        self.ended = False
        self.deaf = False

    def fileno(self) -> int:
        return self.sock.fileno()


class _Relay:
    def __init__(self, host: str, port: int, udp: int | None) -> None:
        self.directions = [Direction(Weather(), seed=1), Direction(Weather(), seed=2)]
        self.target = (host, port)
        self.door = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.packets = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.packets.bind(("127.0.0.1", 0))
        self.udp_target = (host, udp) if udp else None
        self.outside: dict[tuple[str, int], socket.socket] = {}
        self.ends: set[_End] = set()
        self.due: list[tuple[float, int, Any, bytes]] = []
        self.number = count()
        self.stopped = False

    def run(self) -> None:
        facts = {"port": self.door.getsockname()[1], "udp": self.packets.getsockname()[1]}
        say(json.dumps(facts))
        while True:
            now = time.monotonic()
            while not self.stopped and self.due and self.due[0][0] <= now:
                _, _, where, data = heapq.heappop(self.due)
                self._deliver(where, data)
            ends = (
                [] if self.stopped else [end for end in self.ends if not end.ended and self._room(end, now)]
            )
            ways: list[Any] = [sys.stdin, self.door, self.packets, *self.outside.values(), *ends]
            writers = [end for end in self.ends if end.waiting]
            wait = max(0.0, self.due[0][0] - now) if self.due and not self.stopped else 0.05
            ready, writable, _ = select.select(ways, writers, [], wait)
            now = time.monotonic()
            for one in writable:
                self._flush(one)
            for one in ready:
                if not self._ready(one, now):
                    return

    def _room(self, end: _End, now: float) -> bool:
        if end.deaf:
            return True
        return (
            not self.directions[end.way].full(now) and end.peer.under_way < self.directions[0].weather.queue
        )

    def _ready(self, one: Any, now: float) -> bool:
        if one is sys.stdin:
            line = sys.stdin.readline()
            if not line:
                return False
            order = obey(line, self.directions)
            self.stopped = bool(order.get("down", self.stopped))
            for end in self.ends if order.get("deaf") else ():
                end.deaf = True
            say(counters(self.directions))
        elif one is self.door:
            self._accept()
        elif isinstance(one, _End):
            self._read(one, now)
        else:
            self._packet(one, now)
        return True

    def _accept(self) -> None:
        near, _ = self.door.accept()
        try:
            far = socket.create_connection(self.target, timeout=5)
        except OSError:
            near.close()
            return
        pair = _End(near, UP), _End(far, DOWN)
        for end, peer in (pair, pair[::-1]):
            end.peer = peer
            end.sock.setblocking(False)
            end.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.ends.update(pair)

    def _read(self, end: _End, now: float) -> None:
        try:
            data = end.sock.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        end.ended = not data
        if end.deaf:
            return
        due = self.directions[end.way].admit(now, len(data), reliable=True)
        assert due is not None
        end.peer.under_way += len(data)
        heapq.heappush(self.due, (due, next(self.number), end.peer, data))

    def _deliver(self, where: Any, data: bytes) -> None:
        if not isinstance(where, _End):
            sock, address = where
            with suppress(OSError):
                sock.sendto(data, address)
        elif where in self.ends and not where.deaf:
            if data:
                where.waiting += data
                self._flush(where)
            else:
                self._close(where)

    def _flush(self, end: _End) -> None:
        try:
            sent = end.sock.send(end.waiting)
        except BlockingIOError:
            return
        except OSError:
            self._close(end)
            return
        del end.waiting[:sent]
        end.under_way -= sent

    def _close(self, end: _End) -> None:
        """The other side has ended: so does this one. What waits here was said before."""
        for one in (end, end.peer):
            one.sock.close()
            self.ends.discard(one)

    def _packet(self, sock: socket.socket, now: float) -> None:
        data, address = sock.recvfrom(65536)
        if self.udp_target is None:
            return
        if sock is self.packets:
            if address not in self.outside:
                self.outside[address] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                self.outside[address].bind(("127.0.0.1", 0))
            way, where = UP, (self.outside[address], self.udp_target)
        else:
            back = next(known for known, outside in self.outside.items() if outside is sock)
            way, where = DOWN, (self.packets, back)
        due = self.directions[way].admit(now, len(data))
        if due is not None:
            heapq.heappush(self.due, (due, next(self.number), where, data))


if __name__ == "__main__":
    words = sys.argv[1:]
    _Relay(words[0], int(words[1]), int(words[2]) if len(words) > 2 else None).run()
