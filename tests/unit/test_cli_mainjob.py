"""The trial: its steps, its words, and that it cleans up and tells the truth when a step fails."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from amtui.cli import main, mainjob
from amtui.errors import BootstrapFailed, Refused
from amtui.ops import registry
from amtui.ops.base import Progress, Result, Yield


class FakeConsole:
    """A shell that computes sums, or one that does not answer."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.status = SimpleNamespace(columns=120, rows=36, level="duplex")
        self.screen = SimpleNamespace(display=["$ "])
        self.typed = b""
        self.released = False
        self.listeners: list[Callable[[], None]] = []

    async def ready(self, timeout: float) -> None: ...

    def listen(self, call: Callable[[], None]) -> Callable[[], None]:
        self.listeners.append(call)
        return lambda: self.listeners.remove(call)

    def type(self, data: bytes, *, control: bool) -> None:
        self.typed += data

    async def drain(self, timeout: float) -> None:
        sums = re.search(rb"echo sum-\$\(\((\d+)\+(\d+)\)\)-\r", self.typed)
        assert sums is not None
        answer = f"sum-{int(sums[1]) + int(sums[2])}-"
        self.screen.display = [f"$ {self.typed.decode()}", *([answer] if self.world.answers else [])]
        self.world.rows = self.screen.display
        for call in self.listeners:
            call()

    async def release(self) -> None:
        self.released = True


class World:
    """The operations that the trial uses, over a fleet of at most one worker."""

    def __init__(self) -> None:
        self.workers: list[str] = []
        self.rows: list[str] = []
        self.answers = True
        self.fails: dict[str, BaseException] = {}
        self.calls: list[str] = []
        self.console = FakeConsole(self)
        self.closed = False

    async def run(self, _ctx: object, op_id: str, params: dict[str, Any]) -> AsyncIterator[Yield]:
        self.calls.append(op_id)
        yield Progress(f"doing {op_id}")
        if op_id == "new":
            assert (params["on"], params["agent"], params["no_attach"]) == ("local", "shell", True)
            self.workers.append(params["name"])
        if op_id in self.fails:
            raise self.fails[op_id]
        if op_id == "destroy":
            for name in params["name"]:
                self.workers.remove(name)
        yield Result(
            {
                "workers": [{"name": name} for name in self.workers],
                "phases": [{"id": "place", "status": "done"}],
                "rows": self.rows,
            }
        )

    async def result(self, ctx: object, op_id: str, params: dict[str, Any]) -> Result:
        last = Result()
        async for item in self.run(ctx, op_id, params):
            if isinstance(item, Result):
                last = item
        return last

    async def open_console(self, name: str, *, authority: str) -> FakeConsole:
        assert authority == "type"
        return self.console

    async def aclose(self) -> None:
        self.closed = True


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(registry, "run", made.run)
    monkeypatch.setattr(registry, "result", made.result)
    monkeypatch.setattr(mainjob, "Context", SimpleNamespace(open=lambda *_a, **_k: made))
    monkeypatch.setattr(mainjob, "PATIENCE", 0.2)
    return made


def test_each_step_is_told(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    assert main.run([]) == 0
    out, err = capfd.readouterr()
    steps = [line.split()[1] for line in out.splitlines() if line.startswith("✓")]
    assert steps == ["deploy", "bootstrap", "attach", "type", "read", "destroy"]
    assert "doing new" in err
    assert world.workers == []
    assert world.console.released
    assert world.closed


def test_a_failed_trial_does_not_advise_on_the_worker_that_it_destroyed(
    world: World, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    async def fails(ctx: object, op_id: str, params: dict[str, Any]) -> AsyncIterator[Yield]:
        if op_id == "new":
            world.workers.append(params["name"])
            raise BootstrapFailed("no tmux", f"amtui bootstrap {params['name']}")
        async for item in world.run(ctx, op_id, params):
            yield item

    monkeypatch.setattr(registry, "run", fails)
    assert main.run([]) == 1
    assert world.workers == []
    said = capfd.readouterr().err
    assert "amtui doctor" in said and "amtui bootstrap" not in said


def test_the_same_for_programs(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["ok"]
    assert [step["step"] for step in document["steps"]] == [
        "deploy", "bootstrap", "attach", "type", "read back", "destroy",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("op", "error", "code"),
    [("new", BootstrapFailed("no tmux", "install tmux"), 1), ("screen", KeyboardInterrupt(), 130)],
)
def test_what_was_made_is_removed_after_a_failure(
    world: World, op: str, error: BaseException, code: int, capfd: pytest.CaptureFixture[str]
) -> None:
    world.fails[op] = error
    assert main.run([]) == code
    assert world.workers == []
    assert world.calls[-1] == "destroy"
    assert "✕" in capfd.readouterr().out
    assert world.closed


def test_an_echo_is_not_an_answer(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    world.answers = False
    assert main.run([]) == 7
    out, err = capfd.readouterr()
    assert "✕ read back" in out
    assert "did not appear" in err
    assert world.console.released
    assert world.workers == []


def test_a_failure_to_clean_up_is_told_and_does_not_hide_the_first(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    world.fails = {"new": BootstrapFailed("the first", ""), "destroy": Refused("the second", "")}
    assert main.run([]) == 1
    said = capfd.readouterr().err
    assert said.index("the second") < said.index("the first")
    world.fails = {"destroy": Refused("only this", "")}
    world.workers.clear()
    assert main.run([]) == 1
    assert "only this" in capfd.readouterr().err
