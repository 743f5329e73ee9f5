"""One verb from its words to its exit code: open the context, run the operation, print what it yields."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from amtui.cli import asking, diagnostics
from amtui.cli.launch import Launch
from amtui.cli.options import Options
from amtui.cli.output import Output
from amtui.errors import HostKeyUnknown, Refused
from amtui.ops import registry
from amtui.ops.base import Chunk, Op, Progress, Result
from amtui.ops.context import Context, Question


def has_terminal() -> bool:
    """Whether a full-screen front end could be shown here."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def perform(op: Op, values: dict[str, Any], options: Options) -> int | Launch:
    """Run `op` and return the exit code, or the front end that its result asks for. Raises `AmtuiError`."""
    if op.id == "attach" and not has_terminal():
        raise Refused("attach needs a terminal", "`amtui screen NAME` prints what a console shows")
    output = Output(json=options.json, raw=options.raw)
    try:
        result = asyncio.run(_run(op, values, options, output))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    except BrokenPipeError as error:
        # Not our reader's pipe but one inside the operation; click would end the program without a word.
        raise RuntimeError("a pipe inside the operation broke") from error
    wants_console = result.attach and has_terminal() and not options.json
    if not (op.id == "attach" and wants_console):
        output.result(result)
    if wants_console:
        bare = op.id == "attach"
        return Launch("tui", options.environment(), options.read_only, result.attach, result.console, bare)
    return result.exit_code


def _end_gently() -> None:
    """SIGTERM and SIGHUP end a verb as Ctrl-C does: what it runs on a host is stopped, not left behind."""
    import signal

    task = asyncio.current_task()
    if task is not None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            # nohup asked for the latter to be ignored
            if signal.getsignal(number) is not signal.SIG_IGN:
                asyncio.get_running_loop().add_signal_handler(number, task.cancel)


async def _run(op: Op, values: dict[str, Any], options: Options, output: Output) -> Result:
    _end_gently()
    context = Context.open(
        options.environment(),
        read_only=options.read_only,
        yes=options.yes,
        ask=asking.ask,
        terminal=sys.stdout.isatty(),
        stdin=sys.stdin.read,
        lenient=op.id in registry.LENIENT,
    )
    try:
        try:
            last = await _print(context, op, values, output)
        except HostKeyUnknown as error:
            # It stopped at the first connection, before anything was done, so it can be run again.
            await _vouch(context, error)
            last = await _print(context, op, values, output)
    finally:
        await context.aclose()
        output.finish()
    return last


async def _print(context: Context, op: Op, values: dict[str, Any], output: Output) -> Result:
    last = Result()
    async for item in registry.run(context, op.id, values):
        match item:
            case Progress(text=text):
                diagnostics.narrate(text)
            case Chunk():
                output.chunk(item)
            case Result():
                last = item
    return last


async def _vouch(context: Context, error: HostKeyUnknown) -> None:
    """Let the person compare a host's key and accept it. `--yes` is no answer to this question.

    Raises the error again where nobody is asked, and `Refused` when the answer is no.
    """
    if not asking.possible():
        raise error
    text = f"its key is {error.fingerprint}. Does its owner say the same?"
    if await asking.ask(Question("confirm", f"{error.host} is not known here", text)) != "yes":
        raise Refused(f"the key of {error.host} was not accepted", "nothing was changed") from error
    provider: Any = context.estate.providers.get(f"ssh:{error.host}")  # only this one has host keys
    await provider.accept_host_key(error.line)
