"""What tmux does not tell with a picture, and a viewer knows all the same: the pen, character sets, the saved cursor.

A picture that shows exactly what stood here before means that everything up to it was read. Then whatever the output
before it set still holds; else it is at its default, which may be wrong until the program sets it again.
"""

from __future__ import annotations

from amtui.emulator import Row, Screen


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
        """After the picture was loaded: keep what it does not tell, if it shows what stood here. Returns whether.

        Of a picture in another size nobody can tell; that output was read up to it is then the better guess.
        """
        same = self._same(screen)
        if same:
            screen.rows = self._rows
        elif self._shape == _shape(screen):
            return False
        screen.set_attr(self._pen)
        screen.charsets, screen.shift, screen.drawing = self._sets
        screen.saved = self._saved
        for name, value in self._told.items():
            setattr(screen.modes, name, value)
        screen._refresh_plain()
        return same

    def _same(self, screen: Screen) -> bool:
        if _shape(screen) != self._shape or (screen.cursor.x, screen.cursor.y) != self._cursor:
            return False
        pairs = zip(self._rows, screen.rows, strict=True)
        return all(ours.chars == theirs.chars and ours.attrs == theirs.attrs for ours, theirs in pairs)


def _shape(screen: Screen) -> tuple[int, int, bool]:
    return (screen.columns, screen.lines, screen.alternate)


_UNTOLD = ("blink", "bracketed_paste", "cursor_style", "focus", "kitty_flags", "modify_other_keys")
"""Modes that a capture leaves out."""
