"""The life of a worker after its birth: restart, sleep, wake, destroy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amtui.bootstrap import remove
from amtui.bootstrap.bundle import unsaved
from amtui.bootstrap.configure import Configuration
from amtui.console import server
from amtui.errors import AmtuiError, NotFound
from amtui.fleet.agent import launcher, session_of
from amtui.fleet.place import confinement, setup_of, workdir_of
from amtui.model import MAIN_CONSOLE, UNKNOWN_STATE, Worker
from amtui.runtimes import get as runtime_of
from amtui.runtimes.base import Setup

if TYPE_CHECKING:
    from amtui.fleet.estate import Estate


def _nothing(line: str) -> None:
    """Narration that nobody reads."""


async def configure(estate: Estate, worker: Worker) -> Setup:
    """Write the worker's settings, secrets and launchers as its record says now."""
    setup = await setup_of(estate, worker)
    configuration = Configuration(setup, runtime_of(worker.runtime), confinement(worker, setup.place))
    await configuration.apply(_nothing)
    return setup


async def restart(estate: Estate, worker: Worker, *, resume: bool) -> None:
    """Stop the agent and start it with its present settings; keys typed for the old one never reach the new."""
    await configure(estate, worker)
    place = await estate.place(worker)
    argv, cwd = launcher(place, resume=resume), workdir_of(worker, place)
    try:
        await server.restart(place, MAIN_CONSOLE, argv, cwd=cwd)
    except NotFound:
        await server.start(place, MAIN_CONSOLE, argv, cwd=cwd)
    if worker.asleep:
        estate.store.update_worker(worker.id, asleep=False)
    estate.store.put_state(worker.id, UNKNOWN_STATE)
    estate.store.record(worker.id, "restarted", "resumed" if resume else "")


async def sleep(estate: Estate, worker: Worker) -> None:
    """Stop the agent and its tmux; files stay. On hosts that cannot sleep this is all that sleep can mean."""
    if worker.asleep:
        return
    await remove.sleep(await estate.place(worker), worker, stop=server.stop)
    estate.store.update_worker(worker.id, asleep=True)
    estate.store.record(worker.id, "asleep", "")


async def wake(estate: Estate, worker: Worker) -> None:
    """Start a sleeping worker's console again, in its last session where the runtime can."""
    setup = await configure(estate, worker)
    await remove.wake(setup.place, worker, session=session_of(estate, setup, resume=True))
    estate.store.update_worker(worker.id, asleep=False)
    estate.store.record(worker.id, "awake", "")


async def losses(estate: Estate, worker: Worker) -> list[str]:
    """What destroying the worker would lose, a line each; that it cannot be known is one of them."""
    if not worker.root:
        return []
    try:
        place = await estate.place(worker)
        return await unsaved(place, worker, confine=confinement(worker, place))
    except NotFound:
        return []
    except AmtuiError as error:
        return [f"what is unsaved there is unknown: {error.message}"]


async def destroy(estate: Estate, worker: Worker) -> remove.Removed:
    """Remove a worker from its host and from the record. Raises what its host answers; then nothing is forgotten."""
    intent = estate.store.open_intent("destroy", worker.id, {"name": worker.name})
    place = await estate.place(worker)
    removed = await remove.destroy(place, worker, stop=server.stop)
    estate.forget(worker)
    estate.store.record(worker.id, "destroyed", worker.name)
    estate.store.remove_worker(worker.id)
    estate.store.close_intent(intent, "done")
    return removed
