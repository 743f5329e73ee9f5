"""The shape of an operation. Command line, palette, `:` line, help and MCP are generated from these.

The table in `amtui.ops.registry` must stay cheap to import (`amtui --help` reads it), so an `Op` names its action
as `module:attribute` and loads it on first use.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from msgspec import Struct

    from amtui.ops.context import Context


class Effect(StrEnum):
    """What running it may do to the world. `--read-only` lets only `read` through."""

    READ = "read"
    CHANGE = "change"
    DESTROY = "destroy"


class Surface(StrEnum):
    """Where an operation can be reached."""

    CLI = "cli"
    PALETTE = "palette"
    LINE = "line"
    HELP = "help"
    MCP = "mcp"


EVERYWHERE = frozenset(Surface)


class Arg(NamedTuple):
    """How one field of an operation's parameters is written on a command line and asked for in a form.

    Put it into the annotation: `name: Annotated[str, Arg("name of the worker", positional=True)]`.
    """

    help: str
    positional: bool = False
    flag: str = ""
    """Other than `--field-name`."""
    metavar: str = ""
    rest: bool = False
    """Takes everything after `--`."""
    complete: str = ""
    """What completion offers: worker, substrate, runtime, upstream, secret."""


class Progress(NamedTuple):
    """A line of narration while an operation runs: stderr on the command line, the status line in the TUI."""

    text: str
    fraction: float | None = None


class Result(NamedTuple):
    """The last thing an operation yields.

    `data` is a msgspec Struct, list, dict or None, and becomes the `--json` document; `text` is what a person reads
    on stdout, already safe for a terminal; `raw` is bytes for a non-terminal stdout or `--raw`; `exit_code` lets
    `exec` pass on the remote status; `attach` names the worker whose console a person wants to see next.
    """

    data: Any = None
    text: str = ""
    raw: bytes | None = None
    exit_code: int = 0
    attach: str = ""
    console: str = ""
    """With `attach`: which of its consoles; empty is the agent's."""


class Chunk(NamedTuple):
    """Live output of `exec` and `logs -f`: untrusted bytes for stdout or stderr before the result."""

    data: bytes
    stream: str = "stdout"
    record: Any = None
    """The same as data, for operations that go on and on: one line of JSON each under `--json`."""


Yield: TypeAlias = Progress | Chunk | Result
Run: TypeAlias = Callable[["Context", Any], AsyncIterator[Yield]]


class Action(NamedTuple):
    """The loaded half of an operation: its typed parameters and the coroutine that does it."""

    params: type[Struct]
    run: Run


class Op(NamedTuple):
    """One thing an operator can ask for, under one id on every surface."""

    id: str
    """The verb; a space separates a group from its verb, as in `upstream add`."""
    title: str
    """For the palette."""
    summary: str
    """One line for help."""
    effect: Effect
    action: str
    """`module:attribute` of the `Action`."""
    surfaces: frozenset[Surface] = EVERYWHERE
    absent: str = ""
    """Why it is missing from the surfaces it is missing from."""

    def load(self) -> Action:
        """Import and return the action."""
        from importlib import import_module

        module, _, name = self.action.partition(":")
        action = getattr(import_module(module), name)
        assert isinstance(action, Action)
        return action
