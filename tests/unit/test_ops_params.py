"""Words and parameters: what the equivalent command says is what it does, for every operation."""

from __future__ import annotations

import shlex
from typing import Annotated, Any, Literal

import click
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from amtui.cli.arguments import given as written
from amtui.cli.main import root
from amtui.errors import UsageError
from amtui.ops import params
from amtui.ops.base import Action, Arg, Effect, Op, Surface
from amtui.ops.registry import OPS, get

every_op = pytest.mark.parametrize("op", OPS, ids=lambda op: op.id)
text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
words = st.one_of(
    text, st.sampled_from(["-x", "--", "--foo", "-asleep", "a=b", "--name=x", "$(id)", "'", "\n", "-"])
)


def value_of(field: params.Field) -> st.SearchStrategy[Any]:
    """Anything the field can hold."""
    one: st.SearchStrategy[Any]
    if field.choices:
        one = st.sampled_from(field.choices)
    elif field.type is bool:
        one = st.booleans()
    elif field.type is int:
        one = st.integers(-1000, 10**6)
    elif field.type is float:
        one = st.floats(allow_nan=False, allow_infinity=False, width=32)
    elif field.arg.complete == "worker" and not field.many:
        one = st.from_regex(r"[a-z0-9][a-z0-9-]{0,9}", fullmatch=True)
    else:
        one = words
    if field.many:
        return st.lists(one, min_size=1 if field.required else 0, max_size=3)
    return one if field.required or field.type is bool else st.one_of(st.just(field.default), one)


def built(op: Op, data: st.DataObject) -> Struct:
    action = op.load()
    values = {field.name: data.draw(value_of(field), field.name) for field in params.fields(action.params)}
    return params.convert(op, action.params, {k: v for k, v in values.items() if v is not None})


def through_click(line: str) -> Struct:
    """What the command line would hand to the operation."""
    command: Any = root()
    tokens = shlex.split(line)[1:]
    context = click.Context(command)
    op_id = ""
    while isinstance(command, click.Group):
        word = tokens.pop(0)
        op_id = f"{op_id} {word}".strip()
        command = command.get_command(context, word)
    made = command.make_context("amtui", tokens)
    op = get(op_id)
    return params.convert(op, op.load().params, written(made.params))


@every_op
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_the_equivalent_command_means_the_same(op: Op, data: st.DataObject) -> None:
    wanted = built(op, data)
    line = params.command_line(op.id, wanted)
    assert through_click(line) == wanted
    if Surface.LINE in op.surfaces:
        assert params.parse_line(line) == (op, wanted)
    else:
        assert params._parse_words(op, shlex.split(line)[1 + len(op.id.split()) :]) == wanted
        with pytest.raises(UsageError, match="not on the `:` line"):
            params.parse_line(line)


@every_op
@settings(max_examples=12, deadline=None)
@given(line=st.lists(words, max_size=4))
def test_any_words_parse_or_are_a_usage_error_with_a_way_out(op: Op, line: list[str]) -> None:
    said = ("said", "what next")
    try:
        params._parse_words(op, line)
    except UsageError as error:
        said = (error.message, error.hint)
    assert all(said)


class Made(Struct, frozen=True, kw_only=True):
    """One of everything."""

    name: Annotated[str, Arg("whose", positional=True)]
    words: Annotated[tuple[str, ...], Arg("which", positional=True, metavar="WORD")] = ()
    level: Annotated[Literal["low", "high"], Arg("how")] = "low"
    count: Annotated[int, Arg("how many")] = 1
    follow: Annotated[bool, Arg("go on", flag="-f")] = False
    tag: Annotated[tuple[str, ...], Arg("a mark; may be repeated")] = ()
    rest: Annotated[tuple[str, ...], Arg("what to run", rest=True, metavar="CMD")]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Op:
    op = Op("made", "Made", "For the test.", Effect.READ, "none:none")
    monkeypatch.setattr(Op, "load", lambda self: Action(Made, lambda ctx, given: None))  # type: ignore[arg-type, return-value]
    return op


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("n -- c", {"name": "n", "rest": ("c",)}),
        ("n a b -- c -- d", {"name": "n", "words": ("a", "b"), "rest": ("c", "--", "d")}),
        (
            "n -f --level=high --count 7 -- c",
            {"name": "n", "follow": True, "level": "high", "count": 7, "rest": ("c",)},
        ),
        ("--follow n --tag a --tag=b -- c", {"name": "n", "follow": True, "tag": ("a", "b"), "rest": ("c",)}),
    ],
)
def test_positional_rest_flags_and_repeats(made: Op, line: str, values: dict[str, Any]) -> None:
    assert params._parse_words(made, line.split()) == Made(**values)


@pytest.mark.parametrize(
    ("line", "said", "hint"),
    [
        ("-- c", "NAME", "whose"),
        ("n", "CMD", "what to run"),
        ("n --", "CMD", "what to run"),
        ("n --leve high -- c", "did you mean --level", "--count"),
        ("n --level hgih -- c", "--level: unknown value 'hgih'; did you mean 'high'", "low, high"),
        ("n --count many -- c", "--count: expected `int`", "--help"),
        ("n --level", "--level wants a value", "how"),
        ("n --follow=yes -- c", "takes no value", "go on"),
    ],
)
def test_mistakes_name_the_field_and_the_nearest_value(made: Op, line: str, said: str, hint: str) -> None:
    with pytest.raises(UsageError) as refused:
        params._parse_words(made, line.split())
    assert said in refused.value.message
    assert hint in refused.value.hint


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"name": "n", "rest": ["c"], "cuont": 1}, "did you mean count"),
        ({"name": "n", "rest": []}, "wants CMD"),
        ({"rest": ["c"]}, "wants NAME"),
        ({"name": "n", "rest": "c"}, "CMD"),
        ({"name": ["n"], "rest": ["c"]}, "NAME"),
        ({"name": "n", "rest": ["c", None]}, "CMD"),
    ],
)
def test_values_of_a_program_are_checked_as_well(made: Op, values: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        params.convert(made, Made, values)


def test_too_many_words_and_unknown_verbs() -> None:
    with pytest.raises(UsageError, match="'y' is one word too many"):
        params.parse_line("show x y")
    with pytest.raises(UsageError) as refused:
        params.parse_line("destory x")
    assert "destroy" in refused.value.hint
    for nothing in ("", "   ", "amtui"):
        with pytest.raises(UsageError, match="nothing to run"):
            params.parse_line(nothing)
    with pytest.raises(UsageError, match="quotes"):
        params.parse_line("send x 'half")


def test_parameters_survive_json() -> None:
    op = get("exec")
    wanted = params.convert(op, op.load().params, {"name": "w", "command": ["ls"], "timeout": "3"})
    assert msgspec.convert(msgspec.to_builtins(wanted), op.load().params) == wanted
