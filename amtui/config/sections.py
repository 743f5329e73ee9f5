"""Sections of `config.toml` that belong to no single package."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from amtui.config.registry import register
from amtui.model import Autonomy


class UiConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[ui]`: how amtui looks."""

    theme: str = "amtui-dark"
    """Name of a theme; the application knows which there are."""
    glyphs: Literal["unicode", "ascii"] = "unicode"
    animation: bool = True
    """Spinners and transitions; off also stills them over slow links."""


class KeysConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[keys]`: which key does what."""

    preset: str = "default"
    map: dict[str, str] = {}
    """`[keys.map]`: id of an action to a key, over the preset."""


class DefaultsConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[defaults]`: what `new` and the Deploy form start from."""

    substrate: str = "local"
    runtime: str = "shell"
    upstream: str | None = None
    autonomy: Autonomy | None = None
    """Unset means by substrate: `ask` on this computer, over ssh and in an existing directory."""


register("ui", UiConfig)
register("keys", KeysConfig)
register("defaults", DefaultsConfig)
