"""The shape of the database, one function per version; `PRAGMA user_version` counts those that have run.

A migration that was ever released is never edited: add the next one. All that are missing run in one
transaction. Documents (`doc`) are JSON of the structs in `amtui.model`; a column beside them exists only to
be searched by.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Final

APPLICATION_ID: Final = 0x616D7475
"""`amtu`, so that another program's database is not taken for ours."""

Migration = Callable[[sqlite3.Connection], None]


def _first(db: sqlite3.Connection) -> None:
    for statement in (
        f"PRAGMA application_id = {APPLICATION_ID}",
        "CREATE TABLE workers (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, substrate TEXT NOT NULL,"
        " host_id TEXT NOT NULL, created_at REAL NOT NULL, doc BLOB NOT NULL) WITHOUT ROWID",
        "CREATE TABLE hosts (substrate TEXT NOT NULL, id TEXT NOT NULL, state TEXT NOT NULL,"
        " doc BLOB NOT NULL, seen_at REAL NOT NULL, PRIMARY KEY (substrate, id)) WITHOUT ROWID",
        "CREATE TABLE states (worker TEXT PRIMARY KEY, status TEXT NOT NULL, doc BLOB NOT NULL)"
        " WITHOUT ROWID",
        "CREATE TABLE phases (worker TEXT PRIMARY KEY, doc BLOB NOT NULL) WITHOUT ROWID",
        "CREATE TABLE intents (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, key TEXT NOT NULL,"
        " payload BLOB NOT NULL, opened_at REAL NOT NULL, closed_at REAL, outcome TEXT)",
        "CREATE INDEX intents_open ON intents (closed_at) WHERE closed_at IS NULL",
        "CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, worker TEXT NOT NULL,"
        " kind TEXT NOT NULL, text TEXT NOT NULL)",
        "CREATE INDEX events_of_worker ON events (worker, id)",
        "CREATE TABLE once (key TEXT PRIMARY KEY, at REAL NOT NULL, result BLOB) WITHOUT ROWID",
        "CREATE TABLE leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL, expires_at REAL NOT NULL)"
        " WITHOUT ROWID",
        "CREATE TABLE samples (subject TEXT NOT NULL, at REAL NOT NULL, doc BLOB NOT NULL,"
        " PRIMARY KEY (subject, at)) WITHOUT ROWID",
    ):
        db.execute(statement)


MIGRATIONS: list[Migration] = [_first]

LATEST: Final = len(MIGRATIONS)
"""The version this amtui reads and writes."""
