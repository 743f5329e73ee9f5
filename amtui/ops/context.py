"""What an operation may use: the estate, the fleet, and a way to ask the person in front of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

from amtui.config import Config, Paths
from amtui.errors import NeedsConfirmation, UsageError
from amtui.fleet.estate import Estate
from amtui.fleet.sync import Fleet
from amtui.model import MAIN_CONSOLE, Authority, Worker
from amtui.store import Store

if TYPE_CHECKING:
    from amtui.agentstate import Question as AgentQuestion
    from amtui.console.hub import ConsoleHandle
    from amtui.ops.consoles import Consoles


class Question(NamedTuple):
    """Something only a person can answer."""

    kind: Literal["confirm", "secret", "choice", "name"]
    """confirm → "yes"; secret → hidden text; choice → one of `options`; name → must type `expect` exactly."""
    title: str
    text: str
    options: tuple[str, ...] = ()
    expect: str = ""


Ask = Callable[[Question], Awaitable[str | None]]
"""Puts a question to a person; None when nobody answered or they declined."""


class Context:
    """One front end's session with amtui.

    `ask` is None where nobody can be asked; `yes` is the operator's advance consent to destructive steps;
    `terminal` tells whether stdout is a terminal, so that a reader rather than a program is served; `stdin` reads
    what was piped in and is None where there is none.
    """

    def __init__(
        self,
        estate: Estate,
        *,
        read_only: bool = False,
        yes: bool = False,
        ask: Ask | None = None,
        terminal: bool = False,
        stdin: Callable[[], str] | None = None,
    ) -> None:
        self.estate = estate
        self.fleet = Fleet(estate)
        self.read_only = read_only
        self.yes = yes
        self.ask = ask
        self.terminal = terminal
        self.stdin = stdin
        estate.ask_secret = self._passphrase

    @classmethod
    def open(
        cls,
        env: Mapping[str, str] | None = None,
        *,
        read_only: bool = False,
        yes: bool = False,
        ask: Ask | None = None,
        terminal: bool = False,
        stdin: Callable[[], str] | None = None,
        lenient: bool = False,
    ) -> Context:
        """Open the estate named by the environment. Raises `ConfigError` (not when `lenient`), `StoreError`."""
        estate = Estate.open(env, lenient=lenient)
        return cls(estate, read_only=read_only, yes=yes, ask=ask, terminal=terminal, stdin=stdin)

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self.estate.config

    @property
    def predict(self) -> Literal["auto", "on", "off"]:
        """Whether a console shows what keys will do before its host has answered (`console.predict`)."""
        from amtui.console.config import ConsoleConfig

        return self.config.section("console", ConsoleConfig).predict

    @property
    def paths(self) -> Paths:
        """Where configuration, state and cache live."""
        return self.estate.paths

    @property
    def store(self) -> Store:
        """The store: events, phases, last known rows."""
        return self.estate.store

    @property
    def streams(self) -> bool:
        """Whether output that never ends has a reader: on a command line, not in a dialog or a tool call."""
        return self.stdin is not None

    def read_stdin(self) -> str:
        """What was piped in, for operations whose text is `-`. Raises `UsageError` where nothing can be."""
        if self.stdin is None:
            raise UsageError("there is no stdin to read here", "give the text itself")
        return self.stdin()

    async def question(self, name: str) -> AgentQuestion | None:
        """The question an agent shows now, with its options; None when it shows none. Raises what its host answers."""
        from amtui.fleet.answer import open_question

        return await open_question(self.estate, self.worker(name))

    async def facts(self, name: str) -> dict[str, str]:
        """What is known of a worker, label to value, in the order a person wants it."""
        from amtui.ops.facts import facts

        return facts(self, self.worker(name))

    def worker(self, name: str) -> Worker:
        """The worker of that name. Raises `UnknownName` with the nearest names."""
        return self.estate.store.worker(name)

    async def open_console(
        self, name: str, console: str = MAIN_CONSOLE, authority: Authority = Authority.VIEW
    ) -> ConsoleHandle:
        """A handle on a console; to type needs authority `TYPE`, which read-only mode refuses."""
        from amtui.errors import Refused

        if self.read_only and authority is Authority.TYPE:
            raise Refused("typing is refused in read-only mode", "start amtui without --read-only to type")
        return await self.estate.open_console(name, console, authority)

    async def watch_consoles(self, name: str) -> Consoles:
        """A worker's consoles, told as they change; release it when done. Raises what its host answers."""
        from amtui.ops.consoles import Consoles

        worker = self.worker(name)
        return Consoles(worker, self.estate.hub.watch(await self.estate.place(worker)))

    async def _passphrase(self, prompt: str) -> str | None:
        """An adapter wants a secret for this moment; nobody to ask is no answer."""
        if self.ask is None:
            return None
        try:
            return await self.ask(Question("secret", "passphrase", prompt))
        except NeedsConfirmation:
            return None

    async def confirm(self, question: Question) -> None:
        """Return if the person agrees (or said `--yes` before). Raises `NeedsConfirmation` otherwise."""
        if self.yes:
            return
        if self.ask is None:
            raise NeedsConfirmation(f"{question.title}: {question.text}", "add --yes to go ahead")
        answer = await self.ask(question)
        wanted = question.expect or "yes"
        if answer != wanted:
            raise NeedsConfirmation(f"{question.title}: not confirmed", "nothing was changed")

    async def aclose(self) -> None:
        """Stop the refresh loops and close the estate; agents keep running."""
        await self.fleet.stop()
        await self.estate.aclose()
