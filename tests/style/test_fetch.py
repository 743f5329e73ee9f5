"""`tools/fetch.py`: programs out of Debian packages without root, and one line where that cannot be done."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
APT = """#!/bin/sh
echo "$@" >>"$FAKE/calls"
case "$*" in
*" -s "*) [ -e "$FAKE/known" ] || { echo "E: Unable to locate package bubblewrap" >&2; exit 100; }
          echo "Inst libfake1 (1.0 Fake:1 [all])"; echo "Inst bubblewrap [0.1] (0.8 Fake:1 [amd64])" ;;
*update*) touch "$FAKE/known" ;;
*download*) cp "$FAKE"/*.deb . ;;
esac
"""


class Machine:
    """A computer that lacks bwrap and whose package source holds two packages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = folder / "cache/amtui/tools"
        self.bin = folder / "bin"
        self.bin.mkdir()
        for name in ("sh", "dpkg", "dpkg-deb", "tar", "rm", "env", "cp", "touch"):
            (self.bin / name).symlink_to(shutil.which(name) or "/missing")
        self.deb("bubblewrap", {"usr/bin/bwrap": shutil.which("env") or ""})
        self.deb("libfake1", {"usr/lib/x86_64-linux-gnu/libfake.so.1": __file__})

    def deb(self, name: str, files: dict[str, str]) -> None:
        """Build a package."""
        tree = self.folder / f"tree-{name}"
        (tree / "DEBIAN").mkdir(parents=True)
        control = f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: tests\nDescription: fake\n"
        (tree / "DEBIAN/control").write_text(control)
        for path, source in files.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, tree / path)
        build = ["dpkg-deb", "--build", str(tree), str(self.folder / f"{name}_1_all.deb")]
        subprocess.run(build, check=True, capture_output=True)

    def with_apt(self) -> None:
        (self.bin / "apt-get").write_text(APT)
        (self.bin / "apt-get").chmod(0o755)

    def fetch(self, *words: str) -> subprocess.CompletedProcess[str]:
        env = {
            "PATH": str(self.bin), "HOME": str(self.folder), "XDG_CACHE_HOME": str(self.folder / "cache"),
            "FAKE": str(self.folder),
        }  # fmt: skip
        program = "import fetch, sys; fetch.SBIN = ''; sys.exit(fetch.main())"
        return subprocess.run(
            [sys.executable, "-c", program, *words], env={**env, "PYTHONPATH": str(ROOT / "tools")},
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_missing_program_is_unpacked_and_starts(machine: Machine) -> None:
    machine.with_apt()
    done = machine.fetch("bwrap")
    assert done.returncode == 0, done.stderr
    assert len(done.stderr.splitlines()) == 1
    wrapper = machine.cache / "bin/bwrap"
    # The stand-in is env(1): what it prints is the environment that a program started by the real one would get.
    shown = subprocess.run([wrapper], capture_output=True, text=True, check=True, env={"ONLY": "this"}).stdout
    names = {line.partition("=")[0] for line in shown.splitlines()}
    assert "ONLY" in names
    assert names <= {"ONLY", "PWD", "OLDPWD", "SHLVL", "_"}  # the shell's own
    assert "--library-path" in wrapper.read_text()
    assert (machine.cache / "root/usr/lib/x86_64-linux-gnu/libfake.so.1").exists()
    assert not (machine.cache / "apt").exists()


def test_lists_are_fetched_privately_when_the_system_has_none(machine: Machine) -> None:
    machine.with_apt()
    machine.fetch("bwrap")
    kinds = [
        next(w for w in ("update", "download", "install") if w in call.split()) for call in machine.calls
    ]
    assert kinds == ["install", "update", "install", "download"]
    assert "libfake1=1.0 bubblewrap:amd64=0.8" in machine.calls[-1]


def test_what_is_there_is_left_alone(machine: Machine) -> None:
    machine.with_apt()
    (machine.bin / "bwrap").symlink_to(machine.bin / "env")
    assert machine.fetch("bwrap").returncode == 0
    assert machine.calls == []
    assert not machine.cache.exists()


def test_what_was_unpacked_before_is_used_again_unless_it_broke(machine: Machine) -> None:
    machine.with_apt()
    machine.fetch("bwrap")
    before = len(machine.calls)
    assert machine.fetch("bwrap").stderr == ""
    assert len(machine.calls) == before
    (machine.cache / "root/usr/bin/bwrap").unlink()
    assert machine.fetch("bwrap").returncode == 0
    assert len(machine.calls) > before


@pytest.mark.parametrize(("words", "code"), [(["tmux"], 1), (["--optional", "bwrap"], 0)])
def test_where_it_cannot_be_had_one_line_names_the_package(
    machine: Machine, words: list[str], code: int
) -> None:
    done = machine.fetch(*words)
    assert done.returncode == code
    said = done.stderr.splitlines()[-1]
    assert said.startswith("amtui: ")
    assert "install the package" in said
    assert "Traceback" not in done.stderr


def test_an_unknown_package_is_one_line_too(machine: Machine) -> None:
    machine.with_apt()
    (machine.bin / "apt-get").write_text("#!/bin/sh\necho 'E: no route to the archive' >&2\nexit 100\n")
    done = machine.fetch("tmux")
    assert done.returncode == 1
    assert "no route to the archive" in done.stderr.splitlines()[-1]


def test_the_loader_of_this_python_is_found() -> None:
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        import fetch  # type: ignore[import-not-found,unused-ignore]

        assert os.path.exists(fetch.interpreter(Path(sys.executable).resolve()))
        assert fetch.interpreter(ROOT / "Makefile") == ""
    finally:
        sys.path.remove(str(ROOT / "tools"))
