"""Files that an agent leaves in its home, where amtui looks for its own."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from operator_world import Operator

from amtui.errors import Invalid
from amtui.providers.base import FileOps, Place
from amtui.providers.exec_files import ExecFiles
from amtui.providers.local import LocalProvider
from amtui.providers.ssh import SshProvider


async def refuses(files: FileOps, host: str, fifo: Path) -> None:
    reading = asyncio.ensure_future(files.read(host, str(fifo)))
    if not (await asyncio.wait({reading}, timeout=10))[0]:
        os.close(os.open(fifo, os.O_RDWR | os.O_NONBLOCK))  # lets go of a reader that waits
        reading.cancel()
        pytest.fail("it waits for somebody to write")
    with pytest.raises(Invalid, match="regular file"):
        await reading


async def test_a_fifo_in_place_of_settings_is_not_waited_for(
    tmp_path: Path, local_provider: LocalProvider, ssh_provider: SshProvider
) -> None:
    """`restart` read ~/.claude.json: with a FIFO there it hung, and Ctrl-C did not end it."""
    fifo = tmp_path / "settings.json"
    os.mkfifo(fifo)
    await refuses(local_provider.files, "local", fifo)
    await refuses(ssh_provider.files, "box", fifo)
    await refuses(ExecFiles(local_provider.exec, provider="local"), "local", fifo)


async def test_a_fifo_among_the_status_files_does_not_blind_the_probe(
    tmp_path: Path, local_provider: LocalProvider
) -> None:
    from amtui.agentstate import parse_probe, probe_argv

    sessions = tmp_path / "home/.claude/sessions"
    sessions.mkdir(parents=True)
    os.mkfifo(sessions / "4242.json")
    place = Place(provider=local_provider, host_id="local", base="/", root=str(tmp_path), socket="/nowhere")
    done = await place.exec(probe_argv(str(tmp_path), "/nowhere", "amconsole", "claude"), timeout=10)
    assert not parse_probe("claude", done.stdout).present


def test_a_place_that_a_full_disk_cut_off_can_be_destroyed(operator: Operator) -> None:
    """The directories are made, worker.json finds no room; `destroy` told people to remove it by hand."""
    operator.do("new", "w", "--on", "local", "--agent", "shell", "--no-attach")
    root = Path(operator.json("show", "w")["root"])
    operator.do("sleep", "w")
    for path in sorted(root.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    for name in ("home", "run", "jobs", "etc"):
        (root / name).mkdir()
    (root / "home/mine").touch()
    assert "worker.json" in operator.refused("destroy", "w", "--yes", code=1)
    assert (root / "home/mine").exists()
    (root / "home/mine").unlink()
    operator.do("destroy", "w", "--yes")
    assert not root.exists()
