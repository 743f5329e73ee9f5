"""What an agent program must tell amtui so that it can be installed, configured, launched and judged.

A runtime is one file in this package. It produces data (shell steps, file edits, a launch line); the
bootstrap engine runs the steps as detached jobs on the worker and the console starts the launch line
inside tmux.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from amtui.model import Wire, Worker
from amtui.providers.base import Place
from amtui.upstreams.base import Upstream

UPSTREAM_KEY: Final = "AMTUI_UPSTREAM_KEY"
"""Environment name of the upstream's key for every runtime: a name no other program picks up by itself."""


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything a recipe may know of the worker it prepares."""

    worker: Worker
    place: Place
    workdir: str
    """Absolute directory on the host in which the agent starts."""
    uid: int
    """User id on the host; some programs treat root differently."""
    upstream: Upstream | None = None
    key: str | None = None
    """The upstream's key. Only `Launch.secrets` and a `FileEdit` of mode 0600 may carry it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One bootstrap phase as POSIX shell. Runs with the worker's HOME and the allow-list environment.

    `check` exits 0 when nothing is left to do; `apply` must be safe to run again after being killed anywhere.
    Neither may contain a secret: scripts and their output are logged.
    """

    id: str
    title: str
    check: str
    apply: str
    core: bool = True
    timeout: float = 600.0
    weight: float = 1.0
    """Share of the progress bar."""


@dataclass(frozen=True, slots=True)
class FileEdit:
    """A user's file that must hold our settings: merged, never overwritten.

    `merge` gets the present bytes (None when absent) and returns the new ones; it must keep everything
    that is not ours, byte for byte where the format allows, and be idempotent.
    """

    path: str
    """Relative to the worker's home."""
    merge: Callable[[bytes | None], bytes]
    mode: int = 0o600


@dataclass(frozen=True, slots=True)
class Launch:
    """How the program starts inside tmux."""

    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Environment names whose values must only ever stand in the 0600 env file."""
    path: Sequence[str] = ()
    """Directories to put before PATH."""


class Runtime(Protocol):
    """An agent program: `claude`, `codex`, `hermes`, `openclaw` or `shell`."""

    id: str
    title: str
    wires: frozenset[Wire]
    """Dialects it can speak to a model; empty for `shell`, which needs none."""
    version: str
    """The pinned version that is installed; empty for `shell`."""
    binary: str
    """Name of the program as `pane_current_command` and the process tree show it."""

    def install(self, setup: Setup) -> Sequence[Step]:
        """Phases that bring the program into the worker's home, without root."""
        ...

    def edits(self, setup: Setup) -> Sequence[FileEdit]:
        """Settings for an unattended start: no onboarding, trust or login dialog; autonomy as asked."""
        ...

    def launch(self, setup: Setup, *, resume: bool = False) -> Launch: ...

    def verify(self, setup: Setup) -> str:
        """Shell that exits 0 when the installed program answers `--version` with the pinned version."""
        ...
