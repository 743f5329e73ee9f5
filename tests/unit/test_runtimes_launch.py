"""The launcher and its environment file: exact values, nothing evaluated, no secret where it can be seen."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amtui.model import Autonomy, Worker
from amtui.providers.base import Place, Provider
from amtui.runtimes import Launch, Setup
from amtui.runtimes.launch import env_file, render

SHELLS = [shell for shell in (["dash"], ["bash", "--posix"], ["busybox", "sh"]) if shutil.which(shell[0])]
HOSTILE = "a b'\"$(touch /tmp/never)`id`;\\n\\\\ \\b %s é\u00a0日本\n\nlast line\n"


def setup_in(directory: Path, *, workdir: Path | None = None) -> Setup:
    root = directory / "worker's root"
    place = Place(cast(Provider, None), "local", str(directory), str(root), str(directory / "s"))
    worker = Worker(
        id="0" * 32, name="w", substrate="local", host_id="local", runtime="shell", autonomy=Autonomy.ASK
    )
    inside = workdir or root / "home" / "work dir"
    for path in (inside, root / "etc", root / "home"):
        path.mkdir(parents=True, exist_ok=True)
    return Setup(worker=worker, place=place, workdir=str(inside), uid=os.getuid())


def launched(
    setup: Setup,
    launch: Launch,
    shell: list[str],
    env: dict[str, str] | None = None,
    prefix: list[str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    files = render(setup, launch, prefix=prefix or [])
    Path(files.script_path).write_bytes(files.script)
    Path(files.env_path).write_bytes(files.env)
    given = {"PATH": "/usr/bin:/bin", **(env or {})}
    return subprocess.run([*shell, files.script_path], env=given, capture_output=True, check=False)


def environment(output: bytes) -> dict[str, str]:
    pairs = (entry.split("=", 1) for entry in output.decode().split("\0") if "=" in entry)
    return dict(pairs)  # type: ignore[arg-type]


SHOW = Launch(argv=["env", "-0"])


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_every_value_arrives_exactly(shell: list[str], tmp_path: Path) -> None:
    launch = dataclasses.replace(SHOW, env={"PLAIN": "x", "EMPTY": ""}, secrets={"SECRET": HOSTILE})
    done = launched(setup_in(tmp_path), launch, shell)
    assert done.stderr == b""
    env = environment(done.stdout)
    assert (env["PLAIN"], env["EMPTY"], env["SECRET"]) == ("x", "", HOSTILE)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60))
def test_any_text_survives_the_env_file(tmp_path: Path, value: str) -> None:
    done = launched(setup_in(tmp_path), dataclasses.replace(SHOW, secrets={"VALUE": value}), SHELLS[0])
    assert environment(done.stdout)["VALUE"] == value


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_home_path_directory_and_terminal(shell: list[str], tmp_path: Path) -> None:
    setup = setup_in(tmp_path)
    show = 'pwd; printf "%s\\n" "$HOME" "$PATH" "$TMPDIR" "$COLORTERM"'
    launch = Launch(argv=["sh", "-c", show], path=["/opt/tools"])
    done = launched(setup, launch, shell)
    home = setup.place.home
    assert done.stdout.decode().splitlines() == [
        setup.workdir,
        home,
        f"{home}/.local/bin:/opt/tools:/usr/bin:/bin",
        f"{home}/.tmp",
        "truecolor",
    ]
    assert Path(f"{home}/.tmp").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_what_is_the_operators_does_not_reach_the_agent(shell: list[str], tmp_path: Path) -> None:
    foreign = ("TMUX", "TMUX_PANE", "SSH_AUTH_SOCK", "DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "SSH_CONNECTION")
    env = environment(launched(setup_in(tmp_path), SHOW, shell, env=dict.fromkeys(foreign, "x")).stdout)
    assert not set(foreign) & set(env)
    assert not {"line", "name", "rest", "value", "file"} & set(env)


def test_an_unknown_terminal_becomes_a_known_one(tmp_path: Path) -> None:
    env = environment(launched(setup_in(tmp_path), SHOW, SHELLS[0], env={"TERM": "no-such-terminal"}).stdout)
    assert env["TERM"] in ("tmux-256color", "screen-256color", "xterm-256color")
    kept = environment(launched(setup_in(tmp_path), SHOW, SHELLS[0], env={"TERM": "xterm"}).stdout)
    assert kept["TERM"] == "xterm"


def test_a_language_without_utf8_is_given_one(tmp_path: Path) -> None:
    env = environment(launched(setup_in(tmp_path), SHOW, SHELLS[0], env={"LC_ALL": "C"}).stdout)
    assert env["LC_CTYPE"] == "C.UTF-8"
    assert "LC_ALL" not in env
    kept = environment(launched(setup_in(tmp_path), SHOW, SHELLS[0], env={"LANG": "de_DE.UTF-8"}).stdout)
    assert kept["LANG"] == "de_DE.UTF-8"
    assert "LC_CTYPE" not in kept


def test_the_program_replaces_the_launcher_and_gets_its_words_unsplit(tmp_path: Path) -> None:
    words = ["a b", "$HOME", "'\"", "*", ""]
    launch = Launch(argv=["sh", "-c", 'echo $$; printf "<%s>" "$@"', "sh", *words])
    setup = setup_in(tmp_path)
    files = render(setup, launch)
    Path(files.script_path).write_bytes(files.script)
    Path(files.env_path).write_bytes(files.env)
    running = subprocess.Popen(
        ["sh", files.script_path], env={"PATH": "/usr/bin:/bin"}, stdout=subprocess.PIPE
    )
    output, _ = running.communicate(timeout=20)
    pid, _, rest = output.decode().partition("\n")
    assert int(pid) == running.pid
    assert rest == "".join(f"<{word}>" for word in words)


def test_a_prefix_goes_before_the_program(tmp_path: Path) -> None:
    launch = Launch(argv=["printenv", "A"], env={"A": "1"})
    done = launched(setup_in(tmp_path), launch, SHELLS[0], prefix=["env", "A=2"])
    assert done.stdout == b"2\n"


def test_a_missing_directory_or_env_file_is_one_clear_line(tmp_path: Path) -> None:
    setup = setup_in(tmp_path)
    Path(setup.workdir).rmdir()
    done = launched(setup, SHOW, SHELLS[0])
    assert done.returncode == 78
    assert b"the working directory" in done.stderr
    files = render(setup, SHOW)
    Path(files.env_path).unlink()
    done = subprocess.run(
        ["sh", files.script_path], env={"PATH": "/usr/bin:/bin"}, capture_output=True, check=False
    )
    assert done.returncode == 78
    assert b"is missing; run the bootstrap again" in done.stderr


def test_a_secret_stands_in_the_env_file_only(tmp_path: Path) -> None:
    setup = setup_in(tmp_path)
    files = render(setup, dataclasses.replace(SHOW, secrets={"KEY": "sk-very-secret"}))
    assert b"sk-very-secret" in files.env
    assert b"sk-very-secret" not in files.script
    assert (files.script_mode, files.env_mode) == (0o700, 0o600)


@pytest.mark.parametrize(
    "launch",
    [
        Launch(argv=["x", "--key=sk-very-secret"], secrets={"KEY": "sk-very-secret"}),
        Launch(argv=["x"], env={"URL": "http://u:sk-very-secret@h"}, secrets={"KEY": "sk-very-secret"}),
        Launch(argv=["x"], path=["/sk-very-secret"], secrets={"KEY": "sk-very-secret"}),
        Launch(argv=["x", "short"], secrets={"KEY": "short"}),
    ],
)
def test_a_secret_anywhere_else_is_refused_without_repeating_it(launch: Launch, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="KEY") as caught:
        render(setup_in(tmp_path), launch)
    assert "secret@" not in str(caught.value)
    assert launch.secrets["KEY"] not in str(caught.value)


def test_a_very_short_secret_inside_another_word_is_no_leak(tmp_path: Path) -> None:
    render(setup_in(tmp_path), Launch(argv=["codex"], secrets={"KEY": "o"}))


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "A=B", "HOME", "PATH", "TMUX", "A\nB"])
def test_names_that_no_environment_can_hold_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="environment name"):
        env_file({name: "x"})


def test_a_nul_in_a_value_is_refused_without_the_value() -> None:
    with pytest.raises(ValueError, match="KEY") as caught:
        env_file({"KEY": "sk-secret\0more"})
    assert "sk-secret" not in str(caught.value)


def test_the_launcher_is_clean_shell(tmp_path: Path) -> None:
    script = render(setup_in(tmp_path), SHOW).script
    done = subprocess.run(
        ["shellcheck", "--shell=sh", "--severity=warning", "--exclude=SC2089,SC2090", "-"],
        input=script,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode()
