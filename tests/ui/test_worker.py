"""The worker screen: facts, type mode, leaving it, failures, and errors that are survived."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from ui_fake import FakeContext, FakeOperations, row
from ui_pilot import Start, crash_text, see, text, until

from amtui.app import AmtuiApp
from amtui.errors import NotFound, Refused
from amtui.model import AgentStatus, Authority
from amtui.screens.fleet import FleetScreen
from amtui.screens.worker import WorkerScreen


async def opened(pilot: Pilot[None], name: str, **how: Any) -> WorkerScreen:
    """Open a worker's screen and wait for its console."""
    app = pilot.app
    assert isinstance(app, AmtuiApp)
    app.open_worker(name, **how)
    await until(pilot, lambda: isinstance(app.screen, WorkerScreen) and app.screen.is_mounted)
    screen = app.screen
    assert isinstance(screen, WorkerScreen)
    await until(pilot, lambda: screen.view.handle is not None or screen.view._note != "opening the console…")
    return screen


async def test_console_and_facts(start: Start) -> None:
    async with start() as pilot:
        await opened(pilot, "auth-refactor")
        await see(
            pilot,
            "Fleet › auth-refactor",
            "auth-refactor · amconsole · claude",
            "permission",
            "version  2.1.0",
        )
        await see(pilot, "next needing you: docs-bot", "i Type", "view", "esc Back")


async def test_at_80_columns_the_facts_are_one_line(start: Start) -> None:
    async with start((80, 24)) as pilot:
        await opened(pilot, "auth-refactor")
        shown = await see(pilot, "▲ permission · ready · ssh:box1 · claude · opus · ask")
        assert "2.1.0" not in shown


async def test_viewing_asks_for_no_authority_and_typing_for_it(start: Start, ctx: FakeContext) -> None:
    async with start() as pilot:
        screen = await opened(pilot, "shell")
        assert ctx.opened[-1] == ("shell", Authority.VIEW)
        await pilot.press("i")
        await until(pilot, lambda: screen.view.typing)
        assert ctx.opened[-1] == ("shell", Authority.TYPE)
        await see(pilot, "type", "^] Commands  F12 Leave", "every key goes to shell")
        await until(pilot, lambda: ctx.consoles["shell"].open_handles == 1)
        await pilot.press("ctrl+c")
        await see(pilot, "ctrl+c sent to agent")
        await pilot.press("f12")
        await see(pilot, "view", "keys go to amtui", "i Type")
        await until(pilot, lambda: ctx.opened[-1] == ("shell", Authority.VIEW))
        await until(pilot, lambda: ctx.consoles["shell"].open_handles == 1 and not screen.view.can_type)


async def test_leaving_lets_the_console_go_and_typed_keys_stay_sent(start: Start, ctx: FakeContext) -> None:
    async with start() as pilot:
        await opened(pilot, "shell", typing=True)
        await until(pilot, lambda: pilot.app.screen.view.typing)  # type: ignore[attr-defined]
        await pilot.press("x", "f12", "escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, FleetScreen))
        await until(pilot, lambda: ctx.consoles["shell"].open_handles == 0)
        assert bytes(ctx.consoles["shell"].typed) == b"x"


async def test_a_console_behind_another_screen_is_not_followed(start: Start) -> None:
    async with start() as pilot:
        screen = await opened(pilot, "shell")
        handle = screen.view.handle
        assert handle is not None
        await pilot.press("colon")
        await see(pilot, "a verb of the command line")
        assert handle.visible, "a small window in front hides nothing"
        await pilot.press("escape", "l")
        await until(pilot, lambda: not handle.visible)
        await pilot.press("escape")
        await until(pilot, lambda: handle.visible)


async def test_zoom_is_the_console_alone(start: Start) -> None:
    async with start() as pilot:
        screen = await opened(pilot, "shell")
        await pilot.press("z")
        await until(pilot, lambda: screen.view.size == (120, 35))
        assert "Fleet ›" not in text(pilot)
        await see(pilot, "i Type")
        await pilot.press("escape")
        await see(pilot, "Fleet › shell")


async def test_next_needing_you_keeps_the_way_of_looking(start: Start, ctx: FakeContext) -> None:
    async with start() as pilot:
        await opened(pilot, "docs-bot")
        await pilot.press("right_square_bracket")
        await see(pilot, "Fleet › auth-refactor")
        await until(pilot, lambda: ctx.consoles["docs-bot"].open_handles == 0)
        assert len(pilot.app.screen_stack) == 3


async def test_a_console_that_cannot_be_opened_says_why(start: Start, ctx: FakeContext) -> None:
    ctx.fail_open = NotFound("shell has no console", "amtui restart shell")
    async with start() as pilot:
        await opened(pilot, "shell")
        await see(pilot, "shell has no console · amtui restart shell")
        ctx.fail_open = None
        await pilot.press("ctrl+r")
        await see(pilot, "operator@box")


async def test_read_only_opens_but_never_types(start: Start, ctx: FakeContext) -> None:
    ctx.read_only = True
    async with start() as pilot:
        screen = await opened(pilot, "shell", typing=True)
        await see(pilot, "operator@box")
        await pilot.press("i", "enter", "x")
        assert not screen.view.typing
        assert {authority for _, authority in ctx.opened} == {Authority.VIEW}


async def test_typing_that_is_refused_says_why(start: Start, ctx: FakeContext) -> None:
    async with start() as pilot:
        screen = await opened(pilot, "shell")
        ctx.fail_open = Refused("the worker is being destroyed", "look at another")
        await pilot.press("i")
        await see(pilot, "✕ the worker is being destroyed · look at another")
        assert not screen.view.typing


async def test_the_reply_key_offers_what_the_agent_offers(
    start: Start, ctx: FakeContext, operations: FakeOperations
) -> None:
    async with start() as pilot:
        await opened(pilot, "auth-refactor")
        ctx.questions["auth-refactor"] = ("Do you want to proceed?", ("Yes", "No (esc)"))
        await pilot.press("r")
        await see(
            pilot, "auth-refactor asks", "Do you want to proceed?", "rm -rf build", "1  Yes", "2  No (esc)"
        )
        await pilot.press("2")
        await until(pilot, lambda: ("reply", {"name": "auth-refactor", "choice": "2"}) in operations.ran)


async def test_without_options_the_reply_key_goes_to_the_console(start: Start, ctx: FakeContext) -> None:
    async with start() as pilot:
        await pilot.press("r")
        await until(pilot, lambda: isinstance(pilot.app.screen, WorkerScreen))
        await see(pilot, "answer in the console")


async def test_the_state_on_show_follows_the_fleet(start: Start, ctx: FakeContext) -> None:
    async with start((80, 24)) as pilot:
        await opened(pilot, "shell")
        await see(pilot, "· shell")
        ctx.fleet.put(row("shell", AgentStatus.FAILED, reason="crashed"))
        await see(pilot, "✕ crashed")


async def test_a_worker_that_was_removed_behind_our_back(start: Start, ctx: FakeContext) -> None:
    async with start() as pilot:
        await opened(pilot, "shell")
        ctx.fleet.put()
        await see(pilot, "No workers yet", "shell is no longer there")
        await until(pilot, lambda: ctx.consoles["shell"].open_handles == 0)


async def test_an_error_in_a_handler_is_written_down_and_survived(
    start: Start, ctx: FakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "sk-very-secret"

    def broken(self: Any) -> None:
        key = secret  # a local that no crash file may show
        raise RuntimeError(f"boom {len(key)}")

    async with start() as pilot:
        await opened(pilot, "shell")
        monkeypatch.setattr(WorkerScreen, "action_logs", broken)
        await pilot.press("l")
        await see(pilot, "internal error: RuntimeError")
        app = pilot.app
        assert isinstance(app, AmtuiApp)
        written = Path(app.crashes[0])
        assert secret not in crash_text(str(written))
        assert "boom" in crash_text(str(written))
        assert os.stat(written).st_mode & 0o777 == 0o600
        app.crashes.clear()
        await pilot.press("escape")
        await see(pilot, "needs you (2)")


async def test_attach_goes_straight_into_the_console(start: Start, ctx: FakeContext) -> None:
    async with start(worker="shell") as pilot:
        await until(pilot, lambda: isinstance(pilot.app.screen, WorkerScreen))
        await until(pilot, lambda: pilot.app.screen.view.typing)  # type: ignore[attr-defined]
        assert pilot.app.screen.has_class("zoomed")
        await pilot.press("f12")
        await until(pilot, lambda: not pilot.app.screen.has_class("zoomed"))
