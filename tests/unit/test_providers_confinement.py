"""Confinement with bwrap: what an agent inside can and cannot open. Real bwrap, as root and as an ordinary user."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from amtui.errors import Refused
from amtui.providers import confinement
from amtui.providers.environment import allow_list

NOBODY = 65534


class Inside:
    """An operator's computer in small, and a worker confined on it."""

    def __init__(self, top: Path, user: int) -> None:
        self.operator = top / "operator"
        self.state = self.operator / ".local/state/amtui"
        self.worker = self.state / "machines/workers/aaaaaaaaaaaa"
        self.home = self.worker / "home"
        self.other = self.state / "machines/workers/bbbbbbbbbbbb/home"
        self.project = self.operator / "src/project"
        self.sockets = top / "amtui-0"
        for folder in (self.home, self.other, self.project, self.sockets, self.operator / ".config/amtui"):
            folder.mkdir(parents=True)
        self.forbidden = [
            self.operator / ".config/amtui/config.toml",
            self.operator / ".ssh-key",
            self.state / "amtui.db",
            self.worker / "worker.json",
            self.other / "notes",
            self.operator / "src/neighbour",
        ]
        for path in self.forbidden:
            path.write_text("SECRET")
        self.user = user
        if os.geteuid() == 0:
            for path in (top, *top.rglob("*")):
                os.chown(path, user, user)

    def run(self, *argv: str, **options: object) -> subprocess.CompletedProcess[str]:
        words = confinement.confine(argv, home=str(self.home), workdir=str(self.project), **options)  # type: ignore[arg-type]
        if os.geteuid() == 0 and self.user != 0:
            words = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups", *words]
        env = allow_list({"HOME": str(self.home), "PATH": os.environ["PATH"]})
        return subprocess.run(
            words, env=env, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL
        )


@pytest.fixture(params=["as it is", "nobody"])
def inside(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Inside]:
    """Under /tmp itself, because pytest's own directories cannot be entered by another user."""
    user = NOBODY if request.param == "nobody" and os.geteuid() == 0 else os.geteuid()
    top = Path(tempfile.mkdtemp(prefix="amtui-confined-"))
    top.chmod(0o755)
    lab = Inside(top, user)
    monkeypatch.setenv("HOME", str(lab.operator))
    yield lab
    shutil.rmtree(top)


def test_bwrap_really_works_here() -> None:
    assert shutil.which("bwrap"), "the tests need bwrap"
    assert confinement.available()


def test_the_operators_files_cannot_be_opened(inside: Inside) -> None:
    for path in inside.forbidden:
        assert path.read_text() == "SECRET"
        done = inside.run("cat", str(path))
        assert done.returncode != 0, path
        assert "SECRET" not in done.stdout
    found = inside.run("grep", "-rsl", "SECRET", str(inside.operator), "/tmp", "/run", "/home", "/root")
    assert found.stdout == ""


def test_home_and_working_directory_are_its_own(inside: Inside) -> None:
    done = inside.run("sh", "-c", 'pwd; echo kept >"$HOME/a"; echo kept >b')
    assert (done.returncode, done.stdout) == (0, f"{inside.project}\n")
    assert (inside.home / "a").read_text() == "kept\n"
    assert (inside.project / "b").read_text() == "kept\n"


def test_system_paths_are_read_only_and_sufficient(inside: Inside) -> None:
    done = inside.run(
        "sh", "-c", "ls /usr/bin/env && sh -c 'id -u' && cat /etc/passwd >/dev/null && date >/dev/null"
    )
    assert done.returncode == 0, done.stderr
    for path in ("/usr/amtui-test", "/etc/amtui-test", "/bin/amtui-test"):
        assert inside.run("touch", path).returncode != 0
        assert not Path(path).exists()
    assert inside.run("cat", "/etc/shadow").returncode != 0
    assert inside.run("ls", "/etc/ssh").returncode != 0


def test_names_resolve_inside(inside: Inside) -> None:
    done = inside.run("getent", "hosts", "localhost")
    assert done.returncode == 0, done.stderr
    if Path("/etc/resolv.conf").exists():
        assert inside.run("cat", "/etc/resolv.conf").stdout == Path("/etc/resolv.conf").read_text()


def test_sockets_of_the_operator_are_out_of_reach(inside: Inside) -> None:
    path = inside.sockets / "0123456789ab"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        assert inside.run("test", "-e", str(path)).returncode == 1
        assert inside.run("ls", "/run").stdout == ""


def test_other_processes_are_not_there(inside: Inside) -> None:
    done = inside.run("sh", "-c", "ls -d /proc/[0-9]* | wc -l; kill -0 $1", "sh", str(os.getpid()))
    assert int(done.stdout) < 10
    assert done.returncode != 0


def test_tmp_is_its_own(inside: Inside) -> None:
    assert inside.run("sh", "-c", "echo x >/tmp/mine && echo y >/run/mine && cat /tmp/mine").stdout == "x\n"
    assert not Path("/tmp/mine").exists()


def test_more_can_be_given(inside: Inside) -> None:
    shared, tool = inside.operator / "shared", inside.operator / "tool"
    for path in (shared, tool):
        path.mkdir()
        if os.geteuid() == 0:
            os.chown(path, inside.user, inside.user)
    (tool / "version").write_text("1")
    given = {"writable": [str(shared)], "readonly": [str(tool)]}
    done = inside.run(
        "sh", "-c", 'cat "$1/version"; echo w >"$2/w"; touch "$1/w"', "sh", str(tool), str(shared), **given
    )
    assert done.stdout == "1"
    assert (shared / "w").exists()
    assert not (tool / "w").exists()


def test_exit_codes_and_stdin_pass(inside: Inside) -> None:
    assert inside.run("sh", "-c", "exit 42").returncode == 42


@pytest.mark.parametrize("which", ["/", "operator", "state", "worker"])
def test_a_working_directory_that_would_uncover_the_operator_is_refused(inside: Inside, which: str) -> None:
    path = which if which == "/" else str(getattr(inside, which))
    with pytest.raises(Refused):
        confinement.confine(["true"], home=str(inside.home), workdir=path)
    with pytest.raises(Refused):
        confinement.confine(["true"], home=str(inside.home), workdir=None, writable=[path])


def test_a_link_does_not_hide_it(inside: Inside) -> None:
    (inside.operator / "link").symlink_to(inside.operator)
    with pytest.raises(Refused):
        confinement.confine(["true"], home=str(inside.home), workdir=str(inside.operator / "link"))


def test_a_link_in_the_home_in_place_of_the_checkout_brings_nothing_in(tmp_path: Path) -> None:
    """The working directory was bound by its real path: an agent chose what it saw after its next start."""
    inside = Inside(tmp_path, os.geteuid())
    (inside.home / "checkout").symlink_to(inside.operator / "src")
    words = confinement.confine(["ls"], home=str(inside.home), workdir=str(inside.home / "checkout"))
    assert str(inside.operator / "src") not in words
