"""A mistake in config.toml is told with its line, its key and the nearest valid name; all of them at once if asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import msgspec
import pytest
from msgspec import Meta, Struct

from amtui.config import (
    Config,
    DefaultsConfig,
    KeysConfig,
    Paths,
    UiConfig,
    load,
    nearest,
    problems,
    register,
)
from amtui.config import registry as registry_module
from amtui.errors import ConfigError
from amtui.model import Autonomy, Wire


class Box(Struct, frozen=True, kw_only=True):
    """A section with everything a package may put into one."""

    host: str
    port: Annotated[int, Meta(ge=1, le=65535)] = 22
    wires: tuple[Wire, ...] = ()
    ratio: float = 1.0
    pair: tuple[int, str] = (1, "a")
    inner: UiConfig | None = None


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.from_environment({"AMTUI_CONFIG_DIR": str(tmp_path), "AMTUI_STATE_DIR": str(tmp_path)})


@pytest.fixture
def boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_module, "_types", dict(registry_module._types))
    register("boxes", dict[str, Box])


def told(paths: Paths, text: str) -> list[str]:
    """The problems of `text`, and that `load` refuses it exactly when there are any."""
    paths.config_file.write_text(text)
    found = [str(problem) for problem in problems(paths)]
    if found:
        with pytest.raises(ConfigError) as caught:
            load(paths)
        assert caught.value.message.startswith(found[0])
        assert str(paths.config_file) in caught.value.hint
    else:
        load(paths)
    return found


def test_no_file_is_all_defaults(paths: Paths) -> None:
    config = load(paths)
    assert config.section("ui", UiConfig) == UiConfig()
    assert config.section("keys", KeysConfig) == KeysConfig()
    assert config.section("defaults", DefaultsConfig).substrate == "local"
    assert problems(paths) == []


def test_values_arrive_typed(paths: Paths) -> None:
    paths.config_file.write_text(
        '[ui]\nglyphs = "ascii"\nanimation = false\n[keys]\npreset = "vim"\n[keys.map]\n"fleet.new" = "n"\n'
        '[defaults]\nautonomy = "full"\n'
    )
    config = load(paths)
    assert config.section("ui", UiConfig) == UiConfig(glyphs="ascii", animation=False)
    assert config.section("keys", KeysConfig).map == {"fleet.new": "n"}
    assert config.section("defaults", DefaultsConfig).autonomy is Autonomy.FULL
    assert config.section("ui", UiConfig) is config.section("ui", UiConfig)


def test_the_line_of_the_issue(paths: Paths) -> None:
    text = "# one\n" * 12 + '[ui]\nglyhps = "ascii"\n'
    assert told(paths, text) == ['config.toml:14: ui.glyhps: unknown key; did you mean "glyphs"?']


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[uii]\n", 'config.toml:1: uii: unknown section; did you mean "ui"?'),
        ("[[ui]]\n", "config.toml:1: ui: expected a table, got an array"),
        ("\nui = 3\n", "config.toml:2: ui: expected a table, got the number 3"),
        ("thme = 'x'\n", "config.toml:1: thme: unknown key"),
        ("[ui]\ntheme = 3\n", "config.toml:2: ui.theme: expected a string, got the number 3"),
        ("[ui]\nanimation = 'yes'\n", 'config.toml:2: ui.animation: expected true or false, got "yes"'),
        (
            "[ui]\nglyphs = 'asci'\n",
            'config.toml:2: ui.glyphs: "asci" is not one of unicode, ascii; did you mean "ascii"?',
        ),
        (
            "[defaults]\nautonomy = 'Full'\n",
            'config.toml:2: defaults.autonomy: "Full" is not one of ask, edits, full; did you mean "full"?',
        ),
        (
            "[defaults]\nautonomy = true\n",
            "config.toml:2: defaults.autonomy: expected one of ask, edits, full, got true",
        ),
        ("[ui]\nanimation = 'true'\n", 'config.toml:2: ui.animation: expected true or false, got "true"'),
        ("ui.glyhps = 1\n", 'config.toml:1: ui.glyhps: unknown key; did you mean "glyphs"?'),
        (
            "ui = { theme = 'x', glyhps = 1 }\n",
            'config.toml:1: ui.glyhps: unknown key; did you mean "glyphs"?',
        ),
        ("[keys.map]\n'a b' = 1\n", 'config.toml:2: keys.map."a b": expected a string, got the number 1'),
        ("[ui]\ntheme = \n", "config.toml:2: not valid TOML: invalid value"),
        ("[ui]\n[ui]\n", "config.toml:2: not valid TOML: cannot declare ('ui',) twice"),
        ("[ui]\ntheme = 'x", "config.toml:2: not valid TOML: "),
        ("a = '''\nb\n", "config.toml:2: not valid TOML: "),
    ],
)
def test_one_mistake(paths: Paths, text: str, said: str) -> None:
    found = told(paths, text)
    assert len(found) == 1
    assert found[0].startswith(said)


@pytest.mark.usefixtures("boxes")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[boxes.a]\nport = 1\n", 'config.toml:1: boxes.a: "host" is missing'),
        ("[boxes.a]\nhost = 'h'\nport = 0\n", "config.toml:3: boxes.a.port: expected int >= 1"),
        ("[boxes.a]\nhost = 'h'\nport = 70000\n", "config.toml:3: boxes.a.port: expected int <= 65535"),
        ("boxes = 1\n", "config.toml:1: boxes: expected a table, got the number 1"),
        ("[boxes]\na = 'x'\n", 'config.toml:2: boxes.a: expected a table, got "x"'),
        (
            "[boxes.a]\nhost = 'h'\nwires = 'chat'\n",
            'config.toml:3: boxes.a.wires: expected an array, got "chat"',
        ),
        (
            "[boxes.a]\nhost = 'h'\nwires = [\n  'chat',\n  'mesages', # here\n]\n",
            'config.toml:5: boxes.a.wires[1]: "mesages" is not one of messages, responses, chat; '
            'did you mean "messages"?',
        ),
        ("[boxes.a]\nhost = 'h'\nratio = 'x'\n", 'config.toml:3: boxes.a.ratio: expected a number, got "x"'),
        (
            "[boxes.a]\nhost = 'h'\npair = [1, 2]\n",
            "config.toml:3: boxes.a.pair[1]: expected a string, got the",
        ),
        (
            "[boxes.a]\nhost = 'h'\npair = [1]\n",
            "config.toml:3: boxes.a.pair: expected array of length 2, got 1",
        ),
        (
            "[boxes.a]\nhost = 'h'\n[boxes.a.inner]\n\nthem = 1\n",
            "config.toml:5: boxes.a.inner.them: unknown key",
        ),
        ("[boxes.'x.y']\nport = 2\nhost = 'h'\nhots = 'i'\n", 'config.toml:4: boxes."x.y".hots: unknown key'),
    ],
)
def test_one_mistake_in_a_rich_section(paths: Paths, text: str, said: str) -> None:
    found = told(paths, text)
    assert len(found) == 1
    assert found[0].startswith(said)


@pytest.mark.usefixtures("boxes")
def test_a_rich_section_that_is_right(paths: Paths) -> None:
    text = "[boxes.a]\nhost = 'h'\nratio = 2\nwires = ['chat', 'messages']\npair = [2, 'b']\ninner = {theme = 't'}\n"
    assert told(paths, text) == []
    box = load(paths).section("boxes", dict[str, Box])["a"]
    assert box == Box(
        host="h", ratio=2.0, wires=(Wire.CHAT, Wire.MESSAGES), pair=(2, "b"), inner=UiConfig(theme="t")
    )


def test_all_mistakes_are_listed_in_the_order_of_the_file(paths: Paths) -> None:
    text = "[defaults]\nruntme = 'x'\n[ui]\ntheme = 1\nanimaton = true\n[nosuch]\na = 1\n[keys]\nmap = 3\n"
    assert [line.partition(": ")[0] for line in told(paths, text)] == [
        f"config.toml:{line}" for line in (2, 4, 5, 6, 9)
    ]


def test_long_strings_and_arrays_do_not_shift_lines(paths: Paths) -> None:
    text = (
        '[ui]\ntheme = """\n[defaults]\nglyphs = \\"\\"\\" "" \n"""\n'
        "[keys]\npreset = '''\n#'''\n[keys.map]\na = 'x' # ]\nb = [\n'y']\n"
    )
    assert told(paths, text) == ["config.toml:11: keys.map.b: expected a string, got an array"]


def test_a_section_of_a_package_that_is_not_loaded_is_left_for_it(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = {name: type_ for name, type_ in registry_module._types.items() if name != "console"}
    monkeypatch.setattr(registry_module, "_types", without)
    paths.config_file.write_text("[console]\n\nthem = 1\n")
    config = load(paths)
    assert problems(paths) == []
    with pytest.raises(
        ConfigError, match=r"config\.toml:3: console\.them: unknown key; did you mean \"theme\"\?"
    ):
        config.section("console", UiConfig)


@pytest.mark.parametrize(
    ("text", "theme", "preset"),
    [
        ("[ui]\ntheme = 'x'\n[keys]\npreset = 1\n", "x", "default"),
        ("[ui]\nthem = 'x'\n[keys]\npreset = 'vim'\n[nosuch]\n", UiConfig().theme, "vim"),
        ("[ui]\ntheme = 'x'\n[keys\n", UiConfig().theme, "default"),
        ("", UiConfig().theme, "default"),
        (None, UiConfig().theme, "default"),
    ],
)
def test_what_mends_a_broken_file_can_still_read_the_sound_part(
    paths: Paths, text: str | None, theme: str, preset: str
) -> None:
    if text is not None:
        paths.config_file.write_text(text)
    config = load(paths, lenient=True)
    assert config.section("ui", UiConfig).theme == theme
    assert config.section("keys", KeysConfig).preset == preset


def test_lenient_reaches_sections_that_are_checked_late(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_module, "_types", dict(registry_module._types))
    registry_module._types.pop("notify", None)
    paths.config_file.write_text("[notify]\nthem = 1\n")
    assert load(paths, lenient=True).section("notify", UiConfig) == UiConfig()
    paths.config_file.unlink()
    paths.config_file.mkdir()
    assert load(paths, lenient=True).section("ui", UiConfig) == UiConfig()


def test_what_is_in_effect_is_plain_data_with_defaults(paths: Paths) -> None:
    paths.config_file.write_text("[defaults]\nautonomy = 'edits'\n[keys.map]\na = 'x'\n")
    effective = load(paths).effective()
    assert set(effective) == set(registry_module.registered())
    assert effective["ui"] == {"theme": UiConfig().theme, "glyphs": "unicode", "animation": True}
    assert effective["defaults"]["autonomy"] == "edits"
    assert effective["keys"] == {"preset": "default", "map": {"a": "x"}}
    json.dumps(effective)


def test_bytes_that_are_no_text(paths: Paths) -> None:
    paths.config_file.write_bytes(b"[ui]\n\ntheme = '\xff'\n")
    assert [str(each) for each in problems(paths)] == ["config.toml:3: not valid UTF-8"]
    with pytest.raises(ConfigError, match=r"config\.toml:3: not valid UTF-8"):
        load(paths)


def test_control_characters_of_the_file_stay_out_of_the_message(paths: Paths) -> None:
    found = told(paths, '[ui]\n"a\\u001b[2J" = 1\n')
    assert found == ['config.toml:2: ui."a[2J": unknown key; known are animation, glyphs, theme']


def test_a_directory_in_its_place(paths: Paths) -> None:
    paths.config_file.mkdir()
    with pytest.raises(ConfigError, match=r"config\.toml: cannot be read: Is a directory"):
        load(paths)
    assert len(problems(paths)) == 1


def test_deep_nesting_is_refused_and_not_a_crash(paths: Paths) -> None:
    paths.config_file.write_text("a = " + "[" * 5000 + "]" * 5000)
    assert len(problems(paths)) == 1
    with pytest.raises(ConfigError):
        load(paths)


def test_two_types_for_one_section_are_a_defect(boxes: None) -> None:
    register("boxes", dict[str, Box])  # the same again is fine: modules are imported once or twice
    with pytest.raises(ValueError, match="twice"):
        register("boxes", dict[str, UiConfig])


def test_a_config_without_a_file() -> None:
    config = Config({"ui": {"theme": "x"}})
    assert config.section("ui", UiConfig).theme == "x"
    with pytest.raises(ConfigError):
        Config({"ui": {"theme": 1}}).section("ui", UiConfig)


@pytest.mark.parametrize(
    ("word", "names", "best"),
    [
        ("glyhps", ["glyphs", "theme"], ["glyphs"]),
        ("default-model", ["default_model", "base_url"], ["default_model"]),
        ("THEME", ["theme"], ["theme"]),
        ("zzz", ["glyphs"], []),
        ("a", [], []),
    ],
)
def test_nearest(word: str, names: list[str], best: list[str]) -> None:
    assert nearest(word, names) == best


def test_every_registered_section_has_defaults() -> None:
    for name, type_ in registry_module.registered().items():
        msgspec.convert({}, type_), name
