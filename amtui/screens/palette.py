"""`ctrl+p`: every operation of the registry, on the worker in front where it needs one, and every worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, cast

from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider, SearchIcon

from amtui.ops.base import Effect, Op, Surface
from amtui.screens.actions import WorkerActions
from amtui.screens.command import CommandScreen
from amtui.screens.desk import Desk

Entry = tuple[str, str, Callable[[], Any]]
"""Title, help and what it does."""


def entries(desk: Desk, screen: Any) -> Iterator[Entry]:
    """What the palette offers over `screen`."""
    row = screen.selected() if isinstance(screen, WorkerActions) else None
    name = row.worker.name if row is not None else ""
    for op in desk.operations.on(Surface.PALETTE):
        if desk.ctx.read_only and op.effect is not Effect.READ:
            continue
        yield from _entry(desk, op, name)
    for worker in (r.worker.name for r in desk.ctx.fleet.rows()):
        yield f"Console of {worker}", "open it", partial(desk.open_worker, worker)
        yield f"Logs of {worker}", "follow, search, save", partial(desk.open_logs, worker)
    yield "Events", "what happened, of all workers", partial(desk.open_logs, "")
    yield "Command line", "type a verb", desk.action_command
    yield "Help", "keys and operations", desk.action_help
    yield "Quit", "agents keep running", desk.exit


def _entry(desk: Desk, op: Op, name: str) -> Iterator[Entry]:
    if op.id == "new":
        yield op.title, op.summary, partial(desk.open_deploy, {})
        return
    try:
        fields = desk.operations.fields(op.id)
    except Exception:  # an operation that cannot be loaded is not offered; its own verb tells why
        return
    missing = [f for f in fields if f.required or (f.arg.positional and f.arg.complete == "worker")]
    if not missing:
        yield op.title, op.summary, partial(desk.perform, op.id, {})
    elif name and all(f.arg.complete == "worker" for f in missing):
        values = {f.name: (name,) if f.many else name for f in missing}
        yield f"{op.title}: {name}", op.summary, partial(desk.perform, op.id, values)
    else:
        yield f"{op.title}…", op.summary, partial(desk.push_screen, CommandScreen(f"{op.id} "))


class OperationsProvider(Provider):
    """Feeds the palette."""

    def _entries(self) -> Iterator[Entry]:
        return entries(cast("Desk", self.app), self.screen)

    async def discover(self) -> Hits:
        for title, about, run in self._entries():
            yield DiscoveryHit(title, run, help=about)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for title, about, run in self._entries():
            if (score := matcher.match(title)) > 0:
                yield Hit(score, matcher.highlight(title), run, help=about)


class Palette(CommandPalette):
    """Textual's palette without its emoji, whose width terminals disagree on."""

    def on_mount(self) -> None:
        for icon in self.query(SearchIcon):
            icon.icon = "› "


async def open_palette(desk: Desk) -> None:
    """Show the palette over the screen in front."""
    await desk.push_screen(Palette(providers=[OperationsProvider], placeholder="an operation or a worker"))
