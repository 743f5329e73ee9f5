"""What amtui owns on this computer, opened once per process: configuration, store, secrets, substrates, consoles."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from amtui.config import Config, Paths, Secrets, load
from amtui.model import Authority, Worker
from amtui.providers.base import Place
from amtui.providers.registry import Providers
from amtui.store import Store
from amtui.upstreams import Upstreams

if TYPE_CHECKING:
    from amtui.console.hub import ConsoleHandle, Hub

Clock = Callable[[], float]
AskSecret = Callable[[str], Awaitable[str | None]]
"""Prompt in, what a person typed or None out."""


class Estate:
    """Everything the fleet works with. Heavy parts (the console hub, network providers) are made on first use.

    Raises `ConfigError` and `StoreError` from `open`: nothing works without a readable configuration and store.
    """

    def __init__(
        self,
        paths: Paths,
        config: Config,
        store: Store,
        secrets: Secrets,
        *,
        env: Mapping[str, str],
        clock: Clock = time.time,
    ) -> None:
        self.paths = paths
        self.config = config
        self.store = store
        self.secrets = secrets
        self.env = env
        self.clock = clock
        self.upstreams = Upstreams(config, paths)
        self.ask_secret: AskSecret | None = None
        """How an adapter asks the operator for a passphrase; the front end that is in front sets it."""
        self.providers = Providers(paths, config, secrets, ask=self._ask)
        self._hub: Hub | None = None
        self._places: dict[str, Place] = {}
        self.uids: dict[str, int] = {}
        """User id on the host by socket path."""

    async def _ask(self, prompt: str) -> str | None:
        return await self.ask_secret(prompt) if self.ask_secret is not None else None

    @classmethod
    def open(
        cls, env: Mapping[str, str] | None = None, *, lenient: bool = False, clock: Clock = time.time
    ) -> Estate:
        """Read the configuration and open the store named by the environment (`AMTUI_*_DIR`, XDG).

        With `lenient` a section of the configuration with a mistake counts as absent: for those who report mistakes.
        """
        env = os.environ if env is None else env
        paths = Paths.from_environment(env)
        config = load(paths, lenient=lenient)
        store = Store.open(paths.database, clock=clock)
        return cls(paths, config, store, Secrets(paths, env), env=env, clock=clock)

    @property
    def hub(self) -> Hub:
        """The one console hub of this process."""
        if self._hub is None:
            from amtui.console.config import ConsoleConfig
            from amtui.console.hub import Hub

            self._hub = Hub(history=self.config.section("console", ConsoleConfig).history)
        return self._hub

    async def place(self, worker: Worker) -> Place:
        """Where a worker lives. Remembered: only the first call for a worker may need an exec."""
        known = self._places.get(worker.id)
        if known is None:
            known = self._places[worker.id] = await self.providers.place(worker)
        return known

    def forget(self, worker: Worker) -> None:
        """Drop what is remembered of a worker that was destroyed or moved."""
        self._places.pop(worker.id, None)

    async def open_console(self, name: str, console: str, authority: Authority) -> ConsoleHandle:
        """A handle on a worker's console; only a handle opened to type can type."""
        return await self.hub.open(await self.place(self.store.worker(name)), console, authority)

    async def aclose(self) -> None:
        """Close consoles, connections and the store; agents keep running."""
        if self._hub is not None:
            await self._hub.aclose()
        await self.providers.aclose()
        self.store.close()
