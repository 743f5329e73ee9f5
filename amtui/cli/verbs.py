"""The tree of verbs, grown from the table of operations as far as one call needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from amtui.cli.launch import Launch
from amtui.cli.options import Everywhere, everywhere, of
from amtui.ops.base import Op, Surface
from amtui.ops.registry import on, verb_first

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

GROUPS = {
    "benchmark": "Measure amtui on this computer beside what it is compared with.",
    "console": "Consoles of a worker: `amtui console NAME ls`, or the verb first.",
    "config": "Where settings live, what is in force, what is wrong with them.",
    "secret": "Keys: in the OS keyring, or with consent in a private file.",
    "upstream": "Where models come from.",
    "account": "Logins of the runtimes' vendors.",
    "loadout": "Skills, MCP servers, CLIs and instructions of a worker.",
    "sessions": "Conversations of a worker's agent.",
}
"""One line for each word that has verbs of its own under it."""


class _Helpful:
    """Help with the flags of every verb set apart from the verb's own."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        command = ctx.command
        own: list[tuple[str, str]] = []
        common: list[tuple[str, str]] = []
        for param in command.get_params(ctx):
            if record := param.get_help_record(ctx):
                (common if isinstance(param, Everywhere) or param.name == "help" else own).append(record)
        for title, records in (("Options", own), ("Everywhere", common)):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class Verb(_Helpful, click.Command):
    """One operation as a command."""


class Group(_Helpful, click.Group):
    """Commands under a prefix of the operations' ids; nothing is loaded before it is called for."""

    def __init__(self, prefix: str = "", **settings: Any) -> None:
        super().__init__(**settings)
        self.prefix = prefix

    def _children(self) -> dict[str, str]:
        """Name and one line of each verb and group right below, in the order of the table."""
        found: dict[str, str] = {}
        for op in on(Surface.CLI):
            if op.id.startswith(self.prefix):
                word, _, deeper = op.id.removeprefix(self.prefix).partition(" ")
                found.setdefault(word, GROUPS.get(word, op.summary) if deeper else op.summary)
        return found

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._children())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        full = self.prefix + cmd_name
        for op in on(Surface.CLI):
            if op.id == full:
                return verb(op)
            if op.id.startswith(full + " "):
                return Group(full + " ", name=cmd_name, help=GROUPS.get(cmd_name), params=everywhere())
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        args = verb_first(self.prefix.rstrip(), args)
        name = args[0]
        command = self.get_command(ctx, name)
        if command is None and not ctx.resilient_parsing:
            from difflib import get_close_matches

            near = get_close_matches(name, self._children(), 1, 0.6)
            meant = f"; did you mean {self.prefix + near[0]!r}?" if near else ""
            ctx.fail(f"there is no verb {self.prefix + name!r}{meant}")
        return name, command, args[1:]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_commands(ctx, formatter)
        super().format_options(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(self._children().items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        verbs = [
            CompletionItem(name, help=text)
            for name, text in self._children().items()
            if name.startswith(incomplete)
        ]
        return verbs + click.Command.shell_complete(self, ctx, incomplete)


def verb(op: Op) -> click.Command:
    """The command of an operation; this loads the operation's code."""
    from amtui.cli import arguments

    @click.pass_context
    def call(ctx: click.Context, /, **values: Any) -> int | Launch:
        from amtui.cli.session import perform

        return perform(op, arguments.given(values), of(ctx))

    # A filter's `-asleep` is a word of its grammar, not a bundle of short options.
    settings = {"ignore_unknown_options": True} if op.id == "ls" else {}
    return Verb(
        name=op.id.rpartition(" ")[2],
        context_settings=settings,
        params=[*arguments.parameters(op.load()), *everywhere()],
        callback=call,
        help=op.summary,
    )
