"""A link between two network namespaces of its own: one TUN device in each, packets carried late, lossy, narrow.

Run as a program, as root. It makes both namespaces, prints `{"ends": [fd, fd]}` (namespaces, under its /proc/PID/fd)
and obeys stdin like `amtui.ops.benchmark_link`. Everything is gone when it ends.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import select
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from contextlib import suppress
from typing import Any

from amtui.ops.benchmark_link import Direction, Weather, counters, obey, say

CLIENT, SERVER = "10.77.0.1", "10.77.0.2"
_NEWNET = 0x40000000
_TUNSETIFF = 0x400454CA
_SETADDR, _SETPEER, _SETMASK, _GETFLAGS, _SETFLAGS = 0x8916, 0x8918, 0x891C, 0x8913, 0x8914


def new_end(mine: str, peer: str) -> tuple[int, int]:
    """A fresh namespace with `lo` and a device `link`: the namespace and the device, as file descriptors."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEWNET):
        raise OSError(ctypes.get_errno(), "no network namespace")
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", b"link", 0x1001))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for request, address in ((_SETADDR, mine), (_SETPEER, peer), (_SETMASK, "255.255.255.255")):
            words = struct.pack("16sHH4s8x", b"link", socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(sock, request, words)
        for name in (b"lo", b"link"):
            flags = struct.unpack("16sH14x", fcntl.ioctl(sock, _GETFLAGS, struct.pack("16sH14x", name, 0)))[1]
            fcntl.ioctl(sock, _SETFLAGS, struct.pack("16sH14x", name, flags | 0x41))
    route = ["ip", "route", "replace", peer, "dev", "link", "congctl", "cubic"]
    with suppress(OSError):  # without it whatever the kernel prefers; both contenders have the same
        subprocess.run(route, check=False, stderr=subprocess.DEVNULL)
    return os.open("/proc/self/ns/net", os.O_RDONLY), device


def flow(packet: bytes) -> bytes:
    """Which connection a packet belongs to, the same in both directions."""
    if packet[0] >> 4 != 4:
        return b""
    at = (packet[0] & 15) * 4
    ends = sorted((packet[12:16] + packet[at : at + 2], packet[16:20] + packet[at + 2 : at + 4]))
    return packet[9:10] + ends[0] + ends[1]


def run() -> None:
    ends = [new_end(CLIENT, SERVER), new_end(SERVER, CLIENT)]
    devices = [device for _, device in ends]
    directions = [Direction(Weather(), seed=1), Direction(Weather(), seed=2)]
    queues: list[deque[tuple[float, bytes]]] = [deque(), deque()]
    seen: set[bytes] = set()
    dropped: set[bytes] = set()
    down = False
    say(json.dumps({"ends": [namespace for namespace, _ in ends]}))
    while True:
        now = time.monotonic()
        for way, queue in enumerate(queues):
            while queue and queue[0][0] <= now:
                packet = queue.popleft()[1]
                if not down and flow(packet) not in dropped:
                    try:
                        os.write(devices[1 - way], packet)
                    except OSError:
                        continue
        waits = [queue[0][0] - now for queue in queues if queue]
        ready, _, _ = select.select([sys.stdin, *devices], [], [], max(0.0, min(waits, default=0.1)))
        now = time.monotonic()
        for one in ready:
            if one is sys.stdin:
                line = sys.stdin.readline()
                if not line:
                    return
                order: dict[str, Any] = obey(line, directions)
                down = bool(order.get("down", down))
                if order.get("deaf"):
                    dropped |= seen
                say(counters(directions))
                continue
            way = devices.index(one)
            for _ in range(64):
                try:
                    packet = os.read(one, 65536)
                except BlockingIOError:
                    break
                seen.add(flow(packet))
                due = directions[way].admit(now, len(packet))
                if due is not None:
                    queues[way].append((due, packet))


if __name__ == "__main__":
    run()
