"""Codex CLI: installed from npm, unattended start, resume, a model from any `responses` upstream.

Its settings are `~/.codex/config.toml`. Every upstream, OpenAI's own too, is a provider block that names the
environment variable of the key: so no key is written to `auth.json` and no sign-in screen appears.
Checked against the version pinned here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import tomlkit

from amtui.model import Wire
from amtui.runtimes.autonomy import grant
from amtui.runtimes.base import UPSTREAM_KEY, FileEdit, Launch, Setup, Step
from amtui.runtimes.merge import merge_toml, section
from amtui.runtimes.node import NpmProgram

# The npm entry point is a script that starts the native program; linking that itself saves a node process for
# every worker and works where node is not visible to the agent.
_NATIVE: Final = """\
  native=$(find "$work/lib" -type f -path '*/vendor/*/bin/codex' | head -n 1)
  [ -x "$native" ] || fail "the package holds no codex for this machine"
  ln -sf "..${native#"$work"}" "$work/bin/codex" || exit 1
"""

_PROGRAM: Final = NpmProgram(
    id="codex",
    title="Codex CLI",
    package="@openai/codex",
    version="0.169.0",
    binary="codex",
    adjust=_NATIVE,
)

PROVIDER: Final = "amtui"
"""Name of our provider block. One name for every upstream: sessions are resumed by provider name."""

_RESUME: Final = """\
session=$1
shift
# resume without a session of this directory opens an empty picker.
if [ -n "$(find "$HOME/.codex/sessions" -type f -name 'rollout-*.jsonl' \\
    -exec grep -lsF -- "$session" {} + 2>/dev/null | head -n 1)" ]; then
  set -- resume --last "$@"
fi
exec codex "$@"
"""


class Codex:
    """OpenAI's agent CLI."""

    id = _PROGRAM.id
    title = _PROGRAM.title
    wires = frozenset({Wire.RESPONSES})
    version = _PROGRAM.version
    binary = _PROGRAM.binary

    def install(self, setup: Setup) -> Sequence[Step]:
        """Node, then the program from npm into `$HOME/.local`."""
        return _PROGRAM.steps(setup.place, confined=setup.worker.confined)

    def edits(self, setup: Setup) -> Sequence[FileEdit]:
        """`~/.codex/config.toml`: provider, autonomy, trust; no updates, telemetry or daemon."""

        def change(document: tomlkit.TOMLDocument) -> None:
            _configure(document, setup)

        return (
            FileEdit(
                path=".codex/config.toml",
                merge=lambda present: merge_toml(present, "~/.codex/config.toml", change),
            ),
        )

    def launch(self, setup: Setup, *, resume: bool = False) -> Launch:
        """Autonomy and model stand on the command line, where no project file can widen them."""
        granted = grant(self.id, setup.worker.autonomy)
        argv = [
            "--config",
            f"approval_policy={_inline(granted.settings['approval_policy'])}",
            "--sandbox",
            str(granted.settings["sandbox_mode"]),
        ]
        model = _model(setup)
        if model:
            argv += ["--model", model]
        env = granted.environment(setup.uid)
        secrets: dict[str, str] = {}
        if setup.upstream is not None and setup.key:
            secrets[UPSTREAM_KEY] = setup.key
        if resume:
            session = f'"cwd":{json.dumps(setup.workdir, ensure_ascii=False)}'
            return Launch(argv=["/bin/sh", "-c", _RESUME, "sh", session, *argv], env=env, secrets=secrets)
        return Launch(argv=["codex", *argv], env=env, secrets=secrets)

    def verify(self, setup: Setup) -> str:
        """The linked program answers with the pinned version."""
        return _PROGRAM.verify()


def _model(setup: Setup) -> str:
    return setup.worker.model or (setup.upstream.default_model if setup.upstream else "")


def _inline(value: Any) -> str:
    """`value` as one line of TOML."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name} = {_inline(inner)}" for name, inner in value.items()) + "}"
    return json.dumps(value)


def _put(table: Any, name: str, value: object) -> None:
    """Write only what differs, so that the comment behind an unchanged value survives."""
    if name not in table or table[name] != value:
        table[name] = value


def _configure(document: tomlkit.TOMLDocument, setup: Setup) -> None:
    model = _model(setup)
    if model:
        _put(document, "model", model)
    for name, value in grant("codex", setup.worker.autonomy).settings.items():
        _put(document, name, value if isinstance(value, str) else tomlkit.value(_inline(value)))
    _put(document, "check_for_update_on_startup", False)
    if setup.upstream is not None:
        _put(document, "model_provider", PROVIDER)
        block = section(document, "model_providers", PROVIDER)
        _put(block, "name", setup.upstream.title or setup.upstream.id)
        _put(block, "base_url", setup.upstream.v1())
        _put(block, "wire_api", "responses")
        if setup.key:
            _put(block, "env_key", UPSTREAM_KEY)
        else:
            block.pop("env_key", None)
    elif document.get("model_provider") == PROVIDER:
        document.pop("model_provider")
    # The daemon would outlive the console and copy the program a second time into the home.
    _put(section(document, "features"), "daemon_auto_start", False)
    _keep_key_from_commands(document)
    _put(section(document, "analytics"), "enabled", False)
    _put(section(document, "feedback"), "enabled", False)
    _put(section(document, "tui"), "notifications", True)
    _put(section(document, "projects", setup.workdir), "trust_level", "trusted")


def _keep_key_from_commands(document: tomlkit.TOMLDocument) -> None:
    """The program needs the key, what it runs does not; else it also lands in a snapshot of the shell on disk."""
    policy = section(document, "shell_environment_policy")
    excluded = policy.get("exclude")
    names = list(excluded) if isinstance(excluded, list) else []
    if UPSTREAM_KEY not in names:
        policy["exclude"] = [*names, UPSTREAM_KEY]
