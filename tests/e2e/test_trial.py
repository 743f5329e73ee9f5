"""`amtui` where there is no terminal: the whole main job on this computer, for real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An operator who has never used amtui."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return {**kept, "HOME": str(home)}


def amtui(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "amtui", *words], env=environment, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, check=False, timeout=110,
    )  # fmt: skip


def processes_of(home: Path) -> list[str]:
    """Command lines of processes that mention a directory or live under it."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        except OSError:
            continue
        if str(home).encode() in words and int(folder.name) != os.getpid():
            found.append(words.replace(b"\0", b" ").decode(errors="replace")[:200])
    return found


def test_the_whole_main_job(environment: dict[str, str]) -> None:
    done = amtui(environment)
    assert done.returncode == 0, done.stdout + done.stderr
    steps = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("✓")]
    assert steps == ["deploy", "bootstrap", "attach", "type", "read", "destroy"]
    home = Path(environment["HOME"])
    assert processes_of(home) == []
    assert list(home.rglob("workers/*")) == []
    known = amtui(environment, "ls", "--json")
    assert json.loads(known.stdout)["workers"] == []
    assert amtui(environment, "destroy", steps[0], "--yes").returncode == 3  # never heard of it


def test_the_same_for_programs(environment: dict[str, str]) -> None:
    done = amtui(environment, "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["ok"]) == (0, True)
    assert all(step["ok"] for step in document["steps"])
