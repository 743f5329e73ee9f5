"""The helper's text: clean, small, and safe wherever it is installed."""

from __future__ import annotations

import subprocess
from importlib import resources
from pathlib import Path

import pytest

from amtui.console import helper
from amtui.emulator.snapshot import SNAPSHOT_FORMAT
from amtui.errors import UsageError
from amtui.providers.base import Cap, Place
from amtui.providers.local import LocalProvider

SOURCE = Path(str(resources.files("amtui.console"))) / "remote" / "amc"
SHELLS = ("dash", "bash --posix", "busybox sh")


def place(base: str = "/base", socket: str = "/tmp/s/1") -> Place:
    return Place(LocalProvider("/base"), "local", base, f"{base}/workers/1", socket)


@pytest.mark.parametrize("text", [SOURCE.read_bytes(), helper.helper_source()], ids=["source", "as sent"])
def test_shellcheck_finds_nothing(text: bytes) -> None:
    exclude = [] if text == SOURCE.read_bytes() else ["-e", "SC2016,SC2086,SC2046,SC2012"]
    done = subprocess.run(
        ["shellcheck", "-s", "sh", *exclude, "-"], input=text, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout.decode()


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_can_read_it(shell: str, tmp_path: Path) -> None:
    script = tmp_path / "amc"
    script.write_bytes(helper.helper_source())
    subprocess.run([*shell.split(), "-n", str(script)], check=True)


def test_what_is_sent_fits_into_twelve_kilobytes() -> None:
    assert len(helper.packed()[1]) <= 12 * 1024


def test_the_words_that_kill_tmux_do_not_occur() -> None:
    """`set -g window-size manual` ends the server of tmux 3.3a-3.6 at the next window."""
    assert "window-size" not in SOURCE.read_text()
    assert "set-environment" not in SOURCE.read_text()


def test_writer_and_reader_of_a_snapshot_share_its_fields() -> None:
    assert SNAPSHOT_FORMAT.encode() in helper.helper_source()
    assert b"@FIELDS@" not in helper.helper_source()


@pytest.mark.parametrize(
    "bad", ["/a'b", '/a"b', "/a$b", "/a`b", "/a;b", "/a#b", "/a%b", "/a\\b", "/a\nb", "a/b", ""]
)
def test_directories_that_shells_or_tmux_would_obey_are_refused(bad: str) -> None:
    with pytest.raises(UsageError):
        helper.check_place(place(base=bad), "amconsole")
    with pytest.raises(UsageError):
        helper.check_place(place(socket=bad), "amconsole")


def test_spaces_and_letters_of_any_language_are_fine() -> None:
    helper.check_place(place(base="/home/zoë müller/amtui"), "amconsole-2")


@pytest.mark.parametrize("bad", ["", "a b", "a:b", "a.b", "../x", "=x", "x" * 65])
def test_names_that_are_no_consoles_are_refused(bad: str) -> None:
    with pytest.raises(UsageError):
        helper.check_place(place(), bad)


def test_a_socket_path_too_long_for_the_system_is_refused() -> None:
    with pytest.raises(UsageError, match="longer than 100"):
        helper.check_place(place(socket="/" + "s" * 100), "amconsole")


def test_where_output_is_not_binary_replies_travel_in_armour() -> None:
    there = place()
    there.provider.caps = Cap.FILES  # type: ignore[misc]
    assert helper.request_argv(there, "amconsole", "poll", "1")[2:] == [
        "armour", "/base/workers/1/run/amconsole", "/tmp/s/1", "amconsole", "poll", "1",
    ]  # fmt: skip
