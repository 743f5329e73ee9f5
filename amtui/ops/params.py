"""Parameters of operations as people write them: forms, `:` lines, equivalent commands."""

from __future__ import annotations

import re
import shlex
import types
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from amtui.errors import UsageError
from amtui.ops.base import Arg, Op, Surface
from amtui.ops.registry import OPS, on, verb_first


class Field(NamedTuple):
    """One parameter: its name, how it is written, its type and default."""

    name: str
    arg: Arg
    type: Any
    """The type without Annotated and without `| None`."""
    many: bool
    """A tuple of values."""
    choices: tuple[str, ...]
    required: bool
    default: Any

    @property
    def flag(self) -> str:
        """As on the command line; empty for positionals."""
        return (
            ""
            if self.arg.positional or self.arg.rest
            else self.arg.flag or "--" + self.name.replace("_", "-")
        )

    @property
    def flags(self) -> tuple[str, ...]:
        """Every way to write the flag: a short one has its long name beside it."""
        if not self.flag:
            return ()
        return (self.flag,) if self.flag.startswith("--") else (self.flag, "--" + self.name.replace("_", "-"))

    @property
    def label(self) -> str:
        """What a message calls it: its flag, or the word that help shows."""
        return self.flag or self.arg.metavar or self.name.upper()


def fields(params: type[Struct]) -> tuple[Field, ...]:
    """The parameters of an operation, in order."""
    hints = get_type_hints(params, include_extras=True)
    return tuple(_field(item, hints[item.name]) for item in msgspec.structs.fields(params))


def _field(item: msgspec.structs.FieldInfo, hint: Any) -> Field:
    arg = Arg(item.name)
    if get_origin(hint) is Annotated:
        base, *extra = get_args(hint)
        arg = next((e for e in extra if isinstance(e, Arg)), arg)
        hint = base
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(a for a in get_args(hint) if a is not type(None))
    many = get_origin(hint) in (tuple, list)
    if many:
        hint = get_args(hint)[0]
    choices: tuple[str, ...] = ()
    if get_origin(hint) is Literal:
        choices = tuple(str(a) for a in get_args(hint))
    elif isinstance(hint, type) and issubclass(hint, StrEnum):
        choices = tuple(member.value for member in hint)
    default = None if item.default is msgspec.NODEFAULT else item.default
    return Field(item.name, arg, hint, many, choices, item.required, default)


def convert(op: Op, params: type[Struct], values: dict[str, Any]) -> Struct:
    """A validated parameter struct. Raises `UsageError` naming the field, what it wants, and the nearest value."""
    known = {f.name: f for f in fields(params)}
    for name in values:
        if name not in known:
            raise UsageError(f"{op.id} has no parameter {name!r}{_meant(name, known)}", _takes(known))
    for name, field in known.items():
        given = values.get(name)
        if field.required and (given is None or (field.many and given in ((), []))):
            raise UsageError(f"{op.id} wants {field.label}", field.arg.help)
        for value in given if field.many and isinstance(given, (list, tuple)) else (given,):
            if value is not None and field.choices and str(value) not in field.choices:
                raise UsageError(unknown_choice(field, str(value)), f"choose from {', '.join(field.choices)}")
    try:
        return msgspec.convert(values, params, strict=False)
    except msgspec.ValidationError as error:
        said, _, place = str(error).partition(" - at `$.")
        wrong = known.get(re.split(r"[^A-Za-z0-9_]", place)[0])
        what = f"{wrong.label}: " if wrong is not None else ""
        said = said[:1].lower() + said[1:] if what else said
        raise UsageError(f"{op.id}: {what}{said}", f"see `amtui {op.id} --help`") from None


def _meant(word: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, list(known), 1, 0.5)
    return f"; did you mean {near[0]}?" if near else ""


def _takes(known: Iterable[str]) -> str:
    return f"it takes {', '.join(known) or 'none'}"


def unknown_choice(field: Field, value: str) -> str:
    """One line for a value that is not among the choices, with the nearest one."""
    from difflib import get_close_matches

    near = get_close_matches(value, field.choices, 1, 0.4)
    return f"{field.label}: unknown value {value!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def command_line(op_id: str, params: Struct | dict[str, Any]) -> str:
    """The `amtui …` command that does the same, quoted for a shell; defaults are left out."""
    from amtui.ops.registry import get

    op = get(op_id)
    values = params if isinstance(params, dict) else msgspec.structs.asdict(params)
    loose: list[str] = []
    flags: list[str] = []
    tail: list[str] = []
    for field in fields(op.load().params):
        value = values.get(field.name, field.default)
        if value is None or value == field.default or value == ():
            continue
        items = [str(v) for v in value] if field.many else [str(value)]
        if field.arg.rest:
            tail = ["--", *items]
        elif field.arg.positional:
            loose += items
        elif field.type is bool:
            flags.append(field.flag)
        else:
            flags += [word for item in items for word in (field.flag, item)]
    if any(word.startswith("-") and word != "-" for word in loose) and not tail:
        return shlex.join(["amtui", *op.id.split(), *flags, "--", *loose])
    return shlex.join(["amtui", *op.id.split(), *loose, *flags, *tail])


def parse_line(text: str) -> tuple[Op, Struct]:
    """What the `:` line means: the verb and its parameters, written as on the command line.

    Raises `UsageError`; nothing is run.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"unbalanced quotes: {error}", "close the quote") from None
    if words[:1] == ["amtui"]:
        words = words[1:]
    if not words:
        raise UsageError("nothing to run", "type a verb; tab completes")
    words = [words[0], *verb_first(words[0], words[1:])]
    for length in (2, 1):
        op = next((o for o in OPS if o.id == " ".join(words[:length])), None)
        if op is not None:
            if Surface.LINE not in op.surfaces:
                raise UsageError(
                    f"{op.id} is not on the `:` line: {op.absent}", f"run `amtui {op.id}` in a shell"
                )
            return op, _parse_words(op, words[length:])
    from difflib import get_close_matches

    near = get_close_matches(words[0], [o.id for o in on(Surface.LINE)], 3, 0.5)
    raise UsageError(
        f"unknown verb {words[0]!r}", f"did you mean {', '.join(near)}?" if near else "tab lists all"
    )


def _parse_words(op: Op, words: list[str]) -> Struct:
    action = op.load()
    known = fields(action.params)
    flags = {name: f for f in known for name in f.flags}
    rest = next((f for f in known if f.arg.rest), None)
    values: dict[str, Any] = {}
    loose: list[str] = []
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if word == "--":
            if rest is not None:
                values[rest.name] = queue
            else:
                loose += queue
            break
        name, equals, inline = word.partition("=")
        field = flags.get(name)
        if field is None:
            if word.startswith("--"):
                raise UsageError(f"{op.id} has no flag {name}{_meant(name, flags)}", _takes(flags))
            loose.append(word)
        elif field.type is bool:
            if equals:
                raise UsageError(f"{name} takes no value", field.arg.help)
            values[field.name] = True
        else:
            if not equals and not queue:
                raise UsageError(f"{name} wants a value", field.arg.help)
            value = inline if equals else queue.pop(0)
            values[field.name] = [*values.get(field.name, ()), value] if field.many else value
    for field in (f for f in known if f.arg.positional):
        if field.many:
            values[field.name], loose = loose, []
        elif loose:
            values[field.name] = loose.pop(0)
    if loose:
        if rest is not None and rest.name not in values:
            values[rest.name] = loose
        else:
            raise UsageError(f"{op.id}: {loose[0]!r} is one word too many", f"see `amtui {op.id} --help`")
    return convert(op, action.params, values)
