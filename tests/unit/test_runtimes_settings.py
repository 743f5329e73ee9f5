"""Settings of the runtimes: merged into what is there, idempotent, following autonomy, upstream and key."""

from __future__ import annotations

import json
import tomllib
from typing import Any, cast

import pytest
import tomlkit

from amtui.errors import ConfigError, UsageError
from amtui.model import Autonomy, Wire, Worker
from amtui.providers.base import Place, Provider
from amtui.runtimes import AUTONOMY, RUNTIMES, Setup, get, grant
from amtui.runtimes.base import UPSTREAM_KEY
from amtui.runtimes.merge import merge_json, merge_toml, section
from amtui.upstreams.base import Upstream

KEY = "sk-unit-0123456789-abcdefghijklmnop"
WORKDIR = "/srv/amtui/workers/0123456789ab/home/work"


def setup_of(
    runtime: str = "claude",
    *,
    autonomy: Autonomy = Autonomy.ASK,
    upstream: Upstream | None = None,
    key: str | None = None,
    model: str | None = None,
    login_later: bool = False,
    uid: int = 1000,
) -> Setup:
    root = "/srv/amtui/workers/0123456789ab"
    place = Place(cast(Provider, None), "local", "/srv/amtui", root, "/tmp/amtui-1000/0123456789ab")
    worker = Worker(
        id="0123456789ab" + "0" * 20,
        name="w",
        substrate="local",
        host_id="local",
        runtime=runtime,
        autonomy=autonomy,
        model=model,
        login_later=login_later,
    )
    return Setup(worker=worker, place=place, workdir=WORKDIR, uid=uid, upstream=upstream, key=key)


def gateway(**more: Any) -> Upstream:
    fields = {
        "id": "gw",
        "wires": (Wire.MESSAGES, Wire.RESPONSES),
        "base_url": "https://gw.example",
        "key_env": "GW",
    }
    return Upstream(**{**fields, **more})


def edited(setup: Setup, present: dict[str, bytes] | None = None) -> dict[str, bytes]:
    """Path → content after the runtime's edits."""
    before = present or {}
    edits = RUNTIMES[setup.worker.runtime].edits(setup)
    return {edit.path: edit.merge(before.get(edit.path)) for edit in edits}


def toml_of(setup: Setup, present: bytes | None = None) -> dict[str, Any]:
    files = edited(setup, {".codex/config.toml": present} if present else None)
    return tomllib.loads(files[".codex/config.toml"].decode())


# -- registry and table


def test_an_unknown_runtime_names_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        get("cluade")
    assert "claude" in caught.value.hint
    assert get("codex").id == "codex"


def test_every_runtime_has_a_row_for_every_autonomy() -> None:
    assert set(AUTONOMY) == set(RUNTIMES)
    for row in AUTONOMY.values():
        assert set(row) == set(Autonomy)


@pytest.mark.parametrize("runtime", ["claude", "codex"])
def test_autonomy_stands_on_the_command_line(runtime: str) -> None:
    """Not only in a settings file, which a project's own file would outweigh."""
    launches = {
        autonomy: RUNTIMES[runtime].launch(setup_of(runtime, autonomy=autonomy)) for autonomy in Autonomy
    }
    seen = {autonomy: tuple(launch.argv) for autonomy, launch in launches.items()}
    assert len(set(seen.values())) == 3
    assert ("bypassPermissions" in " ".join(seen[Autonomy.FULL])) == (runtime == "claude")
    assert ("danger-full-access" in " ".join(seen[Autonomy.FULL])) == (runtime == "codex")


def test_only_root_with_full_autonomy_is_told_that_the_machine_is_disposable() -> None:
    claude = RUNTIMES["claude"]
    for autonomy in Autonomy:
        for uid in (0, 1000):
            env = claude.launch(setup_of(autonomy=autonomy, uid=uid)).env
            assert ("IS_SANDBOX" in env) == (uid == 0 and autonomy is Autonomy.FULL)


# -- Claude Code


def test_claude_starts_without_dialogs_and_keeps_what_it_has_learned() -> None:
    present = b'{\n    "numStartups": 7,\n    "projects": {"/other": {"x": 1}},\n    "zeta": "\xc3\xa9"\n}\n'
    files = edited(setup_of(), {".claude.json": present})
    state = json.loads(files[".claude.json"])
    assert state["hasCompletedOnboarding"] is True
    assert state["projects"][WORKDIR]["hasTrustDialogAccepted"] is True
    assert state["projects"]["/other"] == {"x": 1}
    assert list(state)[:3] == ["numStartups", "projects", "zeta"]
    assert "é".encode() in files[".claude.json"]
    assert files[".claude.json"].startswith(b'{\n    "numStartups": 7')
    assert edited(setup_of(), files) == files


def test_no_part_of_the_key_is_in_a_settings_file() -> None:
    for runtime in ("claude", "codex"):
        files = edited(setup_of(runtime, upstream=gateway(), key=KEY))
        assert not any(KEY[-8:].encode() in content for content in files.values())


def test_claude_gets_the_key_by_a_helper_only_while_there_is_one() -> None:
    keyed = edited(setup_of(upstream=gateway(), key=KEY))
    settings = json.loads(keyed[".claude/settings.json"])
    assert settings["apiKeyHelper"] == f"printenv {UPSTREAM_KEY}"
    without = edited(setup_of(login_later=True), keyed)
    assert "apiKeyHelper" not in json.loads(without[".claude/settings.json"])
    own = b'{"apiKeyHelper": "my own"}'
    kept = edited(setup_of(login_later=True), {".claude/settings.json": own})
    assert json.loads(kept[".claude/settings.json"])["apiKeyHelper"] == "my own"


def test_claude_asks_the_upstream_for_the_chosen_model_only() -> None:
    launch = RUNTIMES["claude"].launch(setup_of(upstream=gateway(), key=KEY, model="m-9"))
    assert list(launch.argv[-2:]) == ["--model", "m-9"]
    assert launch.env["ANTHROPIC_BASE_URL"] == "https://gw.example"
    assert {name: value for name, value in launch.env.items() if name.endswith("_MODEL")} == dict.fromkeys(
        (
            "ANTHROPIC_SMALL_FAST_MODEL",
            "ANTHROPIC_DEFAULT_OPUS_MODEL",
            "ANTHROPIC_DEFAULT_SONNET_MODEL",
            "ANTHROPIC_DEFAULT_HAIKU_MODEL",
        ),
        "m-9",
    )
    assert launch.secrets == {UPSTREAM_KEY: KEY}


def test_the_default_model_of_an_upstream_is_used_when_none_is_chosen() -> None:
    for runtime in ("claude", "codex"):
        launch = RUNTIMES[runtime].launch(setup_of(runtime, upstream=gateway(default_model="m-d"), key=KEY))
        assert list(launch.argv[-2:]) == ["--model", "m-d"]


def test_anthropic_itself_needs_no_address() -> None:
    native = gateway(base_url="https://api.anthropic.com")
    env = RUNTIMES["claude"].launch(setup_of(upstream=native, key=KEY)).env
    assert not any(name.startswith("ANTHROPIC_") for name in env)


def test_an_upstream_without_keys_is_asked_without_a_login() -> None:
    launch = RUNTIMES["claude"].launch(setup_of(upstream=gateway(key_env="")))
    assert launch.env["ANTHROPIC_AUTH_TOKEN"] == "none"
    assert launch.secrets == {}
    assert (
        "env_key" not in toml_of(setup_of("codex", upstream=gateway(key_env="")))["model_providers"]["amtui"]
    )


def test_a_change_of_autonomy_reaches_the_settings() -> None:
    files = edited(setup_of(autonomy=Autonomy.FULL))
    assert json.loads(files[".claude/settings.json"])["permissions"]["defaultMode"] == "bypassPermissions"
    files = edited(setup_of(autonomy=Autonomy.ASK), files)
    assert json.loads(files[".claude/settings.json"])["permissions"]["defaultMode"] == "default"
    assert toml_of(setup_of("codex", autonomy=Autonomy.FULL))["approval_policy"] == "never"


# -- Codex


def test_codex_reaches_the_upstream_by_a_provider_of_ours() -> None:
    config = toml_of(setup_of("codex", upstream=gateway(), key=KEY, model="m-1"))
    assert config["model_provider"] == "amtui"
    assert config["model_providers"]["amtui"] == {
        "name": "gw",
        "base_url": "https://gw.example/v1",
        "wire_api": "responses",
        "env_key": UPSTREAM_KEY,
    }
    assert config["model"] == "m-1"
    assert config["projects"][WORKDIR]["trust_level"] == "trusted"
    assert config["features"]["daemon_auto_start"] is False
    assert config["shell_environment_policy"]["exclude"] == [UPSTREAM_KEY]


def test_codex_config_keeps_comments_order_and_unknown_keys() -> None:
    present = b"""\
# my own
model = "old"  # behind
strange = [1, 2]

[tui]  # looks
theme = "dark"

[projects."/mine"]
trust_level = "untrusted"

[shell_environment_policy]
exclude = ["MINE"]
"""
    setup = setup_of("codex", upstream=gateway(), key=KEY, model="new", autonomy=Autonomy.EDITS)
    merged = edited(setup, {".codex/config.toml": present})[".codex/config.toml"]
    text = merged.decode()
    for kept in ("# my own", "strange = [1, 2]", "[tui]  # looks", 'theme = "dark"', '[projects."/mine"]'):
        assert kept in text
    config = tomllib.loads(text)
    assert config["model"] == "new"
    assert config["sandbox_mode"] == "workspace-write"
    assert config["tui"] == {"theme": "dark", "notifications": True}
    assert config["projects"]["/mine"]["trust_level"] == "untrusted"
    assert config["shell_environment_policy"]["exclude"] == ["MINE", UPSTREAM_KEY]
    assert edited(setup, {".codex/config.toml": merged})[".codex/config.toml"] == merged


def test_codex_shows_its_login_when_the_upstream_is_taken_away() -> None:
    before = edited(setup_of("codex", upstream=gateway(), key=KEY))[".codex/config.toml"]
    assert "model_provider" not in toml_of(setup_of("codex", login_later=True), before)
    own = b'model_provider = "mine"\n'
    assert toml_of(setup_of("codex", login_later=True), own)["model_provider"] == "mine"


def test_the_command_line_of_codex_is_valid_toml() -> None:
    for autonomy in Autonomy:
        argv = list(RUNTIMES["codex"].launch(setup_of("codex", autonomy=autonomy)).argv)
        policy = tomllib.loads(argv[argv.index("--config") + 1])["approval_policy"]
        assert policy == grant("codex", autonomy).settings["approval_policy"]


# -- merging


@pytest.mark.parametrize("present", [b"{", b"[1]", b"\xff\xfe", b"null", b"[" * 100_000])
def test_a_broken_json_file_is_named_and_left_alone(present: bytes) -> None:
    with pytest.raises(ConfigError, match="settings"):
        merge_json(present, "~/settings.json", lambda document: None)


@pytest.mark.parametrize("present", [b"a = ", b"\xff", b"[a]\n[a]\n"])
def test_a_broken_toml_file_is_named_and_left_alone(present: bytes) -> None:
    with pytest.raises(ConfigError, match="config"):
        merge_toml(present, "~/config.toml", lambda document: None)


def test_an_unchanged_file_is_returned_byte_for_byte() -> None:
    odd = b'{"a":1,\t"b" : [ 1,2 ]}'
    assert merge_json(odd, "x", lambda document: None) == odd
    comments = b"# c\r\na=1   # d\r\n"
    assert merge_toml(comments, "x", lambda document: None) == comments


def test_a_table_in_the_way_of_a_value_is_made_where_it_is_missing() -> None:
    document: dict[str, Any] = {"projects": None}
    section(document, "projects", "/a")["x"] = 1
    assert document == {"projects": {"/a": {"x": 1}}}
    toml = tomlkit.parse("a = 1\n[b.c]\nd = 2\n")
    section(toml, "b", "c")["e"] = 3
    section(toml, "f", "g")["h"] = 4
    assert tomllib.loads(tomlkit.dumps(toml)) == {"a": 1, "b": {"c": {"d": 2, "e": 3}}, "f": {"g": {"h": 4}}}
