"""Upstreams, secrets, configuration, doctor: what is wrong has its fix beside it, and no secret is ever printed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from ops_world import World

from amtui.errors import (
    AmtuiError,
    ConfigError,
    NeedsConfirmation,
    Refused,
    UnknownName,
    Unreachable,
    UsageError,
)
from amtui.ops import doctor
from amtui.ops.context import Question
from amtui.upstreams import Probe, WireState

KEY = "sk-planted-4f9a0c2b7d"


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    made = World(tmp_path)

    async def ask(question: Question) -> str | None:
        return KEY

    async def probe(upstream: Any, key: str | None) -> Any:
        made.probed = key  # type: ignore[attr-defined]
        state = WireState.PRESENT if made.works else WireState.UNREACHABLE  # type: ignore[attr-defined]
        return Probe(
            upstream=upstream.id,
            wires=dict.fromkeys(upstream.wires, state),
            detail="asked",
            details={},
            seconds=0.1,
        )

    made.works = True  # type: ignore[attr-defined]
    made.ctx.ask = ask
    monkeypatch.setattr("amtui.upstreams.probe", probe)
    monkeypatch.setattr(
        doctor, "_computer", lambda ctx: iter([doctor.Finding(topic="tmux", level="ok", text="3.3a")])
    )
    yield made
    await made.ctx.aclose()


ADD = {"name": "t", "wire": ["messages", "messages"], "base_url": "http://127.0.0.1:9/v1", "key_env": "T_KEY"}


async def everything(world: World) -> str:
    """All that the operations say, in text and as documents."""
    said = []
    for op_id, values in (
        ("upstream ls", {}), ("upstream test", {"name": "t"}), ("secret ls", {}), ("config show", {}),
        ("config path", {}), ("config schema", {}), ("doctor", {}), ("show", {"name": "w"}),
        ("ls", {"cached": True}), ("events", {}),
    ):  # fmt: skip
        for item in await world.all(op_id, **values):
            said += [repr(item), json.dumps(getattr(item, "data", None), default=repr)]
    return "\n".join(said)


async def test_no_secret_is_ever_printed(world: World) -> None:
    world.add("w", runtime="claude", upstream="t")
    said = (await world.do("upstream add", **ADD)).text
    assert "amtui secret set T_KEY" in said
    said += repr(await world.all("secret set", name="T_KEY", file=True))
    said += await everything(world)
    assert world.probed == KEY  # type: ignore[attr-defined]
    assert "T_KEY (file)" in said
    assert KEY not in said
    assert KEY[-8:] not in said
    for values in ({"key_env": KEY}, {"base_url": f"http://u:{KEY}@h"}, {"name": KEY.upper() + "!" * 9}):
        with pytest.raises(AmtuiError) as refused:
            await world.do("upstream add", **ADD | {"name": "u"} | values)
        assert "name" in values or KEY not in refused.value.message + refused.value.hint
    with pytest.raises(UsageError) as odd:
        await world.do("secret set", name=KEY, file=True)
    assert KEY not in odd.value.message + odd.value.hint
    assert KEY not in world.estate.paths.config_file.read_text()


async def test_upstreams_come_and_go(world: World) -> None:
    added = (await world.do("upstream add", **ADD)).data["upstream"]
    assert (list(added["wires"]), added["base_url"]) == (["messages"], "http://127.0.0.1:9")
    with pytest.raises(Refused, match="exists"):
        await world.do("upstream add", **ADD)
    with pytest.raises(UsageError, match="'mesages'; did you mean 'messages'"):
        await world.do("upstream add", **ADD | {"wire": ["mesages"]})
    for missing in ("wire", "base_url"):
        with pytest.raises(UsageError, match="--" + missing.replace("_", "-")):
            await world.do("upstream add", **{k: v for k, v in ADD.items() if k != missing})
    listed = {row["id"]: row for row in (await world.do("upstream ls")).data["upstreams"]}
    assert listed["t"]["key"] is False and "claude" in listed["t"]["runtimes"]
    world.add("w", upstream="t")
    with pytest.raises(Refused, match="used by w"):
        await world.do("upstream rm", name="t")
    world.store.remove_worker(world.store.worker("w").id)
    await world.do("upstream rm", name="t")
    with pytest.raises(UnknownName):
        await world.do("upstream rm", name="t")


async def test_an_upstream_that_lacks_its_wire_is_exit_one(world: World) -> None:
    await world.do("upstream add", **ADD | {"key_env": ""})
    assert (await world.do("upstream test", name="t")).exit_code == 0
    world.works = False  # type: ignore[attr-defined]
    failed = await world.do("upstream test", name="t")
    assert failed.exit_code == 1
    assert failed.data["wires"] == {"messages": "unreachable"}


async def test_secrets_are_asked_for_kept_and_forgotten(world: World) -> None:
    with pytest.raises(NeedsConfirmation, match="keyring"):
        await world.do("secret set", name="A_KEY")
    kept = await world.do("secret set", name="A_KEY", file=True)
    assert kept.data == {"schema": 1, "name": "A_KEY", "source": "file"}
    assert (await world.do("secret ls")).data["secrets"] == [{"name": "A_KEY", "source": "file"}]
    await world.do("secret rm", name="A_KEY")
    with pytest.raises(UnknownName):
        await world.do("secret rm", name="A_KEY")
    world.ctx.ask = None
    with pytest.raises(NeedsConfirmation) as refused:
        await world.do("secret set", name="A_KEY", file=True)
    assert refused.value.exit_code == 4

    async def declined(question: Question) -> str | None:
        return None

    world.ctx.ask = declined
    with pytest.raises(Refused, match="no value"):
        await world.do("secret set", name="A_KEY", file=True)


async def test_config_mistakes_are_named(world: World) -> None:
    assert (await world.do("config validate")).text == "no problems"
    assert (await world.do("config show")).data["config"]
    assert (await world.do("config path")).data["config"].endswith("config.toml")
    world.estate.paths.config_file.parent.mkdir(exist_ok=True)
    world.estate.paths.config_file.write_text("[defaults]\nruntme = 'claude'\n")
    with pytest.raises(ConfigError, match="runtme") as wrong:
        await world.do("config validate")
    assert "config.toml" in wrong.value.hint


async def test_doctor_has_the_fix_beside_each_finding(world: World) -> None:
    fine = await world.do("doctor")
    assert (fine.exit_code, {f["level"] for f in fine.data["findings"]} & {"bad"}) == (0, set())
    await world.do("upstream add", **ADD)
    world.add("w", "ssh:box", upstream="t")
    world.add("v", upstream="gone")
    world.host.error = Unreachable("no route to box")
    sick = await world.do("doctor", host=["ssh:other"])
    assert sick.exit_code == 1
    bad = {finding["topic"]: finding for finding in sick.data["findings"] if finding["level"] == "bad"}
    assert bad.keys() == {"local", "ssh:box", "ssh:other", "upstream t", "upstream gone"}
    assert all(finding["fix"] for finding in bad.values())
    assert bad["upstream t"]["fix"] == "amtui secret set T_KEY"
    lines = sick.text.splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith("✕ upstream t "))
    assert "→ amtui secret set T_KEY" in lines[place + 1]


async def test_doctor_reports_a_config_with_mistakes(world: World) -> None:
    world.estate.paths.config_file.parent.mkdir(exist_ok=True)
    world.estate.paths.config_file.write_text("[defaults]\nruntme = 'claude'\n")
    sick = await world.do("doctor")
    (bad,) = [finding for finding in sick.data["findings"] if finding["level"] == "bad"]
    assert bad["topic"] == "config" and "runtme" in bad["text"] and "config.toml" in bad["fix"]
    assert sick.exit_code == 1


async def test_doctor_survives_secrets_that_cannot_be_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.do("upstream add", **ADD)
    world.add("w", upstream="t")

    def unsafe(name: str) -> Any:
        raise ConfigError("the secrets file can be read by others", "chmod 600 it")

    monkeypatch.setattr(world.estate.secrets, "get", unsafe)
    sick = await world.do("doctor")
    assert any("read by others" in finding["text"] for finding in sick.data["findings"])


def test_a_tool_that_is_missing_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    missing = doctor._tool("tmux", "local workers need it", "tmux", "bad", "-V")
    assert (missing.level, missing.fix) == ("bad", "install the package tmux")


@pytest.mark.parametrize(
    ("said", "level"), [("tmux 3.0a", "bad"), ("tmux 2.9", "bad"), ("tmux 3.1c", "ok"), ("tmux 3.10", "ok")]
)
def test_a_tmux_that_is_too_old_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, level: str
) -> None:
    fake = tmp_path / "tmux"
    fake.write_text(f"#!/bin/sh\necho '{said}'\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    found = doctor._tmux()
    assert found.level == level
    assert ("older than 3.1" in found.text) is (level == "bad")
    assert ("3.3a" in found.fix) is (level == "bad")
