"""Consoles from outside: read the screen, type a line, press keys, answer, wait, run a command beside the agent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from msgspec import Struct

from amtui.errors import Refused, UsageError, WaitTimeout
from amtui.model import MAIN_CONSOLE, SCHEMA, AgentStatus, Untrusted, Worker
from amtui.ops.base import Action, Arg, Chunk, Progress, Result, Yield
from amtui.ops.context import Context

POLL = 0.5
"""Seconds between two looks of `wait`."""


class Attach(Struct, frozen=True, kw_only=True):
    """Parameters of `attach`."""

    name: Annotated[str, Arg("name of the worker", positional=True, complete="worker")]
    console: Annotated[str, Arg("which of its consoles")] = MAIN_CONSOLE


class Send(Struct, frozen=True, kw_only=True):
    """Parameters of `send`."""

    name: Annotated[str, Arg("name of the worker", positional=True, complete="worker")]
    text: Annotated[str, Arg("what to type; - reads stdin", positional=True, metavar="TEXT|-")]
    no_enter: Annotated[bool, Arg("leave the text in the composer")] = False
    id: Annotated[str, Arg("repeat-safe: the same id is typed once", metavar="KEY")] = ""
    force: Annotated[bool, Arg("type even where the agent asks for permission")] = False
    console: Annotated[str, Arg("which of its consoles")] = MAIN_CONSOLE


class Keys(Struct, frozen=True, kw_only=True):
    """Parameters of `keys`."""

    name: Annotated[str, Arg("name of the worker", positional=True, complete="worker")]
    keys: Annotated[
        tuple[str, ...], Arg("Enter Up C-c M-x F5 …, as tmux names them", positional=True, metavar="KEY")
    ]
    console: Annotated[str, Arg("which of its consoles")] = MAIN_CONSOLE


class Reply(Struct, frozen=True, kw_only=True):
    """Parameters of `reply`."""

    name: Annotated[str, Arg("name of the worker", positional=True, complete="worker")]
    choice: Annotated[str, Arg("number or words of the option", positional=True)]


class Screen(Struct, frozen=True, kw_only=True):
    """Parameters of `screen`."""

    name: Annotated[str, Arg("name of the worker", positional=True, complete="worker")]
    console: Annotated[str, Arg("which of its consoles")] = MAIN_CONSOLE


class Wait(Struct, frozen=True, kw_only=True):
    """Parameters of `wait`."""

    name: Annotated[str, Arg("name of the worker", positional=True, complete="worker")]
    until: Annotated[str, Arg("states, joined by commas", metavar="STATES")] = "needs-you,done,failed"
    timeout: Annotated[float, Arg("seconds")] = 600.0


class Exec(Struct, frozen=True, kw_only=True):
    """Parameters of `exec`."""

    name: Annotated[str, Arg("name of the worker", positional=True, complete="worker")]
    command: Annotated[tuple[str, ...], Arg("the command and its arguments", rest=True, metavar="CMD")]
    timeout: Annotated[float, Arg("seconds; 0 for none")] = 0.0


async def attach(ctx: Context, params: Attach) -> AsyncIterator[Yield]:
    worker = ctx.worker(params.name)
    yield Result({"schema": SCHEMA, "name": worker.name, "console": params.console}, attach=worker.name)


async def send(ctx: Context, params: Send) -> AsyncIterator[Yield]:
    from amtui.agentstate import prompt_guard
    from amtui.console import server
    from amtui.console.guard import Guard

    worker = ctx.worker(params.name)
    text = ctx.read_stdin() if params.text == "-" else params.text
    key = f"send:{worker.id}:{params.console}:{params.id}"
    if params.id and (known := ctx.estate.store.claim_once(key)) is not None:
        yield Result({"schema": SCHEMA, **known, "repeated": True}, f"{known['outcome']} (said before)")
        return
    guard = Guard(absent=() if params.force else prompt_guard(worker.runtime))
    place = await ctx.estate.place(worker)
    done = await server.send(
        place, params.console, text, enter=not params.no_enter, guard=guard, id=params.id and key
    )
    document = {"name": worker.name, "outcome": done.outcome, "reason": done.reason}
    ctx.estate.store.record(worker.id, "send", f"{done.outcome} {done.reason}".strip())
    if done.outcome == "refused":
        if params.id:
            ctx.estate.store.forget_once(key)
        raise _refusal(worker, done.reason)
    if params.id:
        ctx.estate.store.finish_once(key, document)
    yield Result(
        {"schema": SCHEMA, **document}, done.outcome, exit_code=0 if done.outcome != "unknown" else 1
    )


def _refusal(worker: Worker, reason: str) -> Refused:
    if reason == "prompt":
        return Refused(
            f"{worker.name} shows a question; nothing was typed",
            "answer it with `amtui reply`, or add --force",
        )
    return Refused(
        f"{worker.name}: nothing was typed: {reason}", f"`amtui screen {worker.name}` shows what is there"
    )


async def keys(ctx: Context, params: Keys) -> AsyncIterator[Yield]:
    from amtui.console import server

    worker = ctx.worker(params.name)
    done = await server.keys(await ctx.estate.place(worker), params.console, params.keys)
    if done.outcome == "refused":
        raise Refused(
            f"{worker.name}: no key was pressed: {done.reason}", f"`amtui show {worker.name}` tells its state"
        )
    yield Result({"schema": SCHEMA, "name": worker.name, "outcome": done.outcome}, done.outcome)


async def reply(ctx: Context, params: Reply) -> AsyncIterator[Yield]:
    from amtui.fleet.answer import answer

    worker = ctx.worker(params.name)
    option = await answer(ctx.estate, worker, params.choice)
    yield Result({"schema": SCHEMA, "name": worker.name, "chosen": option}, f"answered: {option}")


async def screen(ctx: Context, params: Screen) -> AsyncIterator[Yield]:
    from amtui.console import server

    worker = ctx.worker(params.name)
    frame = await server.capture(await ctx.estate.place(worker), params.console)
    origin = f"{worker.name}'s console"
    rows = [Untrusted(row, origin) for row in frame.rows]
    shown = [row.for_terminal().rstrip() for row in rows]
    while shown and not shown[-1]:
        shown.pop()
    document = {
        "schema": SCHEMA,
        "name": worker.name,
        "console": params.console,
        "columns": frame.columns,
        "lines": frame.lines,
        "cursor": {"x": frame.cursor_x, "y": frame.cursor_y, "hidden": frame.cursor_hidden},
        "alternate": frame.alternate,
        "title": Untrusted(frame.title, origin).for_json(),
        "dead": frame.dead,
        "rows": [row.for_json() for row in rows],
    }
    yield Result(document, "\n".join(shown))


def _statuses(text: str) -> set[AgentStatus]:
    try:
        return {AgentStatus(word.strip()) for word in text.split(",") if word.strip()}
    except ValueError as error:
        known = ", ".join(s.value for s in AgentStatus)
        raise UsageError(f"--until: {error}", f"states are {known}") from None


async def wait(ctx: Context, params: Wait) -> AsyncIterator[Yield]:
    worker = ctx.worker(params.name)
    wanted = _statuses(params.until)
    last: AgentStatus | None = None
    try:
        async with asyncio.timeout(params.timeout):
            while True:
                await ctx.fleet.refresh(worker)
                state = ctx.fleet.row(worker).agent
                if state.status in wanted:
                    break
                if state.status is not last:
                    yield Progress(f"{worker.name} is {state.status.value} {state.reason}".rstrip())
                    last = state.status
                await asyncio.sleep(POLL)
    except TimeoutError:
        now = last.value if last else "unknown"
        raise WaitTimeout(
            f"{worker.name} is {now} after {params.timeout:g} s, not {params.until}",
            f"`amtui explain {worker.name}` shows the evidence",
        ) from None
    document = {"schema": SCHEMA, "name": worker.name, "agent": msgspec.to_builtins(state)}
    yield Result(
        document, f"{state.status.value} {state.reason}".rstrip() + (f": {state.text}" if state.text else "")
    )


def surroundings(worker: Worker, home: str) -> dict[str, str]:
    """What makes a command feel at home beside the agent."""
    return {"HOME": home, "AMTUI_WORKER": worker.name}


async def run_command(ctx: Context, params: Exec) -> AsyncIterator[Yield]:
    from amtui.fleet.beside import stream_beside
    from amtui.providers.base import Exit, Gap, Output

    worker = ctx.worker(params.name)
    if not params.command:
        raise UsageError("exec wants a command", "amtui exec NAME -- CMD…")
    code: int | None = None
    kept = bytearray()
    async with stream_beside(ctx.estate, worker, params.command, timeout=params.timeout or None) as stream:
        async for event in stream:
            match event:
                case Output(stream=name, data=data):
                    if name == "stdout" and len(kept) < 8 << 20:
                        kept += data
                    yield Chunk(data, name)
                case Gap(reason=reason):
                    yield Progress(f"output lost: {reason}")
                case Exit(code=exit_code, signal=signal):
                    code = exit_code if exit_code is not None else 128
                    if signal:
                        yield Progress(f"ended by signal {signal}")
    document = {
        "schema": SCHEMA,
        "name": worker.name,
        "exit_code": code,
        "stdout": Untrusted(bytes(kept), worker.name).for_json(),
    }
    yield Result(document, exit_code=code if code is not None else 1)


ATTACH = Action(Attach, attach)
SEND = Action(Send, send)
KEYS = Action(Keys, keys)
REPLY = Action(Reply, reply)
SCREEN = Action(Screen, screen)
WAIT = Action(Wait, wait)
EXEC = Action(Exec, run_command)
