"""The operating system's keyring, behind a deadline: a locked or half-installed one must never stop amtui.

Every call runs in a thread of its own that is given up after `TIMEOUT` seconds; after the first failure the
keyring counts as absent for the rest of the process.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar

SERVICE: Final = "amtui"
TIMEOUT: Final = 3.0
"""Seconds; a keyring that asks the user to unlock it first does not answer in that time."""

_UNFIT: Final = ("keyring.backends.fail", "keyring.backends.null", "keyrings.alt")
"""Backends that keep nothing, or keep it in plain files without saying so."""

T = TypeVar("T")


class Backend(Protocol):
    """The part of `keyring.backend.KeyringBackend` that is used."""

    def get_password(self, service: str, username: str) -> str | None: ...
    def set_password(self, service: str, username: str, password: str) -> None: ...
    def delete_password(self, service: str, username: str) -> None: ...


class OsKeyring:
    """Get, set and delete by name. `find` supplies the backend and may raise; tests put their own there."""

    def __init__(self, find: Callable[[], Backend | None] | None = None, *, timeout: float = TIMEOUT) -> None:
        self._find = find or _system_backend
        self._timeout = timeout
        self._backend: Backend | None = None
        self._looked = False
        self._looking = threading.Lock()
        self.absent = ""
        """Why there is none, in a few words; empty while it works or was not asked for yet."""

    def available(self) -> bool:
        """True when there is a backend that answered so far. The first call may import `keyring`."""
        with self._looking:
            if not self._looked:
                self._backend = self._try(self._find)
                if self._backend is None and not self.absent:
                    self.absent = "none installed"
                self._looked = True
        return self._backend is not None and not self.absent

    def get(self, name: str) -> str | None:
        """The value, or None when it is not there or the keyring cannot say."""
        backend = self._backend if self.available() else None
        return self._try(lambda: backend.get_password(SERVICE, name)) if backend else None

    def set(self, name: str, value: str) -> bool:
        """Keep the value and read it back; False when the keyring did not take it."""
        backend = self._backend if self.available() else None
        if backend is None:
            return False

        def store() -> bool:
            backend.set_password(SERVICE, name, value)
            return backend.get_password(SERVICE, name) == value

        return self._try(store) is True

    def delete(self, name: str) -> bool:
        """Forget the value; False when it was not there."""
        backend = self._backend if self.available() else None
        if backend is None or self.get(name) is None:
            return False

        def forget() -> bool:
            backend.delete_password(SERVICE, name)
            return True

        return self._try(forget) is True

    def _try(self, call: Callable[[], T]) -> T | None:
        """Result of `call`, or None after an error or the deadline; both make the keyring absent.

        The text of the exception is dropped: a backend may put the value into it.
        """
        answers: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

        def run() -> None:
            try:
                answers.put((True, call()))
            except BaseException as error:
                answers.put((False, type(error).__name__))

        threading.Thread(target=run, name="amtui-keyring", daemon=True).start()
        try:
            worked, answer = answers.get(timeout=self._timeout)
        except queue.Empty:
            self.absent = "locked or not answering"
            return None
        if not worked:
            self.absent = f"failing ({answer})"
            return None
        result: T = answer
        return result


def _system_backend() -> Backend | None:
    import keyring

    backend: Any = keyring.get_keyring()
    parts = getattr(backend, "backends", None)  # the chainer holds the real ones
    if parts is not None:
        fit = [part for part in parts if not type(part).__module__.startswith(_UNFIT)]
        return fit[0] if fit else None
    return None if type(backend).__module__.startswith(_UNFIT) else backend
