"""A plain shell: no install, no model, no settings. The smallest worker there is."""

from __future__ import annotations

from collections.abc import Sequence

from amtui.model import Wire
from amtui.runtimes.base import FileEdit, Launch, Setup, Step

_START = "if command -v bash >/dev/null 2>&1; then exec bash -i; else exec sh -i; fi"


class Shell:
    """bash where there is one, else sh, interactive, in the worker's home or workdir."""

    id = "shell"
    title = "Shell"
    wires: frozenset[Wire] = frozenset()
    version = ""
    binary = "bash"

    def install(self, setup: Setup) -> Sequence[Step]:
        """Nothing: every host has a shell."""
        return ()

    def edits(self, setup: Setup) -> Sequence[FileEdit]:
        """Nothing: the shell reads what the system provides."""
        return ()

    def launch(self, setup: Setup, *, resume: bool = False) -> Launch:
        """There is nothing to resume; a shell always starts afresh."""
        return Launch(argv=("/bin/sh", "-c", _START))

    def verify(self, setup: Setup) -> str:
        """True on every POSIX host."""
        return "command -v sh >/dev/null"
