"""send, keys, wait, exec: outcomes, exit codes, once only, in time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from ops_world import World

from amtui.console import server
from amtui.console.server import SendOutcome
from amtui.errors import (
    AmtuiError,
    ExecTimeout,
    NeedsConfirmation,
    Refused,
    UnknownName,
    Unreachable,
    UsageError,
    WaitTimeout,
    WrongState,
)
from amtui.fleet import lifecycle
from amtui.model import AgentState, AgentStatus, Untrusted
from amtui.ops import console
from amtui.ops.base import Chunk, Progress
from amtui.providers.base import Exit, Gap, Output


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path, stdin=lambda: "piped\r\n")
    made.worker = made.add("w")  # type: ignore[attr-defined]
    yield made
    await made.ctx.aclose()


class Typed:
    """Stands where the console is: gives the outcomes it was told to, notes what was typed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *outcomes: SendOutcome | AmtuiError) -> None:
        self.outcomes = list(outcomes)
        self.texts: list[str] = []
        self.ids: list[str] = []
        monkeypatch.setattr(server, "send", self.send)
        monkeypatch.setattr(server, "keys", self.keys)

    async def send(
        self,
        place: Any,
        name: str,
        text: str,
        *,
        enter: bool,
        guard: Any,
        id: str,  # noqa: A002
    ) -> SendOutcome:
        self.texts.append(text)
        self.ids.append(id)
        return self._next()

    async def keys(self, place: Any, name: str, names: Any, guard: Any = None) -> SendOutcome:
        return self._next()

    def _next(self) -> SendOutcome:
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, AmtuiError):
            raise outcome
        return outcome


SUBMITTED = SendOutcome("submitted")


async def test_the_same_id_is_typed_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = Typed(monkeypatch, SUBMITTED, SUBMITTED)
    first = await world.do("send", name="w", text="hello", id="k1")
    again = await world.do("send", name="w", text="hello", id="k1")
    assert (first.data["outcome"], again.data["outcome"], again.data["repeated"]) == (
        "submitted",
        "submitted",
        True,
    )
    assert again.exit_code == 0
    assert typed.texts == ["hello"]
    await world.do("send", name="w", text="hello", id="k2")
    assert typed.texts == ["hello", "hello"]


@pytest.mark.parametrize(
    "first",
    [
        SendOutcome("refused", "prompt"),
        SendOutcome("unknown", "lost"),
        SendOutcome("typed", "guard"),
        Unreachable("no route"),
    ],
)
async def test_what_did_not_happen_is_not_remembered(
    world: World, monkeypatch: pytest.MonkeyPatch, first: SendOutcome | AmtuiError
) -> None:
    typed = Typed(monkeypatch, first, SUBMITTED)
    try:
        code = (await world.do("send", name="w", text="x", id="k")).exit_code
    except AmtuiError as error:
        code = error.exit_code
    assert code != 0
    again = await world.do("send", name="w", text="x", id="k")
    assert again.exit_code == 0
    assert "repeated" not in again.data
    assert len(set(typed.ids)) == 1, "the worker knows it by the same id"


async def test_typed_is_success_only_where_enter_was_not_wanted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    Typed(monkeypatch, SendOutcome("typed"), SendOutcome("typed", "guard"))
    assert (await world.do("send", name="w", text="x", no_enter=True)).exit_code == 0
    left = await world.do("send", name="w", text="x")
    assert (left.exit_code, left.text) == (1, "typed (guard)")


async def test_dash_reads_stdin_without_its_last_newline(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = Typed(monkeypatch, SUBMITTED)
    await world.do("send", name="w", text="-")
    assert typed.texts == ["piped"]
    world.ctx.stdin = None
    with pytest.raises(UsageError, match="stdin"):
        await world.do("send", name="w", text="-")
    with pytest.raises(UsageError, match="UTF-8"):
        await world.do("send", name="w", text="\udcff", id="k")


async def test_refusals_say_why_and_what_next(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    Typed(monkeypatch, SendOutcome("refused", "prompt"), SendOutcome("refused", "dead"))
    with pytest.raises(Refused, match="question") as refused:
        await world.do("send", name="w", text="x")
    assert "reply" in refused.value.hint
    with pytest.raises(Refused, match="dead"):
        await world.do("send", name="w", text="x")
    assert [event.text for event in world.store.events()] == ["refused prompt", "refused dead"], (
        "and no text of it"
    )


async def test_keys_whose_fate_is_unknown_are_no_success(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    Typed(
        monkeypatch, SendOutcome("submitted"), SendOutcome("unknown", "lost"), SendOutcome("refused", "dead")
    )
    assert (await world.do("keys", name="w", keys=["Enter"])).exit_code == 0
    assert (await world.do("keys", name="w", keys=["Enter"])).exit_code == 1
    with pytest.raises(Refused):
        await world.do("keys", name="w", keys=["Enter"])
    with pytest.raises(UsageError, match="KEY"):
        await world.do("keys", name="w", keys=[])


# wait


class Seen:
    """What each look brings: a status, or None where nobody answers."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch, *statuses: AgentStatus | None) -> None:
        self.statuses = list(statuses)
        self.looks = 0
        monkeypatch.setattr(world.ctx.fleet, "refresh", self.refresh)
        monkeypatch.setattr(console, "POLL", 0.001)

    async def refresh(self, worker: Any) -> dict[str, AgentState]:
        await asyncio.sleep(0)
        self.looks += 1
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return {} if status is None else {worker.id: AgentState(status=status, text="tests")}


async def test_wait_ends_with_the_state(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    Seen(world, monkeypatch, AgentStatus.WORKING, AgentStatus.WORKING, AgentStatus.DONE)
    items = await world.all("wait", name="w")
    assert [item.text for item in items if isinstance(item, Progress)] == ["w is working"]
    assert items[-1].data["agent"]["status"] == "done"
    assert items[-1].text == "done: tests"


async def test_wait_believes_only_what_it_sees_now(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.store.put_state(world.worker.id, AgentState(status=AgentStatus.DONE, seen_at=world.now))  # type: ignore[attr-defined]
    Seen(world, monkeypatch, None)
    with pytest.raises(WaitTimeout, match="not answering") as late:
        await world.do("wait", name="w", timeout=0.02)
    assert late.value.exit_code == 7


async def test_wait_zero_looks_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Seen(world, monkeypatch, AgentStatus.IDLE)
    assert (await world.do("wait", name="w", until="idle", timeout=0)).exit_code == 0
    with pytest.raises(WaitTimeout, match="w is idle after 0 s, not done"):
        await world.do("wait", name="w", until="done", timeout=0)
    assert seen.looks == 2


async def test_wait_for_a_worker_that_is_destroyed_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    Seen(world, monkeypatch, AgentStatus.WORKING)
    waiting = asyncio.create_task(world.do("wait", name="w"))
    await asyncio.sleep(0)
    world.store.remove_worker(world.worker.id)  # type: ignore[attr-defined]
    with pytest.raises(UnknownName):
        await asyncio.wait_for(waiting, 5)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"until": "need-you"}, "did you mean needs-you"),
        ({"until": " , "}, "no state"),
        ({"until": "done,qqqq"}, "qqqq"),
        ({"timeout": -1}, "--timeout"),
        ({"timeout": math.nan}, "--timeout"),
        ({"timeout": "soon"}, "--timeout"),
    ],
)
async def test_wait_refuses_nonsense_at_once(world: World, values: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        await world.do("wait", name="w", **values)


# exec


async def test_exec_passes_output_and_status_on(world: World) -> None:
    world.host.events = [Output("stdout", b"o\xff"), Output("stderr", b"e"), Gap("a gap"), Exit(3)]
    items = await world.all("exec", name="w", command=["make", "it"])
    assert [(item.stream, item.data) for item in items if isinstance(item, Chunk)] == [
        ("stdout", b"o\xff"),
        ("stderr", b"e"),
    ]
    assert [item.text for item in items if isinstance(item, Progress)] == ["output lost: a gap"]
    result = items[-1]
    assert result.exit_code == result.data["exit_code"] == 3
    assert (result.data["stdout"], result.data["stderr"]) == (Untrusted(b"o\xff", "").for_json(), "e")
    (command,) = world.kind_of("stream")
    assert list(command.argv)[-2:] == ["make", "it"]
    assert command.stdin == b"", "a command that reads must not wait for ever"


@pytest.mark.parametrize(
    ("ended", "code"),
    [(Exit(None, "KILL"), 137), (Exit(None, "INT"), 130), (Exit(None, "ODD"), 128), (Exit(0), 0), (None, 1)],
)
async def test_exec_tells_signals_as_a_shell_does(world: World, ended: Exit | None, code: int) -> None:
    world.host.events = [ended] if ended else []
    assert (await world.do("exec", name="w", command=["x"])).exit_code == code


async def test_exec_ends_in_time(world: World) -> None:
    world.host.events = [Output("stdout", b"so far"), asyncio.Event().wait]
    with pytest.raises(ExecTimeout, match=r"0\.01 s") as late:
        await world.do("exec", name="w", command=["sleep", "9"], timeout=0.01)
    assert late.value.exit_code == 7
    assert late.value.stdout == b"so far"
    assert world.host.closed == 1, "leaving kills it"


async def test_exec_left_early_kills_the_command(world: World) -> None:
    from amtui.ops import registry

    world.host.events = [Output("stdout", b"x"), asyncio.Event().wait]
    running = registry.run(world.ctx, "exec", {"name": "w", "command": ["tail", "-f"]})
    await anext(running)
    await running.aclose()  # type: ignore[attr-defined]
    assert world.host.closed == 1


async def test_exec_bounds_its_document(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "KEPT", 4)
    world.host.events = [Output("stdout", b"abc"), Output("stdout", b"def"), Exit(0)]
    data = (await world.do("exec", name="w", command=["x"])).data
    assert (data["stdout"], data["truncated"]) == ("abcd", True)


async def test_exec_before_there_is_a_place(world: World) -> None:
    world.add("young", root=False)
    with pytest.raises(WrongState) as refused:
        await world.do("exec", name="young", command=["x"])
    assert "amtui bootstrap young" in refused.value.hint
    with pytest.raises(UsageError, match="CMD"):
        await world.do("exec", name="w", command=[])


async def test_attaching_to_a_sleeping_worker_asks_before_it_wakes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking never wakes; who attaches is asked, and a no changes nothing."""
    asked: list[str] = []
    answers: list[str | None] = [None, "yes"]

    async def ask(question: Any) -> str | None:
        asked.append(question.title)
        return answers.pop(0)

    world = World(tmp_path, ask=ask)
    world.add("w", asleep=True)
    woken: list[str] = []

    async def wake(estate: Any, worker: Any) -> None:
        woken.append(worker.name)

    monkeypatch.setattr(lifecycle, "wake", wake)
    with pytest.raises(NeedsConfirmation):
        await world.do("attach", name="w")
    assert (asked, woken) == (["wake w"], [])
    assert (await world.do("attach", name="w")).attach == "w"
    assert woken == ["w"]
    world.ctx.read_only = True
    assert (await world.do("attach", name="w")).attach == "w"
    assert len(asked) == 2, "who may only look is not asked to change anything"
    assert woken == ["w"]
    await world.ctx.aclose()


@pytest.mark.parametrize(
    ("word", "console"),
    [("", "amconsole"), ("1", "amconsole"), ("2", "amconsole-2"), ("amconsole-9", "amconsole-9")],
)
async def test_a_console_by_number_or_name_costs_no_look(world: World, word: str, console: str) -> None:
    result = await world.do("attach", name="w", console=word)
    assert (result.attach, result.console) == ("w", console)
    assert world.kind_of("exec") == []
