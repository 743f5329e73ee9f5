"""How much each agent may do without asking: the one table that maps `Autonomy` to every runtime.

`ask` means the runtime's own permission prompts, `edits` lets it change files of its working directory,
`full` lets it do everything its user on the host may do.
"Unattended start" never means "no permission prompt".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from amtui.model import Autonomy


@dataclass(frozen=True, slots=True)
class Grant:
    """What one autonomy means for one runtime.

    `argv` goes on the command line, where no project file can widen it; `env` into the launch environment,
    and `root_env` in addition when the agent runs as root. `meaning` is one line for people.
    """

    argv: tuple[str, ...] = ()
    env: Mapping[str, str] | None = None
    root_env: Mapping[str, str] | None = None
    meaning: str = ""

    def environment(self, uid: int) -> dict[str, str]:
        """Environment of this grant for user id `uid`."""
        return {**(self.env or {}), **((self.root_env or {}) if uid == 0 else {})}


AUTONOMY: Final[Mapping[str, Mapping[Autonomy, Grant]]] = {
    "shell": {
        Autonomy.ASK: Grant(meaning="a shell does what is typed"),
        Autonomy.EDITS: Grant(meaning="a shell does what is typed"),
        Autonomy.FULL: Grant(meaning="a shell does what is typed"),
    },
    "claude": {
        Autonomy.ASK: Grant(
            argv=("--permission-mode", "default"),
            meaning="asks before each command, edit and web request that is not read-only",
        ),
        Autonomy.EDITS: Grant(
            argv=("--permission-mode", "acceptEdits"),
            meaning="edits files of the working directory unasked, asks before commands",
        ),
        Autonomy.FULL: Grant(
            argv=("--permission-mode", "bypassPermissions"),
            # Claude Code refuses this mode as root unless it is told that the machine is disposable.
            root_env={"IS_SANDBOX": "1"},
            meaning="never asks",
        ),
    },
    "codex": {
        # `untrusted` is the policy that asks; `on-request` would run a sandboxed command unasked.
        Autonomy.ASK: Grant(
            argv=("--ask-for-approval", "untrusted", "--sandbox", "workspace-write"),
            meaning="asks before each command and patch that is not known to be read-only",
        ),
        Autonomy.EDITS: Grant(
            argv=("--ask-for-approval", "on-request", "--sandbox", "workspace-write"),
            meaning="works unasked inside a sandbox that can write the working directory, asks to leave it",
        ),
        Autonomy.FULL: Grant(
            argv=("--ask-for-approval", "never", "--sandbox", "danger-full-access"),
            meaning="never asks, no sandbox",
        ),
    },
}
"""Runtime id → autonomy → what it means there."""


def grant(runtime: str, autonomy: Autonomy) -> Grant:
    """The table's cell; a runtime without a row of its own is a defect, so `KeyError` is right."""
    return AUTONOMY[runtime][autonomy]
