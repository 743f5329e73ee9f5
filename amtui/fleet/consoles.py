"""Further consoles of a worker: shells beside its agent, in its directory, environment and confinement.

They live in the worker's tmux server and end with it: sleep, destroy and the loss of the host end them, a restart of
the agent does not, and wake starts the agent's own console alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from amtui.bootstrap.configure import Configuration
from amtui.console import roster, server
from amtui.console.roster import Listed
from amtui.errors import AmtuiError, Conflict, NotFound, Refused, WrongState
from amtui.fleet.agent import COLUMNS, ROWS
from amtui.fleet.lifecycle import check_born
from amtui.fleet.place import confinement, setup_of
from amtui.model import MAIN_CONSOLE, Worker
from amtui.runtimes import get as runtime_of

if TYPE_CHECKING:
    from amtui.fleet.estate import Estate

_TRIES: Final = 5
"""Numbers that somebody else may take before us."""


async def listed(estate: Estate, worker: Worker) -> list[Listed]:
    """Every console of a worker, by number; none of one that sleeps or was never placed. Raises what exec raises."""
    if worker.asleep or not worker.root:
        return []
    return await roster.roster(await estate.place(worker))


async def find(estate: Estate, worker: Worker, word: str) -> str:
    """The session that a number, a full name or a title stands for; only a title costs a look at the host.

    Raises `NotFound`.
    """
    if not word:
        return MAIN_CONSOLE
    if word.isascii() and word.isdigit() and 0 < int(word) < 1000:
        return roster.name_of(int(word))
    if roster.number_of(word):
        return word
    return roster.by_word(await listed(estate, worker), word).name


async def open_shell(estate: Estate, worker: Worker, title: str = "") -> tuple[str, int]:
    """Start a shell in a console of its own; its session and number.

    Raises `Conflict` for a title that is taken, `WrongState` for a worker that sleeps, `Refused`, `UsageError`.
    """
    argv, cwd = await _shell(estate, worker)
    place = await estate.place(worker)
    if title:
        roster.check_title(title)
    history = _history(estate)
    for _ in range(_TRIES):
        there = await roster.roster(place)
        if title and any(one.info.called == title for one in there):
            raise Conflict(
                f"{worker.name} has a console {title} already", "choose another title", op="console"
            )
        number = roster.free_number(there)
        name = roster.name_of(number)
        try:
            await server.start(place, name, argv, columns=COLUMNS, rows=ROWS, cwd=cwd, history=history)
        except Conflict:
            continue
        if title:
            await roster.rename(place, name, title)
        estate.store.record(worker.id, "console", f"{name} opened")
        return name, number
    raise Conflict(f"{worker.name}: others open consoles at this very moment", "try again", op="console")


async def restart_shell(estate: Estate, worker: Worker, console: str) -> None:
    """Start a console's shell anew, ending what runs in it; its title stays. Raises `NotFound`, `WrongState`."""
    if console == MAIN_CONSOLE:
        raise Refused("that is the agent's own console", f"amtui restart {worker.name}")
    argv, cwd = await _shell(estate, worker)
    await server.restart(await estate.place(worker), console, argv, cwd=cwd)
    estate.store.record(worker.id, "console", f"{console} started again")


async def close(estate: Estate, worker: Worker, console: str) -> None:
    """End a console with all that runs in it. Raises `NotFound`, `Refused` for the agent's own."""
    await roster.close(await estate.place(worker), console)
    estate.store.record(worker.id, "console", f"{console} closed")


async def others(estate: Estate, worker: Worker) -> list[str]:
    """What a person calls the consoles beside the agent's; none where nobody can be asked."""
    try:
        there = await listed(estate, worker)
    except AmtuiError:
        return []
    return [one.info.called or one.name for one in there if one.name != MAIN_CONSOLE]


async def _shell(estate: Estate, worker: Worker) -> tuple[tuple[str, ...], str]:
    """The launcher of a shell, written afresh, and its directory."""
    check_born(estate, worker)
    if worker.asleep:
        raise WrongState(f"{worker.name} sleeps", f"amtui wake {worker.name}")
    setup = await setup_of(estate, worker, need_key=False)
    try:
        # Asked for by itself: writing a file would make the directories of a worker that was deleted.
        await setup.place.provider.files.stat(setup.place.host_id, f"{setup.place.etc}/env")
    except NotFound:
        raise WrongState(
            f"{worker.name} has no launcher any more", f"amtui bootstrap {worker.name}"
        ) from None
    configuration = Configuration(setup, runtime_of(worker.runtime), confinement(worker, setup.place))
    argv = runtime_of("shell").launch(setup).argv
    return (await configuration.shell(argv),), setup.workdir


def _history(estate: Estate) -> int:
    from amtui.console.config import ConsoleConfig

    return estate.config.section("console", ConsoleConfig).history
