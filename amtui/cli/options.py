"""Flags that every verb understands, before or after the verb."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import click


class Options(NamedTuple):
    """The flags of one call."""

    json: bool = False
    yes: bool = False
    read_only: bool = False
    raw: bool = False
    config_dir: str = ""
    state_dir: str = ""

    def environment(self) -> dict[str, str]:
        """Our environment with the directories of the call put in."""
        env = dict(os.environ)
        if self.config_dir:
            env["AMTUI_CONFIG_DIR"] = os.path.abspath(self.config_dir)
        if self.state_dir:
            env["AMTUI_STATE_DIR"] = os.path.abspath(self.state_dir)
        return env


class Everywhere(click.Option):
    """One of the flags above. It stores itself in the context and is no parameter of the operation."""


_FLAGS: tuple[tuple[str, str], ...] = (
    ("json", "Print a JSON document instead of text."),
    ("yes", "Go ahead with destructive steps without asking."),
    ("read_only", "Refuse everything that would change anything."),
    ("raw", "Print what a worker sent byte for byte, even to a terminal."),
)
_DIRECTORIES: tuple[tuple[str, str], ...] = (
    ("config_dir", "Where the configuration lives."),
    ("state_dir", "Where the database and local workers live."),
)


def everywhere() -> list[click.Parameter]:
    """Fresh parameters for one command."""
    flags: list[click.Parameter] = [
        Everywhere(
            ["--" + name.replace("_", "-")],
            is_flag=True,
            default=False,
            expose_value=False,
            callback=_store(name),
            help=text,
        )
        for name, text in _FLAGS
    ]
    flags += [
        Everywhere(
            ["--" + name.replace("_", "-")],
            type=click.Path(file_okay=False),
            default=None,
            expose_value=False,
            callback=_store(name),
            metavar="DIR",
            help=text,
        )
        for name, text in _DIRECTORIES
    ]
    return flags


def _store(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def store(ctx: click.Context, _param: click.Parameter, value: Any) -> None:
        if value:
            root = ctx.find_root()
            root.obj = of(root)._replace(**{name: value})

    return store


def of(ctx: click.Context) -> Options:
    """The flags seen so far."""
    known = ctx.find_root().obj
    return known if isinstance(known, Options) else Options()
