"""What tmux does not tell with a picture, and a viewer knows all the same: the pen, character sets, the saved cursor.

A picture that shows exactly what stood here before means that everything up to it was read. Then whatever the output
before it set still holds; else it is at its default, which may be wrong until the program sets it again.
"""

from __future__ import annotations

from amtui.emulator import DEFAULT, Row, Screen


class Before:
    """A screen as it was before a picture is loaded into it."""

    def __init__(self, screen: Screen) -> None:
        cursor = screen.cursor
        self._shape = _shape(screen)
        self._cursor = (cursor.x, cursor.y)
        self._rows: list[Row] = screen.rows
        self._pen = cursor.attr
        self._sets = (screen.charsets, screen.shift, screen.drawing)
        self._saved = screen.saved
        self._told = {name: getattr(screen.modes, name) for name in _UNTOLD}

    def carry_on(self, screen: Screen) -> bool:
        """After the picture was loaded: keep what it does not tell. Returns whether it shows just what stood here.

        With other colours the text that stood here was drawn by a pen that was guessed, and since then set in part.
        Of a picture in another size nobody can tell; that output was read up to it is the better guess.
        """
        text, colours = self._same(screen)
        if not text:
            return False
        if colours:
            screen.rows = self._rows
        screen.set_attr(self._pen)
        screen.charsets, screen.shift, screen.drawing = self._sets
        screen.saved = self._saved
        for name, value in self._told.items():
            setattr(screen.modes, name, value)
        screen._refresh_plain()
        return colours

    def _same(self, screen: Screen) -> tuple[bool, bool]:
        """Whether the text, or what cannot be compared, and whether all of it is the same."""
        if _shape(screen) != self._shape:
            return True, False
        pairs = list(zip(self._rows, screen.rows, strict=True))
        text = (screen.cursor.x, screen.cursor.y) == self._cursor and all(
            a.chars == b.chars for a, b in pairs
        )
        return text, text and all(_same_colours(a, b) for a, b in pairs)


def _same_colours(ours: Row, theirs: Row) -> bool:
    """Whether two rows of the same text look alike. tmux before 3.4 captures neither links nor cells at the
    end of a line that have only a background, so ours may have them."""
    end = len(theirs.attrs)
    while end and theirs.chars[end - 1] == " " and theirs.attrs[end - 1] == DEFAULT:
        end -= 1
    if any(
        a != b and a._replace(link=None) != b
        for a, b in zip(ours.attrs[:end], theirs.attrs[:end], strict=True)
    ):
        return False
    return all(attr == DEFAULT._replace(bg=attr.bg) for attr in set(ours.attrs[end:]))


def _shape(screen: Screen) -> tuple[int, int, bool]:
    return (screen.columns, screen.lines, screen.alternate)


_UNTOLD = ("blink", "bracketed_paste", "cursor_style", "focus", "kitty_flags", "modify_other_keys")
"""Modes that a capture leaves out."""
