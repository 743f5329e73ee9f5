"""new, bootstrap, set: refused means nothing anywhere; what fails says so and can be resumed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from ops_world import World

from amtui.bootstrap import remove
from amtui.bootstrap.phases import Courier, PhaseSpec, Plan
from amtui.bootstrap.runner import PhaseFailed
from amtui.errors import (
    AmtuiError,
    BootstrapFailed,
    GateRefused,
    NameTaken,
    NeedsConfirmation,
    Unreachable,
    UsageError,
)
from amtui.fleet import deploy
from amtui.model import Autonomy, Phase, PhaseStatus, Untrusted, Wire
from amtui.ops import deploy as ops
from amtui.ops import registry
from amtui.ops.base import Chunk, Progress
from amtui.ops.context import Question
from amtui.upstreams import Upstream


class Answer:
    """What a probe of an upstream found."""

    detail = "t: the key was rejected (401)"

    def __init__(self, works: bool) -> None:
        self.works = works

    def offers(self, *wires: Any) -> bool:
        return self.works


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    made = World(tmp_path)
    made.probes: list[str] = []  # type: ignore[attr-defined]
    made.works = True  # type: ignore[attr-defined]
    monkeypatch.setattr(deploy, "available", lambda: False)
    monkeypatch.setattr("amtui.providers.confinement.available", lambda: False)

    async def probe(upstream: Upstream, key: str | None) -> Answer:
        made.probes.append(upstream.id)  # type: ignore[attr-defined]
        return Answer(made.works)  # type: ignore[attr-defined]

    monkeypatch.setattr(deploy, "probe", probe)
    monkeypatch.setattr(deploy, "prepare", lambda estate, worker: _prepared(worker))
    made.run = _Run()  # type: ignore[attr-defined]
    monkeypatch.setattr(deploy, "run", made.run)  # type: ignore[attr-defined]
    made.env["T_KEY"] = "sk-planted-0123456789"
    made.estate.upstreams.add(
        Upstream(id="t", wires=(Wire.MESSAGES,), base_url="http://127.0.0.1:9", key_env="T_KEY")
    )
    yield made
    await made.ctx.aclose()


async def _prepared(worker: Any) -> tuple[Any, Plan]:
    async def nothing(*_: Any) -> Any:
        return True

    specs = tuple(PhaseSpec(each, each.title(), Courier(nothing, nothing)) for each in ("place", "node"))
    return worker, Plan(worker, specs)


class _Run:
    """Stands where the runner is: one phase done, then what the test wants."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.hold: asyncio.Event | None = None
        self.holds = asyncio.Event()
        self.from_phase: str | None = None

    async def __call__(
        self, plan: Plan, place: Any, *, on_phase: Any, on_log: Any, from_phase: str | None, clock: Any
    ) -> Any:
        self.from_phase = from_phase
        on_phase(Phase(id="place", title="Place", status=PhaseStatus.DONE, started_at=1.0, ended_at=2.5))
        on_log("node", Untrusted(b"npm says\n", "w"))
        on_phase(Phase(id="node", title="Node", status=PhaseStatus.RUNNING))
        if self.hold:
            self.holds.set()
            await self.hold.wait()
        if self.error:
            on_phase(Phase(id="node", title="Node", status=PhaseStatus.FAILED, cause="no space left"))
            raise self.error
        on_phase(Phase(id="node", title="Node", status=PhaseStatus.DONE))


def nothing_anywhere(world: World) -> None:
    assert world.store.workers() == []
    assert world.store.open_intents() == []
    assert world.store.events() == []
    made = {verb for verb, _ in world.host.calls} - {"check", "stat", "root"}
    assert made == set(), "nothing was made on the host"


CLAUDE = {"name": "w", "on": "local", "agent": "claude", "upstream": "t"}


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"upstream": None}, GateRefused),
        ({"upstream": "t", "name": "Bad Name"}, UsageError),
        ({"upstream": "t", "model": "-x"}, UsageError),
        ({"upstream": "t", "workdir": "/a", "repo": "https://example.org/r.git"}, AmtuiError),
        ({"upstream": "nope"}, AmtuiError),
        ({"agent": "claud"}, UsageError),
        ({"agent": "codex"}, GateRefused),
    ],
)
async def test_refused_means_nothing_anywhere(
    world: World, monkeypatch: pytest.MonkeyPatch, values: dict[str, Any], error: type[AmtuiError]
) -> None:
    async def reachable(url: str) -> None:
        return

    monkeypatch.setattr(deploy, "reachable", reachable)
    with pytest.raises(error) as refused:
        await world.do("new", **{k: v for k, v in (CLAUDE | values).items() if v is not None})
    assert refused.value.hint or isinstance(refused.value, AmtuiError)
    nothing_anywhere(world)


async def test_a_key_that_is_missing_or_rejected(world: World) -> None:
    world.works = False  # type: ignore[attr-defined]
    with pytest.raises(GateRefused, match="401") as refused:
        await world.do("new", **CLAUDE)
    assert refused.value.exit_code == 5
    del world.env["T_KEY"]
    with pytest.raises(GateRefused, match="T_KEY"):
        await world.do("new", **CLAUDE)
    nothing_anywhere(world)
    assert "sk-planted" not in str(refused.value)


async def test_a_dead_host_is_refused_before_anything(world: World) -> None:
    world.host.error = Unreachable("no route to box")
    with pytest.raises(Unreachable):
        await world.do("new", **CLAUDE | {"on": "ssh:box"})
    nothing_anywhere(world)


async def test_default_autonomy_is_ask_and_the_document_says_so(world: World) -> None:
    done = await world.do("new", **CLAUDE)
    assert done.data["worker"]["autonomy"] == "ask"
    assert "socket" not in done.data["worker"]
    assert done.attach == "w"
    assert world.probes == ["t"]  # type: ignore[attr-defined]
    assert (await world.do("new", **CLAUDE | {"name": "v", "no_attach": True})).attach == ""


async def test_full_on_an_unconfined_computer_wants_consent(world: World) -> None:
    full = CLAUDE | {"autonomy": "full"}
    with pytest.raises(NeedsConfirmation) as refused:
        await world.do("new", **full)
    assert refused.value.exit_code == 4
    nothing_anywhere(world)
    asked: list[Question] = []

    async def ask(question: Question) -> str | None:
        asked.append(question)
        return ("yes", "full")[len(asked) - 1]

    world.ctx.ask = ask
    with pytest.raises(NeedsConfirmation):
        await world.do("new", **full)
    nothing_anywhere(world)
    await world.do("new", **full)
    assert [q.expect for q in asked] == ["full", "full"]
    assert world.store.worker("w").autonomy is Autonomy.FULL


async def test_the_gate_itself_refuses_full_without_consent(world: World) -> None:
    wish = deploy.Wish(name="w", substrate="local", runtime="claude", upstream="t", autonomy=Autonomy.FULL)
    with pytest.raises(GateRefused, match="full"):
        await deploy.create(world.estate, wish, unconfined_ok=False, offline=True)
    nothing_anywhere(world)


async def test_login_later_and_offline_ask_no_upstream(world: World) -> None:
    world.works = False  # type: ignore[attr-defined]
    await world.do("new", name="l", agent="claude", login="later")
    assert world.store.worker("l").login_later
    await world.do("new", **CLAUDE | {"offline": True})
    assert world.probes == []  # type: ignore[attr-defined]


async def test_two_of_one_name_at_once(world: World) -> None:
    shell = {"name": "w", "on": "local", "agent": "shell"}
    both = await asyncio.gather(world.do("new", **shell), world.do("new", **shell), return_exceptions=True)
    taken = [each for each in both if isinstance(each, BaseException)]
    assert [type(each) for each in taken] == [NameTaken]
    assert len(world.store.workers()) == 1


async def test_a_failing_phase_says_so_everywhere(world: World) -> None:
    spec = (await _prepared(None))[1].phases[1]
    world.run.error = PhaseFailed("w", spec, "no space left")  # type: ignore[attr-defined]
    items: list[Any] = []

    async def listen() -> None:
        async for item in registry.run(world.ctx, "new", CLAUDE):
            items.append(item)  # noqa: PERF401 - kept although it raises

    with pytest.raises(BootstrapFailed, match="no space left") as failed:
        await listen()
    assert failed.value.exit_code == 1
    assert "amtui bootstrap w" in failed.value.hint
    said = [item.text for item in items if isinstance(item, Progress)]
    assert "✓ place      Place  1.5 s" in said
    assert "✕ node       Node: no space left" in said
    assert [item.data for item in items if isinstance(item, Chunk)] == [b"npm says\n"]
    events = {event.kind: event.text for event in world.store.events()}
    assert "no space left" in events["unfinished"]
    assert "ready" not in events
    assert [p.status.value for p in world.store.phases(world.store.worker("w").id)] == ["done", "failed"]
    world.run.error = None  # type: ignore[attr-defined]
    done = await world.do("bootstrap", name="w", from_phase="node")
    assert [p["status"] for p in done.data["phases"]] == ["done", "done"]
    assert world.run.from_phase == "node"  # type: ignore[attr-defined]
    assert [event.kind for event in world.store.events()][-1] == "ready"


async def test_ctrl_c_leaves_a_worker_that_can_be_resumed(world: World) -> None:
    world.run.hold = asyncio.Event()  # type: ignore[attr-defined]
    before = asyncio.all_tasks()
    running = asyncio.create_task(world.do("new", **CLAUDE))
    await asyncio.wait_for(world.run.holds.wait(), 5)  # type: ignore[attr-defined]
    assert [p.status.value for p in world.store.phases(world.store.worker("w").id)] == ["done", "running"]
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert asyncio.all_tasks() == before, "nothing goes on behind our back"
    assert [worker.name for worker in world.store.workers()] == ["w"]
    world.run.hold = None  # type: ignore[attr-defined]
    assert (await world.do("bootstrap", name="w")).exit_code == 0


async def test_phases_to_come_are_known_from_the_start(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def cut(*_: Any, **__: Any) -> None:
        raise Unreachable("cut")

    monkeypatch.setattr(deploy, "run", cut)
    worker = world.add("w")
    with pytest.raises(Unreachable):
        await world.do("bootstrap", name="w")
    phases = [(phase.id, phase.status) for phase in world.store.phases(worker.id)]
    assert phases == [("place", PhaseStatus.PENDING), ("node", PhaseStatus.PENDING)]


async def test_a_bootstrap_wakes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[str] = []

    async def wake(place: Any, worker: Any, **_: Any) -> None:
        woken.append(worker.name)

    monkeypatch.setattr(remove, "wake", wake)
    world.add("w", asleep=True)
    await world.do("bootstrap", name="w")
    assert woken == ["w"]
    assert not world.store.worker("w").asleep


# set


async def test_set_records_and_waits_for_a_restart(world: World) -> None:
    world.add("w", runtime="claude", upstream="t")
    done = await world.do("set", name="w", model="m-2", autonomy="edits")
    worker = world.store.worker("w")
    assert (worker.model, worker.autonomy) == ("m-2", Autonomy.EDITS)
    assert done.data["restart_needed"]
    assert "amtui restart w" in done.text
    assert [(e.kind, e.text) for e in world.store.events()] == [("changed", "model m-2, autonomy edits")]
    assert {verb for verb, _ in world.host.calls} <= {"check"}, "its host is not touched"


async def test_set_that_is_refused_records_nothing(world: World) -> None:
    before = world.add("w", runtime="claude", upstream="t")
    world.works = False  # type: ignore[attr-defined]
    for values, error in (
        ({"upstream": "t"}, GateRefused),
        ({"upstream": "nope"}, AmtuiError),
        ({"autonomy": "full"}, NeedsConfirmation),
        ({"model": "-x"}, UsageError),
        ({}, UsageError),
    ):
        with pytest.raises(error):
            await world.do("set", name="w", **values)
    with pytest.raises(GateRefused):
        await deploy.change(world.estate, before, autonomy=Autonomy.FULL)
    assert world.store.worker("w") == before
    assert world.store.events() == []
    world.add("sh")
    with pytest.raises(UsageError, match="no model"):
        await world.do("set", name="sh", model="m")


async def test_consent_that_was_given_holds(world: World) -> None:
    world.add("w", runtime="claude", upstream="t", autonomy=Autonomy.FULL)
    await world.do("set", name="w", model="m-2")
    assert world.store.worker("w").model == "m-2"


async def test_an_upstream_replaces_the_login_put_off(world: World) -> None:
    world.add("w", runtime="claude", login_later=True)
    await world.do("set", name="w", upstream="t")
    worker = world.store.worker("w")
    assert (worker.upstream, worker.login_later) == ("t", False)
    assert world.probes == ["t"], "and is proved"  # type: ignore[attr-defined]


async def test_a_change_does_not_ask_for_the_repository_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreachable(url: str) -> None:
        raise Unreachable("no network")

    monkeypatch.setattr(deploy, "reachable", unreachable)
    world.add("w", runtime="claude", upstream="t", repo="https://example.org/r.git")
    await world.do("set", name="w", model="m-2")
    assert world.store.worker("w").repo == "https://example.org/r.git"


def test_phase_lines() -> None:
    skipped = Phase(id="tmux", title="Find tmux", status=PhaseStatus.SKIPPED)
    assert ops.phase_line(skipped) == "✓ tmux       Find tmux  already there"
