"""The modes that a program switches on and off, as input encoding and drawing need them."""

from __future__ import annotations

from pyte import modes as pyte_modes


class Modes:
    """What the program in the console asked for. tmux's defaults after a reset."""

    __slots__ = (
        "application_cursor",
        "application_keypad",
        "blink",
        "bracketed_paste",
        "cursor_style",
        "cursor_visible",
        "focus",
        "insert",
        "kitty_flags",
        "modify_other_keys",
        "mouse",
        "mouse_sgr",
        "mouse_utf8",
        "origin",
        "sync",
        "wrap",
    )

    def __init__(self) -> None:
        self.cursor_style = 0
        """0 the terminal's own, 1-2 block, 3-4 underline, 5-6 bar; odd ones blink."""
        self.reset()

    def reset(self) -> None:
        """As after ESC c. The cursor's shape stays, as in tmux."""
        self.application_cursor = False
        """Arrow keys are sent as ESC O A (DECCKM, ?1)."""
        self.application_keypad = False
        """Keypad keys are sent as ESC O p (ESC =)."""
        self.bracketed_paste = False
        """A paste is wrapped in CSI 200~ and 201~ (?2004)."""
        self.cursor_visible = True
        """?25."""
        self.blink = False
        """?12."""
        self.focus = False
        """The program wants CSI I and CSI O (?1004)."""
        self.insert = False
        """Text pushes what is right of it along (IRM, 4)."""
        self.kitty_flags = 0
        """Flags of the kitty keyboard protocol last asked for. tmux 3.3a ignores them: they are only noted."""
        self.modify_other_keys = 0
        """0 off, 1 or 2: the program asked for CSI u keys (CSI > 4 ; n m)."""
        self.mouse = 0
        """0 off, 1000 clicks, 1002 clicks and drags, 1003 every motion."""
        self.mouse_sgr = False
        """Mouse events as CSI < … M (?1006)."""
        self.mouse_utf8 = False
        """Mouse events in UTF-8 (?1005)."""
        self.origin = False
        """Rows count from the scroll region's top (DECOM, ?6)."""
        self.sync = False
        """The program is in the middle of a frame: hold the repaint (?2026)."""
        self.wrap = True
        """Text at the right edge goes on in the next line (DECAWM, ?7)."""

    def as_pyte(self) -> set[int]:
        """The set that pyte keeps in `screen.mode`."""
        flags = {
            pyte_modes.IRM: self.insert,
            pyte_modes.DECTCEM: self.cursor_visible,
            pyte_modes.DECOM: self.origin,
            pyte_modes.DECAWM: self.wrap,
            1 << 5: self.application_cursor,
            2004 << 5: self.bracketed_paste,
            1004 << 5: self.focus,
            1006 << 5: self.mouse_sgr,
            2026 << 5: self.sync,
        }
        out = {mode for mode, on in flags.items() if on}
        if self.mouse:
            out.add(self.mouse << 5)
        return out
