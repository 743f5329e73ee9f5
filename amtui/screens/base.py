"""What every screen has: header, narration, live keys, and the card for tiny terminals."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.keys import key_to_character
from textual.message import Message
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Input

from amtui.model import WorkerRow
from amtui.widgets import states
from amtui.widgets.chrome import Header, Hint, KeyLine, StatusLine
from amtui.widgets.console_view import LEAVE, PREFIX, PREFIX_COMMANDS, ConsoleView
from amtui.widgets.panes import TooSmall

if TYPE_CHECKING:
    from amtui.app import AmtuiApp

TYPE_HINTS = [Hint(PREFIX, "Commands"), Hint(LEAVE, "Leave")]
FIND_HINTS = [Hint("enter", "Keep"), Hint("escape", "Clear")]
PREFIX_HINTS = [Hint(key, label) for key, (_, _, label) in PREFIX_COMMANDS.items()]


class AmtuiScreen(Screen[Any]):
    """A full screen of amtui. Subclasses fill `body` and say where they are."""

    PLACE: ClassVar[str] = ""
    MODE: ClassVar[str] = ""
    HELP_TEXT: ClassVar[str] = ""
    """What the screen is for, in a line or two; stands over the keys in help."""
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (60, "-list"), (80, "-normal"), (120, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (16, "-short"), (30, "-tall")]  # noqa: RUF012
    DEFAULT_CSS = """
    AmtuiScreen { layers: base above; }
    AmtuiScreen #body { height: 1fr; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.header = Header(self.PLACE)
        self.status = StatusLine()
        self.keys = KeyLine()
        self.too_small = TooSmall()
        self._unsubscribe: Any = None

    @property
    def desk(self) -> AmtuiApp:
        """The application, with its type."""
        return cast("AmtuiApp", self.app)

    def body(self) -> Iterable[Widget]:
        """The widgets between header and narration."""
        return ()

    def compose(self) -> ComposeResult:
        yield self.header
        with Vertical(id="body"):
            yield from self.body()
        yield self.status
        yield self.keys
        yield self.too_small

    def on_mount(self) -> None:
        self.header.ascii = self.desk.ascii_only
        self.bindings_updated_signal.subscribe(self, lambda _: self._keys_changed())
        self._unsubscribe = self.desk.ctx.fleet.subscribe(self._fleet_changed)
        self.set_interval(1.0, self.tick)
        self._rows_changed()
        self._keys_changed()

    def on_unmount(self) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    def on_screen_resume(self) -> None:
        if self.is_mounted:
            self._rows_changed()
            self._keys_changed()

    async def _dispatch_message(self, message: Message) -> None:
        # An error in one handler must not take the screen, and with it the application, down.
        try:
            await super()._dispatch_message(message)
        except Exception as error:
            if not self.is_mounted:
                raise
            self.desk.report_crash(error)

    @property
    def in_sight(self) -> bool:
        """True when nothing but small windows stands before this screen."""
        above = [screen for screen in reversed(self.app.screen_stack) if not isinstance(screen, ModalScreen)]
        return bool(above) and above[0] is self

    # ---- rows

    @property
    def rows(self) -> tuple[WorkerRow, ...]:
        """The fleet as last refreshed."""
        return tuple(self.desk.ctx.fleet.rows())

    def row_of(self, name: str) -> WorkerRow | None:
        """The row of a worker, if there is one."""
        return next((row for row in self.rows if row.worker.name == name), None)

    def _fleet_changed(self, *_: Any) -> None:
        if self.is_attached and self.in_sight:
            self._rows_changed()

    def _rows_changed(self) -> None:
        self.header.tell(self.rows, place=self.place(), clock=self.desk.clock_text())
        self.too_small.tell(self.rows, self.desk.ascii_only)
        self.show_rows()
        self.refresh_bindings()

    def on_resize(self) -> None:
        self.too_small.tell(self.rows, self.desk.ascii_only)

    def place(self) -> str:
        """Where we are, for the header."""
        return self.PLACE

    def show_rows(self) -> None:
        """Rows changed; show them."""

    def tick(self) -> None:
        """Once a second: clocks and ages."""
        self.header.tell(self.rows, place=self.place(), clock=self.desk.clock_text())

    def neighbour(self, name: str, step: int) -> str:
        """The next (or previous) worker that needs a person, after `name`; empty when none does."""
        waiting = [r.worker.name for r in states.order(self.rows) if states.look(r).group == "needs"]
        if not waiting:
            return ""
        if name not in waiting:
            return waiting[0 if step > 0 else -1]
        return waiting[(waiting.index(name) + step) % len(waiting)]

    # ---- keys

    def hints(self) -> list[Hint]:
        """The keys that work now, help last; in type mode only what is kept from the remote."""
        view = self.focused
        if isinstance(view, ConsoleView) and view.typing:
            return PREFIX_HINTS if view.prefixed else TYPE_HINTS
        hints = [*FIND_HINTS] if isinstance(view, Input) and view.id in ("filter", "search") else []
        last: list[Hint] = []
        actions: set[str] = set()
        for key, active in self.active_bindings.items():
            binding = active.binding
            if not binding.show or not active.enabled or binding.action in actions:
                continue
            if view is not None and key in [h.key for h in hints]:
                continue
            if isinstance(view, Input) and (key_to_character(key) or "\0").isprintable():
                continue  # it would be typed
            actions.add(binding.action)
            (last if binding.action.endswith("help") else hints).append(Hint(key, binding.description))
        return [*hints, *last]

    def _keys_changed(self) -> None:
        if self.is_attached:
            hints = self.hints()
            if self.desk.ascii_only:
                # The one glyph that labels use: who needs a person.
                hints = [hint._replace(label=hint.label.replace("▲", "!")) for hint in hints]
            self.keys.show(hints)
            self.show_mode()

    def show_mode(self) -> None:
        """The one mode word at bottom left."""
        focused = self.focused
        finding = isinstance(focused, Input) and focused.id in ("filter", "search")
        self.status.set_mode(str(focused.id) if finding and focused else self.MODE)
