"""The only writer to stderr, and the owner of exit codes: one line of what happened, one of what to do.

An unexpected error becomes one line and a crash file that a person can read before sending it on: frames without
the values of variables, and a message in which anything like a credential is masked.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress

from amtui.errors import AmtuiError

INTERRUPTED = 130
BROKEN_PIPE = 141
"""What a shell reports for a program that SIGPIPE ended."""

_CREDENTIAL_NAME = re.compile(r"KEY|TOKEN|SECRET|PASS|CREDENTIAL|AUTH", re.IGNORECASE)
_TOKEN_LIKE = re.compile(r"(?=[\w./+=-]*\d)(?=[\w./+=-]*[A-Za-z])[\w+=-]{20,}")


def narrate(text: str) -> None:
    """A line about what is going on, or what went wrong."""
    from amtui.model import plain  # here, because a call that says nothing should not pay for it

    with suppress(OSError):  # nobody listens any more; the work matters more than its narration
        sys.stderr.write(plain(text) + "\n")
        sys.stderr.flush()


def report(error: AmtuiError) -> int:
    """Say what was refused or failed and return its exit code."""
    return refuse(error.message, error.hint, error.exit_code)


def refuse(message: str, hint: str, exit_code: int) -> int:
    """The same for anything with a message and a next step."""
    narrate(f"amtui: {' '.join(message.split())}")
    if hint:
        narrate(f"  → {' '.join(hint.split())}")
    return exit_code


def crashed(error: BaseException, env: Mapping[str, str]) -> int:
    """Keep what a developer needs, and say where."""
    kind = type(error).__name__
    try:
        where = f"details in {_write_crash(error, env)}; please report it"
    except Exception as second:
        where = f"and no crash file could be written ({type(second).__name__})"
    return refuse(f"unexpected {kind}; this is a defect of amtui", where, 1)


def mask(text: str, env: Mapping[str, str]) -> str:
    """`text` without values of variables that look like credentials, and without token-like words."""
    for name, value in env.items():
        if len(value) >= 6 and _CREDENTIAL_NAME.search(name):
            text = text.replace(value, "***")
    return _TOKEN_LIKE.sub("***", text)


def _write_crash(error: BaseException, env: Mapping[str, str]) -> str:
    import platform
    import time
    import traceback

    from amtui import __version__
    from amtui.config import Paths
    from amtui.model import plain

    lines = [f"amtui {__version__}, Python {platform.python_version()}, {platform.platform()}", ""]
    for link in _chain(error):
        for frame in traceback.extract_tb(link.__traceback__):
            lines.append(f"  {frame.filename}:{frame.lineno} in {frame.name}")
        lines += [f"{type(link).__name__}: {mask(plain(str(link)), env)}", ""]
    folder = Paths.from_environment(env).crash_dir
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
        file.write("\n".join(lines))
    return str(path)


def _chain(error: BaseException) -> list[BaseException]:
    """The causes first, as a traceback prints them."""
    links: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in links:
        links.append(current)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return links[::-1]
