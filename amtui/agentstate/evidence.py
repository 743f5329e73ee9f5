"""What is known of a worker's agent at one moment, gathered in one exec or read from a saved frame.

Everything in it was written by the worker: text is bounded and cleaned here, and nothing is believed further
than `judge` says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from amtui.model import Untrusted

MAX_ROWS: Final = 500
MAX_COLUMNS: Final = 1000

_NO_TIME: Final = 0.0


@dataclass(frozen=True, slots=True)
class Signal:
    """The last notice of one kind the program sent to its terminal; `at` is Unix seconds of the worker's clock."""

    at: float
    text: str = ""


@dataclass(frozen=True, slots=True)
class StatusFile:
    """What Claude Code says of itself in `~/.claude/sessions/<pid>.json`; times in Unix seconds, worker's clock."""

    status: str
    waiting_for: str = ""
    at: float = _NO_TIME


@dataclass(frozen=True, slots=True)
class Evidence:
    """One moment of one console. Times are Unix seconds of the worker's own clock, None or 0 where unknown."""

    runtime: str
    rows: tuple[str, ...] = ()
    """The visible screen as text, without trailing blanks."""
    columns: int = 80
    title: str = ""
    cursor: tuple[int, int] | None = None
    """Column and row, both from 0."""
    present: bool = True
    """The console exists: its tmux session answered."""
    pane_dead: bool = False
    exit_status: int | None = None
    exit_signal: str = ""
    command: str = ""
    """The program in the foreground of the pane."""
    status_file: StatusFile | None = None
    """Of a process that is alive; a stale file is no evidence."""
    signals: Mapping[str, Signal] = field(default_factory=dict)
    """By kind: `7501`, `9`, `777` and `bel`."""
    started_at: float = _NO_TIME
    last_output: float = _NO_TIME
    probed_at: float = _NO_TIME

    def signal(self, kind: str) -> Signal | None:
        """The last notice of that kind from the program that runs now, not from one before it."""
        found = self.signals.get(kind)
        if found is None or (self.started_at and found.at and found.at < self.started_at - 1):
            return None
        return found


def clean_rows(lines: Sequence[str]) -> tuple[str, ...]:
    """Screen lines bounded in number and width, free of control characters and trailing blanks."""
    return tuple(clean(line, MAX_COLUMNS).rstrip() for line in lines[:MAX_ROWS])


def clean(text: str, limit: int) -> str:
    """One line of `text` without anything a terminal would obey, at most `limit` characters."""
    return Untrusted(text[:limit], "worker").for_terminal().replace("\n", " ").replace("\t", " ")


def from_frame(frame: Mapping[str, Any]) -> Evidence:
    """Evidence of a saved frame: a JSON object with `runtime`, `screen`, `title`, `cursor`, `pane_dead`, …

    Missing or malformed fields count as unknown; nothing raises for odd content.
    """
    detail = _mapping(frame.get("evidence"))
    now = _number(detail.get("captured_at"))
    screen = frame.get("screen")
    return Evidence(
        runtime=str(frame.get("runtime", ""))[:40],
        rows=clean_rows([str(line) for line in screen]) if isinstance(screen, list) else (),
        columns=int(_number(frame.get("cols")) or 80),
        title=clean(str(frame.get("title") or ""), 200),
        cursor=_pair(frame.get("cursor")),
        pane_dead=str(_first(frame, detail, "pane_dead") or "0") not in ("0", "False", "false"),
        exit_status=_status(_first(frame, detail, "pane_dead_status")),
        exit_signal=clean(str(_first(frame, detail, "pane_dead_signal") or ""), 20),
        command=clean(str(frame.get("pane_current_command") or ""), 80),
        status_file=_frame_status(detail),
        signals=_frame_signals(detail, now),
        started_at=_number(detail.get("started_at")),
        last_output=_number(detail.get("last_output")),
        probed_at=now,
    )


def _frame_status(detail: Mapping[str, Any]) -> StatusFile | None:
    found: list[StatusFile] = []
    for content in _mapping(detail.get("claude_sessions")).values():
        entry = _mapping(content)
        if entry.get("_pid_alive", True):
            found += status_files([entry])
    return max(found, key=lambda status: status.at, default=None)


def status_files(entries: Sequence[Mapping[str, Any]]) -> list[StatusFile]:
    """The entries that carry a status, as `StatusFile`."""
    return [
        StatusFile(
            status=clean(str(entry["status"]), 40),
            waiting_for=clean(str(entry.get("waitingFor") or ""), 80),
            at=_number(entry.get("statusUpdatedAt")) / 1000,
        )
        for entry in entries
        if isinstance(entry.get("status"), str)
    ]


def _frame_signals(detail: Mapping[str, Any], now: float) -> dict[str, Signal]:
    signals: dict[str, Signal] = {}
    for entry in _list(detail.get("osc7501")):
        if isinstance(entry, list) and len(entry) == 2 and not str(entry[1]).startswith("?"):
            signals["7501"] = Signal(now + _number(entry[0]), clean(str(entry[1]), 1024))
    bells = _list(detail.get("bells"))
    if bells:
        signals["bel"] = Signal(now + _number(bells[-1]))
    return signals


def _first(frame: Mapping[str, Any], detail: Mapping[str, Any], name: str) -> Any:
    return frame.get(name, detail.get(name))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        return 0.0
    return min(max(float(value), -1e12), 1e15)


def _status(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _pair(value: Any) -> tuple[int, int] | None:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        return None
    return int(_number(value[0])), int(_number(value[1]))
