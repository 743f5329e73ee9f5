"""What the screens need of a console handle, written down so that a test can stand in for the real one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from amtui.emulator import Screen


class Status(Protocol):
    """State of the link to a console, as `console` reports it."""

    @property
    def link(self) -> str:
        """connecting, live, stale, reconnecting, dead, ended, …"""
        ...

    @property
    def detail(self) -> str: ...
    @property
    def level(self) -> Any: ...
    @property
    def rtt(self) -> float | None: ...
    @property
    def since(self) -> float:
        """When `link` became what it is, in seconds of a monotonic clock."""
        ...

    @property
    def columns(self) -> int: ...
    @property
    def rows(self) -> int: ...
    @property
    def size_owner(self) -> str: ...
    @property
    def unacked(self) -> int:
        """Bytes typed and not yet known to be accepted."""
        ...

    @property
    def refused(self) -> bytes: ...
    @property
    def unread(self) -> bytes:
        """Keys accepted just before the program ended, which it may not have read."""
        ...

    @property
    def refusal(self) -> str: ...
    @property
    def exit_status(self) -> str: ...


class Handle(Protocol):
    """A view of a console: it can be looked at and let go, nothing else."""

    visible: bool
    """Whether the view is on show; a console that no view shows is not followed."""

    @property
    def screen(self) -> Screen: ...
    @property
    def status(self) -> Status: ...

    def listen(self, fn: Callable[[], None]) -> Callable[[], None]:
        """Call `fn` on the event loop after each change of screen or status; returns the way to stop it."""
        ...

    async def history(self, first: int, count: int) -> Any: ...

    async def release(self) -> None: ...


class Typing(Handle, Protocol):
    """A handle opened with authority `type`."""

    def type(self, data: bytes, *, control: bool = False) -> None: ...

    def paste(self, data: bytes) -> None: ...

    async def resize(self, columns: int, rows: int) -> bool:
        """Size the console to this view; False when the size is another typist's for now."""
        ...


Clock = Callable[[], float]
"""Unix time in seconds."""

Facts = Mapping[str, str]
