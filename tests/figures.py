"""Figures that tests measure, kept for the table of `make prove`, and the knob between its size and CI's.

A test does the same work in both tiers: `size(200, 2_000)` is the smallest honest number under `make test` and the full
one under `make prove`. It hands what it measured to `record` and then asserts on it itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from functools import cache
from pathlib import Path
from typing import TypeVar

Size = TypeVar("Size")

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".prove"
SOURCES = ("amtui", "tests", "uv.lock", "pyproject.toml")
"""What a figure depends on. When any of it changes, a figure is stale and its test is due again."""


def proving() -> bool:
    """Whether this is `make prove`."""
    return os.environ.get("AMTUI_PROVE") == "1"


def size(small: Size, full: Size) -> Size:
    """`full` under `make prove`, else `small`."""
    return full if proving() else small


def record(name: str, target: str, value: str, ok: bool, *, conditions: str = "") -> None:
    """Keep one figure for the table: what was measured, what was promised, what came out, and under which conditions.

    A second figure of the same name replaces the first. Under `make test` nothing is kept.
    """
    if not proving():
        return
    FOLDER.mkdir(exist_ok=True)
    figure = {
        "name": name,
        "target": target,
        "value": value,
        "ok": bool(ok),
        "conditions": conditions,
        "test": os.environ.get("PYTEST_CURRENT_TEST", "").partition(" ")[0],
        "at": round(time.time()),
        "source": source(),
    }
    path = FOLDER / f"{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}.json"
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.write_text(json.dumps(figure, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    fresh.replace(path)


def recorded() -> list[dict[str, object]]:
    """Every figure kept, by test and name."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.json")]
    return sorted((f for f in found if "target" in f), key=lambda f: (f["test"], f["name"]))


@cache
def source() -> str:
    """A digest of everything that figures depend on, as it is now."""
    digest = hashlib.sha256()
    for top in SOURCES:
        start = ROOT / top
        for path in sorted(start.rglob("*")) if start.is_dir() else [start]:
            if path.is_file() and path.suffix != ".pyc":
                digest.update(f"{path.relative_to(ROOT)}\0{path.stat().st_size}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
