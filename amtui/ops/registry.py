"""The one table of operations, and the one way to run them.

Importing this costs next to nothing: parameters and code of an operation load when it is used. Every front end
goes through `run`, which is where read-only mode is enforced.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from amtui.errors import Refused, UsageError
from amtui.ops.base import EVERYWHERE, Effect, Op, Surface, Yield

if TYPE_CHECKING:
    from msgspec import Struct

    from amtui.ops.context import Context

_SHELL_ONLY = frozenset({Surface.CLI, Surface.HELP})
_NO_PALETTE = frozenset({Surface.CLI, Surface.LINE, Surface.HELP, Surface.MCP})
_NO_MCP = frozenset({Surface.CLI, Surface.PALETTE, Surface.LINE, Surface.HELP})
_SECRET = "a secret is typed by a person, hidden, on the command line"
_ONE_LINE = "it needs words that a palette entry cannot ask for; the `:` line has it"
_STREAM = "the Logs screen shows the same, live"
_MEASURE = "it would measure the front end's own work as well"

OPS: tuple[Op, ...] = (
    Op(
        "new",
        "New worker",
        "Deploy a worker: a host, a runtime, a live console.",
        Effect.CHANGE,
        "amtui.ops.deploy:NEW",
    ),
    Op("ls", "List workers", "List the workers and what they do.", Effect.READ, "amtui.ops.fleet:LS"),
    Op("show", "Show a worker", "Everything known about one worker.", Effect.READ, "amtui.ops.fleet:SHOW"),
    Op(
        "explain",
        "Explain a state",
        "Why amtui believes what it says about an agent.",
        Effect.READ,
        "amtui.ops.fleet:EXPLAIN",
    ),
    Op(
        "set",
        "Change a worker",
        "Change a worker's model, upstream or autonomy; takes effect at restart.",
        Effect.CHANGE,
        "amtui.ops.deploy:SET",
        _NO_PALETTE,
        _ONE_LINE,
    ),
    Op(
        "attach",
        "Open a console",
        "Open a worker's console, full screen.",
        Effect.READ,
        "amtui.ops.console:ATTACH",
        _NO_MCP,
        "a program reads the screen with `screen` and types with `send`",
    ),
    Op(
        "send",
        "Send a message",
        "Type a line into a worker's console and press Enter.",
        Effect.CHANGE,
        "amtui.ops.console:SEND",
        _NO_PALETTE,
        _ONE_LINE,
    ),
    Op(
        "keys",
        "Press keys",
        "Press named keys in a worker's console.",
        Effect.CHANGE,
        "amtui.ops.console:KEYS",
        _NO_PALETTE,
        _ONE_LINE,
    ),
    Op(
        "reply",
        "Answer a question",
        "Answer the question an agent is showing, if it is still the same one.",
        Effect.CHANGE,
        "amtui.ops.console:REPLY",
        _NO_PALETTE,
        _ONE_LINE,
    ),
    Op(
        "screen",
        "Print a screen",
        "Print what a worker's console shows.",
        Effect.READ,
        "amtui.ops.console:SCREEN",
        _NO_PALETTE,
        "the console itself is the better view",
    ),
    Op(
        "wait",
        "Wait for a state",
        "Wait until an agent needs you, is done, …",
        Effect.READ,
        "amtui.ops.console:WAIT",
        frozenset({Surface.CLI, Surface.HELP, Surface.MCP}),
        "a screen shows the state as it changes",
    ),
    Op(
        "console ls",
        "Consoles",
        "List a worker's consoles: its agent's, and shells beside it.",
        Effect.READ,
        "amtui.ops.consoles:LS",
    ),
    Op(
        "console new",
        "New console",
        "Open a shell beside a worker's agent, in its directory, environment and confinement.",
        Effect.CHANGE,
        "amtui.ops.consoles:NEW",
    ),
    Op(
        "console rename",
        "Rename a console",
        "Call a console by a title; its tmux session keeps its name.",
        Effect.CHANGE,
        "amtui.ops.consoles:RENAME",
        _NO_PALETTE,
        _ONE_LINE,
    ),
    Op(
        "console restart",
        "Restart a console",
        "Start a console's shell again, as when it has exited.",
        Effect.CHANGE,
        "amtui.ops.consoles:RESTART",
        _NO_PALETTE,
        _ONE_LINE,
    ),
    Op(
        "console close",
        "Close a console",
        "End a console with what runs in it; asks when that is more than a shell.",
        Effect.DESTROY,
        "amtui.ops.consoles:CLOSE",
        _NO_PALETTE,
        _ONE_LINE,
    ),
    Op(
        "restart",
        "Restart the agent",
        "Stop and start a worker's agent.",
        Effect.CHANGE,
        "amtui.ops.lifecycle:RESTART",
    ),
    Op(
        "exec",
        "Run a command",
        "Run a command with the agent's HOME, PATH and directory.",
        Effect.CHANGE,
        "amtui.ops.console:EXEC",
        _NO_PALETTE,
        _ONE_LINE,
    ),
    Op(
        "logs",
        "Read logs",
        "Print a worker's bootstrap and agent logs.",
        Effect.READ,
        "amtui.ops.observe:LOGS",
        frozenset({Surface.CLI, Surface.HELP, Surface.MCP}),
        _STREAM,
    ),
    Op(
        "events",
        "Read events",
        "Print what happened, newest last.",
        Effect.READ,
        "amtui.ops.observe:EVENTS",
        frozenset({Surface.CLI, Surface.HELP, Surface.MCP}),
        _STREAM,
    ),
    Op("wake", "Wake", "Start a sleeping worker again.", Effect.CHANGE, "amtui.ops.lifecycle:WAKE"),
    Op(
        "sleep",
        "Sleep",
        "Stop a worker's agent and keep its files.",
        Effect.CHANGE,
        "amtui.ops.lifecycle:SLEEP",
    ),
    Op(
        "destroy",
        "Destroy",
        "Remove a worker and everything amtui made for it.",
        Effect.DESTROY,
        "amtui.ops.lifecycle:DESTROY",
    ),
    Op(
        "bootstrap",
        "Bootstrap",
        "Finish or repeat a worker's bootstrap.",
        Effect.CHANGE,
        "amtui.ops.deploy:BOOTSTRAP",
    ),
    Op(
        "git",
        "Git of a worker",
        "Bring a worker's commits here, or show its status and diff.",
        Effect.CHANGE,
        "amtui.ops.observe:GIT",
        _NO_PALETTE,
        _ONE_LINE,
    ),
    Op(
        "upstream ls",
        "Upstreams",
        "List model upstreams and which runtimes they can serve.",
        Effect.READ,
        "amtui.ops.settings:UPSTREAM_LS",
    ),
    Op(
        "upstream add",
        "Add an upstream",
        "Add a model upstream with its wires and key.",
        Effect.CHANGE,
        "amtui.ops.settings:UPSTREAM_ADD",
        _NO_PALETTE,
        _ONE_LINE,
    ),
    Op(
        "upstream test",
        "Test an upstream",
        "Ask an upstream which wires it really speaks.",
        Effect.READ,
        "amtui.ops.settings:UPSTREAM_TEST",
        _NO_PALETTE,
        _ONE_LINE,
    ),
    Op(
        "upstream rm",
        "Remove an upstream",
        "Forget a model upstream.",
        Effect.CHANGE,
        "amtui.ops.settings:UPSTREAM_RM",
        _NO_PALETTE,
        _ONE_LINE,
    ),
    Op(
        "secret set",
        "Set a secret",
        "Store a key in the OS keyring, or with consent in a private file.",
        Effect.CHANGE,
        "amtui.ops.settings:SECRET_SET",
        _SHELL_ONLY,
        _SECRET,
    ),
    Op(
        "secret ls",
        "Secrets",
        "List the names of stored secrets and where each is.",
        Effect.READ,
        "amtui.ops.settings:SECRET_LS",
        _NO_MCP,
        "an agent has no business with the operator's keys",
    ),
    Op(
        "secret rm",
        "Remove a secret",
        "Forget a stored secret.",
        Effect.CHANGE,
        "amtui.ops.settings:SECRET_RM",
        _SHELL_ONLY,
        _SECRET,
    ),
    Op(
        "config path",
        "Config path",
        "Print where configuration, state and cache live.",
        Effect.READ,
        "amtui.ops.settings:CONFIG_PATH",
    ),
    Op(
        "config show",
        "Show config",
        "Print the configuration in force.",
        Effect.READ,
        "amtui.ops.settings:CONFIG_SHOW",
    ),
    Op(
        "config validate",
        "Validate config",
        "Check the configuration file; name line, key and nearest name.",
        Effect.READ,
        "amtui.ops.settings:CONFIG_VALIDATE",
    ),
    Op(
        "config schema",
        "Config schema",
        "Print the JSON schema of the configuration.",
        Effect.READ,
        "amtui.ops.settings:CONFIG_SCHEMA",
        frozenset({Surface.CLI, Surface.HELP, Surface.MCP}),
        "it is for editors and programs",
    ),
    Op(
        "doctor",
        "Doctor",
        "Check this computer, the substrates and the upstreams; say how to fix what is wrong.",
        Effect.READ,
        "amtui.ops.doctor:DOCTOR",
    ),
    Op(
        "benchmark console",
        "Benchmark the console",
        "Time keys over a slow link: amtui, ssh with tmux, polling, mosh.",
        Effect.READ,
        "amtui.ops.benchmark_console:CONSOLE",
        _SHELL_ONLY,
        "it keeps this computer busy for a minute, which a person decides",
    ),
    Op(
        "benchmark emulator",
        "Benchmark the emulator",
        "Measure the terminal emulator beside stock pyte, and what painting consoles costs.",
        Effect.READ,
        "amtui.ops.benchmark:EMULATOR",
        _SHELL_ONLY,
        _MEASURE,
    ),
)

LENIENT = frozenset({"config path", "config show", "config validate", "config schema", "doctor"})
"""Operations that work with a configuration that has mistakes, because they report them."""

_BY_ID = {op.id: op for op in OPS}


def get(op_id: str) -> Op:
    """The operation of that id. Raises `UsageError` with the nearest names."""
    try:
        return _BY_ID[op_id]
    except KeyError:
        from difflib import get_close_matches

        near = get_close_matches(op_id, _BY_ID, 3, 0.5)
        hint = f"did you mean {', '.join(near)}?" if near else "`?` or `amtui --help` lists all"
        raise UsageError(f"there is no operation {op_id!r}", hint) from None


_NAME_FIRST = frozenset({"console"})
"""Groups whose verb may stand after the worker's name, as in `amtui git NAME pull`."""


def verb_first(group: str, words: list[str]) -> list[str]:
    """The words after a group with its verb in front: `NAME ls` means `ls NAME`. A word that is a verb is the verb."""
    if group not in _NAME_FIRST:
        return words
    verbs = {op.id.removeprefix(f"{group} ") for op in OPS if op.id.startswith(f"{group} ")}
    plain = [at for at, word in enumerate(words) if not word.startswith("-")][:2]
    if len(plain) < 2 or words[plain[0]] in verbs or words[plain[1]] not in verbs:
        return words
    verb = words[plain[1]]
    return [verb, *words[: plain[1]], *words[plain[1] + 1 :]]


def on(surface: Surface) -> tuple[Op, ...]:
    """The operations that a surface offers, in the order of the table."""
    return tuple(op for op in OPS if surface in op.surfaces)


async def run(ctx: Context, op_id: str, params: Struct | dict[str, Any]) -> AsyncIterator[Yield]:
    """Run an operation: progress and live output first, one `Result` last.

    `params` is the operation's own struct or a mapping with the same names (validated here). Raises `AmtuiError`;
    in read-only mode `Refused` for everything that is not a read.
    """
    op = get(op_id)
    if ctx.read_only and op.effect is not Effect.READ:
        raise Refused(
            f"{op.id} is refused in read-only mode", "start amtui without --read-only to change anything"
        )
    action = op.load()
    if isinstance(params, dict):
        from amtui.ops.params import convert

        params = convert(op, action.params, params)
    # Closed with us: what an operation has begun ends when nobody listens any more.
    async with aclosing(cast("AsyncGenerator[Yield, None]", action.run(ctx, params))) as items:
        async for item in items:
            yield item


async def result(ctx: Context, op_id: str, params: Struct | dict[str, Any]) -> Any:
    """Run an operation for its result alone."""
    from amtui.ops.base import Result

    last = Result()
    async for item in run(ctx, op_id, params):
        if isinstance(item, Result):
            last = item
    return last


__all__ = ["EVERYWHERE", "OPS", "get", "on", "result", "run"]
