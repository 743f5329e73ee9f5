"""Where a model comes from: an address that speaks one or more wires, and the name of its key."""

from __future__ import annotations

from msgspec import Struct

from amtui.model import Wire


class Upstream(Struct, frozen=True, kw_only=True):
    """A model source. `base_url` is stored without a trailing `/v1`; each runtime adds what it needs."""

    id: str
    wires: tuple[Wire, ...]
    base_url: str
    key_env: str
    """Name under which the key is looked up in secrets; empty when none is needed."""
    title: str = ""
    default_model: str = ""
    version_path: str = "/v1"
    """Stands between the base and an OpenAI-style endpoint; empty for the rare address without a `/v1`."""
    preset: bool = False
    """It came with amtui; a user's own one of the same id replaces it."""

    def v1(self) -> str:
        """The base with `/v1`, as OpenAI-style clients want it."""
        return f"{self.base_url}{self.version_path}"
