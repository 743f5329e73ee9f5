"""Repositories between the operator and a worker, as `git bundle`s over exec: out at bootstrap, back on `pull`.

The worker gets commits, never a credential; what it made comes back as remote-tracking refs `amtui/NAME/<branch>`
and is never merged. git on the worker reads settings that the agent may have written, so it runs inside the
agent's own confinement where there is one, with hooks and helpers off.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TypeAlias

from amtui.bootstrap.git import SAFE, WANTED, Source, bundle, fetch, git, identity, reachable, top_level
from amtui.bootstrap.jobs import failure
from amtui.bootstrap.phases import Courier, PhaseSpec, Say
from amtui.errors import AmtuiError, ExecTimeout, MissingTool, NotFound, StateGone
from amtui.model import Untrusted, Worker
from amtui.providers.base import Cap, Command, Exit, Output, Place

__all__ = ["Pulled", "checkout", "diff", "pull", "reachable", "repository_phase", "status", "unsaved"]

Confine: TypeAlias = Callable[[Sequence[str]], Sequence[str]]
CHUNK: Final = 4 << 20
"""Bytes of a bundle that one exec carries."""

_GIT: Final = "g() { git " + " ".join(f"'{word}'" for word in SAFE) + ' "$@"; }\n'
_SHA: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")


def checkout(place: Place, repo: str) -> str:
    """Where the clone of `repo` stands on the worker."""
    return f"{place.home}/work/{Source.parse(repo, check=False).name}"


def folder_of(place: Place, worker: Worker) -> str:
    """The directory whose repository `pull`, `status` and `diff` speak of."""
    return worker.workdir or (checkout(place, worker.repo) if worker.repo else place.home)


# Out


def repository_phase(worker: Worker, place: Place, cache_dir: Path) -> PhaseSpec:
    """Fetch with the operator's git here, carry the bundle over, clone it there."""
    assert worker.repo is not None
    source, target = Source.parse(worker.repo), checkout(place, worker.repo)

    async def check() -> bool:
        # A checkout is moved into place whole, so being there is being complete.
        with suppress(NotFound):
            return (await place.provider.files.stat(place.host_id, f"{target}/.git")).kind == "dir"
        return False

    async def apply(say: Say) -> None:
        fetched = await fetch(source, cache_dir)
        say(f"fetched {fetched.branch or 'commit'} {fetched.commit[:12]} here")
        with TemporaryDirectory(dir=cache_dir, prefix="bundle-") as folder:
            file = Path(folder, "bundle")
            await bundle(fetched, file)
            sent, size = await send(place, file, f"{place.jobs}/repository")
            say(f"sent {size} bytes")
        await _clone(place, sent, target, fetched.branch, source.url, worker)
        say(f"cloned into {target}")

    return PhaseSpec("repository", "Bring the repository", Courier(check, apply), timeout=3600.0, weight=3.0)


_CLONE = r"""
set -u
umask 077
bundle=$1 target=$2 branch=$3 url=$4 name=$5 mail=$6
command -v git >/dev/null || { echo "this host has no git: install the package git" >&2; exit 9; }
work=${target%/*} new=$target.new.$$
if [ -L "$work" ] || [ -L "$target" ]; then echo "$work is a link" >&2; exit 1; fi
rm -rf "$target".new.*
mkdir -p "$work" && cd "$work" || exit 1
# Nobody's settings: neither what the agent wrote nor what the host's user has decides what runs here.
HOME=/dev/null XDG_CONFIG_HOME=/dev/null GIT_CONFIG_NOSYSTEM=1
export HOME XDG_CONFIG_HOME GIT_CONFIG_NOSYSTEM
g init --quiet --template= "$new" && cd "$new" || exit 1
g fetch --quiet --no-tags "$bundle" @WANTED@:@WANTED@ || exit 1
g config remote.origin.url "$url" && g config remote.origin.fetch '+refs/heads/*:refs/remotes/origin/*' || exit 1
g config user.name "$name" && g config user.email "$mail" || exit 1
if [ -n "$branch" ]; then
    g update-ref "refs/remotes/origin/$branch" @WANTED@ && g checkout --quiet -B "$branch" @WANTED@ &&
        g config "branch.$branch.remote" origin && g config "branch.$branch.merge" "refs/heads/$branch" || exit 1
else
    g update-ref refs/remotes/origin/HEAD @WANTED@ && g checkout --quiet --detach @WANTED@ || exit 1
fi
rm -rf "$target" && mv "$new" "$target" && rm -f "$bundle"
"""


async def _clone(place: Place, sent: str, target: str, branch: str, url: str, worker: Worker) -> None:
    name, mail = await identity()
    words = [
        sent,
        target,
        branch,
        url,
        name or f"amtui worker {worker.name}",
        mail or f"{worker.name}@amtui.invalid",
    ]
    script = _GIT + _CLONE.replace("@WANTED@", WANTED)
    result = await place.exec(["/bin/sh", "-c", script, "sh", *words], timeout=1800.0)
    if result.exit_code == 9:
        raise MissingTool("the host has no git", "install the package git there")
    if not result.ok:
        raise failure(place, result, "could not clone the repository on the worker")


async def send(place: Place, file: Path, folder: str) -> tuple[str, int]:
    """Carry `file` into `folder` on the host in bounded pieces; return its path there and its size.

    Named by its content, so a transfer that was cut off goes on where it stopped. Raises `DiskFull`.
    """
    data_hash = hashlib.sha256()
    with file.open("rb") as reader:
        while piece := reader.read(CHUNK):
            data_hash.update(piece)
    path = f"{folder}/{data_hash.hexdigest()[:24]}.bundle"
    begin = (
        'umask 077; mkdir -p "${1%/*}" && for old in "${1%/*}"/*.bundle; do '
        '[ "$old" = "$1" ] || rm -f "$old"; done; : >>"$1" && wc -c <"$1"'
    )
    append = '[ "$(($(wc -c <"$1")))" = "$2" ] || exit 9; cat >>"$1" && wc -c <"$1"'
    have = await _size(place, ["/bin/sh", "-c", begin, "sh", path], b"")
    with file.open("rb") as reader:
        while True:
            reader.seek(have)
            piece = reader.read(CHUNK)
            if not piece:
                return path, have
            have = await _size(place, ["/bin/sh", "-c", append, "sh", path, str(have)], piece)


async def _size(place: Place, argv: Sequence[str], stdin: bytes) -> int:
    result = await place.exec(argv, stdin=stdin, timeout=600.0)
    if not result.ok or not result.stdout.strip().isdigit():
        raise failure(place, result, "could not carry the repository over")
    return int(result.stdout)


# Back


@dataclass(frozen=True, slots=True)
class Pulled:
    """One branch that came back: the local ref it is under now, its old (or "") and new commit."""

    branch: str
    ref: str
    old: str
    new: str

    @property
    def changed(self) -> bool:
        return self.old != self.new


async def pull(place: Place, worker: Worker, into: Path, *, confine: Confine | None = None) -> list[Pulled]:
    """Bring the worker's branches into the repository at `into` as `amtui/NAME/<branch>`; nothing is merged.

    Raises `ConfigError` when `into` is no repository, `StateGone` when the worker has none.
    """
    into = await top_level(into)
    heads = await _heads(place, worker, confine)
    known = set(
        (await git("for-each-ref", "--count=2000", "--format=%(objectname)", cwd=into)).decode().split()
    )
    prefix = f"refs/remotes/amtui/{worker.name}"
    before = {branch: await _at(into, f"{prefix}/{branch}") for branch in heads}
    missing = [branch for branch, sha in heads.items() if sha not in known and not await _has(into, sha)]
    if missing:
        wanted = "".join(f"refs/heads/{branch}\n" for branch in missing)
        with TemporaryDirectory(prefix="amtui-") as folder:
            file = Path(folder, "bundle")
            await _bundle_there(place, worker, wanted, sorted(known), file, confine)
            specs = [f"+refs/heads/{branch}:{prefix}/{branch}" for branch in missing]
            options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
            strict = ("-c", "fetch.fsckObjects=true")
            await git(*strict, "fetch", *options, "--", str(file), *specs, cwd=into)
    for branch, sha in heads.items():
        if branch not in missing:
            await git("update-ref", f"{prefix}/{branch}", sha, cwd=into)
    pulled = [
        Pulled(branch, f"amtui/{worker.name}/{branch}", before[branch], await _at(into, f"{prefix}/{branch}"))
        for branch in sorted(heads)
    ]
    await _remember(place, worker, pulled, confine)
    return pulled


async def _there(
    place: Place,
    worker: Worker,
    script: str,
    confine: Confine | None,
    stdin: bytes = b"",
    timeout: float = 60.0,
) -> bytes:
    """Run `script` in the worker's repository with `g` for git. Raises `StateGone` when there is none."""
    argv = ["/bin/sh", "-c", _GIT + _ENTER + script, "sh", folder_of(place, worker)]
    try:
        result = await place.exec(
            confine(argv) if confine else argv, stdin=stdin, timeout=timeout, env={"HOME": place.home}
        )
    except ExecTimeout:
        raise ExecTimeout(
            f"git on {worker.name} did not end within {timeout:g} s",
            f"see what holds it: amtui exec {worker.name} -- ls -la .git (a FIFO there makes git wait for ever)",
        ) from None
    if result.exit_code == 9:
        raise StateGone(
            f"{worker.name} has no git repository in {folder_of(place, worker)}", "nothing to bring back"
        )
    if not result.ok:
        raise failure(place, result, "git on the worker failed")
    return result.stdout


_ENTER: Final = (
    'LC_ALL=C; export LC_ALL; cd "$1" 2>/dev/null && g rev-parse --git-dir >/dev/null 2>&1 || exit 9\n'
)


async def _heads(place: Place, worker: Worker, confine: Confine | None) -> dict[str, str]:
    """Branches of the worker and their commits; names and ids are checked, for the agent chose them."""
    script = "g for-each-ref --count=1000 --format='%(objectname) %(refname)' refs/heads"
    heads: dict[str, str] = {}
    for line in (await _there(place, worker, script, confine)).decode("utf-8", "replace").splitlines():
        sha, _, name = line.partition(" ")
        branch = name.removeprefix("refs/heads/")
        if _SHA.match(sha) and branch.isprintable() and not branch.startswith("-"):
            with suppress(AmtuiError):
                await git("check-ref-format", f"refs/heads/{branch}")
                heads[branch] = sha
    return heads


async def _bundle_there(
    place: Place, worker: Worker, wanted: str, known: Sequence[str], file: Path, confine: Confine | None
) -> None:
    """Let the worker bundle `wanted` without what is `known` here, straight into `file`."""
    armour = Cap.BINARY_OUTPUT not in place.provider.caps
    script = _ENTER + (
        "wanted=$2\n"
        "{ printf '%s' \"$wanted\"; g cat-file --batch-check='^%(objectname) %(objecttype)' |"
        " sed -n 's/ commit$//p'; } | g bundle create --quiet - --stdin" + (" | base64" if armour else "")
    )
    argv = ["/bin/sh", "-c", _GIT + script, "sh", folder_of(place, worker), wanted]
    stdin = "".join(f"{sha}\n" for sha in known).encode()
    command = Command(
        argv=confine(argv) if confine else argv, stdin=stdin, timeout=None, env={"HOME": place.home}
    )
    said, code = bytearray(), None
    with file.open("wb") as writer:
        async with place.provider.stream_exec(place.host_id, command) as stream:
            async for event in stream:
                if isinstance(event, Output) and event.stream == "stdout":
                    writer.write(event.data)
                elif isinstance(event, Output) and len(said) < 4096:
                    said += event.data
                elif isinstance(event, Exit):
                    code = event.code
    if armour:
        await asyncio.to_thread(lambda: file.write_bytes(base64.b64decode(file.read_bytes())))
    if code != 0:
        raise AmtuiError(
            f"{worker.name} could not bundle its commits: {Untrusted(bytes(said), 'git').for_line()}",
            f"amtui git {worker.name} status",
        )


async def _at(into: Path, ref: str) -> str:
    return (await git("rev-parse", "--verify", "--quiet", ref, cwd=into, check=False)).decode().strip()


async def _has(into: Path, sha: str) -> bool:
    kind = await git("cat-file", "-t", sha, cwd=into, check=False)
    return kind.strip() == b"commit"


async def _remember(place: Place, worker: Worker, pulled: Sequence[Pulled], confine: Confine | None) -> None:
    """Tell the worker what is safe with us, so that `unsaved` does not name it."""
    lines = "".join(f"update refs/amtui/pulled/{each.branch} {each.new}\n" for each in pulled if each.new)
    with suppress(AmtuiError):
        await _there(place, worker, "g update-ref --stdin", confine, lines.encode())


STATUS: Final = 10.0
"""Seconds that `git status` of a worker may take: somebody waits in front of it."""


async def status(place: Place, worker: Worker, *, confine: Confine | None = None) -> Untrusted:
    """`git status` of the worker's repository."""
    out = await _there(place, worker, "g -c color.ui=false status --short --branch", confine, timeout=STATUS)
    return Untrusted(out, worker.name)


async def diff(place: Place, worker: Worker, *, confine: Confine | None = None) -> Untrusted:
    """What the worker changed and did not commit, as a diff; no external program of the repository runs."""
    script = "g --no-pager diff --no-ext-diff --no-textconv --no-color HEAD --"
    return Untrusted(await _there(place, worker, script, confine, timeout=120.0), worker.name)


_UNSAVED = r"""
command -v git >/dev/null || exit 0
find "$1" -maxdepth 5 \( -name node_modules -o -name .cache -o -name .local \) -prune \
    -o -name .git -print -prune 2>/dev/null |
    while IFS= read -r found; do
        cd "${found%/.git}" || continue
        changed=$(g status --porcelain 2>/dev/null | head -n 10000 | wc -l)
        ahead=$(g rev-list --count --branches HEAD --not --remotes --glob=refs/amtui 2>/dev/null)
        stashed=$(g rev-list --walk-reflogs --count refs/stash 2>/dev/null)
        echo "$((changed)) $((${ahead:-0})) $((${stashed:-0})) ${found%/.git}"
    done
"""


async def unsaved(place: Place, worker: Worker, *, confine: Confine | None = None) -> list[str]:
    """What `destroy` would lose of the repositories in the worker's home, one safe line each; [] when nothing.

    A `--workdir` is not named: it stays. Nor is what `pull` brought here.
    """
    argv = ["/bin/sh", "-c", _GIT + _UNSAVED, "sh", place.home]
    result = await place.exec(confine(argv) if confine else argv, timeout=60.0, env={"HOME": place.home})
    lines = []
    for line in Untrusted(result.stdout, worker.name).for_terminal().splitlines():
        words = line.split(" ", 3)
        if len(words) != 4 or not all(word.isdigit() for word in words[:3]):
            continue
        counts = zip(("changed file", "unpushed commit", "stash"), map(int, words[:3]), strict=True)
        parts = [
            f"{count} {what}{'' if count == 1 else 'es' if what == 'stash' else 's'}"
            for what, count in counts
            if count
        ]
        if parts:
            lines.append(f"{words[3].replace(place.home, '~', 1)}: {', '.join(parts)}")
    return lines
