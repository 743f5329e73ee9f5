"""A console on the screen, typed into when a person asked for it.

Viewing never resizes the remote; type mode does, because size belongs to the last typist. In type mode every key is
the remote's, except the prefix and F12.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from textual import events
from textual.geometry import Offset
from textual.message import Message
from textual.reactive import reactive

from amtui.emulator import keys as key_codes
from amtui.emulator import mouse as mouse_codes
from amtui.emulator.links import Link
from amtui.widgets.console_mouse import ConsoleMouse
from amtui.widgets.foresight import Foresight, Marks
from amtui.widgets.keyboard import key_of
from amtui.widgets.predict import Mode
from amtui.widgets.seams import Handle, Typing

PREFIX: Final = "ctrl+right_square_bracket"
LEAVE: Final = "f12"
RESIZE_DELAY: Final = 0.1
"""Seconds for which our size must have been still before the remote gets it."""

PREFIX_COMMANDS: Final = {
    "escape": ("esc", "leave", "Leave"),
    "right_square_bracket": ("]", "next", "Next▲"),
    "left_square_bracket": ("[", "previous", "Prev▲"),
    "tab": ("tab", "next_console", "Console"),
    "z": ("z", "zoom", "Zoom"),
    "v": ("v", "scroll", "Scroll"),
    "colon": (":", "command", "Cmd"),
    "question_mark": ("?", "help", "Help"),
}
"""After the prefix: key → (as shown, command, label)."""


class ConsoleView(ConsoleMouse, can_focus=True):
    """One console, viewed or typed into."""

    DEFAULT_CSS = """
    ConsoleView { width: 1fr; height: 1fr; border: round $border-blurred; border-title-color: $foreground;
                  border-subtitle-color: $text-muted; }
    ConsoleView:focus { border: round $accent; }
    ConsoleView.typing { border: heavy $success; }
    """

    prefixed: reactive[bool] = reactive(False, init=False)
    _size_timer: asyncio.TimerHandle | None = None
    _told_focus = False
    _fetching = False
    _foresight: Foresight | None = None

    @dataclass
    class TypingChanged(Message):
        """Type mode began or ended."""

        view: ConsoleView
        typing: bool

        @property
        def control(self) -> ConsoleView:
            return self.view

    @dataclass
    class PrefixChanged(Message):
        """The prefix was pressed and awaits its command, or no longer does."""

        view: ConsoleView
        waiting: bool

    @dataclass
    class Command(Message):
        """A command after the prefix that is not the view's own business."""

        view: ConsoleView
        name: str

    @dataclass
    class Note(Message):
        """One line for the status line: `ctrl+c sent to agent`, a key that cannot be sent, …"""

        view: ConsoleView
        text: str
        answers: bool = False
        """It answers something the person just did, and is worth a toast where there is no status line."""

    @dataclass
    class Looked(Message):
        """Scroll mode began, ended, or has something else to tell."""

        view: ConsoleView

    @dataclass
    class LinkChosen(Message):
        """A person wants to open one of these links, by a key or a click of their own."""

        view: ConsoleView
        links: list[Link]

    def on_unmount(self) -> None:
        if self._size_timer is not None:
            self._size_timer.cancel()
        if self._foresight is not None:
            self._foresight.forget()

    # ---- typing

    def predict(self, mode: Mode) -> None:
        """Show what keys will do before the worker has answered: over slow links, always, or never."""
        if self._foresight is not None:
            self._foresight.forget()
        self._foresight = Foresight(self._beat, mode)

    def show(self, handle: Handle | None, label: str = "") -> Handle | None:
        if self._foresight is not None:
            self._foresight.forget()
        return super().show(handle, label)

    def _send(self, handle: Typing, data: bytes, *, control: bool, paste: bool = False) -> None:
        """Everything for the program goes this way; what it will do to the screen is shown at once."""
        if self._foresight is None:
            handle.paste(data) if paste else handle.type(data, control=control)
            return
        due = self._echo_due
        self._foresight.send(handle, data, control=control, paste=paste)
        if self.is_attached:
            self._beat()
        self._echo_due = due

    def _foresee(self, height: int) -> tuple[Marks, Offset | None]:
        if self._foresight is None or self.handle is None or not self.typing:
            return {}, None
        return self._foresight.look(self.handle, self._backlog, height)

    def watch_typing(self, typing: bool) -> None:
        self.set_class(typing, "typing")
        self.prefixed = False
        if typing:
            self.looking = False
            self._backlog.follow()
            self._plan_resize()
        else:
            self._drop(self._buttons)
        self._tell_focus(typing)
        if self._foresight is not None:
            self._foresight.forget()
        self._flush()
        self.refresh()
        self.post_message(self.TypingChanged(self, typing))

    def _tell_focus(self, focused: bool) -> None:
        """A program that asked for focus reports (?1004) learns when a person begins and ends to type into it."""
        handle = self._typing_handle()
        if handle is not None and handle.screen.modes.focus and focused != self._told_focus:
            self._send(handle, b"\x1b[I" if focused else b"\x1b[O", control=True)
        self._told_focus = focused

    def watch_prefixed(self, waiting: bool) -> None:
        self.post_message(self.PrefixChanged(self, waiting))

    def on_blur(self) -> None:
        # The terminal losing focus is not the person leaving the console.
        if self.app.app_focus and self.app.screen is self.screen:
            self.typing = False
        elif self.typing and not self.app.app_focus:
            self._tell_focus(False)

    def on_focus(self) -> None:
        if self.typing:
            self._tell_focus(True)

    async def on_key(self, event: events.Key) -> None:
        if not self.typing:
            return
        event.stop()
        event.prevent_default()
        if self.prefixed:
            self._after_prefix(event.key)
        elif event.key == PREFIX:
            self.prefixed = True
        elif event.key == LEAVE:
            self.typing = False
        elif not self._scrolled_by(event.key):
            self._press(event.key, event.character, key_of(event))

    def _scrolled_by(self, key: str) -> bool:
        """shift+PgUp/PgDn look back in our own scrollback; a full-screen program has none and gets the key."""
        if self.handle is None or self.handle.screen.alternate:
            return False
        if key not in ("shift+pageup", "shift+pagedown"):
            return False
        self.action_scroll_back(1 if key.endswith("up") else -1)
        return True

    def _after_prefix(self, key: str) -> None:
        self.prefixed = False
        if key == PREFIX:
            self._press(PREFIX, "\x1d")
            return
        if key == LEAVE:
            self.typing = False
            return
        found = PREFIX_COMMANDS.get(key)
        if found is None:
            self.post_message(self.Note(self, "no such command after ^] · ^] ^] sends it · ^] ? help"))
        elif found[1] == "leave":
            self.typing = False
        elif found[1] == "scroll":
            self.typing = False
            self.look_back(back_to_typing=True)
        else:
            self.post_message(self.Command(self, found[1]))

    def _press(self, key: str, character: str | None, pressed: key_codes.Key | None = None) -> None:
        handle = self._typing_handle()
        if handle is None:
            return
        modes = handle.screen.modes
        data = (
            key_codes.encode(key, character, modes) if pressed is None else key_codes.bytes_of(pressed, modes)
        )
        if data is None:
            self.post_message(self.Note(self, f"{key} has no terminal code; nothing was sent"))
            return
        if self._backlog.scrolled:
            self.action_scroll_end()
        self._echo_due = True
        self._last_key = asyncio.get_running_loop().time()
        self._send(handle, data, control=key_codes.is_control(key, data))
        if key == "ctrl+c":
            self.post_message(self.Note(self, "ctrl+c sent to agent · ^] esc leaves"))

    def on_paste(self, event: events.Paste) -> None:
        handle = self._typing_handle()
        if not self.typing or handle is None:
            return
        event.stop()
        event.prevent_default()
        self._echo_due = True
        self._last_key = asyncio.get_running_loop().time()
        self._send(handle, mouse_codes.paste_bytes(event.text), control=False, paste=True)

    # ---- size

    def on_resize(self) -> None:
        self._shown = []
        self._flush()
        self.refresh()
        if self.typing:
            self._plan_resize()

    def _plan_resize(self) -> None:
        """Give the remote our size once it has been still for 100 ms."""
        if self._typing_handle() is None or not self.is_attached:
            return
        if self._size_timer is not None:
            self._size_timer.cancel()
        loop = asyncio.get_running_loop()
        self._size_timer = loop.call_later(RESIZE_DELAY, self._resize_remote)

    def _resize_remote(self) -> None:
        self._size_timer = None
        handle = self._typing_handle()
        width, height = self.size
        if handle is None or not self.typing or width < 2 or height < 2:
            return
        if (width, height) != (handle.screen.columns, handle.screen.lines):
            self.run_worker(
                self._ask_size(handle, width, height), group="resize", exclusive=True, exit_on_error=False
            )

    async def _ask_size(self, handle: Typing, width: int, height: int) -> None:
        try:
            if not await handle.resize(width, height):
                self.post_message(self.Note(self, "another client typed last and keeps the size for now"))
        except Exception as error:  # the link's own banner says why; the console stays cropped
            self.post_message(self.Note(self, f"not resized: {error}"))

    # ---- looking back

    def note(self, text: str) -> None:
        self.post_message(self.Note(self, text, answers=True))

    def look_changed(self) -> None:
        self.post_message(self.Looked(self))

    def choose_link(self, found: list[Link]) -> None:
        if found:
            self.post_message(self.LinkChosen(self, found))

    def _look_further(self) -> None:
        """Ask the worker's tmux for rows older than ours; one question at a time, the last wish counts."""
        handle = self.handle
        if handle is None or self._fetching:
            return
        self._fetching = True
        self.run_worker(self._fetch_older(handle), group="history", exit_on_error=False)

    async def _fetch_older(self, handle: Handle) -> None:
        try:
            asked = -1
            while handle is self.handle and asked != (
                asked := self._backlog.wanted(handle.screen, self.size.height)
            ):
                await handle.history(asked, max(0, handle.screen.history.first - asked))
        except Exception as error:
            self.post_message(self.Note(self, f"older rows did not come: {error}"))
        finally:
            self._fetching = False
            if handle is self.handle and self.is_attached:
                self._backlog.settle(handle.screen)
                self._flush()
