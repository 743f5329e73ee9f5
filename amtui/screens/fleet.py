"""The fleet: every worker by who needs you, and a live look at the one under the cursor."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input

from amtui.errors import AmtuiError
from amtui.model import Authority, HostState, WorkerRow
from amtui.ops.fleet import query
from amtui.screens.actions import WorkerActions
from amtui.widgets import states
from amtui.widgets.console_view import ConsoleView
from amtui.widgets.fleet_table import FleetTable
from amtui.widgets.panes import EmptyFleet, FactsPane

PREVIEW_DELAY = 0.08
"""Seconds the cursor rests on a worker before its console is opened: scrolling a list opens none."""


class FleetScreen(WorkerActions):
    """All workers, a preview and why the selected one is in its state."""

    PLACE = "Fleet"
    MODE = "view"
    HELP_TEXT = "Workers by who needs you first. The preview is live and never resizes the agent's terminal."
    DEFAULT_CSS = """
    FleetScreen #lower { height: 14; }
    FleetScreen.-short #lower { height: 8; }
    FleetScreen #lower.off { display: none; }
    FleetScreen.-list #lower, FleetScreen.-tiny #lower { display: none; }
    FleetScreen FactsPane { display: none; width: 46; }
    FleetScreen.-wide FactsPane { display: block; }
    FleetScreen EmptyFleet { display: none; }
    FleetScreen.empty EmptyFleet { display: block; }
    FleetScreen.empty FleetTable, FleetScreen.empty #lower { display: none; }
    FleetScreen #filter { display: none; padding: 0 1; background: $surface; }
    FleetScreen #filter.on { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "try_local", "Try local", id="fleet.try_local"),
        Binding("h", "new_on_host", "Host", id="fleet.new_on_host"),
        Binding("enter", "open", "Open", id="fleet.open"),
        Binding("i", "type", "Type", id="fleet.type"),
        Binding("r", "reply", "Reply", id="worker.reply"),
        Binding("n", "new", "New", id="fleet.new"),
        Binding("right_square_bracket", "next_needing(1)", "Next▲", id="fleet.next"),
        Binding("s", "sleep", "Sleep", id="worker.sleep"),
        Binding("s", "wake", "Wake", id="worker.wake"),
        Binding("slash", "filter", "Filter", id="fleet.filter"),
        Binding("l", "logs", "Logs", id="worker.logs"),
        Binding("a", "attach", "Attach", id="fleet.attach"),
        Binding("e", "explain", "Explain", id="worker.explain"),
        Binding("R", "restart", "Restart", id="worker.restart"),
        Binding("D", "destroy", "Destroy…", id="worker.destroy"),
        Binding("B", "bootstrap", "Setup", id="worker.bootstrap"),
        Binding("p", "preview", "Preview", id="fleet.preview"),
        Binding("left_square_bracket", "next_needing(-1)", "Prev▲", show=False, id="fleet.previous"),
        Binding("escape", "clear_filter", "Clear filter", show=False, id="fleet.clear_filter"),
        Binding("ctrl+r", "refresh", "Refresh", show=False, id="fleet.refresh"),
        Binding("q", "app.leave", "Quit", id="app.quit"),
    ]
    AUTO_FOCUS = "FleetTable"

    def __init__(self) -> None:
        super().__init__()
        self._previewed = ""
        self._preview_task: asyncio.Task[None] | None = None

    def body(self) -> Iterable[Widget]:
        desk = self.desk
        self.table = FleetTable(ascii_only=desk.ascii_only, clock=desk.clock)
        self.empty = EmptyFleet()
        self.filter = Input(
            placeholder="needs working idle · on:SUBSTRATE · agent:NAME · tag:TAG · -not · words",
            id="filter",
            compact=True,
        )
        self.preview = ConsoleView(live=False, link_clock=desk.link_clock, id="preview")
        self.preview.can_focus = False
        self.why = FactsPane(id="why")
        self.lower = Horizontal(self.preview, self.why, id="lower")
        return (self.table, self.empty, self.filter, self.lower)

    def on_mount(self) -> None:
        self.why.border_title = "why"
        self.empty.tell(self.desk.ssh_hosts(), self.desk.first_run_notes())

    def on_unmount(self) -> None:
        # This screen goes with the application, and a console on show with the hub: only none must be opened now.
        if self._preview_task is not None:
            self._preview_task.cancel()

    def action_copy_text(self) -> None:
        # ctrl+c copies what is selected; who has selected nothing wants to leave.
        if self.get_selected_text() is None:
            self.desk.say("q quits; agents keep running")
        else:
            super().action_copy_text()

    # ---- rows

    def show_rows(self) -> None:
        self.table.fill(self.rows)
        self.set_class(not self.rows, "empty")
        if not self.rows and self.focused is self.table:
            self.empty.focus()
        elif self.rows and self.focused in (None, self.empty):
            self.table.focus()
        self._show_why()
        self._plan_preview()

    def selected(self) -> WorkerRow | None:
        return self.table.row()

    def tick(self) -> None:
        super().tick()
        self._show_why()

    def _show_why(self) -> None:
        row = self.selected()
        self.why.border_title = f"why: {states.look(row).word}".replace("[", "\\[") if row else "why"
        self.why.tell(row, self.desk.clock())

    def on_fleet_table_selected(self, event: FleetTable.Selected) -> None:
        self._show_why()
        self._plan_preview()
        self.refresh_bindings()

    def on_fleet_table_opened(self, event: FleetTable.Opened) -> None:
        self.action_open()

    # ---- preview

    def _preview_key(self) -> str:
        row = self.selected()
        if row is None or not self.lower.display or not self.in_sight:
            return ""
        shown = states.look(row)
        ready = shown.group != "starting" and not row.worker.asleep and row.host.state is HostState.READY
        return f"{row.worker.name}:{int(ready)}"

    def _plan_preview(self) -> None:
        key = self._preview_key()
        if key != self._previewed:
            self._previewed = key
            if self._preview_task is not None:
                self._preview_task.cancel()
            self._preview_task = asyncio.create_task(self._open_preview(key))

    async def _open_preview(self, key: str) -> None:
        name, _, ready = key.partition(":")
        row = self.row_of(name)
        if row is None or ready != "1":
            text = "" if row is None else f"{states.look(row).word} · {states.task(row)}".strip(" ·")
            await self._swap(None, name, text)
            return
        await asyncio.sleep(PREVIEW_DELAY)
        if key != self._preview_key():
            return
        try:
            handle = await self.desk.ctx.open_console(name, authority=Authority.VIEW)
        except AmtuiError as error:
            await self._swap(None, name, f"{error.message} · {error.hint}".strip(" ·"))
            return
        await self._swap(handle, name, "")

    async def _swap(self, handle: Any, name: str, text: str) -> None:
        before = self.preview.show(handle, f"{name} · console" if name else "console")
        if handle is None:
            self.preview.blank(text)
        if before is not None:
            await before.release()

    def on_screen_suspend(self) -> None:
        # Out of sight: no open console, no traffic.
        self._plan_preview()

    def on_resize(self) -> None:
        self.call_after_refresh(self._plan_preview)

    def action_preview(self) -> None:
        self.lower.toggle_class("off")
        self.call_after_refresh(self._plan_preview)

    # ---- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("try_local", "new_on_host"):
            return not self.rows and not self.desk.ctx.read_only
        if action in ("filter", "preview"):
            return bool(self.rows)
        if action == "clear_filter":
            return bool(self.table.filter) or self.filter.has_class("on")
        if action == "next_needing":
            return any(states.look(row).group == "needs" for row in self.rows)
        return super().check_action(action, parameters)

    def action_open(self) -> None:
        if row := self.selected():
            run = self.desk.runs.get(row.worker.name)
            if run is not None and run.running:
                self.desk.follow_setup(run.name, run.op_id, run.values)
            else:
                self.desk.open_worker(row.worker.name)

    def action_type(self) -> None:
        if row := self.selected():
            self.desk.open_worker(row.worker.name, typing=True)

    def action_attach(self) -> None:
        if row := self.selected():
            self.desk.open_worker(row.worker.name, typing=True, zoomed=True)

    def action_next_needing(self, step: int) -> None:
        if name := self.neighbour(self.table.selected, step):
            self.table.select(name)

    def action_refresh(self) -> None:
        self.desk.ctx.fleet.refresh_now()
        self.status.say("asking the hosts…")

    def action_try_local(self) -> None:
        self.desk.try_local()

    def action_new_on_host(self) -> None:
        self.desk.open_deploy({"on": "ssh:"})

    # ---- filter

    def action_filter(self) -> None:
        self.filter.add_class("on")
        self.set_focus(self.filter)  # at once: the next key is already meant for it

    def set_filter(self, text: str) -> None:
        """Filter by these words; the empty text shows all."""
        self.filter.value = text
        self._apply_filter(text)
        self._leave_filter()

    def _apply_filter(self, text: str) -> None:
        """The grammar of `ls`; while it is wrong the last right one stays in force."""
        try:
            self.table.keep = query.parse(text)
        except AmtuiError as error:
            self.desk.say_error(error)
            return
        self.table.filter = text
        self.table.fill(self.rows)

    def on_input_changed(self, event: Input.Changed) -> None:
        self._apply_filter(event.value.strip())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self._leave_filter()

    def action_clear_filter(self) -> None:
        self.set_filter("")
        self.status.say("")

    def _leave_filter(self) -> None:
        self.filter.set_class(bool(self.table.filter), "on")
        self.table.focus()
        self.refresh_bindings()
