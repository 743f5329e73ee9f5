"""The gate: everything a worker needs is proved before anything is created, and all that is missing is named at once.

What can be wrong is gathered as `Lack`s; one error is raised for all of them, of the class that fits them all.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from amtui.errors import AmtuiError, GateRefused, NameTaken, Refused, UsageError
from amtui.model import NAME_RULE, Autonomy, Wire
from amtui.providers.base import Account, Provider
from amtui.providers.confinement import confine
from amtui.runtimes.base import Runtime
from amtui.upstreams.base import Upstream
from amtui.upstreams.matrix import cell


class Probed(Protocol):
    """What a live probe of an upstream found (`amtui.upstreams.probe.Probe`)."""

    @property
    def detail(self) -> str: ...

    def offers(self, *wires: Wire) -> bool: ...


ProbeUpstream: TypeAlias = Callable[[Upstream, str | None], Awaitable[Probed]]
RepoReachable: TypeAlias = Callable[[str], Awaitable[None]]
"""Proves that a repository can be fetched from here; raises `AmtuiError` (`amtui.bootstrap.bundle.reachable`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A worker somebody wants. `key` is never shown."""

    name: str
    substrate: str
    host_id: str
    runtime: Runtime
    autonomy: Autonomy
    upstream: Upstream | None = None
    key: str | None = None
    account: str | None = None
    login_later: bool = False
    model: str | None = None
    workdir: str | None = None
    repo: str | None = None
    confined: bool = False
    consent: bool = False
    """The operator agreed to `full` on an unconfined local worker."""
    tenant: str = ""

    def __repr__(self) -> str:
        return f"<Request {self.name!r} on {self.substrate}>"


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A worker that is there already: its name, its host and the tenant of that host."""

    name: str
    substrate: str
    host_id: str
    tenant: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate is open. `proven` is False where the model could not be asked; `notes` are for the operator."""

    proven: bool
    account: Account
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lack:
    """One thing that is missing, and the error it would be alone."""

    error: AmtuiError

    @property
    def text(self) -> str:
        return self.error.message


async def check(
    request: Request,
    provider: Provider,
    *,
    neighbours: Sequence[Neighbour] = (),
    probe: ProbeUpstream | None = None,
    repo_reachable: RepoReachable | None = None,
    offline: bool = False,
) -> Verdict:
    """Let a request through or raise one error that names everything missing.

    Asks the substrate (`check`, which changes nothing), the upstream (`probe`) and the repository. Raises the
    class of the lacks where all are of one class (`UsageError`, `NameTaken`, `Unreachable`, …), else
    `GateRefused`.
    """
    lacks: list[Lack] = []
    lacks += _name(request, neighbours)
    lacks += _words(request)
    lacks += _autonomy(request)
    lacks += _tenant(request, neighbours)
    account, found = await _substrate(request, provider)
    lacks += found
    lacks += await _places(request, provider, reached=not found, repo_reachable=repo_reachable)
    proven, found = await _model(request, probe, offline)
    lacks += found
    if lacks:
        raise _one_error(lacks)
    notes = account.notes
    if not proven:
        notes += (
            ("the model is unproven: the agent starts at its own login screen",)
            if request.login_later
            else ("the upstream was not asked",)
        )
    return Verdict(proven, account, notes)


def _lack(message: str, hint: str = "", kind: type[AmtuiError] = GateRefused) -> list[Lack]:
    return [Lack(kind(message, hint))]


def _name(request: Request, neighbours: Sequence[Neighbour]) -> list[Lack]:
    if not NAME_RULE.match(request.name):
        shown = "".join(c if c.isprintable() else "?" for c in request.name[:40])
        return _lack(
            f"{shown!r} cannot be a worker's name",
            "use lower case letters, digits and dashes, at most 40, not starting with a dash",
            UsageError,
        )
    if any(other.name == request.name for other in neighbours):
        return _lack(f"there is a worker {request.name} already", f"amtui show {request.name}", NameTaken)
    return []


def _words(request: Request) -> list[Lack]:
    """A model's name becomes a word of the agent's command line and a line of its settings."""
    model = request.model
    if model is None or (model.isprintable() and model.isascii() and re.match(r"[^-\s]\S{0,199}\Z", model)):
        return []
    return _lack(
        f"{model[:60]!r} cannot be a model's name",
        "write it as the upstream does, without blanks",
        UsageError,
    )


def _autonomy(request: Request) -> list[Lack]:
    if request.runtime.id == "shell" or request.autonomy is not Autonomy.FULL:
        return []
    if request.substrate != "local" or request.confined or request.consent:
        return []
    return _lack(
        "autonomy full on this computer without bwrap lets the agent do whatever you can",
        "install bubblewrap, use --autonomy ask or edits, or consent when asked",
    )


def _tenant(request: Request, neighbours: Sequence[Neighbour]) -> list[Lack]:
    for other in neighbours:
        same = (other.substrate, other.host_id) == (request.substrate, request.host_id)
        if same and other.tenant != request.tenant:
            theirs = other.tenant or "no tenant"
            return _lack(
                f"{request.substrate} is {theirs}'s ({other.name} is there); two tenants never share a host and user",
                "use another host, or another user on it",
            )
    return []


async def _substrate(request: Request, provider: Provider) -> tuple[Account, list[Lack]]:
    try:
        return await provider.check(request.host_id), []
    except AmtuiError as error:
        return Account(identity=""), [Lack(error)]


async def _places(
    request: Request, provider: Provider, *, reached: bool, repo_reachable: RepoReachable | None
) -> list[Lack]:
    lacks: list[Lack] = []
    if request.workdir and request.repo:
        lacks += _lack("--workdir and --repo exclude each other", "give one of them", UsageError)
    if request.workdir and not request.workdir.startswith("/"):
        lacks += _lack(f"--workdir {request.workdir} is not absolute", "give the whole path", UsageError)
    elif request.workdir and reached:
        try:
            found = await provider.files.stat(request.host_id, request.workdir)
            # A link is followed: the operator named it.
            if found.kind not in ("dir", "link"):
                lacks += _lack(f"{request.workdir} is not a directory on {request.substrate}", "", UsageError)
            elif request.confined:
                home = f"{await provider.root(request.host_id)}/workers/new/home"
                confine((), home=home, workdir=request.workdir)
        except Refused as error:
            lacks.append(Lack(error))
        except AmtuiError as error:
            lacks.append(
                Lack(UsageError(f"no directory {request.workdir} on {request.substrate}", error.hint))
            )
    if request.repo and repo_reachable is not None:
        try:
            await repo_reachable(request.repo)
        except AmtuiError as error:
            lacks.append(Lack(error))
    return lacks


async def _model(request: Request, probe: ProbeUpstream | None, offline: bool) -> tuple[bool, list[Lack]]:
    """Is there a model the runtime can speak to? Returns whether that was proved, and what is missing."""
    runtime, upstream = request.runtime, request.upstream
    if not runtime.wires:
        return True, []
    if upstream is None:
        if request.account or request.login_later:
            return False, []
        return False, _lack(
            f"{runtime.title} needs a model: no upstream, account or login was chosen",
            "--upstream ID, --account ID or --login later",
        )
    fits = cell(runtime.id, runtime.wires, upstream)
    if not fits.works:
        return False, _lack(
            fits.reason, "choose an upstream that offers one of these wires, or another runtime"
        )
    if upstream.key_env and not request.key:
        if request.login_later:
            return False, []
        return False, _lack(
            f"upstream {upstream.id} needs the key {upstream.key_env}", f"amtui secret set {upstream.key_env}"
        )
    if offline or probe is None or request.login_later:
        return False, []
    found = await probe(upstream, request.key)
    if not found.offers(*runtime.wires):
        return False, _lack(
            found.detail, f"amtui upstream test {upstream.id}; --login later starts without proof"
        )
    return True, []


def _one_error(lacks: Sequence[Lack]) -> AmtuiError:
    """All lacks in one message. Their common class where they have one, so that the exit code says what is wrong."""
    if len(lacks) == 1:
        return lacks[0].error
    message = "; ".join(lack.text for lack in lacks)
    hint = "; ".join(dict.fromkeys(lack.error.hint for lack in lacks if lack.error.hint))
    kinds = {type(lack.error) for lack in lacks}
    if kinds <= {UsageError}:
        return UsageError(message, hint)
    return GateRefused(f"{len(lacks)} things are missing: {message}", hint)
