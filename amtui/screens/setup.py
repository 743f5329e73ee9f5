"""A worker coming to life: its phases, its log, and then its console."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from rich.style import Style
from textual.binding import Binding, BindingType
from textual.widget import Widget

from amtui.screens.base import AmtuiScreen
from amtui.screens.running import Run
from amtui.widgets import states
from amtui.widgets.log_view import LogView
from amtui.widgets.phase_rail import PhaseRail

_TONES = {"note": Style(), "log": Style(dim=True), "bad": Style(color=states.VERMILION, bold=True)}


class SetupScreen(AmtuiScreen):
    """Watches a run; leaving it stops nothing."""

    MODE = "setup"
    HELP_TEXT = (
        "The worker is set up by jobs on its own host. Leaving this screen, or amtui, does not stop them."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "retry", "Retry", id="setup.retry"),
        Binding("a", "attach", "Console", id="setup.attach"),
        Binding("w", "wrap", "Wrap", id="setup.wrap"),
        Binding("f", "follow", "Follow", id="setup.follow"),
        Binding("escape", "back", "Background", id="app.back"),
    ]
    AUTO_FOCUS = "LogView"

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run
        self._seen = 0
        self._done = False

    def place(self) -> str:
        return f"New worker › {self.run.name}" if self.run.op_id == "new" else f"Setup › {self.run.name}"

    def body(self) -> Iterable[Widget]:
        self.rail = PhaseRail(ascii_only=self.desk.ascii_only)
        self.log_view = LogView()
        return (self.rail, self.log_view)

    def on_mount(self) -> None:
        self.rail.border_title = f"Setting up {self.run.name}"
        self.log_view.border_title = "log"
        self.status.say("keeps running if you leave this screen")
        self._watch(self.run)

    def _watch(self, run: Run) -> None:
        self.run.listeners.discard(self._changed)
        self.run = run
        self._seen = 0
        self._done = False
        run.listeners.add(self._changed)
        self.call_after_refresh(self._changed)  # it may have ended before anybody listened

    def on_unmount(self) -> None:
        self.run.listeners.discard(self._changed)

    def _changed(self) -> None:
        if not self.is_attached or not self.is_mounted:
            return
        fresh = self.run.since(self._seen)
        self._seen = self.run.said
        if fresh:
            self.log_view.add([(text, _TONES[tone]) for tone, text in fresh])
        self.show_rows()
        if not self.run.running and not self._done:
            self._done = True
            self.call_next(self._ended)

    def _ended(self) -> None:
        """Straight into the console, if the person is still here to see it."""
        self.refresh_bindings()
        if self.run.error is not None:
            self.desk.say_error(self.run.error)
        elif self.in_sight:
            self.desk.say(f"{self.run.name} is ready", "good")
            self.desk.open_worker(self.run.name, instead=True)

    def show_rows(self) -> None:
        row = self.row_of(self.run.name)
        self.rail.tell(row.phases if row else (), self.run.share, self.desk.clock())

    def tick(self) -> None:
        super().tick()
        self.show_rows()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "retry":
            return self.run.error is not None and not self.desk.ctx.read_only
        if action == "attach":
            return self.row_of(self.run.name) is not None
        return True

    def action_retry(self) -> None:
        made = self.row_of(self.run.name) is not None
        values: Any = {"name": self.run.name} if made else self.run.values
        self.log_view.clear()
        self._watch(self.desk.begin(self.run.name, "bootstrap" if made else self.run.op_id, values))
        self.refresh_bindings()

    def action_attach(self) -> None:
        self.desk.open_worker(self.run.name, instead=True)

    def action_wrap(self) -> None:
        self.log_view.toggle_wrap()

    def action_follow(self) -> None:
        self.log_view.set_follow(not self.log_view.follow)

    def action_back(self) -> None:
        self.dismiss()
        if self.run.running:
            self.desk.say(f"{self.run.name} goes on in the background")
