"""From a worker on record to everything a recipe needs: place, user id, working directory, key, confinement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from amtui.bootstrap.bundle import checkout
from amtui.errors import MissingCredentials, StateGone
from amtui.model import Worker
from amtui.providers.base import Place
from amtui.runtimes.base import Setup

if TYPE_CHECKING:
    from amtui.fleet.estate import Estate

Confine = Callable[[Sequence[str]], Sequence[str]]


def workdir_of(worker: Worker, place: Place) -> str:
    """Where the agent works: the directory it was given, its clone, or its own home."""
    if worker.workdir:
        return worker.workdir
    return checkout(place, worker.repo) if worker.repo else place.home


def confinement(worker: Worker, place: Place) -> Confine | None:
    """What wraps the agent's command line, or None where it is not confined."""
    if not worker.confined:
        return None
    from amtui.providers.confinement import confine

    def wrap(argv: Sequence[str]) -> list[str]:
        # The base's cache holds Node where it had to be brought; the launcher lies in etc/.
        return confine(
            argv,
            home=place.home,
            workdir=workdir_of(worker, place),
            readonly=(place.bin, f"{place.base}/cache"),
        )

    return wrap


async def setup_of(estate: Estate, worker: Worker, *, need_key: bool = True) -> Setup:
    """What the runtime's recipe is told. Raises `MissingCredentials` when the upstream's key is gone meanwhile."""
    place = await estate.place(worker)
    upstream = estate.upstreams.get(worker.upstream) if worker.upstream else None
    key = None
    if upstream is not None and upstream.key_env:
        secret = estate.secrets.get(upstream.key_env)
        if secret is None and need_key:
            raise MissingCredentials(
                f"{worker.name} needs {upstream.key_env} for upstream {upstream.id}",
                f"amtui secret set {upstream.key_env}",
                provider=upstream.id,
            )
        key = secret.value if secret else None
    return Setup(
        worker=worker,
        place=place,
        workdir=workdir_of(worker, place),
        uid=await uid_of(estate, place),
        upstream=upstream,
        key=key,
    )


async def uid_of(estate: Estate, place: Place) -> int:
    """The user id under which the worker runs on its host."""
    known = estate.uids.get(place.socket)
    if known is None:
        done = await place.exec(["id", "-u"])
        if not done.ok or not done.stdout.strip().isdigit():
            raise StateGone(f"{place.host_id}: `id -u` gave no number", "is this a POSIX host?")
        known = estate.uids[place.socket] = int(done.stdout)
    return known
