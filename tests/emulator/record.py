"""Makes the recordings of `tests/emulator/recordings/`: real programs in a private tmux, driven by a script of keys.

    .venv/bin/python tests/emulator/record.py [NAME …]      record these programs, or all that are installed
    .venv/bin/python tests/emulator/record.py --frames      only ask tmux again what the recordings show

A developer's step, not part of the tests. Programs run under bubblewrap with their own process table and host
name, as `demo@box` in a home directory of made-up files, so that nothing of the machine gets into a recording.
Agents run as amtui's own runtimes start them, against the scripted model of `tests/modelserver.py`.
"""

from __future__ import annotations

import gzip
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from corpus import OWN, Recording, check, load, recordings, store, watch  # noqa: E402
from demo_home import make_home  # noqa: E402
from oracle import Pane  # noqa: E402
from programs import PROGRAMS, Program, Step  # noqa: E402

LARGEST = 118_000
"""Bytes of a recording; what comes later is cut off."""
PATIENCE = 20.0
HOME = "/home/demo"


class Stage:
    """One tmux pane on a private server in which a program runs, its output going to a file from the first byte."""

    def __init__(self, folder: Path, program: Program, argv: list[str], env: dict[str, str]) -> None:
        self.program = program
        self.log = folder / "log"
        self.log.write_bytes(b"")
        self.events: list[dict[str, object]] = []
        self._socket = folder / "socket"
        self._env = env
        (folder / "conf").write_text(
            "set -g status off\nset -s escape-time 0\nset -g remain-on-exit on\nset -g history-limit 20000\n"
            "set -g default-terminal tmux-256color\nset -g allow-rename off\n"
        )
        self._began = time.monotonic()
        size = ("-x", str(program.columns), "-y", str(program.lines))
        self.tmux("-f", str(folder / "conf"), "new-session", "-d", *size, f"read go; exec {shlex.join(argv)}")
        self.tmux("pipe-pane", "-O", f"exec cat >> {shlex.quote(str(self.log))}")
        self._event("start", program.command)
        self.tmux("send-keys", "Enter")

    def tmux(self, *words: str) -> str:
        call = ["tmux", "-S", str(self._socket), *words]
        return subprocess.run(call, capture_output=True, text=True, env=self._env, timeout=30).stdout

    def close(self) -> None:
        self.tmux("kill-server")

    def play(self) -> None:
        """Do every step, or stop when enough was written."""
        for step in self.program.steps:
            if self.log.stat().st_size > LARGEST:
                return
            self._do(step)
        self._quiet(0.4)

    def _do(self, step: Step) -> None:
        kind, data = step
        if kind == "wait":
            self._wait(str(data))
        elif kind == "pause":
            time.sleep(float(str(data)))
        elif kind == "resize":
            self._quiet(0.3)
            assert isinstance(data, tuple)
            self._event(kind, list(data))
            self.tmux("resize-window", "-x", str(data[0]), "-y", str(data[1]))
            self._quiet(0.4)
        elif kind == "type":
            self._event(kind, data)
            for piece in str(data):
                self.tmux("send-keys", "-l", piece if piece != ";" else "\\;")
            self._quiet(0.15)
        else:
            for key in str(data).split():
                name, _, count = key.partition("*")
                for _ in range(int(count or 1)):
                    self._event("keys", [name])
                    self.tmux("send-keys", name)
                    self._quiet(0.1, 0.6)

    def _event(self, kind: str, data: object) -> None:
        at = round(time.monotonic() - self._began, 3)
        self.events.append({"t": at, "offset": self.log.stat().st_size, "kind": kind, "data": data})

    def _wait(self, text: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while text not in self.tmux("capture-pane", "-p"):
            if time.monotonic() > deadline:
                print(f"  {self.program.name}: no {text!r}; the screen:\n{self.tmux('capture-pane', '-p')}")
                return
            time.sleep(0.05)

    def _quiet(self, seconds: float, patience: float = 3.0) -> None:
        deadline = time.monotonic() + patience
        size, since = -1, time.monotonic()
        while time.monotonic() - since < seconds and time.monotonic() < deadline:
            now = self.log.stat().st_size
            if now != size:
                size, since = now, time.monotonic()
            time.sleep(0.02)


def confined(program: Program, home: Path, folder: Path) -> tuple[list[str], dict[str, str]]:
    """The call of a program in a world without this machine's names, and its environment."""
    (folder / "passwd").write_text("root:x:0:0::/:/bin/sh\ndemo:x:1000:1000:demo:/home/demo:/bin/bash\n")
    (folder / "hosts").write_text("127.0.0.1 localhost box\n")
    bwrap = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--tmpfs"]
    bwrap += ["/home", "--bind", str(home), HOME, "--ro-bind", str(folder / "passwd"), "/etc/passwd"]
    bwrap += ["--ro-bind", str(folder / "hosts"), "/etc/hosts", "--chdir", HOME, "--unshare-pid"]
    bwrap += ["--unshare-uts", "--hostname", "box", "--unshare-user", "--uid", "1000", "--gid", "1000"]
    bwrap += ["--unsetenv", "TMUX", "--unsetenv", "TMUX_PANE"]
    bwrap += ["--as-pid-1", "--die-with-parent", "/bin/bash", "-c", program.command]
    env = {"PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin:/usr/games:/usr/sbin"}
    env |= {"HOME": HOME, "USER": "demo", "LOGNAME": "demo", "SHELL": "/bin/bash", "LANG": "C.UTF-8"}
    env |= {"LC_ALL": "C.UTF-8", "PS1": r"\[\e[32m\]demo@box\[\e[0m\]:\w\$ ", "TZ": "UTC", "PAGER": "less"}
    env |= {"COLORTERM": "truecolor", "EDITOR": "vim", "GIT_PAGER": "less -R", "MANPAGER": "less"}
    return bwrap, env | program.env


def record(program: Program) -> Recording | None:
    """Run one program and keep what it wrote; None when it cannot run here."""
    missing = [name for name in program.needs if shutil.which(name) is None]
    if missing:
        print(f"{program.name}: left out, {', '.join(missing)} is not installed")
        return None
    folder = Path(tempfile.mkdtemp(prefix="amtui-record-"))
    home = folder / "home"
    try:
        if program.agent:
            from agents import on_stage

            with on_stage(program, folder) as (argv, env):
                stage = _played(folder, program, argv, env)
        else:
            make_home(home)
            stage = _played(folder, program, *confined(program, home, folder))
        return _kept(program, stage)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _played(folder: Path, program: Program, argv: list[str], env: dict[str, str]) -> Stage:
    stage = Stage(folder, program, argv, env)
    try:
        stage.play()
    finally:
        stage.close()
    return stage


def _kept(program: Program, stage: Stage) -> Recording:
    data = stage.log.read_bytes()
    stem = f"{program.name}_{program.columns}x{program.lines}"
    if len(data) > LARGEST:
        places = Recording(program.name, program.columns, program.lines, data).places()
        data = data[: max(at for at in places if at <= LARGEST)]
    for word in (os.environ["HOME"] + "/", f"@{platform.node()}", f"{platform.node()}:", "sk-"):
        if word.encode() in data:
            raise SystemExit(f"{program.name}: the recording holds {word!r}; not kept")
    events = [event for event in stage.events if int(str(event["offset"])) <= len(data)]
    notes = {
        "name": program.name, "command": program.command, "columns": program.columns, "lines": program.lines,
        "bytes": len(data), "events": events,
    }  # fmt: skip
    OWN.mkdir(exist_ok=True)
    (OWN / f"{stem}.raw.gz").write_bytes(gzip.compress(data, mtime=0))
    (OWN / f"{stem}.json").write_text(json.dumps(notes, indent=0, ensure_ascii=False) + "\n")
    return load(OWN / f"{stem}.raw.gz")


def frames(made: list[Recording]) -> None:
    """Ask a live tmux what each recording shows, keep it, and say how we compare."""
    pane = Pane(shutil.which("tmux") or "tmux", 80, 24)
    try:
        for recording in made:
            shown = list(watch(pane, recording))
            store(recording, shown, OWN)
            bad = [(frame.at, found[:2]) for frame, found in check(recording, shown) if found]
            print(
                f"{recording}: {len(recording.data)} bytes, {len(shown)} frames, {len(bad)} differ", bad[:2]
            )
    finally:
        pane.close()


def main(names: list[str]) -> None:
    """Record the named programs, or all."""
    if names == ["--frames"]:
        frames(recordings(OWN))
        return
    wanted = [program for program in PROGRAMS if not names or program.name in names]
    for program in wanted:
        made = record(program)
        if made is not None:
            frames([made])


if __name__ == "__main__":
    main(sys.argv[1:])
