"""Programs and hosts that tests run against: the tmux of this computer and a private sshd on loopback."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def program(name: str, *, override: str = "") -> str:
    """Absolute path of `name`: from the environment variable `override`, PATH or the sbin directories."""
    named = os.environ.get(override, "") if override else ""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/local/sbin"))
    found = named or shutil.which(name, path=path)
    if not found or not Path(found).exists():
        raise FileNotFoundError(f"{name} is not installed; the tests need it (`make test` fetches it)")
    return str(Path(found).absolute())
