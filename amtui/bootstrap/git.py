"""The operator's own git on the operator's computer: where a repository comes from, and a private cache of it.

Credentials stay here: git finds them as it always does (helpers, ssh agent), and nothing of them is written into
the cache, an argument or an error. Repositories are hostile: no hook runs, no `ext::` transport, no submodule is
followed, nothing that begins with a dash becomes an option.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from amtui.errors import AmtuiError, AuthRejected, ConfigError, MissingTool, Unreachable, UsageError
from amtui.model import Untrusted

SAFE: Final = (
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.fsmonitor=false",
    "-c", "protocol.ext.allow=never",
    "-c", "submodule.recurse=false",
    "-c", "fetch.recurseSubmodules=false",
    "-c", "gc.auto=0",
    "-c", "maintenance.auto=false",
)  # fmt: skip
"""Options of every git that we run, on either side: the repository's own settings make nothing run."""

WANTED: Final = "refs/amtui/wanted"
_TRANSPORTS: Final = "file:git:http:https:ssh"
_REF: Final = re.compile(r"(?!-)[^\x00-\x20\x7f~^:?*\[\\]{1,200}\Z")
_HEX: Final = re.compile(r"[0-9a-f]{7,64}\Z")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a repository comes from: an address for git, and the branch, tag or commit wanted, or ""."""

    url: str
    ref: str = ""

    @classmethod
    def parse(cls, text: str, *, cwd: str | None = None, check: bool = True) -> Source:
        """`URL[#REF]`, where URL may be a path; made absolute, and with `check` it must be there.

        Raises `UsageError` for what git could take for something else.
        """
        if not text or any(not char.isprintable() for char in text) or text.startswith("-"):
            raise UsageError(
                "that is no address of a repository", "give a URL or a path, with #REF for a branch"
            )
        local = _local(text, cwd)
        if local is not None and os.path.exists(local):
            return cls(local)
        url, sep, ref = text.rpartition("#")
        url, ref = (url, ref) if sep else (text, "")
        if sep and (not _REF.match(ref) or ".." in ref or ref.endswith((".lock", "/", "."))):
            raise UsageError(f"{ref[:60]!r} cannot be a branch, tag or commit", "write URL#REF")
        if re.match(r"[A-Za-z0-9+.-]*::", url):
            raise UsageError(
                "git's remote helpers (`x::y`) are not used", "give an https, ssh or file address"
            )
        if re.match(r"https?://[^/]*@", url):
            raise UsageError(
                "a repository's address must not hold a name or password",
                "leave it out: git asks your own credential helper",
            )
        local = _local(url, cwd)
        if check and local is not None and not os.path.isdir(local):
            raise UsageError(f"there is no repository at {local}", "check the path")
        return cls(local or url, ref)

    @property
    def name(self) -> str:
        """Directory name for a checkout: the last part of the address, made harmless."""
        last = re.split(r"[/:]", self.url.rstrip("/"))[-1].removesuffix(".git")
        return re.sub(r"[^A-Za-z0-9._-]", "-", last).strip(".-")[:60] or "repo"

    @property
    def local(self) -> bool:
        return self.url.startswith("/")

    def __str__(self) -> str:
        return f"{self.url}#{self.ref}" if self.ref else self.url


def _local(text: str, cwd: str | None) -> str | None:
    """The absolute path that `text` means, or None when it is an address of another computer."""
    if text.startswith("file://"):
        return text.removeprefix("file://")
    # As git decides it: a colon before the first slash makes it a host.
    if "://" in text or ":" in text.partition("/")[0]:
        return None
    return os.path.normpath(os.path.join(cwd or os.getcwd(), os.path.expanduser(text)))


async def git(
    *words: str,
    cwd: str | Path | None = None,
    bare: Path | None = None,
    stdin: bytes | None = None,
    timeout: float = 600.0,
    check: bool = True,
) -> bytes:
    """Run git here and return its stdout. Raises `MissingTool`, or the error that its failure means."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name in _KEPT}
    env |= {"GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": _TRANSPORTS, "LC_ALL": "C"}
    try:
        # A session of its own: neither git nor its ssh finds a terminal to ask on behind our screen.
        child = await asyncio.create_subprocess_exec(
            "git",
            *SAFE,
            *(("--git-dir", str(bare)) if bare else ()),
            *words,
            cwd=cwd,
            env=env,
            stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise MissingTool("git is not installed here", "install the package git") from None
    try:
        async with asyncio.timeout(timeout):
            out, err = await child.communicate(stdin)
    except BaseException as error:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        await child.wait()
        if isinstance(error, TimeoutError):
            raise Unreachable(f"git did not end within {timeout:g} s", "is the address right?") from None
        raise
    if check and child.returncode != 0:
        raise _failure(err)
    return out


_KEPT: Final = frozenset(
    {"GIT_SSH", "GIT_SSH_COMMAND", "GIT_ASKPASS", "GIT_SSL_CAINFO", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"}
)


def _failure(stderr: bytes) -> AmtuiError:
    lines = [line for line in Untrusted(stderr, "git").for_terminal().splitlines() if line.strip()]
    told = [line for line in lines if line.startswith(("fatal:", "error:", "ERROR:"))] or lines
    said = Untrusted(told[0] if told else "no reason given", "git").for_line()
    text = "\n".join(lines)
    # git has one exit status for everything; its words in the C locale are all there is.
    if re.search(
        r"Authentication failed|could not read Username|Permission denied|terminal prompts disabled", text
    ):
        return AuthRejected(
            f"git: {said}", "git on this computer needs access: try git ls-remote with that address"
        )
    if re.search(
        r"Could not resolve host|unable to access|Connection (refused|timed out)|Could not read from", text
    ):
        return Unreachable(f"git: {said}", "check the address: git ls-remote with it must work here")
    return AmtuiError(f"git: {said}", "git on this computer refused; its own words are above")


async def reachable(repo: str) -> None:
    """Prove that the repository and its ref can be fetched from here. Raises what would keep it from it."""
    await resolve(Source.parse(repo), timeout=30.0)


async def resolve(source: Source, *, timeout: float = 60.0) -> str:
    """The full name of what is wanted: `refs/heads/…`, `refs/tags/…`, or a commit id. Raises `UsageError`."""
    listing = await git("ls-remote", "--symref", "--", source.url, timeout=timeout)
    refs: dict[str, str] = {}
    head = ""
    for line in listing.decode("utf-8", "replace").splitlines():
        value, _, name = line.partition("\t")
        if value.startswith("ref: ") and name == "HEAD":
            head = value.removeprefix("ref: ")
        elif name:
            refs[name] = value
    if not refs:
        raise UsageError(f"the repository {source.url} is empty", "commit something to it first")
    if not source.ref:
        return head if head in refs else refs.get("HEAD", next(iter(refs.values())))
    for name in (f"refs/heads/{source.ref}", f"refs/tags/{source.ref}", source.ref):
        if name in refs and name != "HEAD":
            return name
    if _HEX.match(source.ref):
        return source.ref
    names = [name.split("/", 2)[2] for name in refs if name.startswith(("refs/heads/", "refs/tags/"))]
    near = get_close_matches(source.ref, names, n=3, cutoff=0.4) or names[:3]
    raise UsageError(f"{source.url} has no branch or tag {source.ref!r}", f"nearest: {', '.join(near)}")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A repository in the cache: its directory, what was wanted, and the branch it belongs to, or ""."""

    cache: Path
    commit: str
    branch: str


async def fetch(source: Source, cache_dir: Path) -> Fetched:
    """Bring what `source` wants into a private bare repository under `cache_dir` (0700)."""
    wanted = await resolve(source)
    folder = cache_dir / "repos" / f"{hashlib.sha256(source.url.encode()).hexdigest()[:24]}.git"
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    async with _locked(folder.with_suffix(".lock")):
        if not (folder / "HEAD").exists():
            await git("init", "--quiet", "--bare", "--template=", "--", str(folder))
            folder.chmod(0o700)
        named = wanted.startswith("refs/")
        specs = (
            [f"+{wanted}:{wanted}"] if named else ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
        )
        # No FETCH_HEAD: it would keep the address.
        await git(
            "fetch",
            "--quiet",
            "--no-write-fetch-head",
            "--update-head-ok",
            "--",
            source.url,
            *specs,
            bare=folder,
        )
        try:
            found = await git(
                "rev-parse", "--verify", "--quiet", "--end-of-options", f"{wanted}^{{commit}}", bare=folder
            )
        except AmtuiError:
            raise UsageError(
                f"{source.url} has no commit {source.ref}", "push it first, or name a branch"
            ) from None
    branch = wanted.removeprefix("refs/heads/") if wanted.startswith("refs/heads/") else ""
    return Fetched(folder, found.decode().strip(), branch)


async def bundle(fetched: Fetched, target: Path) -> None:
    """Write everything that leads to the wanted commit as a bundle whose one ref is `refs/amtui/wanted`."""
    async with _locked(fetched.cache.with_suffix(".lock")):
        await git("update-ref", WANTED, fetched.commit, bare=fetched.cache)
        await git("bundle", "create", "--quiet", str(target), WANTED, bare=fetched.cache)


async def identity() -> tuple[str, str]:
    """The operator's author name and address as git knows them here, "" where it does not."""
    name, address = [
        (await git("config", "--get", key, check=False)).decode("utf-8", "replace").strip()
        for key in ("user.name", "user.email")
    ]
    return name, address


async def top_level(folder: Path) -> Path:
    """The repository that `folder` is in. Raises `ConfigError` when it is in none."""
    try:
        return Path((await git("rev-parse", "--show-toplevel", cwd=folder)).decode().strip() or folder)
    except AmtuiError:
        raise ConfigError(
            f"{folder} is in no git repository", "go into your clone of the worker's repository and repeat"
        ) from None


@asynccontextmanager
async def _locked(path: Path) -> AsyncIterator[None]:
    """One amtui at a time in a cached repository."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        await asyncio.to_thread(fcntl.flock, fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
