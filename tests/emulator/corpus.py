"""Recordings of real programs: bytes as they were written to a terminal, resizes, and what tmux showed on the way.

A recording is `NAME_COLUMNSxLINES.raw` (or `.raw.gz`), optionally beside it `.json` (`events`: a list with
`kind`, byte `offset` and `data`) and `.frames.gz`: what a live tmux 3.3a showed at about a dozen places, so
that the bytes can be checked where there is no tmux. `record.py` makes all three.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from copy import copy
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from oracle import FLAGS, RESET, Glyph, Pane, flags_of, glyphs_of, parse_capture, same_line

from amtui.emulator import DEFAULT, Row, Screen, Stream, load_snapshot
from amtui.emulator.snapshot import ROWS_MARK, SAVED_MARK, SNAPSHOT_FIELDS

OWN = Path(__file__).with_name("recordings")
PLACES = 12
"""Frames compared of each recording, besides the ones around a resize."""

_NAME = re.compile(r"(.+)_(\d+)x(\d+)$")
_STRING = re.compile(rb"\x1b(?:\][^\x07\x1b]*|[P_^Xk][^\x1b]*)(?:\x07|\x1b\\|\x1b|\Z)")
_BEFORE = re.compile(rb"\x1b\[[0-9;]*[HmKJ]|(?<=\n)(?=.)", re.DOTALL)
_JOINER = "\u200d".encode()


@dataclass(frozen=True)
class Frame:
    """What tmux showed after `at` bytes, and after a resize to `size` if there was one there."""

    at: int
    size: tuple[int, int] | None
    flags: dict[str, str]
    """tmux's format values by name."""
    snapshot: str
    """The pane as the console protocol would send it."""

    def rows(self, lines: int) -> list[list[Glyph]]:
        """The cells on show."""
        body = self.snapshot.encode("utf-8", "surrogateescape").partition(ROWS_MARK + b"\n")[2]
        text = body.split(b"\n" + SAVED_MARK + b"\n")[0].decode("utf-8", "replace")
        return parse_capture(text.split("\n")[:lines], lines)


@dataclass(frozen=True)
class Recording:
    """One recorded program."""

    name: str
    columns: int
    lines: int
    data: bytes
    resizes: tuple[tuple[int, tuple[int, int]], ...] = ()
    """(byte offset, (columns, lines)), in order."""
    path: Path | None = None

    def __str__(self) -> str:
        return f"{self.name}_{self.columns}x{self.lines}"

    @cached_property
    def frames(self) -> list[Frame]:
        """The stored frames; none for a recording that has none."""
        path = self.path.with_name(f"{self}.frames.gz") if self.path else None
        if path is None or not path.exists():
            return []
        made = json.loads(gzip.decompress(path.read_bytes()))
        return [Frame(**{**each, "size": tuple(each["size"]) if each["size"] else None}) for each in made]

    def stops(self) -> list[tuple[int, tuple[int, int] | None]]:
        """Where to compare, in order: places before a control sequence, both sides of a resize, the end."""
        good = self.places()
        step = max(1, len(good) // PLACES)
        stops: set[tuple[int, tuple[int, int] | None]] = {(at, None) for at in good[step::step]}
        stops |= {(at, None) for at, _ in self.resizes} | set(self.resizes) | {(len(self.data), None)}
        order = [size for _, size in self.resizes]
        return sorted(
            stops, key=lambda stop: (stop[0], stop[1] is not None, stop[1] and order.index(stop[1]))
        )

    def places(self) -> list[int]:
        """Offsets before a control sequence or after a line feed, outside control strings, not after a joiner."""
        strings = [match.span() for match in _STRING.finditer(self.data)]
        out, at = [], 0
        for match in _BEFORE.finditer(self.data):
            start = match.start()
            while at < len(strings) and strings[at][1] <= start:
                at += 1
            if at < len(strings) and strings[at][0] < start < strings[at][1]:
                continue
            if start and not self.data.endswith(_JOINER, 0, start):
                out.append(start)
        return out


def load(path: Path) -> Recording:
    """The recording of a `.raw` or `.raw.gz` file."""
    stem = path.name.removesuffix(".gz").removesuffix(".raw")
    match = _NAME.match(stem)
    name, columns, lines = (match[1], int(match[2]), int(match[3])) if match else (stem, 80, 24)
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    notes = path.with_name(f"{stem}.json")
    events = json.loads(notes.read_text(encoding="utf-8"))["events"] if notes.exists() else []
    resizes = tuple(
        (event["offset"], (event["data"][0], event["data"][1]))
        for event in events
        if event["kind"] == "resize"
    )
    return Recording(name, columns, lines, data, resizes, path)


def recordings(folder: Path) -> list[Recording]:
    """Every recording of a folder, by name."""
    return [load(path) for path in sorted([*folder.glob("*.raw"), *folder.glob("*.raw.gz")])]


# What tmux shows


def watch(pane: Pane, recording: Recording) -> Iterator[Frame]:
    """Play a recording into a live pane; what it shows at every stop."""
    resize(pane, recording.columns, recording.lines)
    pane.fresh()
    pane.feed(RESET)
    done = 0
    for at, size in recording.stops():
        pane.feed(recording.data[done:at])
        done = at
        if size is not None:
            resize(pane, *size)
        _, flags = pane.state()
        yield Frame(at, size, flags, _anonymous(pane.snapshot()).decode("utf-8", "surrogateescape"))


def resize(pane: Pane, columns: int, lines: int) -> None:
    """Make a pane that size."""
    if (pane.columns, pane.lines) != (columns, lines):
        pane.tmux("resize-window", "-x", str(columns), "-y", str(lines))
        pane.columns, pane.lines = columns, lines


def _anonymous(snapshot: bytes) -> bytes:
    """A snapshot without process ids and times of the machine it was made on."""
    header, _, rest = snapshot.partition(b"\n")
    values = header.split(b" ")
    for at, (name, _) in enumerate(SNAPSHOT_FIELDS):
        if name in ("pid", "server"):
            values[at] = b"1" if name == "pid" else b"1.1"
    return b" ".join(values) + b"\n" + rest


def store(recording: Recording, frames: list[Frame], folder: Path) -> None:
    """Keep frames beside the recording."""
    text = json.dumps([asdict(frame) for frame in frames], separators=(",", ":"))
    (folder / f"{recording}.frames.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


# What we show


def start(recording: Recording) -> tuple[Screen, Stream]:
    """A screen for a recording in the state in which `watch` starts, and its stream."""
    screen = Screen(recording.columns, recording.lines, 20_000)
    stream = Stream(screen)
    stream.feed(RESET)
    return screen, stream


def differences(frame: Frame, screen: Screen, *, ignore: tuple[str, ...] = ()) -> list[str]:
    """Every way in which our screen is not what tmux showed, in words."""
    out = []
    for y, theirs in enumerate(frame.rows(screen.lines)):
        ours = glyphs_of(screen.row(y))
        if not same_line(theirs, ours):
            out.append(f"line {y}: tmux {theirs!r}, ours {ours!r}")
    own = flags_of(screen) | {"pane_title": screen.title}
    # after a resize to fewer columns tmux may leave the cursor beyond the edge, where it acts as if at the edge
    theirs_at = str(min(int(frame.flags["cursor_x"]), screen.columns))
    out += [
        f"{name}: tmux {frame.flags[name]}, ours {own[name]}"
        for name in (*FLAGS, "pane_title")
        if name not in ignore and own[name] != (theirs_at if name == "cursor_x" else frame.flags[name])
    ]
    return out


def check(recording: Recording, frames: Iterator[Frame] | list[Frame]) -> Iterator[tuple[Frame, list[str]]]:
    """Feed a recording to a screen of ours and compare at every frame; a resize is a snapshot, as in a console."""
    screen, stream = start(recording)
    done = 0
    for frame in frames:
        stream.feed(recording.data[done : frame.at])
        done = frame.at
        if frame.size is not None:
            attach(screen, stream, frame, Untold(screen), keep_history=True)
        yield frame, differences(frame, screen)


def attach(
    screen: Screen, stream: Stream, frame: Frame, untold: Untold, *, keep_history: bool = False
) -> None:
    """Load what tmux can tell of a frame, and add what it cannot. `keep_history`: nothing was missed."""
    load_snapshot(
        screen, stream, frame.snapshot.encode("utf-8", "surrogateescape"), keep_history=keep_history
    )
    untold.tell(screen)


class Untold:
    """What no format and no capture of tmux 3.3a says about a pane; all else must come out of the snapshot."""

    MODES = ("bracketed_paste", "focus", "blink", "cursor_style", "modify_other_keys", "kitty_flags", "sync")

    def __init__(self, screen: Screen) -> None:
        self.attr, self.main_attr = screen.cursor.attr, screen.main_attr
        self.charsets, self.shift, self.saved = list(screen.charsets), screen.shift, copy(screen.saved)
        self.icon_name, self.joining = screen.icon_name, screen.joining
        self.modes = {name: getattr(screen.modes, name) for name in self.MODES}
        self.size, self.main_size = (screen.columns, screen.lines), screen.main_size
        self.rows = [_tail(row) for row in screen.rows]
        self.main = [_tail(row) for row in screen.main or []]

    def tell(self, screen: Screen) -> None:
        """Give it to a screen that was loaded from a snapshot."""
        screen.charsets, screen.shift, screen.saved = list(self.charsets), self.shift, copy(self.saved)
        screen.icon_name, screen.joining, screen.main_attr = self.icon_name, self.joining, self.main_attr
        screen.set_attr(self.attr)
        for name, value in self.modes.items():
            setattr(screen.modes, name, value)
        screen._refresh_plain()
        if (screen.columns, screen.lines) == self.size:
            for row, (wrapped, reach, at, attrs) in zip(screen.rows, self.rows, strict=True):
                row.wrapped, row.reach = wrapped, reach
                row.attrs[at:] = attrs
        if screen.main_size == self.main_size:
            for row, (wrapped, reach, at, attrs) in zip(screen.main or [], self.main, strict=False):
                row.wrapped, row.reach = wrapped, reach
                row.attrs[at:] = attrs


def _tail(row: Row) -> tuple[bool, int, int, list[Any]]:
    """Whether a row is wrapped, how far it was ever drawn to, and its cells at the end that only have a background:
    not in a capture."""
    at = len(row.chars)
    while at and row.chars[at - 1] == " " and row.attrs[at - 1] == DEFAULT._replace(bg=row.attrs[at - 1].bg):
        at -= 1
    return row.wrapped, row.reach, at, row.attrs[at:]
