"""What a bootstrap consists of: phases as data, each with a check that tells whether anything is left to do.

`plan` puts them together for one worker: place → tools → the runtime's own steps → repository → configure →
start → verify. A phase is either shell that runs as a detached job on the worker (`Shell`) or work that only the
courier can do because it needs the operator's side: merged settings, secrets, bundles (`Courier`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from shlex import quote
from typing import TypeAlias

from msgspec import json

from amtui.bootstrap.configure import Configuration
from amtui.bootstrap.jobs import failure
from amtui.bootstrap.session import Session
from amtui.bootstrap.tools import tmux_step
from amtui.errors import Refused
from amtui.model import Worker
from amtui.providers.base import Place
from amtui.runtimes.base import Runtime, Setup, Step

Confine: TypeAlias = Callable[[Sequence[str]], Sequence[str]]
Say: TypeAlias = Callable[[str], None]
"""Writes one line into the log of a courier phase; never a secret."""


@dataclass(frozen=True, slots=True)
class Shell:
    """POSIX shell for the worker: `check` exits 0 when satisfied, `apply` may be killed anywhere and run again."""

    check: str
    apply: str


@dataclass(frozen=True, slots=True)
class Courier:
    """Work done from here. `check` must not change anything; `apply` raises `AmtuiError` with the cause."""

    check: Callable[[], Awaitable[bool]]
    apply: Callable[[Say], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class PhaseSpec:
    """One phase: `timeout` in seconds, enforced on the worker for `Shell`; `weight` is its share of the progress."""

    id: str
    title: str
    work: Shell | Courier
    core: bool = True
    timeout: float = 60.0
    weight: float = 1.0
    proof: bool = False
    """A proof is made once at least: its quick check only tells whether it still holds."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The phases of one worker's bootstrap, in order. The first one makes the worker's directories."""

    worker: Worker
    phases: tuple[PhaseSpec, ...]

    def titles(self) -> tuple[tuple[str, str], ...]:
        """(id, title) in order: what would be done, for a dry run."""
        return tuple((phase.id, phase.title) for phase in self.phases)


def plan(
    setup: Setup,
    runtime: Runtime,
    session: Session,
    *,
    extra: Sequence[PhaseSpec] = (),
    confine: Confine | None = None,
    install: Confine | None = None,
    apt: bool = False,
) -> Plan:
    """The bootstrap of `setup.worker`.

    `extra` stands between the runtime's steps and the configuration (the repository, a loadout); `confine` wraps
    the launch line where the agent is to be confined, and `install` what is installed into its home; `apt` allows
    installing tmux with apt when we are root.
    """
    configuration = Configuration(setup, runtime, confine)
    steps = [tmux_step(setup.place, apt=apt), *runtime.install(setup)]
    if install is not None:
        steps = [_apart(step) if step.id in _OURS else _inside(step, install) for step in steps]
    workdir = [_workdir(setup.worker.workdir)] if setup.worker.workdir else []
    return Plan(
        worker=setup.worker,
        phases=(
            place_phase(setup.worker, setup.place),
            *map(_shell, steps),
            *workdir,
            *extra,
            PhaseSpec(
                "configure",
                "Write settings",
                Courier(configuration.check, configuration.apply),
                timeout=120.0,
            ),
            PhaseSpec("start", "Start the console", Courier(session.alive, session.start), timeout=60.0),
            PhaseSpec(
                "verify",
                "Verify",
                _verification(setup, runtime, session, confine),
                timeout=90.0,
                proof=True,
            ),
        ),
    )


_OURS = frozenset({"tools", "node", "fetch"})
"""Steps that serve the whole host and not one worker."""


def _apart(step: Step) -> Step:
    """A step of ours beside a confined agent: nothing that the agent may have put into its home decides what runs."""
    alone = 'PATH=${PATH#*"$HOME/.local/bin:"} HOME=/dev/null\nexport PATH HOME\ncd /\n'
    return replace(step, check=alone + step.check, apply=alone + step.apply)


def _inside(step: Step, install: Confine) -> Step:
    """A step that runs programs from the home of a confined agent: it runs where the agent runs."""

    def wrapped(script: str) -> str:
        words = " ".join(map(quote, install(["/bin/sh", "-c", script])))
        return f"exec {words}\n"

    return replace(step, check=wrapped(step.check), apply=wrapped(step.apply))


def _shell(step: Step) -> PhaseSpec:
    return PhaseSpec(step.id, step.title, Shell(step.check, step.apply), step.core, step.timeout, step.weight)


_PLACE = r"""
umask 077
base=$1 root=$2 id=$3 sockets=$4
if [ -e "$root/worker.json" ]; then
    grep -qF "\"id\":\"$id\"" "$root/worker.json" || { echo "$root belongs to another worker" >&2; exit 9; }
fi
if [ -L "$sockets" ]; then echo "$sockets is a link, not a directory of ours" >&2; exit 9; fi
mkdir -p "$base/bin" "$base/cache" "$root/home" "$root/run" "$root/jobs" "$root/etc" "$sockets" || exit 1
# shellcheck disable=SC2046
set -- $(ls -ldn "$sockets")
[ "$3" = "$(id -u)" ] || { echo "$sockets belongs to another user" >&2; exit 9; }
chmod 700 "$base" "$base/workers" "$root" "$root/home" "$root/run" "$root/jobs" "$root/etc" "$sockets" || exit 1
# A courier that dies while it sends leaves a short file: only the whole one counts.
cat >"$root/worker.json.$$" && grep -qF "\"id\":\"$id\"" "$root/worker.json.$$" &&
    tail -c 1 "$root/worker.json.$$" | grep -qF '}' && mv -f "$root/worker.json.$$" "$root/worker.json" && exit 0
rm -f "$root/worker.json.$$"
exit 1
"""
_PLACED = r"""
root=$1 id=$2
grep -qF "\"id\":\"$id\"" "$root/worker.json" || exit 1
for dir in "$root"/home "$root"/jobs "$root"/etc "$root"/run "$3"; do [ -d "$dir" ] || exit 1; done
"""


def place_phase(worker: Worker, place: Place) -> PhaseSpec:
    """The worker's directories, 0700, and the file that says whose they are."""
    sockets = place.socket.rpartition("/")[0]

    async def check() -> bool:
        argv = ["/bin/sh", "-c", _PLACED, "sh", place.root, worker.id, sockets]
        return (await place.exec(argv)).ok

    async def apply(say: Say) -> None:
        argv = ["/bin/sh", "-c", _PLACE, "sh", place.base, place.root, worker.id, sockets]
        result = await place.exec(argv, stdin=json.encode(worker))
        if result.exit_code == 9:
            raise Refused(
                failure(place, result, "refused").message, "destroy that worker, or choose another place"
            )
        if not result.ok:
            raise failure(place, result, "could not make the worker's directories")
        say(f"{place.root} is the worker's")

    return PhaseSpec("place", "Make the worker's place", Courier(check, apply))


def _workdir(path: str) -> PhaseSpec:
    test = f"[ -d {quote(path)} ] && [ -x {quote(path)} ]"
    apply = f"{test} && exit 0\necho {quote(f'error: no directory {path} on the host')} >&2; exit 1"
    return PhaseSpec("workdir", "Check the working directory", Shell(test, apply), timeout=30.0, weight=0.2)


def _verification(setup: Setup, runtime: Runtime, session: Session, confine: Confine | None) -> Courier:
    async def answers() -> bool:
        script = f'PATH="{setup.place.bin}:$HOME/.local/bin:$PATH"; {runtime.verify(setup)}'
        argv: Sequence[str] = ["/bin/sh", "-c", script]
        result = await setup.place.exec(confine(argv) if confine else argv, env={"HOME": setup.place.home})
        return result.ok

    async def check() -> bool:
        return await answers() and await session.trouble(0.0) == ""

    async def apply(say: Say) -> None:
        if not await answers():
            raise Refused(
                f"{runtime.title} does not answer with version {runtime.version or '?'}",
                "repeat its install phase with --from",
            )
        if trouble := await session.trouble(30.0):
            raise Refused(trouble, "look at the console")
        say(f"{runtime.title} {runtime.version}".rstrip() + " runs")

    return Courier(check, apply)
