"""The life of a worker after its birth: restart, sleep, wake, destroy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amtui.bootstrap import remove
from amtui.bootstrap.bundle import unsaved
from amtui.bootstrap.configure import Configuration
from amtui.console import server
from amtui.errors import AmtuiError, NotFound, StateGone, Unreachable, WrongState
from amtui.fleet.agent import ended, launcher, session_of
from amtui.fleet.place import confinement, setup_of, workdir_of
from amtui.model import MAIN_CONSOLE, UNKNOWN_STATE, PhaseStatus, Worker
from amtui.runtimes import get as runtime_of
from amtui.runtimes.base import Setup

if TYPE_CHECKING:
    from amtui.fleet.estate import Estate

_LAST = frozenset({"configure", "start", "verify"})
"""Phases that a restart does itself."""


def _nothing(line: str) -> None:
    """Narration that nobody reads."""


def check_born(estate: Estate, worker: Worker) -> None:
    """Raises `WrongState` for a worker whose bootstrap never came as far as an agent that could be started."""
    over = (PhaseStatus.DONE, PhaseStatus.SKIPPED)
    needed = [phase for phase in estate.store.phases(worker.id) if phase.core and phase.id not in _LAST]
    missing = next((phase.title for phase in needed if phase.status not in over), "")
    if not worker.root or missing:
        raise WrongState(
            f"{worker.name} is not ready: its bootstrap has not finished"
            + (f" ({missing})" if missing else ""),
            f"amtui bootstrap {worker.name}",
        )


async def configure(estate: Estate, worker: Worker) -> Setup:
    """Write the worker's settings, secrets and launchers as its record says now.

    Raises `WrongState` before a worker's bootstrap has finished, `StateGone` when its directory is lost.
    """
    check_born(estate, worker)
    setup = await setup_of(estate, worker)
    configuration = Configuration(setup, runtime_of(worker.runtime), confinement(worker, setup.place))
    try:
        # Asked for by itself: writing a file would make the directories of a worker that was deleted.
        await setup.place.provider.files.stat(setup.place.host_id, f"{setup.place.root}/worker.json")
        await configuration.apply(_nothing)
    except NotFound:
        raise StateGone(
            f"the files of {worker.name} are gone from {worker.substrate}",
            f"amtui bootstrap {worker.name} builds it anew; amtui destroy {worker.name} forgets it",
        ) from None
    return setup


async def restart(estate: Estate, worker: Worker, *, resume: bool) -> None:
    """Stop the agent and start it with its present settings; keys typed for the old one never reach the new.

    Raises `WrongState` with its last words when the agent ends at once.
    """
    setup = await configure(estate, worker)
    place = setup.place
    argv, cwd = launcher(place, resume=resume), workdir_of(worker, place)
    try:
        await server.restart(place, MAIN_CONSOLE, argv, cwd=cwd)
    except NotFound:
        await server.start(place, MAIN_CONSOLE, argv, cwd=cwd)
    if worker.asleep:
        await remove.wake(place, worker, session=session_of(estate, setup))
        estate.store.update_worker(worker.id, asleep=False)
    estate.store.put_state(worker.id, UNKNOWN_STATE)
    if trouble := await ended(setup):
        estate.store.record(worker.id, "failed", trouble)
        raise WrongState(
            f"{worker.name} does not start: {trouble}",
            f"amtui bootstrap {worker.name} repairs its program; amtui screen {worker.name} shows all it said",
        )
    estate.store.record(worker.id, "restarted", "resumed" if resume else "")


async def sleep(estate: Estate, worker: Worker) -> None:
    """Stop the agent and its tmux; files stay. On hosts that cannot sleep this is all that sleep can mean.

    A worker that sleeps already is left alone. Raises `WrongState` for one that was never placed.
    """
    if worker.asleep:
        return
    if not worker.root:
        check_born(estate, worker)
    await remove.sleep(await estate.place(worker), worker, stop=server.stop)
    estate.store.update_worker(worker.id, asleep=True)
    estate.store.record(worker.id, "asleep", "")


async def wake(estate: Estate, worker: Worker) -> None:
    """Start a sleeping worker's console again, in its last session where the runtime can; harmless when awake."""
    setup = await configure(estate, worker)
    await remove.wake(setup.place, worker, session=session_of(estate, setup, resume=True))
    if worker.asleep:
        estate.store.update_worker(worker.id, asleep=False)
        estate.store.put_state(worker.id, UNKNOWN_STATE)
        estate.store.record(worker.id, "awake", "")


async def losses(estate: Estate, worker: Worker) -> list[str]:
    """What destroying the worker would lose, a line each; that it cannot be known is one of them.

    Raises what a host answers that cannot be reached: then nothing can be destroyed there either.
    """
    if not worker.root:
        return []
    try:
        place = await estate.place(worker)
        return await unsaved(place, worker, confine=confinement(worker, place))
    except NotFound:
        return []
    except AmtuiError as error:
        if error.exit_code == Unreachable.exit_code:
            raise
        return [f"what is unsaved there is unknown: {error.message}"]


async def destroy(estate: Estate, worker: Worker) -> remove.Removed:
    """Remove a worker from its host and from the record. Raises what its host answers; then nothing is forgotten."""
    intent = estate.store.open_intent("destroy", worker.id, {"name": worker.name})
    removed = remove.Removed.GONE
    try:
        # Without a root on record nothing was ever made there, and a dead host need not be asked.
        if worker.root:
            removed = await remove.destroy(await estate.place(worker), worker, stop=server.stop)
    except AmtuiError as error:
        estate.store.close_intent(intent, f"failed: {error.message}")
        raise
    estate.forget(worker)
    estate.store.record(worker.id, "destroyed", worker.name)
    estate.store.remove_worker(worker.id)
    estate.store.close_intent(intent, "done")
    return removed


def forget(estate: Estate, worker: Worker) -> None:
    """Take a worker off the record without asking its host, which is gone for good."""
    intent = estate.store.open_intent("forget", worker.id, {"name": worker.name})
    estate.forget(worker)
    estate.store.record(
        worker.id, "forgotten", f"{worker.substrate} was not asked; {worker.root} may be left"
    )
    estate.store.record(worker.id, "destroyed", worker.name)
    estate.store.remove_worker(worker.id)
    estate.store.close_intent(intent, "done")
