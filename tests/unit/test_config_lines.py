"""The line finder agrees with tomllib on what the keys are, and with the author of the text on where they are."""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from amtui.config.check import Path
from amtui.config.lines import locate

FIXED = settings(derandomize=True, max_examples=300, deadline=None)

BARE = st.from_regex(r"[A-Za-z0-9_-]{1,6}", fullmatch=True)
KEY = st.one_of(BARE, BARE.map(lambda key: f'"{key} ]=#."'), BARE.map(lambda key: f"'{key}\\'"))
FILL = st.sampled_from(["", "\n", "# [x] = 'y'\n", "  \t\n", "# it's \"\n\n"])
SCALAR = st.sampled_from(
    [
        "1", "-2.5e3", "true", "1979-05-27T07:32:00Z", "0xff", "inf", '"a # b"', '"\\"]"', "'it is'", "''", '""',
        '"""\nx = 1\n"" [a]\n"""', "'''\n\\'''", '""""quoted""""', "'''one'''''", '"""\\\n  x"""',
    ]
)  # fmt: skip
GAP = st.sampled_from(["", " ", "\n", " # c ]}\n", "\n\n  "])
VALUE = st.recursive(
    SCALAR,
    lambda inner: st.lists(st.tuples(GAP, inner, GAP), max_size=4).map(
        lambda items: "[" + ",".join(a + b + c for a, b, c in items) + "]"
    ),
    max_leaves=6,
)
INLINE = st.lists(
    st.tuples(BARE, SCALAR.filter(lambda text: "\n" not in text)), max_size=3, unique_by=lambda p: p[0]
)


def keys_of(value: Any, path: Path = ()) -> set[Path]:
    """Every key and array position below `value`."""
    found: set[Path] = set()
    items: Any = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, item in items:
        found |= {(*path, key)} | keys_of(item, (*path, key))
    return found


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[str, int]]:
    """A TOML text, and the line of each top-level key and table header."""
    text = ""
    where: dict[str, int] = {}
    keys = draw(st.lists(BARE, unique=True, max_size=6))
    for key in keys:
        text += draw(FILL)
        if "[" in text.split("\n")[-1]:
            text += "\n"
        where[key] = text.count("\n") + 1
        text += f"{key} = {draw(VALUE)}\n"
    for number in range(draw(st.integers(0, 3))):
        text += draw(FILL)
        name = f"table{number}"
        where[name] = text.count("\n") + 1
        kind = draw(st.sampled_from(["[{}]", "[[{}]]", "[ {} . sub ]"]))
        text += kind.format(name) + draw(st.sampled_from(["\n", " # ]\n"]))
        for key in draw(st.lists(KEY, unique=True, max_size=3)):
            text += draw(FILL) + f"{key} = {draw(VALUE)}\n"
        pairs = ", ".join(f"{key} = {value}" for key, value in draw(INLINE))
        text += f"zz.inline.table = {{ {pairs} }}\n"
    return text, where


@FIXED
@given(documents())
def test_every_key_is_found_and_stands_where_it_was_written(made: tuple[str, dict[str, int]]) -> None:
    text, where = made
    document = tomllib.loads(text)
    lines = locate(text)
    assert set(lines) == keys_of(document)
    for key, line in where.items():
        assert lines[(key,)] == line
    total = text.count("\n") + 1
    assert all(1 <= line <= total for line in lines.values())


def test_tables_of_arrays_are_counted() -> None:
    text = "[[a]]\nx = 1\n[[a]]\n[a.b]\nx = 2\n[[a.c]]\n[[a.c]]\ny = 3\n"
    lines = locate(text)
    assert set(lines) == keys_of(tomllib.loads(text))
    assert lines[("a", 0, "x")] == 2
    assert lines[("a", 1)] == 3
    assert lines[("a", 1, "b", "x")] == 5
    assert lines[("a", 1, "c", 1, "y")] == 8


def test_windows_line_ends() -> None:
    assert locate("a = 1\r\n\r\n[b]\r\nc = 'x'\r\n") == {("a",): 1, ("b",): 3, ("b", "c"): 4}
