"""How much each agent may do without asking: the one table that maps `Autonomy` to every runtime.

`ask` means the runtime's own permission prompts, `edits` lets it change files of its working directory,
`full` lets it do everything its user on the host may do.
"Unattended start" never means "no permission prompt".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from amtui.model import Autonomy


@dataclass(frozen=True, slots=True)
class Grant:
    """What one autonomy means for one runtime.

    `meaning` is one line for people; `settings` are the runtime's own words for it, by the names of its
    configuration; `root_env` is wanted in addition when the agent runs as root.
    """

    meaning: str
    settings: Mapping[str, str | Mapping[str, Mapping[str, bool]]] = field(default_factory=dict)
    root_env: Mapping[str, str] = field(default_factory=dict)

    def environment(self, uid: int) -> dict[str, str]:
        """Environment of this grant for user id `uid`."""
        return dict(self.root_env) if uid == 0 else {}


# Codex has no policy that asks before every command. What comes closest: every command runs in its sandbox,
# what the sandbox stops is asked, and no kind of question is answered by itself.
_CODEX_ASKS: Final = {
    "granular": {
        "sandbox_approval": True,
        "rules": True,
        "skill_approval": True,
        "request_permissions": True,
        "mcp_elicitations": True,
    }
}

AUTONOMY: Final[Mapping[str, Mapping[Autonomy, Grant]]] = {
    "shell": {
        Autonomy.ASK: Grant("does what is typed"),
        Autonomy.EDITS: Grant("does what is typed"),
        Autonomy.FULL: Grant("does what is typed"),
    },
    "claude": {
        Autonomy.ASK: Grant(
            "asks before each command, edit and web request that is not known to be read-only",
            {"defaultMode": "default"},
        ),
        Autonomy.EDITS: Grant(
            "edits files of the working directory unasked, asks before commands",
            {"defaultMode": "acceptEdits"},
        ),
        Autonomy.FULL: Grant(
            "never asks",
            {"defaultMode": "bypassPermissions"},
            # Claude Code refuses this mode as root unless it is told that the machine is disposable.
            root_env={"IS_SANDBOX": "1"},
        ),
    },
    "codex": {
        Autonomy.ASK: Grant(
            "reads unasked in a sandbox, asks before anything that writes or reaches out",
            {"approval_policy": _CODEX_ASKS, "sandbox_mode": "read-only"},
        ),
        Autonomy.EDITS: Grant(
            "works unasked in a sandbox that may write the working directory, asks when it wants to leave that",
            {"approval_policy": _CODEX_ASKS, "sandbox_mode": "workspace-write"},
        ),
        Autonomy.FULL: Grant(
            "never asks, no sandbox",
            {"approval_policy": "never", "sandbox_mode": "danger-full-access"},
        ),
    },
}
"""Runtime id → autonomy → what it means there."""


def grant(runtime: str, autonomy: Autonomy) -> Grant:
    """The table's cell; a runtime without a row of its own is a defect, so `KeyError` is right."""
    return AUTONOMY[runtime][autonomy]
