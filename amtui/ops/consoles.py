"""The consoles of a worker: its agent's, and shells beside it. List, open, name, start again, close."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from msgspec import Struct

from amtui.model import MAIN_CONSOLE, SCHEMA, Untrusted, Worker
from amtui.ops.base import Action, Arg, Progress, Result, Yield
from amtui.ops.context import Context, Question

if TYPE_CHECKING:
    from amtui.console.hub import ConsolesHandle
    from amtui.console.roster import Listed

SHELLS = frozenset({"sh", "bash", "dash", "zsh", "fish", "ash", "ksh", "busybox", "bwrap"})
"""What is in the foreground of a console where nothing runs; a confined one always looks like that."""
WHICH = "its number, name or title"


class Ls(Struct, frozen=True, kw_only=True):
    """Parameters of `console ls`."""

    name: Annotated[str, Arg("name of the worker", positional=True, complete="worker")]


class New(Struct, frozen=True, kw_only=True):
    """Parameters of `console new`."""

    name: Annotated[str, Arg("name of the worker", positional=True, complete="worker")]
    title: Annotated[str, Arg("what to call it; default: its number", positional=True)] = ""


class Rename(Struct, frozen=True, kw_only=True):
    """Parameters of `console rename`."""

    name: Annotated[str, Arg("name of the worker", positional=True, complete="worker")]
    console: Annotated[str, Arg(WHICH, positional=True)]
    title: Annotated[str, Arg("what people call it from now on", positional=True)]


class One(Struct, frozen=True, kw_only=True):
    """Parameters of `console close` and `console restart`."""

    name: Annotated[str, Arg("name of the worker", positional=True, complete="worker")]
    console: Annotated[str, Arg(WHICH, positional=True)]


def described(worker: Worker, one: Listed) -> dict[str, Any]:
    """A console as a document."""
    info, origin = one.info, f"{worker.name}'s console"
    notices = {
        kind: {"at": at, "text": Untrusted(text, origin).for_json()}
        for kind, (at, text) in sorted(one.signals.items())
    }
    return {
        "console": info.name,
        "number": one.number,
        "title": Untrusted(info.called, origin).for_json(),
        "terminal_title": Untrusted(info.title, origin).for_json(),
        "program": Untrusted(info.command, origin).for_json(),
        "dead": info.dead,
        "exit_status": int(info.status) if info.dead and info.status.isdigit() else None,
        "columns": info.columns,
        "lines": info.lines,
        "last_output": info.activity,
        "notices": notices,
    }


class Tab(NamedTuple):
    """A console as a strip of consoles shows it; all text is safe for a terminal."""

    console: str
    number: int
    title: str
    does: str
    dead: bool = False
    busy: bool = False
    """A program runs in front of the shell."""
    rang: float = 0.0
    """Unix time of the last bell or notice; 0 for none."""


class Consoles:
    """A worker's consoles as they come, go and change, for a screen that shows them. Nothing is followed for it."""

    def __init__(self, worker: Worker, handle: ConsolesHandle) -> None:
        self._worker = worker
        self._handle = handle

    @property
    def tabs(self) -> tuple[Tab, ...] | None:
        """By number; None until the host has answered once."""
        listed = self._handle.listed
        return None if listed is None else tuple(tab(self._worker, one) for one in listed)

    def listen(self, call: Callable[[], None]) -> Callable[[], None]:
        """Call `call` on the loop when something changed; returns what ends that."""
        return self._handle.listen(call)

    def refresh(self) -> None:
        """Look at once."""
        self._handle.refresh()

    def release(self) -> None:
        """Nobody looks any more."""
        self._handle.release()


def tab(worker: Worker, one: Listed) -> Tab:
    """A listed console for a strip."""
    agent = one.name == MAIN_CONSOLE and worker.runtime != "shell"
    busy = not one.info.dead and not agent and one.info.command not in SHELLS
    return Tab(
        one.name, one.number, _line(one.info.called, 40), doing(worker, one), one.info.dead, busy, one.rang
    )


async def ls(ctx: Context, params: Ls) -> AsyncIterator[Yield]:
    from amtui.fleet import consoles
    from amtui.ops.table import ago, render

    worker = ctx.worker(params.name)
    there = await consoles.listed(ctx.estate, worker)
    now = ctx.estate.clock()
    document = {"schema": SCHEMA, "name": worker.name, "consoles": [described(worker, one) for one in there]}
    rows = [
        (
            str(one.number),
            one.name,
            _line(one.info.called, 40),
            doing(worker, one),
            f"{one.info.columns}×{one.info.lines}",
            ago(now, one.info.activity),
        )
        for one in there
    ]
    text = render(("#", "CONSOLE", "TITLE", "DOES", "SIZE", "OUTPUT"), rows) if rows else _none(worker)
    yield Result(document, text)


def doing(worker: Worker, one: Listed) -> str:
    """What goes on in a console, in a word or two."""
    if one.info.dead:
        return f"exited {_line(one.info.status, 12)}".rstrip()
    if one.name == MAIN_CONSOLE and worker.runtime != "shell":
        return worker.runtime
    command = _line(one.info.command, 20)
    return "confined" if command == "bwrap" else command


def _none(worker: Worker) -> str:
    return f"{worker.name} sleeps; it has no console" if worker.asleep else f"{worker.name} has no console"


def _line(text: str, width: int) -> str:
    return Untrusted(text, "console").for_line(width)


async def new(ctx: Context, params: New) -> AsyncIterator[Yield]:
    from amtui.fleet import consoles

    worker = ctx.worker(params.name)
    yield Progress(f"opening a console on {worker.name}")
    name, number = await consoles.open_shell(ctx.estate, worker, params.title)
    document = {
        "schema": SCHEMA,
        "name": worker.name,
        "console": name,
        "number": number,
        "title": params.title,
    }
    said = f"console {number}{f' ({params.title})' if params.title else ''} of {worker.name} is open"
    yield Result(document, f"{said}: amtui attach {worker.name} --console {number}")


async def rename(ctx: Context, params: Rename) -> AsyncIterator[Yield]:
    from amtui.console import roster
    from amtui.errors import Conflict
    from amtui.fleet import consoles

    worker, title = ctx.worker(params.name), roster.check_title(params.title)
    there = await consoles.listed(ctx.estate, worker)
    one = roster.by_word(there, params.console)
    if any(other.info.called == title and other.name != one.name for other in there):
        raise Conflict(f"{worker.name} has a console {title} already", "choose another title", op="console")
    await roster.rename(await ctx.estate.place(worker), one.name, title)
    document = {"schema": SCHEMA, "name": worker.name, "console": one.name, "title": title}
    yield Result(document, f"console {one.number} of {worker.name} is called {title}")


async def close(ctx: Context, params: One) -> AsyncIterator[Yield]:
    from amtui.console import roster
    from amtui.errors import Refused
    from amtui.fleet import consoles

    worker = ctx.worker(params.name)
    name = await consoles.find(ctx.estate, worker, params.console)
    if name == MAIN_CONSOLE:
        raise Refused(
            f"console 1 of {worker.name} is its agent's and cannot be closed",
            f"`amtui sleep {worker.name}` stops the agent",
        )
    await _ask_first(ctx, worker, name, "close", await roster.jobs(await ctx.estate.place(worker), name))
    await consoles.close(ctx.estate, worker, name)
    yield Result(
        {"schema": SCHEMA, "name": worker.name, "console": name}, f"{name} of {worker.name} is closed"
    )


async def restart(ctx: Context, params: One) -> AsyncIterator[Yield]:
    from amtui.console import roster
    from amtui.fleet import consoles

    worker = ctx.worker(params.name)
    name = await consoles.find(ctx.estate, worker, params.console)
    if name != MAIN_CONSOLE:
        running = await roster.jobs(await ctx.estate.place(worker), name)
        await _ask_first(ctx, worker, name, "restart", running)
    await consoles.restart_shell(ctx.estate, worker, name)
    yield Result(
        {"schema": SCHEMA, "name": worker.name, "console": name}, f"{name} of {worker.name} runs a new shell"
    )


async def _ask_first(ctx: Context, worker: Worker, name: str, verb: str, running: list[str]) -> None:
    """A shell that waits at its prompt may go without a word; a program may not."""
    if running:
        text = f"{', '.join(running[:5])} {'runs' if len(running) == 1 else 'run'} there and would be ended"
        await ctx.confirm(Question("confirm", f"{verb} {name} of {worker.name}", text))


LS = Action(Ls, ls)
NEW = Action(New, new)
RENAME = Action(Rename, rename)
CLOSE = Action(One, close)
RESTART = Action(One, restart)
