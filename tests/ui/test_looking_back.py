"""Scroll mode: its cursor, search, selection by keys and mouse, copying, and links that ask before they open."""

from __future__ import annotations

import asyncio
import base64
import os
import random
import sys
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.strip import Strip
from textual.widgets import Input
from ui_fake import NOW, FakeConsole, FakeContext, FakeHandle, FakeTypingHandle
from ui_pilot import Start, see, text, until

from amtui.app import AmtuiApp
from amtui.emulator import lines
from amtui.screens import outside
from amtui.screens.links import OpenLink
from amtui.screens.worker import WorkerScreen
from amtui.widgets import console_mouse, searching
from amtui.widgets.console_view import ConsoleView
from amtui.widgets.look_line import LookPane
from amtui.widgets.selecting import _CURRENT, _HIT, _SELECTED


class LookApp(App[None]):
    """A console with its line, and nothing else."""

    BINDINGS = []  # noqa: RUF012
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, console: FakeConsole, *, typing: bool = False) -> None:
        super().__init__()
        self.remote = console
        self.handle = FakeTypingHandle(console) if typing else FakeHandle(console)
        self.notes: list[str] = []
        self.links: list[list[str]] = []

    def compose(self) -> ComposeResult:
        self.view = ConsoleView(link_clock=lambda: NOW)
        self.pane = LookPane(self.view)
        yield self.pane

    def on_mount(self) -> None:
        self.view.show(self.handle, "box")
        self.view.focus()

    def on_console_view_note(self, event: ConsoleView.Note) -> None:
        self.notes.append(event.text)

    def on_console_view_link_chosen(self, event: ConsoleView.LinkChosen) -> None:
        self.links.append([link.address for link in event.links])

    @property
    def at(self) -> tuple[int, int]:
        return tuple(self.view._place)


def numbered(count: int, begin: int = 0) -> bytes:
    return b"".join(b"line %d\r\n" % i for i in range(begin, begin + count))


def styled(view: ConsoleView, style: Any) -> list[str]:
    """What stands in this style, row by row of the view."""
    rows = []
    for y in range(view.size.height):
        strip = Strip(list(view.render_line(y)))
        found = "".join(s.text for s in strip if s.style and s.style.bgcolor == style.bgcolor)
        if found:
            rows.append(found)
    return rows


async def looking(pilot: Pilot[None], app: LookApp, *keys: str) -> None:
    """Begin scroll mode and press these."""
    await see(pilot, "box")
    app.view.look_back()
    await see(pilot, "line ", " of ")
    await pilot.press(*keys)


# ---- the mode


async def test_it_stands_still_counts_what_comes_and_ends_at_the_newest() -> None:
    app = LookApp(FakeConsole(numbered(200)))
    async with app.run_test(size=(82, 27)) as pilot:
        await looking(pilot, app)
        await see(pilot, "line 199", "line 201 of 201")
        before = text(pilot).splitlines()[1:10]
        app.remote.feed(numbered(120, 200))
        await see(pilot, "▼ 120 new lines", "line 201 of 321")
        assert text(pilot).splitlines()[1:10] == before
        await pilot.press("end")
        await see(pilot, "line 319", "line 321 of 321")
        assert "new line" not in text(pilot)
        app.remote.feed(b"one more\r\n")
        await see(pilot, "▼ 1 new line")
        await pilot.press("q")
        await see(pilot, "one more")
        await until(pilot, lambda: not app.view.looking and " of " not in text(pilot))


async def test_keys_move_the_cursor_and_the_picture_follows() -> None:
    app = LookApp(FakeConsole(numbered(200)))
    async with app.run_test(size=(82, 27)) as pilot:
        await looking(pilot, app, "home")
        await see(pilot, "line 0 ", "line 1 of 201")
        await pilot.press("down", "down", "w", "right")
        assert app.at == (2, 6)
        await pilot.press("dollar_sign", "0", "e", "b", "j", "l", "k", "h")
        assert app.at == (2, 0)
        await pilot.press("pagedown")
        assert app.at[0] > 20
        await pilot.press("G")
        await see(pilot, "line 199", "line 201 of 201")
        await pilot.press("pageup", "pageup")
        await until(pilot, lambda: "line 199" not in text(pilot))
        await pilot.press(*["up"] * 60)
        assert app.at[0] < 150
        assert app.view._cursor is not None, "the cursor is on show"
        row = app.view._shown[app.view._cursor.y][0]
        assert row is not None and row.text.strip() == f"line {app.at[0]}"


async def test_paging_up_from_view_mode_is_scroll_mode_and_paging_down_leaves_it() -> None:
    app = LookApp(FakeConsole(numbered(200)))
    async with app.run_test(size=(82, 27)) as pilot:
        await see(pilot, "line 199")
        await pilot.press("pageup")
        await until(pilot, lambda: app.view.looking)
        await pilot.press("pagedown", "pagedown")
        await until(pilot, lambda: not app.view.looking)
        await see(pilot, "line 199")


async def test_the_oldest_rows_are_asked_for_and_the_cursor_goes_there() -> None:
    app = LookApp(FakeConsole(b"$ "))
    history = app.remote.screen.history
    history.restart(100)

    async def older(first: int, count: int) -> int:
        history.extend_older([b"old %d" % i for i in range(first, history.first)])
        app.remote.changed()
        return history.first

    app.handle.history = older  # type: ignore[method-assign]
    async with app.run_test(size=(82, 27)) as pilot:
        await looking(pilot, app)
        await see(pilot, "line 101 of 101")
        await pilot.press("home")
        await see(pilot, "old 0 ", "line 1 of 101")
        assert app.at == (0, 0)


async def test_history_that_is_trimmed_takes_the_cursor_along() -> None:
    console = FakeConsole(b"", columns=80, lines=24)
    console.screen.history.limit = 50
    console.screen.history._rows = type(console.screen.history._rows)(maxlen=50)
    console.feed(numbered(100))
    app = LookApp(console)
    async with app.run_test(size=(82, 27)) as pilot:
        await looking(pilot, app, "home")
        app.remote.feed(numbered(70, 100))
        await until(pilot, lambda: app.at[0] >= lines.first(console.screen))
        await see(pilot, f"line {lines.first(console.screen)} ")


async def test_a_program_that_takes_the_screen_is_looked_at_instead() -> None:
    app = LookApp(FakeConsole(numbered(200)))
    async with app.run_test(size=(82, 27)) as pilot:
        await looking(pilot, app, "pageup", "v", "up")
        app.remote.feed(b"\x1b[?1049hfull screen")
        await see(pilot, "full screen")
        await until(pilot, lambda: app.view._selection.empty and app.view.looking)
        await pilot.press("slash", *"screen", "enter")
        await see(pilot, "1 of 1", "line 24 of 24")
        app.remote.feed(b"\x1b[?1049l")
        await see(pilot, "line 199", "line 201 of 201", "nothing found")


async def test_scroll_mode_from_type_mode_goes_back_to_it(start: Start, ctx: FakeContext) -> None:
    async with start() as pilot:
        app = pilot.app
        assert isinstance(app, AmtuiApp)
        ctx.consoles["shell"].feed(numbered(100))
        app.open_worker("shell", typing=True, zoomed=True)
        await until(pilot, lambda: isinstance(app.screen, WorkerScreen) and app.screen.is_mounted)
        screen = app.screen
        assert isinstance(screen, WorkerScreen)
        await until(pilot, lambda: screen.view.typing)
        await pilot.press("ctrl+right_square_bracket", "v")
        await see(pilot, "line 101 of 101", "q Leave", "F1 Help")
        assert screen.has_class("zoomed")
        assert "D Destroy" not in text(pilot)
        live = [each.binding.action for each in screen.active_bindings.values() if each.enabled]
        assert not {"destroy", "sleep", "restart", "logs", "back", "next_needing(1)"} & set(live)
        assert {"type", "zoom", "look_leave"} <= set(live)
        await pilot.press("q", "l", "s")  # in one burst: none of them may act on the worker
        await until(pilot, lambda: screen.view.typing and bytes(ctx.consoles["shell"].typed) == b"ls")
        assert screen.has_class("zoomed")


async def test_typing_ends_scroll_mode(start: Start, ctx: FakeContext) -> None:
    async with start() as pilot:
        app = pilot.app
        assert isinstance(app, AmtuiApp)
        ctx.consoles["shell"].feed(numbered(100))
        app.open_worker("shell")
        await see(pilot, "line 99", "v Scroll")
        screen = app.screen
        assert isinstance(screen, WorkerScreen)
        await pilot.press("slash", *"line 5", "enter")
        await see(pilot, "line 6 of 101")
        await pilot.press("i")
        await until(pilot, lambda: screen.view.typing and not screen.view.looking)
        await see(pilot, "line 99", "F12 Leave")


async def test_every_key_in_the_footer_works_and_help_lists_the_mode(start: Start, ctx: FakeContext) -> None:
    async with start((80, 24)) as pilot:
        app = pilot.app
        assert isinstance(app, AmtuiApp)
        ctx.consoles["shell"].feed(numbered(100) + b"see https://a.example\r\n")
        app.open_worker("shell")
        await see(pilot, "line 99", "v Scroll")
        await pilot.press("v", "slash", *"line", "enter")
        await see(pilot, "n Next")
        screen = app.screen
        assert isinstance(screen, WorkerScreen)
        shown = {hint.key for hint in screen.keys.shown()}
        assert {"slash", "question_mark", "n", "v", "y", "q"} <= shown
        for key in sorted(shown - {"f1", "q"}):
            app.history.clear()
            await pilot.press(key)
            assert not any("does nothing" in said for _, _, said in app.history), key
            if len(app.screen_stack) > 3 or isinstance(screen.focused, Input):
                await pilot.press("escape")
        await pilot.press("f1")
        await see(pilot, "Help")
        page = "\n".join(line for line, _ in app.screen.view._lines)  # type: ignore[attr-defined]
        assert "In scroll mode" in page
        for said in (
            "console.search_back",
            "console.select_lines",
            "console.copy",
            "console.regex",
            "ctrl+click",
        ):
            assert said in page


async def test_zoomed_without_a_status_line_a_copy_is_said_too(start: Start, ctx: FakeContext) -> None:
    ctx.consoles["shell"].feed(b"\r\n[bold]word\r\n")
    async with start((80, 24)) as pilot:
        app = pilot.app
        assert isinstance(app, AmtuiApp)
        app.open_worker("shell", zoomed=True)
        await see(pilot, "[bold]word")
        await pilot.press("v", "k", "V", "y")
        await until(pilot, lambda: [each.message for each in app._notifications] == ["copied 10 characters"])
        assert app.clipboard == "[bold]word"


# ---- search


async def test_searching_as_one_types_with_a_count_and_marks() -> None:
    app = LookApp(FakeConsole(numbered(200)))
    async with app.run_test(size=(82, 27)) as pilot:
        await looking(pilot, app, "question_mark", *"line 1")
        await see(pilot, "of 111")
        await pilot.press("5")
        await see(pilot, "11 of 11")
        assert styled(app.view, _CURRENT) == ["line 15"]
        assert len(styled(app.view, _HIT)) == 8, "a third of the view is above the hit"
        await pilot.press("enter", "n")
        await see(pilot, "10 of 11")
        assert app.at == (158, 0)
        await pilot.press("N")
        await see(pilot, "11 of 11")
        await pilot.press("N")
        await see(pilot, "1 of 11", "line 15 ")
        assert app.at == (15, 0)
        assert "went on at the oldest row" in app.notes


async def test_the_nearest_hit_is_gone_to_however_slowly_they_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Reading goes from the newest row up; the first hits known are not the ones below the oldest row."""
    monkeypatch.setattr(searching, "SLICE", 0.0)
    app = LookApp(FakeConsole(numbered(600)))
    async with app.run_test(size=(82, 27)) as pilot:
        await looking(pilot, app, "home", "down", "slash", "l")
        await see(pilot, "2 of 600")
        assert app.at == (1, 0)
        await pilot.press("enter", "question_mark", "l", "enter")
        await see(pilot, "1 of 600")
        assert app.at == (0, 0)


async def test_a_search_that_is_dropped_leaves_no_trace() -> None:
    app = LookApp(FakeConsole(numbered(200)))
    async with app.run_test(size=(82, 27)) as pilot:
        await looking(pilot, app, "pageup")
        before, place = app.view._backlog.top(app.remote.screen, 23), app.at
        await pilot.press("slash", *"line 1")
        await see(pilot, "of 111")
        await pilot.press("escape")
        await until(pilot, lambda: app.focused is app.view)
        assert app.at == place
        assert app.view._backlog.top(app.remote.screen, 23) == before
        assert styled(app.view, _HIT) == []


async def test_hits_follow_the_output_and_stay_on_their_rows() -> None:
    app = LookApp(FakeConsole(numbered(100) + b"needle one\r\n"))
    async with app.run_test(size=(82, 27)) as pilot:
        await looking(pilot, app, "question_mark", *"needle", "enter")
        await see(pilot, "1 of 1")
        app.remote.feed(numbered(50) + b"needle two\r\n")
        await see(pilot, "1 of 2", "▼ 51 new lines")
        assert styled(app.view, _CURRENT) == ["needle"]
        await pilot.press("N")
        await see(pilot, "2 of 2", "needle two")


async def test_a_pattern_that_would_stall_is_run_in_slices_while_keys_are_answered() -> None:
    app = LookApp(FakeConsole((b"a" * 79 + b"!\r\n") * 400))
    async with app.run_test(size=(82, 27)) as pilot:
        await looking(pilot, app, "slash", "alt+r", *"(a+)+(a|aa)+$")
        await see(pilot, "nothing found")
        await pilot.press("escape", "up")
        assert app.focused is app.view


async def test_what_is_no_pattern_is_said() -> None:
    app = LookApp(FakeConsole(numbered(100)))
    async with app.run_test(size=(82, 27)) as pilot:
        await looking(pilot, app, "slash", "alt+r", *"line (")
        await see(pilot, "not a pattern")
        await pilot.press("backspace", *"[12]5$")
        await see(pilot, "of 2")


# ---- selecting and copying


async def test_selecting_with_keys() -> None:
    app = LookApp(FakeConsole(b"first line\r\nsecond line\r\n" + b"x" * 90 + b"\r\nend"))
    async with app.run_test(size=(82, 27)) as pilot:
        await looking(pilot, app, "home", "w", "v", "j", "0", "e")
        await see(pilot, "selecting")
        assert styled(app.view, _SELECTED)[0].rstrip() == "line"
        await pilot.press("y")
        assert app.clipboard == "line\nsecond"
        assert app.notes[-1] == "copied 11 characters"
        assert app.view.looking and app.view._selection.empty
        await pilot.press("home", "j", "j", "V", "enter")
        assert app.clipboard == "x" * 90, "a wrapped line is one"
        await pilot.press("space", "escape", "y")
        assert "nothing is selected" in app.notes[-1]
        await pilot.press("escape")
        await until(pilot, lambda: not app.view.looking)


async def test_what_was_selected_stays_selected_while_output_comes() -> None:
    app = LookApp(FakeConsole(numbered(100)))
    async with app.run_test(size=(82, 27)) as pilot:
        await looking(pilot, app, "up", "V", "up")
        app.remote.feed(numbered(300, 100))
        await see(pilot, "▼ 300 new lines")
        await pilot.press("y")
        assert app.clipboard == "line 98\nline 99"


async def test_double_click_takes_a_word_and_triple_click_a_line() -> None:
    app = LookApp(FakeConsole("see /usr/share/漢字/x.py:12, done\r\n".encode()))
    async with app.run_test(size=(82, 27)) as pilot:
        await see(pilot, "done")
        await pilot.click(app.view, offset=(9, 1), times=2)
        assert app.clipboard == "/usr/share/漢字/x.py:12"
        await pilot.click(app.view, offset=(10, 1), times=3)
        assert app.clipboard == "see /usr/share/漢字/x.py:12, done"
        await pilot.click(app.view, offset=(40, 5))
        assert app.view._selection.empty


async def test_a_drag_never_splits_a_wide_character() -> None:
    app = LookApp(FakeConsole("a漢字b\r\n".encode()))
    async with app.run_test(size=(82, 27)) as pilot:
        await see(pilot, "漢")
        await pilot.mouse_down(app.view, offset=(3, 1))
        await pilot.hover(app.view, offset=(4, 1))
        assert styled(app.view, _SELECTED) == ["漢字"]
        await pilot.mouse_up(app.view, offset=(4, 1))
        assert app.clipboard == "漢字"


async def test_a_drag_at_the_edge_scrolls_and_output_does_not_move_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(console_mouse, "EDGE", 0.001)
    app = LookApp(FakeConsole(numbered(200)))
    async with app.run_test(size=(82, 27)) as pilot:
        await see(pilot, "line 199")
        await pilot.mouse_down(app.view, offset=(3, 20))
        began = app.view._selection._from
        await pilot.hover(app.view, offset=(3, 0))
        await until(pilot, lambda: app.view._backlog.top(app.remote.screen, 24) < 130)
        app.remote.feed(numbered(30, 200))
        await pilot.pause()
        assert app.view._selection._from == began
        await pilot.mouse_up(app.view, offset=(3, 0))
        copied = app.clipboard.splitlines()
        assert copied[-1] == f"line {began.row}"[:3]  # type: ignore[union-attr]
        assert len(copied) > 60
        assert [line.split()[-1] for line in copied[1:-1]] == [
            str(began.row - i) for i in range(len(copied) - 2, 0, -1)
        ]  # type: ignore[union-attr]
        assert app.view._edge_timer is None
        await pilot.press("shift+end")
        await see(pilot, "line 229")


async def test_a_drag_while_output_comes_stands_still_and_follows_again_afterwards() -> None:
    app = LookApp(FakeConsole(numbered(200)))
    async with app.run_test(size=(82, 27)) as pilot:
        await see(pilot, "line 199")
        await pilot.mouse_down(app.view, offset=(1, 10))
        app.remote.feed(numbered(60, 200))
        await pilot.hover(app.view, offset=(9, 11))
        await pilot.pause(0.1)
        assert "line 199" in text(pilot)
        await pilot.mouse_up(app.view, offset=(9, 11))
        await see(pilot, "line 259")
        assert app.clipboard == "line 186\nline 187"


async def test_a_click_does_not_hold_the_picture() -> None:
    app = LookApp(FakeConsole(numbered(200)))
    async with app.run_test(size=(82, 27)) as pilot:
        await see(pilot, "line 199")
        await pilot.click(app.view, offset=(5, 5))
        app.remote.feed(numbered(30, 200))
        await see(pilot, "line 229")


# ---- the clipboards


def program(directory: Path, name: str, *, fails: bool = False) -> Path:
    """A clipboard program that writes down what it got."""
    path = directory / name
    out = directory / f"{name}.out"
    path.write_text(
        f"#!/bin/sh\nprintf '%s\\n' \"$*\" >{out}.args\ncat >{out}.part && mv {out}.part {out}\nexit {int(fails)}\n"
    )
    path.chmod(0o755)
    return out


@pytest.mark.parametrize(
    ("env", "programs", "wanted"),
    [
        ({"WAYLAND_DISPLAY": "w", "DISPLAY": ":0"}, ["wl-copy", "xclip"], "wl-copy"),
        ({"WAYLAND_DISPLAY": "w", "DISPLAY": ":0"}, ["xclip", "xsel"], "xclip"),
        ({"DISPLAY": ":0"}, ["wl-copy", "xsel"], "xsel"),
        ({}, ["wl-copy", "xclip", "xsel"], ""),
        ({"DISPLAY": ":0"}, [], ""),
    ],
)
def test_which_clipboard(tmp_path: Path, env: dict[str, str], programs: list[str], wanted: str) -> None:
    for name in programs:
        program(tmp_path, name)
    command = outside.clipboard_command({**env, "PATH": str(tmp_path)}, "linux")
    assert (Path(command[0]).name if command else "") == wanted


def test_the_clipboard_and_browser_of_a_mac_only_when_one_sits_at_it(tmp_path: Path) -> None:
    program(tmp_path, "pbcopy")
    program(tmp_path, "open")
    here = {"PATH": str(tmp_path)}
    assert Path(outside.clipboard_command(here, "darwin")[0]).name == "pbcopy"
    assert Path(outside.browser_command(here, "darwin")[0]).name == "open"
    there = {**here, "SSH_CONNECTION": "1 2 3 4"}
    assert outside.clipboard_command(there, "darwin") == ()
    assert outside.browser_command(there, "darwin") == ()
    program(tmp_path, "xdg-open")
    assert outside.browser_command(here, "linux") == ()
    assert outside.browser_command({**here, "DISPLAY": ":0"}, "linux")
    assert outside.browser_command({**there, "DISPLAY": ":10"}, "linux") == ()


def desktop(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    """This computer has a screen, and only the programs of `directory`."""
    env = {"PATH": f"{directory}:{os.environ['PATH']}", "WAYLAND_DISPLAY": "wayland-0"}
    monkeypatch.setattr(outside, "environment", lambda: env)
    monkeypatch.setattr(sys, "platform", "linux")


async def test_copying_reaches_both_clipboards_without_what_a_terminal_obeys(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = program(tmp_path, "wl-copy")
    desktop(monkeypatch, tmp_path)
    async with start() as pilot:
        written: list[str] = []
        driver = pilot.app._driver
        assert driver is not None
        monkeypatch.setattr(driver, "write", written.append)
        pilot.app.copy_to_clipboard("one\ttwo\n\x1b]52;c;aGk=\x07\x1b[31mthree\u202e\x9b漢")
        await until(pilot, out.exists)
        clean = "one\ttwo\n]52;c;aGk=[31mthree漢"
        assert out.read_text(encoding="utf-8") == clean
        assert pilot.app.clipboard == clean
        assert written == [f"\x1b]52;c;{base64.b64encode(clean.encode()).decode()}\a"]


async def test_a_copy_too_long_for_the_terminal_says_so_unless_it_went_elsewhere(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = "漢" * 40_000
    monkeypatch.setattr(outside, "environment", lambda: {"PATH": ""})
    async with start() as pilot:
        app = pilot.app
        assert isinstance(app, AmtuiApp)
        app.copy_to_clipboard(long)
        await see(pilot, f"copied the first {outside.OSC52_BYTES // 3} characters: terminals take no more")
        out = program(tmp_path, "wl-copy")
        desktop(monkeypatch, tmp_path)
        said = len(app.history)
        app.copy_to_clipboard(long)
        await until(pilot, out.exists)
        await until(
            pilot,
            lambda: not app.workers or all(w.is_finished for w in app.workers if w.group == "clipboard"),
        )
        assert len(app.history) == said
        assert out.read_text(encoding="utf-8") == long


async def test_what_the_worker_wants_to_copy_is_dropped() -> None:
    app = LookApp(FakeConsole(b"text"))
    async with app.run_test(size=(82, 27)) as pilot:
        await see(pilot, "text")
        app.remote.feed(b"\x1b]52;c;" + base64.b64encode(b"evil") + b"\x07\x1b]52;c;?\x07more")
        await see(pilot, "textmore")
        assert app.clipboard == ""
        assert bytes(app.remote.typed) == b""


# ---- links


async def test_ctrl_click_and_o_choose_links_and_a_plain_click_none() -> None:
    lie = b"\x1b]8;;https://evil.example/\x1b\\https://bank.example\x1b]8;;\x1b\\"
    app = LookApp(FakeConsole(b"see https://a.example/x, " + lie + b"\r\n"))
    async with app.run_test(size=(82, 27)) as pilot:
        await see(pilot, "bank")
        await pilot.click(app.view, offset=(10, 1))
        await pilot.click(app.view, offset=(10, 1), control=True)
        await pilot.click(app.view, offset=(30, 1), control=True)
        await pilot.click(app.view, offset=(70, 1), control=True)
        await until(pilot, lambda: app.links == [["https://a.example/x"], ["https://evil.example/"]])
        assert app.notes[-1] == "no link there"
        await looking(pilot, app, "home", "o")
        await until(pilot, lambda: len(app.links) == 3)
        assert app.links[2] == ["https://a.example/x", "https://evil.example/"]
        await pilot.press("w", "o")
        await until(pilot, lambda: app.links[3:] == [["https://a.example/x"]])


LINKS = (
    b"docs https://docs.example/ and \x1b]8;;https://bank.example@evil.example/login\x1b\\"
    b"https://bank.example\x1b]8;;\x1b\\ and \x1b]8;;file:///etc/passwd\x1b\\this\x1b]8;;\x1b\\\r\n"
)


async def test_a_link_is_shown_as_it_is_and_opened_only_on_a_yes(
    start: Start, ctx: FakeContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = program(tmp_path, "xdg-open")
    desktop(monkeypatch, tmp_path)
    ctx.consoles["shell"].feed(b"\r\n" + LINKS)
    async with start((80, 24)) as pilot:
        app = pilot.app
        assert isinstance(app, AmtuiApp)
        app.open_worker("shell")
        await see(pilot, "docs https")
        await pilot.press("v", "o")
        await see(pilot, "Which link?", "1  https://docs.example/", "3  file:///etc/passwd (not opened)")
        await pilot.press("3")
        await see(pilot, "only http, https and mailto are opened")
        await pilot.press("o", "2")
        await see(
            pilot, "Open this link?", "https://bank.example@evil.example/login", "leads to  evil.example"
        )
        assert "the text names another host: bank.example" in text(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, OpenLink))
        await pilot.press("o", "1")
        await see(pilot, "y opens it")
        assert not Path(f"{out}.args").exists()
        await pilot.press("y")
        await until(pilot, out.exists)
        assert Path(f"{out}.args").read_text() == "https://docs.example/\n"
        await see(pilot, "opened docs.example in your browser")


async def test_without_a_browser_a_link_is_copied(
    start: Start, ctx: FakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside, "environment", lambda: {"PATH": "", "SSH_CONNECTION": "1"})
    ctx.consoles["shell"].feed(b"\r\nhttps://docs.example/" + b"x" * 900 + b"\r\n")
    async with start((80, 24)) as pilot:
        app = pilot.app
        assert isinstance(app, AmtuiApp)
        app.open_worker("shell")
        await see(pilot, "docs.example")
        await pilot.press("v", "o")
        await see(pilot, "No browser here", "c copies it")
        assert "y opens" not in text(pilot)
        await pilot.press("y")
        assert isinstance(app.screen, OpenLink)
        await pilot.press("c")
        await until(pilot, lambda: app.clipboard == "https://docs.example/" + "x" * 900)


# ---- all of it, at random

KEYS = (
    "up down left right home end pageup pagedown w b e 0 dollar_sign circumflex_accent v V space escape y n N slash "
    "question_mark enter l i n e x alt+r backspace o ctrl+u ctrl+d g G shift+pageup shift+end"
).split()
OUTPUT = [
    b"line of text\r\n", "漢字 wide \u200dé e\u0301 👩\r\n".encode(),
    b"x" * 200 + b"\r\n", b"\x1b[2J", b"\x1b[3J", b"\x1b[H",
    b"\x1b[?1049h", b"\x1b[?1049l", b"https://a.example/" + b"y" * 90, b"\x1b[5;5H", b"\r\n" * 30, b"\x1bc",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
async def test_no_key_and_no_output_breaks_it(seed: int) -> None:
    rng = random.Random(seed)
    app = LookApp(FakeConsole(numbered(60), columns=rng.choice([20, 80]), lines=24))
    async with app.run_test(size=(rng.choice([30, 82]), rng.choice([9, 27]))) as pilot:
        await see(pilot, "line")
        app.view.look_back()
        for _ in range(60):
            if rng.random() < 0.4:
                app.remote.feed(rng.choice(OUTPUT) * rng.randint(1, 3))
            await pilot.press(rng.choice(KEYS))
            if not app.view.looking and rng.random() < 0.5:
                app.view.look_back()
            if rng.random() < 0.2:
                at = (rng.randint(1, 25), rng.randint(1, 6))
                await pilot._post_mouse_events(
                    [events.MouseDown, events.MouseUp], app.pane, offset=at, button=1
                )
            await asyncio.sleep(0)
            assert app.view._broken == ""
            if app.view.looking:
                screen = app.remote.screen
                assert (
                    lines.first(screen) <= app.view._place.row < lines.end(screen)
                    or app.view._search is not None
                )
        for y in range(app.view.size.height):
            for segment in app.view.render_line(y):
                assert segment.text.replace("\u200d", "").isprintable()
