"""Which sections `config.toml` may have, and of which type each is."""

from __future__ import annotations

from typing import Any, Final

import msgspec

_types: Final[dict[str, Any]] = {}

ELSEWHERE: Final = frozenset(
    {
        "console", "upstreams", "local", "ssh", "e2b", "sprites", "vercel", "dedalus",
        "runtimes", "loadout", "logs", "agentstate", "notify", "bootstrap", "fleet",
    }
)  # fmt: skip
"""Names under which a package that is not loaded in this process may have registered. Such a section is kept
as it is and checked when it is asked for: a small command need not import every package to read its own
part."""


def register(section: str, type_: Any) -> None:
    """Say that `[section]` is of `type_`: a Struct whose fields all have defaults, or `dict[str, Struct]`.

    Called once at import by the package that owns the section. Registering another type under the same name
    is a programming error.
    """
    present = _types.setdefault(section, type_)
    if present is not type_ and present != type_:
        raise ValueError(f"section {section} is registered twice")


def registered() -> dict[str, Any]:
    """Section names and types known in this process."""
    return dict(_types)


def schema() -> dict[str, Any]:
    """JSON schema of the whole file, of the sections known in this process."""
    names = sorted(_types)
    roots, parts = msgspec.json.schema_components(
        [_types[name] for name in names], ref_template="#/$defs/{name}"
    )
    for part in parts.values():
        if part.get("type") == "object" and "properties" in part:
            part["additionalProperties"] = False
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "amtui config.toml",
        "type": "object",
        "properties": dict(zip(names, roots, strict=True)),
        "additionalProperties": False,
        "$defs": parts,
    }
