"""ls, show, logs, events: what is printed, followed, and given to programs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ops_world import World

from amtui import logs as log_reader
from amtui.errors import UsageError
from amtui.fleet import sync
from amtui.fleet.sync import Fleet, Rhythm
from amtui.model import AgentState, AgentStatus, Host, HostState, Phase, PhaseStatus, Untrusted
from amtui.ops import fleet as ops
from amtui.ops import observe, registry
from amtui.ops.base import Chunk


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    made = World(tmp_path, stdin=lambda: "")
    made.ctx.fleet = Fleet(made.estate, Rhythm(tick=0.002, period=0.01))
    monkeypatch.setattr(observe, "FOLLOW", 0.001)

    async def look(estate: Any, workers: Any, previous: Any) -> dict[str, AgentState]:
        return {}

    monkeypatch.setattr(sync, "look", look)
    yield made
    await made.ctx.aclose()


def seen(world: World, name: str, status: AgentStatus, text: str = "", ago: float = 0.0) -> None:
    worker = world.store.worker(name)
    state = AgentState(status=status, text=text, since=world.now - 60, seen_at=world.now - ago)
    world.store.put_host(Host(id=worker.host_id, substrate=worker.substrate, state=HostState.READY))
    world.store.put_state(worker.id, state)


async def test_ls_prints_and_documents(world: World) -> None:
    world.add("web")
    world.add("api", runtime="claude")
    seen(world, "web", AgentStatus.IDLE)
    seen(world, "api", AgentStatus.WORKING, "fix the\ttests")
    done = await world.do("ls")
    assert [line.split()[:3] for line in done.text.splitlines()[1:]] == [
        ["api", "●", "working"],
        ["web", "○", "idle"],
    ]
    assert [row["name"] for row in done.data["workers"]] == ["api", "web"]
    assert "socket" not in done.data["workers"][0]
    plain = (await world.do("ls", plain=True)).text.split("\n")[0].split("\t")
    assert plain == ["api", "● working", "1m", "local", "claude", "ask", "fix the tests"]
    assert (await world.do("ls", filter=["working"])).data["workers"][0]["name"] == "api"
    assert (await world.do("ls", filter=["-working", "nope"])).text == "no workers match"


async def test_a_host_that_has_not_answered_is_unknown_with_its_age(world: World) -> None:
    world.add("web", "ssh:box")
    seen(world, "web", AgentStatus.WORKING, "tests", ago=3600)
    line = (await world.do("ls", cached=True, plain=True)).text.split("\t")
    assert line[1:3] == ["? unknown", "1h"]
    assert "last seen working: tests" in line[-1]
    facts = (await world.do("show", name="web")).data["facts"]
    assert facts["agent"] == "unknown, 1h"
    assert "has not answered" in facts["host"]


def row_of(world: World, state: HostState = HostState.READY, *phases: Phase) -> Any:
    row = world.ctx.fleet.row(world.store.worker("web"))
    import msgspec

    return msgspec.structs.replace(
        row, host=Host(id="box", substrate="ssh:box", state=state, since=5.0), phases=phases
    )


async def test_one_word_for_every_row(world: World) -> None:
    def phase(name: str, status: PhaseStatus, core: bool = True) -> Phase:
        return Phase(id=name, title=name, status=status, core=core)

    world.add("web", "ssh:box")
    done = phase("place", PhaseStatus.DONE)
    assert ops.state_word(row_of(world, HostState.UNREACHABLE)) == "⚠ unreachable"
    assert ops.since(row_of(world, HostState.UNREACHABLE)) == 5.0
    assert (
        ops.state_word(row_of(world, HostState.READY, done, phase("node", PhaseStatus.RUNNING))) == "● node…"
    )
    assert (
        ops.state_word(row_of(world, HostState.READY, done, phase("node", PhaseStatus.FAILED)))
        == "✕ node failed"
    )
    assert (
        ops.state_word(row_of(world, HostState.READY, done, phase("x", PhaseStatus.FAILED, core=False)))
        == "? unknown"
    )
    pending = [phase("node", PhaseStatus.PENDING), phase("npm", PhaseStatus.PENDING)]
    assert ops.state_word(row_of(world, HostState.READY, done, *pending)) == "◐ before node"


async def watch(world: World, chunks: list[Chunk], **values: Any) -> None:
    async for item in registry.run(world.ctx, "ls", {"watch": True, **values}):
        assert isinstance(item, Chunk)
        chunks.append(item)


async def until(holds: Any, what: str) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - a condition of the store, which has no event
            await asyncio.sleep(0.001)
    assert holds(), what


async def test_watch_prints_again_what_changes(world: World) -> None:
    world.add("web")
    seen(world, "web", AgentStatus.WORKING)
    chunks: list[Chunk] = []
    watching = asyncio.create_task(watch(world, chunks, plain=True))
    await until(lambda: len(chunks) == 1, "the list at once")
    assert chunks[0].data.decode().split("\t")[1:3] == ["web", "● working"]
    seen(world, "web", AgentStatus.WORKING)
    world.add("api")
    await until(lambda: len(chunks) == 2, "a new worker")
    assert [line.split("\t")[1] for line in chunks[1].data.decode().splitlines()] == ["api"], "and only that"
    assert [row["name"] for row in chunks[1].record["changed"]] == ["api"]
    world.store.remove_worker(world.store.worker("web").id)
    await until(lambda: len(chunks) == 3, "a removal")
    assert chunks[2].data.decode().split("\t")[1:] == ["web", "- gone\n"]
    assert chunks[2].record["gone"] == ["web"]
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert not world.ctx.fleet._listeners


async def test_watch_without_plain_prints_the_whole_list(world: World) -> None:
    world.add("web")
    world.add("api")
    chunks: list[Chunk] = []
    watching = asyncio.create_task(watch(world, chunks, filter=["on:local"]))
    await until(lambda: chunks, "the list at once")
    seen(world, "web", AgentStatus.DONE)
    await until(lambda: len(chunks) > 1, "the change")
    assert "api" in chunks[-1].data.decode() and "✓ done" in chunks[-1].data.decode()
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def test_watch_needs_a_reader(world: World) -> None:
    world.ctx.stdin = None
    with pytest.raises(UsageError, match="--watch"):
        await world.do("ls", watch=True)


# events and logs


async def follow(world: World, op_id: str, chunks: list[Chunk], **values: Any) -> None:
    async for item in registry.run(world.ctx, op_id, {"follow": True, **values}):
        chunks.append(item)  # noqa: PERF401 - it never ends


async def test_events_are_followed_and_never_go_back(world: World) -> None:
    worker = world.add("web")
    world.store.record("", "old", "before")
    for limit, first in ((100, ["old"]), (0, [])):
        chunks: list[Chunk] = []
        following = asyncio.create_task(follow(world, "events", chunks, limit=limit))
        await asyncio.sleep(0.01)
        assert [chunk.record["kind"] for chunk in chunks] == first
        world.store.record(worker.id, "news", "two\nlines")
        await until(lambda: len(chunks) > len(first), "news")  # noqa: B023
        assert chunks[-1].record["text"] == "two\nlines"
        line = chunks[-1].data.decode()
        assert line.count("\n") == 1 and "web" in line and "two lines" in line
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        with world.store.change() as db:
            db.execute("DELETE FROM events WHERE kind = 'news'")


async def test_events_of_one_worker_and_how_many(world: World) -> None:
    web, api = world.add("web"), world.add("api")
    for n in range(3):
        world.store.record(web.id, "a", str(n))
        world.store.record(api.id, "b", str(n))
    assert [e["text"] for e in (await world.do("events", worker="web", limit=2)).data["events"]] == ["1", "2"]
    with pytest.raises(UsageError, match="--limit"):
        await world.do("events", limit=-1)


async def test_logs_are_safe_for_people_and_whole_for_programs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add("web")
    hostile = b"\x1b]52;c;aGk=\x07ok\x1b[2J"

    async def lines(place: Any, worker: Any, *, source: str, live: bool, every: float) -> Any:
        yield SimpleNamespace(source="node", number=1, text=Untrusted(hostile, "web"))
        if live:
            yield SimpleNamespace(source="node", number=2, text=Untrusted(b"more", "web"))

    monkeypatch.setattr(log_reader, "follow", lines)
    done = await world.do("logs", name="web")
    assert done.text == "node       ok"
    assert done.data["lines"] == [{"source": "node", "text": hostile.decode()}]
    chunks = await world.chunks("logs", name="web", follow=True)
    assert [chunk.data for chunk in chunks] == [b"node       ok\n", b"node       more\n"]
    assert chunks[1].record == {"source": "node", "number": 2, "text": "more"}
