"""Selecting in a view of a console and copying what is selected; how it and the hits of a search are shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from rich.style import Style

from amtui.emulator.lines import Place
from amtui.emulator.selection import LIMIT, Selection, Unit
from amtui.model import plain
from amtui.widgets.searching import Searching

_SELECTED: Final = Style(bgcolor="#2b4f77", color="#ffffff")
_HIT: Final = Style(bgcolor="#6b4e00", color="#ffffff")
_CURRENT: Final = Style(bgcolor="#E69F00", color="#121212", bold=True)
_PLAIN_SELECTED: Final = Style(reverse=True)
_PLAIN_HIT: Final = Style(underline=True, bold=True)
_PLAIN_CURRENT: Final = Style(reverse=True, bold=True, underline=True)
"""The same three where there is no colour."""


class Selecting(Searching):
    """A picture of a console in which text is selected, by the keys of `LookingBack` or by a mouse."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self._selection = Selection()

    def highlights(self, y: int) -> Iterable[tuple[int, int, Style]]:
        if self.handle is None or (self._selection.empty and not self._marked):
            return
        screen = self.handle.screen
        number = self._backlog.number(screen, y, self.size.height)
        bare = self.app.no_color
        for start, end, hit in self._marked.get(number, ()):
            here = self._current is not None and hit.start == self._current.start
            if here:
                yield start, end, _PLAIN_CURRENT if bare else _CURRENT
            else:
                yield start, end, _PLAIN_HIT if bare else _HIT
        if stretch := self._selection.on_row(screen, number):
            yield stretch.start, stretch.end, _PLAIN_SELECTED if bare else _SELECTED

    def action_look_select(self, unit: Unit) -> None:
        if self._selection.begun and self._selection.unit == unit:
            self._selection.clear()
        else:
            self.select_from(self._place, unit)
            self._selection.extend(self._place)
        self._marks_changed()

    def select_from(self, place: Place, unit: Unit = "cell") -> None:
        """Begin to select here."""
        self._selection.begin(place, unit)
        self.refresh()

    def action_look_copy(self) -> None:
        if self._selection.empty:
            self.note("nothing is selected · v begins, V takes lines, / searches")
            return
        self.copy_selection()
        self._selection.clear()
        self._marks_changed()

    def copy_selection(self) -> None:
        """To the clipboard of the person's computer. What is copied is remote output: nothing in it can be obeyed."""
        if self.handle is None:
            return
        text = plain(self._selection.text(self.handle.screen))
        if text:
            self.app.copy_to_clipboard(text)
            first = "the first " if len(text) >= LIMIT else ""
            self.note(f"copied {first}{len(text)} character{'s' if len(text) > 1 else ''}")
        elif not self._selection.empty:
            self.note("only blanks there; nothing was copied")
