"""Makes `tests/perf/typed/`: real programs typed into by the people of `typed_sessions.py`, every key and every piece
of output with its time.

    .venv/bin/python tests/perf/record_typed.py [KIND …]

A developer's step, not part of the tests. Programs run in a private tmux as `tests/emulator/record.py` runs them.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "emulator"), str(HERE.parents[1])]

from demo_home import make_home  # noqa: E402
from programs import Program  # noqa: E402
from record import confined  # noqa: E402
from typed_replay import Session, save  # noqa: E402
from typed_sessions import COUNTS, script  # noqa: E402

from tests.agentstate.rig import AgentRig  # noqa: E402
from tests.modelserver import ModelServer, Prompt, Reply  # noqa: E402

AGENTS = Path("/tmp/demo-agents")
SIZES = {"shell": (80, 24), "password": (80, 24), "vim": (90, 28), "claude": (100, 30), "codex": (100, 30)}
READY = {"shell": "$", "password": "$", "vim": "word1", "claude": "manual mode", "codex": "Ask Codex"}
LOGIN = """#!/usr/bin/env python3
import getpass, sys
if "--name" not in sys.argv:
    input("Name: ") if sys.argv[1:] else None
getpass.getpass("Password for demo: ")
print("Welcome." if len(sys.argv) > 1 else "Sorry, try again.")
"""


class Taken:
    """One pane whose output is kept as it comes, with its time."""

    def __init__(self, folder: Path, size: tuple[int, int], argv: list[str], env: dict[str, str]) -> None:
        self.columns, self.lines = size
        self.events: list[tuple[float, str, bytes]] = []
        self._log = folder / "log"
        self._log.write_bytes(b"")
        self._socket, self._env = folder / "socket", env
        (folder / "conf").write_text(
            "set -g status off\nset -s escape-time 0\nset -g remain-on-exit on\n"
            "set -g default-terminal tmux-256color\nset -g allow-rename off\n"
        )
        sides = ("-x", str(self.columns), "-y", str(self.lines))
        self.tmux(
            "-f", str(folder / "conf"), "new-session", "-d", *sides, f"read go; exec {shlex.join(argv)}"
        )
        self.tmux("pipe-pane", "-O", f"exec cat >> {shlex.quote(str(self._log))}")
        self._keys = subprocess.Popen(
            ["tmux", "-S", str(self._socket), "-C", "attach"], env=env, stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        self._began = time.monotonic()
        self._over = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.press(b"\r")
        self.events.clear()

    def tmux(self, *words: str) -> str:
        call = ["tmux", "-S", str(self._socket), *words]
        return subprocess.run(call, capture_output=True, text=True, env=self._env, timeout=30).stdout

    def _read(self) -> None:
        with self._log.open("rb") as log:
            while not self._over.is_set():
                if data := log.read():
                    self.events.append((time.monotonic() - self._began, "out", data))
                time.sleep(0.001)

    def press(self, data: bytes, kind: str = "key") -> None:
        assert self._keys.stdin is not None
        self.events.append((time.monotonic() - self._began, kind, data))
        self._keys.stdin.write(f"send-keys -H {data.hex(' ')}\n".encode())
        self._keys.stdin.flush()

    def until(self, text: str) -> None:
        deadline = time.monotonic() + 40
        while text not in self.tmux("capture-pane", "-p"):
            if time.monotonic() > deadline:
                raise SystemExit(f"no {text!r}:\n{self.tmux('capture-pane', '-p')}")
            time.sleep(0.05)

    def close(self) -> None:
        self.tmux("kill-server")
        self._keys.wait()
        self._over.set()
        self._reader.join()


def answer(prompt: Prompt) -> Reply:
    """Some sentences, no tools."""
    return Reply("I have read the parser. The last line is dropped where the loop ends before it. " * 3)


@contextlib.contextmanager
def on_stage(kind: str, folder: Path) -> Iterator[tuple[list[str], dict[str, str]]]:
    if kind in ("claude", "codex"):
        with ModelServer(answer, pause=0.03) as model, AgentRig(AGENTS, kind, base_url=model.base_url) as rig:
            rig.install()
            rig.configure()
            yield [rig.write_launch()], rig.env | {"COLORTERM": "truecolor", "LANG": "C.UTF-8"}
        return
    home = folder / "home"
    make_home(home)
    (home / "login").write_text(LOGIN)
    (home / "login").chmod(0o755)
    yield confined(Program(kind, "vim text.txt" if kind == "vim" else "exec bash", ()), home, folder)


def record(kind: str, number: int) -> str:
    folder = Path(tempfile.mkdtemp(prefix="amtui-typed-"))
    try:
        with on_stage(kind, folder) as (argv, env):
            taken = Taken(folder, SIZES[kind], argv, env)
            try:
                taken.until(READY[kind])
                time.sleep(2.0)
                for press in script(kind, number):
                    time.sleep(press.gap)
                    taken.press(press.data, "secret" if press.secret else "key")
                time.sleep(1.5)
            finally:
                taken.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    events = sorted(taken.events, key=lambda event: event[0])
    everything = b"".join(data for _, what, data in events if what == "out")
    for word in (os.environ["HOME"] + "/", os.uname().nodename, "sk-"):
        assert word.encode() not in everything, f"{kind} {number}: {word!r} in the recording"
    save(Session(f"{kind}-{number}", taken.columns, taken.lines, events))
    return f"{kind} {number}: {sum(e[1] != 'out' for e in events)} keys, {len(everything)} bytes"


def main(kinds: list[str]) -> None:
    wanted = [(kind, n) for kind in kinds or COUNTS for n in range(COUNTS[kind])]
    with ThreadPoolExecutor(3) as pool:
        for line in pool.map(lambda one: record(*one), wanted):
            print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
