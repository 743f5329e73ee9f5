"""What happened: events and metric samples. Bounded, and never screens, input or secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from amtui.model import Event, Untrusted
from amtui.store.database import Database

MAX_EVENTS: Final = 10_000
"""Events kept per worker; the oldest go first."""

MAX_ROWS: Final = 1 << 62
"""More rows than this are as good as all: SQLite counts no further."""

MAX_SAMPLES: Final = 2_000
"""Samples kept per subject."""

_MAX_TEXT: Final = 4_000

_encode: Final = msgspec.json.Encoder().encode
_values: Final = msgspec.json.Decoder(dict[str, float]).decode


class Sample(Struct, frozen=True):
    """One reading: Unix time in seconds, and numbers by name in the units of `providers.base.Metrics`."""

    at: float
    values: dict[str, float]


class Journal(Database):
    """Events and samples."""

    def record(self, worker_id: str, kind: str, text: str) -> Event:
        """Append an event; `worker_id` is empty for amtui. Escapes and controls are taken out of `text`."""
        at = self.clock()
        text = Untrusted(text, "event").for_terminal()[:_MAX_TEXT]
        with self.change() as db:
            cursor = db.execute(
                "INSERT INTO events (at, worker, kind, text) VALUES (?, ?, ?, ?)", (at, worker_id, kind, text)
            )
            number = cursor.lastrowid or 0
            db.execute(
                "DELETE FROM events WHERE worker = ? AND id <="
                " (SELECT id FROM events WHERE worker = ? ORDER BY id DESC LIMIT 1 OFFSET ?)",
                (worker_id, worker_id, MAX_EVENTS),
            )
        return Event(id=number, at=at, worker=worker_id, kind=kind, text=text)

    def events(self, after: int | None = None, worker: str | None = None, limit: int = 500) -> list[Event]:
        """Events in the order they happened, of one worker id or of all.

        With `after`, the first `limit` that follow that event id; without it, the last `limit`. A follower
        starts without and goes on with the id of the last one it has.
        """
        where, order = ("id > ?", "ASC") if after is not None else ("id > coalesce(?, 0)", "DESC")
        values: list[object] = [after]
        if worker is not None:
            where += " AND worker = ?"
            values.append(worker)
        rows = self.query(
            f"SELECT id, at, worker, kind, text FROM events WHERE {where} ORDER BY id {order} LIMIT ?",
            (*values, min(limit, MAX_ROWS)),
        )
        found = [Event(id=row[0], at=row[1], worker=row[2], kind=row[3], text=row[4]) for row in rows]
        return found if after is not None else found[::-1]

    def put_sample(
        self, subject: str, values: Mapping[str, float | None], *, at: float | None = None
    ) -> None:
        """Keep one reading of a worker id or `host:SUBSTRATE`; what is None was not said."""
        doc = _encode({name: value for name, value in values.items() if value is not None})
        with self.change() as db:
            db.execute(
                "INSERT OR REPLACE INTO samples (subject, at, doc) VALUES (?, ?, ?)",
                (subject, self.clock() if at is None else at, doc),
            )
            db.execute(
                "DELETE FROM samples WHERE subject = ? AND at <="
                " (SELECT at FROM samples WHERE subject = ? ORDER BY at DESC LIMIT 1 OFFSET ?)",
                (subject, subject, MAX_SAMPLES),
            )

    def samples(self, subject: str, *, since: float = 0.0, limit: int = 500) -> list[Sample]:
        """The last `limit` readings not older than `since` (Unix seconds), oldest first."""
        rows = self.query(
            "SELECT at, doc FROM samples WHERE subject = ? AND at >= ? ORDER BY at DESC LIMIT ?",
            (subject, since, limit),
        )
        return [Sample(at, _values(doc)) for at, doc in reversed(rows)]

    def was_destroyed(self, name: str) -> bool:
        """True when a worker of that name existed and was destroyed."""
        found = self.query("SELECT 1 FROM events WHERE kind = 'destroyed' AND text = ? LIMIT 1", (name,))
        return bool(found)
