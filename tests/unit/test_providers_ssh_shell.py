"""The waiting shell in every POSIX shell at hand: one protocol, any bytes, a group of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from amtui.errors import Invalid
from amtui.providers import ssh_shell
from amtui.providers.base import Command

NONCE = "00ff00ff"
SHELLS = [["dash"], ["bash", "--posix"], ["busybox", "sh"]]


def talk(
    shell: list[str], command: Command, tmp_path: Path, *, group: bool, rest: bytes = b""
) -> tuple[str, bytes, bytes]:
    """Run the opening line in `shell` standing for /bin/sh; returns group, what followed the greeting, stderr."""
    line = ssh_shell.opening(NONCE)
    script = line.split("'")[3]
    process = subprocess.Popen(
        [*shell, "-c", 'eval "$0"', script, NONCE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={
            "HOME": str(tmp_path),
            "PATH": "/usr/bin:relative",
            "E2B_API_KEY": "x",
            "TZ": "UTC",
            "PIP_CERT": "x",
        },
        start_new_session=group,
    )
    out, err = process.communicate(ssh_shell.request(command, NONCE) + rest, timeout=20)
    greeting, _, more = out.partition(b"\n")
    mark, _, leader = greeting.partition(b" ")
    assert mark == b"\x1e" + NONCE.encode()
    assert err.startswith(b"\x1e" + NONCE.encode() + b"\n")
    assert leader == str(process.pid).encode()
    return leader.decode(), more, err.partition(b"\n")[2]


@pytest.mark.parametrize("shell", SHELLS, ids=lambda it: it[0])
@pytest.mark.parametrize("group", [True, False], ids=["leader", "not leader"])
def test_it_becomes_the_command(shell: list[str], group: bool, tmp_path: Path) -> None:
    """Also where the server made no process group: the shell makes one, and its number stays its own."""
    script = 'ps -o pgid= -p $$; printf "%s|" "$@"; cat'
    words = [bytes(range(1, 256)).decode("utf-8", "surrogateescape"), "", "'\\\n"]
    command = Command(argv=["/bin/sh", "-c", script, "sh", *words])
    leader, out, err = talk(shell, command, tmp_path, group=group, rest=b"rest of stdin")
    head, _, rest = out.partition(b"\n")
    assert head == b"\x1e" + NONCE.encode() + b" go"
    pgid, _, text = rest.partition(b"\n")
    assert pgid.strip().decode() == leader
    assert text == b"|".join(os.fsencode(word) for word in words) + b"|rest of stdin"
    assert err == b""


@pytest.mark.parametrize("shell", SHELLS, ids=lambda it: it[0])
def test_its_environment_is_the_allow_list(shell: list[str], tmp_path: Path) -> None:
    _, out, _ = talk(shell, Command(argv=["/usr/bin/env"], env={"A": "b c"}), tmp_path, group=True)
    lines = set(out.decode().split("\n")[1:-1]) - {"TERM=dumb"}  # bash's own
    assert lines == {"PATH=/usr/bin:/usr/local/bin:/bin", f"HOME={tmp_path}", "TZ=UTC", "A=b c"}


@pytest.mark.parametrize("shell", SHELLS, ids=lambda it: it[0])
def test_a_missing_directory_is_told(shell: list[str], tmp_path: Path) -> None:
    _, out, _ = talk(
        shell, Command(argv=["touch", "ran"], cwd=str(tmp_path / "no'such")), tmp_path, group=True
    )
    assert out == b"\x1e" + NONCE.encode() + b" cwd\n"
    assert not list(tmp_path.iterdir())


def test_the_opening_line_reads_alike_in_every_login_shell() -> None:
    """fish and csh: nothing inside single quotes that they would not take literally."""
    line = ssh_shell.opening(NONCE)
    assert "\n" not in line
    assert "!" not in line
    assert "\\\\" not in line
    assert "\\'" not in line
    assert line.count("'") == 4


@pytest.mark.parametrize(
    "shell", [name for name in ("bash", "dash", "busybox", "zsh", "fish", "tcsh") if shutil.which(name)]
)
def test_login_shells_at_hand(shell: str, tmp_path: Path) -> None:
    words = [shell, "sh"] if shell == "busybox" else [shell]
    done = subprocess.run(
        [*words, "-c", ssh_shell.opening(NONCE)],
        input=ssh_shell.request(Command(argv=["echo", "it's \\ me"]), NONCE),
        capture_output=True,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        timeout=20,
        check=True,
        start_new_session=True,
    )
    assert done.stdout.endswith(b" go\nit's \\ me\n")


def test_a_request_is_one_line_and_bounded() -> None:
    line = ssh_shell.request(Command(argv=["echo", "a\nb\r\n"], cwd="/x\ny"), NONCE)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    with pytest.raises(Invalid):
        ssh_shell.request(Command(argv=["echo", "x" * (1 << 21)]), NONCE)
