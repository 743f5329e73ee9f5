"""A private sshd behind a link whose delay, jitter, loss and rate are set.

Between two network namespaces where root and /dev/net/tun allow (real TCP, real UDP, real loss), else through a
relay on loopback. Both are processes of their own: what they cost is not on the client's bill.
"""

from __future__ import annotations

import ctypes
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hosts import Sshd, SshWorld

from amtui.ops.benchmark_link import LinkProcess, Weather, relay

HERE = Path(__file__).parent
_NEWNET = 0x40000000


def namespaces_work() -> bool:
    """Whether this process may make network namespaces and TUN devices."""
    if os.environ.get("AMTUI_TEST_LINK") == "relay" or os.geteuid():
        return False
    try:
        with Tunnel():
            return True
    except (OSError, RuntimeError):
        return False


def _enter(namespace: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    file = os.open(namespace, os.O_RDONLY)
    try:
        if libc.setns(file, _NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(file)


class Tunnel(LinkProcess):
    """Two namespaces and what lies between them."""

    def __init__(self) -> None:
        root = HERE.parent.parent.parent
        super().__init__(
            [
                sys.executable,
                "-c",
                f"import sys; sys.path[:0] = [{str(root)!r}, {str(HERE)!r}]; import tun; tun.run()",
            ]
        )

    @contextmanager
    def inside(self, end: str) -> Iterator[None]:
        """This thread, and what it starts, in the namespace of the `client` or the `server`."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        number = self.facts["ends"][0 if end == "client" else 1]
        try:
            _enter(f"/proc/{self.pid}/fd/{number}")
            yield
        finally:
            _enter(f"/proc/self/fd/{home}")
            os.close(home)

    def __enter__(self) -> Tunnel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class FarHost:
    """A host behind a link: `world` is the operator's ssh configuration, `link` takes the weather.

    The alias `far` goes over the link; `address` and `udp` are where a UDP packet for `udp_port` is sent.
    """

    def __init__(self, link: LinkProcess, world: SshWorld, address: str, port: int, kind: str) -> None:
        self.link = link
        self.world = world
        self.address = address
        self.port = port
        self.kind = kind

    def weather(self, rtt: float = 0.0, **more: float) -> None:
        """`rtt` in seconds; the rest as in `Weather`."""
        self.link.weather(Weather(delay=rtt / 2, **more))  # type: ignore[arg-type]

    def bytes_down(self) -> int:
        """Bytes that came from the host so far."""
        return int(self.link.tell()["down"])


@contextmanager
def far_host(folder: Path, *, max_sessions: int = 10, udp_port: int | None = None) -> Iterator[FarHost]:
    """A private sshd behind a link without delay. While it lasts, this thread is on the client's side."""
    options = (
        "SetEnv SHLVL=2",
    )  # bash, as a login shell under sshd, reads ~/.bashrc unless it thinks it is nested
    if namespaces_work():
        with Tunnel() as tunnel:
            with tunnel.inside("server"):
                listen = ("ListenAddress 10.77.0.2", *options)
                host = Sshd(folder / "sshd", max_sessions=max_sessions, options=listen).start()
            try:
                with tunnel.inside("client"):
                    yield _far(folder, host, tunnel, "10.77.0.2", host.port, "namespaces")
            finally:
                host.stop()
        return
    host = Sshd(folder / "sshd", max_sessions=max_sessions, options=options).start()
    link = relay("127.0.0.1", host.port, udp_port)
    try:
        yield _far(folder, host, link, "127.0.0.1", int(link.facts["port"]), "relay")
    finally:
        link.close()
        host.stop()


def _far(folder: Path, host: Sshd, link: LinkProcess, address: str, port: int, kind: str) -> FarHost:
    world = SshWorld(folder, host)
    with world.known_hosts.open("a") as file:
        file.write(f"[{address}]:{port} {host.host_key}\n")
    world.alias("far", host, HostName=address, Port=str(port))
    with socket.create_connection((address, port), timeout=5):
        return FarHost(link, world, address, port, kind)
