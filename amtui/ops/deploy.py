"""Deploy and bootstrap: `new`, `bootstrap`, `set`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Literal

import msgspec
from msgspec import Struct

from amtui.bootstrap.git import Source
from amtui.config import DefaultsConfig
from amtui.errors import UsageError
from amtui.fleet import deploy as fleet
from amtui.model import SCHEMA, Autonomy, Phase, PhaseStatus, Untrusted, Worker
from amtui.ops.base import Action, Arg, Chunk, Progress, Result, Yield
from amtui.ops.context import Context, Question


class New(Struct, frozen=True, kw_only=True):
    """Parameters of `new`."""

    name: Annotated[str, Arg("name to give it: lower case letters, digits, dashes", positional=True)]
    on: Annotated[str | None, Arg("where: local or ssh:HOST", metavar="SUBSTRATE", complete="substrate")] = (
        None
    )
    agent: Annotated[str | None, Arg("which runtime", metavar="RUNTIME", complete="runtime")] = None
    upstream: Annotated[str | None, Arg("where its model comes from", metavar="ID", complete="upstream")] = (
        None
    )
    login: Annotated[Literal["later"] | None, Arg("later: start at the runtime's own login screen")] = None
    model: Annotated[str | None, Arg("model to use", metavar="M")] = None
    autonomy: Annotated[Autonomy | None, Arg("what the agent may do without asking")] = None
    workdir: Annotated[str | None, Arg("existing directory on the host to work in", metavar="PATH")] = None
    repo: Annotated[str | None, Arg("repository to bring, with your own git", metavar="GIT_URL[#REF]")] = None
    no_attach: Annotated[bool, Arg("do not open the console afterwards")] = False
    offline: Annotated[bool, Arg("do not ask the upstream whether it answers")] = False


class Bootstrap(Struct, frozen=True, kw_only=True):
    """Parameters of `bootstrap`."""

    name: Annotated[str, Arg("name of the worker", positional=True, complete="worker")]
    from_phase: Annotated[
        str | None, Arg("do this phase and all after it again", flag="--from", metavar="PHASE")
    ] = None


class Set(Struct, frozen=True, kw_only=True):
    """Parameters of `set`."""

    name: Annotated[str, Arg("name of the worker", positional=True, complete="worker")]
    model: Annotated[str | None, Arg("model to use", metavar="M")] = None
    upstream: Annotated[str | None, Arg("where its model comes from", metavar="ID", complete="upstream")] = (
        None
    )
    autonomy: Annotated[Autonomy | None, Arg("what the agent may do without asking")] = None


def _wish(ctx: Context, params: New) -> fleet.Wish:
    defaults = ctx.config.section("defaults", DefaultsConfig)
    runtime = params.agent or defaults.runtime
    upstream = params.upstream
    if upstream is None and runtime == defaults.runtime and params.login is None:
        upstream = defaults.upstream
    workdir = params.workdir
    substrate = params.on or defaults.substrate
    if workdir and substrate == "local":
        workdir = os.path.abspath(os.path.expanduser(workdir))
    return fleet.Wish(
        name=params.name,
        substrate=substrate,
        runtime=runtime,
        upstream=None if runtime == "shell" else upstream,
        login_later=params.login == "later",
        model=None if runtime == "shell" else params.model,
        autonomy=params.autonomy or defaults.autonomy or Autonomy.ASK,
        workdir=workdir,
        repo=str(Source.parse(params.repo)) if params.repo else None,
    )


async def _consent(ctx: Context, wish: fleet.Wish) -> bool:
    """Typed consent where full autonomy would run unconfined as the operator."""
    from amtui.providers.confinement import available

    if wish.autonomy is not Autonomy.FULL or wish.runtime == "shell":
        return True
    if wish.substrate != "local" or available():
        return True
    return await _full(ctx)


async def _full(ctx: Context) -> bool:
    from amtui.providers.confinement import UNCONFINED

    await ctx.confirm(Question("name", "autonomy full on this computer", UNCONFINED, expect="full"))
    return True


async def new(ctx: Context, params: New) -> AsyncIterator[Yield]:
    wish = _wish(ctx, params)
    if wish.runtime == "shell" and (params.upstream or params.model):
        yield Progress("note: a shell asks no model; --agent chooses one that does")
    consent = await _consent(ctx, wish)
    yield Progress(f"checking what {wish.name if wish.name.isprintable() else 'it'} needs")
    worker = await fleet.create(ctx.estate, wish, unconfined_ok=consent, offline=params.offline)
    if worker.substrate == "local" and not worker.confined and worker.runtime != "shell":
        from amtui.providers.confinement import UNCONFINED

        yield Progress(f"note: {UNCONFINED}")
    async for item in _bootstrapped(ctx, worker, None):
        yield item
    worker = ctx.worker(worker.name)
    text = f"{worker.name} is ready: {worker.runtime} on {worker.substrate}"
    document = {"schema": SCHEMA, "worker": _document(worker)}
    yield Result(document, text, attach="" if params.no_attach else worker.name)


async def bootstrap(ctx: Context, params: Bootstrap) -> AsyncIterator[Yield]:
    worker = ctx.worker(params.name)
    async for item in _bootstrapped(ctx, worker, params.from_phase):
        yield item
    phases = ctx.estate.store.phases(worker.id)
    document = {
        "schema": SCHEMA,
        "worker": _document(ctx.worker(worker.name)),
        "phases": msgspec.to_builtins(phases),
    }
    yield Result(document, f"{worker.name} is ready")


def _document(worker: Worker) -> dict[str, object]:
    built: dict[str, object] = msgspec.to_builtins(worker)
    built.pop("socket", None)
    return built


async def _bootstrapped(ctx: Context, worker: Worker, from_phase: str | None) -> AsyncIterator[Yield]:
    """Run the bootstrap and yield its phases and log lines while it goes on."""

    async def work(tell: Callable[[Yield], None]) -> None:
        def on_phase(phase: Phase, share: float) -> None:
            tell(Progress(phase_line(phase), share))

        def on_log(phase: str, text: Untrusted) -> None:
            tell(Chunk(text.raw(), "log"))

        await fleet.bootstrap(ctx.estate, worker, on_phase=on_phase, on_log=on_log, from_phase=from_phase)

    async for item in stream(work):
        yield item


async def stream(work: Callable[[Callable[[Yield], None]], Awaitable[None]]) -> AsyncIterator[Yield]:
    """What `work` tells, as it tells it; its exception at the end. Leaving early cancels it."""
    queue: asyncio.Queue[Yield | None] = asyncio.Queue()

    async def run() -> None:
        try:
            await work(queue.put_nowait)
        finally:
            queue.put_nowait(None)

    task = asyncio.create_task(run())
    try:
        while (item := await queue.get()) is not None:
            yield item
        await task
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


MARKS = {
    PhaseStatus.PENDING: "·",
    PhaseStatus.RUNNING: "▸",
    PhaseStatus.DONE: "✓",
    PhaseStatus.FAILED: "✕",
    PhaseStatus.SKIPPED: "✓",
}


def phase_line(phase: Phase) -> str:
    """One phase in one line: `✓ node  Find or bring Node  1.2 s`."""
    took = ""
    if phase.started_at is not None and phase.ended_at is not None:
        took = f"  {phase.ended_at - phase.started_at:.1f} s"
    if phase.status is PhaseStatus.SKIPPED:
        took = "  already there"
    return f"{MARKS[phase.status]} {phase.id:<10} {phase.title}{took}" + (
        f": {phase.cause}" if phase.cause else ""
    )


async def change(ctx: Context, params: Set) -> AsyncIterator[Yield]:
    worker = ctx.worker(params.name)
    wanted = {
        key: value for key in ("model", "upstream", "autonomy") if (value := getattr(params, key)) is not None
    }
    if not wanted:
        raise UsageError("set changes nothing", "give --model, --upstream or --autonomy")
    consent = False
    unconfined = worker.substrate == "local" and not worker.confined and worker.runtime != "shell"
    if params.autonomy is Autonomy.FULL and worker.autonomy is not Autonomy.FULL and unconfined:
        consent = await _full(ctx)
    worker = await fleet.change(ctx.estate, worker, unconfined_ok=consent, **wanted)
    said = ", ".join(f"{key} {value}" for key, value in wanted.items())
    text = f"{worker.name}: {said}; takes effect at `amtui restart {worker.name}`"
    yield Result({"schema": SCHEMA, "worker": _document(worker), "restart_needed": True}, text)


NEW = Action(New, new)
BOOTSTRAP = Action(Bootstrap, bootstrap)
SET = Action(Set, change)
