"""`benchmark console`: typing over a slow link, ours against what there was before, in one run.

A private sshd on this computer behind a link with a set round trip. Nothing outside a temporary directory is touched.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from msgspec import Struct

from amtui.errors import MissingTool, Unreachable, UsageError
from amtui.model import SCHEMA
from amtui.ops.base import Action, Arg, Progress, Result, Yield
from amtui.ops.context import Context
from amtui.ops.table import render

if TYPE_CHECKING:
    from amtui.ops.benchmark_contenders import Contender, Road

YARDSTICK = "ssh -t tmux"
_OPTIONS = (
    "ListenAddress 127.0.0.1", "PasswordAuthentication no", "KbdInteractiveAuthentication no", "StrictModes no",
    "UsePAM no", "UseDNS no", "PermitRootLogin yes", "PrintMotd no", "MaxSessions 30", "SetEnv SHLVL=2",
)  # fmt: skip


class Benchmark(Struct, frozen=True, kw_only=True):
    """Parameters of `benchmark console`."""

    rtt: Annotated[
        tuple[int, ...], Arg("round trip of the link, else 50 and 100; may be repeated", metavar="MS")
    ] = ()
    keys: Annotated[int, Arg("keys for each round trip", metavar="COUNT")] = 40


def _tool(name: str, package: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/local/sbin")
    if found is None:
        raise MissingTool(f"{name} is not on this computer", f"install the package {package}")
    return found


@contextmanager
def _sshd(folder: Path) -> Iterator[tuple[int, str]]:
    """A private sshd on loopback with keys of its own: its port and its host key's line."""
    sshd, keygen = _tool("sshd", "openssh-server"), _tool("ssh-keygen", "openssh-client")
    for name in ("host_key", "user_key"):
        made = [keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(made, check=True, stdin=subprocess.DEVNULL)
    (folder / "authorized_keys").write_bytes((folder / "user_key.pub").read_bytes())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    words = [f"Port {port}", f"HostKey {folder}/host_key", f"PidFile {folder}/pid"]
    words.append(f"AuthorizedKeysFile {folder}/authorized_keys")
    (folder / "sshd_config").write_text("\n".join([*words, *_OPTIONS]) + "\n")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # compiled into sshd
    argv = [sshd, "-D", "-f", str(folder / "sshd_config"), "-E", str(folder / "log")]
    server = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
    try:
        for _ in range(500):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            if server.poll() is not None:
                raise Unreachable("a private sshd does not start here", "its log: see `sshd -t`")
        yield port, " ".join((folder / "host_key.pub").read_text().split()[:2])
    finally:
        server.terminate()
        server.wait()


async def run(ctx: Context, params: Benchmark) -> AsyncIterator[Yield]:
    """Yields progress, then the table."""
    from amtui.ops.benchmark_contenders import Road, one_by_one
    from amtui.ops.benchmark_link import Weather, relay

    if params.keys < 1 or any(not 0 <= rtt <= 2000 for rtt in params.rtt):
        raise UsageError("a benchmark needs at least one key, and round trips between 0 and 2000 ms")
    _tool("tmux", "tmux")
    with tempfile.TemporaryDirectory(prefix="amtui-bench-", dir="/tmp") as name:
        folder = Path(name)
        with _sshd(folder) as (port, key):
            mosh = _udp_port() if shutil.which("mosh-server") and shutil.which("mosh-client") else 0
            link = relay("127.0.0.1", port, mosh or None)
            try:
                config = _config(folder, int(link.facts["port"]), key)
                environ = {**os.environ, "AMTUI_SSH_CONFIG": str(config)}
                road = Road(config, "bench", environ, "127.0.0.1", mosh, int(link.facts["udp"]))
                racers = _racers(road, folder)
                rows: list[dict[str, object]] = []
                opened: list[Contender] = []
                try:
                    for one in racers:
                        yield Progress(f"opening {one.name}")
                        opened.append(one)
                        await one.open()
                    for rtt in params.rtt or (50, 100):
                        yield Progress(f"{params.keys} keys each at {rtt} ms")
                        link.weather(Weather(delay=rtt / 2000))
                        for one in racers:
                            await one.fresh_row()
                        rows += _rows(rtt, await one_by_one(racers, params.keys))
                finally:
                    link.weather(Weather())
                    await asyncio.gather(*(one.close() for one in opened), return_exceptions=True)
            finally:
                link.close()
                await asyncio.to_thread(_end_tmux, folder)
    yield Result({"schema": SCHEMA, "keys": params.keys, "results": rows}, _table(rows))


def _end_tmux(folder: Path) -> None:
    for name in ("ssh", "poll", "mosh"):
        words = ["tmux", "-S", str(folder / name), "kill-server"]
        subprocess.run(words, capture_output=True, check=False)


def _racers(road: Road, folder: Path) -> list[Contender]:
    from amtui.ops.benchmark_contenders import ExecOnly, Mosh, Ours, Poll, SshTmux
    from amtui.providers.ssh import SshProvider

    narrow = ExecOnly(*(SshProvider(environ=road.environ) for _ in range(3)))
    racers: list[Contender] = [
        Ours("amtui L3", SshProvider(environ=road.environ), road.alias),
        Ours("amtui L1", narrow, road.alias),
        SshTmux(road, str(folder / "ssh")),
        Poll(road, str(folder / "poll")),
    ]
    if road.mosh_port:
        racers.append(Mosh(road, str(folder / "mosh")))
    return racers


def _config(folder: Path, port: int, key: str) -> Path:
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {key}\n")
    config = folder / "ssh_config"
    config.write_text(
        f"Host bench\n HostName 127.0.0.1\n Port {port}\n IdentityFile {folder}/user_key\n IdentitiesOnly yes\n"
        f" UserKnownHostsFile {folder}/known_hosts\n GlobalKnownHostsFile /dev/null\n"
    )
    return config


def _udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _rows(rtt: int, taken: dict[str, list[float]]) -> list[dict[str, object]]:
    yardstick = statistics.median(taken[YARDSTICK])
    return [
        {
            "rtt_ms": rtt,
            "what": name,
            "p50_ms": round(1000 * statistics.median(values), 1),
            "p95_ms": round(1000 * sorted(values)[int(len(values) * 0.95)], 1),
            "ratio": round(statistics.median(values) / yardstick, 3),
        }
        for name, values in taken.items()
    ]


def _table(rows: list[dict[str, object]]) -> str:
    head = ("RTT", "WHAT", "P50", "P95", "RATIO")
    lines = [
        (
            f"{row['rtt_ms']} ms",
            str(row["what"]),
            f"{row['p50_ms']} ms",
            f"{row['p95_ms']} ms",
            f"{row['ratio']}×",
        )
        for row in rows
    ]
    return render(head, lines) + f"\nratio: to {YARDSTICK}, key to echo, one key at a time, in turns"


CONSOLE = Action(Benchmark, run)
