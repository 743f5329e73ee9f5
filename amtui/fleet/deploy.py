"""From a wish to a live console: check everything, write the worker down, bootstrap it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from amtui.bootstrap import gate, remove
from amtui.bootstrap.bundle import reachable, repository_phase
from amtui.bootstrap.phases import Plan, plan
from amtui.bootstrap.runner import progress, run
from amtui.console.helper import check_place
from amtui.errors import AmtuiError, UsageError
from amtui.fleet.agent import session_of
from amtui.fleet.place import confinement, setup_of
from amtui.model import MAIN_CONSOLE, Autonomy, Phase, PhaseStatus, Untrusted, Worker
from amtui.providers.confinement import available
from amtui.runtimes import get as runtime_of
from amtui.upstreams import loopback, probe

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
    await _gate(estate, worker, consent=unconfined_ok, offline=offline)
    check_place(await estate.providers.place(worker), MAIN_CONSOLE)
    estate.store.add_worker(worker)
    estate.store.record(worker.id, "created", f"{worker.runtime} on {worker.substrate}")
    return worker


async def change(
    estate: Estate,
    worker: Worker,
    *,
    model: str | None = None,
    upstream: str | None = None,
    autonomy: Autonomy | None = None,
    unconfined_ok: bool = False,
) -> Worker:
    """Record another model, upstream or autonomy after the gate let it through; takes effect at the next start.

    Consent to full autonomy holds until it is changed. Raises what the gate raises; then nothing is recorded.
    """
    wanted = {
        key: value
        for key, value in (("model", model), ("upstream", upstream), ("autonomy", autonomy))
        if value is not None
    }
    runtime = runtime_of(worker.runtime)
    if not runtime.wires and (upstream or model):
        raise UsageError(f"{runtime.title} asks no model", "only its autonomy can be changed")
    # An upstream takes the place of the login that was put off.
    changes = wanted | ({"login_later": False} if upstream and worker.login_later else {})
    # Where it works is not in question: it is there, and its repository need not be reachable now.
    changed = msgspec.structs.replace(worker, workdir=None, repo=None, **changes)
    consent = unconfined_ok or worker.autonomy is Autonomy.FULL
    await _gate(estate, changed, consent=consent, offline=upstream is None)
    worker = estate.store.update_worker(worker.id, **changes)
    estate.store.record(worker.id, "changed", ", ".join(f"{key} {value}" for key, value in wanted.items()))
    return worker


async def _gate(estate: Estate, worker: Worker, *, consent: bool, offline: bool) -> gate.Verdict:
    upstream = estate.upstreams.get(worker.upstream) if worker.upstream else None
    secret = estate.secrets.get(upstream.key_env) if upstream and upstream.key_env else None
    request = gate.Request(
        name=worker.name,
        substrate=worker.substrate,
        host_id=worker.host_id,
        runtime=runtime_of(worker.runtime),
        autonomy=worker.autonomy,
        upstream=upstream,
        key=secret.value if secret else None,
        login_later=worker.login_later,
        model=worker.model,
        workdir=worker.workdir,
        repo=worker.repo,
        confined=worker.confined,
        consent=consent,
    )
    elsewhere = upstream is not None and loopback(upstream.base_url) and worker.substrate != "local"
    neighbours = [
        gate.Neighbour(name=other.name, substrate=other.substrate, host_id=other.host_id)
        for other in estate.store.workers()
        if other.id != worker.id
    ]
    return await gate.check(
        request,
        estate.providers.get(worker.substrate),
        neighbours=neighbours,
        # A loopback address means the worker's host: asking it from here would prove nothing.
        probe=None if elsewhere else probe,
        repo_reachable=reachable,
        offline=offline,
    )


async def prepare(estate: Estate, worker: Worker) -> tuple[Worker, Plan]:
    """The worker with its place on record, and the plan of its bootstrap."""
    place = await estate.providers.ensure_place(worker)
    if (worker.root, worker.socket) != (place.root, place.socket):
        worker = estate.store.update_worker(worker.id, root=place.root, socket=place.socket)
        estate.forget(worker)
    setup = await setup_of(estate, worker)
    extra = (repository_phase(worker, setup.place, estate.paths.cache_dir),) if worker.repo else ()
    runtime = runtime_of(worker.runtime)
    session = session_of(estate, setup)
    confine = confinement(worker, setup.place)
    bare = msgspec.structs.replace(worker, workdir=None, repo=None)  # programs go into the home alone
    install = confinement(bare, setup.place)
    apt = estate.env.get("AMTUI_APT") == "1"
    return worker, plan(setup, runtime, session, extra=extra, confine=confine, install=install, apt=apt)


async def bootstrap(
    estate: Estate, worker: Worker, *, on_phase: OnPhase, on_log: OnLog, from_phase: str | None = None
) -> Worker:
    """Drive the worker's bootstrap to its end; safe to call again after any death. Raises `BootstrapFailed`, …

    A worker that slept is awake after it.
    """
    worker, steps = await prepare(estate, worker)
    store = estate.store
    if from_phase is None or any(spec.id == from_phase for spec in steps.phases):
        store.clear_phases(worker.id)
        for spec in steps.phases:
            pending = Phase(id=spec.id, title=spec.title, status=PhaseStatus.PENDING, core=spec.core)
            store.put_phase(worker.id, pending)
    seen: dict[str, Phase] = {}

    def changed(phase: Phase) -> None:
        seen[phase.id] = phase
        store.put_phase(worker.id, phase)
        on_phase(phase, progress(steps, tuple(seen.values())))

    place = await estate.place(worker)
    try:
        await run(steps, place, on_phase=changed, on_log=on_log, from_phase=from_phase, clock=estate.clock)
    except UsageError:
        raise
    except AmtuiError as error:
        store.record(worker.id, "unfinished", error.message)
        raise
    if worker.asleep:
        await remove.wake(place, worker, session=session_of(estate, await setup_of(estate, worker)))
        worker = store.update_worker(worker.id, asleep=False)
    store.record(worker.id, "ready", f"{worker.runtime} runs on {worker.substrate}")
    return worker
