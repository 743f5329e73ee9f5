"""What the Deploy form can offer: names that exist here, asked for without touching the network."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from amtui.errors import AmtuiError
from amtui.ops.base import Result

if TYPE_CHECKING:
    from amtui.screens.desk import Desk

_SHOWN_HOSTS: Final = 12


class UpstreamOffer(NamedTuple):
    """A model source as the form needs it."""

    id: str
    runtimes: tuple[str, ...]
    """Runtimes it can serve."""
    key: bool
    """Its key is present, or it needs none."""
    key_env: str
    model: str


class Offers(NamedTuple):
    """Everything that can be chosen."""

    substrates: tuple[str, ...] = ("local",)
    runtimes: tuple[str, ...] = ("shell",)
    upstreams: tuple[UpstreamOffer, ...] = ()

    def of(self, kind: str) -> tuple[str, ...]:
        """Values for a field that completes `kind`."""
        if kind == "upstream":
            return tuple(upstream.id for upstream in self.upstreams)
        return {"substrate": self.substrates, "runtime": self.runtimes}.get(kind, ())

    def upstream(self, name: str) -> UpstreamOffer | None:
        """The upstream of that id."""
        return next((u for u in self.upstreams if u.id == name), None)


def ssh_names(path: str = "~/.ssh/config") -> tuple[str, ...]:
    """Hosts that the operator's ssh configuration names, without patterns."""
    try:
        with open(os.path.expanduser(path), encoding="utf-8", errors="replace") as file:
            lines = [line.split() for line in file.read(200_000).splitlines()]
    except OSError:
        return ()
    names = [word for line in lines if line[:1] and line[0].lower() == "host" for word in line[1:]]
    return tuple(dict.fromkeys(name for name in names if not set(name) & set("*?!")))


async def gather(desk: Desk) -> Offers:
    """Ask the registry what there is; what cannot be asked is simply not offered."""
    used = [row.worker.substrate for row in desk.ctx.fleet.rows()]
    hosts = tuple(f"ssh:{name}" for name in ssh_names()[:_SHOWN_HOSTS])
    substrates = tuple(dict.fromkeys(["local", *used, *hosts]))
    upstreams = tuple(_upstream(each) for each in (await _data(desk, "upstream ls")).get("upstreams", ()))
    runtimes = tuple(dict.fromkeys(["shell", *(r for u in upstreams for r in u.runtimes)]))
    return Offers(substrates, runtimes, upstreams)


def _upstream(document: dict[str, Any]) -> UpstreamOffer:
    return UpstreamOffer(
        str(document["id"]),
        tuple(document.get("runtimes", ())),
        bool(document.get("key")),
        str(document.get("key_env", "")),
        str(document.get("default_model", "")),
    )


async def _data(desk: Desk, op_id: str) -> dict[str, Any]:
    try:
        async for item in desk.operations.run(desk.ctx, op_id, {}):
            if isinstance(item, Result) and isinstance(item.data, dict):
                return item.data
    except AmtuiError as error:
        desk.say_error(error)
    return {}
