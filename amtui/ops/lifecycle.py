"""Restart, sleep, wake, destroy."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Annotated

from msgspec import Struct

from amtui.errors import AmtuiError, UnknownName, Unreachable
from amtui.fleet import consoles, lifecycle
from amtui.model import SCHEMA, UNKNOWN_STATE, AgentStatus, Untrusted, Worker
from amtui.ops.base import Action, Arg, Progress, Result, Yield
from amtui.ops.context import Context, Question


class Several(Struct, frozen=True, kw_only=True):
    """Parameters of an operation on one or more workers."""

    name: Annotated[
        tuple[str, ...], Arg("names of workers", positional=True, complete="worker", metavar="NAME…")
    ]


class Destroy(Several, frozen=True, kw_only=True):
    """Parameters of `destroy`."""

    forget: Annotated[
        bool, Arg("only take it off the list, for a host that is gone for good; the host is not asked")
    ] = False


class Restart(Struct, frozen=True, kw_only=True):
    """Parameters of `restart`."""

    name: Annotated[str, Arg("name of the worker", positional=True, complete="worker")]
    resume: Annotated[bool, Arg("go on in the agent's last session")] = False


async def restart(ctx: Context, params: Restart) -> AsyncIterator[Yield]:
    worker = ctx.worker(params.name)
    seen = (await ctx.fleet.refresh(worker)).get(worker.id, UNKNOWN_STATE)
    if seen.status is AgentStatus.WORKING and worker.runtime != "shell":
        text = f"it is working ({seen.text or 'no word on what'}); its turn ends here"
        await ctx.confirm(Question("confirm", f"restart {worker.name}", text))
    yield Progress(f"restarting {worker.name}")
    await lifecycle.restart(ctx.estate, worker, resume=params.resume)
    yield Result(
        {"schema": SCHEMA, "name": worker.name, "resumed": params.resume}, f"{worker.name} restarted"
    )


async def sleep(ctx: Context, params: Several) -> AsyncIterator[Yield]:
    workers = [ctx.worker(name) for name in dict.fromkeys(params.name)]
    tally = _Tally()
    ended: dict[str, list[str]] = {}
    for worker in workers:
        yield Progress(f"stopping {worker.name}")
        with tally.of(worker.name):
            ended[worker.name] = await consoles.others(ctx.estate, worker)
            await lifecycle.sleep(ctx.estate, worker)
    closed = {name: ended[name] for name in tally.done if ended[name]}
    document = {"schema": SCHEMA, "asleep": tally.done, "consoles_ended": closed, "failed": tally.failed}
    yield tally.result(document, "\n".join(_sleeps(name, ended[name]) for name in tally.done))


def _sleeps(name: str, ended: list[str]) -> str:
    """What sleep took away beside the agent, which wake does not bring back."""
    return f"{name} sleeps; its files are kept" + (f"; ended with it: {_several(ended)}" if ended else "")


def _several(titles: list[str]) -> str:
    told = ", ".join(Untrusted(title, "worker").for_line(40) for title in titles[:8])
    return f"console{'s' if len(titles) > 1 else ''} {told}{', …' if len(titles) > 8 else ''}"


async def wake(ctx: Context, params: Several) -> AsyncIterator[Yield]:
    workers = [ctx.worker(name) for name in dict.fromkeys(params.name)]
    tally = _Tally()
    for worker in workers:
        yield Progress(f"starting {worker.name}")
        with tally.of(worker.name):
            await lifecycle.wake(ctx.estate, worker)
    document = {"schema": SCHEMA, "awake": tally.done, "failed": tally.failed}
    yield tally.result(document, "\n".join(f"{name} is awake" for name in tally.done))


async def destroy(ctx: Context, params: Destroy) -> AsyncIterator[Yield]:
    names = list(dict.fromkeys(params.name))
    for name in names:
        _known(ctx, name)  # a name that never was stops everything before anything is lost
    outcome: list[dict[str, str]] = []
    tally = _Tally()
    for name in names:
        worker = _known(ctx, name)
        if worker is None:
            outcome.append({"name": name, "outcome": "gone", "text": f"{name} was destroyed before"})
            continue
        with tally.of(name):
            if params.forget:
                outcome.append(await _forgotten(ctx, worker))
                continue
            text = await _cost(ctx, worker)
            await ctx.confirm(Question("name", f"destroy {worker.name}", text, expect=worker.name))
            yield Progress(f"destroying {worker.name}")
            removed = await lifecycle.destroy(ctx.estate, worker)
            said = f"{worker.name} is destroyed"
            if removed.value == "gone":
                said = f"{worker.name}: nothing of it was left on {worker.substrate}; it is off the list"
            outcome.append({"name": worker.name, "outcome": removed.value, "text": said})
    destroyed = [{"name": each["name"], "outcome": each["outcome"]} for each in outcome]
    document = {"schema": SCHEMA, "destroyed": destroyed, "failed": tally.failed}
    yield tally.result(document, "\n".join(each["text"] for each in outcome), some=bool(outcome))


async def _cost(ctx: Context, worker: Worker) -> str:
    """What a destroy takes away, in words. Raises `Unreachable` with the way out for a host that never returns."""
    try:
        lost = await lifecycle.losses(ctx.estate, worker)
    except AmtuiError as error:
        if error.exit_code == Unreachable.exit_code:
            error.hint = (
                f"{error.hint}; " if error.hint else ""
            ) + f"if {worker.substrate} is gone for good: amtui destroy {worker.name} --forget"
        raise
    text = f"removes {worker.name} from {worker.substrate} with its home and everything the agent left there"
    if there := await consoles.others(ctx.estate, worker):
        text += f"; ends {_several(there)}"
    return text + ("; unsaved work: " + "; ".join(lost) if lost else "")


async def _forgotten(ctx: Context, worker: Worker) -> dict[str, str]:
    """Take a worker off the list alone, after the person heard what that leaves behind."""
    left = (
        f"{worker.substrate} is not asked: its agent may still run there, and its files, its key and its tmux "
        f"may be left in {worker.root}"
        if worker.root
        else f"nothing of it was ever made on {worker.substrate}"
    )
    text = f"takes {worker.name} off the list and nothing more; {left}"
    await ctx.confirm(Question("name", f"forget {worker.name}", text, expect=worker.name))
    lifecycle.forget(ctx.estate, worker)
    return {"name": worker.name, "outcome": "forgotten", "text": f"{worker.name} is off the list; {left}"}


def _known(ctx: Context, name: str) -> Worker | None:
    """The worker, or None where it was destroyed before. Raises `UnknownName`."""
    try:
        return ctx.worker(name)
    except UnknownName:
        if not ctx.estate.store.was_destroyed(name):
            raise
        return None


class _Tally:
    """What became of several workers: one that fails does not keep the others from their turn."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.errors: list[tuple[str, AmtuiError]] = []

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """The turn of one worker."""
        try:
            yield
        except AmtuiError as error:
            self.errors.append((name, error))
        else:
            self.done.append(name)

    @property
    def failed(self) -> list[dict[str, str]]:
        """For the document: name, message and hint of each."""
        return [{"name": name, "message": e.message, "hint": e.hint} for name, e in self.errors]

    def result(self, document: dict[str, object], text: str, *, some: bool = False) -> Result:
        """All that was done and all that was not. Raises the error where it is the only news."""
        if not self.errors:
            return Result(document, text)
        _, first = self.errors[0]
        if len(self.errors) == 1 and not self.done and not some:
            raise first
        lines = [f"{name}: {e.message}" + (f" → {e.hint}" if e.hint else "") for name, e in self.errors]
        return Result(document, "\n".join([*filter(None, [text]), *lines]), exit_code=first.exit_code)


RESTART = Action(Restart, restart)
SLEEP = Action(Several, sleep)
WAKE = Action(Several, wake)
DESTROY = Action(Destroy, destroy)
