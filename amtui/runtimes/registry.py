"""The runtimes amtui knows, by id."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final

from amtui.errors import UsageError
from amtui.runtimes.base import Runtime
from amtui.runtimes.claude import Claude
from amtui.runtimes.codex import Codex
from amtui.runtimes.shell import Shell

RUNTIMES: Final[Mapping[str, Runtime]] = {runtime.id: runtime for runtime in (Claude(), Codex(), Shell())}
"""Runtime id → runtime. A new runtime is one file here and one row in `autonomy.AUTONOMY`."""


def get(name: str) -> Runtime:
    """The runtime of that id. Raises `UsageError` naming the nearest ones, or all of them."""
    runtime = RUNTIMES.get(name)
    if runtime is not None:
        return runtime
    near = get_close_matches(name, RUNTIMES, n=2, cutoff=0.5) or list(RUNTIMES)
    raise UsageError(f"there is no agent runtime {name[:40]!r}", f"did you mean {' or '.join(near)}?")
