"""Operations on a real store and configuration, with substrates that exist only in the test."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from amtui.model import Autonomy, Host, HostState, Worker
from amtui.ops import registry
from amtui.ops.base import Chunk, Progress, Result
from amtui.ops.context import Context
from amtui.providers.base import Account, Cap, Command, ExecResult, Exit, FileStat, Limits, Place, Started


class Provider:
    """A host in memory: it answers as told and notes what was asked of it."""

    kind = "local"
    caps = Cap.STREAM | Cap.FILES
    limits = Limits()

    def __init__(self) -> None:
        self.files = self
        self.error: Exception | None = None
        self.calls: list[tuple[str, Any]] = []
        self.events: list[Any] = []
        """What the next stream brings; a callable is awaited."""
        self.closed = 0

    def _note(self, verb: str, what: Any) -> None:
        self.calls.append((verb, what))
        if self.error is not None:
            raise self.error

    async def check(self, host_id: str | None = None) -> Account:
        self._note("check", host_id)
        return Account("me")

    async def root(self, host_id: str) -> str:
        self._note("root", host_id)
        return "/base"

    async def state(self, host_id: str) -> Host:
        state = HostState.UNREACHABLE if self.error else HostState.READY
        return Host(id=host_id, substrate="local", state=state)

    async def stat(self, host_id: str, path: str) -> FileStat:
        self._note("stat", path)
        return FileStat(path, "file", 1, 0o600, 0.0)

    async def write(self, host_id: str, path: str, data: bytes, *, mode: int = 0o600) -> None:
        self._note("write", path)

    async def remove(self, host_id: str, path: str) -> None:
        self._note("remove", path)

    async def exec(self, host_id: str, command: Command, **_: Any) -> ExecResult:
        self._note("exec", list(command.argv))
        return ExecResult(b"1000\n", b"", 0)

    @asynccontextmanager
    async def stream_exec(self, host_id: str, command: Command, **_: Any) -> Any:
        self._note("stream", command)

        async def events() -> Any:
            yield Started("1")
            for event in self.events:
                if isinstance(event, Exit):
                    yield event
                elif callable(event):
                    await event()
                else:
                    yield event

        try:
            yield events()
        finally:
            self.closed += 1

    async def aclose(self) -> None:
        return


class World:
    """One operator: a context on directories of its own; `host` is every substrate."""

    def __init__(self, folder: Path, **more: Any) -> None:
        self.env = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            **{f"AMTUI_{each}_DIR": str(folder / each.lower()) for each in ("CONFIG", "STATE", "CACHE")},
        }
        self.ctx = Context.open(self.env, **more)
        self.estate = self.ctx.estate
        self.store = self.estate.store
        self.host = Provider()
        self.now = 1_000_000.0
        self.estate.clock = self.store.clock = lambda: self.now
        self.kinds = self.estate.providers.kinds
        self.estate.providers = SimpleNamespace(  # type: ignore[assignment]
            get=lambda substrate: self.host, host_id=lambda substrate: substrate.partition(":")[2] or substrate,
            place=self.place, ensure_place=self.place, kinds=self.kinds, aclose=self.host.aclose,
        )  # fmt: skip

    async def place(self, worker: Worker) -> Place:
        return Place(self.host, worker.host_id, "/base", f"/base/workers/{worker.short_id}", "/tmp/s/1")  # type: ignore[arg-type]

    def add(self, name: str, on: str = "local", *, root: bool = True, **more: Any) -> Worker:
        key = (name.encode().hex() * 32)[:32]
        facts: dict[str, Any] = {
            "id": key,
            "name": name,
            "substrate": on,
            "host_id": on.partition(":")[2] or on,
            "runtime": "shell",
            "autonomy": Autonomy.ASK,
            "root": f"/base/workers/{key[:12]}" if root else "",
        }
        worker = Worker(**(facts | more))
        self.store.add_worker(worker)
        return worker

    async def all(self, op_id: str, **values: Any) -> list[Any]:
        return [item async for item in registry.run(self.ctx, op_id, values)]

    async def do(self, op_id: str, **values: Any) -> Result:
        """Run an operation; its result, which comes last and once."""
        items = await self.all(op_id, **values)
        assert [isinstance(item, Result) for item in items] == [False] * (len(items) - 1) + [True]
        result: Result = items[-1]
        return result

    async def said(self, op_id: str, **values: Any) -> str:
        """What it narrates."""
        return "\n".join(item.text for item in await self.all(op_id, **values) if isinstance(item, Progress))

    async def chunks(self, op_id: str, **values: Any) -> list[Chunk]:
        return [item for item in await self.all(op_id, **values) if isinstance(item, Chunk)]

    def kind_of(self, verb: str) -> list[Any]:
        """What was asked of the host under that verb."""
        return [what for name, what in self.host.calls if name == verb]
