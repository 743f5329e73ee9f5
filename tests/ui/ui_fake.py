"""A fleet that exists only in the test: rows, consoles with a real emulator screen, noted operations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from msgspec import Struct

from amtui.emulator import Screen, Stream
from amtui.errors import AmtuiError, UnknownName
from amtui.model import (
    MAIN_CONSOLE,
    AgentState,
    AgentStatus,
    Authority,
    Autonomy,
    Host,
    HostState,
    Phase,
    Worker,
    WorkerRow,
)
from amtui.ops.base import Chunk, Op, Progress, Result, Yield
from amtui.ops.consoles import Tab
from amtui.ops.params import Field
from amtui.screens.operations import Operations

NOW = 1_790_000_000.0
"""The frozen clock, Unix seconds."""


@dataclass
class FakeStatus:
    """A link that is live until a test says otherwise."""

    link: str = "live"
    detail: str = ""
    level: str = "L3"
    rtt: float | None = 0.034
    since: float = NOW - 12
    """Real links count a monotonic clock; the tests freeze both to NOW."""
    columns: int = 80
    rows: int = 24
    size_owner: str = ""
    unacked: int = 0
    generation: int = 1
    refused: bytes = b""
    unread: bytes = b""
    refusal: str = ""
    exit_status: str = ""


class FakeConsole:
    """What the hub shares between handles: one screen, one status."""

    def __init__(self, data: bytes = b"", columns: int = 80, lines: int = 24) -> None:
        self.screen = Screen(columns=columns, lines=lines, history=5000)
        self.stream = Stream(self.screen)
        self.status = FakeStatus(columns=columns, rows=lines)
        self.listeners: list[Callable[[], None]] = []
        self.typed = bytearray()
        self.calls: list[tuple[str, Any]] = []
        self.open_handles = 0
        self.feed(data)

    def feed(self, data: bytes) -> None:
        """The remote printed this."""
        self.stream.feed(data)
        self.changed()

    def changed(self) -> None:
        """Tell the views."""
        for fn in list(self.listeners):
            fn()


class FakeHandle:
    """A view handle: it has nothing to type with."""

    def __init__(self, console: FakeConsole) -> None:
        self.console = console
        self.released = False
        self.visible = True
        console.open_handles += 1

    @property
    def screen(self) -> Screen:
        return self.console.screen

    @property
    def status(self) -> FakeStatus:
        return self.console.status

    def listen(self, fn: Callable[[], None]) -> Callable[[], None]:
        self.console.listeners.append(fn)
        return lambda: self.console.listeners.remove(fn) if fn in self.console.listeners else None

    async def ready(self, timeout: float = 5.0) -> None:
        return

    async def history(self, first: int, count: int) -> Any:
        self.console.calls.append(("history", (first, count)))
        return None

    async def release(self) -> None:
        assert not self.released, "released twice"
        self.released = True
        self.console.open_handles -= 1


class FakeTypingHandle(FakeHandle):
    """A handle with authority to type; it writes down what it was given."""

    def type(self, data: bytes, *, control: bool = False) -> None:
        self.console.typed += data
        self.console.calls.append(("type", (data, control)))

    def paste(self, data: bytes) -> None:
        self.console.calls.append(("paste", data))

    async def resize(self, columns: int, rows: int) -> bool:
        self.console.calls.append(("resize", (columns, rows)))
        self.console.screen.resize(rows, columns)
        self.console.changed()
        return True


class FakeConsoles:
    """A list of consoles that a test changes."""

    def __init__(self, *tabs: Tab) -> None:
        self.tabs: tuple[Tab, ...] | None = tabs
        self.listeners: list[Callable[[], None]] = []
        self.released = self.refreshed = 0

    def put(self, *tabs: Tab) -> None:
        """These are the consoles from now on."""
        self.tabs = tabs
        for fn in list(self.listeners):
            fn()

    def listen(self, fn: Callable[[], None]) -> Callable[[], None]:
        self.listeners.append(fn)
        return lambda: self.listeners.remove(fn)

    def refresh(self) -> None:
        self.refreshed += 1

    def release(self) -> None:
        self.released += 1
        self.listeners.clear()


class FakeFleet:
    """Rows a test sets."""

    def __init__(self, rows: tuple[WorkerRow, ...]) -> None:
        self._rows = rows
        self.revision = 1
        self.listeners: list[Callable[..., None]] = []
        self.started = False
        self.asked = 0

    def rows(self) -> tuple[WorkerRow, ...]:
        return self._rows

    def put(self, *rows: WorkerRow) -> None:
        """These are the workers from now on."""
        self._rows = rows
        self.revision += 1
        for fn in list(self.listeners):
            fn(rows)

    def subscribe(self, fn: Callable[..., None]) -> Callable[[], None]:
        self.listeners.append(fn)
        return lambda: self.listeners.remove(fn)

    def refresh_now(self) -> None:
        self.asked += 1

    async def start(self) -> None:
        self.started = True

    async def stop(self) -> None:
        self.started = False


class FakeConfig:
    """An empty configuration file, or sections a test sets."""

    def __init__(self, **sections: Any) -> None:
        self.sections = sections

    def section(self, name: str, type_: Any) -> Any:
        return self.sections.get(name) or type_()


@dataclass
class FakeContext:
    """`ops.context.Context` as far as screens use it."""

    fleet: FakeFleet
    crash_dir: Path
    consoles: dict[str, FakeConsole] = field(default_factory=dict)
    read_only: bool = False
    predict: str = "auto"
    config: FakeConfig = field(default_factory=FakeConfig)
    ask: Any = None
    logs: dict[str, list[str]] = field(default_factory=dict)
    opened: list[tuple[str, Authority]] = field(default_factory=list)
    fail_open: AmtuiError | None = None
    gate: asyncio.Event | None = None
    """Holds the opening of consoles until it is set."""
    waiting: int = 0
    """How often it held one."""
    lists: dict[str, FakeConsoles] = field(default_factory=dict)
    """What a worker's host tells of its consoles; without it, nothing."""
    questions: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    """Worker name → question and options on its screen."""

    @property
    def paths(self) -> Any:
        return SimpleNamespace(crash_dir=self.crash_dir, state_dir=self.crash_dir, cache_dir=self.crash_dir)

    async def open_console(
        self, name: str, console: str = "amconsole", authority: Authority = Authority.VIEW
    ) -> FakeHandle:
        if self.fail_open is not None:
            raise self.fail_open
        if self.gate is not None:
            self.waiting += not self.gate.is_set()
            await self.gate.wait()
        if name not in self.consoles:
            raise UnknownName(f"no worker {name}", "ls names them")
        self.opened.append((name, authority))
        kind = FakeTypingHandle if authority is Authority.TYPE else FakeHandle
        if console == MAIN_CONSOLE:
            return kind(self.consoles[name])
        if f"{name}:{console}" not in self.consoles:
            self.consoles[f"{name}:{console}"] = FakeConsole()
        return kind(self.consoles[f"{name}:{console}"])

    async def watch_consoles(self, name: str) -> Any:
        if name not in self.lists:
            raise UnknownName(f"no worker {name}", "ls names them")
        return self.lists[name]

    async def question(self, name: str) -> Any:
        found = self.questions.get(name)
        if found is None:
            return None
        options = tuple(SimpleNamespace(number=i, text=text) for i, text in enumerate(found[1], 1))
        return SimpleNamespace(text=found[0], detail="rm -rf build", options=options)

    async def facts(self, name: str) -> dict[str, str]:
        return {"version": "2.1.0", "up": "2h 11m"}


class New(Struct, frozen=True, kw_only=True):
    """Stands for `new` where the real one is not needed."""

    name: str


class FakeOperations(Operations):
    """Operations that are written down; a test can give an operation what to yield."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, Any]] = []
        self.yields: dict[str, list[Yield | AmtuiError]] = {}
        self.gates: dict[str, asyncio.Event] = {}
        self.asks: dict[str, Any] = {}
        self.described: dict[str, tuple[Field, ...]] = {}
        self.answers: list[str | None] = []
        self.more: asyncio.Queue[Yield] = asyncio.Queue()
        """What `logs -f` says next."""

    def fields(self, op_id: str) -> tuple[Field, ...]:
        return self.described.get(op_id) or super().fields(op_id)

    async def run(self, ctx: Any, op_id: str, values: Any) -> AsyncIterator[Yield]:  # type: ignore[override]
        self.ran.append((op_id, values))
        if question := self.asks.get(op_id):
            self.answers.append(await ctx.ask(question))
        if op_id in ("logs", "events"):
            for line in ctx.logs.get(values.get("source", "events"), []):
                yield Chunk(f"{line}\n".encode())
            while True:
                yield await self.more.get()
        if gate := self.gates.get(op_id):
            await gate.wait()
        for item in self.yields.get(op_id, [Progress("on it"), Result()]):
            if isinstance(item, AmtuiError):
                raise item
            yield item


def row(
    name: str,
    status: AgentStatus = AgentStatus.IDLE,
    *,
    reason: str = "",
    text: str = "",
    age: float = 60,
    on: str = "local",
    runtime: str = "shell",
    host: HostState = HostState.READY,
    phases: tuple[Phase, ...] = (),
    asleep: bool = False,
    model: str | None = None,
    rtt: float | None = None,
    extra: Mapping[str, Any] | None = None,
) -> WorkerRow:
    """A worker row in one line."""
    return WorkerRow(
        worker=Worker(
            id=(name.encode().hex() + "0" * 32)[:32],
            name=name,
            substrate=on,
            host_id="local",
            runtime=runtime,
            autonomy=Autonomy.ASK,
            asleep=asleep,
            model=model,
            **(extra or {}),
        ),
        host=Host(id="local", substrate=on, state=host, since=NOW - age),
        agent=AgentState(
            status=status, reason=reason, text=text, rule="claude.permission" if reason else "",
            source="screen" if status is not AgentStatus.UNKNOWN else "none", confidence="likely",
            since=NOW - age, seen_at=NOW - 2,
        ),
        phases=phases,
        rtt=rtt,
        refreshed_at=NOW - 2,
    )  # fmt: skip


def op(op_id: str) -> Op:
    """The real operation."""
    return Operations().get(op_id)
