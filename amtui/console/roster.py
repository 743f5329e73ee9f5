"""The consoles of one worker as a list: which there are, what each does, and what is done to one of them.

Nobody needs to follow a console to know that it rang, that its program exited or that somebody closed it: `watch`
rests on the host until something of that kind changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Final

from amtui.console import helper
from amtui.console.protocol import WatchFrame
from amtui.console.server import ConsoleInfo, info_of, text_of
from amtui.errors import AmtuiError, NotFound, ProtocolError, Refused, UsageError
from amtui.model import MAIN_CONSOLE, Untrusted
from amtui.providers.base import Place, Purpose

MOST: Final = 32
"""Consoles a worker may have."""
_NAME: Final = re.compile(rf"{MAIN_CONSOLE}(?:-([2-9]|[1-9][0-9]{{1,2}}))?\Z")
_TITLE: Final = re.compile(r"\w(?:[\w .,+/@()-]{0,38}[\w.)])?\Z")
_SIGNALS: Final = frozenset({"7501", "9", "777", "bel"})
_GONE: Final = 44


@dataclass(frozen=True, slots=True)
class Listed:
    """One console with the last notice of each kind. Its text was written by the worker: show it as `Untrusted`."""

    info: ConsoleInfo
    signals: Mapping[str, tuple[float, str]] = field(default_factory=dict)
    """Unix time and text of the last OSC `7501`, `9`, `777` and of the last bell, `bel`."""

    @property
    def name(self) -> str:
        return self.info.name

    @property
    def number(self) -> int:
        return number_of(self.info.name) or 0

    @property
    def rang(self) -> float:
        """Unix time of the last bell or notice meant for a person; 0 when there was none."""
        return max(
            (self.signals[kind][0] for kind in ("bel", "9", "777") if kind in self.signals), default=0.0
        )


def name_of(number: int) -> str:
    """The tmux session of a worker's console; 1 is the agent's own."""
    return MAIN_CONSOLE if number == 1 else f"{MAIN_CONSOLE}-{number}"


def number_of(name: str) -> int | None:
    """The number of a console by its session's name, or None when it is no console of ours."""
    found = _NAME.match(name)
    return int(found[1] or 1) if found else None


def check_title(title: str) -> str:
    """`title` itself. Raises `UsageError` for one that tmux, a shell or a person could take for something else."""
    if not _TITLE.match(title) or title.isdigit() or number_of(title):
        raise UsageError(
            f"{Untrusted(title, 'title').for_line(40)!r} is no title for a console",
            "at most 40 letters, digits, spaces and . , + / @ ( ) -, and no number alone",
        )
    return title


def by_word(listed: Sequence[Listed], word: str) -> Listed:
    """The console that a person means by number, full name or title. Raises `NotFound`, naming what there is."""
    wanted = name_of(int(word)) if word.isdigit() and word.isascii() and 0 < int(word) < 1000 else word
    for one in listed:
        if wanted in (one.name, one.info.called):
            return one
    there = ", ".join(
        Untrusted(f"{one.number} {one.info.called}".strip(), "worker").for_line(50) for one in listed
    )
    raise NotFound(f"no console {word}", f"there is {there}" if there else "none runs", op="console")


def parse(data: bytes) -> list[Listed]:
    """What `probe` of the helper says of consoles, by number. Lines that make no sense are passed over."""
    infos: dict[str, ConsoleInfo] = {}
    signals: dict[str, dict[str, tuple[float, str]]] = {}
    for line in data.split(b"\n")[:4096]:
        kind, _, rest = line.partition(b"\t")
        if kind == b"P":
            try:
                info = info_of(rest)
            except ProtocolError:
                continue
            if number_of(info.name):
                infos[info.name] = info
        elif kind == b"G":
            name, _, said = rest.decode("utf-8", "replace").partition("\t")
            word, _, more = said.partition(" ")
            at, _, text = more.partition(" ")
            if word in _SIGNALS and re.fullmatch(r"[0-9]{1,12}", at):
                signals.setdefault(name, {})[word] = (float(at), text[:1024])
    listed = [Listed(info, signals.get(name, {})) for name, info in infos.items()]
    return sorted(listed, key=lambda one: one.number)


async def roster(place: Place) -> list[Listed]:
    """Every console of the worker with its signals, by number; none when it has no tmux server."""
    frames = await helper.request(place, helper.ALL, "probe", "0", purpose=Purpose.PROBE)
    return parse(text_of(frames))


async def watch(
    place: Place, mark: str, seconds: int, nap: int, *, timeout: float
) -> tuple[str, list[Listed]]:
    """Wait on the host until the state of any console is no longer `mark`, or `seconds`; then all of them.

    The host looks every `nap` seconds.

    Output alone is no change. Raises what exec raises and `ProtocolError`.
    """
    frames = await helper.request(
        place, helper.ALL, "watch", mark, str(seconds), str(nap), timeout=timeout, purpose=Purpose.PROBE
    )
    for frame in frames:
        if isinstance(frame, WatchFrame):
            return frame.mark, parse(text_of(frames))
    raise ProtocolError("the console helper did not say what it watched", op="console")


@cache
def _script() -> str:
    return resources.files("amtui.console").joinpath("remote/consoles.sh").read_text(encoding="utf-8")


async def _ask(place: Place, console: str, verb: str, *words: str) -> bytes:
    helper.check_place(place, console)
    argv = ["/bin/sh", "-c", _script(), "amtui-consoles", verb]
    argv += [place.socket, console, place.run(console), place.bin, *words]
    done = await place.exec(argv, timeout=30, purpose=Purpose.USER)
    if done.exit_code == _GONE:
        raise NotFound(f"no console {console}", "`amtui console NAME ls` lists them", op="console")
    if not done.ok:
        said = Untrusted(done.stderr, "host").for_line(120)
        raise AmtuiError(f"{verb} of console {console} failed on the host: {said}", "try again")
    return done.stdout


async def jobs(place: Place, console: str) -> list[str]:
    """Names of the programs that run in a console beside the shell it was opened with. Raises `NotFound`."""
    lines = (await _ask(place, console, "jobs")).decode("utf-8", "replace").splitlines()
    return sorted({Untrusted(line, "worker").for_line(24) for line in lines if line})


async def rename(place: Place, console: str, title: str) -> None:
    """Name a console for people. Its session keeps its own name, and so do its log, its keys and its viewers.

    Raises `UsageError`, `NotFound`.
    """
    await _ask(place, console, "title", check_title(title))


async def close(place: Place, console: str) -> None:
    """End a console with everything that runs in it and remove its run directory. Raises `NotFound`, `Refused`."""
    if console == MAIN_CONSOLE:
        raise Refused("the agent's own console cannot be closed", "`amtui sleep NAME` stops the agent")
    await _ask(place, console, "close")


def free_number(listed: Iterable[Listed]) -> int:
    """The lowest number that no console has. Raises `Refused` when there are too many."""
    taken = {one.number for one in listed}
    for number in range(2, MOST + 1):
        if number not in taken:
            return number
    raise Refused(f"a worker has at most {MOST} consoles", "close one: `amtui console NAME close CONSOLE`")
