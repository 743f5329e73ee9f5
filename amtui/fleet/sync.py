"""The fleet as front ends see it: rows from the store at once, refreshed by one process at a time.

Reading never waits for a host. One amtui process holds the `refresh` lease and asks the hosts; the others see its
findings through the store. Watching never wakes a host: a probe is sent only where the host is known to be awake.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from amtui import agentstate
from amtui.errors import AmtuiError, StoreError
from amtui.fleet.look import look, one
from amtui.model import AgentState, Host, HostState, Worker, WorkerRow

if TYPE_CHECKING:
    from amtui.fleet.estate import Estate

Listener = Callable[[tuple[WorkerRow, ...]], None]

TICK: Final = 0.2
"""Seconds between two looks at the store for changes made here or elsewhere."""
PERIOD: Final = 2.0
"""Seconds between two refreshes of hosts that cost nothing to ask."""
LEASE: Final = 10.0
"""Seconds for which one process refreshes for all."""
AT_ONCE: Final = 8
"""Hosts asked at the same time."""


class Fleet:
    """Rows of all workers, a subscription to their changes, and the loop that keeps them fresh."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        self._listeners: set[Listener] = set()
        self._rows: tuple[WorkerRow, ...] = ()
        self._seen = -1
        self._loop: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()
        self._holder = f"{os.getpid()}-{random.getrandbits(32):08x}"
        self._limit = asyncio.Semaphore(AT_ONCE)

    @property
    def revision(self) -> int:
        """Changes whenever `rows` may have changed."""
        return self._estate.store.revision()

    def rows(self) -> tuple[WorkerRow, ...]:
        """Every worker as last known, by name."""
        revision = self._estate.store.revision()
        if revision != self._seen:
            self._rows, self._seen = tuple(self._estate.store.rows()), revision
        return self._rows

    def row(self, worker: Worker) -> WorkerRow:
        """One worker as last known."""
        for row in self.rows():
            if row.worker.id == worker.id:
                return row
        host = Host(id=worker.host_id, substrate=worker.substrate, state=HostState.UNKNOWN)
        return WorkerRow(worker=worker, host=host)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` on the event loop with the rows that changed, at most five times a second."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    def refresh_now(self) -> None:
        """Ask the hosts soon, out of turn."""
        self._wanted.set()

    async def start(self) -> None:
        """Start the loop; starting twice is harmless."""
        if self._loop is None:
            self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End the loop and hand the lease over."""
        if self._loop is None:
            return
        self._loop.cancel()
        await asyncio.gather(self._loop, return_exceptions=True)
        self._loop = None
        with suppress(StoreError):  # it runs out by itself
            self._estate.store.release_lease("refresh", self._holder)

    async def refresh(self, worker: Worker | None = None) -> None:
        """Ask about one worker, or all, now; hosts that do not answer keep their last known rows, aged."""
        workers = [worker] if worker else self._estate.store.workers()
        hosts: dict[tuple[str, str], list[Worker]] = {}
        for each in workers:
            hosts.setdefault((each.substrate, each.host_id), []).append(each)
        await asyncio.gather(*(self._host(list_) for list_ in hosts.values()))

    async def explain(self, worker: Worker) -> tuple[AgentState, list[tuple[str, str, str]]]:
        """The state, and every rule tried: (rule, source, result). Raises what the host answers."""
        seen = await one(self._estate, worker)
        now = self._estate.clock()
        return agentstate.judge(seen, now), agentstate.explain(seen, now)

    async def _host(self, workers: list[Worker]) -> None:
        store, first = self._estate.store, workers[0]
        async with self._limit:
            try:
                provider = self._estate.providers.get(first.substrate)
                host = await provider.state(first.host_id)
            except AmtuiError as error:
                host = Host(
                    id=first.host_id, substrate=first.substrate, state=HostState.UNKNOWN, detail=error.message
                )
            host = _same_since(store.host(first.substrate, first.host_id), host, self._estate.clock())
            store.put_host(host)
            if host.state is not HostState.READY:
                return
            states = store.states()
            seen = await look(self._estate, workers, states)
            for worker in workers:
                before, state = states.get(worker.id), seen[worker.id]
                if before is None or _told(before) != _told(state):
                    store.put_state(worker.id, state)
                    if before is not None and before.status is not state.status:
                        store.record(worker.id, state.status.value, f"{state.reason} {state.text}".strip())

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        due, shown = loop.time(), {row.worker.id: row for row in self.rows()}
        refreshing: asyncio.Task[None] | None = None
        try:
            while True:
                if refreshing is None or refreshing.done():
                    if refreshing is not None and not refreshing.cancelled():
                        refreshing.exception()  # a store that is locked for once is seen again at the next turn
                    if loop.time() >= due or self._wanted.is_set():
                        self._wanted.clear()
                        due = loop.time() + PERIOD * random.uniform(0.9, 1.1)
                        refreshing = asyncio.create_task(self._turn())
                shown = self._tell(shown)
                await asyncio.sleep(TICK)
        finally:
            if refreshing is not None:
                refreshing.cancel()

    async def _turn(self) -> None:
        if self._estate.store.acquire_lease("refresh", self._holder, LEASE):
            await self.refresh()

    def _tell(self, shown: dict[str, WorkerRow]) -> dict[str, WorkerRow]:
        """Tell the listeners what is new since `shown`; a removed worker is told by an empty tuple."""
        now = {row.worker.id: row for row in self.rows()}
        changed = tuple(row for key, row in now.items() if shown.get(key) != row)
        if changed or shown.keys() - now.keys():
            for listener in tuple(self._listeners):
                listener(changed)
        return now


def _told(state: AgentState) -> tuple[str, ...]:
    """What of a state is worth writing down: everything but when it was seen."""
    return (state.status.value, state.reason, state.text, state.rule, state.source, state.confidence)


def _same_since(before: Host | None, host: Host, now: float) -> Host:
    import msgspec

    since = before.since if before and before.state is host.state and before.since else now
    return msgspec.structs.replace(host, since=since)
