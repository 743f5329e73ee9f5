"""The fleet as front ends see it: rows from the store at once, refreshed by one process at a time.

Reading never waits for a host. One amtui process holds the `refresh` lease and asks the hosts; the others see its
findings through the store. Watching never wakes a host: a probe is sent only where the host is known to be awake.
What nobody has seen for a while is shown as unknown, with what was known last.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from amtui.errors import AmtuiError, ExecTimeout, StoreError
from amtui.fleet.look import look, one
from amtui.model import AgentState, AgentStatus, Host, HostState, Worker, WorkerRow

if TYPE_CHECKING:
    from amtui.fleet.estate import Estate

Listener: TypeAlias = Callable[[tuple[WorkerRow, ...]], None]
_Key: TypeAlias = tuple[str, str]
"""Substrate and host id."""

AT_ONCE: Final = 8
"""Hosts asked at the same time."""
STALE: Final = 30.0
"""Seconds after which what an agent was last seen doing is no longer shown as what it does."""
KEPT: Final = 10.0
"""Seconds between two notes that a state which did not change was seen again."""

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Times of the refresh loop in seconds."""

    tick: float = 0.2
    """Between two looks at the store for changes made here or elsewhere."""
    period: float = 2.0
    """Between two questions to a host that answers and costs nothing to ask, and two tries to become the asker."""
    longest: float = 30.0
    """Between two questions to a host that does not answer: the pause doubles up to this."""
    lease: float = 10.0
    """For which one process asks on behalf of all; renewed every period."""


@dataclass(slots=True)
class _Turn:
    """When a host is asked next, and how often in a row it has not been ready."""

    due: float = 0.0
    misses: int = 0


class Fleet:
    """Rows of all workers, a subscription to their changes, and the loop that keeps them fresh."""

    def __init__(self, estate: Estate, rhythm: Rhythm = Rhythm()) -> None:
        self._estate = estate
        self._rhythm = rhythm
        self._listeners: set[Listener] = set()
        self._known: tuple[WorkerRow, ...] = ()
        """As the store has them."""
        self._made_of: tuple[WorkerRow, ...] | None = None
        """The `_known` that `_rows` were made of."""
        self._stale: frozenset[str] = frozenset()
        self._rows: tuple[WorkerRow, ...] = ()
        """As they are shown."""
        self._seen = -1
        self._loop: asyncio.Task[None] | None = None
        self._asking: dict[_Key, asyncio.Task[None]] = {}
        self._turns: dict[_Key, _Turn] = {}
        self._wanted = False
        self._leads = False
        self._lease_due = 0.0
        self._holder = f"{os.getpid()}-{random.getrandbits(32):08x}"
        self._limit = asyncio.Semaphore(AT_ONCE)

    # Rows

    @property
    def revision(self) -> int:
        """Changes whenever `rows` may have changed by what somebody wrote; rows also age without it."""
        return self._estate.store.revision()

    def rows(self) -> tuple[WorkerRow, ...]:
        """Every worker as last known, by name; what is older than `STALE` is shown as unknown. Raises `StoreError`."""
        self._read()
        now = self._estate.clock()
        stale = frozenset(row.worker.id for row in self._known if is_stale(row, now))
        if self._known is not self._made_of or stale != self._stale:  # others read the store too, in between
            self._made_of, self._stale = self._known, stale
            self._rows = tuple(aged(row) if row.worker.id in stale else row for row in self._known)
        return self._rows

    def row(self, worker: Worker) -> WorkerRow:
        """One worker as last known."""
        for row in self.rows():
            if row.worker.id == worker.id:
                return row
        host = Host(id=worker.host_id, substrate=worker.substrate, state=HostState.UNKNOWN)
        return WorkerRow(worker=worker, host=host)

    def _read(self) -> None:
        """Read the store again if anybody wrote."""
        revision = self._estate.store.revision()
        if revision != self._seen:
            self._known, self._seen = tuple(self._estate.store.rows()), revision

    # Being told

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` on the event loop with the rows that changed, at most five times a second.

        A removed worker is told by a call without its row. That a row was merely seen again is no change.
        """
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    def _tell(self, shown: tuple[WorkerRow, ...]) -> tuple[WorkerRow, ...]:
        rows = self.rows()
        if rows is shown:
            return rows
        before = {row.worker.id: row for row in shown}
        changed = tuple(row for row in rows if not _alike(before.get(row.worker.id), row))
        if changed or before.keys() - {row.worker.id for row in rows}:
            for listener in tuple(self._listeners):
                try:
                    listener(changed)
                except Exception:  # one broken view must not blind the others
                    _log.exception("a listener of the fleet failed")
        return rows

    # Asking

    def refresh_now(self) -> None:
        """Ask the hosts soon, out of turn, whoever holds the lease."""
        self._wanted = True

    async def refresh(self, worker: Worker | None = None) -> dict[str, AgentState]:
        """Ask about one worker, or all, now: states by worker id of those whose hosts answered.

        Hosts that do not answer keep their last known rows, which age. Raises `StoreError`.
        """
        workers = [worker] if worker else self._estate.store.workers()
        asked = await asyncio.gather(
            *(self._ask(each) for each in by_host(workers).values()), return_exceptions=True
        )
        found: dict[str, AgentState] = {}
        for answer in asked:
            if isinstance(answer, BaseException):
                raise answer
            found |= answer[1]
        return found

    async def explain(self, worker: Worker) -> tuple[AgentState, list[tuple[str, str, str]]]:
        """The state, and every rule tried: (rule, source, result). Raises what the host answers."""
        from amtui import agentstate

        try:
            seen = await one(self._estate, worker)
        except ExecTimeout as error:
            raise ExecTimeout(
                f"{worker.substrate} does not answer: {error.message}",
                f"see whether it is up: amtui doctor {worker.substrate}",
            ) from None
        now = self._estate.clock()
        return agentstate.judge(seen, now), agentstate.explain(seen, now)

    async def _ask(self, workers: list[Worker]) -> tuple[Host, dict[str, AgentState]]:
        """Ask one host, write down what is new, return what it said."""
        store, first = self._estate.store, workers[0]
        async with self._limit:
            host = await self._state(first)
            now, known = self._estate.clock(), store.host(first.substrate, first.host_id)
            host = _same_since(known, host, now)
            if not store.read_only and (host != known or now - self._noted(first) >= KEPT):
                store.put_host(host)
            if host.state is not HostState.READY:
                return host, {}
            before = self._states(workers)
            seen = await look(self._estate, workers, before)
            if not store.read_only:
                self._keep(workers, seen)
            return host, seen

    async def _state(self, worker: Worker) -> Host:
        """What the substrate says of a worker's host; that it says nothing is one of the answers."""
        try:
            return await self._estate.providers.get(worker.substrate).state(worker.host_id)
        except AmtuiError as error:
            detail = error.message
        except Exception as error:  # a defect of one adapter must not blind the fleet
            _log.exception("asking %s failed", worker.substrate)
            detail = f"amtui failed to ask: {type(error).__name__}"
        return Host(id=worker.host_id, substrate=worker.substrate, state=HostState.UNKNOWN, detail=detail)

    def _noted(self, worker: Worker) -> float:
        """When a worker's host was last written down."""
        self._read()
        return max((row.refreshed_at for row in self._known if row.worker.id == worker.id), default=0.0)

    def _states(self, workers: Iterable[Worker]) -> dict[str, AgentState]:
        wanted = {worker.id for worker in workers}
        self._read()
        return {row.worker.id: row.agent for row in self._known if row.worker.id in wanted}

    def _keep(self, workers: list[Worker], seen: dict[str, AgentState]) -> None:
        # Read again: another process may have noted the same change while we looked.
        before = self._states(workers)
        for worker_id, state in seen.items():
            old = before.get(worker_id)
            if old is None:  # it was destroyed while we looked
                continue
            if _told(old) != _told(state) or state.seen_at - old.seen_at >= KEPT:
                self._estate.store.put_state(worker_id, state)
            if old.seen_at and old.status is not state.status:
                self._estate.store.record(
                    worker_id, state.status.value, f"{state.reason} {state.text}".strip()
                )

    # The loop

    async def start(self) -> None:
        """Start the loop; starting twice is harmless."""
        if self._loop is None:
            self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End the loop and every question in flight, and hand the lease over."""
        if self._loop is None:
            return
        self._loop.cancel()
        await asyncio.gather(self._loop, return_exceptions=True)
        self._loop = None
        with suppress(StoreError):  # it runs out by itself
            self._estate.store.release_lease("refresh", self._holder)
        self._leads = False

    async def _run(self) -> None:
        shown: tuple[WorkerRow, ...] = ()
        with suppress(StoreError):
            shown = self.rows()
        try:
            while True:
                # A store that is locked for once is looked at again at the next tick.
                with suppress(StoreError):
                    self._turn(asyncio.get_running_loop().time())
                    shown = self._tell(shown)
                await asyncio.sleep(self._rhythm.tick)
        finally:
            asking = list(self._asking.values())
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)

    def _turn(self, now: float) -> None:
        """Ask the hosts whose turn it is; one that is slow to answer holds no other up."""
        store, rhythm = self._estate.store, self._rhythm
        if not store.read_only and now >= self._lease_due:
            self._lease_due = now + rhythm.period * random.uniform(0.9, 1.1)
            self._leads = store.acquire_lease("refresh", self._holder, rhythm.lease)
        wanted, self._wanted = self._wanted, False
        if not (self._leads or wanted) or store.read_only:
            return
        self._read()
        hosts = by_host(row.worker for row in self._known)
        for gone in self._turns.keys() - hosts.keys():
            del self._turns[gone]
        for key, workers in hosts.items():
            turn = self._turns.setdefault(key, _Turn())
            if key not in self._asking and (wanted or now >= turn.due):
                self._asking[key] = asyncio.create_task(self._take(key, turn, workers))

    async def _take(self, key: _Key, turn: _Turn, workers: list[Worker]) -> None:
        rhythm, loop = self._rhythm, asyncio.get_running_loop()
        ready = False
        try:
            host, _ = await self._ask(workers)
            ready = host.state is HostState.READY
        except AmtuiError:
            pass  # a store that is locked for once; the rows age until it is not
        except Exception:
            _log.exception("refreshing %s failed", key[0])
        finally:
            turn.misses = 0 if ready else turn.misses + 1
            pause = min(rhythm.longest, rhythm.period * 2.0 ** min(turn.misses, 10))
            turn.due = loop.time() + (rhythm.period if ready else pause) * random.uniform(0.9, 1.1)
            self._asking.pop(key, None)


def by_host(workers: Iterable[Worker]) -> dict[_Key, list[Worker]]:
    """Workers by the host they live on."""
    hosts: dict[_Key, list[Worker]] = {}
    for each in workers:
        hosts.setdefault((each.substrate, each.host_id), []).append(each)
    return hosts


def is_stale(row: WorkerRow, now: float) -> bool:
    """True where a row looks as if somebody had just looked, and nobody has for `STALE` seconds."""
    if row.worker.asleep or not row.worker.root or not row.agent.seen_at:
        return False
    return row.host.state is HostState.READY and now - row.agent.seen_at > STALE


def aged(row: WorkerRow) -> WorkerRow:
    """A stale row as it is shown: unknown since it was last seen, with what it did then."""
    agent, since = row.agent, row.agent.seen_at
    was = " ".join(part for part in (agent.status.value, agent.reason) if part)
    unknown = msgspec.structs.replace(
        agent,
        status=AgentStatus.UNKNOWN,
        reason="",
        text=f"last seen {was}" + (f": {agent.text}" if agent.text else ""),
        since=since,
    )
    host = msgspec.structs.replace(row.host, state=HostState.UNKNOWN, detail="has not answered", since=since)
    return msgspec.structs.replace(row, agent=unknown, host=host, refreshed_at=since)


def _alike(before: WorkerRow | None, row: WorkerRow) -> bool:
    """Whether nothing but the time of the last look differs."""
    if before is None or (before.worker, before.host, before.phases) != (row.worker, row.host, row.phases):
        return False
    return _told(before.agent) == _told(row.agent) and before.agent.since == row.agent.since


def _told(state: AgentState) -> tuple[str, ...]:
    """What of a state is worth telling at once: everything but when it was seen."""
    return (state.status.value, state.reason, state.text, state.rule, state.source, state.confidence)


def _same_since(before: Host | None, host: Host, now: float) -> Host:
    since = before.since if before and before.state is host.state and before.since else now
    return msgspec.structs.replace(host, since=since)
