"""The floors of the house: contracts of import-linter, and what really gets loaded."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


def lint(where: Path) -> subprocess.CompletedProcess[str]:
    """`lint-imports` in a tree, without its cache."""
    program = Path(sys.executable).with_name("lint-imports")
    env = {**os.environ, "PYTHONPATH": str(where), "COLUMNS": "200"}
    return subprocess.run(
        [program, "--no-cache"], cwd=where, env=env, capture_output=True, text=True, check=False, timeout=110
    )


def test_contracts_hold() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
    assert "0 broken" in done.stdout


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("amtui/store/__init__.py", "import amtui.fleet"),
        ("amtui/fleet/__init__.py", "import textual"),
        ("amtui/cli/__init__.py", "import amtui.widgets"),
        ("amtui/screens/__init__.py", "import amtui.store"),
        ("amtui/emulator/__init__.py", "import msgspec"),
        ("amtui/providers/__init__.py", "import amtui.upstreams"),
    ],
)
def test_a_wrong_import_is_caught(tmp_path: Path, module: str, line: str) -> None:
    shutil.copytree(ROOT / "amtui", tmp_path / "amtui", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    path = tmp_path / module
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")
    done = lint(tmp_path)
    assert done.returncode == 1, done.stdout[-3_000:]
    assert "BROKEN" in done.stdout


def loaded_after(code: str) -> set[str]:
    """Top-level names of the modules that a fresh interpreter holds after `code`."""
    program = f"import sys\n{code}\nprint(*sorted(sys.modules), sep='\\n', file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60, cwd=ROOT
    )
    return set(done.stderr.split())


CORE_PACKAGES = (
    "config", "store", "emulator", "providers", "upstreams", "console", "runtimes", "loadout", "logs",
    "agentstate", "notify", "bootstrap", "fleet", "ops", "ops.registry", "ops.context", "cli", "mcp",
)  # fmt: skip


@pytest.mark.parametrize("package", CORE_PACKAGES)
def test_core_loads_no_screens_and_nothing_heavy(package: str) -> None:
    loaded = loaded_after(f"import amtui.{package}")
    heavy = {"textual", "rich", "asyncssh", "httpx", "e2b", "keyring"} & {m.partition(".")[0] for m in loaded}
    assert not heavy


@pytest.mark.parametrize(
    "words", [["--version"], ["--help"], ["-h"], ["upstream", "--help"], [], ["no-such-verb"]], ids=" ".join
)
def test_help_and_version_load_nothing_heavy(words: list[str]) -> None:
    """The hard gate of the start-up budget."""
    call = f"from amtui.cli.main import run\nsys.argv = ['amtui']\nrun({words or ['--version', '--json']!r})"
    tops = {m.partition(".")[0] for m in loaded_after(call) if not m.startswith("amtui:")}
    forbidden = {"textual", "rich", "httpx", "asyncssh", "pyte", "e2b", "keyring", "tomlkit", "sqlite3"}
    if words != ["no-such-verb"]:  # an error line is made safe for the terminal by the model
        forbidden |= {"msgspec", "asyncio", "ssl"}
    assert not forbidden & tops
