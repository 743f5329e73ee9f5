"""Restart, sleep, wake, destroy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from msgspec import Struct

from amtui.errors import UnknownName
from amtui.fleet import lifecycle
from amtui.model import SCHEMA, AgentStatus
from amtui.ops.base import Action, Arg, Progress, Result, Yield
from amtui.ops.context import Context, Question


class Several(Struct, frozen=True, kw_only=True):
    """Parameters of an operation on one or more workers."""

    name: Annotated[
        tuple[str, ...], Arg("names of workers", positional=True, complete="worker", metavar="NAME…")
    ]


class Restart(Struct, frozen=True, kw_only=True):
    """Parameters of `restart`."""

    name: Annotated[str, Arg("name of the worker", positional=True, complete="worker")]
    resume: Annotated[bool, Arg("go on in the agent's last session")] = False


async def restart(ctx: Context, params: Restart) -> AsyncIterator[Yield]:
    worker = ctx.worker(params.name)
    agent = ctx.fleet.row(worker).agent
    if agent.status is AgentStatus.WORKING and worker.runtime != "shell":
        text = f"it is working ({agent.text or 'no word on what'}); its turn ends here"
        await ctx.confirm(Question("confirm", f"restart {worker.name}", text))
    yield Progress(f"restarting {worker.name}")
    await lifecycle.restart(ctx.estate, worker, resume=params.resume)
    yield Result(
        {"schema": SCHEMA, "name": worker.name, "resumed": params.resume}, f"{worker.name} restarted"
    )


async def sleep(ctx: Context, params: Several) -> AsyncIterator[Yield]:
    done = []
    for worker in [ctx.worker(name) for name in params.name]:
        yield Progress(f"stopping {worker.name}")
        await lifecycle.sleep(ctx.estate, worker)
        done.append(worker.name)
    yield Result(
        {"schema": SCHEMA, "asleep": done}, "\n".join(f"{name} sleeps; its files are kept" for name in done)
    )


async def wake(ctx: Context, params: Several) -> AsyncIterator[Yield]:
    done = []
    for worker in [ctx.worker(name) for name in params.name]:
        yield Progress(f"starting {worker.name}")
        await lifecycle.wake(ctx.estate, worker)
        done.append(worker.name)
    yield Result({"schema": SCHEMA, "awake": done}, "\n".join(f"{name} is awake" for name in done))


async def destroy(ctx: Context, params: Several) -> AsyncIterator[Yield]:
    outcome: list[dict[str, str]] = []
    for name in params.name:
        try:
            worker = ctx.worker(name)
        except UnknownName:
            if not ctx.estate.store.was_destroyed(name):
                raise
            outcome.append({"name": name, "outcome": "gone", "text": f"{name} was destroyed before"})
            continue
        lost = await lifecycle.losses(ctx.estate, worker)
        text = (
            f"removes {worker.name} from {worker.substrate} with its home and everything the agent left there"
        )
        if lost:
            text += "; unsaved work: " + "; ".join(lost)
        await ctx.confirm(Question("name", f"destroy {worker.name}", text, expect=worker.name))
        yield Progress(f"destroying {worker.name}")
        removed = await lifecycle.destroy(ctx.estate, worker)
        said = f"{worker.name} is destroyed"
        if removed.value == "gone":
            said = f"{worker.name}: nothing of it was left on {worker.substrate}; it is off the list"
        outcome.append({"name": worker.name, "outcome": removed.value, "text": said})
    document = {
        "schema": SCHEMA,
        "destroyed": [{"name": o["name"], "outcome": o["outcome"]} for o in outcome],
    }
    yield Result(document, "\n".join(o["text"] for o in outcome))


RESTART = Action(Restart, restart)
SLEEP = Action(Several, sleep)
WAKE = Action(Several, wake)
DESTROY = Action(Several, destroy)
