"""Recorded typing, replayed through the predictor on a clock of its own over a link of any delay.

What a program does depends on its keys and not on how far away the typist is, so one recording serves every link: a
key reaches the host half a round trip after it was pressed, what the host said then is here half a round trip later.
The judge below knows nothing of the predictor's own verdicts: it looks at cells.
"""

from __future__ import annotations

import base64
import gzip
import heapq
import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from amtui.emulator import Screen, Stream
from amtui.widgets import predict
from amtui.widgets.predict import Mode, Predictor

FOLDER: Final = Path(__file__).parent / "typed"
SLACK: Final = predict.BOUND + 3 * predict.LOOK
"""Seconds beyond a round trip for which a cell may stand: the predictor's own patience."""
PATIENCE: Final = 0.4
"""Seconds a program on the host may take to answer a key."""


@dataclass(frozen=True)
class Session:
    """A recording: (seconds, `key` | `secret` | `out`, bytes)."""

    name: str
    columns: int
    lines: int
    events: list[tuple[float, str, bytes]]

    @property
    def kind(self) -> str:
        return self.name.partition("-")[0]

    @property
    def keys(self) -> int:
        return sum(what != "out" for _, what, _ in self.events)


def save(session: Session) -> None:
    """Keep a recording."""
    FOLDER.mkdir(exist_ok=True)
    rows = [
        [round(at, 4), what, data.hex() if what != "out" else base64.b85encode(data).decode()]
        for at, what, data in session.events
    ]
    text = json.dumps(
        {"columns": session.columns, "lines": session.lines, "events": rows}, separators=(",", ":")
    )
    (FOLDER / f"{session.name}.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


def load(name: str) -> Session:
    """One recording."""
    found = json.loads(gzip.decompress((FOLDER / f"{name}.json.gz").read_bytes()))
    events = [
        (at, what, base64.b85decode(data) if what == "out" else bytes.fromhex(data))
        for at, what, data in found["events"]
    ]
    return Session(name, found["columns"], found["lines"], events)


def sessions() -> list[Session]:
    """Every recording."""
    return [load(path.name.removesuffix(".json.gz")) for path in sorted(FOLDER.glob("*.json.gz"))]


Place = tuple[bool, int, int]
"""A cell on the host: alternate screen or not, number of its row since the beginning, column."""


class Truth:
    """What each cell on the host held when."""

    def __init__(self, session: Session) -> None:
        self.screen = Screen(session.columns, session.lines, 1000)
        self._held: dict[Place, list[tuple[float, str]]] = {}
        stream = Stream(self.screen)
        self._note(-1.0)
        for at, what, data in session.events:
            if what == "out":
                stream.feed(data)
                self._note(at)

    def _note(self, at: float) -> None:
        for y in range(self.screen.lines):
            for x, char in enumerate(self.screen.row(y).chars):
                held = self._held.setdefault(place(self.screen, y, x), [])
                if not held or held[-1][1] != char:
                    held.append((at, char))

    def held(self, cell: Place, char: str, since: float) -> bool:
        """Whether the cell held `char` at some time between `since` and the end of the program's patience."""
        changes = self._held.get(cell, [])
        return any(
            what == char and at <= since + PATIENCE and (n + 1 == len(changes) or changes[n + 1][0] >= since)
            for n, (at, what) in enumerate(changes)
        )


def place(screen: Screen, y: int, x: int) -> Place:
    """The cell that shows at (x, y) now."""
    return screen.alternate, y if screen.alternate else y + screen.history.next, x


@dataclass
class Standing:
    """A cell on show that is not the grid's."""

    char: str
    since: float
    right: bool


@dataclass
class Findings:
    """What a replay saw. Times in seconds."""

    keys: int = 0
    foreseen: int = 0
    """Printable keys whose character was on show at once."""
    printable: int = 0
    cells: int = 0
    """Cells shown that were not the grid's."""
    wrong: list[tuple[float, str]] = field(default_factory=list)
    """Those the host never held when it had answered their key: how long they stood, which."""
    late: list[str] = field(default_factory=list)
    """Those that stood longer than a round trip and the predictor's patience."""
    left: list[str] = field(default_factory=list)
    """Cells still on show when everything was answered, and grids that differ."""
    secrets: list[str] = field(default_factory=list)
    """Cells on show because of a secret key."""

    def add(self, other: Findings) -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


class Replay:
    """One recording over one link."""

    def __init__(
        self,
        session: Session,
        truth: Truth,
        rtt: float,
        seed: int = 0,
        *,
        jitter: float = 0.1,
        mode: Mode = "on",
    ) -> None:
        self.session, self.truth, self.rtt = session, truth, rtt
        self.screen = Screen(session.columns, session.lines, 200)
        self.predictor = Predictor(mode)
        self.found = Findings(keys=session.keys)
        self._stream = Stream(self.screen)
        self._chance = random.Random(f"{session.name}/{rtt}/{seed}")
        self._jitter = jitter
        self._unacked = 0
        self._sent = 0
        self._secret: set[int] = set()
        self._standing: dict[tuple[int, int, int], Standing] = {}
        self._pressed = ""
        self._look: float | None = None

    def run(self) -> Findings:
        """Play it all, on its own clock."""
        queue: list[tuple[float, int, str, bytes]] = []
        back = 0.0
        way = 0.0
        for number, (at, what, data) in enumerate(self.session.events):
            if what == "out":
                back = max(back, at + self.rtt * (0.5 + self._chance.random() * self._jitter))
                heapq.heappush(queue, (back, number, "out", data))
                continue
            heapq.heappush(queue, (at - self.rtt / 2, number, what, data))
            acked = (
                at + self.rtt * (0.5 + self._chance.random() * self._jitter) + self._chance.uniform(0, 0.006)
            )
            way = max(way, acked)
            heapq.heappush(queue, (way, number, "ack", data))
        end = max(at for at, *_ in queue) + 10.0
        while queue or (self._look is not None and self._look < end):
            if self._look is not None and (not queue or self._look < queue[0][0]):
                now, what, data = self._look, "look", b""
            else:
                now, _, what, data = heapq.heappop(queue)
            self._step(now, what, data)
        self._finish()
        return self.found

    def _step(self, now: float, what: str, data: bytes) -> None:
        if what == "out":
            self._stream.feed(data)
        elif what == "ack":
            self._unacked -= len(data)
            return  # views are not woken for it
        elif what in ("key", "secret"):
            self._sent += len(data)
            self._unacked += len(data)
            if what == "secret":
                self._secret.add(self._sent)
            self.predictor.typed(data, len(data), now, self.screen)
        self.predictor.settle(self.screen, self._unacked, self.rtt, now)
        pause = self.predictor.pause(now)
        self._look = None if pause is None else now + pause
        self._pressed = data.decode() if what == "key" and len(data) == 1 and 0x20 < data[0] < 0x7F else ""
        self.found.printable += bool(self._pressed)
        self._compare(now)

    def _compare(self, now: float) -> None:
        predictor, screen = self.predictor, self.screen
        marks, _ = predictor.marks(screen, now)
        cells = {
            (id(line.row), cell.x): cell
            for line in (*predictor._fading, predictor._line) if line is not None
            for cell in line.cells.values()
        }  # fmt: skip
        shown: dict[tuple[int, int, int], Standing] = {}
        for y, row in marks.items():
            for mark in row:
                cell = cells.get((id(screen.row(y)), mark.x))
                if cell is None:  # a drawn caret
                    continue
                where = f"{self.session.name} {self.rtt} {mark.char!r} at {mark.x},{y} typed {cell.typed:.2f}"
                if cell.end in self._secret:
                    self.found.secrets.append(where)
                if now - cell.typed > self.rtt * (1 + self._jitter) + SLACK:
                    self.found.late.append(f"{where} stands at {now:.2f}")
                key = (id(screen.row(y)), mark.x, cell.end)
                found = self._standing.get(key)
                if found is None:
                    right = self.truth.held(place(screen, y, mark.x), mark.char, cell.typed + self.rtt / 2)
                    found = Standing(where, now, right)
                    self.found.cells += 1
                    self.found.foreseen += cell.typed == now and mark.char == self._pressed
                shown[key] = found
        for key, old in self._standing.items():
            if key not in shown and not old.right:
                self.found.wrong.append((now - old.since, old.char))
        self._standing = shown

    def _finish(self) -> None:
        marks, caret = self.predictor.marks(self.screen, 1e9)
        if marks or caret or self.predictor.busy:
            self.found.left.append(f"{self.session.name}: {marks} {caret}")
        if self.truth.screen.display != self.screen.display:
            self.found.left.append(f"{self.session.name}: the grid differs")
