"""What is foreseen, when it is shown, and how it is judged: mosh's rules on a clock of the test's own."""

from __future__ import annotations

import pytest

from amtui.emulator import Screen, Stream
from amtui.emulator.cells import REVERSE
from amtui.widgets import predict
from amtui.widgets.predict import BOUND, LATE, LOOK, Mode, Predictor, Trigger, foreseen

BACK, LEFT, RIGHT, ENTER = b"\x7f", b"\x1b[D", b"\x1b[C", b"\r"


class Desk:
    """A person, a predictor, and a host that says and accepts what the test wants."""

    def __init__(
        self, first: bytes = b"$ ", *, mode: Mode = "on", rtt: float = 0.1, columns: int = 40
    ) -> None:
        self.screen = Screen(columns, 6, 10)
        self.stream = Stream(self.screen)
        self.predictor = Predictor(mode)
        self.now, self.rtt, self.unacked = 10.0, rtt, 0
        self.say(first)
        self.wait(1.0)

    def look(self) -> None:
        self.predictor.settle(self.screen, self.unacked, self.rtt, self.now)

    def press(self, *keys: bytes) -> None:
        for data in keys:
            self.predictor.typed(data, len(data), self.now, self.screen)
            self.unacked += len(data)
            self.look()
            self.now += 0.001

    def type(self, text: str) -> None:
        self.press(*(char.encode() for char in text))

    def say(self, data: bytes) -> None:
        """The host prints."""
        self.stream.feed(data)
        self.look()

    def accept(self, size: int | None = None) -> None:
        """tmux has taken so much of the input, or all of it."""
        self.unacked -= self.unacked if size is None else size
        self.look()

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += LOOK
            self.look()

    def answer(self, echo: bytes) -> None:
        """The host accepts everything and echoes."""
        self.accept()
        self.say(echo)
        self.wait(LOOK)

    def confirmed(self, text: str = "a") -> Desk:
        """An epoch that is believed: `text` was typed and echoed."""
        self.type(text)
        self.answer(text.encode())
        self.wait(BOUND + LATE)
        assert not self.predictor.busy
        return self

    def row(self, y: int = 0) -> str:
        """A row as it is shown."""
        marks, _ = self.predictor.marks(self.screen, self.now)
        return foreseen(self.screen.row(y), marks.get(y, ())).text.rstrip()

    @property
    def caret(self) -> tuple[int, int] | None:
        return self.predictor.marks(self.screen, self.now)[1]

    @property
    def grid(self) -> str:
        return self.screen.display[0].rstrip()


def test_nothing_shows_until_the_host_has_echoed_one_key_of_the_epoch() -> None:
    desk = Desk()
    desk.type("ls")
    assert desk.row() == "$"
    assert desk.caret is None
    desk.accept(1)
    desk.say(b"l")
    assert desk.row() == "$ ls"
    assert desk.grid == "$ l"
    assert desk.caret == (4, 0)


def test_a_confirmed_epoch_shows_each_key_at_once_and_never_touches_the_grid() -> None:
    desk = Desk().confirmed()
    version = desk.screen.row(0).version
    desk.type("bc d")
    assert desk.row() == "$ abc d"
    assert desk.caret == (7, 0)
    assert desk.grid == "$ a"
    assert desk.screen.row(0).version == version
    desk.answer(b"bc d")
    desk.wait(BOUND)
    assert not desk.predictor.busy
    assert desk.predictor.marks(desk.screen, desk.now) == ({}, None)
    assert desk.predictor.tally.wrong == 0


def test_a_password_never_shows() -> None:
    desk = Desk().confirmed("sudo x")
    desk.press(ENTER)
    desk.answer(b"\r\nPassword: ")
    desk.wait(0.1)
    for char in "hunter2 Password: ":
        desk.type(char)
        desk.accept()
        desk.wait(0.12)
        assert desk.row(1) == "Password:"
        assert desk.caret is None


def test_a_password_typed_ahead_of_its_prompt_never_shows() -> None:
    desk = Desk().confirmed("sudo x")
    desk.press(ENTER)
    desk.type("hunter2")
    for word in (b"\r\n", b"Pass", b"word: "):
        desk.say(word)
        assert "hunter" not in desk.row(0) + desk.row(1)
        desk.wait(0.03)
    desk.accept()
    desk.wait(1.0)
    assert desk.row(1) == "Password:"
    assert not desk.predictor.busy


def test_what_the_terminal_itself_echoes_ahead_of_a_password_prompt_is_not_believed() -> None:
    """Until a program says otherwise, the host's terminal echoes: at the very left, for nothing has asked yet."""
    desk = Desk().confirmed("ssh x")
    desk.press(ENTER)
    desk.answer(b"\r\n")
    desk.wait(0.1)
    desk.type("hunt")
    desk.accept(2)
    desk.say(b"hu")
    assert desk.row(1) == "hu"
    desk.say(b"Password: ")
    desk.accept()
    desk.wait(0.5)
    desk.type("er2")
    assert desk.row(1) == "huPassword:"


def test_a_prompt_that_answers_with_stars_shows_no_letter() -> None:
    desk = Desk(b"Token: ")
    for char in "abc":
        desk.type(char)
        desk.answer(b"*")
        desk.wait(0.1)
        assert not set(desk.row()) & set("bc")
    assert desk.row() == "Token: ***"


@pytest.mark.parametrize(
    "key", [ENTER, b"\t", b"\x1b", b"\x03", b"\x1b[A", "漢".encode(), "e\u0301".encode()]
)
def test_what_is_not_understood_begins_a_new_epoch(key: bytes) -> None:
    desk = Desk().confirmed()
    desk.press(key)
    desk.type("x")
    assert "x" not in desk.row()


def test_a_paste_is_not_foreseen_and_ends_the_epoch() -> None:
    desk = Desk().confirmed()
    desk.predictor.typed(b"", 6, desk.now, desk.screen)
    desk.unacked += 6
    desk.type("x")
    assert desk.row() == "$ a"


def test_a_wrong_cell_takes_its_epoch_with_it_within_its_bound() -> None:
    desk = Desk().confirmed()
    desk.type("xyz")
    assert desk.row() == "$ axyz"
    desk.accept()
    began = desk.now
    while desk.row() != "$ a":
        assert desk.now - began <= BOUND + LOOK
        desk.wait(LOOK)
    assert desk.predictor.tally.wrong == 3
    desk.type("q")
    assert desk.row() == "$ a", "confidence is gone with the epoch"


def test_a_cell_is_not_judged_before_its_key_was_accepted() -> None:
    desk = Desk().confirmed()
    desk.type("x")
    desk.wait(3.0)
    assert desk.row() == "$ ax"
    desk.answer(b"x")
    assert desk.predictor.tally.wrong == 0


def test_output_after_the_acknowledgement_shortens_the_wait() -> None:
    desk = Desk().confirmed()
    desk.type("x")
    desk.accept()
    desk.say(b"!")
    desk.wait(LATE + 2 * LOOK)
    assert desk.row() == "$ a!"


def test_a_slow_echo_is_waited_for() -> None:
    desk = Desk().confirmed()
    desk.type("x")
    desk.accept()
    desk.wait(BOUND - 3 * LOOK)
    assert desk.row() == "$ ax"
    desk.say(b"x")
    assert (desk.row(), desk.predictor.tally.wrong) == ("$ ax", 0)


def test_a_host_that_is_slow_to_echo_gets_more_time() -> None:
    desk = Desk()
    for char in "abcdefgh":
        desk.type(char)
        desk.accept()
        desk.wait(0.15)
        desk.say(char.encode())
    desk.type("i")
    desk.accept()
    desk.say(b"\x1b[5;1H\x1b[K*\x1b[1;11H")  # something spins
    desk.wait(0.15)
    assert desk.row() == "$ abcdefghi"


def test_rubout_takes_back_what_was_typed_and_leaves_the_first() -> None:
    desk = Desk().confirmed("ab")
    desk.type("cd")
    desk.press(BACK, BACK)
    assert (desk.row(), desk.caret) == ("$ ab", (4, 0))
    desk.answer(b"cd\b\x1b[K\b\x1b[K")
    desk.wait(BOUND + LATE)
    assert not desk.predictor.busy
    desk.press(BACK)
    assert (desk.row(), desk.caret) == ("$ a", (3, 0))
    desk.press(BACK)
    assert desk.row() == "$ a", "an empty field may show something else"


def test_left_and_right_stay_within_what_was_typed() -> None:
    desk = Desk().confirmed("abc")
    desk.press(LEFT, LEFT)
    assert desk.caret == (3, 0)
    desk.press(RIGHT)
    assert desk.caret == (4, 0)
    desk.answer(b"\b\b\x1b[C")
    desk.press(RIGHT)
    assert desk.caret == (5, 0)
    desk.press(RIGHT)
    desk.type("x")
    assert "x" not in desk.row()


def test_text_right_of_the_caret_moves_over_where_it_was_seen_to() -> None:
    desk = Desk().confirmed("abc")
    desk.press(LEFT, LEFT)
    desk.type("1")
    assert "1" not in desk.row(), "nobody knows yet whether this program inserts"
    desk.accept(6)
    desk.say(b"\b\b")
    desk.wait(2 * LOOK)
    desk.answer(b"\x1b[@1")
    desk.wait(BOUND + LATE)
    desk.type("2")
    assert (desk.row(), desk.caret) == ("$ a12bc", (5, 0))
    desk.press(BACK)
    assert (desk.row(), desk.caret) == ("$ a1bc", (4, 0))
    desk.answer(b"\x1b[@2\b\x1b[P")
    desk.wait(BOUND + LATE)
    assert desk.predictor.tally.wrong == 0
    assert not desk.predictor.busy


def test_text_right_of_the_caret_stays_where_the_program_overwrites() -> None:
    desk = Desk(b"abcdef\x1b[3G")
    desk.confirmed("1")
    assert desk.grid == "ab1def"
    desk.type("2")
    assert desk.row() == "ab12ef"


def test_nothing_is_foreseen_near_the_right_edge_or_a_border() -> None:
    desk = Desk(b"$ ", columns=12).confirmed("abcde")
    desk.type("fghi")
    assert desk.row() == "$ abcdefg"
    box = Desk(b"| > \x1b[12G|\x1b[5G").confirmed("a")
    box.type("bcdefg")
    assert box.row() == "| > abcd   |"


def test_a_key_elsewhere_than_expected_is_not_foreseen() -> None:
    """The program moved its cursor by itself: whatever comes, it is not that line of text any more."""
    desk = Desk().confirmed()
    desk.say(b"\r\n[1]+ Done\r\nPassword: ")
    desk.wait(0.1)
    desk.type("s")
    assert desk.row(0) == "$ a"
    assert desk.row(2) == "Password:"


def test_a_cursor_moved_along_the_row_is_elsewhere_too() -> None:
    desk = Desk().confirmed()
    desk.say(b"\x1b[20G")
    desk.type("s")
    assert desk.row() == "$ a"


def test_what_was_typed_before_enter_is_no_evidence_after_it() -> None:
    """A program that prints what was just typed does not echo."""
    desk = Desk()
    desk.type("ls")
    desk.press(ENTER)
    desk.type("x")
    desk.accept()
    desk.say(b"\r\n> ")
    desk.wait(2 * LOOK)
    desk.say(b"ls")
    desk.wait(LOOK)
    assert desk.row(1) == "> ls"


def test_moving_the_cursor_over_a_letter_is_no_echo_of_it() -> None:
    """In vim's normal mode `l` goes right, also over an l."""
    desk = Desk(b"hello world\x1b[3G")
    for _ in range(2):
        desk.type("l")
        desk.answer(b"\x1b[C")
        desk.wait(0.1)
    desk.type("l")
    assert desk.caret is None


def test_keys_that_a_mode_swallows_do_not_hide_the_echo_of_the_next() -> None:
    """`i` begins vim's insert mode and is not echoed."""
    desk = Desk(b"\x1b[?1049h\x1b[H")
    desk.type("ihel")
    desk.accept(2)
    desk.say(b"h")
    assert desk.row() == "hel"


def test_of_two_ways_to_read_an_echo_neither_is_believed() -> None:
    desk = Desk()
    desk.type("ll")
    desk.accept()
    desk.say(b"l")
    desk.wait(LOOK)
    assert desk.row() == "$ l"
    desk.say(b"l")
    desk.type("s")
    assert desk.row() == "$ lls"


def test_enter_takes_the_line_away_when_the_program_does() -> None:
    desk = Desk().confirmed("cle")
    desk.type("ar")
    desk.press(ENTER)
    assert desk.row() == "$ clear"
    desk.accept()
    desk.say(b"ar\x1b[H\x1b[2J$ ")
    assert desk.row() == "$"
    assert not desk.predictor.marks(desk.screen, desk.now)[0]


def test_enter_that_empties_a_field_leaves_nothing_in_it() -> None:
    """The program may do that in the same breath in which it echoes."""
    desk = Desk(b"> ").confirmed("hel")
    desk.type("lo")
    desk.press(ENTER)
    assert desk.row() == "> hello"
    desk.say(b"lo\r\x1b[K> ")
    assert desk.row() == ">"
    other = Desk(b"> ").confirmed("hel")
    other.type("lo")
    other.press(ENTER)
    other.say(b"\r> something else")
    assert other.row() == "> something else"
    third = Desk(b"> ").confirmed("hel")
    third.type("lo")
    third.press(ENTER)
    third.say(b"\r")
    assert third.row() == "> hel"


def test_a_line_that_scrolls_takes_its_cells_along() -> None:
    desk = Desk(b"\x1b[6;1H$ ").confirmed("ec")
    desk.type("ho")
    desk.press(ENTER)
    desk.accept(2)
    desk.say(b"h")
    desk.accept()
    desk.say(b"o\r\n$ ")
    assert desk.row(4) == "$ echo"
    desk.wait(1.0)
    assert desk.predictor.tally.wrong == 0


def test_a_resized_console_forgets() -> None:
    desk = Desk().confirmed()
    desk.type("xy")
    desk.screen.resize(6, 30)
    desk.look()
    assert desk.row() == "$ a"
    assert not desk.predictor.busy


def test_a_caret_that_the_program_draws_goes_along() -> None:
    """Ink hides the cursor, parks it in its input and draws a reversed cell there."""
    desk = Desk(b"\x1b[?25l> \x1b[7m \x1b[0m\x1b[3G")
    desk.type("a")
    desk.answer(b"a\x1b[7m \x1b[0m\x1b[4G")
    desk.wait(BOUND + LATE)
    desk.type("bc")
    marks, caret = desk.predictor.marks(desk.screen, desk.now)
    shown = foreseen(desk.screen.row(0), marks[0])
    assert shown.text.rstrip() == "> abc"
    assert [x for x, attr in enumerate(shown.attrs) if attr.flags & REVERSE] == [5]
    assert caret is None


def test_unfinished_frames_are_not_judged() -> None:
    desk = Desk().confirmed()
    desk.type("x")
    desk.accept()
    desk.say(b"\x1b[?2026h\x1b[1K")
    desk.wait(BOUND - LOOK)
    assert desk.row() == "   x"
    desk.say(b"\x1b[H$ ax\x1b[?2026l")
    desk.wait(LOOK)
    assert (desk.row(), desk.predictor.tally.wrong) == ("$ ax", 0)


def test_a_frame_that_is_never_finished_keeps_nothing_on_show() -> None:
    desk = Desk().confirmed()
    desk.type("x")
    desk.accept()
    desk.say(b"\x1b[?2026h")
    desk.wait(2 * BOUND + LOOK)
    assert desk.row() == "$ a"


# ---- whether it shows


def test_auto_shows_only_over_slow_links_with_some_patience_between() -> None:
    desk = Desk(mode="auto", rtt=0.02).confirmed()
    desk.type("x")
    assert desk.row() == "$ a"
    desk.rtt = 0.031
    desk.look()
    assert desk.row() == "$ ax"
    desk.rtt = 0.025
    desk.look()
    assert desk.row() == "$ ax"
    desk.answer(b"x")
    desk.rtt = 0.02
    desk.look()
    desk.type("y")
    assert desk.row() == "$ ax"


def test_a_glitch_shows_what_is_foreseen_until_answers_are_quick_again() -> None:
    desk = Desk(mode="auto", rtt=0.005).confirmed()
    desk.type("x")
    desk.wait(Trigger.GLITCH + LOOK)
    assert desk.row() == "$ ax"
    desk.answer(b"x")
    for number in range(Trigger.REPAIRS + 1):
        assert desk.predictor.shown is (number < Trigger.REPAIRS)
        desk.type("y")
        desk.answer(b"y")
        desk.wait(Trigger.PAUSE)
    assert not desk.predictor.shown


def test_cells_are_underlined_when_the_link_is_slow() -> None:
    def lines(rtt: float) -> set[bool]:
        desk = Desk(rtt=rtt).confirmed()
        desk.type("xy")
        return {
            mark.unsure for row in desk.predictor.marks(desk.screen, desk.now)[0].values() for mark in row
        }

    assert lines(0.05) == {False}
    assert lines(0.081) == {True}


def test_off_means_off() -> None:
    desk = Desk(mode="off")
    desk.type("a")
    desk.answer(b"a")
    desk.type("b")
    assert desk.row() == "$ a"
    assert not desk.predictor.busy


def test_a_dead_link_is_looked_at_less_often() -> None:
    desk = Desk().confirmed()
    desk.type("x")
    assert desk.predictor.pause(desk.now) == LOOK
    desk.wait(2.0)
    assert (desk.predictor.pause(desk.now) or 0) > LOOK
    assert predict.LATE < predict.BOUND
