"""The full-screen application: themes, keys and wiring. What it can do is in `screens`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any, ClassVar, Final

from rich.console import RenderableType
from rich.segment import Segment, Segments
from textual import events
from textual._context import active_message_pump
from textual.binding import Binding, BindingType
from textual.driver import Driver
from textual.message import Message
from textual.screen import Screen
from textual.theme import Theme
from textual.widget import Widget

from amtui.config import KeysConfig, UiConfig
from amtui.model import plain
from amtui.screens import outside
from amtui.screens.desk import Desk
from amtui.screens.operations import Operations
from amtui.widgets import states
from amtui.widgets.chrome import key_name
from amtui.widgets.collector import Collector
from amtui.widgets.console_view import ConsoleView
from amtui.widgets.fleet_table import FleetTable
from amtui.widgets.keyboard import faithful
from amtui.widgets.log_view import LogView
from amtui.widgets.panes import EmptyFleet

THEMES: Final = (
    Theme(
        name="amtui-dark", dark=True, primary=states.SKY, secondary=states.PURPLE, accent=states.SKY,
        warning=states.ORANGE, error=states.VERMILION, success=states.GREEN,
        foreground="#e4e4e4", background="#121212", surface="#1a1a1a", panel="#262626",
        variables={"border-blurred": "#5c5c5c", "border": states.SKY},
    ),
    Theme(
        name="amtui-light", dark=False, primary="#0072B2", secondary="#a3517d", accent="#0072B2",
        warning="#a36b00", error="#b34700", success="#00704f",
        foreground="#1c1c1c", background="#fbfbfb", surface="#f1f1f1", panel="#e2e2e2",
        variables={"border-blurred": "#9a9a9a", "border": "#0072B2"},
    ),
)  # fmt: skip


CRASHES: Final = 20
"""Errors survived in one session; after that something is so wrong that amtui stops."""
BEGIN_ANYWAY: Final = 2.0
"""Seconds after which the hosts are asked although nobody said that the first picture is on show."""


class AmtuiApp(Desk, inherit_bindings=False):
    """amtui in a terminal. Quitting it stops no agent."""

    TITLE = "amtui"
    ENABLE_COMMAND_PALETTE = False
    ESCAPE_TO_MINIMIZE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        # None of these has priority: in type mode they all belong to the agent.
        Binding("colon", "command", "Cmd", id="app.command"),
        Binding("ctrl+p", "palette", "Palette", id="app.palette", key_display="^p"),
        Binding("ctrl+q", "leave", "Quit", show=False, id="app.leave"),
        Binding("question_mark,f1", "help", "Help", id="app.help"),
    ]

    def __init__(
        self,
        ctx: Any,
        *,
        operations: Operations | None = None,
        clock: Callable[[], float] = time.time,
        link_clock: Callable[[], float] = time.monotonic,
        worker: str = "",
        console: str = "",
        tune_gc: bool = True,
    ) -> None:
        """`worker` opens that worker's `console` (empty: the agent's), zoomed and typing, as `amtui attach` does."""
        super().__init__(ctx, operations=operations, clock=clock, link_clock=link_clock)
        self.settings: UiConfig = ctx.config.section("ui", UiConfig)
        self.ascii_only = self.settings.glyphs == "ascii"
        self._worker = worker
        self._console = console
        self._collector = Collector() if tune_gc else None
        self._begun = False
        ctx.ask = self.ask

    def get_driver_class(self) -> type[Driver]:
        return faithful(super().get_driver_class())

    def on_mount(self) -> None:
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = self._chosen_theme()
        self.set_keymap(self.ctx.config.section("keys", KeysConfig).map)
        from amtui.screens.fleet import FleetScreen

        self.push_screen(FleetScreen())
        if self._worker:
            self.open_worker(self._worker, typing=True, zoomed=True, console=self._console)
        self.set_timer(BEGIN_ANYWAY, self._begin)

    def on_unmount(self) -> None:
        if self._collector is not None:
            self._collector.stop()

    def _chosen_theme(self) -> str:
        wanted = self.settings.theme
        if wanted in self.available_themes:
            return wanted
        self.call_after_refresh(
            self.say, f"no theme {wanted!r}: ui.theme is one of {', '.join(t.name for t in THEMES)}", "bad"
        )
        return THEMES[0].name

    def _begin(self) -> None:
        """The first picture, what the store knows, is on show: now to what takes longer. Once."""
        if self._begun:
            return
        self._begun = True
        if self._collector is not None:
            self._collector.start()
        self.run_worker(self._start(), exit_on_error=False)

    async def _start(self) -> None:
        try:
            await self.ctx.fleet.start()
        except Exception as error:
            self.report_crash(error)

    # ---- keys

    async def on_event(self, event: events.Event) -> None:
        if self._collector is not None and isinstance(event, events.InputEvent | events.Paste):
            self._collector.busy()
        # A key travels through queues before its binding runs, and the next one may overtake it: `i` and the words
        # after it, in one burst, would be commands. So bindings over lists run here, in the order of the keys.
        if isinstance(event, (events.Key, events.Paste)) and not event.is_forwarded:
            hold = getattr(self.screen, "hold", None)
            if hold is not None and hold(event):
                return
            ours = isinstance(self.focused, (FleetTable, LogView, EmptyFleet, ConsoleView))
            if isinstance(event, events.Key) and ours and not getattr(self.focused, "typing", False):
                if not await self._check_bindings(event.key):
                    self.say(f"{key_name(event.key)} does nothing here · ? tells what does")
                return
        await super().on_event(event)

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        if self._collector is not None:
            self._collector.busy()
        super()._display(screen, renderable)
        shown = renderable is not None and not self._batch_count and len(self.screen_stack) > 1
        if shown and not self._begun:
            self.call_later(self._begin)

    # ---- errors nobody expected

    async def _dispatch_message(self, message: Message) -> None:
        # Actions of keys run here, whatever screen they belong to.
        try:
            await super()._dispatch_message(message)
        except Exception as error:
            if len(self.screen_stack) < 2:
                raise  # nothing is on show yet that could go on
            self.report_crash(error)

    def _handle_exception(self, error: Exception) -> None:
        """A widget or screen has stopped. Go on without it where there is something to go on with."""
        pump = active_message_pump.get(None)
        alive = (
            isinstance(pump, (Widget, Screen)) and len(self.screen_stack) >= 2 and len(self.crashes) < CRASHES
        )
        if not alive or pump is self.screen_stack[1]:
            super()._handle_exception(error)
            return
        self.report_crash(error)
        if isinstance(pump, Screen) and pump is self.screen:
            self.call_later(self.pop_screen)

    def _fatal_error(self) -> None:
        """The end: one line and a file, never a traceback with the values of variables."""
        error = sys.exc_info()[1]
        where = self.write_crash(error) if isinstance(error, Exception) else ""
        said = f"amtui stopped on an internal error ({type(error).__name__}); agents keep running. {where}"
        self._exit_renderables.append(Segments([Segment(said.strip()), Segment.line()]))
        self._close_messages_no_wait()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "help":
            from amtui.screens.help import HelpScreen

            return not isinstance(self.screen, HelpScreen)
        return True

    def action_leave(self) -> None:
        self.exit()

    def copy_to_clipboard(self, text: str) -> None:
        """To this computer's clipboard where there is one, and to the terminal's by OSC 52, which reaches the person
        through any number of hosts. What a terminal would obey is taken out."""
        text = plain(text)
        part = outside.for_osc52(text)
        super().copy_to_clipboard(part)
        self._clipboard = text
        command = outside.clipboard_command(outside.environment())
        if command:
            self.run_worker(self._copy_here(text, part, command), group="clipboard", exit_on_error=False)
        elif part != text:
            self.call_later(self._say_cut, part)

    async def _copy_here(self, text: str, part: str, command: tuple[str, ...]) -> None:
        if not await outside.copy(text, command) and part != text:
            self._say_cut(part)

    def _say_cut(self, part: str) -> None:
        self.say(f"copied the first {len(part)} characters: terminals take no more", "bad")

    def action_help(self) -> None:
        from amtui.screens.help import HelpScreen

        self.push_screen(HelpScreen.about(self.screen, self))

    async def action_palette(self) -> None:
        from amtui.screens.palette import open_palette

        await open_palette(self)

    async def action_command(self) -> None:
        from amtui.screens.command import CommandScreen

        await self.push_screen(CommandScreen())


def run(ctx: Any, *, worker: str = "") -> None:
    """Show the application until the person leaves. The terminal is as it was afterwards; agents keep running."""
    os.environ.setdefault("ESCDELAY", "25")
    AmtuiApp(ctx, worker=worker).run()
