"""Drives a plan: start, follow, judge. Whoever runs it may die at any moment and the next one goes on.

Truth is on the worker. For each phase: a job that runs is adopted; else its check is asked; else only that phase
is done again. One driver at a time holds the worker's bootstrap lease; a second one follows the first and ends
as it ended, or takes over where it died.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from amtui.bootstrap.jobs import Jobs, JobState, Lease, Report, courier_died, courier_token, full
from amtui.bootstrap.phases import Courier, PhaseSpec, Plan, Shell
from amtui.errors import AmtuiError, BootstrapFailed, Conflict, DiskFull, Unreachable, UsageError
from amtui.model import Phase, PhaseStatus, Untrusted
from amtui.providers.base import Place

OnPhase: TypeAlias = Callable[[Phase], None]
OnLog: TypeAlias = Callable[[str, Untrusted], None]


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Times in seconds: how long a lease lives without its driver, how often it is renewed, how long a poll waits."""

    lease: int = 20
    beat: float = 5.0
    poll: int = 2
    idle: float = 0.5
    """Pause between two looks at somebody else's bootstrap."""


class PhaseFailed(BootstrapFailed):
    """A core phase failed: its id and its cause line, safe for a terminal."""

    def __init__(self, worker: str, spec: PhaseSpec, cause: str) -> None:
        super().__init__(
            f"bootstrap of {worker} failed at {spec.id} ({spec.title}): {cause}",
            f"see amtui logs {worker}; then amtui bootstrap {worker} goes on from there",
        )
        self.phase = spec.id
        self.cause = cause


_TELLING: Final = re.compile(
    r"error|fatal|fail|cannot|can't|could not|unable|not found|no such|denied|refused|no space|quota|timed? ?out"
    r"|ERR!|^E:",
    re.IGNORECASE,
)
_NOISE: Final = re.compile(r"complete log of this run|^npm (ERR!|error)\s*$", re.IGNORECASE)


def cause_line(log: bytes, code: int | None, why: str) -> str:
    """The line of a log's tail that explains the failure, else how the job ended."""
    if why == "timeout":
        return "it did not end in time and was stopped"
    if why == "cancelled":
        return "it was cancelled"
    text = Untrusted(log[-16_384:].replace(b"\r", b"\n"), "worker").for_terminal()
    lines = [line.strip() for line in text.splitlines()]
    start = max((i for i, line in enumerate(lines) if re.match(r"--- \S+, run \d+ ---$", line)), default=-1)
    lines = [line for line in lines[start + 1 :] if line and not _NOISE.search(line)]
    telling = [line for line in lines if _TELLING.search(line)] or lines
    ended = f"killed by signal {code - 128}" if code and code > 128 else f"exit status {code}"
    return Untrusted(telling[-1], "worker").for_line() + f" ({ended})" if telling else ended


async def run(
    plan: Plan,
    place: Place,
    *,
    on_phase: OnPhase,
    on_log: OnLog,
    from_phase: str | None = None,
    rhythm: Rhythm = Rhythm(),
    clock: Callable[[], float] = time.time,
) -> tuple[Phase, ...]:
    """Make every phase of `plan` true and return how each ended.

    From `from_phase` on, phases are done again even when their check holds. Raises `BootstrapFailed` for a core
    phase, `DiskFull`, `Unreachable`, `StateGone` when the worker was removed meanwhile; the job on the worker goes
    on without us when this is cancelled.
    """
    ids = [spec.id for spec in plan.phases]
    if from_phase is not None and from_phase not in ids:
        raise UsageError(f"there is no phase {from_phase[:40]!r}", f"the phases are {', '.join(ids)}")
    bootstrap = _Bootstrap(plan, place, on_phase, on_log, rhythm, clock)
    return await bootstrap.run(ids.index(from_phase) if from_phase else len(ids))


@dataclass
class _Bootstrap:
    plan: Plan
    place: Place
    on_phase: OnPhase
    on_log: OnLog
    rhythm: Rhythm
    clock: Callable[[], float]
    token: str = field(default_factory=courier_token)
    phases: dict[str, Phase] = field(default_factory=dict)
    offsets: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.jobs = Jobs(self.place)
        for spec in self.plan.phases:
            self.phases[spec.id] = Phase(
                id=spec.id, title=spec.title, status=PhaseStatus.PENDING, core=spec.core
            )

    async def run(self, forced: int) -> tuple[Phase, ...]:
        first, *rest = self.plan.phases
        await self._first(first)
        if not await self._lead():
            return tuple(self.phases.values())
        outcome = "cut"
        try:
            async with self._heartbeat():
                for number, spec in enumerate(rest, start=1):
                    await self._marked(spec, redo=number >= forced)
            outcome = "done"
        except PhaseFailed as failed:
            outcome = f"failed:{failed.phase}"
            raise
        finally:
            with suppress(AmtuiError, TimeoutError):
                async with asyncio.timeout(5.0):
                    await asyncio.shield(self.jobs.drop(self.token, outcome))
        return tuple(self.phases.values())

    # The lease

    async def _first(self, spec: PhaseSpec) -> None:
        """The worker's directories: before them there is no lease to hold, and making them twice is harmless."""
        assert isinstance(spec.work, Courier)
        if await spec.work.check():
            self._mark(spec, PhaseStatus.DONE)
            return
        self._mark(spec, PhaseStatus.RUNNING)
        said: list[str] = []
        try:
            await spec.work.apply(said.append)
        except AmtuiError as error:
            self._mark(spec, PhaseStatus.FAILED, error.message)
            raise
        await self.jobs.begin(spec.id)
        await self.jobs.end(spec.id, 0, "".join(f"{line}\n" for line in said))
        await self._read_log(spec)
        self._mark(spec, PhaseStatus.DONE)

    async def _lead(self) -> bool:
        """Become the driver; False when another one brought the bootstrap to its end while we watched."""
        watched = ""
        while True:
            lease = await self.jobs.lease(self.token, self.rhythm.lease)
            if not lease.ours and courier_died(lease.owner):
                lease = await self.jobs.lease(self.token, self.rhythm.lease, lease.owner)
            if not lease.ours:
                watched = lease.owner
                await self._watch()
                await asyncio.sleep(self.rhythm.idle)
                continue
            if watched and watched == lease.owner and lease.outcome not in ("", "cut"):
                await self._watch()
                await self.jobs.drop(self.token, lease.outcome)
                self._judge_followed(lease)
                return False
            return True

    def _judge_followed(self, lease: Lease) -> None:
        word, _, phase = lease.outcome.partition(":")
        for spec in self.plan.phases:
            if word == "failed" and spec.id == phase:
                raise PhaseFailed(self.plan.worker.name, spec, self.phases[spec.id].cause or "see its log")
        for spec in self.plan.phases:
            if self.phases[spec.id].status is PhaseStatus.PENDING:
                self._mark(spec, PhaseStatus.DONE)

    async def _watch(self) -> None:
        """Show what another driver does: states and logs, changing nothing."""
        reports = await self.jobs.reports()
        for spec in self.plan.phases:
            report = reports.get(spec.id)
            if report is None:
                continue
            if report.size > self.offsets.get(spec.id, 0):
                await self._read_log(spec)
            if report.state is JobState.ENDED:
                await self._ended(spec, report, raising=False)
            else:
                self._mark(spec, PhaseStatus.RUNNING)

    @asynccontextmanager
    async def _heartbeat(self) -> AsyncIterator[None]:
        """Keep the lease while phases run; a driver that lost it stops driving."""
        driver = asyncio.current_task()
        assert driver is not None
        lost: list[AmtuiError] = []

        async def beat() -> None:
            while True:
                await asyncio.sleep(self.rhythm.beat)
                try:
                    lease = await self.jobs.lease(self.token, self.rhythm.lease)
                except AmtuiError:
                    continue  # the driver meets the same trouble in its own request, with better words
                if not lease.ours:
                    lost.append(Conflict("another amtui took over this bootstrap", "run it again to follow"))
                    driver.cancel()
                    return

        task = asyncio.create_task(beat())
        try:
            yield
        except asyncio.CancelledError:
            if lost and not driver.uncancel():
                raise lost[0] from None
            raise
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    # One phase

    async def _marked(self, spec: PhaseSpec, *, redo: bool) -> None:
        """Do the phase; one that raised is not left standing as running, unless only the link to it broke."""
        try:
            await self._phase(spec, redo=redo)
        except AmtuiError as error:
            if (
                self.phases[spec.id].status is not PhaseStatus.FAILED
                and error.exit_code != Unreachable.exit_code
            ):
                self._mark(spec, PhaseStatus.FAILED, error.message)
            raise

    async def _phase(self, spec: PhaseSpec, *, redo: bool) -> None:
        report = await self.jobs.follow(spec.id, limit=0)
        if report.state is JobState.RUNNING and isinstance(spec.work, Shell):
            await self._follow(spec)
            return
        if report.state is JobState.LOST and isinstance(spec.work, Shell):
            # Its work may have outlived its supervisor: first that, then the check.
            await self.jobs.cancel(spec.id)
        if not redo and (report.ok or not spec.proof) and await self._satisfied(spec):
            self._mark(spec, PhaseStatus.DONE if report.runs else PhaseStatus.SKIPPED)
            return
        self.offsets[spec.id] = report.size
        self._mark(spec, PhaseStatus.RUNNING)
        if isinstance(spec.work, Shell):
            await self._start(spec, spec.work)
            await self._follow(spec)
        else:
            await self._do(spec, spec.work)

    async def _satisfied(self, spec: PhaseSpec) -> bool:
        if isinstance(spec.work, Courier):
            return await spec.work.check()
        script = 'PATH="$1:$HOME/.local/bin:$PATH"; export PATH; eval "$2"'
        result = await self.place.exec(
            ["/bin/sh", "-c", script, "sh", self.place.bin, spec.work.check],
            stdin=b"",
            env={"HOME": self.place.home},
            timeout=60.0,
        )
        return result.ok

    async def _start(self, spec: PhaseSpec, work: Shell) -> None:
        """Start the job; while another phase of this worker still runs, wait for its end."""
        while other := await self.jobs.start(spec.id, work.apply, timeout=spec.timeout):
            report = await self.jobs.follow(
                other, 1 << 40, wait=0 if other == spec.id else self.rhythm.poll, limit=0
            )
            # Our own phase that has ended only still holds the lock for the blink of an eye: not one to adopt.
            if other == spec.id and report.state is JobState.RUNNING:
                return

    async def _follow(self, spec: PhaseSpec) -> None:
        self._mark(spec, PhaseStatus.RUNNING)
        while True:
            report = await self._read_log(spec, wait=self.rhythm.poll)
            if report.state is JobState.RUNNING or self.offsets[spec.id] < report.size:
                continue
            await self._ended(spec, report)
            return

    async def _read_log(self, spec: PhaseSpec, wait: int = 0) -> Report:
        offset = self.offsets.get(spec.id, 0)
        report = await self.jobs.follow(spec.id, offset, wait=wait)
        self.offsets[spec.id] = offset + len(report.log)
        if report.log:
            self.on_log(spec.id, Untrusted(report.log, f"{self.plan.worker.name}:{spec.id}"))
        return report

    async def _ended(self, spec: PhaseSpec, report: Report, *, raising: bool = True) -> None:
        if report.ok:
            self._mark(spec, PhaseStatus.DONE)
            return
        tail = await self.jobs.follow(spec.id, max(0, report.size - 16_384))
        cause = cause_line(tail.log, report.code, report.why)
        if report.state is JobState.LOST:
            cause = "the job was killed or its host restarted"
        self._mark(spec, PhaseStatus.FAILED, cause)
        if raising and report.why == "full":
            raise full(self.place, f"phase {spec.id}: {cause}")
        if raising and spec.core:
            raise PhaseFailed(self.plan.worker.name, spec, cause)

    async def _do(self, spec: PhaseSpec, work: Courier) -> None:
        """A phase that is done from here, booked on the worker like the others."""
        await self.jobs.begin(spec.id)
        said: list[str] = []
        cause = ""
        try:
            async with asyncio.timeout(spec.timeout):
                await work.apply(said.append)
        except TimeoutError:
            cause = f"it did not end within {spec.timeout:g} s"
        except DiskFull:
            raise
        except AmtuiError as error:
            cause = error.message
            said += [f"error: {error.message}", *([error.hint] if error.hint else [])]
            if (
                error.exit_code == Unreachable.exit_code
            ):  # the link, not the worker: nothing is wrong with the phase
                raise
        await self.jobs.end(spec.id, 1 if cause else 0, "".join(f"{line}\n" for line in said))
        await self._read_log(spec)
        self._mark(spec, PhaseStatus.FAILED if cause else PhaseStatus.DONE, cause)
        if cause and spec.core:
            raise PhaseFailed(self.plan.worker.name, spec, cause)

    def _mark(self, spec: PhaseSpec, status: PhaseStatus, cause: str = "") -> None:
        old, now = self.phases[spec.id], self.clock()
        if old.status is status and old.cause == cause:
            return
        over = status in (PhaseStatus.DONE, PhaseStatus.FAILED, PhaseStatus.SKIPPED)
        self.phases[spec.id] = Phase(
            id=spec.id,
            title=spec.title,
            status=status,
            core=spec.core,
            started_at=old.started_at or now,
            ended_at=now if over else None,
            cause=cause,
        )
        self.on_phase(self.phases[spec.id])


def progress(plan: Plan, phases: Sequence[Phase]) -> float:
    """Share of the work that is over, 0 to 1, by weight."""
    weights = {spec.id: spec.weight for spec in plan.phases}
    over = {PhaseStatus.DONE, PhaseStatus.SKIPPED, PhaseStatus.FAILED}
    done = sum(weights.get(phase.id, 0.0) for phase in phases if phase.status in over)
    return done / (sum(weights.values()) or 1.0)
