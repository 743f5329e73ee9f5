"""Taking a worker off its host, putting it to sleep, waking it.

`remote/remove.sh` does the removing: it proves whose directory it is before it touches anything, ends what still
runs there, and says what it could not remove. `--workdir` is never deleted: it is not under the worker's root.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import TypeAlias

from amtui.bootstrap.jobs import failure
from amtui.bootstrap.session import Session
from amtui.errors import AmtuiError, NotFound, Refused, StateGone, Unreachable
from amtui.model import Untrusted, Worker
from amtui.providers.base import Place

Stop: TypeAlias = Callable[[Place], Awaitable[None]]
"""Ends the worker's tmux server and what runs in it (`amtui.console.server.stop`)."""

_ASLEEP = "asleep"


class Removed(StrEnum):
    """How a destroy ended: both are success."""

    REMOVED = "removed"
    GONE = "gone"
    """Its directory was not there any more; whatever else was left is gone now too."""


@cache
def _script() -> str:
    return files("amtui.bootstrap").joinpath("remote/remove.sh").read_text("utf-8")


async def _ask(verb: str, place: Place, worker: Worker) -> str:
    argv = ["/bin/sh", "-c", _script(), "amtui-remove", verb, place.base, place.root, worker.id, place.socket]
    result = await place.exec(argv, cwd="/", timeout=120.0)
    if not result.ok:
        raise failure(place, result, "could not remove the worker")
    return result.stdout.decode("utf-8", "replace").strip()


async def _stop(place: Place, stop: Stop) -> None:
    """The gentle way first. A full disk or a missing helper must not keep a worker alive: the sweep follows."""
    try:
        await stop(place)
    except AmtuiError as error:
        if error.exit_code == Unreachable.exit_code:
            raise


async def destroy(place: Place, worker: Worker, *, stop: Stop) -> Removed:
    """End the agent, its tmux and every process of the worker; remove its files and socket; leave nothing.

    Safe to repeat: a second time says `gone`. Raises `Refused` when the directory is not provably the worker's,
    `AmtuiError` naming what could not be removed, `Unreachable`.
    """
    await _stop(place, stop)
    word, _, rest = (await _ask("remove", place, worker)).partition(" ")
    if word in ("removed", "gone"):
        return Removed(word)
    reason = Untrusted(rest, "host").for_line()
    if word == "refused":
        raise Refused(
            f"{worker.name} was not removed: {reason}", "look at that directory and remove it by hand"
        )
    raise AmtuiError(f"{worker.name} is not wholly removed: {reason} is left", "try destroy again")


async def sleep(place: Place, worker: Worker, *, stop: Stop) -> None:
    """Stop the agent, tmux and every process of the worker; its files stay. Raises like `destroy`."""
    await place.provider.files.write(place.host_id, f"{place.root}/{_ASLEEP}", b"")
    await _stop(place, stop)
    answer = await _ask("sweep", place, worker)
    if answer != "swept":
        raise AmtuiError(f"{worker.name} does not stop: {Untrusted(answer, 'host').for_line()}", "try again")


async def wake(place: Place, worker: Worker, *, session: Session) -> None:
    """Start the console of a sleeping worker again; harmless when it is awake.

    Raises `StateGone` when its directory is gone.
    """
    try:
        await place.provider.files.stat(place.host_id, f"{place.etc}/launch")
    except NotFound:
        raise StateGone(
            f"{worker.name} has no launcher in {place.etc} any more", f"amtui bootstrap {worker.name}"
        ) from None
    if not await session.alive():
        await session.start(lambda line: None)
    await place.provider.files.remove(place.host_id, f"{place.root}/{_ASLEEP}")
