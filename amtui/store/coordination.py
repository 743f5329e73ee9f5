"""What keeps several amtui processes, and a process and its crashed predecessor, out of each other's way."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from amtui.errors import Refused
from amtui.store.database import Database

ONCE_KEPT: Final = 7 * 86_400.0
"""Seconds for which the result of a once-only request is remembered."""


class Intent(Struct, frozen=True):
    """Something that was about to be done outside and whose outcome is not known yet."""

    id: int
    kind: str
    key: str
    """What makes a repeat harmless: a worker id, an idempotency key."""
    payload: dict[str, Any]
    opened_at: float


class Coordination(Database):
    """Intents, once-only requests and leases."""

    def open_intent(self, kind: str, key: str, payload: dict[str, Any]) -> int:
        """Write down what is about to be done, on disk before this returns; its id closes it again."""
        with self.change(durable=True) as db:
            cursor = db.execute(
                "INSERT INTO intents (kind, key, payload, opened_at) VALUES (?, ?, ?, ?)",
                (kind, key, msgspec.json.encode(payload), self.clock()),
            )
            return cursor.lastrowid or 0

    def close_intent(self, intent_id: int, outcome: str) -> None:
        """It is settled: `done`, `failed: …`, `undone`. Closing twice keeps the first outcome."""
        with self.change(durable=True) as db:
            db.execute(
                "UPDATE intents SET closed_at = ?, outcome = ? WHERE id = ? AND closed_at IS NULL",
                (self.clock(), outcome, intent_id),
            )
            db.execute(
                "DELETE FROM intents WHERE closed_at IS NOT NULL AND id <="
                " (SELECT id FROM intents WHERE closed_at IS NOT NULL ORDER BY id DESC LIMIT 1 OFFSET 1000)"
            )

    def open_intents(self) -> list[Intent]:
        """Those not settled, oldest first: what a crash may have left behind."""
        rows = self.query(
            "SELECT id, kind, key, payload, opened_at FROM intents WHERE closed_at IS NULL ORDER BY id"
        )
        return [Intent(row[0], row[1], row[2], msgspec.json.decode(row[3]), row[4]) for row in rows]

    def claim_once(self, key: str) -> Any | None:
        """None when `key` is new: do the work, then `finish_once`. Otherwise the result of the first time.

        Raises `Refused` when the first one has not finished: it runs now, or was interrupted and nobody can
        know how far it came.
        """
        now = self.clock()
        with self.change(durable=True) as db:
            db.execute("DELETE FROM once WHERE at < ?", (now - ONCE_KEPT,))
            row = db.execute("SELECT result FROM once WHERE key = ?", (key,)).fetchone()
            if row is None:
                db.execute("INSERT INTO once (key, at) VALUES (?, ?)", (key, now))
                return None
        if row[0] is None:
            raise Refused(
                "a request with this id was begun and has not finished; whether it took effect is unknown",
                "look at the screen (amtui screen NAME), then repeat it with a new --id if it is missing",
            )
        return msgspec.json.decode(row[0])

    def finish_once(self, key: str, result: Any) -> None:
        """Remember the result (anything that JSON can hold but null) for every later `claim_once`."""
        if result is None:
            raise TypeError("a once-only result is never None")
        with self.change(durable=True) as db:
            db.execute(
                "INSERT INTO once (key, at, result) VALUES (?, ?, ?)"
                " ON CONFLICT (key) DO UPDATE SET result = excluded.result",
                (key, self.clock(), msgspec.json.encode(result)),
            )

    def forget_once(self, key: str) -> None:
        """The work of a claim is known not to have begun (it was refused): the key may be used again."""
        with self.change(durable=True) as db:
            db.execute("DELETE FROM once WHERE key = ? AND result IS NULL", (key,))

    def acquire_lease(self, name: str, holder: str, ttl: float) -> bool:
        """Take or renew the lease for `ttl` seconds; False while another holder's is valid."""
        now = self.clock()
        with self.change() as db:
            cursor = db.execute(
                "INSERT INTO leases (name, holder, expires_at) VALUES (?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at"
                " WHERE leases.holder = excluded.holder OR leases.expires_at <= ?",
                (name, holder, now + ttl, now),
            )
            return cursor.rowcount == 1

    def release_lease(self, name: str, holder: str) -> None:
        """Give it back; one that is not `holder`'s is left alone."""
        with self.change() as db:
            db.execute("DELETE FROM leases WHERE name = ? AND holder = ?", (name, holder))
