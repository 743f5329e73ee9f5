"""A worker of real files and a real private tmux, without providers or bootstrap: for runtimes and agent state.

Installs a runtime by its own steps, applies its edits, starts its launcher and reads the console with the probe.
Used by `tests/e2e/test_runtimes_*.py` and by `collect.py`, which makes the frames.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from amtui.agentstate.evidence import Evidence
from amtui.agentstate.probe import parse_probe, probe_argv
from amtui.model import MAIN_CONSOLE, Autonomy, Wire, Worker
from amtui.providers.base import Place, Provider
from amtui.providers.environment import allow_list
from amtui.runtimes import Setup, get
from amtui.runtimes.base import Step
from amtui.runtimes.launch import render
from amtui.upstreams.base import Upstream

KEY = "sk-planted-5f3a9c1e77d24b60a8e2-only-in-the-env-file"
MODEL = "test-model-1"
WIRES = {"claude": Wire.MESSAGES, "codex": Wire.RESPONSES}

_OSC = re.compile(rb"\x1b\]7501;([^\x07\x1b]*)(?:\x07|\x1b\\)")


def upstream(runtime: str, base_url: str) -> Upstream:
    """A custom upstream with the wire of that runtime."""
    return Upstream(id="scripted", wires=(WIRES[runtime],), base_url=base_url, key_env="SCRIPTED_KEY")


class AgentRig:
    """One worker under `base`; `with` ends its tmux server and removes its files (not `base/cache`).

    `user` (uid, root only) runs everything as that user id.
    """

    def __init__(
        self,
        base: Path,
        runtime: str,
        *,
        autonomy: Autonomy = Autonomy.ASK,
        base_url: str = "",
        key: str | None = KEY,
        model: str | None = MODEL,
        login_later: bool = False,
        user: int | None = None,
        env: Mapping[str, str] | None = None,
        tmux: str = "tmux",
    ) -> None:
        identity = uuid.uuid4().hex
        self.user = user
        self._tmux = tmux
        self.root = base / "workers" / identity[:12]
        self._sockets = Path(tempfile.mkdtemp(prefix="amtui-rig-"))
        self.place = Place(
            provider=cast(Provider, None),
            host_id="local",
            base=str(base),
            root=str(self.root),
            socket=str(self._sockets / identity[:12]),
        )
        self.home = Path(self.place.home)
        self.workdir = self.home / "work"
        worker = Worker(
            id=identity,
            name="rig",
            substrate="local",
            host_id="local",
            runtime=runtime,
            autonomy=autonomy,
            model=model,
            login_later=login_later,
        )
        self.runtime = get(runtime)
        self.setup = Setup(
            worker=worker,
            place=self.place,
            workdir=str(self.workdir),
            uid=os.getuid() if user is None else user,
            upstream=upstream(runtime, base_url) if base_url else None,
            key=key if base_url else None,
        )
        self.env = {**allow_list(os.environ), "HOME": str(self.home), "TERM": "xterm-256color", **(env or {})}
        if "/" in tmux:
            self.env["PATH"] += f":{Path(tmux).parent}"
        self.console_log = self._sockets / "output"
        run = Path(self.place.run(MAIN_CONSOLE))
        for directory in (self.workdir, Path(self.place.etc), run, base / "cache"):
            directory.mkdir(parents=True, exist_ok=True)
        if user is not None:
            for path in (base / "cache", self.root, *self.root.rglob("*"), self._sockets):
                os.chown(path, user, user)

    def __enter__(self) -> AgentRig:
        return self

    def __exit__(self, *_: object) -> None:
        self.tmux("kill-server", check=False)
        shutil.rmtree(self._sockets, ignore_errors=True)
        shutil.rmtree(self.root, ignore_errors=True)

    # -- preparing

    def run(self, argv: Sequence[str], *, check: bool = False) -> subprocess.CompletedProcess[bytes]:
        """Run a program of ours for this worker, under the allow-list environment."""
        if self.user is not None:
            argv = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups", *argv]
        done = subprocess.run(
            argv, env=self.env, cwd=self.home, capture_output=True, timeout=900, check=False
        )
        if check and done.returncode:
            raise AssertionError(f"{argv[:4]} failed: {(done.stdout + done.stderr).decode(errors='replace')}")
        return done

    def sh(self, script: str) -> subprocess.CompletedProcess[bytes]:
        return self.run(["/bin/sh", "-c", script])

    def install(self) -> list[str]:
        """Run the steps that are needed; returns their ids."""
        return [step.id for step in self.runtime.install(self.setup) if self.step(step)]

    def take(self, local: Path) -> None:
        """Use a program that another worker installed: hard links, so it costs no time and no space."""
        if self.user is None:
            self.run(["cp", "-al", str(local), str(self.home / ".local")], check=True)
        else:
            shutil.copytree(local, self.home / ".local", symlinks=True)
            for path in (self.home / ".local", *(self.home / ".local").rglob("*")):
                os.lchown(path, self.user, self.user)

    def step(self, step: Step) -> bool:
        """True when there was something to do."""
        if self.sh(step.check).returncode == 0:
            return False
        done = self.sh(step.apply)
        assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")
        assert self.sh(step.check).returncode == 0, f"{step.id}: applied, but its check still fails"
        return True

    def configure(self) -> None:
        for edit in self.runtime.edits(self.setup):
            path = self.home / edit.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(edit.merge(path.read_bytes() if path.exists() else None))
            path.chmod(edit.mode)
            self._own(path.parent, path)

    def write_launch(self, *, resume: bool = False, prefix: Sequence[str] = ()) -> str:
        files = render(self.setup, self.runtime.launch(self.setup, resume=resume), prefix=prefix)
        for name, data, mode in (
            (files.script_path, files.script, files.script_mode),
            (files.env_path, files.env, files.env_mode),
        ):
            Path(name).write_bytes(data)
            Path(name).chmod(mode)
            self._own(Path(name))
        return files.script_path

    def _own(self, *paths: Path) -> None:
        if self.user is not None:
            for path in paths:
                os.chown(path, self.user, self.user)

    # -- the console

    def tmux(self, *words: str, check: bool = True) -> str:
        done = self.run([self._tmux, "-u", "-S", self.place.socket, "-f", "/dev/null", *words], check=check)
        return done.stdout.decode(errors="replace")

    def start(
        self, *, columns: int = 100, rows: int = 30, resume: bool = False, prefix: Sequence[str] = ()
    ) -> None:
        launcher = self.write_launch(resume=resume, prefix=prefix)
        size = ("-x", str(columns), "-y", str(rows))
        options = (
            "set",
            "-g",
            "default-terminal",
            "tmux-256color",
            ";",
            "set",
            "-g",
            "remain-on-exit",
            "on",
            ";",
        )
        # The server needs a first session before options can be set that the agent's session must start with.
        self.tmux(*options, "new-session", "-d", "-s", MAIN_CONSOLE, *size, "--", launcher)
        self.tmux("pipe-pane", "-t", f"{MAIN_CONSOLE}:", f"cat >> {self.console_log}")

    def restart(self, *, resume: bool = False) -> None:
        launcher = self.write_launch(resume=resume)
        self.tmux("respawn-pane", "-k", "-t", f"{MAIN_CONSOLE}:", "--", launcher)

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p", "-t", f"{MAIN_CONSOLE}:")

    def keys(self, *names: str) -> None:
        self.tmux("send-keys", "-t", f"{MAIN_CONSOLE}:", *names)

    def send(self, text: str) -> None:
        """Type `text`, wait until it is on the screen, press Enter."""
        self.keys("-l", text)
        self.until(lambda: text in self.screen(), f"the echo of {text!r}")
        if text.startswith("/"):
            self.still()  # the list of commands that pops up takes an Enter that comes before it is drawn
        self.keys("Enter")

    def until(self, wanted: Callable[[], Any], what: str, timeout: float = 30.0) -> float:
        """Wait for a condition; returns the seconds it took. AssertionError shows the screen."""
        begun = time.monotonic()
        while not wanted():
            if time.monotonic() - begun > timeout:
                raise AssertionError(f"no {what} within {timeout} s; the screen:\n{self.screen()}")
            time.sleep(0.03)
        return time.monotonic() - begun

    def until_shows(self, text: str, timeout: float = 30.0) -> float:
        return self.until(lambda: text in self.screen(), repr(text), timeout)

    def still(self, quiet: float = 0.6) -> None:
        """Wait until the screen has not changed for `quiet` seconds (a spinner counts as a change)."""
        last, since = "", time.monotonic()
        while time.monotonic() - since < quiet:
            now = self.screen()
            if now != last:
                last, since = now, time.monotonic()
            time.sleep(0.05)

    # -- what is known

    def write_signals(self) -> list[str]:
        """Keep the console's signal file as the console's pump would; returns all OSC 7501 texts so far."""
        data = self.console_log.read_bytes() if self.console_log.exists() else b""
        texts = [m.decode(errors="replace") for m in _OSC.findall(data)]
        told = [text for text in texts if not text.startswith("?")]
        if told:
            path = Path(self.place.run(MAIN_CONSOLE)) / "sig"
            path.write_text(f"7501 {time.time():.3f} {told[-1]}\n")
            self._own(path)
        return texts

    def evidence(self) -> Evidence:
        self.write_signals()
        argv = probe_argv(self.place.root, self.place.socket, MAIN_CONSOLE, self.runtime.id)
        return parse_probe(self.runtime.id, self.run(argv, check=True).stdout)
