"""What the shell offers after tab, through the real entry and a real store."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from amtui.cli import complete
from amtui.config import Paths
from amtui.model import Autonomy, Worker
from amtui.runtimes import RUNTIMES
from amtui.store import Store


def offered(tmp_path: Path, typed: str) -> tuple[list[str], str]:
    """Words that `typed` could go on with, and what was printed besides."""
    env = {
        **os.environ, "AMTUI_STATE_DIR": str(tmp_path / "state"), "AMTUI_CONFIG_DIR": str(tmp_path / "config"),
        "_AMTUI_COMPLETE": "bash_complete", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" ")),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "amtui"], env=env, capture_output=True, text=True, check=False, timeout=60
    )
    return [line.partition(",")[2] for line in done.stdout.split()], done.stderr


@pytest.fixture
def home(tmp_path: Path) -> Path:
    paths = Paths.from_environment(
        {"AMTUI_STATE_DIR": str(tmp_path / "state"), "AMTUI_CONFIG_DIR": str(tmp_path / "config")}
    )
    store = Store.open(paths.database)
    for number, name in enumerate(("ann", "anton", "bob")):
        store.add_worker(
            Worker(
                id=f"{number:032x}", name=name, substrate="local", host_id="local", runtime="shell",
                autonomy=Autonomy.ASK, created_at=time.time(),
            )
        )  # fmt: skip
    store.close()
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("amtui show an", {"ann", "anton"}),
        ("amtui destroy ann b", {"bob"}),
        ("amtui new x --on l", {"local"}),
        ("amtui new x --agent c", {"claude", "codex"}),
        ("amtui new x --autonomy f", {"full"}),
        ("amtui show zed", set()),
    ],
)
def test_names_and_words(home: Path, typed: str, expected: set[str]) -> None:
    words, noise = offered(home, typed)
    assert (set(words), noise) == (expected, "")


def test_a_broken_configuration_offers_nothing_and_says_nothing(home: Path) -> None:
    (home / "config").mkdir(exist_ok=True)
    (home / "config/config.toml").write_text("not = [toml")
    assert offered(home, "amtui show an") == ([], "")


def test_fixed_words_are_the_real_ones() -> None:
    assert set(complete.FIXED["runtime"]) == set(RUNTIMES)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_script_for_each_shell(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "amtui"], env={**os.environ, "_AMTUI_COMPLETE": f"{shell}_source"},
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert "_AMTUI_COMPLETE" in done.stdout
