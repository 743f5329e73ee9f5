"""Consoles from outside: read the screen, type a line, press keys, answer, wait, run a command beside the agent."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Struct

from amtui.errors import ExecTimeout, Refused, Unreachable, UsageError, WaitTimeout
from amtui.model import MAIN_CONSOLE, SCHEMA, AgentState, AgentStatus, Untrusted, Worker
from amtui.ops.base import Action, Arg, Chunk, Progress, Result, Yield
from amtui.ops.context import Context, Question

if TYPE_CHECKING:
    from amtui.console.server import SendOutcome
    from amtui.providers.base import Exit

POLL = 0.5
"""Seconds between two looks of `wait`."""
LOOK = 20.0
"""Seconds that the one look of `wait --timeout 0` may take."""
KEPT = 8 << 20
"""Bytes of each stream that the document of `exec` holds."""


class Attach(Struct, frozen=True, kw_only=True):
    """Parameters of `attach`."""

    name: Annotated[str, Arg("name of the worker", positional=True, complete="worker")]
    console: Annotated[str, Arg("which of its consoles: number, name or title", metavar="N")] = MAIN_CONSOLE


class Send(Struct, frozen=True, kw_only=True):
    """Parameters of `send`."""

    name: Annotated[str, Arg("name of the worker", positional=True, complete="worker")]
    text: Annotated[str, Arg("what to type; - reads stdin", positional=True, metavar="TEXT|-")]
    no_enter: Annotated[bool, Arg("leave the text in the composer")] = False
    id: Annotated[str, Arg("repeat-safe: the same id is typed once", metavar="KEY")] = ""
    force: Annotated[bool, Arg("type even where the agent asks for permission")] = False
    console: Annotated[str, Arg("which of its consoles: number, name or title", metavar="N")] = MAIN_CONSOLE


class Keys(Struct, frozen=True, kw_only=True):
    """Parameters of `keys`."""

    name: Annotated[str, Arg("name of the worker", positional=True, complete="worker")]
    keys: Annotated[
        tuple[str, ...], Arg("Enter Up C-c M-x F5 …, as tmux names them", positional=True, metavar="KEY")
    ]
    console: Annotated[str, Arg("which of its consoles: number, name or title", metavar="N")] = MAIN_CONSOLE


class Reply(Struct, frozen=True, kw_only=True):
    """Parameters of `reply`."""

    name: Annotated[str, Arg("name of the worker", positional=True, complete="worker")]
    choice: Annotated[str, Arg("number or words of the option", positional=True)]


class Screen(Struct, frozen=True, kw_only=True):
    """Parameters of `screen`."""

    name: Annotated[str, Arg("name of the worker", positional=True, complete="worker")]
    console: Annotated[str, Arg("which of its consoles: number, name or title", metavar="N")] = MAIN_CONSOLE


class Wait(Struct, frozen=True, kw_only=True):
    """Parameters of `wait`."""

    name: Annotated[str, Arg("name of the worker", positional=True, complete="worker")]
    until: Annotated[str, Arg("states, joined by commas", metavar="STATES")] = "needs-you,done,failed"
    timeout: Annotated[float, Arg("seconds; 0 looks once")] = 600.0
    console: Annotated[str, Arg("which of its consoles: number, name or title", metavar="N")] = MAIN_CONSOLE


class Exec(Struct, frozen=True, kw_only=True):
    """Parameters of `exec`."""

    name: Annotated[str, Arg("name of the worker", positional=True, complete="worker")]
    command: Annotated[tuple[str, ...], Arg("the command and its arguments", rest=True, metavar="CMD")]
    timeout: Annotated[float, Arg("seconds; 0 for none")] = 0.0


async def attach(ctx: Context, params: Attach) -> AsyncIterator[Yield]:
    from amtui.fleet import consoles, lifecycle

    worker = ctx.worker(params.name)
    if worker.asleep and not ctx.read_only:
        # Looking never wakes; whoever attaches wants to work, and is asked.
        text = "it sleeps; its agent would be started again"
        await ctx.confirm(Question("confirm", f"wake {worker.name}", text))
        yield Progress(f"waking {worker.name}")
        await lifecycle.wake(ctx.estate, worker)
        worker = ctx.worker(params.name)
    console = await consoles.find(ctx.estate, worker, params.console)
    document = {"schema": SCHEMA, "name": worker.name, "console": console}
    yield Result(document, attach=worker.name, console=console)


async def send(ctx: Context, params: Send) -> AsyncIterator[Yield]:
    from amtui.agentstate import prompt_guard
    from amtui.console import server
    from amtui.console.guard import Guard
    from amtui.fleet.answer import asking

    worker, store = ctx.worker(params.name), ctx.estate.store
    console = await _console(ctx, worker, params.console)
    text = _piped(ctx) if params.text == "-" else params.text
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError("the text is not UTF-8", "a console takes text only") from None
    key = f"send:{worker.id}:{console}:{params.id}"
    if params.id and (known := store.claim_once(key)) is not None:
        yield Result({"schema": SCHEMA, **known, "repeated": True}, f"{known['outcome']} (said before)")
        return
    settled = False
    try:
        texts = () if params.force else prompt_guard(worker.runtime)
        texts = texts if console == MAIN_CONSOLE else ()
        if texts and await asking(ctx.estate, worker):
            raise _refusal(worker, "prompt")
        guard = Guard(absent=texts)
        place = await ctx.estate.place(worker)
        done = await server.send(
            place, console, text, enter=not params.no_enter, guard=guard, id=params.id and key
        )
        document = {"name": worker.name, "console": console, "outcome": done.outcome, "reason": done.reason}
        settled = done.outcome == ("typed" if params.no_enter else "submitted")
        if params.id and settled:
            store.finish_once(key, document)
    finally:
        # Not done, or not known to be: the worker itself knows the id and types nothing twice, so it may be asked.
        if params.id and not settled:
            store.forget_once(key)
    store.record(worker.id, "send", f"{done.outcome} {done.reason}".strip())
    if done.outcome == "refused":
        raise _refusal(worker, done.reason)
    yield Result({"schema": SCHEMA, **document}, _outcome(done), exit_code=0 if settled else 1)


async def _console(ctx: Context, worker: Worker, word: str) -> str:
    """The session that `--console` means. Raises `NotFound`."""
    from amtui.fleet import consoles

    return await consoles.find(ctx.estate, worker, word)


def _piped(ctx: Context) -> str:
    """What was piped in, without the newline that ends a line of a file: Enter is pressed by us."""
    text = ctx.read_stdin()
    return text.removesuffix("\n").removesuffix("\r")


def _outcome(done: SendOutcome) -> str:
    return f"{done.outcome} ({done.reason})" if done.reason else done.outcome


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
    console = await _console(ctx, worker, params.console)
    done = await server.keys(await ctx.estate.place(worker), console, params.keys)
    ctx.estate.store.record(worker.id, "keys", f"{done.outcome} {done.reason}".strip())
    if done.outcome == "refused":
        raise Refused(
            f"{worker.name}: no key was pressed: {done.reason}", f"`amtui show {worker.name}` tells its state"
        )
    document = {
        "schema": SCHEMA,
        "name": worker.name,
        "console": console,
        "outcome": done.outcome,
        "reason": done.reason,
    }
    yield Result(document, _outcome(done), exit_code=1 if done.outcome == "unknown" else 0)


async def reply(ctx: Context, params: Reply) -> AsyncIterator[Yield]:
    from amtui.fleet.answer import answer

    worker = ctx.worker(params.name)
    option = await answer(ctx.estate, worker, params.choice)
    yield Result({"schema": SCHEMA, "name": worker.name, "chosen": option}, f"answered: {option}")


async def screen(ctx: Context, params: Screen) -> AsyncIterator[Yield]:
    from amtui.console import server

    worker = ctx.worker(params.name)
    console = await _console(ctx, worker, params.console)
    frame = await server.capture(await ctx.estate.place(worker), console)
    origin = f"{worker.name}'s console"
    rows = [Untrusted(row, origin) for row in frame.rows]
    shown = [row.for_terminal().rstrip() for row in rows]
    while shown and not shown[-1]:
        shown.pop()
    document = {
        "schema": SCHEMA,
        "name": worker.name,
        "console": console,
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
    from difflib import get_close_matches

    known = [status.value for status in AgentStatus]
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise UsageError("--until names no state", f"states are {', '.join(known)}")
    for word in words:
        if word not in known:
            near = get_close_matches(word, known, 1, 0.5)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise UsageError(f"--until: unknown state {word!r}{meant}", f"states are {', '.join(known)}")
    return {AgentStatus(word) for word in words}


def _seconds(flag: str, value: float) -> float:
    if not 0 <= value < 1e9:  # nor is a NaN
        raise UsageError(f"{flag} wants seconds, not {value:g}", "0 or more")
    return value


async def wait(ctx: Context, params: Wait) -> AsyncIterator[Yield]:
    worker = ctx.worker(params.name)
    wanted, limit = _statuses(params.until), _seconds("--timeout", params.timeout)
    console = await _console(ctx, worker, params.console)
    named = worker.name if console == MAIN_CONSOLE else f"{worker.name}, {console},"
    last, state = "not seen", None
    try:
        async with asyncio.timeout(limit or LOOK):
            while True:
                # Only what is seen now counts: what was known before may be days old.
                state = await _seen(ctx, worker, console)
                if state is not None and state.status in wanted:
                    break
                now = f"{state.status.value} {state.reason}".rstrip() if state else _away(ctx, worker)
                if now != last:
                    yield Progress(f"{named} is {now}")
                    last = now
                if not limit:
                    raise TimeoutError
                await asyncio.sleep(POLL)
                worker = ctx.estate.store.worker_by_id(worker.id)
    except TimeoutError:
        raise WaitTimeout(
            f"{named} is {last} after {params.timeout:g} s, not {params.until}",
            f"`amtui explain {worker.name}` shows the evidence"
            if console == MAIN_CONSOLE
            else f"`amtui screen {worker.name} --console {console}` shows what is there",
        ) from None
    document = {
        "schema": SCHEMA,
        "name": worker.name,
        "console": console,
        "agent": msgspec.to_builtins(state),
    }
    yield Result(
        document, f"{state.status.value} {state.reason}".rstrip() + (f": {state.text}" if state.text else "")
    )


async def _seen(ctx: Context, worker: Worker, console: str) -> AgentState | None:
    """What goes on in a console at this moment, or None where the host does not answer."""
    if console == MAIN_CONSOLE:
        return (await ctx.fleet.refresh(worker)).get(worker.id)
    from amtui.fleet.look import beside

    try:
        return await beside(ctx.estate, worker, console)
    except (Unreachable, ExecTimeout):
        return None


def _away(ctx: Context, worker: Worker) -> str:
    """Why nothing is seen of a worker's agent."""
    host = ctx.fleet.row(worker).host
    return f"{host.state.value} ({host.detail})" if host.detail else f"not answering ({host.state.value})"


async def run_command(ctx: Context, params: Exec) -> AsyncIterator[Yield]:
    from amtui.fleet.beside import stream_beside
    from amtui.providers.base import Exit, Gap, Output

    worker = ctx.worker(params.name)
    limit = _seconds("--timeout", params.timeout)
    ended: Exit | None = None
    kept = {"stdout": bytearray(), "stderr": bytearray()}
    cut = False
    try:
        async with (
            asyncio.timeout(limit or None),
            stream_beside(ctx.estate, worker, params.command) as stream,
        ):
            async for event in stream:
                match event:
                    case Output(stream=name, data=data):
                        room = max(0, KEPT - len(kept[name]))
                        kept[name] += data[:room]
                        cut = cut or len(data) > room
                        yield Chunk(data, name)
                    case Gap(reason=reason):
                        yield Progress(f"output lost: {reason}")
                    case Exit():
                        ended = event
    except TimeoutError:
        raise ExecTimeout(
            f"{worker.name}: the command did not end within {limit:g} s and was killed",
            "give it more with --timeout",
            stdout=bytes(kept["stdout"]),
            stderr=bytes(kept["stderr"]),
        ) from None
    if ended is not None and ended.signal:
        yield Progress(f"ended by signal {ended.signal}")
    code = _status(ended)
    document = {
        "schema": SCHEMA,
        "name": worker.name,
        "exit_code": code,
        "signal": ended.signal if ended else None,
        **{name: Untrusted(bytes(data), worker.name).for_json() for name, data in kept.items()},
        "truncated": cut,
    }
    yield Result(document, exit_code=code)


def _status(ended: Exit | None) -> int:
    """The exit status as a shell tells it: 128 and the number of the signal for a program that was killed."""
    if ended is None:
        return 1
    if ended.code is not None:
        return ended.code
    number = getattr(signal, f"SIG{ended.signal}", 0)
    return 128 + int(number)


ATTACH = Action(Attach, attach)
SEND = Action(Send, send)
KEYS = Action(Keys, keys)
REPLY = Action(Reply, reply)
SCREEN = Action(Screen, screen)
WAIT = Action(Wait, wait)
EXEC = Action(Exec, run_command)
