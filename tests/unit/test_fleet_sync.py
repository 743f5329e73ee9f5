"""The refresh loop: one process asks for all, nothing wakes a host, nothing ends the loop, old news look old."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from amtui.errors import AmtuiError, StoreError, Unreachable
from amtui.fleet import sync
from amtui.fleet.estate import Estate
from amtui.fleet.look import settle
from amtui.fleet.sync import AT_ONCE, STALE, Fleet, Rhythm
from amtui.model import UNKNOWN_STATE, AgentState, AgentStatus, Autonomy, Host, HostState, Worker, WorkerRow
from amtui.store import Store

QUICK = Rhythm(tick=0.002, period=0.02, longest=0.2, lease=10.0)


class Hosts:
    """Providers and probes in one: what each substrate says, and how often it was asked."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.state_of: dict[str, HostState | Exception] = {}
        self.agents: dict[str, AgentState] = {}
        self.silent: set[str] = set()
        self.asked: list[str] = []
        self.probed: list[str] = []
        self.hold: dict[str, asyncio.Event] = {}
        self.at_once = 0
        self.most = 0

    def get(self, substrate: str) -> Any:
        async def state(host_id: str) -> Host:
            self.asked.append(substrate)
            gate = self.hold.get(substrate)
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            try:
                if gate:
                    await gate.wait()
                await asyncio.sleep(0)
            finally:
                if gate:
                    await asyncio.sleep(0.005)  # a connection takes a moment to be put away
                self.at_once -= 1
            found = self.state_of.get(substrate, HostState.READY)
            if isinstance(found, Exception):
                raise found
            return Host(id=host_id, substrate=substrate, state=found)

        return SimpleNamespace(state=state)

    async def look(
        self, estate: Any, workers: Iterable[Worker], previous: Mapping[str, AgentState]
    ) -> dict[str, AgentState]:
        found = {}
        for worker in workers:
            self.probed.append(worker.name)
            if worker.name not in self.silent:
                seen = self.agents.get(worker.name, AgentState(status=AgentStatus.IDLE, source="screen"))
                found[worker.id] = settle(previous.get(worker.id, UNKNOWN_STATE), seen, self.clock())
        return found


class World:
    """One store, one set of hosts, any number of processes, a clock that is set by hand."""

    def __init__(self, folder: Path) -> None:
        self.now = 1_000_000.0
        self.folder = folder
        self.hosts = Hosts(lambda: self.now)
        self.store = self.open_store()
        self.fleets: list[Fleet] = []

    def open_store(self) -> Store:
        return Store.open(self.folder / "amtui.db", clock=lambda: self.now)

    def process(self, rhythm: Rhythm = QUICK) -> Fleet:
        """Another process: its own connection, its own loop."""
        store = self.open_store()
        estate = SimpleNamespace(store=store, providers=self.hosts, clock=lambda: self.now)
        fleet = Fleet(cast(Estate, estate), rhythm)
        self.fleets.append(fleet)
        return fleet

    def add(self, name: str, on: str = "local", **more: Any) -> Worker:
        worker = Worker(id=(name.encode().hex() * 32)[:32], name=name, substrate=on, host_id=on.partition(":")[2] or on,
                        runtime="shell", autonomy=Autonomy.ASK, root=f"/w/{name}", **more)  # fmt: skip
        self.store.add_worker(worker)
        return worker


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    made = World(tmp_path)
    monkeypatch.setattr(sync, "look", made.hosts.look)
    yield made
    for fleet in made.fleets:
        await fleet.stop()
        fleet._estate.store.close()
    made.store.close()


async def until(holds: Callable[[], object], what: str, timeout: float = 5.0) -> None:
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
        await asyncio.sleep(0.001)


async def ticks(count: int = 30) -> None:
    """Let a running loop turn that often."""
    for _ in range(count):
        await asyncio.sleep(QUICK.tick)


def agent(fleet: Fleet, worker: Worker) -> AgentStatus:
    return fleet.row(worker).agent.status


# Asking


async def test_one_refresh_asks_each_host_once_and_keeps_what_it_says(world: World) -> None:
    a, b, c = world.add("a"), world.add("b"), world.add("c", "ssh:box")
    world.hosts.agents["c"] = AgentState(status=AgentStatus.NEEDS_YOU, reason="permission")
    fleet = world.process()
    found = await fleet.refresh()
    assert set(found) == {a.id, b.id, c.id}
    assert sorted(world.hosts.asked) == ["local", "ssh:box"]
    assert agent(fleet, c) is AgentStatus.NEEDS_YOU
    assert fleet.row(a).host.state is HostState.READY


async def test_no_probe_where_the_host_is_not_ready(world: World) -> None:
    worker = world.add("a", "ssh:box")
    fleet = world.process()
    await fleet.refresh()
    world.hosts.probed.clear()
    for state in HostState:
        if state is not HostState.READY:
            world.hosts.state_of["ssh:box"] = state
            assert await fleet.refresh() == {}
            assert fleet.row(worker).host.state is state
    assert world.hosts.probed == []
    assert agent(fleet, worker) is AgentStatus.IDLE, "what was last known stands"


@pytest.mark.parametrize("error", [Unreachable("no route to box"), ValueError("a defect")])
async def test_an_adapter_that_raises_blinds_nobody(world: World, error: Exception) -> None:
    a, b = world.add("a", "ssh:box"), world.add("b")
    world.hosts.state_of["ssh:box"] = error
    fleet = world.process()
    assert set(await fleet.refresh()) == {b.id}
    host = fleet.row(a).host
    assert host.state is HostState.UNKNOWN
    assert ("no route" if isinstance(error, AmtuiError) else "ValueError") in host.detail


async def test_at_most_so_many_hosts_at_once(world: World) -> None:
    for n in range(AT_ONCE * 2):
        world.add(f"w{n}", f"ssh:h{n}")
        world.hosts.hold[f"ssh:h{n}"] = asyncio.Event()
    asking = asyncio.create_task(world.process().refresh())
    await until(lambda: world.hosts.at_once == AT_ONCE, "the hosts are asked")
    await ticks(3)
    assert world.hosts.most == AT_ONCE
    for gate in world.hosts.hold.values():
        gate.set()
    assert len(await asking) == AT_ONCE * 2


async def test_a_worker_destroyed_while_it_is_looked_at_stays_gone(world: World) -> None:
    worker = world.add("a")
    fleet = world.process()
    gate = world.hosts.hold["local"] = asyncio.Event()
    asking = asyncio.create_task(fleet.refresh())
    await until(lambda: world.hosts.at_once, "it is asked")
    world.store.remove_worker(worker.id)
    gate.set()
    await asking
    assert fleet.rows() == ()
    assert world.store.states() == {}


async def test_a_change_is_told_once_however_many_look(world: World) -> None:
    worker = world.add("a")
    one, two = world.process(), world.process()
    await one.refresh()
    world.hosts.agents["a"] = AgentState(status=AgentStatus.DONE, text="tests pass")
    await asyncio.gather(one.refresh(), two.refresh())
    kinds = [(event.worker, event.kind, event.text) for event in world.store.events()]
    assert kinds == [(worker.id, "done", "tests pass")]


async def test_a_store_that_cannot_be_written_is_still_shown(world: World) -> None:
    worker = world.add("a")
    fleet = world.process()
    fleet._estate.store.read_only = True
    found = await fleet.refresh()
    assert found[worker.id].status is AgentStatus.IDLE
    assert [row.worker.name for row in fleet.rows()] == ["a"]
    assert world.store.states() == {}


async def test_unchanged_states_are_not_written_again_and_again(world: World) -> None:
    worker = world.add("a")
    fleet = world.process()
    await fleet.refresh()
    revision = fleet.revision
    for _ in range(5):
        world.now += 1
        await fleet.refresh()
    assert fleet.revision == revision
    world.now += sync.KEPT
    await fleet.refresh()
    assert world.store.states()[worker.id].seen_at == world.now, "that it was seen again is written down"


# Age


async def test_old_news_look_old(world: World) -> None:
    worker = world.add("a", "ssh:box")
    world.hosts.agents["a"] = AgentState(status=AgentStatus.WORKING, text="tests")
    fleet = world.process()
    await fleet.refresh()
    seen = world.now
    world.now = seen + STALE
    assert agent(fleet, worker) is AgentStatus.WORKING
    world.now = seen + STALE + 1
    row = fleet.row(worker)
    assert (row.agent.status, row.host.state) == (AgentStatus.UNKNOWN, HostState.UNKNOWN)
    assert "working" in row.agent.text and "tests" in row.agent.text
    assert row.agent.since == row.host.since == seen
    assert world.store.states()[worker.id].status is AgentStatus.WORKING, "what was known is kept"
    await fleet.refresh()
    assert agent(fleet, worker) is AgentStatus.WORKING


async def test_a_host_that_is_up_with_a_worker_that_does_not_answer_ages_too(world: World) -> None:
    quiet, loud = world.add("quiet"), world.add("loud")
    fleet = world.process()
    await fleet.refresh()
    world.hosts.silent.add("quiet")
    for _ in range(5):
        world.now += 10
        await fleet.refresh()
    assert (agent(fleet, quiet), agent(fleet, loud)) == (AgentStatus.UNKNOWN, AgentStatus.IDLE)


async def test_unreachable_keeps_its_word_and_a_sleeper_does_not_age(world: World) -> None:
    away, asleep = world.add("away", "ssh:box"), world.add("asleep", asleep=True)
    fleet = world.process()
    await fleet.refresh()
    world.hosts.state_of["ssh:box"] = HostState.UNREACHABLE
    await fleet.refresh()
    world.now += 3600
    assert fleet.row(away).host.state is HostState.UNREACHABLE
    assert fleet.row(asleep).agent.status is not AgentStatus.UNKNOWN


# Being told


async def test_listeners_get_differences_and_a_removal(world: World) -> None:
    a, _b = world.add("a"), world.add("b", "ssh:box")
    fleet = world.process()
    await fleet.refresh()
    told: list[tuple[str, ...]] = []
    forget = fleet.subscribe(lambda rows: told.append(tuple(row.worker.name for row in rows)))
    await fleet.start()
    await until(lambda: len(world.hosts.asked) > 6, "several turns")
    world.now += sync.KEPT + 1
    await until(lambda: world.store.states()[a.id].seen_at == world.now, "it is seen again")
    await ticks()
    assert told == [], "seen again is no change"
    world.hosts.agents["a"] = AgentState(status=AgentStatus.DONE)
    await until(lambda: told, "the change is told")
    assert told == [("a",)]
    world.store.remove_worker(a.id)
    await until(lambda: len(told) > 1, "the removal is told")
    assert told[1:] == [()]
    assert [row.worker.name for row in fleet.rows()] == ["b"]
    forget()
    world.hosts.agents["b"] = AgentState(status=AgentStatus.DONE)
    await until(lambda: any(row.agent.status is AgentStatus.DONE for row in fleet.rows()), "b is done")
    await ticks()
    assert len(told) == 2


async def test_at_most_five_times_a_second(world: World) -> None:
    assert Rhythm().tick >= 0.2
    world.add("a")
    fleet = world.process(Rhythm(tick=0.05, period=0.001))
    told: list[tuple[WorkerRow, ...]] = []
    fleet.subscribe(told.append)
    await fleet.start()
    began = time.monotonic()
    for n in range(100):
        world.store.put_host(Host(id="local", substrate="local", state=HostState.READY, detail=str(n)))
        await asyncio.sleep(0.001)
    assert len(told) <= (time.monotonic() - began) / 0.05 + 1


async def test_a_broken_listener_blinds_no_other(world: World) -> None:
    world.add("a")
    fleet = world.process()
    told: list[tuple[WorkerRow, ...]] = []

    def broken(rows: tuple[WorkerRow, ...]) -> None:
        raise RuntimeError("a view that is gone")

    for listener in (broken, told.append):
        fleet.subscribe(listener)
    await fleet.start()
    await until(lambda: told, "the other one is told")
    world.hosts.agents["a"] = AgentState(status=AgentStatus.DONE)
    await until(lambda: len(told) > 1, "and told again")


# The lease


async def test_one_process_asks_and_the_others_read(world: World) -> None:
    worker = world.add("a")
    first, second = world.process(), world.process()
    await first.start()
    await until(lambda: world.hosts.asked, "the first asks")
    asked: list[str] = []
    second._estate.providers = cast(Any, Hosts(lambda: world.now))
    second._estate.providers.asked = asked  # type: ignore[attr-defined]
    await second.start()
    world.hosts.agents["a"] = AgentState(status=AgentStatus.NEEDS_YOU)
    await until(lambda: agent(second, worker) is AgentStatus.NEEDS_YOU, "the second reads what the first saw")
    await ticks()
    assert asked == []
    second.refresh_now()
    await until(lambda: asked, "it may be told to ask all the same")


async def test_the_lease_is_taken_over_when_its_holder_dies(world: World) -> None:
    world.add("a")
    assert world.store.acquire_lease("refresh", "somebody-dead", QUICK.lease)
    fleet = world.process()
    await fleet.start()
    await ticks()
    assert world.hosts.asked == []
    world.now += QUICK.lease + 1
    await until(lambda: world.hosts.asked, "the survivor asks")


async def test_a_process_that_stops_hands_the_lease_over(world: World) -> None:
    world.add("a")
    first = world.process()
    await first.start()
    await until(lambda: world.hosts.asked, "the first asks")
    await first.stop()
    assert world.store.acquire_lease("refresh", "next", 10.0)


async def test_a_slow_turn_does_not_lose_the_lease(world: World) -> None:
    world.add("a")
    world.hosts.hold["local"] = asyncio.Event()
    fleet = world.process()
    await fleet.start()
    await until(lambda: world.hosts.at_once, "it is asked and does not answer")
    for _ in range(4):
        world.now += QUICK.lease * 0.6
        await ticks(40)
        assert not world.store.acquire_lease("refresh", "another", 10.0)


# The loop


async def test_a_slow_host_holds_no_other_up_and_is_not_asked_twice(world: World) -> None:
    world.add("slow", "ssh:slow")
    world.add("a")
    world.hosts.hold["ssh:slow"] = asyncio.Event()
    fleet = world.process()
    await fleet.start()
    await until(lambda: world.hosts.asked.count("local") > 5, "the other one has its turns")
    assert world.hosts.asked.count("ssh:slow") == 1


async def test_a_dead_host_is_asked_less_and_less_until_somebody_wants_to_know(world: World) -> None:
    world.add("dead", "ssh:dead")
    world.add("a")
    world.hosts.state_of["ssh:dead"] = HostState.UNREACHABLE
    fleet = world.process(Rhythm(tick=0.001, period=0.01, longest=60.0))
    await fleet.start()
    await until(lambda: world.hosts.asked.count("local") > 30, "many turns")
    assert world.hosts.asked.count("ssh:dead") < 12
    before = world.hosts.asked.count("ssh:dead")
    world.hosts.state_of["ssh:dead"] = HostState.READY
    fleet.refresh_now()
    await until(lambda: "dead" in world.hosts.probed, "asked out of turn")
    await until(lambda: world.hosts.asked.count("ssh:dead") > before + 3, "and again as often as the others")


async def test_the_loop_survives_a_locked_store(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = world.add("a")
    fleet = world.process()
    failed: list[str] = []

    def locked(*_: object, **__: object) -> Any:
        failed.append("locked")
        raise StoreError("the store is locked")

    with monkeypatch.context() as patch:
        for verb in ("revision", "acquire_lease", "put_state", "put_host"):
            patch.setattr(fleet._estate.store, verb, locked)
        await fleet.start()
        await until(lambda: len(failed) > 5, "it tries again and again")
    await until(lambda: agent(fleet, worker) is AgentStatus.IDLE, "it goes on")
    with monkeypatch.context() as patch:
        patch.setattr(fleet._estate.store, "put_state", locked)
        world.hosts.agents["a"] = AgentState(status=AgentStatus.DONE)
        seen = len(failed)
        await until(lambda: len(failed) > seen + 2, "what it saw cannot be written")
    await until(lambda: agent(fleet, worker) is AgentStatus.DONE, "it goes on")


async def test_the_loop_survives_a_defect(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = world.add("a")
    fleet = world.process()
    calls = 0

    async def broken(*_: object) -> dict[str, AgentState]:
        nonlocal calls
        calls += 1
        raise KeyError("a defect")

    unseen: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unseen.append(context))
    with monkeypatch.context() as patch:
        patch.setattr(sync, "look", broken)
        await fleet.start()
        await until(lambda: calls > 1, "it asks again")
    await until(lambda: agent(fleet, worker) is AgentStatus.IDLE, "it goes on")
    gc.collect()
    assert unseen == [], "noted where it happened"


async def test_stop_leaves_no_task(world: World) -> None:
    world.add("a")
    world.add("b", "ssh:slow")
    world.hosts.hold["ssh:slow"] = asyncio.Event()
    fleet = world.process()
    before = asyncio.all_tasks()
    await fleet.start()
    await fleet.start()
    await until(lambda: world.hosts.at_once, "a question is in flight")
    await fleet.stop()
    await fleet.stop()
    assert asyncio.all_tasks() == before
    assert world.hosts.at_once == 0
    asked = len(world.hosts.asked)
    await ticks()
    assert len(world.hosts.asked) == asked
