"""One exec that gathers what `judge` needs of one console, and the reader of what it prints.

The shell prints sections, each `@NAME LENGTH [WORDS]`, a newline, exactly LENGTH bytes and a newline: what a
program drew cannot pass for a section. The reader bounds and checks everything; a violation is `ProtocolError`.

`facts`   one line of tmux formats, then the visible screen, both of one turn of the tmux server
`sig`     the console's signal file (`KIND TIME TEXT` lines)
`session` a Claude Code status file; words: pid, process state letter or `-`, start ticks or `-`
`clock`   seconds now · seconds at boot · start ticks of the pane's process · its pid namespace
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from amtui.agentstate.evidence import Evidence, Signal, StatusFile, clean, clean_rows, status_files
from amtui.errors import ProtocolError

_FACTS: Final = (
    "#{pane_dead}|#{pane_dead_status}|#{pane_dead_signal}|#{pane_pid}|#{cursor_x}|#{cursor_y}"
    "|#{pane_width}|#{pane_height}|#{window_activity}|#{pane_current_command}|#{pane_title}"
)
_FACT_COUNT: Final = 11
_TICKS: Final = 100
"""Clock ticks a second in /proc; 100 on every Linux that runs an agent."""
_MAX_OUTPUT: Final = 2 << 20
_MAX_SESSIONS: Final = 8

PROBE: Final = (
    """\
export LC_ALL=C
section() { # NAME WORDS...: stdin as one section
  body=$(head -c 400000; printf .)
  body=${body%.}
  name=$1
  shift
  printf '@%s %s%s\\n' "$name" "$(printf %s "$body" | wc -c | tr -d ' ')" "${*:+ $*}"
  printf '%s\\n' "$body"
}
ticks() { # PID: state letter and start ticks of a process, or dashes
  if [ -r "/proc/$1/stat" ]; then
    set -- $(sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null)
    [ $# -ge 20 ] && { echo "$1 ${20}"; return; }
  elif [ ! -d /proc/self ] && kill -0 "$1" 2>/dev/null; then
    echo "R -"; return
  fi
  echo "- -"
}
ask() { tmux -u -S "$1" display-message -p -t "=$2:" '"""
    + _FACTS
    + """' \\; capture-pane -p -t "=$2:" 2>/dev/null; }
facts=$(ask "$1" "$2") || facts=''
case $facts in '1|||'*)
  # tmux 3.3a of Debian misses the end of most programs; told to look, it learns how this one ended.
  kill -CHLD "$(tmux -u -S "$1" display-message -p '#{pid}' 2>/dev/null)" 2>/dev/null
  sleep 0.1 2>/dev/null || sleep 1
  facts=$(ask "$1" "$2") || facts='' ;;
esac
printf %s "$facts" | section facts
pane=$(printf '%s\\n' "$facts" | head -n 1 | cut -d '|' -f 4)
case $pane in '' | *[!0-9]*) pane=0 ;; esac
[ ! -r "$3/sig" ] || head -c 8192 "$3/sig" | section sig
# shellcheck disable=SC2010 # newest first; only names of digits pass
[ -z "$4" ] || for file in $(ls -t "$4/.claude/sessions" 2>/dev/null | grep '^[0-9][0-9]*\\.json$' | head -n 8); do
  [ -f "$4/.claude/sessions/$file" ] || continue # a FIFO would never end
  head -c 4096 "$4/.claude/sessions/$file" 2>/dev/null | section session "${file%.json}" $(ticks "${file%.json}")
done
set -- $(ticks "$pane")
{
  date +%s
  sed -n 's/^btime //p' /proc/stat 2>/dev/null || echo 0
  echo "${2:--}"
  readlink /proc/self/ns/pid 2>/dev/null || echo -
} | section clock
"""
)
"""POSIX sh that writes nothing. Arguments: tmux socket, session, run directory of the console, home or nothing."""


def probe_argv(root: str, socket: str, console: str, runtime: str) -> list[str]:
    """The program to run on the worker's host: `root` and `socket` as in its `Place`.

    The status files are read only for the runtime that writes them.
    """
    home = f"{root}/home" if runtime == "claude" else ""
    return ["/bin/sh", "-c", PROBE, "amtui-probe", socket, console, f"{root}/run/{console}", home]


def parse_probe(runtime: str, output: bytes) -> Evidence:
    """What `PROBE` printed. Raises `ProtocolError` for anything it would not print."""
    if len(output) > _MAX_OUTPUT:
        raise _broken("more output than a probe may give")
    sections = list(_sections(output))
    clock = _clock(next((s for s in sections if s.name == "clock"), None))
    facts = next((s for s in sections if s.name == "facts"), None)
    if facts is None:
        raise _broken("no facts")
    if not facts.body:
        return Evidence(runtime=runtime, present=False, probed_at=clock.now)
    head, _, screen = facts.body.decode("utf-8", "replace").partition("\n")
    words = head.split("|", _FACT_COUNT - 1)
    if len(words) != _FACT_COUNT:
        raise _broken("facts of the wrong shape")
    sig = next((s for s in sections if s.name == "sig"), None)
    sessions = [s for s in sections if s.name == "session"][:_MAX_SESSIONS]
    return Evidence(
        runtime=runtime,
        rows=clean_rows(screen.split("\n")),
        columns=_bounded(words[6], 2000) or 80,
        title=clean(words[10], 200),
        cursor=(_bounded(words[4], 2000), _bounded(words[5], 2000)),
        pane_dead=words[0] == "1",
        exit_status=int(words[1]) if re.fullmatch(r"\d{1,3}", words[1]) else None,
        exit_signal=clean(words[2], 20),
        command=clean(words[9], 80),
        status_file=_live_status(sessions, clock),
        signals=dict(_signals(sig)) if sig else {},
        started_at=clock.started,
        last_output=float(_bounded(words[8], 1 << 40)),
        probed_at=clock.now,
    )


@dataclass(frozen=True, slots=True)
class _Section:
    name: str
    words: tuple[str, ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Clock:
    now: float
    started: float
    namespace: str


_HEADER: Final = re.compile(rb"@([a-z]{1,12}) (\d{1,7})((?: [A-Za-z0-9-]{1,24}){0,4})\n")


def _sections(output: bytes) -> Iterator[_Section]:
    at = 0
    while at < len(output):
        header = _HEADER.match(output, at)
        if header is None:
            raise _broken("a section without header")
        end = header.end() + int(header[2])
        if output[end : end + 1] != b"\n":
            raise _broken("a section of the wrong length")
        words = tuple(header[3].decode().split())
        yield _Section(header[1].decode(), words, output[header.end() : end])
        at = end + 1


def _clock(section: _Section | None) -> _Clock:
    lines = section.body.decode("utf-8", "replace").split("\n") if section else []
    lines += [""] * (4 - len(lines))
    boot, ticks = _bounded(lines[1], 1 << 40), _bounded(lines[2], 1 << 60)
    started = boot + ticks / _TICKS if boot and ticks else 0.0
    return _Clock(float(_bounded(lines[0], 1 << 40)), started, lines[3][:64])


def _signals(section: _Section) -> Iterator[tuple[str, Signal]]:
    for line in section.body.decode("utf-8", "replace").split("\n")[:16]:
        kind, _, rest = line.partition(" ")
        at, _, text = rest.partition(" ")
        if kind in ("7501", "9", "777", "bel") and re.fullmatch(r"\d{1,12}(\.\d{1,9})?", at):
            yield kind, Signal(float(at), clean(text, 1024))


def _live_status(sections: list[_Section], clock: _Clock) -> StatusFile | None:
    """The newest status of a process that is alive. Files of killed processes stay behind."""
    found: list[StatusFile] = []
    for section in sections:
        entry = _json_object(section.body)
        if entry is not None and _alive(entry, section.words, clock):
            found += status_files([entry])
    return max(found, key=lambda status: status.at, default=None)


def _alive(entry: dict[str, Any], words: tuple[str, ...], clock: _Clock) -> bool:
    started, domain = entry.get("startedAt"), entry.get("pidDomain")
    if not isinstance(started, (int, float)) or started / 1000 < clock.started - 1:
        return False  # of a program before the one in the pane, perhaps still on its way out
    if isinstance(domain, str) and clock.namespace not in ("", "-") and clock.namespace not in domain:
        return True  # written inside a pid namespace of its own (bwrap), where its number means nothing to us
    if len(words) != 3 or words[1] in ("-", "Z", "X"):
        return False
    return words[2] == "-" or entry.get("procStart") in (None, words[2])


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _bounded(text: str, limit: int) -> int:
    return min(int(text), limit) if re.fullmatch(r"\d{1,19}", text) else 0


def _broken(what: str) -> ProtocolError:
    return ProtocolError(f"the probe's answer is malformed: {what}", "probe again", op="probe")
