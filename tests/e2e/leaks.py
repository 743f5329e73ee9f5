"""Looking for a secret everywhere it must not be: files, process lists, tmux, what amtui prints."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from operator_world import Operator


def files_with(secret: str, *roots: Path) -> list[Path]:
    """Regular files below `roots` that hold `secret`; sockets, FIFOs and links are passed over."""
    needle, found = secret.encode(), []
    for root in roots:
        for path in root.rglob("*"):
            if path.is_symlink() or not path.is_file() or path.stat().st_size > 64 << 20:
                continue
            try:
                if needle in path.read_bytes():
                    found.append(path)
            except OSError:
                continue
    return found


def processes_showing(secret: str) -> list[str]:
    """Command lines on this computer that hold `secret`; the test runner's own are passed over."""
    return [text for text in _proc("cmdline") if secret in text]


def _proc(name: str) -> Iterable[str]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                yield (entry / name).read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue


def environments_of(program: str) -> list[str]:
    """Environments of the running processes whose command line holds `program`."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if program in (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"):
                found.append((entry / "environ").read_bytes().replace(b"\0", b"\n").decode(errors="replace"))
        except OSError:
            continue
    return found


def tmux_environment(socket: str) -> str:
    """What the worker's tmux server would hand to a new pane, globally and for its session."""
    said = ""
    for words in (["-g"], ["-t", "=amconsole"]):
        done = subprocess.run(
            ["tmux", "-S", socket, "show-environment", *words], capture_output=True, text=True
        )
        said += done.stdout
    return said


def said_by(operator: Operator, name: str) -> str:
    """Everything amtui would print about a worker."""
    calls = (("show", name, "--json"), ("ls", "--json"), ("logs", name), ("events", "--json"), ("screen", name),
             ("upstream", "ls", "--json"), ("config", "show"), ("doctor",), ("secret", "ls"))  # fmt: skip
    return "".join((done := operator.run(*call)).stdout.decode() + done.stderr.decode() for call in calls)
