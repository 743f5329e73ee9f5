"""Every operation is on every surface, or says why not; and each surface can really reach it."""

from __future__ import annotations

from typing import get_args

import click
import pytest

from amtui.cli.main import root
from amtui.ops.base import EVERYWHERE, Action, Arg, Op, Surface
from amtui.ops.params import fields
from amtui.ops.registry import OPS

CONTRACT = {
    "new", "ls", "show", "explain", "set", "attach", "send", "keys", "reply", "screen", "wait", "restart", "exec",
    "logs", "events", "wake", "sleep", "destroy", "bootstrap", "git", "doctor", "upstream add", "upstream ls",
    "upstream test", "upstream rm", "secret set", "secret ls", "secret rm", "config path", "config show",
    "config validate", "config schema",
}  # fmt: skip
"""Verbs that scripts rely on."""

every_op = pytest.mark.parametrize("op", OPS, ids=lambda op: op.id)


def command_of(op: Op) -> click.Command:
    """The command line's command of an operation, found as a person would."""
    command: click.Command | None = root()
    for word in op.id.split():
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), word)
    assert command is not None
    return command


def test_verbs_of_the_contract_exist() -> None:
    assert {op.id for op in OPS} >= CONTRACT


def test_ids_are_unique() -> None:
    assert len({op.id for op in OPS}) == len(OPS)


@every_op
def test_absence_is_explained(op: Op) -> None:
    assert op.surfaces <= EVERYWHERE
    assert bool(op.absent) == (op.surfaces != EVERYWHERE)
    assert Surface.CLI in op.surfaces
    assert Surface.HELP in op.surfaces
    assert op.title
    assert op.summary.endswith((".", "…"))


@every_op
def test_action_loads_and_every_parameter_is_explained(op: Op) -> None:
    action = op.load()
    assert isinstance(action, Action)
    for field in fields(action.params):
        assert isinstance(field.arg, Arg)
        assert field.arg.help, f"{op.id} {field.name}"
        assert field.arg.help != field.name, f"{op.id} {field.name} has no help"


@every_op
def test_command_line_takes_every_parameter(op: Op) -> None:
    command = command_of(op)
    names = {param.name for param in command.params}
    assert {field.name for field in fields(op.load().params)} <= names
    for flag in ("json", "yes", "read_only", "raw", "config_dir", "state_dir"):
        assert flag in names
    shown = command.get_help(click.Context(command, info_name=f"amtui {op.id}"))
    assert op.summary.split(",")[0] in " ".join(shown.split())


@every_op
def test_flags_of_an_operation_do_not_hide_common_ones(op: Op) -> None:
    seen: list[str] = []
    for param in command_of(op).params:
        seen += param.opts
    assert len(seen) == len(set(seen)), f"{op.id}: {sorted(seen)}"


@every_op
def test_forms_can_ask_for_every_parameter(op: Op) -> None:
    """Only types that a form, a flag and JSON can all carry."""
    for field in fields(op.load().params):
        assert field.type in (str, int, float, bool) or field.choices or get_args(field.type), (op.id, field)
