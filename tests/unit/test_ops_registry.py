"""The one way to run an operation, and what it may use: read-only holds at the registry, questions have rules."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from ops_world import World

from amtui.errors import NeedsConfirmation, Refused, UsageError
from amtui.model import Authority
from amtui.ops import registry
from amtui.ops.base import EVERYWHERE, Action, Effect, Op, Progress, Result, Surface
from amtui.ops.context import Question

every_op = pytest.mark.parametrize("op", registry.OPS, ids=lambda op: op.id)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    made.add("w")
    yield made
    await made.ctx.aclose()


@every_op
def test_every_operation_loads_and_explains_its_absences(op: Op) -> None:
    assert isinstance(op.load(), Action)
    assert registry.get(op.id) is op
    assert bool(op.absent) == (op.surfaces != EVERYWHERE)
    for surface in Surface:
        assert (op in registry.on(surface)) == (surface in op.surfaces)


@pytest.mark.parametrize(
    "op", [op for op in registry.OPS if op.effect is not Effect.READ], ids=lambda op: op.id
)
async def test_read_only_refuses_before_anything_is_loaded(
    world: World, monkeypatch: pytest.MonkeyPatch, op: Op
) -> None:
    world.ctx.read_only = world.ctx.yes = True
    monkeypatch.setattr(Op, "load", lambda self: pytest.fail("it was loaded"))
    with pytest.raises(Refused, match="read-only") as refused:
        await registry.result(world.ctx, op.id, {})
    assert refused.value.exit_code == 1
    assert world.host.calls == []


def test_what_changes_something_is_not_called_a_read() -> None:
    changing = {
        "new", "set", "send", "keys", "reply", "restart", "exec", "wake", "sleep", "destroy", "bootstrap", "git",
        "upstream add", "upstream rm", "secret set", "secret rm",
    }  # fmt: skip
    assert {op.id for op in registry.OPS if op.effect is not Effect.READ} >= changing
    assert registry.get("destroy").effect is Effect.DESTROY
    assert {op.id for op in registry.OPS} >= registry.LENIENT
    for op in registry.OPS:
        assert not (op.id.startswith("secret ") and Surface.MCP in op.surfaces)


async def test_reads_pass_in_read_only_mode(world: World) -> None:
    world.ctx.read_only = True
    for op_id, values in (("ls", {"cached": True}), ("events", {}), ("config path", {}), ("secret ls", {})):
        assert isinstance(await registry.result(world.ctx, op_id, values), Result)


@pytest.mark.parametrize(
    ("word", "near"), [("destory", "destroy"), ("upstream tset", "upstream test"), ("zzz", "--help")]
)
def test_an_unknown_operation_names_the_nearest(word: str, near: str) -> None:
    with pytest.raises(UsageError, match=word) as refused:
        registry.get(word)
    assert near in refused.value.hint


async def test_leaving_early_ends_what_was_begun(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []

    async def endless(ctx: Any, params: Any) -> AsyncIterator[Progress]:
        try:
            while True:
                yield Progress("on and on")
        finally:
            await asyncio.sleep(0)
            ended.append("ended")

    action = Action(registry.get("ls").load().params, endless)
    monkeypatch.setattr(Op, "load", lambda self: action)
    running = registry.run(world.ctx, "ls", {})
    await anext(running)
    await running.aclose()  # type: ignore[attr-defined]
    assert ended == ["ended"]


# The context


async def test_typing_is_refused_in_read_only_mode(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Authority] = []

    async def open_console(name: str, console: str, authority: Authority) -> Any:
        opened.append(authority)

    monkeypatch.setattr(world.estate, "open_console", open_console)
    world.ctx.read_only = True
    await world.ctx.open_console("w")
    with pytest.raises(Refused, match="typing"):
        await world.ctx.open_console("w", authority=Authority.TYPE)
    assert opened == [Authority.VIEW]
    world.ctx.read_only = False
    await world.ctx.open_console("w", authority=Authority.TYPE)
    assert opened == [Authority.VIEW, Authority.TYPE]


@pytest.mark.parametrize(
    ("question", "answer", "agreed"),
    [
        (Question("confirm", "t", "x"), "yes", True),
        (Question("confirm", "t", "x"), None, False),
        (Question("name", "t", "x", expect="web-1"), "web-1", True),
        (Question("name", "t", "x", expect="web-1"), "web", False),
        (Question("name", "t", "x", expect="web-1"), "yes", False),
    ],
)
async def test_a_question_is_answered_in_its_own_words(
    world: World, question: Question, answer: str | None, agreed: bool
) -> None:
    async def ask(asked: Question) -> str | None:
        assert asked == question
        return answer

    world.ctx.ask = ask
    if agreed:
        await world.ctx.confirm(question)
        return
    with pytest.raises(NeedsConfirmation):
        await world.ctx.confirm(question)


async def test_nobody_to_ask_and_consent_in_advance(world: World) -> None:
    with pytest.raises(NeedsConfirmation, match="t: x") as refused:
        await world.ctx.confirm(Question("confirm", "t", "x"))
    assert "--yes" in refused.value.hint
    world.ctx.yes = True
    await world.ctx.confirm(Question("name", "t", "x", expect="w"))


async def test_a_passphrase_has_an_answer_or_none(world: World) -> None:
    ask = world.estate._ask
    assert await ask("box") is None

    async def refuse(question: Question) -> str | None:
        raise NeedsConfirmation("nobody here")

    async def type_it(question: Question) -> str | None:
        return f"{question.kind}:{question.text}"

    world.ctx.ask = refuse
    assert await ask("box") is None
    world.ctx.ask = type_it
    assert await ask("box") == "secret:box"


async def test_closing_stops_the_loops(world: World) -> None:
    before = asyncio.all_tasks()
    await world.ctx.fleet.start()
    await asyncio.sleep(0)
    await world.ctx.aclose()
    assert asyncio.all_tasks() == before
