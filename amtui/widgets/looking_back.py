"""Looking back through a console: scroll mode with its own cursor, search, selection, copy and links.

In scroll mode the picture stands still while output goes on below it. Everything is named by absolute row, so a hit,
a selection and the cursor stay on their text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final, NamedTuple

from textual.binding import Binding, BindingType
from textual.geometry import Offset

from amtui.emulator import Screen, lines, selection
from amtui.emulator.lines import Place
from amtui.emulator.links import Link, link_at, links
from amtui.emulator.selection import Unit
from amtui.widgets.selecting import Selecting

Way = Callable[[Screen, Place], Place]
_WAYS: Final[dict[str, Way]] = {
    "left": selection.left,
    "right": selection.right,
    "word": selection.next_word,
    "word_back": selection.previous_word,
    "word_end": selection.word_end,
    "begin": selection.line_begin,
    "text": selection.text_begin,
    "finish": selection.line_finish,
}


class Look(NamedTuple):
    """What the position line tells."""

    row: int
    """The cursor's row, counted from 1 at the oldest row there is, here or with the worker."""
    rows: int
    new: int
    """Rows that came below since scroll mode began or last saw the newest."""
    query: str
    regex: bool
    hit: int
    """Which hit the cursor is on, from 1; 0 for none."""
    hits: int
    more: bool
    """There may be more hits than these: still reading, or too many."""
    reading: bool
    error: str
    selecting: str
    """What is being selected by: empty, cell, word or line."""


class LookingBack(Selecting):
    """A picture of a console that can be looked back through."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "look_search(1)", "Search", tooltip="Search down", id="console.search"),
        Binding("v,space", "look_select('cell')", "Select", id="console.select"),
        Binding("y,enter", "look_copy", "Copy", id="console.copy"),
        Binding("q", "look_leave", "Leave", id="console.leave"),
        Binding("n", "look_hit(1)", "Next", tooltip="Next hit", id="console.next_hit"),
        Binding("N", "look_hit(-1)", "Prev", tooltip="Previous hit", id="console.previous_hit"),
        Binding("question_mark", "look_search(-1)", "Back", tooltip="Search up", id="console.search_back"),
        Binding("o", "look_link", "Link", tooltip="Open or copy a link", id="console.link"),
        Binding("V", "look_select('line')", "Lines", tooltip="Select lines", id="console.select_lines"),
        Binding("escape", "look_escape", "Leave", show=False, id="console.escape"),
        Binding("up,k", "look_rows(-1)", "Up", show=False, id="console.up"),
        Binding("down,j", "look_rows(1)", "Down", show=False, id="console.down"),
        Binding("left,h", "look_way('left')", "Left", show=False, id="console.left"),
        Binding("right,l", "look_way('right')", "Right", show=False, id="console.right"),
        Binding("w", "look_way('word')", "Next word", show=False, id="console.word"),
        Binding("b", "look_way('word_back')", "Word back", show=False, id="console.word_back"),
        Binding("e", "look_way('word_end')", "End of word", show=False, id="console.word_end"),
        Binding("0", "look_way('begin')", "Begin of line", show=False, id="console.line_begin"),
        Binding(
            "circumflex_accent", "look_way('text')", "Begin of text", show=False, id="console.text_begin"
        ),
        Binding("dollar_sign", "look_way('finish')", "End of line", show=False, id="console.line_end"),
        Binding("home,g", "look_oldest", "Oldest", show=False, id="console.oldest"),
        Binding("end,G", "look_newest", "Newest", show=False, id="console.newest"),
        Binding("ctrl+u", "look_half(1)", "Half a page up", show=False, id="console.half_up"),
        Binding("ctrl+d", "look_half(-1)", "Half a page down", show=False, id="console.half_down"),
    ]

    _said_look: Look | None = None

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        # Both are called in the turn of the key, not by a message: the next key is already on its way.
        self.prompt: Callable[[int], None] | None = None
        """Lets a person type what to search for, down (1) or up (-1); set by who has a line for it."""
        self.resume: Callable[[], None] | None = None
        """Begins type mode again after scroll mode that began in it; set by who holds the view."""
        self._height = 0
        """Rows of the view at the last frame."""
        self._stay_at = 0
        """The row of the view that the cursor keeps to while the picture is scrolled."""
        self._light = False
        """Scroll mode began by paging, so that paging back to the end leaves it."""
        self._back_to_typing = False
        self._newest = 0
        """Number after the newest row seen."""
        self._alternate = False

    @classmethod
    def looking_bindings(cls) -> list[Binding]:
        """The keys of scroll mode, for help."""
        return [each for each in LookingBack.BINDINGS if isinstance(each, Binding)]

    # ---- said by the view

    def look_changed(self) -> None:
        """The position line has something else to tell."""

    def choose_link(self, found: list[Link]) -> None:
        """A person wants to open one of these."""

    # ---- scroll mode

    def forget_place(self) -> None:
        self._selection.clear()
        self._search, self._current, self._marked = None, None, {}
        self.looking = False

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "look_hit":
            return self.looking and self._search is not None
        if action.startswith("look_"):
            return self.looking
        return super().check_action(action, parameters)

    @property
    def can_look(self) -> bool:
        """There is a console to look back in, and nobody does."""
        return self._live and self.handle is not None and not self.looking and not self.typing

    def look_back(self, *, light: bool = False, back_to_typing: bool = False) -> None:
        """Scroll mode begins: the picture stands still, the cursor is where the program's is."""
        if self.handle is None or self.looking:
            return
        self._light, self._back_to_typing = light, back_to_typing
        self._stand()
        self.looking = True

    def _stand(self) -> None:
        """Stand still where the picture is, the cursor on the program's."""
        assert self.handle is not None
        screen, height = self.handle.screen, self.size.height
        self._backlog.hold(screen, height)
        top = self._backlog.top(screen, height)
        cursor = Place(lines.base(screen) + screen.cursor.y, min(screen.cursor.x, screen.columns - 1))
        row = min(max(cursor.row, top), top + height - 1, self._last_row())
        self._place = lines.whole(screen, Place(row, cursor.column if row == cursor.row else 0))
        self._column = self._place.column
        self._newest = self._used_end()
        self._alternate, self._height = screen.alternate, height

    def watch_looking(self, looking: bool) -> None:
        self.set_class(looking, "looking")
        if not looking:
            self._backlog.follow()
            self._selection.clear()
            self._stop_search()
        self.refresh_bindings()
        self._flush()
        self.refresh()
        self._tell_look()

    def action_look_leave(self) -> None:
        again, self._back_to_typing = self._back_to_typing, False
        self.looking = False
        if again and self.resume is not None:
            self.resume()

    def action_look_escape(self) -> None:
        if self._selection.begun:
            self._selection.clear()
            self._marks_changed()
        else:
            self.action_look_leave()

    def _used_end(self) -> int:
        """Number after the newest row that holds something."""
        assert self.handle is not None
        screen = self.handle.screen
        y = screen.lines - 1
        while y > screen.cursor.y and not "".join(screen.row(y).shown).strip():
            y -= 1
        return lines.base(screen) + y + 1

    def _last_row(self) -> int:
        """The row that the cursor may not pass."""
        assert self.handle is not None
        screen = self.handle.screen
        return lines.end(screen) - 1 if screen.alternate else self._used_end() - 1

    @property
    def look(self) -> Look | None:
        """What to tell of the place looked at; None outside of scroll mode."""
        if self.handle is None or not self.looking:
            return None
        screen, search = self.handle.screen, self._search
        # Rows that only the worker still holds count too: they come when one looks there.
        first = 0 if screen.alternate else min(lines.first(screen), screen.history.base)
        end = self._used_end()
        at = search.number(self._current) if search is not None and self._current is not None else 0
        return Look(
            row=self._place.row - first + 1,
            rows=end - first,
            new=0 if screen.alternate else max(0, end - self._newest),
            query=search.pattern.text if search is not None else "",
            regex=search is not None and search.pattern.regex,
            hit=at,
            hits=len(search.hits) if search is not None else 0,
            more=search is not None and (search.capped or not search.done),
            reading=search is not None and not search.done,
            error=self._error,
            selecting=self._selection.unit if self._selection.begun else "",
        )

    def _tell_look(self) -> None:
        now = self.look
        if now != self._said_look:
            self._said_look = now
            self.look_changed()

    # ---- frames

    def _update(self) -> None:
        handle = self.handle
        if handle is not None:
            if handle.screen.alternate != self._alternate:
                self._alternate = handle.screen.alternate
                self._other_screen()
            if self.looking:
                self._look_on()
        super()._update()
        if self.looking:
            self._tell_look()

    def _other_screen(self) -> None:
        """A program took the whole screen, or gave it back: rows are numbered otherwise now."""
        self._selection.clear()
        self._backlog.follow()
        if self.looking:  # and scroll mode goes on: its keys must not become those of the worker unasked
            self._current = None
            self._stand()
            self.note("the program changed the screen")

    def _look_on(self) -> None:
        """Before a frame in scroll mode: hits of what came, and the cursor on a row that is held."""
        assert self.handle is not None
        screen, height = self.handle.screen, self.size.height
        if height != self._height:  # the line under the picture takes a row; what one looks at stays on show
            self._height = height
            self._backlog.show(screen, height, self._place.row)
        top = self._backlog.top(screen, height)
        if not top <= self._place.row < top + height or self._place.row < lines.first(screen):
            row = max(lines.first(screen), min(top + self._stay_at, self._last_row()))
            self._place = lines.whole(screen, Place(row, self._column))
        if top + height >= self._used_end():
            self._newest = max(self._newest, self._used_end())
        self._search_on()

    def _cursor_offset(self, width: int, height: int) -> Offset | None:
        if not self.looking or self.handle is None:
            return super()._cursor_offset(width, height)
        y = self._place.row - self._backlog.top(self.handle.screen, height)
        x = self._place.column - self._left
        return Offset(x, y) if 0 <= x < width and 0 <= y < height else None

    def _columns_left(self, width: int) -> int:
        if not self.looking or self.handle is None:
            return super()._columns_left(width)
        left, column = self._left, self._place.column
        return max(0, min(left, column), column - width + 1)

    # ---- moving

    def _go(self, place: Place, *, follow: bool = True) -> None:
        """The cursor goes there, the picture follows it, and so does what is being selected."""
        if self.handle is None:
            return
        screen, height = self.handle.screen, self.size.height
        if place.row < lines.first(screen):
            self._backlog.show(screen, height, lines.first(screen))
            self._look_further()
        row = min(max(place.row, lines.first(screen)), self._last_row())
        self._place = lines.whole(screen, Place(row, min(max(0, place.column), screen.columns - 1)))
        if follow:
            self._backlog.show(screen, height, row)
            self._light = False
        if self._selection.begun:
            self._selection.extend(self._place)
            self.refresh()
        self._marks_changed()

    def action_look_rows(self, rows: int) -> None:
        self._go(Place(self._place.row + rows, self._column))

    def action_look_half(self, back: int) -> None:
        self.action_look_rows(-back * max(1, self.size.height // 2))

    def action_look_way(self, way: str) -> None:
        if self.handle is not None:
            self._go(_WAYS[way](self.handle.screen, self._place))
            self._column = self._place.column

    def action_look_oldest(self) -> None:
        if self.handle is not None:
            self._light, self._column = False, 0
            self._backlog.all_wanted = True
            self._scroll(10**9)
            self._stay_at = 0  # also when older rows come
            self._go(Place(lines.first(self.handle.screen), 0), follow=False)

    def action_look_newest(self) -> None:
        self._go(Place(self._last_row(), 0))

    def _scroll(self, rows: int) -> None:
        if self.handle is None or not self.looking:
            super()._scroll(rows)
            return
        screen, height = self.handle.screen, self.size.height
        y = self._place.row - self._backlog.top(screen, height)
        self._stay_at = max(0, min(y, height - 1))
        self._backlog.move(screen, height, rows)
        if rows < 0 and self._light and self._backlog.top(screen, height) + height >= self._used_end():
            self.action_look_leave()
            return
        if rows > 0 and self._backlog.lacks(screen, height):
            self._look_further()
        self._go(Place(self._backlog.top(screen, height) + self._stay_at, self._column), follow=False)

    def _looks_from_here(self) -> None:
        """A key of view mode scrolls: that is scroll mode, left again by scrolling to the end."""
        if self._live and not self.typing and self.handle is not None and not self.handle.screen.alternate:
            self.look_back(light=True)

    def action_scroll_back(self, pages: int) -> None:
        if pages > 0:
            self._looks_from_here()
        super().action_scroll_back(pages)

    def action_scroll_rows(self, rows: int) -> None:
        if rows > 0:
            self._looks_from_here()
        super().action_scroll_rows(rows)

    def action_scroll_top(self) -> None:
        self._looks_from_here()
        super().action_scroll_top()

    def action_scroll_end(self) -> None:
        if self.looking:
            self.action_look_leave()
        super().action_scroll_end()

    def action_look_search(self, direction: int) -> None:
        self.look_back()
        self._light = False
        self._direction = direction
        self._origin = self._place
        if self.prompt is not None:
            self.prompt(direction)

    # ---- selecting, links

    def action_look_select(self, unit: Unit) -> None:
        self._light = False
        super().action_look_select(unit)

    def action_look_link(self) -> None:
        if self.handle is None:
            return
        screen = self.handle.screen
        if (link := link_at(screen, self._place)) is not None:
            self.choose_link([link])
            return
        top = self._backlog.top(screen, self.size.height)
        found = links(screen, top, top + self.size.height)
        if not found:
            self.note("no link on show")
        else:
            self.choose_link(found)
