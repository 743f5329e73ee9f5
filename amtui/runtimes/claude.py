"""Claude Code: installed from npm, unattended start, resume, a model from any `messages` upstream.

What the program reads is its own: `~/.claude.json` (state and consents), `~/.claude/settings.json`,
`ANTHROPIC_*` (model and key). Checked against the version pinned here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from amtui.model import Autonomy, Wire
from amtui.runtimes.autonomy import grant
from amtui.runtimes.base import FileEdit, Launch, Setup, Step
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

_BEARER_HOSTS: Final = ("openrouter.ai",)
"""Hosts that offer the messages wire but want `Authorization: Bearer` instead of `x-api-key`."""

_RESUME: Final = """\
set -- claude "$@"
for file in "$HOME/.claude/projects/$AMTUI_PROJECT"/*.jsonl; do
  if grep -q '"type":"user"' "$file" 2>/dev/null; then set -- "$@" --continue; break; fi
done
unset AMTUI_PROJECT
exec "$@"
"""
"""`--continue` without a conversation ends the program at once, so it is asked for only when there is one."""

_LOGIN: Final = """\
[ -s "$HOME/.claude/.credentials.json" ] || set -- "$@" /login
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
        return _PROGRAM.steps(setup.place)

    def edits(self, setup: Setup) -> Sequence[FileEdit]:
        """`~/.claude.json`: consents of the first start; `~/.claude/settings.json`: the permission mode."""
        return (
            FileEdit(path=".claude.json", merge=_merger("~/.claude.json", _consents(setup))),
            FileEdit(
                path=".claude/settings.json",
                merge=_merger("~/.claude/settings.json", _settings(setup.worker.autonomy)),
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
        secrets = _key(setup)
        if resume:
            env["AMTUI_PROJECT"] = project_slug(setup.workdir)
            return Launch(argv=["/bin/sh", "-c", _RESUME, "sh", *argv], env=env, secrets=secrets)
        if setup.worker.login_later and not secrets:
            return Launch(argv=["/bin/sh", "-c", _LOGIN, "sh", *argv], env=env, secrets=secrets)
        return Launch(argv=["claude", *argv], env=env, secrets=secrets)

    def verify(self, setup: Setup) -> str:
        """The linked program answers with the pinned version."""
        return _PROGRAM.verify()


def project_slug(workdir: str) -> str:
    """Name of the directory under `~/.claude/projects` in which the transcripts of `workdir` lie."""
    return "".join(char if char.isascii() and char.isalnum() else "-" for char in workdir)


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


def _key(setup: Setup) -> dict[str, str]:
    """The one variable whose header the upstream understands; both at once would send both headers."""
    upstream = setup.upstream
    if upstream is None or setup.key is None:
        return {}
    return {"ANTHROPIC_AUTH_TOKEN" if _wants_bearer(upstream) else "ANTHROPIC_API_KEY": setup.key}


def _wants_bearer(upstream: Upstream) -> bool:
    host = urlsplit(upstream.base_url).hostname or ""
    return upstream.key_env == "ANTHROPIC_AUTH_TOKEN" or any(
        host == known or host.endswith(f".{known}") for known in _BEARER_HOSTS
    )


def _merger(name: str, change: Callable[[dict[str, Any]], None]) -> Callable[[bytes | None], bytes]:
    return lambda present: merge_json(present, name, change)


def _consents(setup: Setup) -> Callable[[dict[str, Any]], None]:
    """What the operator has agreed to by deploying: no onboarding, this directory, this key."""
    approved = _key(setup).get("ANTHROPIC_API_KEY", "")[-20:]

    def change(document: dict[str, Any]) -> None:
        for name in ("hasCompletedOnboarding", "hasSeenAutoDefaultNotice", "hasSeenAutoDefaultNudge"):
            document[name] = True
        section(document, "projects", setup.workdir)["hasTrustDialogAccepted"] = True
        if not approved:
            return
        answers = section(document, "customApiKeyResponses")
        for name in ("approved", "rejected"):
            if not isinstance(answers.get(name), list):
                answers[name] = []
        if approved not in answers["approved"]:
            answers["approved"].append(approved)
        answers["rejected"] = [tail for tail in answers["rejected"] if tail != approved]

    return change


def _settings(autonomy: Autonomy) -> Callable[[dict[str, Any]], None]:
    mode = grant("claude", autonomy).settings["defaultMode"]

    def change(document: dict[str, Any]) -> None:
        permissions = section(document, "permissions")
        permissions["defaultMode"] = mode
        permissions["disableAutoMode"] = "disable"
        if autonomy is Autonomy.FULL:
            document["skipDangerousModePermissionPrompt"] = True

    return change
