"""Parameters of operations as click parameters. Validation stays with the operation; here are names and shapes."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

import click

from amtui.cli import complete
from amtui.ops.base import Action
from amtui.ops.params import Field, fields


class Choice(click.Choice[str]):
    """A choice whose refusal names the nearest valid word."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word itself. Fails with the nearest one otherwise."""
        if value in self.choices:
            return str(value)
        near = get_close_matches(str(value), [str(c) for c in self.choices], 1, 0.4)
        what = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(map(str, self.choices))}"
        return self.fail(f"unknown value {value!r}; {what}", param, ctx)


def parameters(action: Action) -> list[click.Parameter]:
    """Positionals first and in order, then flags; what must come after `--` last."""
    known = fields(action.params)
    ordered = [
        *(f for f in known if f.arg.positional),
        *(f for f in known if f.flag),
        *(f for f in known if f.arg.rest),
    ]
    return [_argument(f) if not f.flag else _option(f) for f in ordered]


def given(values: dict[str, Any]) -> dict[str, Any]:
    """What the person wrote; the operation knows its own defaults."""
    return {
        name: value
        for name, value in values.items()
        if value is not None and value != () and value is not False
    }


def _argument(field: Field) -> click.Argument:
    word = field.arg.metavar or field.name.upper()
    if field.arg.rest:
        word = f"-- {word}…"
    elif field.many:
        word = f"[{word}]…" if not field.required else f"{word}…"
    elif not field.required:
        word = f"[{word}]"
    return click.Argument(
        [field.name],
        required=field.required,
        nargs=-1 if field.many else 1,
        type=click.UNPROCESSED if field.arg.rest else _type(field),
        metavar=word,
        shell_complete=complete.of(field),
    )


def _option(field: Field) -> click.Option:
    names = [field.flag, field.name]
    if not field.flag.startswith("--"):
        names.insert(1, "--" + field.name.replace("_", "-"))
    if field.type is bool:
        return click.Option(names, is_flag=True, default=False, help=_sentence(field))
    return click.Option(
        names,
        required=field.required,
        multiple=field.many,
        default=None,
        type=_type(field),
        metavar=None if field.choices else field.arg.metavar or _noun(field),
        help=_sentence(field),
        shell_complete=complete.of(field),
    )


def _type(field: Field) -> click.ParamType[Any]:
    if field.choices:
        return Choice(field.choices)
    if field.type is int:
        return click.INT
    return click.FLOAT if field.type is float else click.STRING


def _noun(field: Field) -> str:
    return {int: "NUMBER", float: "SECONDS"}.get(field.type, field.name.upper().replace("_", "-"))


def _sentence(field: Field) -> str:
    text = field.arg.help[:1].upper() + field.arg.help[1:]
    shown = field.default not in (None, "", (), False, 0, 0.0) and not field.many
    return f"{text.rstrip('.')}{f' (default {field.default})' if shown else ''}."
