"""Presets and the user's own upstreams, kept in config.toml beside what the user wrote there."""

from __future__ import annotations

from pathlib import Path

import pytest

from amtui.config import Paths, load, problems
from amtui.config.secrets import SECRET_NAME
from amtui.errors import ConfigError, Refused, UnknownName, UsageError
from amtui.model import Wire
from amtui.upstreams import PRESETS, Upstream, Upstreams, matrix, normalise

SUBSTRATE_KEYS = {
    "DEDALUS_API_KEY",
    "E2B_API_KEY",
    "VERCEL_TOKEN",
    "VERCEL_OIDC_TOKEN",
    "SPRITES_API_KEY",
    "SPRITE_TOKEN",
}


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.from_environment({"AMTUI_CONFIG_DIR": str(tmp_path), "AMTUI_STATE_DIR": str(tmp_path)})


def opened(paths: Paths) -> Upstreams:
    return Upstreams(load(paths), paths)


def own(name: str = "mine", url: str = "http://127.0.0.1:9/v1/", **more: object) -> Upstream:
    facts: dict[str, object] = {"id": name, "wires": (Wire.CHAT,), "base_url": url, "key_env": "T_KEY"}
    return Upstream(**{**facts, **more})  # type: ignore[arg-type]


def test_presets_are_what_a_user_expects() -> None:
    assert list(PRESETS) == [
        "anthropic", "openai", "openrouter", "dedalus", "vercel-gateway", "google", "ollama", "llamacpp", "vllm",
    ]  # fmt: skip
    for name, preset in PRESETS.items():
        assert preset.id == name
        assert preset.preset
        assert preset.wires
        assert normalise(preset.base_url) == preset.base_url
        assert preset.key_env == "" or SECRET_NAME.match(preset.key_env)
    assert PRESETS["anthropic"].wires == (Wire.MESSAGES,)
    assert PRESETS["anthropic"].v1() == "https://api.anthropic.com/v1"
    assert PRESETS["google"].v1() == "https://generativelanguage.googleapis.com/v1beta/openai"


def test_no_preset_takes_a_key_that_opens_a_substrate() -> None:
    assert not SUBSTRATE_KEYS & {preset.key_env for preset in PRESETS.values()}


def test_adding_writes_one_table_and_keeps_the_rest(paths: Paths) -> None:
    paths.config_file.write_text("# mine\n[ui]\ntheme = 'x' # dark\n")
    box = opened(paths)
    stored = box.add(own(default_model="m", wires=(Wire.CHAT, Wire.MESSAGES, Wire.CHAT)))
    assert stored.base_url == "http://127.0.0.1:9"
    assert stored.wires == (Wire.CHAT, Wire.MESSAGES)
    text = paths.config_file.read_text()
    assert text.startswith("# mine\n[ui]\ntheme = 'x' # dark\n")
    assert (
        '[upstreams.mine]\nwires = ["chat", "messages"]\nbase_url = "http://127.0.0.1:9"\n'
        'key_env = "T_KEY"\ndefault_model = "m"\n'
    ) in text
    assert "title" not in text
    assert opened(paths).get("mine") == box.get("mine") == stored
    assert [each.id for each in box.all()] == [*PRESETS, "mine"]


def test_an_own_one_stands_for_its_preset(paths: Paths) -> None:
    box = opened(paths)
    box.add(own("openai", "https://proxy.example/openai/v1"))
    assert box.get("openai").base_url == "https://proxy.example/openai"
    assert not box.get("openai").preset
    assert [each.id for each in box.all()] == list(PRESETS)
    box.remove("openai")
    assert box.get("openai") == PRESETS["openai"]


def test_names_once_unless_replaced(paths: Paths) -> None:
    box = opened(paths)
    box.add(own())
    with pytest.raises(Refused, match="mine exists"):
        box.add(own(url="http://other"))
    assert box.add(own(url="http://other"), replace=True).base_url == "http://other"
    assert paths.config_file.read_text().count("[upstreams.mine]") == 1


def test_removing(paths: Paths) -> None:
    paths.config_file.write_text(
        "[ui]\ntheme = 'x'\n[upstreams.a]\nwires = ['chat']\nbase_url = 'http://a' # why\n"
    )
    box = opened(paths)
    box.add(own("b"))
    box.remove("b")
    assert "# why" in paths.config_file.read_text()
    box.remove("a")
    assert "upstreams" not in paths.config_file.read_text()
    assert "theme" in paths.config_file.read_text()
    with pytest.raises(UnknownName):
        box.remove("a")
    with pytest.raises(Refused, match="preset"):
        box.remove("anthropic")


@pytest.mark.parametrize(
    "layout", ["upstreams = {}\n", "[upstreams]\n", "upstreams.z = {wires=['chat'], base_url='http://z'}\n"]
)
def test_any_way_of_writing_the_section_can_be_added_to(paths: Paths, layout: str) -> None:
    paths.config_file.write_text(layout)
    box = opened(paths)
    box.add(own())
    assert opened(paths).get("mine").base_url == "http://127.0.0.1:9"
    assert ("z" in layout) is any(each.id == "z" for each in opened(paths).all())
    box.remove("mine")
    assert all(each.id != "mine" for each in opened(paths).all())


def test_unknown_names_the_nearest(paths: Paths) -> None:
    box = opened(paths)
    box.add(own("my-router"))
    for typed, meant in (("antropic", "anthropic"), ("OpenRouter", "openrouter"), ("my_router", "my-router")):
        with pytest.raises(UnknownName) as caught:
            box.get(typed)
        assert caught.value.hint.startswith(f"did you mean {meant}")
    with pytest.raises(UnknownName) as caught:
        box.get("zzzz\x1b[2J")
    assert "\x1b" not in caught.value.message
    assert "amtui upstream" in caught.value.hint


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"name": "A B"}, "no name"),
        ({"name": "x" * 41}, "no name"),
        ({"url": "https://sk-planted@x"}, "key"),
        ({"wires": ()}, "wire"),
        ({"key_env": "sk-planted"}, "variable"),
    ],
)
def test_bad_input_writes_nothing(paths: Paths, wrong: dict[str, object], word: str) -> None:
    with pytest.raises(UsageError, match=word) as caught:
        opened(paths).add(own(**wrong))  # type: ignore[arg-type]
    assert "planted" not in caught.value.message
    assert not paths.config_file.exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("wires = ['chat']\n", 'config.toml:1: upstreams.t: "base_url" is missing'),
        ("wires = ['chats']\nbase_url = 'http://x'\n", "config.toml:2: upstreams.t.wires[0]: "),
        ("wires = []\nbase_url = 'http://x'\n", "config.toml:1: upstreams.t: wires: name at least one"),
        (
            "wires = ['chat']\nbase_url = 'x'\n",
            "config.toml:1: upstreams.t: base_url: the base URL must begin",
        ),
        (
            "wires = ['chat']\nbase_url = 'http://x'\nkey_env = 'sk-planted'\n",
            "config.toml:1: upstreams.t: key_env: ",
        ),
        (
            "wires = ['chat']\nbaseurl = 'http://x'\n",
            "config.toml:3: upstreams.t.baseurl: unknown key; did you mean",
        ),
    ],
)
def test_mistakes_by_hand_are_told_with_their_line(paths: Paths, text: str, said: str) -> None:
    paths.config_file.write_text("[upstreams.t]\n" + text)
    found = [str(each) for each in problems(paths)]
    assert any(each.startswith(said) for each in found)
    assert not any("planted" in each for each in found)
    with pytest.raises(ConfigError):
        load(paths)


RUNTIMES = {
    "claude": frozenset({Wire.MESSAGES}),
    "codex": frozenset({Wire.RESPONSES}),
    "hermes": frozenset({Wire.CHAT, Wire.MESSAGES}),
    "openclaw": frozenset(Wire),
    "shell": frozenset[Wire](),
}


def test_matrix() -> None:
    made = matrix(RUNTIMES, PRESETS.values())
    assert list(made) == list(RUNTIMES)
    assert all(list(row) == list(PRESETS) for row in made.values())
    for runtime, row in made.items():
        for name, cell in row.items():
            shared = RUNTIMES[runtime] & set(PRESETS[name].wires)
            assert cell.works == (bool(shared) or runtime == "shell")
            assert cell.wire in shared or (cell.wire is None and not shared)
            assert cell.reason
    assert made["claude"]["anthropic"].wire is Wire.MESSAGES
    assert made["codex"]["dedalus"].reason == "codex speaks responses; dedalus offers chat"
    assert made["hermes"]["google"].wire is Wire.CHAT
    assert made["hermes"]["openrouter"].wire is Wire.MESSAGES
    assert made["shell"]["openai"].reason == "shell needs no model"
