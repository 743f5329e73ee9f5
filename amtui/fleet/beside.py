"""A command beside the agent: its HOME, its PATH, its directory and its confinement, but none of its secrets."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

from amtui.errors import WrongState
from amtui.fleet.place import confinement, workdir_of
from amtui.providers.base import Command, ExecStream, Purpose

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from amtui.fleet.estate import Estate
    from amtui.model import Worker

_WATCHED = r"""
me=$$
if [ -r /proc/$me/stat ]; then
    up() {
        { read -r line <"/proc/$me/stat"; } 2>/dev/null || return 1
        line=${line##*") "}
        line=${line#* }
        now=${line%% *}
    }
else
    up() { now=$(ps -o ppid= -p "$me" 2>/dev/null) && [ -n "$now" ]; }
fi
if up; then
    (
        exec </dev/null >/dev/null 2>&1
        parent=$now
        trap '' TERM HUP
        while up && [ "$now" = "$parent" ]; do sleep 1; done
        up || exit 0
        kill -TERM "-$me" || kill -TERM "$me"
        for _ in 1 2 3 4 5; do
            up || exit 0
            sleep 1
        done
        kill -KILL "-$me" || kill -KILL "$me"
    ) &
fi
exec "$@"
"""
"""Runs its arguments, and ends them with their process group when what started them dies.

A connection that breaks, as when amtui is killed, sends no signal to a command without a terminal.
"""

_ENTER = 'PATH="$HOME/.local/bin:$PATH"; export PATH; cd "$1" || exit 1; shift; exec "$@"'


def stream_beside(
    estate: Estate, worker: Worker, argv: Sequence[str]
) -> AbstractAsyncContextManager[ExecStream]:
    """Run `argv` next to the agent with live output and empty stdin; leaving early kills it.

    Raises `WrongState` for a worker that has no place on its host yet.
    """

    @asynccontextmanager
    async def opened() -> AsyncIterator[ExecStream]:
        if not worker.root:
            raise WrongState(f"{worker.name} has no place on its host yet", f"amtui bootstrap {worker.name}")
        place = await estate.place(worker)
        words = ["/bin/sh", "-c", _ENTER, "sh", workdir_of(worker, place), *argv]
        if wrap := confinement(worker, place):
            words = list(wrap(words))
        words = ["/bin/sh", "-c", _WATCHED, "sh", *words]
        command = Command(argv=words, env={"HOME": place.home}, stdin=b"", timeout=None)
        async with place.provider.stream_exec(place.host_id, command, purpose=Purpose.USER) as stream:
            yield stream

    return opened()
