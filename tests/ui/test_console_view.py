"""The console widget: what it paints, when, how it crops and scrolls, and that nothing hostile gets through."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from textual import events
from textual.app import App, ComposeResult
from textual.geometry import Offset
from textual.strip import Strip
from ui_fake import NOW, FakeConsole, FakeHandle, FakeTypingHandle
from ui_pilot import see, text, until

from amtui.emulator import Screen, Stream
from amtui.emulator.cells import Row
from amtui.widgets import console_picture as module
from amtui.widgets.console_view import ConsoleView
from amtui.widgets.frame_clock import clock_of
from amtui.widgets.paint import DARK, safe, strip_of


class ViewApp(App[None]):
    """Nothing but a console."""

    BINDINGS = []  # noqa: RUF012
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, console: FakeConsole, *, typing: bool = False) -> None:
        super().__init__()
        self.console = console
        self.handle = FakeTypingHandle(console) if typing else FakeHandle(console)
        self.notes: list[str] = []

    def compose(self) -> ComposeResult:
        self.view = ConsoleView(link_clock=lambda: NOW)
        yield self.view

    def on_mount(self) -> None:
        self.view.show(self.handle, "box")

    def on_console_view_note(self, event: ConsoleView.Note) -> None:
        self.notes.append(event.text)


def numbered(count: int) -> bytes:
    return b"".join(b"line %d\r\n" % i for i in range(count))


async def test_it_shows_what_the_remote_printed_with_its_colours() -> None:
    app = ViewApp(FakeConsole(b"\x1b[1;31mred\x1b[0m \x1b[48;2;1;2;3mback\x1b[0m \xe6\xbc\xa2"))
    async with app.run_test(size=(82, 26)) as pilot:
        assert "red back 漢" in await see(pilot, "red back 漢")
        strip = app.view.render_line(0)
        red = next(s for s in strip if s.text == "red")
        assert red.style is not None
        assert red.style.bold
        assert red.style.color is not None
        assert red.style.color.get_truecolor().hex == DARK.named[1]
        back = next(s for s in strip if s.text == "back")
        assert back.style is not None
        assert back.style.bgcolor is not None
        assert back.style.bgcolor.get_truecolor() == (1, 2, 3)


async def test_it_follows_the_output() -> None:
    app = ViewApp(FakeConsole())
    async with app.run_test(size=(82, 26)) as pilot:
        app.console.feed(numbered(100))
        shown = await see(pilot, "line 99")
        assert "line 50\n" not in shown


async def test_strips_of_unchanged_rows_are_reused_when_the_screen_scrolls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    painted: list[Any] = []
    real = Row.runs
    monkeypatch.setattr(Row, "runs", lambda row: (painted.append(row), real(row))[1])
    app = ViewApp(FakeConsole(numbered(40)))
    async with app.run_test(size=(82, 26)) as pilot:
        await see(pilot, "line 39")
        painted.clear()
        app.console.feed(b"more\r\n")
        await see(pilot, "more")
        assert len(painted) <= 3, f"{len(painted)} rows were painted for one new line"


async def test_only_changed_rows_are_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    app = ViewApp(FakeConsole(numbered(20)))
    async with app.run_test(size=(82, 26)) as pilot:
        await see(pilot, "line 19")
        rows: list[int] = []
        real = app.view.render_line
        monkeypatch.setattr(app.view, "render_line", lambda y: (rows.append(y), real(y))[1])
        app.console.feed(b"\x1b[3;1Hchanged\x1b[20;1H")
        await until(pilot, lambda: 2 in rows)
        assert len(set(rows)) <= 3
        await see(pilot, "changed")


async def test_frames_are_limited_while_output_pours_in() -> None:
    app = ViewApp(FakeConsole())
    async with app.run_test(size=(82, 26)) as pilot:
        await pilot.pause()
        loop = asyncio.get_running_loop()
        before, began = app.view.frames, loop.time()
        for i in range(400):
            app.console.feed(b"%d\r\n" % i)
            await asyncio.sleep(0)
        await until(pilot, lambda: "399" in text(pilot))
        took = loop.time() - began
        assert app.view.frames - before <= took * 30 + 3


async def test_the_first_echo_after_a_key_is_painted_at_once() -> None:
    app = ViewApp(FakeConsole(), typing=True)
    async with app.run_test(size=(82, 26)) as pilot:
        app.view.focus()
        app.view.typing = True
        await pilot.pause()
        await pilot.press("x")
        before = app.view.frames
        clock_of(app).eager._last = asyncio.get_running_loop().time()  # a frame has only just gone by
        app.console.feed(b"x")
        assert app.view.frames == before + 1, "the echo waited for the next frame"


async def test_viewing_never_resizes_and_crops_from_the_bottom_left() -> None:
    app = ViewApp(FakeConsole(numbered(60) + b"end " + b"x" * 110, columns=120, lines=50))
    async with app.run_test(size=(42, 12)) as pilot:
        shown = await see(pilot, "end xxx", "80▸", "120×50")
        assert "line 59" in shown
        assert "line 20" not in shown
        assert [c for c in app.console.calls if c[0] == "resize"] == []


async def test_a_short_screen_is_cropped_where_its_text_is() -> None:
    """The bottom of a tall, nearly empty console is blank: its text is what to show."""
    app = ViewApp(FakeConsole(b"$ only this", columns=80, lines=50))
    async with app.run_test(size=(82, 12)) as pilot:
        await see(pilot, "$ only this")


async def test_typing_resizes_once_after_it_has_been_still() -> None:
    app = ViewApp(FakeConsole(columns=120, lines=50), typing=True)
    async with app.run_test(size=(82, 26)) as pilot:
        app.view.focus()
        app.view.typing = True
        await pilot.resize_terminal(92, 30)
        await pilot.resize_terminal(102, 32)
        await until(pilot, lambda: ("resize", (100, 30)) in app.console.calls)
        assert [c for c in app.console.calls if c[0] == "resize"] == [("resize", (100, 30))]


async def test_a_console_typed_into_follows_its_cursor_sideways() -> None:
    app = ViewApp(FakeConsole(b"x" * 100 + b"HERE", columns=120, lines=24), typing=True)

    async def refuse(columns: int, rows: int) -> bool:
        return False

    app.handle.resize = refuse  # type: ignore[attr-defined, union-attr]
    async with app.run_test(size=(62, 26)) as pilot:
        assert "HERE" not in text(pilot)
        app.view.focus()
        app.view.typing = True
        await see(pilot, "HERE", "◂45")


async def test_the_real_cursor_stands_where_the_remotes_is() -> None:
    app = ViewApp(FakeConsole(b"$ ls"), typing=True)
    async with app.run_test(size=(82, 26)) as pilot:
        app.view.focus()
        app.view.typing = True
        app.console.feed(b" -l")
        await until(pilot, lambda: app.cursor_position == app.view.content_region.offset + Offset(7, 0))
        cell = app.view.render_line(0).crop(7, 8)
        assert all(s.style and s.style.reverse for s in cell)
        app.console.feed(b"\x1b[?25l")
        await until(
            pilot, lambda: not any(s.style and s.style.reverse for s in app.view.render_line(0).crop(7, 8))
        )


async def test_looking_back_stands_still_while_output_arrives() -> None:
    app = ViewApp(FakeConsole(numbered(200)))
    async with app.run_test(size=(82, 26)) as pilot:
        app.view.focus()
        await see(pilot, "line 199")
        await pilot.press("shift+pageup")
        before = await see(pilot, "line 155", "scrolled")
        app.console.feed(numbered(50))
        await pilot.pause(0.1)
        rows = [line for line in before.splitlines() if "line 1" in line]
        assert rows == [line for line in text(pilot).splitlines() if "line 1" in line]
        await pilot.press("shift+home")
        await see(pilot, "line 0 ")
        await pilot.press("shift+end")
        await see(pilot, "line 49")
        assert "scrolled" not in text(pilot)


async def test_looking_back_asks_the_worker_for_older_rows() -> None:
    app = ViewApp(FakeConsole(b"$ "))
    history = app.console.screen.history
    history.restart(100)

    async def older(first: int, count: int) -> int:
        app.console.calls.append(("history", (first, count)))
        history.extend_older([b"old %d" % i for i in range(first, history.first)])
        app.console.changed()
        return history.first

    app.handle.history = older  # type: ignore[method-assign]
    async with app.run_test(size=(82, 26)) as pilot:
        app.view.focus()
        await pilot.press("shift+pageup")
        await see(pilot, "old 99", "old 80")
        await pilot.press("shift+home")
        await see(pilot, "old 0 ")
        assert ("history", (0, 0)) not in app.console.calls


async def test_a_full_screen_program_gets_page_up_itself() -> None:
    app = ViewApp(FakeConsole(b"\x1b[?1049h full screen"), typing=True)
    async with app.run_test(size=(82, 26)) as pilot:
        app.view.focus()
        app.view.typing = True
        await pilot.press("shift+pageup")
        assert bytes(app.console.typed) == b"\x1b[5;2~"


async def test_history_that_left_the_view_keeps_no_strips() -> None:
    app = ViewApp(FakeConsole(numbered(30)))
    async with app.run_test(size=(82, 26)) as pilot:
        for _ in range(20):
            app.console.feed(numbered(10))
            await until(pilot, lambda: "line 9" in text(pilot), timeout=5)
            await pilot.pause(0.04)
        held = sum(row.cache is not None for row in app.console.screen.history)
        assert held <= 24


LINKS = [
    ("reconnecting", "no route", ["link lost, retrying", "12s ago", "no route"]),
    ("stale", "", ["no answer", "12s ago", "old"]),
    ("dead", "the program exited (3)", ["the program has exited", "R restarts it"]),
    ("ended", "", ["the console has ended"]),
    ("connecting", "", ["connecting"]),
]


@pytest.mark.parametrize(("link", "detail", "said"), LINKS)
async def test_a_link_that_is_not_live_is_a_banner_and_the_frame_is_dimmed(
    link: str, detail: str, said: list[str]
) -> None:
    app = ViewApp(FakeConsole(b"first\r\nsecond"))
    async with app.run_test(size=(100, 26)) as pilot:
        await see(pilot, "second")
        app.console.status.link = link
        app.console.status.detail = detail
        app.console.changed()
        await see(pilot, *said)
        assert all(s.style and s.style.dim for s in app.view.render_line(1) if s.text.strip())
        app.console.status.link = "live"
        app.console.changed()
        await until(pilot, lambda: said[0] not in text(pilot))
        assert not any(s.style and s.style.dim for s in app.view.render_line(1))


async def test_refused_keys_are_shown_never_typed_again() -> None:
    app = ViewApp(FakeConsole(), typing=True)
    async with app.run_test(size=(100, 26)) as pilot:
        app.console.status.refused = b"rm \x1b[2J-rf"
        app.console.status.refusal = "restarted"
        app.console.changed()
        await see(pilot, "not typed (restarted): rm -rf")
        app.console.status.unread = b"y\r"
        app.console.changed()
        await see(pilot, "typed just before it ended, perhaps unread: y")
        assert bytes(app.console.typed) == b""


async def test_level_and_round_trip_stand_in_the_border() -> None:
    app = ViewApp(FakeConsole())
    async with app.run_test(size=(100, 26)) as pilot:
        await see(pilot, "L3 34 ms", "80×24")
        app.console.status.size_owner = "ada@box.0f0f"
        app.console.changed()
        await see(pilot, "sized by ada@box")
        assert "0f0f" not in text(pilot)


async def test_painting_that_fails_is_said_in_the_pane(monkeypatch: pytest.MonkeyPatch) -> None:
    app = ViewApp(FakeConsole(b"hello"))
    async with app.run_test(size=(100, 26)) as pilot:
        await see(pilot, "hello")

        def broken(*_: Any) -> Strip:
            raise ValueError("paint")

        monkeypatch.setattr(module, "strip_of", broken)
        app.console.feed(b" again")
        await see(pilot, "this console cannot be drawn (ValueError)")
        monkeypatch.undo()
        app.view.show(app.handle, "box")
        await see(pilot, "hello again")


async def test_a_program_that_asked_learns_of_focus() -> None:
    app = ViewApp(FakeConsole(b"\x1b[?1004h"), typing=True)
    async with app.run_test(size=(82, 26)) as pilot:
        app.view.focus()
        app.view.typing = True
        await pilot.pause()
        app.view.typing = False
        await pilot.pause()
        assert bytes(app.console.typed) == b"\x1b[I\x1b[O"


async def test_a_released_view_is_told_nothing_more() -> None:
    app = ViewApp(FakeConsole(b"one"))
    async with app.run_test(size=(100, 26)) as pilot:
        await see(pilot, "one")
        assert len(app.console.listeners) == 1
        other = FakeConsole(b"two")
        before = app.view.show(FakeHandle(other), "other")
        assert before is app.handle
        assert app.console.listeners == []
        await see(pilot, "two", "other")


# ---- mouse


async def test_the_mouse_is_the_programs_only_when_it_asked() -> None:
    app = ViewApp(FakeConsole(b"text"), typing=True)
    async with app.run_test(size=(82, 26)) as pilot:
        app.view.focus()
        app.view.typing = True
        await pilot.mouse_down(app.view, offset=(5, 3))
        await pilot.mouse_up(app.view, offset=(5, 3))
        assert bytes(app.console.typed) == b""
        app.console.feed(b"\x1b[?1000h\x1b[?1006h")
        await pilot.mouse_down(app.view, offset=(5, 3))
        await pilot.mouse_up(app.view, offset=(5, 3))
        assert bytes(app.console.typed) == b"\x1b[<0;5;3M\x1b[<0;5;3m"
        app.console.typed.clear()
        app.view.typing = False
        await pilot.mouse_down(app.view, offset=(5, 3))
        assert bytes(app.console.typed) == b""


async def test_dragging_selects_and_copies_text_without_its_padding() -> None:
    app = ViewApp(FakeConsole(b"first line\r\nsecond line\r\nthird"))
    async with app.run_test(size=(82, 26)) as pilot:
        await see(pilot, "third")
        await pilot.mouse_down(app.view, offset=(7, 1))
        await pilot.hover(app.view, offset=(6, 2))
        await pilot.mouse_up(app.view, offset=(6, 2))
        await pilot.pause()
        assert app.clipboard == "line\nsecond"
        assert app.notes == ["copied 11 characters"]


async def test_the_wheel_scrolls_here_unless_the_program_has_the_screen() -> None:
    app = ViewApp(FakeConsole(numbered(100)), typing=True)
    async with app.run_test(size=(82, 26)) as pilot:
        await see(pilot, "line 99")
        app.view.focus()
        app.view.typing = True
        await pilot._post_mouse_events([events.MouseScrollUp], app.view, offset=(5, 5))
        await see(pilot, "scrolled 3 rows")
        assert bytes(app.console.typed) == b""
        app.console.feed(b"\x1b[?1049h")
        await pilot._post_mouse_events([events.MouseScrollUp], app.view, offset=(5, 5))
        await pilot.pause()
        assert bytes(app.console.typed) == b"\x1b[A" * 3


# ---- what may not reach the operator's terminal


def harmless(strip: Strip) -> None:
    for segment in strip:
        assert segment.control is None
        for char in segment.text:
            assert char >= " ", f"control {char!r} in a Strip"
            assert not "\x7f" <= char <= "\x9f", f"C1 {char!r} in a Strip"
            assert (
                char
                not in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\u2028\u2029"
            )


PIECES = [
    b"\x1b", b"\x1b[", b"\x1b]0;t\x07", b"\x1b]52;c;aGk=\x07", b"\x1bP1$q\x1b\\", b"\x9b31m", b"\x85", b"\x00", b"\x08",
    "\u202e".encode(), "\u2066".encode(), "e\u0301".encode(), "👩\u200d💻".encode(), "❤\ufe0f".encode(), "漢".encode(),
    b"\xff", b"\xc3", b"\t", b"\r\n", b"text", b"\x1b[5;70H", b"\x1b[2J", b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b#8",
    "\u2028".encode(), "\u00ad".encode(), "ﷺ".encode(), b"\x1b[8m", b"\x1b[38;5;300m", b"\x1b(0qqq\x1b(B",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_nothing_that_a_terminal_obeys_reaches_a_strip(seed: int) -> None:
    rng = random.Random(seed)
    screen = Screen(columns=40, lines=10, history=50)
    stream = Stream(screen)
    for _ in range(60):
        stream.feed(b"".join(rng.choices(PIECES, k=20)) + bytes(rng.randrange(256) for _ in range(20)))
        for y in range(screen.lines):
            strip = strip_of(screen.row(y), screen.columns, DARK)
            harmless(strip)
            assert sum(s.cell_length for s in strip) == screen.columns


@pytest.mark.parametrize(
    ("given", "cells", "wanted"),
    [
        ("plain", 5, "plain"),
        ("a\x1bb", 2, "ab"),
        ("\u202eab", 2, "ab"),
        ("ab", 4, "ab  "),
        ("漢字", 3, "漢 "),
        ("\x07", 1, " "),
    ],
)
def test_text_is_made_to_fit_its_cells(given: str, cells: int, wanted: str) -> None:
    assert safe(given, cells) == wanted
