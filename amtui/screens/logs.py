"""Logs of a worker, or the events of all: followed, searched, saved."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Iterable
from typing import Any, ClassVar, Final

from rich.style import Style
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from amtui.errors import AmtuiError
from amtui.model import Untrusted, plain
from amtui.ops.base import Chunk
from amtui.screens.base import AmtuiScreen
from amtui.widgets import states
from amtui.widgets.log_view import Line, LogView
from amtui.widgets.panes import Lines, Piece

SOURCES: Final = ("bootstrap", "agent", "events")
AGAIN: Final = 3.0
"""Seconds after which a source that failed or ended is asked again."""
HANDFUL: Final = 0.05
"""Seconds for which lines are gathered before they are shown."""
EVENTS: Final = 1000
"""How many of the last events are shown."""
_BAD: Final = re.compile(r"\b(error|failed|fatal|panic)\b", re.IGNORECASE)
_WARN: Final = re.compile(r"\b(warn|warning|needs-you)\b", re.IGNORECASE)


def _tone(line: str) -> str | None:
    """Colour of a line by the words in it."""
    if _BAD.search(line):
        return states.VERMILION
    return states.ORANGE if _WARN.search(line) else None


class LogsScreen(AmtuiScreen):
    """One source at a time, as it grows."""

    MODE = "logs"
    HELP_TEXT = "Lines of one source as they come. Searching and saving see every line that is held."
    DEFAULT_CSS = """
    LogsScreen #sources { height: 1; padding: 0 1; background: $surface; }
    LogsScreen #search { display: none; padding: 0 1; background: $surface; }
    LogsScreen #search.on { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "follow", "Follow", id="logs.follow"),
        Binding("slash", "search", "Search", id="logs.search"),
        Binding("n", "hit(1)", "Next", id="logs.next"),
        Binding("N", "hit(-1)", "Previous", id="logs.previous"),
        Binding("o", "source", "Source", id="logs.source"),
        Binding("w", "wrap", "Wrap", id="logs.wrap"),
        Binding("s", "save", "Save", id="logs.save"),
        Binding("y", "copy", "Copy", id="logs.copy"),
        Binding("escape", "back", "Back", id="app.back"),
    ]
    AUTO_FOCUS = "LogView"

    def __init__(self, name: str) -> None:
        super().__init__()
        self.worker_name = name
        self.sources = SOURCES if name else ("events",)
        self.source = self.sources[0]
        self._reader: asyncio.Task[None] | None = None
        self._waiting: list[Line] = []

    def place(self) -> str:
        return f"Logs › {self.worker_name or 'all workers'}"

    def body(self) -> Iterable[Widget]:
        self.bar = Lines(id="sources")
        self.view = LogView()
        self.search_line = Input(
            placeholder="text to find · enter keeps it, esc clears", id="search", compact=True
        )
        return (self.bar, self.view, self.search_line)

    def on_mount(self) -> None:
        self._choose(self.source)

    def on_unmount(self) -> None:
        if self._reader is not None:
            self._reader.cancel()

    # ---- reading

    def _choose(self, source: str) -> None:
        self.source = source
        if self._reader is not None:
            self._reader.cancel()
        self._waiting = []
        self.view.clear()
        self.view.border_title = f"{self.worker_name or 'all workers'} · {source}"
        pieces: list[Piece] = [("source  ", Style(dim=True))]
        for each in self.sources:
            on = each == source
            pieces.append((f"[{each}]" if on else f" {each} ", Style(bold=on, reverse=on)))
            pieces.append((" ", Style()))
        self.bar.put([pieces])
        self._reader = asyncio.create_task(self._read(source))

    async def _read(self, source: str) -> None:
        """Follow a source through the same operation as the command line; an answer that fails is asked again."""
        failed = ""
        while True:
            op_id, values = self._request(source)
            fresh = True
            try:
                async for item in self.desk.operations.run(self.desk.ctx, op_id, values):
                    if isinstance(item, Chunk):
                        if fresh:  # it tells everything from its beginning again
                            self._waiting = []
                            self.view.clear()
                        failed, fresh = "", False
                        self._take(item.data)
            except AmtuiError as error:
                # Said once, not at every turn; the next line that comes clears it.
                if error.message != failed:
                    failed = error.message
                    said = f"{error.message} · {error.hint}".strip(" ·")
                    self._put([(plain(said), Style(color=states.VERMILION))])
            except Exception as error:
                self.desk.report_crash(error)
                return
            await asyncio.sleep(AGAIN)

    def _request(self, source: str) -> tuple[str, dict[str, Any]]:
        if source == "events":
            return "events", {"follow": True, "worker": self.worker_name, "limit": EVENTS}
        return "logs", {"name": self.worker_name, "follow": True, "source": source}

    def _take(self, data: bytes) -> None:
        text = Untrusted(data, self.source).for_terminal()
        self._put([(line, Style(color=_tone(line))) for line in text.splitlines()])

    def _put(self, lines: list[Line]) -> None:
        """Lines come one by one; the screen takes them in handfuls."""
        if not self._waiting:
            asyncio.get_running_loop().call_later(HANDFUL, self._flush)
        self._waiting += lines

    def _flush(self) -> None:
        lines, self._waiting = self._waiting, []
        if self.is_attached:
            self.view.add(lines)

    # ---- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "source":
            return len(self.sources) > 1
        if action == "hit":
            return bool(self.view.query_text)
        return True

    def action_follow(self) -> None:
        self.view.set_follow(not self.view.follow)

    def action_source(self) -> None:
        at = self.sources.index(self.source)
        self._choose(self.sources[(at + 1) % len(self.sources)])

    def action_wrap(self) -> None:
        self.view.toggle_wrap()

    def action_search(self) -> None:
        self.search_line.add_class("on")
        self.set_focus(self.search_line)

    def on_input_changed(self, event: Input.Changed) -> None:
        found = self.view.search(event.value)
        self.status.say(f"{found} lines" if event.value else "")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self._leave_search()
        if event.value and not self.view.next_hit(-1) and not self.view.next_hit(1):
            self.status.say(f"{event.value!r} is in none of the {len(self.view)} lines held")

    def _leave_search(self) -> None:
        self.search_line.set_class(bool(self.search_line.value), "on")
        self.view.focus()
        self.show_mode()
        self.refresh_bindings()

    def action_hit(self, step: int) -> None:
        if not self.view.next_hit(step):
            self.status.say("no more that way")

    def action_save(self) -> None:
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(self.desk.clock()))
        directory = self.desk.ctx.paths.state_dir / "saved"
        path = directory / f"{self.worker_name or 'all'}-{self.source}-{stamp}.txt"
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            with os.fdopen(
                os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
            ) as file:
                file.write(self.view.text() + "\n")
        except OSError as error:
            self.desk.say(f"not saved: {error.strerror} · {path}", "bad")
            return
        self.desk.say(f"saved {len(self.view)} lines to {path}", "good")

    def action_copy(self) -> None:
        text = self.view.text()
        self.app.copy_to_clipboard(text[-74_000:])
        self.desk.say(f"copied the last {min(len(text), 74_000)} characters")

    def action_back(self) -> None:
        if self.focused is self.search_line or self.view.query_text:
            self.search_line.value = ""
            self.view.search("")
            self._leave_search()
        else:
            self.dismiss()
