"""Which of a worker's consoles is on show: the strip over it, the keys that change it, what comes and goes."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from amtui.errors import AmtuiError, NeedsConfirmation
from amtui.model import MAIN_CONSOLE, Authority, WorkerRow
from amtui.ops.base import Result
from amtui.screens.actions import WorkerActions
from amtui.widgets.console_view import ConsoleView
from amtui.widgets.panes import ConsoleStrip

if TYPE_CHECKING:
    from amtui.ops.consoles import Consoles, Tab

_OPERATIONS = {
    "new_console": "console new",
    "close_console": "console close",
    "rename_console": "console rename",
}


class ConsoleSwitch(WorkerActions):
    """A screen with one worker, several of its consoles and one of them on show.

    A console that was left stays open out of sight: its death and its bell are noticed, its picture is back within a
    round trip.
    """

    worker_name: str
    console: str
    view: ConsoleView
    strip: ConsoleStrip

    def __init__(self) -> None:
        super().__init__()
        self._consoles: Consoles | None = None
        self._kept: dict[str, Any] = {}
        """Handles that only look, by console, out of sight."""
        self._heard: dict[str, float] = {}
        """Up to when the bells of a console count as noticed."""
        self._gone = False

    def connect(self, *, typing: bool) -> None:
        """Show the console of `self.console`."""
        raise NotImplementedError

    # ---- the list

    def consoles_due(self) -> bool:
        """Whether to begin the watch. One that sleeps has no console, and looking must not wake its host."""
        row = self.selected()
        asleep = row is not None and row.worker.asleep
        if asleep and self._consoles is not None:
            self._consoles.release()
            self._consoles = None
            self.consoles_changed()
        return self._consoles is None and not self._gone and not asleep

    async def watch_consoles(self) -> None:
        """Learn which consoles there are, from now on."""
        if not self.consoles_due():
            return
        with suppress(AmtuiError):  # the console's own banner says what is wrong with the host
            consoles = await self.desk.ctx.watch_consoles(self.worker_name)
            if self._gone or self._consoles is not None:
                consoles.release()
                return
            self._consoles = consoles
            consoles.listen(self.consoles_changed)
            self.consoles_changed()

    def leave_consoles(self) -> None:
        """The screen is over."""
        self._gone = True
        if self._consoles is not None:
            self._consoles.release()
            self._consoles = None
        for handle in self._kept.values():
            self.desk.spawn(handle.release())
        self._kept.clear()

    @property
    def tabs(self) -> tuple[Tab, ...]:
        """The consoles as last told."""
        return (self._consoles.tabs or ()) if self._consoles is not None else ()

    def consoles_changed(self) -> None:
        """Some came, went, or do something else."""
        if not self.is_attached:
            return
        tabs = self.tabs
        for tab in tabs:
            if tab.console == self.console or tab.console not in self._heard:
                self._heard[tab.console] = max(tab.rang, self._heard.get(tab.console, 0.0))
        names = [tab.console for tab in tabs]
        for lost in [name for name in self._kept if names and name not in names]:
            self.desk.spawn(self._kept.pop(lost).release())
        if self.console not in names and MAIN_CONSOLE in names and self.console != MAIN_CONSOLE:
            self.desk.say(f"{self.console} was closed")
            self.switch_to(MAIN_CONSOLE)
        self.show_tabs()
        self.refresh_bindings()

    def show_tabs(self) -> None:
        """Paint the strip anew."""
        self.strip.tell(self.tabs, self.console, self._heard, self.desk.ascii_only)

    # ---- which one is on show

    def switch_to(self, console: str) -> None:
        """Show another console; who types goes on typing there."""
        if console != self.console:
            self._heard[self.console] = self.desk.clock()  # what rang until now was heard
            self.console = console
            self.show_tabs()
            self.refresh_bindings()
            self.connect(typing=self.view.typing)

    async def handle_for(self, authority: Authority) -> Any:
        """A handle on the present console: the one that was kept, else a new one. Raises `AmtuiError`."""
        kept = self._kept.pop(self.console, None)
        if kept is not None and authority is Authority.VIEW:
            return kept
        try:
            return await self.desk.ctx.open_console(self.worker_name, self.console, authority)
        finally:
            if kept is not None:
                await kept.release()

    async def put_away(self, handle: Any, console: str) -> None:
        """Keep a console that is not on show any more open out of sight; only to look."""
        if console != self.console and console not in self._kept and not self._gone:
            with suppress(AmtuiError):
                kept = await self.desk.ctx.open_console(self.worker_name, console, Authority.VIEW)
                kept.visible = False
                self._kept[console] = kept
        await handle.release()

    # ---- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "switch_console":
            return len(self.tabs) > 1
        if action in _OPERATIONS:
            row = self.selected()
            return (
                row is not None
                and not self.desk.ctx.read_only
                and self.desk.operations.has(_OPERATIONS[action])
                and self._consoles_apply(action, row)
            )
        return super().check_action(action, parameters)

    def _consoles_apply(self, action: str, row: WorkerRow) -> bool:
        if row.worker.asleep or not self._applies("restart", row):
            return False
        if action == "rename_console":
            return len(self.tabs) > 1
        return action != "close_console" or self.console != MAIN_CONSOLE

    def action_switch_console(self, step: int) -> None:
        names = [tab.console for tab in self.tabs]
        if len(names) > 1:
            at = names.index(self.console) if self.console in names else 0
            self.switch_to(names[(at + step) % len(names)])

    def action_new_console(self) -> None:
        self.desk.spawn(self._new_console())

    async def _new_console(self) -> None:
        self.desk.say("opening a console…")
        async for item in self.desk.operations.run(self.desk.ctx, "console new", {"name": self.worker_name}):
            if isinstance(item, Result) and item.data and not self._gone:
                self.switch_to(item.data["console"])
                self.desk.say(f"console {item.data['number']} is open")
        self._look_again()

    def action_close_console(self) -> None:
        self.desk.spawn(self._close_console(self.console))

    async def _close_console(self, console: str) -> None:
        values = {"name": self.worker_name, "console": console}
        try:
            async for item in self.desk.operations.run(self.desk.ctx, "console close", values):
                if isinstance(item, Result) and not self._gone:
                    self.desk.say(item.text)
                    await self._forget_console(console)
        except NeedsConfirmation:
            self.desk.say("nothing was closed")
        self._look_again()

    async def _forget_console(self, console: str) -> None:
        if self.console == console:
            self.switch_to(MAIN_CONSOLE)
        if handle := self._kept.pop(console, None):
            await handle.release()

    def action_rename_console(self) -> None:
        from amtui.screens.command import CommandScreen

        number = next((tab.number for tab in self.tabs if tab.console == self.console), 1)
        self.desk.push_screen(
            CommandScreen(f"console rename {self.worker_name} {number} "), lambda _: self._look_again()
        )

    def restart_console(self) -> None:
        """Start the shell of the console on show again."""
        self.desk.perform("console restart", {"name": self.worker_name, "console": self.console})

    def _look_again(self) -> None:
        if self._consoles is not None:
            self._consoles.refresh()

    def on_console_strip_chosen(self, event: ConsoleStrip.Chosen) -> None:
        self.switch_to(event.console)
