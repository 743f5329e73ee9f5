"""Logs: followed, searched, wrapped, saved; what a worker wrote is data."""

from __future__ import annotations

import os
from typing import Any

import pytest
from rich.style import Style
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from ui_fake import FakeContext, FakeOperations
from ui_pilot import Start, crash_text, see, text, until

from amtui.app import AmtuiApp
from amtui.errors import StateGone
from amtui.ops.base import Chunk
from amtui.screens.fleet import FleetScreen
from amtui.screens.logs import LogsScreen
from amtui.widgets import log_view
from amtui.widgets.log_view import LogView


async def logs_of(pilot: Pilot[None], name: str) -> LogsScreen:
    app = pilot.app
    assert isinstance(app, AmtuiApp)
    app.open_logs(name)
    await until(pilot, lambda: isinstance(app.screen, LogsScreen) and app.screen.is_mounted)
    screen = app.screen
    assert isinstance(screen, LogsScreen)
    await until(pilot, lambda: len(screen.view) > 0)
    return screen


async def test_l_opens_the_logs_of_the_selected_worker(start: Start, operations: FakeOperations) -> None:
    async with start((80, 24)) as pilot:
        await pilot.press("l")
        await see(
            pilot,
            "Logs › docs-bot",
            "[bootstrap]",
            "agent",
            "events",
            "phase=node line 79",
            "following · 80 lines",
        )
        assert ("logs", {"name": "docs-bot", "follow": True, "source": "bootstrap"}) in operations.ran


async def test_new_lines_are_followed_until_one_looks_back(start: Start, operations: FakeOperations) -> None:
    async with start((80, 24)) as pilot:
        await logs_of(pilot, "shell")
        operations.more.put_nowait(Chunk(b"fresh one\n"))
        await see(pilot, "fresh one")
        await pilot.press("up")
        operations.more.put_nowait(Chunk(b"while looking back\n"))
        await see(pilot, "1 new below")
        assert "while looking back" not in text(pilot)
        await pilot.press("f")
        await see(pilot, "while looking back", "following")
        await pilot.press("f", "home")
        await see(pilot, "phase=node line 0")


async def test_sources_take_turns(start: Start, operations: FakeOperations) -> None:
    async with start((80, 24)) as pilot:
        await logs_of(pilot, "shell")
        await pilot.press("o")
        await see(pilot, "[agent]", "agent says hi")
        await pilot.press("o")
        await see(pilot, "[events]", "event 29")
        assert ("events", {"follow": True, "worker": "shell", "limit": 1000}) in operations.ran


async def test_events_of_all_workers(start: Start) -> None:
    async with start((80, 24)) as pilot:
        await logs_of(pilot, "")
        shown = await see(pilot, "Logs › all workers", "[events]", "event 29")
        assert "o Source" not in shown


async def test_search(start: Start) -> None:
    async with start((80, 24)) as pilot:
        screen = await logs_of(pilot, "shell")
        await pilot.press("slash", *"LINE 1")
        await see(pilot, "0 lines")
        await pilot.press("escape", "slash", *"line 1")
        await see(pilot, "11 lines", "search")
        await pilot.press("enter")
        await see(pilot, "line 19", "/line 1 · 11 lines", "n Next", "N Previous")
        await pilot.press("N")
        top = screen.view._top
        await pilot.press("N")
        assert screen.view._top == top - 1
        await pilot.press("n")
        assert screen.view._top == top
        await pilot.press("escape")
        await until(pilot, lambda: "11 lines" not in text(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, FleetScreen))


async def test_a_search_without_a_hit_says_so(start: Start) -> None:
    async with start((80, 24)) as pilot:
        await logs_of(pilot, "shell")
        await pilot.press("slash", *"nothing", "enter")
        await see(pilot, "'nothing' is in none of the 80 lines held")


async def test_saving_writes_a_private_file_and_says_where(start: Start, ctx: FakeContext) -> None:
    async with start((200, 24)) as pilot:
        await logs_of(pilot, "shell")
        await pilot.press("s")
        await see(pilot, "saved 80 lines to")
        (path,) = (ctx.crash_dir / "saved").iterdir()
        assert crash_text(str(path)).startswith("10:02:00 phase=node line 0\n")
        assert os.stat(path).st_mode & 0o777 == 0o600


async def test_saving_where_one_may_not_says_so(start: Start, ctx: FakeContext) -> None:
    ctx.crash_dir = ctx.crash_dir / "a-file"
    ctx.crash_dir.touch()
    async with start((200, 24)) as pilot:
        await logs_of(pilot, "shell")
        await pilot.press("s")
        await see(pilot, "✕ not saved: Not a directory")


async def test_a_source_that_fails_is_said_once_and_asked_again(
    start: Start, operations: FakeOperations, monkeypatch: pytest.MonkeyPatch
) -> None:
    from amtui.screens import logs

    monkeypatch.setattr(logs, "AGAIN", 0.01)
    asked = 0
    real = operations.run

    async def failing(ctx: Any, op_id: str, values: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked < 5:
            raise StateGone("shell has no directory on its host", "amtui bootstrap shell")
        async for item in real(ctx, op_id, values):
            yield item

    operations.run = failing  # type: ignore[method-assign]
    async with start((120, 24)) as pilot:
        screen = await logs_of(pilot, "shell")
        await until(pilot, lambda: asked >= 4)
        assert sum("no directory" in line for line in screen.view.text().splitlines()) <= 1
        await see(pilot, "phase=node line 79")
        assert "no directory" not in screen.view.text()


async def test_what_a_worker_wrote_is_data(start: Start, ctx: FakeContext) -> None:
    ctx.logs["bootstrap"] = ["\x1b[2J\x1b]52;c;aGk=\x07[bold]markup[/]\u202e\x9b31m\ttab \x00end"]
    async with start((80, 24)) as pilot:
        await logs_of(pilot, "shell")
        shown = await see(pilot, "[bold]markup[/]", "end")
        assert not [c for c in shown if c < " " and c != "\n"]
        assert "\u202e" not in shown


class Lines(App[None]):
    """Nothing but a log."""

    def compose(self) -> ComposeResult:
        self.view = LogView()
        yield self.view


async def test_wrapping_loses_no_character() -> None:
    app = Lines()
    async with app.run_test(size=(42, 12)) as pilot:
        long = "word " * 30 + "漢字" * 30
        app.view.add([long])
        app.view.toggle_wrap()
        await pilot.pause()
        rows = [app.view.render_line(y).text for y in range(10)]
        assert "".join("".join(rows).split()) == "".join(long.split())
        app.view.toggle_wrap()
        await pilot.pause()
        assert len([y for y in range(10) if app.view.render_line(y).text.strip()]) == 1


async def test_the_oldest_lines_go_when_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_view, "KEPT", 100)
    app = Lines()
    async with app.run_test(size=(60, 12)) as pilot:
        app.view._lines = type(app.view._lines)(maxlen=100)
        app.view.add([(f"line {i}", Style()) for i in range(250)])
        await pilot.pause()
        assert len(app.view) == 100
        assert app.view.text().startswith("line 150")
        await see(pilot, "150 older dropped")
