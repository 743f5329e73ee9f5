"""Opening a link that a person chose: first what it really is, then a question, then a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from amtui.emulator.links import Link, Target, UnsafeLink, target
from amtui.model import plain
from amtui.screens import outside
from amtui.screens.dialogs import Choice, Dialog

if TYPE_CHECKING:
    from amtui.screens.desk import Desk

_TEXT: Final = 80
"""Characters of a link's text that are shown."""


class OpenLink(Dialog):
    """The real address, whole; nothing is opened but by `y`."""

    DEFAULT_CSS = """
    OpenLink VerticalScroll { height: auto; max-height: 14; margin-top: 1; }
    OpenLink VerticalScroll Static { height: auto; }
    OpenLink #text { color: $warning; text-style: bold; }
    OpenLink #text.none { display: none; }
    OpenLink #more { color: $text-muted; margin-top: 1; height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer('open')", "Open", id="link.open"),
        Binding("c", "answer('copy')", "Copy", id="link.copy"),
        Binding("n,enter", "decline", "No", id="dialog.no"),
    ]

    def __init__(self, link: Link, real: Target, *, can_open: bool) -> None:
        warnings = "\n".join(f"! {each}" for each in real.warnings)
        super().__init__("Open this link?" if can_open else "No browser here · copy this link?", warnings)
        self._link, self._real, self._can_open = link, real, can_open
        keys = ["y opens it"] if can_open else []
        self.KEYS = " · ".join([*keys, "c copies it", "n or esc neither"])  # type: ignore[misc]

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = Content(self._title)
            with VerticalScroll():
                yield Static(Content(self._real.address), id="address")
            yield Static(Content(self._text), id="text", classes="" if self._text else "none")
            yield Static(Content(self._about()), id="more")
            yield Static(Content(self.KEYS), id="keys")

    def _about(self) -> str:
        lines = [f"leads to  {self._real.host}"]
        text = " ".join(plain(self._link.text).split())
        if text and text != self._real.address:
            lines.append(f"text      {text if len(text) <= _TEXT else text[: _TEXT - 1] + '…'}")
        return "\n".join(lines)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self._can_open if parameters == ("open",) else True

    def action_answer(self, answer: str) -> None:
        self.dismiss(answer)


def _option(link: Link) -> str:
    """A link in a list: where it leads, not what it says."""
    try:
        real = target(link)
    except UnsafeLink:
        return f"{plain(link.address)[:160]}  (not opened)"
    return f"{'! ' if real.warnings else ''}{real.address}"


async def follow(desk: Desk, found: list[Link]) -> None:
    """Let the person choose one of these links, look at it, and open or copy it."""
    link = found[0]
    if len(found) > 1:
        options = tuple(f"{_option(each)}" for each in found)
        chosen = await desk.answer(
            Choice("Which link?", "The links on show, as they would be opened:", options)
        )
        if chosen is None:
            return
        link = found[options.index(chosen)]
    try:
        real = target(link)
    except UnsafeLink as error:
        desk.say(f"that link is not opened: {error}", "bad")
        return
    command = outside.browser_command(outside.environment())
    answer = await desk.answer(OpenLink(link, real, can_open=bool(command)))
    if answer == "copy":
        desk.copy_to_clipboard(real.address)
        desk.say(f"copied {len(real.address)} characters")
    elif answer == "open":
        if await outside.open_address(real.address, command):
            desk.say(f"opened {real.host} in your browser")
        else:
            desk.copy_to_clipboard(real.address)
            desk.say("the browser did not start; the address was copied instead", "bad")
