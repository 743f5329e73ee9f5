"""Where files go, and that nobody else can look into the directories."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from amtui.config import Paths
from amtui.errors import ConfigError


def test_environment_wins_over_the_system(tmp_path: Path) -> None:
    env = {
        "AMTUI_CONFIG_DIR": str(tmp_path / "c"),
        "AMTUI_STATE_DIR": str(tmp_path / "s"),
        "AMTUI_CACHE_DIR": str(tmp_path / "k"),
    }
    paths = Paths.from_environment(env)
    assert paths.config_file == tmp_path / "c" / "config.toml"
    assert paths.secrets_file.parent == tmp_path / "c"
    assert paths.database.parent == paths.machines.parent == tmp_path / "s"
    assert paths.crash_dir.parent == paths.log_file.parent == tmp_path / "s"
    assert paths.cache_dir == tmp_path / "k"
    assert list(tmp_path.iterdir()) == []  # nothing is made by looking


def test_without_overrides_the_system_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    paths = Paths.from_environment({"AMTUI_CONFIG_DIR": ""})
    assert paths.config_dir == tmp_path / "xdg" / "amtui"


def test_relative_and_home_paths_become_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    paths = Paths.from_environment({"AMTUI_CONFIG_DIR": "~/c", "AMTUI_STATE_DIR": "s/../t"})
    assert paths.config_dir == tmp_path / "home" / "c"
    assert paths.state_dir == tmp_path / "t"


def test_directories_are_made_private_whatever_the_umask(tmp_path: Path) -> None:
    paths = Paths.from_environment({"AMTUI_STATE_DIR": str(tmp_path / "a" / "b")})
    made = paths.make(paths.crash_dir)
    for directory in (made, made.parent, made.parent.parent):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_an_existing_directory_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir(mode=0o755)
    (tmp_path / "shared").chmod(0o755)
    paths = Paths.from_environment({"AMTUI_CONFIG_DIR": str(tmp_path / "shared")})
    paths.make(paths.config_dir)
    assert stat.S_IMODE(paths.config_dir.stat().st_mode) == 0o755


def test_a_file_in_the_way_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        paths = Paths.from_environment({"AMTUI_CONFIG_DIR": str(place)})
        with pytest.raises(ConfigError) as caught:
            paths.make(paths.config_dir)
        assert str(place) in caught.value.message
        assert caught.value.hint
