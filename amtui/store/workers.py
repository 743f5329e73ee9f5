"""Workers, hosts, agent states and bootstrap phases."""

from __future__ import annotations

import difflib
import sqlite3
from typing import Any, Final

import msgspec

from amtui.errors import NameTaken, UnknownName, UsageError
from amtui.model import (
    NAME_RULE,
    UNKNOWN_STATE,
    AgentState,
    Host,
    HostState,
    Phase,
    Worker,
    WorkerRow,
    plain,
)
from amtui.store.database import Database

_encode: Final = msgspec.json.Encoder().encode
_worker: Final = msgspec.json.Decoder(Worker).decode
_host: Final = msgspec.json.Decoder(Host).decode
_state: Final = msgspec.json.Decoder(AgentState).decode
_phases: Final = msgspec.json.Decoder(tuple[Phase, ...]).decode

_FIXED: Final = frozenset({"id", "created_at"})


class Workers(Database):
    """What the fleet consists of, as last known."""

    def add_worker(self, worker: Worker) -> None:
        """Remember a worker before anything of it exists, so that a crash right after still shows it.

        On disk when this returns. Raises `NameTaken`, and `UsageError` for a name outside `NAME_RULE`.
        """
        _check_name(worker.name)
        with self.change(durable=True) as db:
            try:
                db.execute(
                    "INSERT INTO workers (id, name, substrate, host_id, created_at, doc)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (*_columns(worker), _encode(worker)),
                )
            except sqlite3.IntegrityError as error:
                if db.execute("SELECT 1 FROM workers WHERE name = ?", (worker.name,)).fetchone():
                    raise _taken(worker.name) from error
                raise

    def worker(self, name: str) -> Worker:
        """The worker of that name. Raises `UnknownName`, with the nearest names as hint."""
        rows = self.query("SELECT doc FROM workers WHERE name = ?", (name,))
        if rows:
            return _worker(rows[0][0])
        names = [row[0] for row in self.query("SELECT name FROM workers ORDER BY name")]
        shown = plain(name)[:60].replace("\n", " ")
        raise UnknownName(f'no worker is called "{shown}"', _nearest(name, names))

    def worker_by_id(self, worker_id: str) -> Worker:
        """The worker of that id, whole or its first 12 digits. Raises `UnknownName`."""
        column = "id = ?" if len(worker_id) != 12 else "substr(id, 1, 12) = ?"
        rows = self.query(f"SELECT doc FROM workers WHERE {column}", (worker_id,))
        if not rows:
            raise UnknownName("that worker is no longer known", "see which there are: amtui ls")
        return _worker(rows[0][0])

    def workers(self) -> list[Worker]:
        """All of them by name."""
        return [_worker(row[0]) for row in self.query("SELECT doc FROM workers ORDER BY name")]

    def update_worker(self, worker_id: str, **changes: Any) -> Worker:
        """Change fields of a worker and return the new one.

        Raises `UnknownName`, `NameTaken`, and `UsageError` for a name outside `NAME_RULE`.
        """
        if _FIXED & changes.keys():
            raise TypeError("id and created_at of a worker never change")
        if "name" in changes:
            _check_name(changes["name"])
        with self.change(durable=True) as db:
            row = db.execute("SELECT doc FROM workers WHERE id = ?", (worker_id,)).fetchone()
            if row is None:
                raise UnknownName("that worker is no longer known", "see which there are: amtui ls")
            # Through the decoder once more, so that a wrong type fails here and not at the next reader.
            doc = _encode(msgspec.structs.replace(_worker(row[0]), **changes))
            changed = _worker(doc)
            try:
                db.execute(
                    "UPDATE workers SET name = ?, substrate = ?, host_id = ?, doc = ? WHERE id = ?",
                    (changed.name, changed.substrate, changed.host_id, doc, worker_id),
                )
            except sqlite3.IntegrityError as error:
                raise _taken(changed.name) from error
        return changed

    def remove_worker(self, worker_id: str) -> None:
        """Forget a worker, its state, phases and samples; its events stay. Not there is success."""
        with self.change(durable=True) as db:
            db.execute("DELETE FROM workers WHERE id = ?", (worker_id,))
            db.execute("DELETE FROM states WHERE worker = ?", (worker_id,))
            db.execute("DELETE FROM phases WHERE worker = ?", (worker_id,))
            db.execute("DELETE FROM samples WHERE subject = ?", (worker_id,))

    def put_host(self, host: Host) -> None:
        """Remember what the substrate said of a host."""
        with self.change() as db:
            db.execute(
                "INSERT INTO hosts (substrate, id, state, doc, seen_at)"
                " VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (substrate, id) DO UPDATE SET"
                " state = excluded.state, doc = excluded.doc, seen_at = excluded.seen_at",
                (host.substrate, host.id, host.state.value, _encode(host), self.clock()),
            )

    def host(self, substrate: str, host_id: str | None = None) -> Host | None:
        """The host of a substrate; where it has several, the one with `host_id`, or the one seen last."""
        rows = self.query(
            "SELECT doc FROM hosts WHERE substrate = ? AND id = coalesce(?, id)"
            " ORDER BY seen_at DESC LIMIT 1",
            (substrate, host_id),
        )
        return _host(rows[0][0]) if rows else None

    def hosts(self) -> list[Host]:
        """All of them by substrate and id."""
        return [_host(row[0]) for row in self.query("SELECT doc FROM hosts ORDER BY substrate, id")]

    def remove_host(self, substrate: str, host_id: str | None = None) -> None:
        """Forget the host with `host_id`, or all of that substrate."""
        with self.change() as db:
            db.execute("DELETE FROM hosts WHERE substrate = ? AND id = coalesce(?, id)", (substrate, host_id))

    def put_state(self, worker_id: str, state: AgentState) -> None:
        """Remember what an agent does; of a worker that is gone, nothing."""
        with self.change() as db:
            db.execute(
                "INSERT INTO states (worker, status, doc) SELECT ?, ?, ? WHERE EXISTS"
                " (SELECT 1 FROM workers WHERE id = ?)"
                " ON CONFLICT (worker) DO UPDATE SET status = excluded.status, doc = excluded.doc",
                (worker_id, state.status.value, _encode(state), worker_id),
            )

    def states(self) -> dict[str, AgentState]:
        """Last known agent states by worker id."""
        return {row[0]: _state(row[1]) for row in self.query("SELECT worker, doc FROM states")}

    def put_phase(self, worker_id: str, phase: Phase) -> None:
        """Add a phase at the end, or replace the one of the same id where it stands."""
        with self.change() as db:
            row = db.execute("SELECT doc FROM phases WHERE worker = ?", (worker_id,)).fetchone()
            phases = list(_phases(row[0])) if row else []
            place = next((i for i, each in enumerate(phases) if each.id == phase.id), len(phases))
            phases[place : place + 1] = [phase]
            db.execute(
                "INSERT INTO phases (worker, doc) SELECT ?, ?"
                " WHERE EXISTS (SELECT 1 FROM workers WHERE id = ?)"
                " ON CONFLICT (worker) DO UPDATE SET doc = excluded.doc",
                (worker_id, _encode(phases), worker_id),
            )

    def phases(self, worker_id: str) -> tuple[Phase, ...]:
        """The phases of a worker's bootstrap in their order."""
        rows = self.query("SELECT doc FROM phases WHERE worker = ?", (worker_id,))
        return _phases(rows[0][0]) if rows else ()

    def clear_phases(self, worker_id: str) -> None:
        """Forget them, before another bootstrap is planned."""
        with self.change() as db:
            db.execute("DELETE FROM phases WHERE worker = ?", (worker_id,))

    def rows(self) -> list[WorkerRow]:
        """Everything a list shows, by name, in one consistent reading: what the first paint is made of."""
        found = self.query(
            "SELECT w.doc, h.doc, h.seen_at, s.doc, p.doc FROM workers w"
            " LEFT JOIN hosts h ON h.substrate = w.substrate AND h.id = w.host_id"
            " LEFT JOIN states s ON s.worker = w.id LEFT JOIN phases p ON p.worker = w.id ORDER BY w.name"
        )
        hosts: dict[bytes, Host] = {}
        rows = []
        for worker_doc, host_doc, seen_at, state_doc, phases_doc in found:
            worker = _worker(worker_doc)
            if host_doc is None:
                host = Host(id=worker.host_id, substrate=worker.substrate, state=HostState.UNKNOWN)
            elif (known := hosts.get(host_doc)) is not None:
                host = known
            else:
                host = hosts[host_doc] = _host(host_doc)
            rows.append(
                WorkerRow(
                    worker=worker,
                    host=host,
                    agent=_state(state_doc) if state_doc else UNKNOWN_STATE,
                    phases=_phases(phases_doc) if phases_doc else (),
                    refreshed_at=seen_at or 0.0,
                )
            )
        return rows


def _columns(worker: Worker) -> tuple[str, str, str, str, float]:
    return worker.id, worker.name, worker.substrate, worker.host_id, worker.created_at


def _check_name(name: str) -> None:
    if not NAME_RULE.match(name):
        shown = plain(name).replace("\n", " ")
        shown = shown if len(shown) <= 40 else shown[:39] + "…"
        raise UsageError(
            f'"{shown}" is no name for a worker',
            "use lower case letters, digits and dashes, at most 40, as in web-1",
        )


def _taken(name: str) -> NameTaken:
    return NameTaken(
        f"a worker called {name} exists already", f"choose another name, or look at it: amtui show {name}"
    )


def _nearest(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name.casefold(), names, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(close)}?"
    if 0 < len(names) <= 6:
        return f"there are: {', '.join(names)}"
    return "see which there are: amtui ls" if names else "there are no workers yet: amtui new NAME --on local"
