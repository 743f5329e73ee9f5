"""The install steps as text: pinned, shell that every sh takes, no secret, safe words."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import cast

import pytest

from amtui.agentstate import PROBE
from amtui.model import Autonomy, Worker
from amtui.providers.base import Place, Provider
from amtui.runtimes import RUNTIMES, Setup, Step

SHELLS = [shell for shell in (["dash"], ["bash", "--posix"], ["busybox", "sh"]) if shutil.which(shell[0])]


def steps_of(runtime: str, base: str = "/srv/amtui here") -> tuple[Setup, tuple[Step, ...]]:
    worker = Worker(
        id="0" * 32, name="w", substrate="local", host_id="local", runtime=runtime, autonomy=Autonomy.ASK
    )
    place = Place(cast(Provider, None), "local", base, f"{base}/workers/0", "/tmp/s")
    setup = Setup(worker=worker, place=place, workdir="/w", uid=0, key="sk-not-in-a-script")
    return setup, tuple(RUNTIMES[runtime].install(setup))


def scripts() -> list[tuple[str, str]]:
    found = [("probe", PROBE)]
    for runtime in RUNTIMES:
        setup, steps = steps_of(runtime)
        found.append((f"{runtime}-verify", RUNTIMES[runtime].verify(setup)))
        for step in steps:
            found += [(f"{runtime}-{step.id}-check", step.check), (f"{runtime}-{step.id}-apply", step.apply)]
    return found


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
@pytest.mark.parametrize(("name", "script"), scripts(), ids=[name for name, _ in scripts()])
def test_every_shell_can_read_every_script(name: str, script: str, shell: list[str]) -> None:
    done = subprocess.run([*shell, "-n"], input=script.encode(), capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b""), name


@pytest.mark.parametrize(("name", "script"), scripts(), ids=[name for name, _ in scripts()])
def test_scripts_are_clean_and_complete(name: str, script: str) -> None:
    done = subprocess.run(
        ["shellcheck", "--shell=sh", "--severity=warning", "--exclude=SC2046", "-"],
        input=script.encode(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, f"{name}: {done.stdout.decode()}"
    assert not re.search(r"@[A-Z]+@", script), f"{name}: a placeholder was left"
    assert "sk-not-in-a-script" not in script


@pytest.mark.parametrize("runtime", ["claude", "codex"])
def test_the_version_is_pinned_and_the_program_goes_into_the_home(runtime: str) -> None:
    _, steps = steps_of(runtime)
    assert [step.id for step in steps] == ["node", runtime]
    install = steps[-1]
    assert re.search(rf"'@[a-z-]+/[a-z-]+@{re.escape(RUNTIMES[runtime].version)}'", install.apply)
    assert "--prefer-offline" in install.apply
    assert '"$HOME/.local/bin' in install.apply
    assert all(step.core for step in steps)


def test_a_shell_has_nothing_to_install() -> None:
    setup, steps = steps_of("shell")
    assert steps == ()
    assert RUNTIMES["shell"].edits(setup) == ()
    assert RUNTIMES["shell"].wires == frozenset()
