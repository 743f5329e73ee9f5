"""A worker's tmux server as operations: start and stop consoles, look once, type once.

Everything here is one exec, or a few, and leaves nothing running on this computer. Views that follow a console are
`amtui.console.hub`'s.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from amtui.console import helper
from amtui.console.config import HISTORY_LIMIT
from amtui.console.guard import Guard, key_words
from amtui.console.helper import install, request
from amtui.console.input import unbracketed
from amtui.console.protocol import Frame as ReplyFrame
from amtui.console.protocol import OutcomeFrame, StateFrame, TextFrame
from amtui.emulator.snapshot import parse_rows
from amtui.errors import ExecTimeout, ProtocolError, StreamBroken, UsageError
from amtui.providers.base import Place, Purpose

__all__ = [
    "HISTORY_LIMIT",
    "ConsoleInfo",
    "Frame",
    "Guard",
    "SendOutcome",
    "capture",
    "consoles",
    "install",
    "keys",
    "probe",
    "restart",
    "send",
    "start",
    "stop",
]


def state_of(frames: Sequence[ReplyFrame]) -> StateFrame:
    """The last `K` frame of a reply. Raises `ProtocolError` when there is none."""
    for frame in reversed(frames):
        if isinstance(frame, StateFrame):
            return frame
    raise ProtocolError("the console helper did not say which program runs", op="console")


def _words(argv: Sequence[str]) -> list[str]:
    """`argv` so that tmux does not take a trailing semicolon for the end of its own command."""
    if not argv:
        raise UsageError("a console needs a program to run")
    return [word[:-1] + "\\;" if word.endswith(";") else word for word in argv]


async def start(
    place: Place,
    console: str,
    argv: Sequence[str],
    *,
    columns: int = 80,
    rows: int = 24,
    cwd: str,
    history: int = HISTORY_LIMIT,
) -> StateFrame:
    """Start a console that runs `argv`, in a tmux server of the worker's own, with `cwd` as its directory.

    The program's environment is the provider's allow-list; secrets come from the launcher, never from here.
    Raises `Conflict` when the console exists, `MissingTool`, `Refused`, `DiskFull`.
    """
    size = (str(columns), str(rows), str(history), cwd)
    return state_of(await request(place, console, "start", *size, *_words(argv)))


async def restart(place: Place, console: str, argv: Sequence[str], *, cwd: str | None = None) -> StateFrame:
    """End the program of a console with everything it started and run `argv` in its place.

    Keys typed for the old program never reach the new one: the epoch is raised first. Raises `NotFound`.
    """
    return state_of(await request(place, console, "restart", cwd or place.home, *_words(argv)))


async def stop(place: Place) -> None:
    """End the worker's tmux server and every process under it; remove socket, FIFOs and run directories.

    Nothing there is success.
    """
    helper.check_place(place, "x")
    await helper.ensure_installed(place)
    argv = helper.request_argv(place, helper.ALL, "stop")
    done = await place.exec(argv, timeout=30)
    if not done.ok:
        await install(place)
        await place.exec(argv, timeout=30)


@dataclass(frozen=True, slots=True)
class ConsoleInfo:
    """One console as tmux describes it now. Names and titles come from the worker: show them as `Untrusted`."""

    name: str
    dead: bool
    status: str
    """Exit status of a dead program, or empty."""
    pane_pid: int
    epoch: int
    server: str
    command: str
    """Program in the foreground."""
    columns: int
    lines: int
    alternate: bool
    cursor_x: int
    cursor_y: int
    cursor_hidden: bool
    history: int
    """Rows that scrolled off and are kept."""
    activity: float
    """Unix time of the last output."""
    scrolled: bool
    """Somebody reads its history in tmux's copy mode."""
    called: str
    """What an operator named it, or empty; lives and ends with the console."""
    title: str
    """What the program set as the terminal's title."""

    @property
    def program(self) -> tuple[str, int, int]:
        """Which program in which server: equal as long as it is the same one."""
        return (self.server, self.pane_pid, self.epoch)


@dataclass(frozen=True, slots=True)
class Frame:
    """One look at a console: the rows of its screen as text and as tmux's own escape sequences, and its facts.

    Everything in it was written by the worker.
    """

    info: ConsoleInfo
    rows: tuple[str, ...]
    ansi: tuple[bytes, ...]
    """Attributes run on from row to row."""

    @property
    def columns(self) -> int:
        return self.info.columns

    @property
    def lines(self) -> int:
        return self.info.lines

    @property
    def cursor_x(self) -> int:
        return self.info.cursor_x

    @property
    def cursor_y(self) -> int:
        return self.info.cursor_y

    @property
    def cursor_hidden(self) -> bool:
        return self.info.cursor_hidden

    @property
    def alternate(self) -> bool:
        return self.info.alternate

    @property
    def title(self) -> str:
        return self.info.title

    @property
    def dead(self) -> bool:
        return self.info.dead

    @property
    def command(self) -> str:
        return self.info.command

    @property
    def program(self) -> tuple[str, int, int]:
        return self.info.program


@dataclass(frozen=True, slots=True)
class SendOutcome:
    """How far a text or key got: `submitted`, `typed` (not entered), `refused`, `unknown`; `reason` says why.

    `prompt` means that something on the screen forbade it, `changed` that something expected was not there,
    `dead` that the program has exited, `lost` that no answer came.
    """

    outcome: str
    reason: str = ""


def info_of(line: bytes) -> ConsoleInfo:
    """One line of facts. Raises `ProtocolError`."""
    words = line.decode("utf-8", "replace").split("\t", 17)
    try:
        return ConsoleInfo(
            name=words[0],
            dead=words[1] == "1",
            status=words[2],
            pane_pid=int(words[3]),
            epoch=int(words[4]),
            server=words[5],
            command=words[6],
            columns=int(words[7]),
            lines=int(words[8]),
            alternate=words[9] == "1",
            cursor_x=int(words[10]),
            cursor_y=int(words[11]),
            cursor_hidden=words[12] == "0",
            history=int(words[13]),
            activity=float(words[14] or 0),
            scrolled=words[15] not in ("", "0"),
            called=words[16],
            title=words[17],
        )
    except (ValueError, IndexError):
        raise ProtocolError("the console helper described a console in no known way", op="console") from None


def text_of(frames: Sequence[ReplyFrame]) -> bytes:
    """The text of a `T` frame. Raises `ProtocolError` when there is none."""
    for frame in frames:
        if isinstance(frame, TextFrame):
            return frame.data
    raise ProtocolError("the console helper sent no text", op="console")


async def consoles(place: Place) -> list[ConsoleInfo]:
    """Every console of the worker, running or dead; none when it has no tmux server."""
    frames = await request(place, helper.ALL, "list", purpose=Purpose.PROBE)
    return [info_of(line) for line in text_of(frames).splitlines()]


async def capture(place: Place, console: str) -> Frame:
    """Look at a console once, without following, resizing or disturbing it. Raises `NotFound`."""
    body = text_of(await request(place, console, "show", purpose=Purpose.PROBE))
    facts, _, rest = body.partition(b"\n")
    info = info_of(facts)
    ansi = tuple(rest.split(b"\n")[: info.lines])
    rows = tuple(row.text for row in parse_rows(ansi, info.columns))
    return Frame(info, rows, ansi)


async def probe(place: Place, rows: int = 5) -> bytes:
    """The machine and each console with its signals and last `rows` lines, tab-separated; see docs/protocol.md."""
    helper.check_place(place, "x")
    return text_of(await request(place, helper.ALL, "probe", str(rows), purpose=Purpose.PROBE))


async def send(
    place: Place,
    console: str,
    text: str,
    *,
    enter: bool = True,
    guard: Guard | None = None,
    id: str = "",  # noqa: A002 - the word on the command line
) -> SendOutcome:
    """Paste `text` (bracketed when the program asked), wait for its echo or 300 ms, press Enter.

    tmux evaluates the guard in the turn that pastes, and again in the turn that presses Enter. The same `id`
    never types twice, whatever was lost on the way. Raises `NotFound` when there is no such console.
    """
    guard = guard or Guard()
    words = (_once(id), guard.condition(), "1" if enter else "0")
    return await _until_told(place, console, guard, "say", words, unbracketed(text.encode()))


async def keys(
    place: Place,
    console: str,
    names: Sequence[str],
    guard: Guard | None = None,
    *,
    id: str = "",  # noqa: A002
) -> SendOutcome:
    """Press keys by tmux's names (`Enter Up C-c F5`) or as single characters, in one turn with the guard.

    Raises `UsageError` for an unknown name, `NotFound` when there is no such console.
    """
    guard = guard or Guard()
    return await _until_told(
        place, console, guard, "press", (_once(id), guard.condition(), *key_words(names)), None
    )


def _once(key: str) -> str:
    return f"once{hashlib.sha256(key.encode()).hexdigest()[:16]}" if key else f"once{secrets.token_hex(8)}"


async def _until_told(
    place: Place, console: str, guard: Guard, verb: str, words: tuple[str, ...], stdin: bytes | None
) -> SendOutcome:
    """Ask, and ask again when no answer came: the id makes that harmless."""
    for _ in range(3):
        try:
            frames = await request(
                place, console, verb, *words, stdin=stdin, timeout=15.0, purpose=Purpose.USER
            )
        except (ExecTimeout, StreamBroken, ProtocolError):
            continue
        for frame in frames:
            if isinstance(frame, OutcomeFrame):
                return SendOutcome(frame.outcome, guard.reason(frame.reason))
    return SendOutcome("unknown", "lost")
