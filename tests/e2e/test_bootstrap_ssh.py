# ruff: noqa: ASYNC240 - files on the host are looked at to prove things
"""Bootstrap over ssh: a cut link loses nothing, a repository arrives and comes back, destroy leaves nothing."""

from __future__ import annotations

import asyncio
import subprocess
from contextlib import suppress
from pathlib import Path

from hosts import SshWorld, processes

from amtui.bootstrap import remove
from amtui.bootstrap.bundle import checkout, pull, repository_phase
from amtui.bootstrap.phases import PhaseSpec, Plan, Shell, place_phase
from amtui.bootstrap.runner import Rhythm, run
from amtui.console import server
from amtui.errors import ProviderError
from amtui.model import Autonomy, Phase, PhaseStatus, Untrusted, Worker
from amtui.providers.base import Place
from amtui.providers.ssh import SshProvider

QUICK = Rhythm(lease=4, beat=0.5, poll=1, idle=0.1)


async def worker_on(provider: SshProvider, sshd: SshWorld, repo: str | None = None) -> tuple[Worker, Place]:
    worker = Worker(
        id="5" * 32,
        name="w",
        substrate="ssh:box",
        host_id="box",
        runtime="shell",
        autonomy=Autonomy.ASK,
        repo=repo,
    )
    base = await provider.root("box")
    socket = f"{sshd.host.home}/s/{worker.short_id}"
    return worker, Place(provider, "box", base, f"{base}/workers/{worker.short_id}", socket)


async def drive(plan: Plan, place: Place) -> tuple[dict[str, PhaseStatus], str]:
    ends: dict[str, PhaseStatus] = {}
    log: list[str] = []

    def on_phase(phase: Phase) -> None:
        ends[phase.id] = phase.status

    def on_log(phase: str, text: Untrusted) -> None:
        log.append(text.for_terminal())

    await run(plan, place, on_phase=on_phase, on_log=on_log, rhythm=QUICK)
    return ends, "".join(log)


async def until_exists(path: Path) -> None:
    async with asyncio.timeout(30):
        while not path.exists():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_a_cut_link_loses_nothing(ssh_provider: SshProvider, sshd: SshWorld) -> None:
    worker, place = await worker_on(ssh_provider, sshd)
    go = Path(sshd.host.home, "go")
    job = Shell(
        '[ -e "$HOME/done" ]',
        f'echo begun; until [ -e {go} ]; do sleep 0.05; done; echo ended; touch "$HOME/done"',
    )
    plan = Plan(
        worker, (place_phase(worker, place), PhaseSpec("slow", "Slow", job), PhaseSpec("after", "After", job))
    )
    first = asyncio.create_task(drive(plan, place))
    await until_exists(Path(place.jobs, "slow", "pid"))
    sshd.host.cut()
    assert processes(f"HOME={place.home}\0")  # the job goes on alone
    # A request on its way has lost its link; between two of them the provider just connects anew.
    with suppress(ProviderError):
        go.touch()
        await first
    ends, _ = await drive(plan, place)
    assert ends["slow"] is PhaseStatus.DONE
    assert set(ends.values()) <= {PhaseStatus.DONE, PhaseStatus.SKIPPED}
    assert Path(place.jobs, "slow", "log").read_text() == "--- slow, run 1 ---\nbegun\nended\n"
    assert await remove.destroy(place, worker, stop=server.stop) is remove.Removed.REMOVED
    assert processes(place.root) == []
    assert not Path(place.root).exists()
    assert await remove.destroy(place, worker, stop=server.stop) is remove.Removed.GONE


async def test_a_repository_there_and_back(ssh_provider: SshProvider, sshd: SshWorld, tmp_path: Path) -> None:
    def sh(script: str) -> str:
        return subprocess.run(
            ["sh", "-ec", script], capture_output=True, text=True, check=True
        ).stdout.strip()

    repo = tmp_path / "app"
    author = "git -c user.name=Ann -c user.email=a@example.org commit -qm"
    sh(f"git init -qb main {repo}; cd {repo}; head -c 300000 /dev/urandom >big; git add big; {author} one")
    worker, place = await worker_on(ssh_provider, sshd, repo=str(repo))
    (tmp_path / "cache").mkdir()
    plan = Plan(worker, (place_phase(worker, place), repository_phase(worker, place, tmp_path / "cache")))
    ends, _ = await drive(plan, place)
    assert ends["repository"] is PhaseStatus.DONE
    clone = checkout(place, str(repo))
    assert sh(f"git -C {clone} rev-parse HEAD") == sh(f"git -C {repo} rev-parse main")
    sh(f"cd {clone}; echo more >more; git add more; {author} more")
    assert [each.ref for each in await pull(place, worker, repo)] == ["amtui/w/main"]
    assert sh(f"git -C {repo} log -1 --format=%s amtui/w/main") == "more"
    assert (await drive(plan, place))[0]["repository"] is PhaseStatus.DONE
    assert Path(place.jobs, "repository", "runs").read_text() == "1\n"
