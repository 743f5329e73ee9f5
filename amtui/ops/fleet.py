"""Looking at workers: `ls`, `show`, `explain`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
from msgspec import Struct

from amtui.fleet import query as query  # the screens filter with the same grammar
from amtui.model import SCHEMA, WorkerRow
from amtui.ops.base import Action, Arg, Progress, Result, Yield
from amtui.ops.context import Context
from amtui.ops.table import ago, render


class Ls(Struct, frozen=True, kw_only=True):
    """Parameters of `ls`."""

    filter: Annotated[
        tuple[str, ...],
        Arg("needs, working, on:SUBSTRATE, tag:TAG, -asleep, text", positional=True, metavar="FILTER"),
    ] = ()
    cached: Annotated[bool, Arg("print what is known without asking the hosts")] = False


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
    if row.host.state.value not in ("ready", "unknown"):
        return f"⚠ {row.host.state.value}"
    running = next((p for p in row.phases if p.status.value == "running"), None)
    failed = next((p for p in row.phases if p.status.value == "failed" and p.core), None)
    if failed:
        return f"✕ {failed.id} failed"
    if running:
        return f"● {running.id}…"
    word = row.agent.reason or row.agent.status.value
    return f"{GLYPHS[row.agent.status.value]} {word}"


def document(row: WorkerRow) -> dict[str, Any]:
    """A row as the `--json` document of `ls` and `show`."""
    built: dict[str, Any] = msgspec.to_builtins(row)
    worker = built.pop("worker")
    worker.pop("socket", None)
    return {**worker, "host": built["host"], "agent": built["agent"], "phases": built["phases"]}


async def ls(ctx: Context, params: Ls) -> AsyncIterator[Yield]:
    wanted = query.parse(" ".join(params.filter))
    if not params.cached:
        await ctx.fleet.refresh()
    rows = query.by_attention(row for row in ctx.fleet.rows() if wanted(row))
    now = ctx.estate.clock()
    lines = [
        (
            row.worker.name,
            state_word(row),
            ago(now, row.agent.since),
            row.worker.substrate,
            row.worker.runtime,
            row.worker.autonomy.value,
            row.agent.text[:60],
        )
        for row in rows
    ]
    text = render(("NAME", "STATE", "FOR", "ON", "AGENT", "AUTONOMY", "TASK"), lines)
    if not rows:
        text = (
            "no workers match" if params.filter else "no workers yet; `amtui new NAME --on local` makes one"
        )
    yield Result({"schema": SCHEMA, "workers": [document(row) for row in rows]}, text)


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
