"""Questions to the person at the terminal. Without a terminal nobody is asked, and the answer is a refusal."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from amtui.errors import NeedsConfirmation

if TYPE_CHECKING:
    from amtui.ops.context import Question

HINTS = {
    "confirm": "add --yes to go ahead",
    "name": "add --yes to go ahead",
    "choice": "name it on the command line",
    "secret": "pipe the value in: … | amtui secret set NAME",
}


def possible() -> bool:
    """Whether there is a person at a terminal to be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


async def ask(question: Question) -> str | None:
    """Put a question to the person and return the answer; None when they declined.

    A secret may also be piped in. Blocks the event loop on purpose: nothing else goes on while we wait for a person.
    Raises `NeedsConfirmation` where nobody can answer.
    """
    if question.kind == "secret" and not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n") or None
    if not possible():
        raise NeedsConfirmation(f"{question.title}: {question.text}", HINTS[question.kind])
    with _interruptible():
        try:
            return _put(question)
        except EOFError:
            return None


def _put(question: Question) -> str | None:
    from amtui.model import plain

    title, text = plain(question.title), plain(question.text)
    match question.kind:
        case "secret":
            from getpass import getpass

            return getpass(f"{title} ({text}): ", stream=sys.stderr) or None
        case "confirm":
            answer = _line(f"{title}: {text}\nGo ahead? [y/N] ")
            return "yes" if answer.lower() in ("y", "yes") else None
        case "name":
            return _line(f"{title}: {text}\nType {question.expect!r} to go ahead: ") or None
        case _:
            words = "/".join(plain(option) for option in question.options)
            answer = _line(f"{title}: {text}\n[{words}] ")
            found = [o for o in question.options if answer and o.lower().startswith(answer.lower())]
            return found[0] if len(found) == 1 else None


def _line(prompt: str) -> str:
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.strip()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end a blocking read: asyncio's own handler would only note it and go on reading."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
