"""Detached jobs of one worker: one phase at a time, alive without us, found again by whoever comes next.

The work is done by `remote/job.sh` on the host (its head lists the requests and replies); this is the courier's
half. Every request is safe to repeat: starting a phase that runs adopts it, following is by offset.
"""

from __future__ import annotations

import hashlib
import math
import os
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from pathlib import Path

from amtui.errors import AmtuiError, DiskFull, MissingTool, ProtocolError, StateGone
from amtui.model import Untrusted
from amtui.providers.base import ExecResult, Place, Purpose

LOG_CHUNK = 256 << 10
"""Most bytes of log that one reply carries."""


class JobState(StrEnum):
    """What the files of a phase and the life of its processes say together."""

    NONE = "none"
    RUNNING = "running"
    ENDED = "ended"
    LOST = "lost"
    """It was started and is not there any more, without a verdict: killed, or the host restarted."""


@dataclass(frozen=True, slots=True)
class Report:
    """One look at a phase: its state, the size of its log in bytes, how often it was started, how it ended."""

    phase: str
    state: JobState
    size: int
    runs: int
    code: int | None = None
    why: str = ""
    """exit, timeout, cancelled or full, once it ended."""
    offset: int = 0
    log: bytes = b""

    @property
    def ok(self) -> bool:
        return self.state is JobState.ENDED and self.code == 0


@dataclass(frozen=True, slots=True)
class Lease:
    """Who drives a bootstrap: us, or `owner` for `left` more seconds; `outcome` is what the last driver left."""

    ours: bool
    owner: str
    left: int = 0
    outcome: str = ""


@cache
def helper() -> bytes:
    """The text of the job helper."""
    return files("amtui.bootstrap").joinpath("remote/job.sh").read_bytes()


def courier_token() -> str:
    """Names this process so that another amtui on this computer can see that it died."""
    boot = _first_line("/proc/sys/kernel/random/boot_id")[:13] or "-"
    try:
        space = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        space = 0
    return f"{boot}/{space}/{os.getpid()}/{_birth(os.getpid())}/{os.urandom(3).hex()}"


def courier_died(token: str) -> bool:
    """True only when `token` is of a process of this computer that is certainly gone."""
    mine, parts = courier_token().split("/"), token.split("/")
    if len(parts) != 5 or parts[:2] != mine[:2] or not parts[2].isdigit() or parts[0] == "-":
        return False
    return _birth(int(parts[2])) != parts[3]


def _first_line(path: str) -> str:
    try:
        return Path(path).read_text("utf-8").partition("\n")[0]
    except OSError:
        return ""


def _birth(pid: int) -> str:
    fields = _first_line(f"/proc/{pid}/stat").rpartition(") ")[2].split()
    return fields[19] if len(fields) > 19 and fields[0] not in "ZX" else ""


def full(place: Place, cause: str = "") -> DiskFull:
    """The one way we say that a worker has no room left."""
    return DiskFull(
        f"no space left on the disk of {place.root}" + (f": {cause}" if cause else ""),
        "free some room there, then run the bootstrap again: it goes on where it stopped",
        provider=place.provider.kind,
    )


class Jobs:
    """The jobs of one worker. `home` is HOME for the phases; the environment is the provider's allow-list."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._helper = f"{place.bin}/job-{hashlib.sha256(helper()).hexdigest()[:12]}"

    async def install(self) -> None:
        """Put the helper on the host. Raises `DiskFull`."""
        script = (
            'umask 077; mkdir -p "${1%/*}" || exit; '
            'cat >"$1.$$" && [ "$(($(wc -c <"$1.$$")))" = "$2" ] && chmod 700 "$1.$$" && mv -f "$1.$$" "$1" || '
            '{ rm -f "$1.$$"; exit 1; }'
        )
        argv = ["/bin/sh", "-c", script, "sh", self._helper, str(len(helper()))]
        result = await self.place.exec(argv, stdin=helper())
        if not result.ok:
            raise failure(self.place, result, "could not install the job helper")

    async def _ask(
        self,
        verb: str,
        *words: str,
        stdin: bytes | None = None,
        timeout: float = 60.0,
        purpose: Purpose = Purpose.USER,
    ) -> bytes:
        script = '[ -d "$3" ] || exit 98; [ -r "$1" ] || exit 97; exec /bin/sh "$@"'
        argv = ["/bin/sh", "-c", script, "sh", self._helper, verb, self.place.jobs, *words]
        for _ in range(3):
            result = await self.place.exec(
                argv, stdin=stdin, timeout=timeout, env={"HOME": self.place.home}, purpose=purpose
            )
            if result.exit_code == 97:
                await self.install()
                continue
            if result.exit_code == 98:
                raise StateGone(
                    f"the worker's directory {self.place.root} is gone", "run its bootstrap, or destroy it"
                )
            if result.exit_code is None:
                continue  # killed, as by a destroy that sweeps the worker's processes: ask again what is there now
            if not result.ok:
                raise failure(self.place, result, f"the job helper failed at `{verb}`")
            return result.stdout
        raise ProtocolError(f"the job helper in {self.place.bin} is removed or killed again and again")

    async def start(self, phase: str, script: str, *, timeout: float) -> str:
        """Start `script` as the job of `phase`. Returns "" when it started, else the phase that runs now.

        Raises `DiskFull`, `MissingTool`, `StateGone`.
        """
        seconds = str(max(1, math.ceil(timeout)))
        text = script.encode()
        answer = (await self._ask("start", phase, seconds, str(len(text)), stdin=text)).decode().strip()
        word, _, rest = answer.partition(" ")
        if word == "started":
            return ""
        if word == "busy":
            return rest or phase
        if word == "full":
            raise full(self.place)
        if word == "missing":
            raise MissingTool(
                f"the host has no {rest}", "install the packages util-linux and coreutils there"
            )
        raise ProtocolError(f"the job helper answered {Untrusted(answer, 'host').for_line(60)!r}")

    async def follow(
        self,
        phase: str,
        offset: int = 0,
        *,
        wait: int = 0,
        limit: int = LOG_CHUNK,
        purpose: Purpose = Purpose.USER,
    ) -> Report:
        """State of `phase` and its log from byte `offset`; waits up to `wait` seconds for news of a running one."""
        reply = await self._ask(
            "follow", phase, str(offset), str(wait), str(limit), timeout=wait + 60.0, purpose=purpose
        )
        head, _, log = reply.partition(b"\n")
        return _report(head, log)

    async def reports(self) -> dict[str, Report]:
        """Every phase that was ever begun here."""
        lines = (await self._ask("list")).splitlines()
        return {report.phase: report for report in map(_report, lines)}

    async def cancel(self, phase: str) -> bool:
        """End a running job and everything it started; False when it did not run."""
        return (await self._ask("cancel", phase)).strip() == b"ended"

    async def begin(self, phase: str) -> None:
        """Book a phase that the courier does itself."""
        if (await self._ask("begin", phase)).strip() != b"ok":
            raise full(self.place)

    async def end(self, phase: str, code: int, log: str = "") -> None:
        """Close the books of a phase that `begin` opened."""
        await self._ask("end", phase, str(code), "exit", stdin=log.encode())

    async def lease(self, token: str, seconds: int, dead: str = "") -> Lease:
        """Become, or stay, the one who drives this bootstrap; takes over from `dead` at once."""
        words = (await self._ask("lease", token, str(seconds), dead or "-")).decode().split()
        if words[:1] == ["full"]:
            raise full(self.place)
        if len(words) != 3 or words[0] not in ("ok", "held"):
            raise ProtocolError(
                "the job helper cannot tell who drives this bootstrap",
                f"remove {self.place.jobs}/lease and {self.place.jobs}/lease.lock on the host, then bootstrap again",
            )
        if words[0] == "ok":
            return Lease(True, words[1], outcome=words[2].strip("-"))
        return Lease(False, words[1], left=int(words[2]))

    async def drop(self, token: str, outcome: str) -> None:
        """Give up the lease and leave one word for whoever followed: `done` or `failed:PHASE`."""
        await self._ask("drop", token, outcome)


def failure(place: Place, result: ExecResult, what: str) -> AmtuiError:
    """Why one of our own small programs failed on the host, as an error a person can act on."""
    said = Untrusted(result.stderr, "host").for_line()
    # The C library's words: our requests run in the C locale, and a shell has no other way to say it.
    if "No space left on device" in said or "Disk quota exceeded" in said:
        return full(place, said)
    return AmtuiError(
        f"{what}: {said or f'exit {result.exit_code}'}",
        f"look at {place.root} on the host, then bootstrap again",
    )


def _report(head: bytes, log: bytes = b"") -> Report:
    words = head.decode("utf-8", "replace").split()
    try:
        if len(words) != 8 or words[0] != "J1":
            raise ValueError
        return Report(
            phase=words[1],
            state=JobState(words[2]),
            offset=int(words[3]),
            size=int(words[4]),
            runs=int(words[5]),
            code=None if words[6] == "-" else int(words[6]),
            why=words[7].strip("-"),
            log=log,
        )
    except ValueError:
        raise ProtocolError("the job helper sent a malformed header") from None
