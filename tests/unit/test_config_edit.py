"""Changing config.toml loses nothing: not a comment, not another process's change, not the file."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from amtui.config import Paths, UiConfig, edit, load
from amtui.errors import ConfigError


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.from_environment({"AMTUI_CONFIG_DIR": str(tmp_path / "c"), "AMTUI_STATE_DIR": str(tmp_path)})


def write(paths: Paths, text: str) -> None:
    paths.make(paths.config_dir)
    paths.config_file.write_text(text)


def test_comments_order_and_spacing_stay(paths: Paths) -> None:
    text = '# mine\n\n[keys]   # by hand\npreset = "vim"\n\n[ui]\ntheme   =  "x"   # dark\n# the end\n'
    write(paths, text)
    edit(paths, lambda document: document["ui"].update({"animation": False}))
    changed = paths.config_file.read_text()
    for line in text.splitlines():
        assert line in changed.splitlines()
    assert load(paths).section("ui", UiConfig) == UiConfig(theme="x", animation=False)


def test_a_new_file_is_private(paths: Paths) -> None:
    old = os.umask(0)
    try:
        edit(paths, lambda document: document.update({"ui": {"theme": "y"}}))
    finally:
        os.umask(old)
    assert stat.S_IMODE(paths.config_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(paths.config_dir.stat().st_mode) == 0o700
    assert load(paths).section("ui", UiConfig).theme == "y"


def test_an_invalid_file_is_not_touched(paths: Paths) -> None:
    write(paths, "[ui]\nglyhps = 1 # precious\n")
    with pytest.raises(ConfigError, match=r"^config\.toml:2: ui\.glyhps"):
        edit(paths, lambda document: document.update({"keys": {"preset": "vim"}}))
    assert paths.config_file.read_text() == "[ui]\nglyhps = 1 # precious\n"


def test_a_change_that_would_make_it_invalid_is_not_written(paths: Paths) -> None:
    write(paths, "[ui]\ntheme = 'x'\n")
    with pytest.raises(ConfigError, match=r"not written: config\.toml:3: ui\.glyphs") as caught:
        edit(paths, lambda document: document["ui"].update({"glyphs": "emoji"}))
    assert "unchanged" in caught.value.hint
    assert paths.config_file.read_text() == "[ui]\ntheme = 'x'\n"


def test_an_exception_in_the_change_leaves_everything(paths: Paths) -> None:
    write(paths, "[ui]\ntheme = 'x'\n")

    def fail(document: object) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        edit(paths, fail)
    assert paths.config_file.read_text() == "[ui]\ntheme = 'x'\n"
    edit(paths, lambda document: document["ui"].update({"theme": "z"}))  # the lock was given back


def test_a_full_disk_leaves_the_old_file_and_no_litter(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    write(paths, "[ui]\ntheme = 'x'\n")

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left on device"):
        edit(paths, lambda document: document["ui"].update({"theme": "z"}))
    assert paths.config_file.read_text() == "[ui]\ntheme = 'x'\n"
    assert {each.name for each in paths.config_dir.iterdir()} == {"config.toml", ".lock"}


def test_a_link_into_dotfiles_stays_a_link(paths: Paths, tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    real = tmp_path / "dotfiles" / "amtui.toml"
    real.write_text("[ui]\ntheme = 'x'\n")
    paths.make(paths.config_dir)
    paths.config_file.symlink_to(real)
    edit(paths, lambda document: document["ui"].update({"theme": "z"}))
    assert paths.config_file.is_symlink()
    assert "z" in real.read_text()


def test_nothing_to_change_writes_nothing(paths: Paths) -> None:
    write(paths, "[ui]\ntheme = 'x'\n")
    before = paths.config_file.stat().st_ino
    edit(paths, lambda document: None)
    assert paths.config_file.stat().st_ino == before


def test_several_processes_lose_no_change(paths: Paths) -> None:
    code = (
        "import sys; from amtui.config import Paths, edit\n"
        "paths = Paths.from_environment()\n"
        "for n in range(10):\n"
        "    name = f'{sys.argv[1]}-{n}'\n"
        "    edit(paths, lambda d: d.setdefault('keys', {}).setdefault('map', {}).update({name: 'x'}))\n"
    )
    env = {**os.environ, "AMTUI_CONFIG_DIR": str(paths.config_dir)}
    running = [subprocess.Popen([sys.executable, "-c", code, str(n)], env=env) for n in range(3)]
    assert [each.wait(60) for each in running] == [0, 0, 0]
    assert len(load(paths).document["keys"]["map"]) == 30
