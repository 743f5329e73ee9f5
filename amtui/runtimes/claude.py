"""Claude Code: installed from npm, unattended start, resume, a model from any `messages` upstream.

What the program reads is its own: `~/.claude.json` (state and consents), `~/.claude/settings.json`,
`ANTHROPIC_*` (model and key). Checked against the version pinned here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from amtui.model import Autonomy, Wire
from amtui.runtimes.autonomy import grant
from amtui.runtimes.base import UPSTREAM_KEY, FileEdit, Launch, Setup, Step
from amtui.runtimes.merge import merge_json, section
from amtui.runtimes.node import NpmProgram
from amtui.upstreams.base import Upstream

_PROGRAM: Final = NpmProgram(
    id="claude",
    title="Claude Code",
    package="@anthropic-ai/claude-code",
    version="2.1.328",
    binary="claude",
)

_QUIET: Final = {
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
}

_FAMILIES: Final = (
    "ANTHROPIC_SMALL_FAST_MODEL",
    "ANTHROPIC_DEFAULT_OPUS_MODEL",
    "ANTHROPIC_DEFAULT_SONNET_MODEL",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL",
)
"""Models the program asks for by its own choice; a foreign upstream knows only the chosen one."""

_HELPER: Final = f"printenv {UPSTREAM_KEY}"
"""The key is handed over by `apiKeyHelper`, which sends it as `x-api-key` and as `Authorization: Bearer`. Under its
own names the program would ask whether to use it, and keep a part of it in a file to remember the answer."""

_RESUME: Final = """\
session=$1
shift
set -- claude "$@"
# --continue without a conversation ends the program at once.
if [ -n "$(find "$HOME/.claude/projects" -type f -name '*.jsonl' \\
    -exec grep -lsF -- "$session" {} + 2>/dev/null | head -n 1)" ]; then
  set -- "$@" --continue
fi
exec "$@"
"""

_LOGIN: Final = """\
if [ ! -s "$HOME/.claude/.credentials.json" ] &&
  ! grep -qs -e '"oauthAccount"' -e '"primaryApiKey"' "$HOME/.claude.json"; then
  set -- "$@" /login
fi
exec claude "$@"
"""


class Claude:
    """Anthropic's agent CLI."""

    id = _PROGRAM.id
    title = _PROGRAM.title
    wires = frozenset({Wire.MESSAGES})
    version = _PROGRAM.version
    binary = _PROGRAM.binary

    def install(self, setup: Setup) -> Sequence[Step]:
        """Node, then the program from npm into `$HOME/.local`."""
        return _PROGRAM.steps(setup.place, confined=setup.worker.confined)

    def edits(self, setup: Setup) -> Sequence[FileEdit]:
        """`~/.claude.json`: consents of the first start; `~/.claude/settings.json`: the permission mode."""
        return (
            FileEdit(path=".claude.json", merge=_merger("~/.claude.json", _consents(setup))),
            FileEdit(
                path=".claude/settings.json",
                merge=_merger("~/.claude/settings.json", _settings(setup)),
            ),
        )

    def launch(self, setup: Setup, *, resume: bool = False) -> Launch:
        """The permission mode stands on the command line, where no project file can widen it."""
        granted = grant(self.id, setup.worker.autonomy)
        argv = ["--permission-mode", str(granted.settings["defaultMode"])]
        model = _model(setup)
        if model:
            argv += ["--model", model]
        env = {**_QUIET, **granted.environment(setup.uid), **_address(setup.upstream, model)}
        secrets = {UPSTREAM_KEY: setup.key} if _keyed(setup) and setup.key is not None else {}
        if resume:
            session = f'"cwd":{json.dumps(setup.workdir, ensure_ascii=False)}'
            return Launch(argv=["/bin/sh", "-c", _RESUME, "sh", session, *argv], env=env, secrets=secrets)
        if setup.worker.login_later and not secrets:
            return Launch(argv=["/bin/sh", "-c", _LOGIN, "sh", *argv], env=env)
        return Launch(argv=["claude", *argv], env=env, secrets=secrets)

    def verify(self, setup: Setup) -> str:
        """The linked program answers with the pinned version."""
        return _PROGRAM.verify()


def _model(setup: Setup) -> str:
    return setup.worker.model or (setup.upstream.default_model if setup.upstream else "")


def _native(upstream: Upstream) -> bool:
    return urlsplit(upstream.base_url).hostname == "api.anthropic.com"


def _address(upstream: Upstream | None, model: str) -> dict[str, str]:
    """Where the model is asked; the program appends `/v1/messages` itself."""
    if upstream is None or _native(upstream):
        return {}
    env = {"ANTHROPIC_BASE_URL": upstream.base_url}
    if not upstream.key_env:
        # Without any credential the program would ask for a login, also where the upstream wants none.
        env["ANTHROPIC_AUTH_TOKEN"] = "none"
    if model:
        env |= dict.fromkeys(_FAMILIES, model)
    return env


def _keyed(setup: Setup) -> bool:
    return setup.upstream is not None and bool(setup.key)


def _merger(name: str, change: Callable[[dict[str, Any]], None]) -> Callable[[bytes | None], bytes]:
    return lambda present: merge_json(present, name, change)


def _consents(setup: Setup) -> Callable[[dict[str, Any]], None]:
    """What the operator has agreed to by deploying: no onboarding, no offers, work in this directory."""

    def change(document: dict[str, Any]) -> None:
        for name in ("hasCompletedOnboarding", "hasSeenAutoDefaultNotice", "hasSeenAutoDefaultNudge"):
            document[name] = True
        section(document, "projects", setup.workdir)["hasTrustDialogAccepted"] = True

    return change


def _settings(setup: Setup) -> Callable[[dict[str, Any]], None]:
    autonomy = setup.worker.autonomy
    mode = grant("claude", autonomy).settings["defaultMode"]

    def change(document: dict[str, Any]) -> None:
        permissions = section(document, "permissions")
        permissions["defaultMode"] = mode
        permissions["disableAutoMode"] = "disable"
        if autonomy is Autonomy.FULL:
            document["skipDangerousModePermissionPrompt"] = True
        if _keyed(setup):
            document["apiKeyHelper"] = _HELPER
        elif document.get("apiKeyHelper") == _HELPER:
            del document["apiKeyHelper"]

    return change
