"""restart, sleep, wake, destroy: harmless twice, honest about the dead and the unborn, several at a time."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ops_world import World

from amtui.bootstrap import remove
from amtui.console import server
from amtui.errors import (
    AmtuiError,
    ExecTimeout,
    NeedsConfirmation,
    NotFound,
    Refused,
    StateGone,
    UnknownName,
    Unreachable,
    UsageError,
    WrongState,
)
from amtui.fleet import agent, lifecycle
from amtui.model import AgentState, AgentStatus, Phase, PhaseStatus
from amtui.ops.context import Question


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    made = World(tmp_path, yes=True)
    made.done: list[tuple[str, str]] = []  # type: ignore[attr-defined]

    def noted(verb: str, answer: Any = None) -> Any:
        async def call(place: Any, *_: Any, **__: Any) -> Any:
            if made.host.error:
                raise made.host.error
            made.done.append((verb, place.root))  # type: ignore[attr-defined]
            return answer

        return call

    monkeypatch.setattr(remove, "destroy", noted("destroy", remove.Removed.REMOVED))
    monkeypatch.setattr(remove, "sleep", noted("sleep"))
    monkeypatch.setattr(remove, "wake", noted("wake"))
    monkeypatch.setattr(server, "restart", noted("restart"))
    monkeypatch.setattr(lifecycle, "unsaved", lambda *_, **__: _lines())
    monkeypatch.setattr(lifecycle, "ended", lambda *_: _nothing_wrong())
    monkeypatch.setattr(lifecycle.Configuration, "apply", lambda self, say: _lines())
    yield made
    await made.ctx.aclose()


async def _nothing_wrong() -> str:
    return ""


async def _lines(*lines: str) -> list[str]:
    return list(lines)


def verbs(world: World) -> list[str]:
    return [verb for verb, _ in world.done]  # type: ignore[attr-defined]


def kinds(world: World) -> list[str]:
    return [event.kind for event in world.store.events()]


async def test_sleep_and_wake_are_harmless_twice(world: World) -> None:
    world.add("w")
    assert (await world.do("sleep", name=["w", "w"])).data["asleep"] == ["w"]
    assert world.store.worker("w").asleep
    await world.do("sleep", name=["w", "w"])
    assert verbs(world) == ["sleep"]
    await world.do("wake", name=["w"])
    assert not world.store.worker("w").asleep
    await world.do("wake", name=["w"])
    assert kinds(world) == ["asleep", "awake"]


async def test_restart_wakes(world: World) -> None:
    worker = world.add("w", asleep=True)
    await world.do("restart", name="w")
    assert verbs(world) == ["restart", "wake"], "the mark of its sleep is taken away as well"
    assert not world.store.worker("w").asleep
    assert world.store.states()[worker.id].status is AgentStatus.UNKNOWN


async def test_a_restart_of_a_program_that_is_not_there_fails_with_its_last_words(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It said "restarted" and exit 0 while the agent was dead."""
    world.add("w")
    dead = SimpleNamespace(name="amconsole", dead=True, status="127")

    async def consoles(place: Any) -> list[Any]:
        return [dead]

    async def capture(place: Any, console: str) -> Any:
        return SimpleNamespace(rows=("launch: 9: codex: not found", "", "Pane is dead (status 127)", ""))

    monkeypatch.setattr(lifecycle, "ended", agent.ended)
    monkeypatch.setattr(server, "consoles", consoles)
    monkeypatch.setattr(server, "capture", capture)
    with pytest.raises(WrongState, match="127: launch: 9: codex: not found") as refused:
        await world.do("restart", name="w")
    assert "amtui bootstrap w" in refused.value.hint
    assert kinds(world) == ["failed"]


@pytest.mark.parametrize("verb", ["restart", "sleep", "wake"])
async def test_a_dead_host_changes_nothing(world: World, verb: str) -> None:
    world.add("w", "ssh:box", asleep=verb == "wake")
    before = world.store.worker("w")
    world.host.error = Unreachable("no route to box")
    with pytest.raises(Unreachable) as refused:
        await world.do(verb, name="w" if verb == "restart" else ["w"])
    assert refused.value.exit_code == 6
    assert world.store.worker("w") == before
    assert kinds(world) == []


@pytest.mark.parametrize("verb", ["restart", "sleep", "wake"])
async def test_a_worker_that_was_never_placed(world: World, verb: str) -> None:
    world.add("w", root=False)
    with pytest.raises(WrongState) as refused:
        await world.do(verb, name="w" if verb == "restart" else ["w"])
    assert refused.value.hint == "amtui bootstrap w"
    assert world.done == []  # type: ignore[attr-defined]
    assert world.host.calls == []


@pytest.mark.parametrize("status", [PhaseStatus.FAILED, PhaseStatus.RUNNING, PhaseStatus.PENDING])
async def test_a_bootstrap_that_did_not_finish(world: World, status: PhaseStatus) -> None:
    worker = world.add("w")
    world.store.put_phase(worker.id, Phase(id="place", title="Place", status=PhaseStatus.DONE))
    world.store.put_phase(worker.id, Phase(id="node", title="Bring Node", status=status))
    for verb in ("restart", "wake"):
        with pytest.raises(WrongState, match="Bring Node"):
            await world.do(verb, name="w" if verb == "restart" else ["w"])
    world.store.put_phase(worker.id, Phase(id="node", title="Bring Node", status=PhaseStatus.SKIPPED))
    world.store.put_phase(worker.id, Phase(id="extra", title="Nice", status=PhaseStatus.FAILED, core=False))
    world.store.put_phase(worker.id, Phase(id="verify", title="Verify", status=PhaseStatus.FAILED))
    await world.do("restart", name="w")


async def test_files_that_are_gone_are_not_made_again_by_a_restart(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add("w")

    async def missing(host_id: str, path: str) -> Any:
        raise NotFound(f"no {path}")

    monkeypatch.setattr(world.host, "stat", missing)
    for verb in ("restart", "wake"):
        with pytest.raises(StateGone) as gone:
            await world.do(verb, name="w" if verb == "restart" else ["w"])
        assert "amtui bootstrap w" in gone.value.hint
    assert world.done == []  # type: ignore[attr-defined]


async def test_restart_of_a_working_agent_asks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add("w", runtime="claude")
    world.ctx.yes = False

    async def working(worker: Any = None) -> dict[str, AgentState]:
        return {worker.id: AgentState(status=AgentStatus.WORKING, text="tests")}

    monkeypatch.setattr(world.ctx.fleet, "refresh", working)
    with pytest.raises(NeedsConfirmation, match="tests") as refused:
        await world.do("restart", name="w")
    assert refused.value.exit_code == 4
    assert verbs(world) == []


# destroy


async def test_destroy_forgets_after_the_host_has(world: World) -> None:
    world.add("w")
    done = await world.do("destroy", name=["w"])
    assert done.data["destroyed"] == [{"name": "w", "outcome": "removed"}]
    assert world.store.workers() == []
    assert world.store.open_intents() == []
    again = await world.do("destroy", name=["w"])
    assert (again.exit_code, again.data["destroyed"]) == (0, [{"name": "w", "outcome": "gone"}])
    assert "before" in again.text
    with pytest.raises(UnknownName):
        await world.do("destroy", name=["never"])


async def test_destroy_of_an_unreachable_host_forgets_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = world.add("w", "ssh:box")
    world.host.error = Unreachable("no route to box")
    monkeypatch.undo()  # the real way to what is unsaved, which asks the host
    for tries in (1, 2):
        with pytest.raises(Unreachable) as refused:
            await world.do("destroy", name=["w"])
        assert "amtui destroy w --forget" in refused.value.hint
        assert len(world.host.calls) == tries, "it is dialled once"
    assert world.store.workers() == [worker]
    assert world.store.open_intents() == [], "each try is settled"
    assert kinds(world) == []


async def test_a_worker_whose_host_is_gone_for_good_is_forgotten_after_a_plain_word(world: World) -> None:
    """Its row could never be got rid of."""
    worker = world.add("w", "ssh:box")
    world.host.error = Unreachable("no route to box")
    asked: list[Question] = []
    answers = ["yes", "w"]

    async def ask(question: Question) -> str | None:
        asked.append(question)
        return answers[len(asked) - 1]

    world.ctx.yes, world.ctx.ask = False, ask
    with pytest.raises(NeedsConfirmation):
        await world.do("destroy", name=["w"], forget=True)
    assert world.store.workers() == [worker]
    done = await world.do("destroy", name=["w"], forget=True)
    assert done.data["destroyed"] == [{"name": "w", "outcome": "forgotten"}]
    assert all(worker.root in text and "ssh:box is not asked" in text for text in (asked[0].text, done.text))
    assert world.store.workers() == [] and world.store.open_intents() == []
    assert world.host.calls == [], "the host is not asked"
    assert (await world.do("destroy", name=["w"])).data["destroyed"][0]["outcome"] == "gone"


async def test_destroy_of_what_was_never_placed_needs_no_host(world: World) -> None:
    world.add("w", "ssh:dead", root=False)
    world.host.error = Unreachable("no route")
    done = await world.do("destroy", name=["w"])
    assert done.data["destroyed"] == [{"name": "w", "outcome": "gone"}]
    assert world.host.calls == []
    assert world.store.workers() == []


async def test_destroy_asks_for_the_name_and_names_the_losses(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add("w")
    monkeypatch.setattr(lifecycle, "unsaved", lambda *_, **__: _lines("3 changed files in app"))
    asked: list[Question] = []
    answers = [None, "yes", "w"]

    async def ask(question: Question) -> str | None:
        asked.append(question)
        return answers[len(asked) - 1]

    world.ctx.yes, world.ctx.ask = False, ask
    for _ in range(2):
        with pytest.raises(NeedsConfirmation) as refused:
            await world.do("destroy", name=["w"])
        assert refused.value.exit_code == 4
    assert verbs(world) == []
    await world.do("destroy", name=["w"])
    assert verbs(world) == ["destroy"]
    assert {(q.kind, q.expect) for q in asked} == {("name", "w")}
    assert "3 changed files in app" in asked[0].text


async def test_what_cannot_be_known_is_said_before_it_is_lost(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = world.add("w", "ssh:box")

    async def late(*_: Any, **__: Any) -> Any:
        raise ExecTimeout("git waits")

    monkeypatch.setattr(lifecycle, "unsaved", late)
    (line,) = await lifecycle.losses(world.estate, worker)
    assert "unknown" in line and "git waits" in line


async def test_nobody_to_ask_is_exit_four(world: World) -> None:
    world.add("w")
    world.ctx.yes = False
    with pytest.raises(NeedsConfirmation, match="w") as refused:
        await world.do("destroy", name=["w"])
    assert "--yes" in refused.value.hint


async def test_one_that_fails_does_not_keep_the_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        world.add(name)
    real = lifecycle.sleep

    async def sleep(estate: Any, worker: Any) -> None:
        if worker.name == "b":
            raise Unreachable("no route to b")
        await real(estate, worker)

    monkeypatch.setattr(lifecycle, "sleep", sleep)
    done = await world.do("sleep", name=["a", "b", "c"])
    assert done.exit_code == 6
    assert done.data["asleep"] == ["a", "c"]
    assert done.data["failed"][0]["message"] == "no route to b"
    assert "no route to b" in done.text


async def test_an_unknown_name_stops_all_before_anything_is_lost(world: World) -> None:
    world.add("a")
    with pytest.raises(UnknownName):
        await world.do("destroy", name=["a", "typo"])
    with pytest.raises(UsageError, match="NAME"):
        await world.do("destroy", name=[])
    assert verbs(world) == []
    with contextlib.suppress(AmtuiError):
        await world.do("sleep", name=["a", "typo"])
    assert verbs(world) == []


async def test_a_worker_whose_directory_is_not_provably_its_own_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add("w")
    world.host.error = Refused("w was not removed")
    with pytest.raises(Refused):
        await world.do("destroy", name=["w"])
    assert [worker.name for worker in world.store.workers()] == ["w"]
