"""Searching in a view of a console: hits on show, the way from one to the next, a slice of work at a time."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from amtui.emulator.lines import Place
from amtui.emulator.pattern import Pattern, PatternError
from amtui.emulator.search import Hit, Search
from amtui.model import plain
from amtui.widgets.console_scroll import ConsoleScroll

SLICE: Final = 0.005
"""Seconds of searching at a time."""
PAUSE: Final = 0.010
"""Seconds for everything else between two slices."""


class Searching(ConsoleScroll):
    """A picture of a console with a place to search from; `LookingBack` moves it."""

    _searching: asyncio.TimerHandle | None = None

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self._place = Place(0, 0)
        """Where the cursor of scroll mode is."""
        self._column = 0
        """The column that moving up and down keeps to."""
        self._search: Search | None = None
        self._direction = 1
        self._error = ""
        self._current: Hit | None = None
        self._origin: Place | None = None
        """Where the search that is being typed began."""
        self._jump = 0
        """The direction in which a hit is still being looked for."""
        self._marked: dict[int, list[tuple[int, int, Hit]]] = {}
        """Cells of hits on show by row."""

    def note(self, text: str) -> None:
        """One line for the status line."""

    def _tell_look(self) -> None:
        """There may be something new for the position line."""

    def _go(self, place: Place, *, follow: bool = True) -> None:
        """The cursor goes there, and the picture after it."""
        raise NotImplementedError

    def _marks_changed(self) -> None:
        self._flush()
        self.refresh()
        self._tell_look()

    def find(self, text: str, *, regex: bool = False) -> None:
        """Search for `text` while it is being typed, from where the typing began."""
        if self.handle is None or not self.looking:
            return
        origin = self._origin or self._place
        self._stop_search()
        self._origin = origin
        if text:
            try:
                self._search = Search(self.handle.screen, Pattern(text, regex=regex))
            except PatternError as error:
                self._error = str(error)
        if self._search is not None:
            self._backlog.all_wanted = True
            self._look_further()
            self._jump = self._direction
            self._search_on()
        else:
            self._go(origin)
        self.refresh_bindings()
        self._marks_changed()

    def keep_search(self) -> None:
        """The search has been typed; `n` and `N` go on with it."""
        self._origin = None
        search = self._search
        if search is not None and search.done and not search.hits:
            self.note(f"{plain(search.pattern.text)!r} is in none of the rows held")

    def drop_search(self) -> None:
        """No search after all: back to where it began."""
        origin = self._origin
        self._stop_search()
        if origin is not None and self.looking:
            self._go(origin)
        self._marks_changed()

    def _stop_search(self) -> None:
        if self._searching is not None:
            self._searching.cancel()
            self._searching = None
        self._search = self._current = self._origin = None
        self._jump, self._error, self._marked = 0, "", {}
        self._backlog.all_wanted = False
        self.refresh_bindings()

    def _search_on(self) -> None:
        """One slice of searching; the next comes by itself while there is more to read."""
        search = self._search
        if search is None or self.handle is None:
            return
        more = search.work(SLICE)
        if self._jump:
            self._to_hit()
        top = self._backlog.top(self.handle.screen, self.size.height)
        marked: dict[int, list[tuple[int, int, Hit]]] = {}
        for stretch, hit in search.on_rows(top, top + self.size.height):
            marked.setdefault(stretch.row, []).append((stretch.start, stretch.end, hit))
        if marked != self._marked:
            self._marked = marked
            self.refresh()
        if more and self._searching is None:
            self._searching = asyncio.get_running_loop().call_later(PAUSE, self._search_again)

    def _search_again(self) -> None:
        self._searching = None
        if self.is_attached and self.looking:
            self._search_on()
            self._tell_look()

    def action_look_hit(self, step: int) -> None:
        self._jump = step * self._direction
        self._origin = None
        self._search_on()
        self._marks_changed()

    def _to_hit(self) -> None:
        """Go to the next hit in the wanted direction, as soon as it is known which one that is."""
        search = self._search
        if search is None:
            self._jump = 0
            return
        forward, origin = self._jump > 0, self._origin
        place = self._place if origin is None else origin
        if origin is not None and forward:
            place = place._replace(column=place.column - 1)  # a hit right here is one
        hit = search.after(place) if forward else search.before(place)
        if hit is not None and forward and search.read_from > place.row and not search.done:
            return  # an earlier one may still be found
        if hit is None:
            if not search.done:
                return
            if search.hits:
                hit = search.hits[0 if forward else -1]
                self.note("went on at the oldest row" if forward else "went on at the newest row")
        self._jump = 0
        self._current = hit
        if hit is not None:
            self._backlog.show(search.screen, self.size.height, hit.start.row, self.size.height // 3)
            self._go(hit.start)
            self._column = self._place.column
        elif origin is not None:
            self._go(origin)
