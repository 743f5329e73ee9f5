"""The connection: opening, migrating, transactions, and each SQLite failure as a `StoreError` with a hint."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from amtui.errors import StoreError
from amtui.store import migrations

Self = TypeVar("Self", bound="Database")

BUSY_TIMEOUT: Final = 5.0
"""Seconds to wait for another process to finish its transaction; ours take milliseconds."""


class Database:
    """One connection, usable from any thread of this process; each call is a transaction of its own."""

    def __init__(self, path: Path, clock: Callable[[], float], busy_timeout: float) -> None:
        self.path = path
        self.clock = clock
        self.read_only = False
        """True when the file or its directory cannot be written; every change then raises `StoreError`."""
        self._busy_timeout = busy_timeout
        self._lock = threading.RLock()
        self._db: sqlite3.Connection | None = None

    @classmethod
    def open(
        cls: type[Self],
        path: Path | str,
        *,
        clock: Callable[[], float] = time.time,
        busy_timeout: float = BUSY_TIMEOUT,
    ) -> Self:
        """Open, create or migrate the database at `path`; its directory is made with mode 0700.

        A file or directory that cannot be written gives a store that can be read. Raises `StoreError` when
        it is locked, damaged, not ours, or of a newer amtui. `clock` gives Unix seconds.
        """
        store = cls(Path(path), clock, busy_timeout)
        with store.guarded():
            store._connect()
        return store

    def close(self) -> None:
        """Close the connection; a second time is harmless."""
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    def revision(self) -> int:
        """A number that differs after any process, this one included, has changed something."""
        db = self._open()
        with self._lock, self.guarded():
            others = int(db.execute("PRAGMA data_version").fetchone()[0])
            return (others << 40) + db.total_changes

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """Rows of one SELECT."""
        db = self._open()
        with self._lock, self.guarded():
            return db.execute(sql, values).fetchall()

    @contextlib.contextmanager
    def change(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """One write transaction, rolled back on any exception.

        `durable` waits for the disk, so that what is promised survives a power cut as well as a crash of
        amtui.
        """
        db = self._open()
        with self._lock, self.guarded():
            if durable:
                db.execute("PRAGMA synchronous = FULL")
            try:
                db.execute("BEGIN IMMEDIATE")
                try:
                    yield db
                    db.execute("COMMIT")
                except BaseException:
                    if db.in_transaction:
                        db.execute("ROLLBACK")
                    raise
            finally:
                if durable:
                    db.execute("PRAGMA synchronous = NORMAL")

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Turn SQLite's errors, by code, into `StoreError`."""
        try:
            yield
        except sqlite3.Error as error:
            raise self._explain(error) from error

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            raise StoreError(
                f"the store {self.path} is closed", "this is a defect of amtui; please report it"
            )
        return self._db

    def _connect(self) -> None:
        directory = self.path.parent
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise StoreError(
                f"{directory} is not a directory",
                "move that file away, or set AMTUI_STATE_DIR to another place",
            ) from None
        except OSError:
            pass  # what can be read without it is read
        if self.path.is_dir():
            raise StoreError(f"{self.path} is a directory", "move it away; amtui keeps its database there")
        exists = self.path.exists()
        writable = os.access(directory, os.W_OK | os.X_OK) and (not exists or os.access(self.path, os.W_OK))
        if writable:
            with contextlib.suppress(OSError):
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._db = self._attach(f"{self.path.absolute().as_uri()}?mode=rw")
            try:
                self._prepare(self._db)
            except BaseException:
                self.close()
                raise
            return
        self.read_only = True
        self._connect_read_only(exists)

    def _connect_read_only(self, exists: bool) -> None:
        if exists and not os.access(self.path, os.R_OK):
            raise StoreError(f"the store {self.path} cannot be read", self.writable_hint())
        if not exists:
            self._db = self._attach("file::memory:")
            self._migrate(self._db)
        else:
            uri = self.path.absolute().as_uri()
            self._db = self._attach(f"{uri}?mode=ro")
            try:
                self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            except sqlite3.OperationalError:
                # A WAL database needs a -shm file beside it, which cannot be made here; nobody else can write
                # here either, so the file may be read as it is.
                self._db.close()
                self._db = self._attach(f"{uri}?mode=ro&immutable=1")
            if self._version(self._db) < migrations.LATEST:
                raise StoreError(
                    f"the store {self.path} must be upgraded but cannot be written", self.writable_hint()
                )
        self._db.execute("PRAGMA query_only = ON")

    def _attach(self, uri: str) -> sqlite3.Connection:
        db = sqlite3.connect(
            uri, uri=True, timeout=self._busy_timeout, isolation_level=None, check_same_thread=False
        )
        db.execute("PRAGMA trusted_schema = OFF")
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        deadline = time.monotonic() + self._busy_timeout
        while True:
            try:
                self._version(db)
                db.execute("PRAGMA journal_mode = WAL")
                break
            except sqlite3.OperationalError as error:
                # SQLite does not wait by itself when two processes switch to WAL at the same time.
                if _code(error) not in _BUSY or time.monotonic() >= deadline:
                    raise
                time.sleep(0.02)
        db.execute("PRAGMA synchronous = NORMAL")
        self._migrate(db)

    def _version(self, db: sqlite3.Connection) -> int:
        if db.in_transaction:
            return self._look(db)
        db.execute("BEGIN")  # one snapshot: another process may be making the tables between two questions
        try:
            return self._look(db)
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")

    def _look(self, db: sqlite3.Connection) -> int:
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        if version > migrations.LATEST:
            raise StoreError(
                f"the store {self.path} was written by a newer amtui "
                f"(version {version}; this one knows {migrations.LATEST})",
                "upgrade amtui, or set AMTUI_STATE_DIR to keep another store",
            )
        application = int(db.execute("PRAGMA application_id").fetchone()[0])
        if application != migrations.APPLICATION_ID:
            tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if tables or version:
                raise StoreError(
                    f"{self.path} is another program's database",
                    f"move it away: mv {self.path} {self.path}.other",
                )
        return version

    def _migrate(self, db: sqlite3.Connection) -> None:
        if self._version(db) == migrations.LATEST:
            return
        db.execute("BEGIN IMMEDIATE")
        try:
            version = self._version(db)  # another process may have been first
            for migration in migrations.MIGRATIONS[version:]:
                migration(db)
            db.execute(f"PRAGMA user_version = {migrations.LATEST}")
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def writable_hint(self) -> str:
        """How a store that cannot be written becomes writable."""
        return (
            f"make {self.path.parent} and its files writable for you, or set AMTUI_STATE_DIR to another place"
        )

    def _explain(self, error: sqlite3.Error) -> StoreError:
        code = _code(error)
        if code in _BUSY:
            return StoreError(
                f"the store {self.path} is locked by another program",
                "close the program that holds it (another amtui that hangs, a sqlite shell) and try again; "
                "nothing was changed",
            )
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return StoreError(
                f"the store {self.path} is damaged",
                f"move it away: mv {self.path} {self.path}.damaged  (workers keep running; "
                "their files are on their hosts)",
            )
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
            return StoreError(f"this store is read-only: {self.path}", self.writable_hint())
        if code == sqlite3.SQLITE_FULL:
            return StoreError(f"no space left for the store {self.path}", "free space and try again")
        if code == sqlite3.SQLITE_CANTOPEN:
            return StoreError(f"the store {self.path} cannot be opened", self.writable_hint())
        return StoreError(f"the store {self.path} failed: {error}", "run: amtui doctor")


_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
