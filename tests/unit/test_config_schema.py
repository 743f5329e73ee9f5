"""The JSON schema knows every section and refuses what `load` refuses."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from msgspec import Struct

from amtui.config import UiConfig, register, registered, schema
from amtui.config import registry as registry_module


def test_it_is_json_and_has_every_section() -> None:
    made = json.loads(json.dumps(schema()))
    assert set(made["properties"]) == set(registered())
    assert made["additionalProperties"] is False


def test_sections_are_closed_and_typed() -> None:
    made = schema()
    ui = made["$defs"]["UiConfig"]
    assert ui["additionalProperties"] is False
    assert ui["properties"]["glyphs"]["enum"] == ["ascii", "unicode"]
    assert ui["properties"]["theme"]["default"] == UiConfig().theme
    assert made["properties"]["ui"] == {"$ref": "#/$defs/UiConfig"}


def test_a_section_that_forgot_to_be_closed_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Open(Struct):
        a: int = 1

    monkeypatch.setattr(registry_module, "_types", {})
    register("open", Open)
    assert schema()["$defs"]["Open"]["additionalProperties"] is False


def test_every_reference_resolves() -> None:
    made = schema()
    text = json.dumps(made)
    for part in text.split('"#/$defs/')[1:]:
        assert part.split('"')[0] in made["$defs"]


def test_reading_the_configuration_loads_nothing_heavy() -> None:
    code = (
        "import sys; import amtui.config, amtui.store, amtui.upstreams\n"
        "amtui.config.load(amtui.config.Paths.from_environment({'AMTUI_CONFIG_DIR': '/nonexistent'}))\n"
        "print([m for m in ('httpx', 'keyring', 'tomlkit', 'textual', 'asyncssh', 'pyte') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
