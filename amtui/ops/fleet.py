"""Looking at workers: `ls`, `show`, `explain`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import msgspec
from msgspec import Struct

from amtui.errors import UsageError
from amtui.fleet import query as query  # the screens filter with the same grammar
from amtui.model import SCHEMA, HostState, PhaseStatus, WorkerRow
from amtui.ops.base import Action, Arg, Chunk, Progress, Result, Yield
from amtui.ops.context import Context
from amtui.ops.table import ago, render


class Ls(Struct, frozen=True, kw_only=True):
    """Parameters of `ls`."""

    filter: Annotated[
        tuple[str, ...],
        Arg("needs, working, on:SUBSTRATE, tag:TAG, -asleep, text", positional=True, metavar="FILTER"),
    ] = ()
    cached: Annotated[bool, Arg("print what is known without asking the hosts")] = False
    watch: Annotated[bool, Arg("go on, and print again what changes")] = False
    plain: Annotated[bool, Arg("a line a worker, its cells apart by tabs; with --watch a line a change")] = (
        False
    )


class Named(Struct, frozen=True, kw_only=True):
    """Parameters of an operation on one worker."""

    name: Annotated[str, Arg("name of the worker", positional=True, complete="worker")]


GLYPHS = {
    "needs-you": "▲",
    "failed": "✕",
    "done": "✓",
    "working": "●",
    "idle": "○",
    "none": "·",
    "unknown": "?",
}


def state_word(row: WorkerRow) -> str:
    """Glyph and word of a row: the host's state where that is the news, else the agent's."""
    if query.asleep(row):
        return "z asleep"
    if row.host.state not in (HostState.READY, HostState.UNKNOWN):
        return f"⚠ {row.host.state.value}"
    phases = {phase.status: phase for phase in reversed(row.phases) if phase.core}
    if failed := phases.get(PhaseStatus.FAILED):
        return f"✕ {failed.id} failed"
    if running := phases.get(PhaseStatus.RUNNING):
        return f"● {running.id}…"
    if pending := phases.get(PhaseStatus.PENDING):
        return f"◐ before {pending.id}"
    word = row.agent.reason or row.agent.status.value
    return f"{GLYPHS[row.agent.status.value]} {word}"


def since(row: WorkerRow) -> float:
    """Unix time at which the shown state began; 0 when nobody knows."""
    hosts = row.host.state not in (HostState.READY, HostState.UNKNOWN) and not row.worker.asleep
    return (row.host.since or 0.0) if hosts else row.agent.since


def document(row: WorkerRow) -> dict[str, Any]:
    """A row as the `--json` document of `ls` and `show`."""
    built: dict[str, Any] = msgspec.to_builtins(row)
    worker = built.pop("worker")
    worker.pop("socket", None)
    return {**worker, "host": built["host"], "agent": built["agent"], "phases": built["phases"]}


HEADER = ("NAME", "STATE", "FOR", "ON", "AGENT", "AUTONOMY", "TASK")


def cells(row: WorkerRow, now: float) -> tuple[str, ...]:
    """A row as `ls` prints it, under `HEADER`."""
    worker = row.worker
    return (
        worker.name,
        state_word(row),
        ago(now, since(row)),
        worker.substrate,
        worker.runtime,
        worker.autonomy.value,
        " ".join(row.agent.text.split()),
    )


def listing(rows: list[WorkerRow], now: float, *, plain: bool, filtered: bool) -> str:
    """The rows as a person, or with `plain` a program that reads tabs, wants them."""
    lines = [cells(row, now) for row in rows]
    if plain:
        return "\n".join("\t".join(line) for line in lines)
    if not rows:
        return "no workers match" if filtered else "no workers yet; `amtui new NAME --on local` makes one"
    return render(HEADER, [(*line[:-1], line[-1][:60]) for line in lines])


async def ls(ctx: Context, params: Ls) -> AsyncIterator[Yield]:
    if strange := next((word for word in params.filter if word.startswith("--")), ""):
        raise UsageError(
            f"ls has no flag {strange}", "see `amtui ls --help`; -WORD leaves out what WORD keeps"
        )
    wanted = query.parse(" ".join(params.filter))
    if params.watch and not ctx.streams:
        raise UsageError("--watch is for a shell", "the Fleet screen shows the same, live")
    if not params.cached:
        await ctx.fleet.refresh()
    if params.watch:
        async for item in _watched(ctx, wanted, params):
            yield item
        return
    rows = query.by_attention(row for row in ctx.fleet.rows() if wanted(row))
    text = listing(rows, ctx.estate.clock(), plain=params.plain, filtered=bool(params.filter))
    yield Result({"schema": SCHEMA, "workers": [document(row) for row in rows]}, text)


async def _watched(ctx: Context, wanted: Callable[[WorkerRow], bool], params: Ls) -> AsyncIterator[Yield]:
    """The list at once and after each change, for ever: whole, or with `plain` the workers that changed."""
    changed = asyncio.Event()
    forget = ctx.fleet.subscribe(lambda _: changed.set())
    shown: dict[str, tuple[str, ...]] | None = None
    try:
        await ctx.fleet.start()
        while True:
            changed.clear()
            now = ctx.estate.clock()
            rows = query.by_attention(row for row in ctx.fleet.rows() if wanted(row))
            # How long a state has lasted is no change.
            fresh = {row.worker.name: cells(row, 0.0) for row in rows}
            before = shown or {}
            news = [row for row in rows if before.get(row.worker.name) != fresh[row.worker.name]]
            gone = sorted(before.keys() - fresh.keys())
            if news or gone or shown is None:
                yield _news(rows, news, gone, now, params)
            shown = fresh
            await changed.wait()
    finally:
        forget()


def _news(rows: list[WorkerRow], news: list[WorkerRow], gone: list[str], now: float, params: Ls) -> Chunk:
    clock = time.strftime("%H:%M:%S", time.localtime(now))
    if params.plain:
        lines = ["\t".join((clock, *cells(row, now))) for row in news]
        lines += ["\t".join((clock, name, "- gone")) for name in gone]
        text = "".join(f"{line}\n" for line in lines)
    else:
        text = f"{clock}\n{listing(rows, now, plain=False, filtered=bool(params.filter))}\n\n"
    record = {"at": now, "changed": [document(row) for row in news], "gone": gone}
    return Chunk(text.encode(), record=record)


async def show(ctx: Context, params: Named) -> AsyncIterator[Yield]:
    worker = ctx.worker(params.name)
    await ctx.fleet.refresh(worker)
    row = ctx.fleet.row(worker)
    facts = await ctx.facts(worker.name)
    width = max(len(key) for key in facts)
    text = "\n".join(f"{key:<{width}}  {value}" for key, value in facts.items())
    yield Result({"schema": SCHEMA, **document(row), "facts": facts}, text)


async def explain(ctx: Context, params: Named) -> AsyncIterator[Yield]:
    worker = ctx.worker(params.name)
    yield Progress(f"asking {worker.name} for evidence")
    state, tried = await ctx.fleet.explain(worker)
    lines = [
        f"{state.status.value} {state.reason}".rstrip() + f": {state.text}",
        f"rule {state.rule or '–'}   source {state.source}   confidence {state.confidence}",
        "",
        render(("RULE", "SOURCE", "RESULT"), tried),
    ]
    document = {
        "schema": SCHEMA,
        "name": worker.name,
        "state": msgspec.to_builtins(state),
        "tried": [{"rule": r, "source": s, "result": v} for r, s, v in tried],
    }
    yield Result(document, "\n".join(lines))


LS = Action(Ls, ls)
SHOW = Action(Named, show)
EXPLAIN = Action(Named, explain)
