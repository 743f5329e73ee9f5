"""The store when several amtui begin at the same time."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from amtui.errors import StoreError
from amtui.store import Store


def test_a_store_that_another_amtui_makes_right_now_is_not_another_programs(tmp_path: Path) -> None:
    """Seen with two `new` at once: no application id yet, then tables."""
    path = tmp_path / "amtui.db"
    path.touch()
    ours = sqlite3.connect(path, isolation_level=None)
    made: list[bool] = []

    def meanwhile(statement: str) -> None:
        if "sqlite_master" in statement and not made:
            made.append(True)
            with contextlib.suppress(StoreError):  # it may have to wait for us
                Store.open(path, busy_timeout=0.1).close()

    ours.set_trace_callback(meanwhile)
    store = Store.open(tmp_path / "another.db")
    try:
        assert store._version(ours) == 0
        assert made
    finally:
        ours.close()
        store.close()
