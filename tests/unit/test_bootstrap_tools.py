"""tmux on the host: which versions do, and the one line where there is none and none can be brought."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from amtui.bootstrap.tools import tmux_step
from amtui.providers.base import Place
from amtui.providers.local import LocalProvider

PROGRAMS = ("sh", "cat", "id", "ls", "rm", "mkdir", "mv", "find", "head", "dirname", "chmod", "printf")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "base" / "bin").mkdir(parents=True)
    return Place(LocalProvider(tmp_path), "local", f"{tmp_path}/base", f"{tmp_path}/base/workers/x", "/s")


def run(script: str, tmp_path: Path, shell: str, tmux: str = "") -> subprocess.CompletedProcess[str]:
    """Run `script` on a host that has a few programs and, if `tmux` says one, a tmux of that version."""
    folder = tmp_path / "path"
    folder.mkdir(exist_ok=True)
    for name in PROGRAMS:
        if not (folder / name).exists():
            os.symlink(str(shutil.which(name)), folder / name)
    if tmux:
        (folder / "tmux").write_text(f"#!/bin/sh\necho {tmux}\n")
        (folder / "tmux").chmod(0o755)
    found = str(shutil.which(shell))
    argv = [found, *(["sh"] if shell == "busybox" else []), "-c", script]
    return subprocess.run(
        argv, env={"PATH": str(folder), "HOME": str(tmp_path)}, capture_output=True, text=True
    )


@pytest.mark.parametrize("shell", ["dash", "busybox"])
@pytest.mark.parametrize(
    ("version", "fits"),
    [
        ("tmux 3.3a", True),
        ("tmux 3.1", True),
        ("tmux 3.1c", True),
        ("tmux next-3.6", True),
        ("tmux 10.0", True),
        ("tmux master", True),
        ("tmux 3.0a", False),
        ("tmux 2.9a", False),
        ("tmux 1.8", False),
        ("nonsense", False),
        ("", False),
    ],
)
def test_versions(place: Place, tmp_path: Path, shell: str, version: str, fits: bool) -> None:
    step = tmux_step(place)
    assert (run(step.check, tmp_path, shell, version).returncode == 0) is fits
    assert (run(step.apply, tmp_path, shell, version).returncode == 0) is fits


@pytest.mark.parametrize("version", ["", "tmux 2.9"])
def test_no_tmux_and_no_way_to_bring_it_is_one_line_that_names_the_package(
    place: Place, tmp_path: Path, version: str
) -> None:
    done = run(tmux_step(place).apply, tmp_path, "dash", version)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "install the package tmux" in done.stderr
    assert ("2.9" in done.stdout) is bool(version)
    assert not list(Path(place.base).rglob("*.new*"))
