"""Errors that a hostile or broken world leads to: each names what it is about and what to do next."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from ops_world import World

from amtui.bootstrap.jobs import Jobs
from amtui.cli import main
from amtui.console import helper
from amtui.errors import DiskFull, ExecTimeout, ProtocolError, Refused, StateGone, StoreError
from amtui.providers.base import ExecResult, Place, Provider
from amtui.providers.local import LocalProvider
from amtui.store import Store


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    await made.ctx.aclose()


async def test_what_stands_in_place_of_the_console_helper_is_named(tmp_path: Path) -> None:
    place = Place(LocalProvider(tmp_path), "local", str(tmp_path), str(tmp_path / "workers/1"), "/tmp/s")
    path = Path(helper.helper_path(place))
    path.mkdir(parents=True)
    with pytest.raises(StateGone) as said:
        await helper.install(place)
    assert f"remove {path}" in said.value.hint


async def test_a_fifo_in_place_of_the_console_helper_is_replaced(tmp_path: Path) -> None:
    place = Place(LocalProvider(tmp_path), "local", str(tmp_path), str(tmp_path / "workers/1"), "/tmp/s")
    path = Path(helper.helper_path(place))
    path.parent.mkdir()
    os.mkfifo(path)
    assert await helper.install(place) == str(path)
    assert path.is_file()


@pytest.mark.parametrize(
    ("detail", "kind"),
    [
        ("mkdir: cannot create directory '/w/run': Not a directory", Refused),
        ("mkdir: cannot create directory '/w/run': File exists", Refused),
        ("mkdir: cannot create directory '/w/run': No space left on device", DiskFull),
        ("", DiskFull),
    ],
)
def test_only_a_full_disk_is_called_one(detail: str, kind: type[Exception]) -> None:
    error = helper.failure("disk", "amconsole", detail)
    assert type(error) is kind
    assert error.hint
    assert kind is DiskFull or "run" in error.message


async def test_a_spoilt_lease_is_named(world: World) -> None:
    place = await world.place(world.add("w"))

    async def exec_(host_id: str, command: Any, **_: Any) -> ExecResult:
        return ExecResult(b"who knows\n", b"", 0)

    place = Place(
        cast(Provider, SimpleNamespace(kind="local", exec=exec_)), "local", "/b", place.root, "/tmp/s"
    )
    with pytest.raises(ProtocolError) as said:
        await Jobs(place).lease("me", 60)
    assert f"remove {place.jobs}/lease" in said.value.hint


async def test_explain_names_a_host_that_is_silent(world: World) -> None:
    world.add("w", "ssh:box")
    world.host.error = ExecTimeout("no answer within 15 s")
    with pytest.raises(ExecTimeout, match="ssh:box does not answer") as said:
        await world.do("explain", name="w")
    assert said.value.hint == "see whether it is up: amtui doctor ssh:box"


@pytest.mark.parametrize("limit", [10**6, 2**63, 10**30])
async def test_any_number_of_events_may_be_asked_for(world: World, limit: int) -> None:
    world.store.record("", "started", "one")
    assert len((await world.do("events", limit=limit)).data["events"]) == 1


async def test_doctor_does_not_praise_a_store_that_cannot_be_written(world: World) -> None:
    world.store.read_only = True
    done = await world.do("doctor")
    (store,) = [each for each in done.data["findings"] if each["topic"] == "store"]
    assert (store["level"], done.exit_code) == ("bad", 1)
    assert "writable" in store["fix"]


@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_file_in_place_of_the_state_directory_is_not_an_empty_fleet(tmp_path: Path, below: str) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(StoreError, match="is not a directory") as said:
        Store.open(tmp_path / "state" / below / "amtui.db")
    assert "AMTUI_STATE_DIR" in said.value.hint


@pytest.mark.parametrize("name", ["config.toml", "secrets.json"])
def test_a_fifo_in_place_of_a_file_of_ours_is_not_waited_for(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for each in ("config", "state", "cache"):
        monkeypatch.setenv(f"AMTUI_{each.upper()}_DIR", str(tmp_path / each))
    (tmp_path / "config").mkdir()
    os.mkfifo(tmp_path / "config" / name, 0o600)
    words = ["config", "validate"] if name == "config.toml" else ["secret", "ls"]
    assert main.run(words) != 0
    assert f"{name}" in (said := capfd.readouterr().err)
    assert "regular file" in said
