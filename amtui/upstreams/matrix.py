"""Which runtime can use which upstream, and why not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from msgspec import Struct

from amtui.model import Wire
from amtui.upstreams.base import Upstream

ORDER: Final = (Wire.MESSAGES, Wire.RESPONSES, Wire.CHAT)
"""Which wire is used where both sides share several: the one that carries most of what agents do."""

_SPOKEN: Final = {
    Wire.MESSAGES: "messages (/v1/messages)",
    Wire.RESPONSES: "responses (/v1/responses)",
    Wire.CHAT: "chat (/v1/chat/completions)",
}


class Cell(Struct, frozen=True):
    """One runtime on one upstream."""

    works: bool
    wire: Wire | None
    """The wire they would use; None where there is none or none is needed."""
    reason: str


def common_wire(runtime: Collection[Wire], upstream: Collection[Wire]) -> Wire | None:
    """The wire both speak, or None."""
    return next((wire for wire in ORDER if wire in runtime and wire in upstream), None)


def cell(name: str, runtime: Collection[Wire], upstream: Upstream) -> Cell:
    """Whether the runtime called `name`, which speaks the wires of `runtime`, can use `upstream`."""
    if not runtime:
        return Cell(True, None, f"{name} needs no model")
    wire = common_wire(runtime, upstream.wires)
    if wire is not None:
        return Cell(True, wire, f"both speak {_SPOKEN[wire]}")
    offered = _listed(upstream.wires) or "no wire"
    return Cell(False, None, f"{name} speaks {_listed(runtime)}; {upstream.id} offers {offered}")


def matrix(
    runtimes: Mapping[str, Collection[Wire]], upstreams: Iterable[Upstream]
) -> dict[str, dict[str, Cell]]:
    """`result[runtime][upstream id]` for every pair, in the order given.

    `runtimes` maps ids to their wires.
    """
    chosen = list(upstreams)
    return {
        name: {upstream.id: cell(name, wires, upstream) for upstream in chosen}
        for name, wires in runtimes.items()
    }


def _listed(wires: Collection[Wire]) -> str:
    return " or ".join(wire.value for wire in ORDER if wire in wires)
