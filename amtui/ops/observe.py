"""What happened: logs, events, and the worker's repository."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Struct

from amtui.errors import UsageError
from amtui.fleet.place import confinement
from amtui.model import SCHEMA, Event
from amtui.ops.base import Action, Arg, Chunk, Result, Yield
from amtui.ops.context import Context

FOLLOW = 0.5
"""Seconds between two looks at what is followed."""


class Logs(Struct, frozen=True, kw_only=True):
    """Parameters of `logs`."""

    name: Annotated[str, Arg("name of the worker", positional=True, complete="worker")]
    follow: Annotated[bool, Arg("go on as more comes", flag="-f")] = False
    source: Annotated[str, Arg("only this source, as a phase's name")] = ""


class Events(Struct, frozen=True, kw_only=True):
    """Parameters of `events`."""

    follow: Annotated[bool, Arg("go on as more comes", flag="-f")] = False
    worker: Annotated[str, Arg("only this worker's", complete="worker")] = ""
    limit: Annotated[int, Arg("how many of the last ones")] = 100


class Git(Struct, frozen=True, kw_only=True):
    """Parameters of `git`."""

    name: Annotated[str, Arg("name of the worker", positional=True, complete="worker")]
    action: Annotated[Literal["pull", "status", "diff"], Arg("pull, status or diff", positional=True)]
    into: Annotated[
        str, Arg("repository here that `pull` brings commits to; default: the current one", metavar="PATH")
    ] = ""


async def logs(ctx: Context, params: Logs) -> AsyncIterator[Yield]:
    from amtui import logs as read

    worker = ctx.worker(params.name)
    place = await ctx.estate.place(worker)
    lines = []
    async for line in read.follow(place, worker, source=params.source, live=params.follow, every=FOLLOW):
        text = f"{line.source:<10} {line.text.for_terminal()}\n"
        if params.follow:
            record = {"source": line.source, "number": line.number, "text": line.text.for_json()}
            yield Chunk(text.encode(), record=record)
        else:
            lines.append((line.source, line.text))
    document = {
        "schema": SCHEMA,
        "name": worker.name,
        "lines": [{"source": s, "text": t.for_json()} for s, t in lines],
    }
    yield Result(document, "\n".join(f"{source:<10} {text.for_terminal()}" for source, text in lines))


def _line(event: Event, names: dict[str, str]) -> str:
    when = datetime.fromtimestamp(event.at, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    said = " ".join(event.text.split())  # one event, one line
    return f"{when}  {names.get(event.worker, event.worker[:12] or 'amtui'):<16} {event.kind:<10} {said}".rstrip()


async def events(ctx: Context, params: Events) -> AsyncIterator[Yield]:
    store = ctx.estate.store
    if params.limit < 0:
        raise UsageError(f"--limit wants 0 or more, not {params.limit}", "leave it out for the last 100")
    wanted = ctx.worker(params.worker).id if params.worker else None
    newest = store.events(limit=1)
    last = newest[-1].id if newest else 0
    found = store.events(worker=wanted, limit=params.limit)
    names = {worker.id: worker.name for worker in store.workers()}
    while params.follow:
        for event in found:
            yield Chunk((_line(event, names) + "\n").encode(), record=msgspec.to_builtins(event))
        # Never back: with few or no lines to begin with, what happened before is not news.
        last = max(last, found[-1].id if found else 0)
        found = []
        while not found:
            await asyncio.sleep(FOLLOW)
            found = store.events(after=last, worker=wanted)
        names = {worker.id: worker.name for worker in store.workers()}
    document = {"schema": SCHEMA, "events": msgspec.to_builtins(found)}
    yield Result(document, "\n".join(_line(event, names) for event in found))


async def git(ctx: Context, params: Git) -> AsyncIterator[Yield]:
    from amtui.bootstrap import bundle

    worker = ctx.worker(params.name)
    place = await ctx.estate.place(worker)
    wrap = confinement(worker, place)
    if params.action == "pull":
        pulled = await bundle.pull(place, worker, Path(params.into or os.getcwd()), confine=wrap)
        lines = [
            f"{p.ref}  {p.old[:9] or 'new'} → {p.new[:9]}" if p.changed else f"{p.ref}  up to date"
            for p in pulled
        ]
        document = {
            "schema": SCHEMA,
            "name": worker.name,
            "refs": [{"ref": p.ref, "old": p.old, "new": p.new} for p in pulled],
        }
        yield Result(document, "\n".join(lines) or "the worker has no commits yet")
        return
    look = bundle.status if params.action == "status" else bundle.diff
    seen = await look(place, worker, confine=wrap)
    yield Result(
        {"schema": SCHEMA, "name": worker.name, params.action: seen.for_json()},
        seen.for_terminal().rstrip("\n"),
        raw=seen.raw(),
    )


LOGS = Action(Logs, logs)
EVENTS = Action(Events, events)
GIT = Action(Git, git)
