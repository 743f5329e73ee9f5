# ruff: noqa: ASYNC240 - git and files are looked at to prove things
"""Repositories out as bundles and back as refs, with hostile settings on both sides."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from amtui.bootstrap import bundle, git
from amtui.bootstrap.bundle import pull, repository_phase, status, unsaved
from amtui.bootstrap.git import Source
from amtui.bootstrap.phases import Courier, place_phase
from amtui.errors import AmtuiError, ConfigError, ExecTimeout, StateGone, UsageError
from amtui.model import Autonomy, Worker
from amtui.providers.base import Cap, Place
from amtui.providers.confinement import available, confine
from amtui.providers.local import LocalProvider

WORKER = Worker(
    id="3" * 32, name="w", substrate="local", host_id="local", runtime="shell", autonomy=Autonomy.ASK
)


@pytest.fixture(autouse=True)
def operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An operator with a git identity of their own."""
    home = tmp_path / "operator"
    home.mkdir()
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    sh(home, "git config --global user.name 'Ann Op' && git config --global user.email ann@example.org")
    return home


def sh(cwd: Path | str, script: str) -> str:
    done = subprocess.run(["sh", "-ec", script], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    made = tmp_path / "app"
    made.mkdir()
    sh(
        made,
        "git init -qb main; echo one >file; git add file; git commit -qm one; git branch topic; git tag v1",
    )
    sh(made, "echo two >>file; git commit -qam two")
    return made


@pytest.fixture
def place(tmp_path: Path) -> Place:
    base = tmp_path / "machines"
    return Place(
        LocalProvider(base),
        "local",
        str(base),
        f"{base}/workers/{WORKER.short_id}",
        str(tmp_path / "s" / "x"),
    )


async def deliver(place: Place, repo: str, cache: Path) -> tuple[Worker, Path]:
    worker = replace(WORKER, repo=repo)
    cache.mkdir(exist_ok=True)
    for phase in (place_phase(worker, place), repository_phase(worker, place, cache)):
        assert isinstance(phase.work, Courier)
        if not await phase.work.check():
            await phase.work.apply(lambda line: None)
        assert await phase.work.check()
    return worker, Path(bundle.checkout(place, repo))


async def test_a_fifo_in_the_repository_holds_nobody_up(
    place: Place, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`git status` waited a minute for a FIFO that an agent had put in place of .git/index, and gave no hint."""
    assert bundle.STATUS == 10
    monkeypatch.setattr(bundle, "STATUS", 1.0)
    worker, clone = await deliver(place, str(repo), tmp_path / "cache")
    (clone / ".git/index").unlink()
    os.mkfifo(clone / ".git/index")
    with pytest.raises(ExecTimeout, match="did not end within 1 s") as said:
        await status(place, worker)
    assert said.value.exit_code == 7
    assert "amtui exec w" in said.value.hint


async def test_there_and_back_again(place: Place, repo: Path, tmp_path: Path) -> None:
    worker, clone = await deliver(place, str(repo), tmp_path / "cache")
    assert sh(clone, "git rev-parse HEAD") == sh(repo, "git rev-parse main")
    assert sh(clone, "git symbolic-ref --short HEAD; git status --porcelain") == "main"
    assert await unsaved(place, worker) == []
    before = sh(repo, "git rev-parse main; git status --porcelain; git branch")
    sh(
        clone,
        "echo three >>file; git commit -qam three; git checkout -qb new/thing; echo x >x; git add x; git commit -qm x",
    )
    assert sh(clone, "git log -1 --format='%an <%ae>'") == "Ann Op <ann@example.org>"
    assert await unsaved(place, worker) == ["~/work/app: 2 unpushed commits"]
    pulled = await pull(place, worker, repo)
    assert [(p.branch, p.old, p.changed) for p in pulled] == [("main", "", True), ("new/thing", "", True)]
    assert (
        sh(repo, "git log -1 --format=%s amtui/w/main; git log -1 --format=%s amtui/w/new/thing")
        == "three\nx"
    )
    assert sh(repo, "git rev-parse main; git status --porcelain; git branch") == before  # nothing merged
    assert await unsaved(place, worker) == []
    sh(clone, "echo four >>file; git stash -q; echo five >>file; touch new")
    assert await unsaved(place, worker) == ["~/work/app: 2 changed files, 1 stash"]
    assert (await status(place, worker)).for_terminal().splitlines()[1:] == [" M file", "?? new"]
    assert "+five" in (await bundle.diff(place, worker)).for_terminal()
    again = await pull(place, worker, repo)
    assert not any(p.changed for p in again)
    sh(clone, "git checkout -q .; git commit -q --amend -m other")
    rewritten = {p.branch: p for p in await pull(place, worker, repo)}["new/thing"]
    assert rewritten.changed
    assert sh(repo, "git log -1 --format=%s amtui/w/new/thing") == "other"


@pytest.mark.parametrize(
    ("ref", "subject", "head"),
    [("#topic", "one", "topic"), ("#v1", "one", ""), ("", "two", "main"), ("#SHA", "one", "")],
)
async def test_a_branch_a_tag_a_commit(
    place: Place, repo: Path, tmp_path: Path, ref: str, subject: str, head: str
) -> None:
    ref = ref.replace("SHA", sh(repo, "git rev-parse --short v1"))
    _, clone = await deliver(place, f"file://{repo}{ref}", tmp_path / "cache")
    assert sh(clone, "git log -1 --format=%s; git branch --show-current").split("\n") == [
        subject,
        *([head] if head else []),
    ]


async def test_the_bundle_travels_in_pieces_and_goes_on_where_it_stopped(
    place: Place, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "CHUNK", 1000)
    sh(repo, "head -c 20000 /dev/urandom >big; git add big; git commit -qm big")
    sent: list[int] = []
    whole = LocalProvider.exec

    async def counted(self: LocalProvider, host: str, command, **words):  # type: ignore[no-untyped-def]
        if command.stdin and len(command.argv) == 6 and "cat >>" in command.argv[2]:
            sent.append(len(command.stdin))
            if len(sent) == 10:
                raise AmtuiError("the link broke")
        return await whole(self, host, command, **words)

    monkeypatch.setattr(LocalProvider, "exec", counted)
    file = tmp_path / "bundle"
    await git.bundle(await git.fetch(Source.parse(str(repo)), tmp_path / "cache"), file)
    Path(place.jobs).mkdir(parents=True)
    with pytest.raises(AmtuiError, match="broke"):
        await bundle.send(place, file, place.jobs)
    assert max(sent) == 1000
    first = len(sent)
    path, size = await bundle.send(place, file, place.jobs)
    assert Path(path).read_bytes() == file.read_bytes()
    assert size == file.stat().st_size
    assert sum(sent[first:]) == size - 9000  # nine pieces had arrived


async def test_hostile_settings_run_nothing(place: Place, repo: Path, operator: Path, tmp_path: Path) -> None:
    """Hooks, fsmonitor, filters and transports set by the source, by the agent in its clone, by files in its home."""
    mark = tmp_path / "pwned"
    evil = tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\necho $0 >>{mark}\n")
    evil.chmod(0o755)
    hooks = "post-checkout reference-transaction post-update update pre-receive post-commit post-index-change"
    keys = (
        "core.fsmonitor uploadpack.packObjectsHook diff.external core.pager diff.x.textconv core.sshCommand"
    )
    plant = f"mkdir -p .git/hooks; for h in {hooks}; do cp {evil} .git/hooks/$h; done; "
    plant += f"for k in {keys}; do git config $k {evil}; done; git config alias.status '!{evil}'"
    sh(repo, f"echo '* diff=x filter=y' >.gitattributes; git add .; git commit -qm a; {plant}")
    Path(place.home).mkdir(parents=True)
    templates = Path(place.home, "templates", "hooks")
    templates.mkdir(parents=True)
    templates.joinpath("post-checkout").symlink_to(evil)
    Path(place.home, ".gitconfig").write_text(
        f'[init]\ntemplateDir = {templates.parent}\n[filter "y"]\nsmudge = {evil}\n'
    )
    sh(operator, f"git config --global filter.y.smudge {evil}")  # the home of the user on a host
    worker, clone = await deliver(place, str(repo), tmp_path / "cache")
    assert not mark.exists(), mark.read_text()
    sh(operator, "git config --global --remove-section filter.y")
    sh(clone, f"echo more >>file; git commit -qam more; echo dirty >>file; {plant}")
    mark.unlink(missing_ok=True)  # the agent's own commits may run the agent's own hooks
    sh(repo, "cp .git/hooks/update .git/hooks/post-fetch")
    await status(place, worker)
    await bundle.diff(place, worker)
    await unsaved(place, worker)
    await pull(place, worker, repo)
    assert not mark.exists(), mark.read_text()
    assert sh(repo, "git -c core.fsmonitor=false -c core.pager=cat log -1 --format=%s amtui/w/main") == "more"


@pytest.mark.skipif(not available(), reason="bwrap does not work here")
async def test_git_on_the_worker_runs_inside_the_agents_confinement(
    place: Place, repo: Path, tmp_path: Path
) -> None:
    worker, clone = await deliver(place, str(repo), tmp_path / "cache")
    outside = tmp_path / "outside"
    outside.write_text("secret")
    escape = f"sh -c 'cat {outside} >leak; touch ran'"
    sh(
        clone,
        f"echo '* filter=x' >.gitattributes; git config filter.x.clean \"{escape}; cat\"; printf 'two\\none\\n' >file",
    )
    await status(place, worker, confine=lambda argv: confine(argv, home=place.home, workdir=str(clone)))
    assert (clone / "ran").exists()  # a filter is part of status; what matters is where it ran
    assert not (clone / "leak").read_text()


async def test_only_what_is_new_comes_back(
    place: Place, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sh(repo, "head -c 200000 /dev/urandom >big; git add big; git commit -qm big")
    worker, clone = await deliver(place, str(repo), tmp_path / "cache")
    sizes: list[int] = []
    there = bundle._bundle_there

    async def measured(*words: Any) -> None:
        await there(*words)
        sizes.append(words[4].stat().st_size)

    monkeypatch.setattr(bundle, "_bundle_there", measured)
    sh(clone, "echo small >>file; git commit -qam small")
    await pull(place, worker, repo)
    await pull(place, worker, repo)
    assert len(sizes) == 1
    assert sizes[0] < 5000


async def test_a_substrate_without_binary_output(place: Place, repo: Path, tmp_path: Path) -> None:
    worker, clone = await deliver(place, str(repo), tmp_path / "cache")
    sh(clone, "head -c 5000 /dev/urandom >big; git add big; git commit -qm big")
    place.provider.caps = place.provider.caps & ~Cap.BINARY_OUTPUT
    await pull(place, worker, repo)
    assert sh(repo, "git log -1 --format=%s amtui/w/main") == "big"


@pytest.mark.parametrize(
    "text",
    [
        "--upload-pack=touch /tmp/x",
        "-oProxyCommand=x",
        "ext::sh -c 'touch /tmp/x'",
        "https://user:token@example.org/x.git",
        "https://token@example.org/x.git",
        "git@host:x#--upload-pack=x",
        "git@host:x#a..b",
        "git@host:x#a b",
        "",
        "a\nb",
        "/nowhere/at/all",
    ],
)
def test_addresses_that_are_refused(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        Source.parse(text)
    assert "token" not in refused.value.message


@pytest.mark.parametrize(
    ("text", "url", "ref", "name"),
    [
        ("https://example.org/a/app.git#main", "https://example.org/a/app.git", "main", "app"),
        ("git@host:team/app", "git@host:team/app", "", "app"),
        ("ssh://git@host:22/~/my%20app/", "ssh://git@host:22/~/my%20app/", "", "my-20app"),
        ("https://example.org/..", "https://example.org/..", "", "repo"),
    ],
)
def test_addresses(text: str, url: str, ref: str, name: str) -> None:
    source = Source.parse(text)
    assert (source.url, source.ref, source.name, str(source)) == (url, ref, name, text)


async def test_what_is_missing_is_said(place: Place, repo: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no branch or tag 'topci'") as refused:
        await git.reachable(f"{repo}#topci")
    assert "topic" in refused.value.hint
    (tmp_path / "empty").mkdir()
    with pytest.raises(AmtuiError, match="git: fatal"):
        await git.reachable(str(tmp_path / "empty"))
    worker, clone = await deliver(place, str(repo), tmp_path / "cache")
    with pytest.raises(ConfigError, match="no git repository"):
        await pull(place, worker, tmp_path)
    sh(clone, "rm -rf .git")
    with pytest.raises(StateGone):
        await pull(place, worker, repo)
