"""The install steps as text: pinned, shell that every sh takes, no secret, safe words."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import cast

import pytest

from amtui.agentstate import PROBE
from amtui.model import Autonomy, Worker
from amtui.providers.base import Place, Provider
from amtui.runtimes import RUNTIMES, Setup, Step
from amtui.runtimes.node import NpmProgram

SHELLS = [shell for shell in (["dash"], ["bash", "--posix"], ["busybox", "sh"]) if shutil.which(shell[0])]


def steps_of(
    runtime: str, base: str = "/srv/amtui here", *, confined: bool = False
) -> tuple[Setup, tuple[Step, ...]]:
    worker = Worker(
        id="0" * 32,
        name="w",
        substrate="local",
        host_id="local",
        runtime=runtime,
        autonomy=Autonomy.ASK,
        confined=confined,
    )
    place = Place(cast(Provider, None), "local", base, f"{base}/workers/0", "/tmp/s")
    setup = Setup(worker=worker, place=place, workdir="/w", uid=0, key="sk-not-in-a-script")
    return setup, tuple(RUNTIMES[runtime].install(setup))


def scripts() -> list[tuple[str, str]]:
    found = [("probe", PROBE)]
    for runtime in RUNTIMES:
        setup, steps = steps_of(runtime, confined=True)
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


@pytest.mark.parametrize("runtime", ["claude", "codex"])
def test_a_confined_agents_packages_are_fetched_apart_from_it_and_without_their_scripts(runtime: str) -> None:
    _, steps = steps_of(runtime, confined=True)
    assert [step.id for step in steps] == ["node", "fetch", runtime]
    assert "--ignore-scripts" in steps[1].apply


NPM = """#!/bin/sh
[ "$1" != --version ] || { echo 11; exit; }
while [ $# -gt 0 ]; do
    case $1 in --cache) cache=$2 ;; --prefix) prefix=$2 ;; esac
    shift
done
mkdir -p "$cache" && echo "$cache" >>"$LOG" && ls "$cache" >>"$LOG" && echo fetched >"$cache/packument" || exit 1
mkdir -p "$prefix/bin"
printf '#!/bin/sh\\necho %s\\n' "$VERSION" >"$prefix/bin/codex" && chmod +x "$prefix/bin/codex"
"""


def test_a_confined_agent_leaves_nothing_in_the_cache_that_later_workers_trust(tmp_path: Path) -> None:
    """It could write `cache/npm`, from which every later worker of the host installed its program."""
    home, base, programs = tmp_path / "home", tmp_path / "base", tmp_path / "bin"
    for folder in (home, base / "cache", programs):
        folder.mkdir(parents=True)
    for name, text in (("npm", NPM), ("node", "#!/bin/sh\nexit 0\n")):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    version = "1.2.3"
    program = NpmProgram("codex", "Codex", "@openai/codex", version, "codex")
    _, fetch, install = program.steps(steps_of("shell", str(base))[0].place, confined=True)
    log = tmp_path / "log"
    env = {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(home), "LOG": str(log), "VERSION": version}
    kept = base / "cache" / f"npm-codex-{version}"

    def run(script: str, *wrap: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*wrap, "sh", "-c", script], env=env, capture_output=True, text=True, check=False
        )

    for _ in range(2):
        assert run(fetch.apply).returncode == 0
    assert run(fetch.check).returncode == 0
    assert (kept / "packument").read_text() == "fetched\n"
    assert len(log.read_text().splitlines()) == 1, "the second time there is nothing to fetch"
    (kept / "packument").write_text("trusted\n")
    log.write_text("")
    inside = ["bwrap", "--dev-bind", "/", "/", "--ro-bind", str(base / "cache"), str(base / "cache")]
    done = run(install.apply, *inside)
    assert done.returncode == 0, done.stderr
    assert log.read_text().splitlines() == [f"{home}/.local/lib/amtui/codex-{version}.new.cache", "packument"]
    assert (kept / "packument").read_text() == "trusted\n"
    assert [path.name for path in (base / "cache").iterdir()] == [kept.name]
    assert [path.name for path in (home / ".local/lib/amtui").iterdir()] == [f"codex-{version}"]
