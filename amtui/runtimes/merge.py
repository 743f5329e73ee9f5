"""Merging our settings into a user's JSON or TOML file: what is not ours stays as it is.

A file that cannot be parsed is never replaced: `ConfigError` names it, so that a person can look.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, MutableMapping
from typing import Any

import tomlkit
from tomlkit.exceptions import ParseError

from amtui.errors import ConfigError

Table = MutableMapping[str, Any]


def merge_json(present: bytes | None, name: str, change: Callable[[dict[str, Any]], None]) -> bytes:
    """`present` with `change` applied. Key order and unknown keys are kept; untouched when nothing changes.

    Raises `ConfigError` when `present` is not a JSON object.
    """
    if present is None or not present.strip():
        document: dict[str, Any] = {}
        change(document)
        return _json_bytes(document, 2)
    try:
        document = json.loads(present)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{name} on the worker is not valid JSON", "mend or move it, then retry") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{name} on the worker is not a JSON object", "mend or move it, then retry")
    before = copy.deepcopy(document)
    change(document)
    return present if document == before else _json_bytes(document, _indent(present))


def _json_bytes(document: dict[str, Any], indent: int | None) -> bytes:
    return (json.dumps(document, indent=indent, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")


def _indent(present: bytes) -> int | None:
    """Spaces per level of the file as it stands, None for one written on a single line."""
    lines = present.splitlines()
    if len(lines) < 2:
        return None
    second = lines[1]
    return max(1, len(second) - len(second.lstrip(b" "))) if second.startswith(b" ") else 2


def merge_toml(present: bytes | None, name: str, change: Callable[[tomlkit.TOMLDocument], None]) -> bytes:
    """`present` with `change` applied; comments, order and unknown keys are kept.

    Raises `ConfigError` when `present` is not TOML.
    """
    try:
        document = tomlkit.parse((present or b"").decode())
    except (ParseError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name} on the worker is not valid TOML", "mend or move it, then retry") from error
    before = copy.deepcopy(document.unwrap())
    change(document)
    if present is not None and document.unwrap() == before:
        return present
    return tomlkit.dumps(document).encode()


def section(document: Table, *path: str) -> Table:
    """The table at `path`, made where it is missing; a value that is no table is replaced by one."""
    here = document
    for name in path:
        inner = here.get(name)
        if not isinstance(inner, MutableMapping):
            inner = tomlkit.table() if _is_toml(document) else {}
            here[name] = inner
            inner = here[name]
        here = inner
    return here


def _is_toml(document: Table) -> bool:
    return type(document).__module__.startswith("tomlkit")
