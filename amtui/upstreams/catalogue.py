"""The upstreams a user can choose from: presets, and those of `[upstreams.NAME]` in config.toml."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from amtui.config import Config, Paths, edit, load, nearest, register
from amtui.config.secrets import SECRET_NAME
from amtui.errors import Refused, UnknownName, UsageError
from amtui.model import Wire, plain
from amtui.upstreams.address import normalise
from amtui.upstreams.base import Upstream
from amtui.upstreams.presets import PRESETS

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

UPSTREAM_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}\Z")


class UpstreamConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """`[upstreams.NAME]`: one of the user's own."""

    wires: tuple[Wire, ...]
    base_url: str
    key_env: str = ""
    default_model: str = ""
    title: str = ""
    version_path: str = "/v1"

    def __post_init__(self) -> None:
        try:
            normalise(self.base_url)
        except UsageError as error:
            raise ValueError(f"base_url: {error.message}; {error.hint}") from error
        if not self.wires:
            raise ValueError(f"wires: name at least one of {', '.join(Wire)}")
        if self.key_env and not SECRET_NAME.match(self.key_env):
            raise ValueError("key_env: name the variable, as in MY_KEY; the key itself does not belong here")


SECTION: Final = "upstreams"
TYPE: Final = dict[str, UpstreamConfig]

register(SECTION, TYPE)


class Upstreams:
    """All upstreams of this user. Adding and removing rewrites config.toml, keeping its comments."""

    def __init__(self, config: Config, paths: Paths) -> None:
        self._paths = paths
        self._own = self._from(config)

    def all(self) -> list[Upstream]:
        """Presets first, then the user's own by name; an own one stands in the place of its preset."""
        merged = {**PRESETS, **dict(sorted(self._own.items()))}
        return list(merged.values())

    def get(self, upstream_id: str) -> Upstream:
        """The upstream of that id. Raises `UnknownName` with the nearest ones."""
        found = self._own.get(upstream_id) or PRESETS.get(upstream_id)
        if found is not None:
            return found
        close = nearest(upstream_id, {*PRESETS, *self._own}, count=3)
        hint = (
            f"did you mean {' or '.join(close)}?"
            if close
            else "see which there are: amtui upstream ls; add yours: amtui upstream add NAME "
            "--wire chat --base-url URL"
        )
        raise UnknownName(f'no upstream is called "{plain(upstream_id)[:60]}"', hint)

    def add(self, upstream: Upstream, *, replace: bool = False) -> Upstream:
        """Keep one of the user's own; returns it as stored, with its base URL normalised.

        Raises `UsageError` for a malformed name, URL or key name, `Refused` when the name is taken and not
        `replace`, `ConfigError` when config.toml is invalid.
        """
        if not UPSTREAM_NAME.match(upstream.id):
            raise UsageError(
                f'"{plain(upstream.id)[:60]}" is no name for an upstream',
                "use lower case letters, digits, dashes and underscores, at most 40",
            )
        if upstream.id in self._own and not replace:
            raise Refused(
                f"an upstream called {upstream.id} exists already",
                f"choose another name, or first: amtui upstream rm {upstream.id}",
            )
        values: dict[str, Any] = {
            "wires": [wire.value for wire in dict.fromkeys(upstream.wires)],
            "base_url": normalise(upstream.base_url),
            "key_env": upstream.key_env,
            "default_model": upstream.default_model,
            "title": upstream.title,
            "version_path": upstream.version_path,
        }
        if not upstream.wires:
            raise UsageError("an upstream speaks at least one wire", f"--wire {' or --wire '.join(Wire)}")
        if upstream.key_env and not SECRET_NAME.match(upstream.key_env):
            raise UsageError(
                "the key is given by the name of its variable, not by itself",
                "write --key-env MY_KEY, then: amtui secret set MY_KEY",
            )
        defaults = {"key_env": "", "default_model": "", "title": "", "version_path": "/v1"}
        kept = {name: value for name, value in values.items() if value != defaults.get(name)}
        self._write(lambda document: _put(document, upstream.id, kept))
        return self._own[upstream.id]

    def remove(self, upstream_id: str) -> None:
        """Forget one of the user's own. Raises `UnknownName`, and `Refused` for a preset."""
        if upstream_id not in self._own:
            if upstream_id in PRESETS:
                raise Refused(f"{upstream_id} is a preset of amtui", "it costs nothing while it is not used")
            self.get(upstream_id)
        self._write(lambda document: _drop(document, upstream_id))

    def _write(self, change: Any) -> None:
        edit(self._paths, change)
        self._own = self._from(load(self._paths))

    def _from(self, config: Config) -> dict[str, Upstream]:
        section: dict[str, UpstreamConfig] = config.section(SECTION, TYPE)
        return {
            name: Upstream(
                id=name,
                wires=tuple(dict.fromkeys(own.wires)),
                base_url=normalise(own.base_url),
                key_env=own.key_env,
                title=own.title or name,
                default_model=own.default_model,
                version_path=own.version_path,
            )
            for name, own in section.items()
        }


def _put(document: TOMLDocument, name: str, values: dict[str, Any]) -> None:
    import tomlkit
    import tomlkit.items

    if SECTION not in document:
        document[SECTION] = tomlkit.table(is_super_table=True)
    section: Any = document[SECTION]
    inline = isinstance(section, tomlkit.items.InlineTable)
    table = tomlkit.inline_table() if inline else tomlkit.table()
    table.update(values)
    section[name] = table


def _drop(document: TOMLDocument, name: str) -> None:
    section: Any = document[SECTION]
    del section[name]
