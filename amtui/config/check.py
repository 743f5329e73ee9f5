"""Compares what a TOML file holds with the types of its sections and finds every problem."""

from __future__ import annotations

import difflib
import enum
import re
import types
import typing
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct

Path: TypeAlias = tuple[str | int, ...]
"""Keys and array positions from the top of the file to a value."""


class Problem(Struct, frozen=True):
    """One thing that is wrong in a configuration file."""

    file: str
    """Name as shown, `config.toml`."""
    line: int
    """1-based; 0 where no line can be named."""
    key: str
    """Dotted, as in `ui.glyphs`; empty for the file itself."""
    text: str
    """What is wrong and the nearest valid name."""
    section: str = ""
    """The top-level name under which it stands; empty when the file as a whole is wrong."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.key}: {self.text}" if self.key else f"{place}: {self.text}"


def nearest(word: str, names: Iterable[str], *, count: int = 1) -> list[str]:
    """The names most like `word`, best first; empty when none is alike."""
    known = sorted(set(names))
    folded: dict[str, str] = {}
    for name in known:
        folded.setdefault(_fold(name), name)
    found = difflib.get_close_matches(_fold(word), list(folded), n=count, cutoff=0.6)
    return [folded[each] for each in found]


def _fold(word: str) -> str:
    return word.casefold().replace("-", "_")


def suggestion(word: str, names: Iterable[str]) -> str:
    """`; did you mean "x"?`, or the whole choice when nothing is alike and it is short."""
    known = sorted(set(names))
    close = nearest(word, known)
    if close:
        return f'; did you mean "{close[0]}"?'
    return f"; known are {', '.join(known)}" if 0 < len(known) <= 12 else ""


def examine(value: Any, type_: Any, path: Path = ()) -> list[tuple[Path, str]]:
    """Every place where `value` does not fit `type_`, with what is wrong there."""
    type_ = _bare(type_)
    if isinstance(type_, type) and issubclass(type_, Struct):
        return _struct(value, type_, path)
    origin = typing.get_origin(type_)
    if origin is dict:
        return _mapping(value, type_, path)
    if origin in (list, tuple, set, frozenset):
        return _sequence(value, type_, path)
    return _leaf(value, type_, path)


def _bare(type_: Any) -> Any:
    """`X` of `X | None`: TOML has no null, so absence is the only way to say None."""
    if typing.get_origin(type_) in (typing.Union, types.UnionType):
        rest = [arg for arg in typing.get_args(type_) if arg is not type(None)]
        if len(rest) == 1:
            return rest[0]
    return type_


def _struct(value: Any, type_: type[Struct], path: Path) -> list[tuple[Path, str]]:
    if not isinstance(value, dict):
        return [(path, f"expected a table, got {_named(value)}")]
    fields = {field.encode_name: field for field in msgspec.structs.fields(type_)}
    found: list[tuple[Path, str]] = []
    for key, item in value.items():
        if key not in fields:
            found.append(((*path, key), "unknown key" + suggestion(key, fields)))
        else:
            found.extend(examine(item, fields[key].type, (*path, key)))
    for key, field in fields.items():
        if field.required and key not in value:
            found.append((path, f'"{key}" is missing'))
    return found or _convert(value, type_, path)


def _mapping(value: Any, type_: Any, path: Path) -> list[tuple[Path, str]]:
    if not isinstance(value, dict):
        return [(path, f"expected a table, got {_named(value)}")]
    key_type, item_type = typing.get_args(type_) or (str, Any)
    found: list[tuple[Path, str]] = []
    for key, item in value.items():
        found.extend(_leaf(key, key_type, (*path, key)))
        found.extend(examine(item, item_type, (*path, key)))
    return found


def _sequence(value: Any, type_: Any, path: Path) -> list[tuple[Path, str]]:
    if not isinstance(value, list):
        return [(path, f"expected an array, got {_named(value)}")]
    args = typing.get_args(type_)
    if typing.get_origin(type_) is tuple and Ellipsis not in args:
        types_ = list(args)  # a fixed tuple; a wrong length is told below
    else:
        types_ = [args[0] if args else Any] * len(value)
    found: list[tuple[Path, str]] = []
    for position, (item, item_type) in enumerate(zip(value, types_, strict=False)):
        found.extend(examine(item, item_type, (*path, position)))
    return found or _convert(value, type_, path)


def _leaf(value: Any, type_: Any, path: Path) -> list[tuple[Path, str]]:
    choices: list[str] = []
    if isinstance(type_, type) and issubclass(type_, enum.Enum):
        choices = [str(member.value) for member in type_]
    elif typing.get_origin(type_) is typing.Literal:
        choices = [str(each) for each in typing.get_args(type_)]
    if choices:
        if isinstance(value, str) and value in choices:
            return []
        if isinstance(value, str):
            return [(path, f'"{value}" is not one of {", ".join(choices)}' + _meant(value, choices))]
        return [(path, f"expected one of {', '.join(choices)}, got {_named(value)}")]
    return _convert(value, type_, path)


def _meant(value: str, choices: list[str]) -> str:
    close = nearest(value, choices)
    return f'; did you mean "{close[0]}"?' if close else ""


def _convert(value: Any, type_: Any, path: Path) -> list[tuple[Path, str]]:
    try:
        msgspec.convert(value, type_, strict=True)
    except msgspec.ValidationError as error:
        return [(path, _in_words(str(error), value))]
    return []


_EXPECTED: Final = re.compile(r"Expected `([a-z |]+)`, got `[^`]+`\Z")
_WORDS: Final = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "an array",
    "object": "a table",
}


def _in_words(message: str, value: Any) -> str:
    """msgspec's sentence about `value` in the words of TOML."""
    text, _, _ = message.partition(" - at `")
    match = _EXPECTED.match(text)
    if match:
        wanted = [name for name in match.group(1).split(" | ") if name != "null"]
        return f"expected {' or '.join(_WORDS.get(name, name) for name in wanted)}, got {_named(value)}"
    text = text.replace("`", "")
    return text[:1].lower() + text[1:]


def _named(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= 40 else "a string"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "an array"
    return f"a {type(value).__name__}"
