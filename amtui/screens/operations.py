"""How screens reach the registry of operations; one object, so that a test can put its own in place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from amtui.ops.base import Op, Surface, Yield

if TYPE_CHECKING:
    from msgspec import Struct

    from amtui.ops.params import Field


class Operations:
    """The registry as screens use it: what there is, what it asks for, and running it."""

    def has(self, op_id: str) -> bool:
        """True when there is such an operation; a key for one that is missing is not shown."""
        from amtui.ops import registry

        return any(op.id == op_id for op in registry.OPS)

    def on(self, surface: Surface) -> tuple[Op, ...]:
        """The operations of a surface."""
        from amtui.ops import registry

        return registry.on(surface)

    def get(self, op_id: str) -> Op:
        """The operation of that id. Raises `UsageError`."""
        from amtui.ops import registry

        return registry.get(op_id)

    def fields(self, op_id: str) -> tuple[Field, ...]:
        """What an operation asks for."""
        from amtui.ops import params

        return params.fields(self.get(op_id).load().params)

    def command_line(self, op_id: str, values: dict[str, Any]) -> str:
        """The `amtui …` command that does the same."""
        from amtui.ops import params

        return params.command_line(op_id, values)

    def parse(self, line: str) -> tuple[Op, Struct]:
        """What a `:` line means. Raises `UsageError`."""
        from amtui.ops import params

        return params.parse_line(line)

    def run(self, ctx: Any, op_id: str, values: Struct | dict[str, Any]) -> AsyncIterator[Yield]:
        """Run it: progress and chunks, then one result. Raises `AmtuiError`."""
        from amtui.ops import registry

        return registry.run(ctx, op_id, values)
