"""One worker: its console, full, and what is known of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any, ClassVar, Final

from textual import events
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input
from textual.worker import WorkType

from amtui.errors import AmtuiError
from amtui.model import MAIN_CONSOLE, Authority, WorkerRow, plain
from amtui.screens.switching import ConsoleSwitch
from amtui.widgets.chrome import Hint
from amtui.widgets.console_view import ConsoleView
from amtui.widgets.look_line import LookPane
from amtui.widgets.panes import ConsoleStrip, FactsLine, FactsPane

NOTICE: Final = 3.0
"""Seconds of a toast in place of the status line."""
LOOKING: Final = frozenset({"type", "zoom", "reconnect"})
"""What keys of the screen do in scroll mode too."""


class WorkerScreen(ConsoleSwitch):
    """A console to watch and type into."""

    MODE = "view"
    HELP_TEXT = "i types into the agent: then every key goes to it, except ^] (commands) and F12 (leave)."
    DEFAULT_CSS = """
    WorkerScreen FactsPane { display: none; width: 34; }
    WorkerScreen.-wide FactsPane { display: block; }
    WorkerScreen.-wide FactsLine { display: none; }
    WorkerScreen.zoomed FactsPane, WorkerScreen.zoomed FactsLine,
    WorkerScreen.zoomed Header, WorkerScreen.zoomed StatusLine,
    WorkerScreen.zoomed ConsoleStrip { display: none; }
    WorkerScreen.zoomed ConsoleView { border: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i,enter", "type", "Type", id="worker.type"),
        Binding("r", "reply", "Reply", id="worker.reply"),
        Binding("z", "zoom", "Zoom", id="worker.zoom"),
        Binding("right_square_bracket", "next_needing(1)", "Next▲", id="worker.next"),
        Binding("v", "look", "Scroll", id="console.look"),
        Binding("slash", "find(1)", "Search", show=False, id="console.find"),
        Binding("tab", "switch_console(1)", "Console", id="worker.next_console"),
        Binding("c", "new_console", "New", id="worker.new_console"),
        Binding("x", "close_console", "Close", id="worker.close_console"),
        Binding("l", "logs", "Logs", id="worker.logs"),
        Binding("s", "sleep", "Sleep", id="worker.sleep"),
        Binding("s", "wake", "Wake", id="worker.wake"),
        Binding("escape", "back", "Back", id="app.back"),
        Binding("R", "restart", "Restart", id="worker.restart"),
        Binding("e", "explain", "Explain", id="worker.explain"),
        Binding("B", "bootstrap", "Setup", id="worker.bootstrap"),
        Binding("D", "destroy", "Destroy…", id="worker.destroy"),
        Binding("t", "rename_console", "Title", id="worker.rename_console"),
        Binding("shift+tab", "switch_console(-1)", "Prev console", show=False, id="worker.previous_console"),
        Binding("ctrl+r", "reconnect", "Reconnect", show=False, id="worker.reconnect"),
        Binding("left_square_bracket", "next_needing(-1)", "Prev▲", show=False, id="worker.previous"),
    ]
    AUTO_FOCUS = "ConsoleView"

    def __init__(
        self,
        name: str,
        *,
        typing: bool = False,
        zoomed: bool = False,
        console: str = MAIN_CONSOLE,
        note: str = "",
    ) -> None:
        """`note` is said once type mode began, instead of the usual word."""
        super().__init__()
        self.worker_name = name
        self.console = console
        self._type_at_once = typing
        self._zoom_at_once = zoomed
        self._first_word = note
        self._opening = typing
        self._ahead: list[events.Key | events.Paste] = []
        """What was typed before the console was open."""
        self._known = False
        """The fleet had this worker when it was last asked."""
        self._extra: Mapping[str, str] = {}
        self._authority: Authority | None = None
        self._looks_at = console
        """The console that the view looks at; `console` is the one it is meant to look at."""

    def body(self) -> Iterable[Widget]:
        self.view = ConsoleView(link_clock=self.desk.link_clock, id="console")
        self.view.predict(self.desk.ctx.predict)
        self.view.resume = self.action_type
        self.facts = FactsPane(id="facts")
        self.line = FactsLine()
        self.strip = ConsoleStrip()
        return (self.line, self.strip, Horizontal(LookPane(self.view), self.facts))

    def place(self) -> str:
        return f"Fleet › {self.worker_name}"

    def on_mount(self) -> None:
        self.facts.border_title = "Worker"
        self.view.show(None, self._label())
        self.view.blank("opening the console…")
        if self._zoom_at_once:
            self.action_zoom()
        self._connect(self._type_at_once)
        self._begin(self.watch_consoles, "consoles", asked=False)

    def on_unmount(self) -> None:
        self.leave_consoles()
        handle = self.view.show(None)
        if handle is not None:
            self.desk.spawn(handle.release())

    def _label(self) -> str:
        row = self.selected()
        runtime = f" · {row.worker.runtime}" if row else ""
        if self.console != MAIN_CONSOLE:
            title = next((tab.title for tab in self.tabs if tab.console == self.console), "")
            runtime = f" · {title}" if title else ""
        return f"{self.worker_name} · {self.console}{runtime}"

    # ---- rows

    def selected(self) -> WorkerRow | None:
        return self.row_of(self.worker_name)

    def show_rows(self) -> None:
        self._show()
        if self.consoles_due():
            self._begin(self.watch_consoles, "consoles", asked=False)
        self._begin(self._load_facts, "facts", asked=False)

    def _begin(self, work: Callable[[], Awaitable[None]], group: str, *, asked: bool) -> None:
        job: WorkType[None] = partial(self.desk.guarded, work, asked=asked)
        self.run_worker(job, group=group, exclusive=True, exit_on_error=False)

    def _show(self) -> None:
        row = self.selected()
        if row is None and self._known and self.in_sight and self.app.screen is self:
            self.dismiss()
            self.desk.say(f"{self.worker_name} is no longer there")
            return
        self._known = row is not None
        now = self.desk.clock()
        self.line.tell(row, now, self.desk.ascii_only)
        self.facts.tell(row, now, self._extra)
        self._aside()

    def _aside(self) -> None:
        other = self.neighbour(self.worker_name, 1)
        text = f"next needing you: {other} (])" if other and other != self.worker_name else ""
        mode = "type" if self.view.typing else "scroll" if self.view.looking else "view"
        self.status.set_mode(mode, text if mode == "view" else "")

    def tick(self) -> None:
        super().tick()
        self._show()

    def show_mode(self) -> None:
        self._aside()

    async def _load_facts(self) -> None:
        try:
            self._extra = await self.desk.ctx.facts(self.worker_name)
        except AmtuiError as error:
            self._extra = {"facts": error.message}
        self._show()

    # ---- console

    def hold(self, event: events.Key | events.Paste) -> bool:
        """Keep what is typed while the console is being opened for typing; it is meant for the agent."""
        if not self._opening or self.app.screen is not self:
            return False
        if isinstance(event, events.Key) and event.key in ("escape", "f12"):
            self._opening, self._ahead = False, []
            return False
        self._ahead.append(event)
        return True

    async def _type_ahead(self) -> None:
        """What was kept goes to the agent, in order."""
        ahead, self._ahead = self._ahead, []
        for event in ahead:
            if isinstance(event, events.Paste):
                self.view.on_paste(event)
            else:
                await self.view.on_key(event)

    def connect(self, *, typing: bool) -> None:
        self._connect(typing)

    def _connect(self, typing: bool) -> None:
        self._begin(partial(self._open, typing), "console", asked=True)

    async def _open(self, typing: bool) -> None:
        authority = Authority.TYPE if typing else Authority.VIEW
        self._opening = typing
        try:
            handle = await self.handle_for(authority)
        except AmtuiError as error:
            self._opening, self._ahead = False, []
            if self.view.handle is None:
                self.view.blank(f"{error.message} · {error.hint}".strip(" ·"))
            self.desk.say(f"{error.message} · {error.hint}".strip(" ·"), "bad")
            return
        self._authority = authority
        left, self._looks_at = self._looks_at, self.console
        before = self.view.show(handle, self._label())
        self.view.set_in_sight(self.in_sight)
        if before is not None:
            await self.put_away(before, left)
        if not isinstance(self.focused, Input):  # a search that is being typed goes on
            self.set_focus(self.view)
        if typing and self._opening:
            self._opening = False
            if self.view.typing:
                self.view.on_resize()  # another console, typed into by the same view: it gets this size as well
            self.view.typing = True
            await self._type_ahead()

    def on_screen_suspend(self) -> None:
        self.view.set_in_sight(self.in_sight)

    def on_screen_resume(self) -> None:
        if self.is_mounted:
            self.view.set_in_sight(True)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        view: ConsoleView | None = getattr(self, "view", None)  # asked for before there is a body, too
        if view is not None and view.looking and action not in LOOKING:
            return False  # scroll mode's keys are letters: none of them may act on the worker
        if action in ("look", "find"):
            return view is not None and view.can_look
        if action == "next_needing":
            return bool(other := self.neighbour(self.worker_name, 1)) and other != self.worker_name
        return super().check_action(action, parameters)

    def action_type(self) -> None:
        if self.view.can_type:
            self.set_focus(self.view)
            self.view.typing = True
        else:
            self._opening = True
            self._connect(typing=True)

    def action_restart(self) -> None:
        if self.console == MAIN_CONSOLE:
            super().action_restart()
        else:
            self.restart_console()

    def action_look(self) -> None:
        self.set_focus(self.view)
        self.view.look_back()

    def action_find(self, direction: int) -> None:
        self.set_focus(self.view)
        self.view.action_look_search(direction)

    def action_reconnect(self) -> None:
        self._connect(typing=self.view.typing)

    def action_zoom(self) -> None:
        self.toggle_class("zoomed")

    def action_back(self) -> None:
        if self.has_class("zoomed"):
            self.action_zoom()
        else:
            self.dismiss()

    def action_next_needing(self, step: int) -> None:
        name = self.neighbour(self.worker_name, step)
        if name and name != self.worker_name:
            self.desk.open_worker(
                name, typing=self.view.typing, zoomed=self.has_class("zoomed"), instead=True
            )

    def hints(self) -> list[Hint]:
        hints = super().hints()
        if len(self.tabs) < 2 and self.view.prefixed:
            hints = [hint for hint in hints if hint.key != "tab"]
        return hints

    # ---- what the view says

    def on_console_view_typing_changed(self, event: ConsoleView.TypingChanged) -> None:
        if event.typing:
            self.desk.say(self._first_word or f"every key goes to {self.worker_name}")
            self._first_word = ""
        elif self.has_class("zoomed") and self._zoom_at_once and not self.view.looking:
            self.action_zoom()
        if not event.typing:
            self.desk.say("keys go to amtui")
            if self._authority is Authority.TYPE and self.is_attached:
                self._connect(typing=False)  # who only looks holds no authority to type
        self._keys_changed()

    def on_console_view_looked(self, event: ConsoleView.Looked) -> None:
        self._aside()

    def on_console_view_link_chosen(self, event: ConsoleView.LinkChosen) -> None:
        self.desk.follow_link(event.links)

    def on_console_view_prefix_changed(self, event: ConsoleView.PrefixChanged) -> None:
        self._keys_changed()

    def on_console_view_note(self, event: ConsoleView.Note) -> None:
        self.desk.say(event.text)
        if event.answers and self.has_class("zoomed"):
            self.notify(plain(event.text), timeout=NOTICE, markup=False)

    def on_console_view_command(self, event: ConsoleView.Command) -> None:
        commands: dict[str, Any] = {
            "next": lambda: self.action_next_needing(1),
            "previous": lambda: self.action_next_needing(-1),
            "zoom": self.action_zoom,
            "next_console": lambda: self.action_switch_console(1),
            "command": lambda: self.desk.spawn(self.desk.action_command()),
            "help": self.desk.action_help,
        }
        commands[event.name]()
