"""Substrates by name, places of workers, and what listing them must not load."""

# ruff: noqa: ASYNC240 - tests look at what was made

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from amtui.errors import AmtuiError, Refused, Unsupported, UsageError
from amtui.model import Autonomy, Worker
from amtui.providers.base import Cap
from amtui.providers.registry import SOCKET_LIMIT, Providers


def providers(tmp_path: Path, **environ: str) -> Providers:
    paths = SimpleNamespace(machines=tmp_path / "machines")
    return Providers(paths, environ={"HOME": str(tmp_path), **environ})  # type: ignore[arg-type]


def worker(**changes: str) -> Worker:
    facts = {"id": "0123456789abcdef0123456789abcdef", "name": "w", "substrate": "local", "host_id": "local"}
    return Worker(**(facts | changes), runtime="shell", autonomy=Autonomy.ASK)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "near"),
    [
        ("locl", "local"),
        ("shs:box", "ssh"),
        ("e2", "e2b"),
        ("sprite", "sprites"),
        ("versel", "vercel"),
        ("", "local"),
    ],
)
def test_an_unknown_substrate_names_what_is_near(tmp_path: Path, given: str, near: str) -> None:
    with pytest.raises(UsageError) as caught:
        providers(tmp_path).get(given)
    assert near in caught.value.hint
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("given", ["ssh", "ssh:", "ssh:-oProxyCommand=x", "ssh:a b", "ssh:a\nb", "local:x"])
def test_a_host_that_cannot_be_one(tmp_path: Path, given: str) -> None:
    with pytest.raises(UsageError) as caught:
        providers(tmp_path).get(given)
    assert caught.value.hint


@pytest.mark.parametrize("kind", ["e2b", "sprites", "vercel", "dedalus"])
def test_what_comes_later_says_so(tmp_path: Path, kind: str) -> None:
    it = providers(tmp_path)
    with pytest.raises(Unsupported, match="later release"):
        it.get(kind)
    info = next(info for info in it.kinds() if info.kind == kind)
    assert not info.available
    assert info.caps == Cap(0)
    assert info.note


def test_the_table_says_what_the_adapters_say(tmp_path: Path) -> None:
    it = providers(tmp_path)
    for substrate in ("local", "ssh:box"):
        made = it.get(substrate)
        info = next(info for info in it.kinds() if info.kind == made.kind)
        assert info.available
        assert info.caps == made.caps
        assert it.get(substrate) is made
    assert it.host_id("ssh:box") == "box"
    assert it.host_id("local") == "local"


def test_nothing_heavy_is_imported_to_list_substrates() -> None:
    code = (
        "import sys, amtui.providers, amtui.providers.base, amtui.providers.registry, amtui.providers.environment;"
        "print([m for m in ('asyncssh', 'httpx', 'e2b', 'cryptography', 'keyring') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


async def test_a_new_local_worker_gets_its_place(tmp_path: Path) -> None:
    place = await providers(tmp_path).place(worker())
    assert place.base == str(tmp_path / "machines")
    assert place.root == f"{tmp_path}/machines/workers/0123456789ab"
    assert place.socket == f"/tmp/amtui-{os.getuid()}/0123456789ab"


async def test_the_runtime_directory_is_used_when_it_is_ours_and_short(tmp_path: Path) -> None:
    ours = tmp_path / "run"
    ours.mkdir()
    place = await providers(tmp_path, XDG_RUNTIME_DIR=str(ours)).place(worker())
    wanted = f"{ours}/amtui-{os.getuid()}/0123456789ab"
    assert place.socket == (
        wanted if len(wanted) <= SOCKET_LIMIT else f"/tmp/amtui-{os.getuid()}/0123456789ab"
    )
    for odd in (str(tmp_path / "absent"), "relative", "", "/" + "x" * 200):
        place = await providers(tmp_path, XDG_RUNTIME_DIR=odd).place(worker())
        assert place.socket.startswith("/tmp/amtui-")


async def test_a_placed_worker_needs_no_host(tmp_path: Path) -> None:
    there = worker(
        substrate="ssh:nowhere.invalid", root="/home/u/.agent-machines/workers/0123456789ab", socket="/tmp/s"
    )
    place = await providers(tmp_path, AMTUI_SSH_CONFIG="/dev/null").place(there)
    assert (place.host_id, place.base, place.socket) == (
        "nowhere.invalid",
        "/home/u/.agent-machines",
        "/tmp/s",
    )


async def test_ensuring_a_place_makes_private_directories(tmp_path: Path) -> None:
    folder = tmp_path / "sockets"
    place = await providers(tmp_path).ensure_place(worker(socket=f"{folder}/0123456789ab"))
    assert folder.stat().st_mode & 0o777 == 0o700
    assert Path(place.base).stat().st_mode & 0o777 == 0o700
    for name in ("bin", "cache", "workers"):
        assert (Path(place.base) / name).is_dir()


async def test_a_socket_directory_left_open_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "sockets"
    folder.mkdir(mode=0o755)
    await providers(tmp_path).ensure_place(worker(socket=f"{folder}/0123456789ab"))
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("trap", ["link", "file", "foreign"])
async def test_a_socket_directory_of_somebody_else_is_refused(tmp_path: Path, trap: str) -> None:
    folder = tmp_path / "sockets"
    if trap == "link":
        (tmp_path / "theirs").mkdir()
        folder.symlink_to(tmp_path / "theirs")
    elif trap == "file":
        folder.touch()
    elif os.geteuid() == 0:
        folder.mkdir()
        os.chown(folder, 65534, 65534)
    else:
        folder = Path("/")
    with pytest.raises(Refused):
        await providers(tmp_path).ensure_place(worker(socket=f"{folder}/0123456789ab"))


async def test_a_base_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "machines").touch()
    with pytest.raises(AmtuiError) as caught:
        await providers(tmp_path).ensure_place(
            worker(root=f"{tmp_path}/machines/workers/x", socket=f"{tmp_path}/s/x")
        )
    assert str(tmp_path / "machines") in caught.value.message
