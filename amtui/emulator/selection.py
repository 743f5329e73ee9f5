"""What a person selected in a console: cells, words or lines between two places, and the text they hold.

Places are absolute, so a selection stays on its text while output comes. It never ends inside a wide character.
"""

from __future__ import annotations

from typing import Final, Literal

from amtui.emulator import lines
from amtui.emulator.cells import HARMFUL
from amtui.emulator.lines import Place, Stretch
from amtui.emulator.screen import Screen

LIMIT: Final = 1_000_000
"""Characters of one copy; what follows is left out."""
Unit = Literal["cell", "word", "line"]
_FULL: Final = 10**6
_SEPARATORS: Final = frozenset(" \t\u00a0\u3000'\"`()[]{}<>|;,│┃║─━═╭╮╰╯┌┐└┘├┤┬┴┼")
"""What ends a word; paths, addresses, flags and versions are one word each."""


class Selection:
    """From where to where, and by what. A cell alone is not selected until `extend`; its word or line is."""

    def __init__(self) -> None:
        self._from: Place | None = None
        self._to: Place | None = None
        self.unit: Unit = "cell"

    def clear(self) -> None:
        """Nothing is selected."""
        self._from = self._to = None

    def begin(self, place: Place, unit: Unit = "cell") -> None:
        """Select from here."""
        self.unit = unit
        self._from = place
        self._to = None if unit == "cell" else place

    def extend(self, place: Place) -> None:
        """Select up to here, this cell included."""
        if self._from is not None:
            self._to = Place(place.row, max(0, place.column))

    @property
    def begun(self) -> bool:
        """A first place was set."""
        return self._from is not None

    @property
    def empty(self) -> bool:
        """Nothing is selected."""
        return self._from is None or self._to is None

    def span(self, screen: Screen) -> tuple[Place, Place] | None:
        """The first cell and the cell after the last, grown to whole characters, words or lines."""
        if self._from is None or self._to is None:
            return None
        one, other = sorted((self._from, self._to))
        if self.unit == "line":
            start = Place(lines.line_start(screen, one.row), 0)
            return start, Place(max(other.row + 1, lines.line_stop(screen, other.row)) - 1, _FULL)
        if self.unit == "word":
            one, _ = word_at(screen, one)
            _, last = word_at(screen, other)
            return one, last
        one, other = lines.whole(screen, one), lines.whole(screen, other)
        return one, Place(other.row, lines.after(screen, other))

    def on_row(self, screen: Screen, number: int) -> Stretch | None:
        """The selected cells of a row; past its end when the selection goes on in the next row."""
        span = self.span(screen)
        if span is None or not span[0].row <= number <= span[1].row:
            return None
        start = span[0].column if number == span[0].row else 0
        stop = span[1].column if number == span[1].row else _FULL
        return Stretch(number, start, stop) if stop > start else None

    def text(self, screen: Screen, limit: int = LIMIT) -> str:
        """The selected text: wrapped rows joined, blanks at ends of lines dropped, no control characters but newlines.

        At most `limit` characters.
        """
        span = self.span(screen)
        if span is None:
            return ""
        out: list[str] = []
        size, line = 0, ""
        for number in range(max(span[0].row, lines.first(screen)), min(span[1].row + 1, lines.end(screen))):
            shown = lines.cells(screen, number)
            left = span[0].column if number == span[0].row else 0
            right = span[1].column if number == span[1].row else _FULL
            if right == _FULL and number < span[1].row and lines.wrapped(screen, number):
                columns = lines.used_columns(screen, number)
                line += "".join(shown[left:columns]).ljust(0 if len(shown) >= columns else columns - left)
                if size + len(line) > limit:
                    break
                continue
            line = (line + "".join(shown[left:right])).rstrip(" ")
            out.append(line)
            size += len(line) + 1
            line = ""
            if size > limit:
                break
        if line:
            out.append(line)
        return "\n".join(part.translate(HARMFUL) for part in out)[:limit]


# ---- words and ways


def _kind(char: str) -> int:
    return 0 if char == " " else 1 if char in _SEPARATORS else 2


def _word(text: str, index: int) -> tuple[int, int]:
    """[start, end) of the word, the blanks, or the one separator at `index`."""
    if index >= len(text):
        return index, index + 1
    kind = _kind(text[index])
    if kind == 1:
        return index, index + 1
    start = stop = index
    while start > 0 and _kind(text[start - 1]) == kind:
        start -= 1
    while stop < len(text) and _kind(text[stop]) == kind:
        stop += 1
    return start, stop


def word_at(screen: Screen, place: Place) -> tuple[Place, Place]:
    """The first cell of the word at a cell, also where it began in the row above, and the cell after its last."""
    line = lines.line_at(screen, place.row)
    index = line.index(place)
    if index >= len(line.text):
        place = lines.whole(screen, place)
        return place, Place(place.row, lines.after(screen, place))
    found = line.stretches(*_word(line.text, index))
    return Place(found[0].row, found[0].start), Place(found[-1].row, found[-1].end)


def left(screen: Screen, place: Place) -> Place:
    """One character to the left; from the first column to the end of the row above."""
    place = lines.whole(screen, place)
    if place.column:
        return lines.whole(screen, Place(place.row, place.column - 1))
    if place.row <= lines.first(screen):
        return place
    return lines.whole(screen, Place(place.row - 1, max(0, screen.columns - 1)))


def right(screen: Screen, place: Place) -> Place:
    """One character to the right; from the last column to the row below."""
    column = lines.after(screen, place)
    if column < screen.columns:
        return Place(place.row, column)
    return Place(place.row + 1, 0) if place.row + 1 < lines.end(screen) else lines.whole(screen, place)


def line_begin(screen: Screen, place: Place) -> Place:
    """The first cell of the line, which may begin rows above."""
    return Place(lines.line_start(screen, place.row), 0)


def text_begin(screen: Screen, place: Place) -> Place:
    """The first cell of the line that is not blank."""
    line = lines.line_at(screen, place.row)
    return line.place(len(line.text) - len(line.text.lstrip(" ")))


def line_finish(screen: Screen, place: Place) -> Place:
    """The last cell of the line's text, which may end rows below."""
    line = lines.line_at(screen, place.row)
    return line.place(max(0, len(line.text) - 1))


def next_word(screen: Screen, place: Place) -> Place:
    """Where the next word begins, in this line or below; the last cell of the text when there is none."""
    line = lines.line_at(screen, place.row)
    index = line.index(place)
    if index < len(line.text) and _kind(line.text[index]):
        index = _word(line.text, index)[1]
    while True:
        while index < len(line.text) and not _kind(line.text[index]):
            index += 1
        if index < len(line.text):
            return line.place(index)
        below = line.number + len(line)
        if below >= lines.end(screen):
            return lines.whole(screen, place)
        line, index = lines.line_at(screen, below), 0


def word_end(screen: Screen, place: Place) -> Place:
    """The last cell of this word, or of the next one when already there."""
    _, after = word_at(screen, place)
    here = lines.line_at(screen, place.row)
    index = here.index(place)
    inside = index < len(here.text) and _kind(here.text[index]) > 0
    last = lines.whole(screen, Place(after.row, after.column - 1))
    if inside and last > lines.whole(screen, place):
        return last
    found = next_word(screen, place)
    if found == place:
        return lines.whole(screen, place)
    _, after = word_at(screen, found)
    return lines.whole(screen, Place(after.row, after.column - 1))


def previous_word(screen: Screen, place: Place) -> Place:
    """Where this word begins, or the one before when already there; the oldest cell when there is none."""
    line = lines.line_at(screen, place.row)
    index = line.index(place)
    while True:
        while index > 0 and not _kind(line.text[index - 1]):
            index -= 1
        if index > 0:
            return line.place(_word(line.text, index - 1)[0])
        if line.number <= lines.first(screen):
            return lines.whole(screen, place)
        line = lines.line_at(screen, line.number - 1)
        index = len(line.text)
