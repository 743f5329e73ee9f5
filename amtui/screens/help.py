"""Help made from what is live: the keys of the screen it was opened on, then every operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.style import Style
from textual.binding import Binding

from amtui.ops.base import Surface
from amtui.screens.base import AmtuiScreen
from amtui.screens.text import TextScreen
from amtui.widgets import states
from amtui.widgets.chrome import key_name
from amtui.widgets.columns import cell
from amtui.widgets.console_view import PREFIX_COMMANDS, ConsoleView
from amtui.widgets.look_line import LookLine

if TYPE_CHECKING:
    from amtui.screens.desk import Desk

_HEAD = Style(bold=True, color=states.SKY)
_DIM = Style(dim=True)


class HelpScreen(TextScreen):
    """What can be done here."""

    @classmethod
    def about(cls, screen: Any, desk: Desk) -> HelpScreen:
        """Help on a screen: its purpose, its live keys, the console's keys, the operations."""
        return cls(
            "Help",
            [
                *_purpose(screen),
                *_keys(screen),
                *_console(),
                *_looking(desk),
                *_states(desk.ascii_only),
                *_operations(desk),
            ],
        )


def _purpose(screen: Any) -> list[tuple[str, Style]]:
    place = screen.place() if isinstance(screen, AmtuiScreen) else type(screen).__name__
    return [
        (place, _HEAD),
        *([(screen.HELP_TEXT, Style())] if getattr(screen, "HELP_TEXT", "") else []),
        ("", Style()),
    ]


def _keys(screen: Any) -> list[tuple[str, Style]]:
    """Live bindings, several keys of one action on one line."""
    found: dict[str, tuple[list[str], str, str]] = {}
    for key, active in screen.active_bindings.items():
        binding = active.binding
        if not active.enabled or binding.system or not binding.description or not binding.id:
            continue
        keys, _, _ = found.setdefault(
            binding.action, ([], binding.tooltip or binding.description, binding.id or "")
        )
        keys.append(key_name(key))
    lines = [("Keys that work here", _HEAD)]
    lines += [
        (f"  {cell(' '.join(keys), 22)}{cell(what, 26)}{name}", Style())
        for keys, what, name in found.values()
    ]
    return [*lines, ("  The last column is the name for [keys.map] in config.toml.", _DIM), ("", Style())]


def _console() -> list[tuple[str, Style]]:
    lines = [("In type mode every key goes to the agent, except", _HEAD)]
    lines += [("  ^]        then one of these; ^] twice sends ^] itself", Style())]
    lines += [(f"    {cell(shown, 6)}{label}", Style()) for shown, _, label in PREFIX_COMMANDS.values()]
    lines += [
        ("  F12       leave type mode", Style()),
        ("  S-pgup    scroll back in amtui's own scrollback (a full-screen program gets the key)", Style()),
        ("  mouse     goes to a program that asked for it; shift+drag selects and copies", Style()),
        ("  underlined: shown ahead of a slow host's answer (console.predict = auto, on, off)", Style()),
        ("", Style()),
    ]
    return lines


def _looking(desk: Desk) -> list[tuple[str, Style]]:
    """Scroll mode's keys, as they are bound now."""
    lines = [("In scroll mode: ^] v from type mode, v or pgup from view mode", _HEAD)]
    for binding in (*ConsoleView.looking_bindings(), *LookLine.BINDINGS):
        assert isinstance(binding, Binding)
        keys = (desk.keymap.get(binding.id or "") or binding.key).split(",")
        shown = " ".join(key_name(key.strip()) for key in keys)
        lines.append(
            (f"  {cell(shown, 22)}{cell(binding.tooltip or binding.description, 26)}{binding.id}", Style())
        )
    return [
        *lines,
        ("  mouse                 drag selects, twice a word, thrice a line; ctrl+click a link", Style()),
        ("  Links are shown as what they are and asked for before anything opens.", _DIM),
        ("", Style()),
    ]


def _states(ascii_only: bool) -> list[tuple[str, Style]]:
    lines = [("States", _HEAD)]
    for look in states.every():
        lines.append(
            (
                f"  {look.mark(ascii_only)} {cell(look.word, 14)}{states.GROUP_TITLES[look.group]}",
                Style(color=look.colour),
            )
        )
    return [*lines, ("", Style())]


def _operations(desk: Desk) -> list[tuple[str, Style]]:
    lines = [("Operations, as on the : line and the command line", _HEAD)]
    ops = desk.operations.on(Surface.HELP)
    width = max((len(op.id) for op in ops), default=0) + 2  # an id that is cut cannot be typed
    for op in ops:
        lines.append((f"  {cell(op.id, width)}{op.summary}", Style()))
        if op.absent:
            lines.append((f"  {cell('', width)}not on every surface: {op.absent}", _DIM))
    return lines
