"""What the shell offers after tab: names out of the store and the configuration, never out of the network."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from amtui.cli import options

if TYPE_CHECKING:
    from amtui.ops.params import Field

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem | str]]

_SOURCES: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "worker": ("ls", {"cached": True}, "workers", "name"),
    "upstream": ("upstream ls", {}, "upstreams", "id"),
    "secret": ("secret ls", {}, "secrets", "name"),
}
"""Kind of name: the operation that lists it, its parameters, and where the names stand in its document."""

FIXED = {"substrate": ("local", "ssh:"), "runtime": ("shell", "claude", "codex")}
"""Words that are always the same; a host after `ssh:` is the user's to name."""


def of(field: Field) -> Completer | None:
    """The completer of a parameter, if it has one."""
    kind = field.arg.complete
    if kind in FIXED:
        return _static(FIXED[kind])
    return _names(kind) if kind in _SOURCES else None


def _static(words: tuple[str, ...]) -> Completer:
    def offer(_ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem | str]:
        return [word for word in words if word.startswith(typed)]

    return offer


def _names(kind: str) -> Completer:
    def offer(ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem | str]:
        try:
            return [name for name in _listed(kind, ctx) if name.startswith(typed)]
        except Exception:
            return []  # a completion that fails must not print into the line being typed

    return offer


def _listed(kind: str, ctx: click.Context) -> list[str]:
    import asyncio

    from amtui.ops import registry
    from amtui.ops.context import Context

    op_id, params, key, name = _SOURCES[kind]

    async def ask() -> list[str]:
        context = Context.open(options.of(ctx).environment(), read_only=True)
        try:
            answer = await registry.result(context, op_id, params)
        finally:
            await context.aclose()
        return [str(row[name]) for row in answer.data[key]]

    return asyncio.run(ask())
