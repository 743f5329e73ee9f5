"""From a wish to a live console: check everything, write the worker down, bootstrap it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from amtui.bootstrap import gate
from amtui.bootstrap.bundle import delivery
from amtui.bootstrap.phases import Plan, plan
from amtui.bootstrap.runner import progress, run
from amtui.fleet.agent import session_of
from amtui.fleet.place import confinement, setup_of
from amtui.model import Autonomy, Phase, Untrusted, Worker
from amtui.providers.confinement import available
from amtui.runtimes import get as runtime_of

if TYPE_CHECKING:
    from amtui.fleet.estate import Estate

OnPhase = Callable[[Phase, float], None]
"""A phase changed; the share of the bootstrap that is over, 0 to 1."""
OnLog = Callable[[str, Untrusted], None]


class Wish(Struct, frozen=True, kw_only=True):
    """What somebody wants deployed; unset fields take the configured defaults."""

    name: str
    substrate: str
    runtime: str
    upstream: str | None = None
    login_later: bool = False
    model: str | None = None
    autonomy: Autonomy = Autonomy.ASK
    workdir: str | None = None
    repo: str | None = None


async def create(estate: Estate, wish: Wish, *, unconfined_ok: bool, offline: bool) -> Worker:
    """Pass the gate, then put the worker on record; nothing exists on the host yet.

    `unconfined_ok` is the operator's consent to full autonomy without confinement; `offline` skips the live probe
    of the upstream. Raises `GateRefused` naming everything that is missing, `NameTaken`, `UsageError`.
    """
    confined = wish.substrate == "local" and available()
    worker = Worker(
        id=uuid.uuid4().hex,
        name=wish.name,
        substrate=wish.substrate,
        host_id=estate.providers.host_id(wish.substrate),
        runtime=wish.runtime,
        autonomy=wish.autonomy,
        upstream=wish.upstream,
        model=wish.model,
        login_later=wish.login_later,
        workdir=wish.workdir,
        repo=wish.repo,
        confined=confined,
        created_at=estate.clock(),
    )
    await gate.check(**gate_inputs(estate, worker, unconfined_ok=unconfined_ok, offline=offline))
    estate.store.add_worker(worker)
    estate.store.record(worker.id, "created", f"{worker.runtime} on {worker.substrate}")
    return worker


async def prepare(estate: Estate, worker: Worker) -> tuple[Worker, Plan]:
    """The worker with its place on record, and the plan of its bootstrap."""
    place = await estate.providers.ensure_place(worker)
    if (worker.root, worker.socket) != (place.root, place.socket):
        worker = estate.store.update_worker(worker.id, root=place.root, socket=place.socket)
        estate.forget(worker)
    setup = await setup_of(estate, worker)
    extra = (delivery(worker, setup.place, estate.paths.cache_dir),) if worker.repo else ()
    runtime = runtime_of(worker.runtime)
    session = session_of(estate, worker, setup.place)
    confine = confinement(worker, setup.place)
    apt = estate.env.get("AMTUI_APT") == "1"
    return worker, plan(setup, runtime, session, extra=extra, confine=confine, apt=apt)


async def bootstrap(
    estate: Estate, worker: Worker, *, on_phase: OnPhase, on_log: OnLog, from_phase: str | None = None
) -> Worker:
    """Drive the worker's bootstrap to its end; safe to call again after any death. Raises `BootstrapFailed`, …"""
    worker, steps = await prepare(estate, worker)
    store = estate.store
    store.clear_phases(worker.id)
    seen: dict[str, Phase] = {}

    def changed(phase: Phase) -> None:
        seen[phase.id] = phase
        store.put_phase(worker.id, phase)
        on_phase(phase, progress(steps, tuple(seen.values())))

    place = await estate.place(worker)
    await run(steps, place, on_phase=changed, on_log=on_log, from_phase=from_phase, clock=estate.clock)
    store.record(worker.id, "ready", f"{worker.runtime} runs on {worker.substrate}")
    return worker
