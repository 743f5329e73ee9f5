"""Every way amtui refuses or fails, in one hierarchy.

A front end turns any `AmtuiError` into one clear line (message), one next step (hint) and an exit code;
nothing else may reach a user as a traceback. Exit codes are part of the command-line contract.
"""

from __future__ import annotations

from typing import ClassVar


class AmtuiError(Exception):
    """Something the user can act on: what happened, what to do next, and the exit code of it.

    `message` and `hint` are one line each. Text that came from a worker or a vendor must have gone through
    `model.Untrusted.for_terminal()` before it is put here.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(AmtuiError):
    """The words of the call are wrong: an unknown name, a malformed value, two flags that exclude each other."""

    exit_code = 2


class ConfigError(AmtuiError):
    """A configuration file is wrong; the message names file, line, key and the nearest valid name."""

    exit_code = 2


class MissingTool(AmtuiError):
    """A program that must be on a host (tmux, git, npm) is not there; the hint names the package."""


class StoreError(AmtuiError):
    """The local database is locked, unwritable, or was written by a newer amtui."""


class UnknownName(AmtuiError):
    """No worker, upstream, secret or console of that name."""

    exit_code = 3


class NameTaken(AmtuiError):
    """A worker of that name exists already."""


class Refused(AmtuiError):
    """amtui will not do this: read-only mode, a permission prompt in the way, a guard that did not hold."""


class NeedsConfirmation(AmtuiError):
    """A destructive step without `--yes` where nobody can be asked."""

    exit_code = 4


class GateRefused(AmtuiError):
    """The gate found something missing before anything was created; the message names all of it."""

    exit_code = 5


class WaitTimeout(AmtuiError):
    """The awaited state did not come in time."""

    exit_code = 7


class BootstrapFailed(AmtuiError):
    """A core phase of a bootstrap failed; the message carries the phase and its cause line."""


class ProviderError(AmtuiError):
    """A substrate refused or failed. Classified by status and code, never by substrings of a message.

    `provider` and `op` say where, `code` is the vendor's own status or error class for the curious.
    """

    def __init__(
        self, message: str, hint: str = "", *, provider: str = "", op: str = "", code: str = ""
    ) -> None:
        super().__init__(message, hint)
        self.provider = provider
        self.op = op
        self.code = code


class MissingCredentials(ProviderError):
    """No key, login or identity for this substrate or upstream."""

    exit_code = 5


class AuthRejected(ProviderError):
    """The key or identity was presented and refused."""

    exit_code = 5


class NotFound(ProviderError):
    """The substrate does not know this host or file."""

    exit_code = 3


class StateGone(ProviderError):
    """The name is known but what it held is lost: a deleted snapshot, a removed worker home."""

    exit_code = 3


class WrongState(ProviderError):
    """The host is asleep, waking or stopping and cannot do this now."""


class Conflict(ProviderError):
    """Somebody else changed the same thing first."""


class QuotaExceeded(ProviderError):
    """The account's limit is reached; asking again does not help."""


class RateLimited(ProviderError):
    """Too many calls; `retry_after` is in seconds when the substrate said so."""

    exit_code = 6

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        provider: str = "",
        op: str = "",
        code: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, hint, provider=provider, op=op, code=code)
        self.retry_after = retry_after


class CapacityUnavailable(ProviderError):
    """The substrate has no room now; nothing was changed."""

    exit_code = 6


class Invalid(ProviderError):
    """The substrate calls our request malformed."""

    exit_code = 2


class Unsupported(ProviderError):
    """This substrate cannot do that, by design; the message says why."""


class Unreachable(ProviderError):
    """No route, no name, no answer, or the link broke."""

    exit_code = 6


class HostKeyUnknown(ProviderError):
    """An ssh host shows a key nobody has vouched for; `fingerprint` is what to compare."""

    exit_code = 5

    def __init__(self, message: str, hint: str = "", *, host: str, fingerprint: str, line: str) -> None:
        super().__init__(message, hint, provider="ssh", op="connect")
        self.host = host
        self.fingerprint = fingerprint
        self.line = line
        """The known_hosts line that would accept it."""


class HostKeyChanged(ProviderError):
    """An ssh host shows another key than the one on file. Never accepted from here."""

    exit_code = 5


class ExecTimeout(ProviderError):
    """Our own deadline for a remote command passed; the process group was killed. Carries what it had printed."""

    exit_code = 7

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        provider: str = "",
        op: str = "exec",
        stdout: bytes = b"",
        stderr: bytes = b"",
    ) -> None:
        super().__init__(message, hint, provider=provider, op=op)
        self.stdout = stdout
        self.stderr = stderr


class StreamBroken(ProviderError):
    """A command had started and its outcome is unknown. Re-attach or report; never run it again."""

    exit_code = 6


class ProtocolError(ProviderError):
    """The other side sent what the protocol does not allow. Its data is discarded."""


class DiskFull(ProviderError):
    """No space left where the worker lives."""
