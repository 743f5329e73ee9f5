"""One operator with directories of their own, who uses amtui as a person or a script does: through its command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

AMTUI = (sys.executable, "-m", "amtui")


class Operator:
    """Runs `amtui …` with its own configuration, state and cache; nothing of the real user is read or written.

    `env` is added to the environment of every call. `downloads` is a directory that stands in for the hosts'
    shared download caches, so that a test session fetches each package once.
    """

    def __init__(
        self, folder: Path, *, env: Mapping[str, str] | None = None, downloads: Path | None = None
    ) -> None:
        self.folder = folder
        self.config, self.state, self.cache = folder / "config", folder / "state", folder / "cache"
        for each in (self.config, self.state, self.cache):
            each.mkdir(parents=True, exist_ok=True)
        self.env = {
            **os.environ,
            "AMTUI_CONFIG_DIR": str(self.config),
            "AMTUI_STATE_DIR": str(self.state),
            "AMTUI_CACHE_DIR": str(self.cache),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            **(env or {}),
        }
        if downloads is not None:
            share(self.machines, downloads)

    @property
    def machines(self) -> Path:
        """Where the workers of this computer live."""
        return self.state / "machines"

    def start(self, *words: str, **more: Any) -> subprocess.Popen[bytes]:
        """Begin a call and do not wait for it."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [*AMTUI, *words], env=self.env, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, **more
        )

    def run(
        self, *words: str, stdin: bytes = b"", timeout: float = 120.0
    ) -> subprocess.CompletedProcess[bytes]:
        """One call, whatever its exit code."""
        return subprocess.run(
            [*AMTUI, *words], env=self.env, input=stdin, capture_output=True, timeout=timeout
        )

    def do(self, *words: str, stdin: bytes = b"", timeout: float = 120.0) -> str:
        """One call that must succeed; its stdout."""
        done = self.run(*words, stdin=stdin, timeout=timeout)
        assert done.returncode == 0, (
            f"amtui {' '.join(words)} → {done.returncode}\n{done.stderr.decode()[-3000:]}"
        )
        return done.stdout.decode()

    def json(self, *words: str, timeout: float = 120.0) -> dict[str, Any]:
        """One call that must succeed; its document."""
        document: dict[str, Any] = json.loads(self.do(*words, "--json", timeout=timeout))
        assert document["schema"] == 1
        return document

    def refused(self, *words: str, code: int, stdin: bytes = b"") -> str:
        """One call that must fail with `code`; its stderr."""
        done = self.run(*words, stdin=stdin)
        said = done.stderr.decode()
        assert done.returncode == code, f"amtui {' '.join(words)} → {done.returncode}, wanted {code}\n{said}"
        assert "Traceback" not in said
        return said

    def screen(self, name: str) -> str:
        """What the worker's console shows."""
        return self.do("screen", name)

    def until(self, holds: Callable[[], bool], what: str, timeout: float = 30.0) -> None:
        """Wait for a condition, not for a time."""
        deadline = time.monotonic() + timeout
        while not holds():
            assert time.monotonic() < deadline, f"not within {timeout:g} s: {what}"
            time.sleep(0.05)

    def shows(self, name: str, text: str, timeout: float = 30.0) -> None:
        """Wait until a console shows `text`."""
        self.until(lambda: text in self.screen(name), f"{text!r} on the screen of {name}", timeout)

    def destroy_all(self) -> None:
        """Leave nothing behind."""
        for worker in self.json("ls", "--cached")["workers"]:
            self.run("destroy", worker["name"], "--yes")


def share(base: Path, downloads: Path) -> None:
    """Let the host directory `base` keep its downloads in `downloads`."""
    base.mkdir(parents=True, exist_ok=True, mode=0o700)
    downloads.mkdir(parents=True, exist_ok=True)
    (base / "cache").symlink_to(downloads)
