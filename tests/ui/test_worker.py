"""The worker screen: facts, type mode, leaving it, failures, and errors that are survived."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from ui_fake import NOW, FakeConsole, FakeConsoles, FakeContext, FakeOperations, row
from ui_pilot import Start, crash_text, see, text, until

from amtui.app import AmtuiApp
from amtui.errors import NotFound, Refused
from amtui.model import AgentStatus, Authority
from amtui.ops.base import Result
from amtui.ops.consoles import Tab
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


SHELLS = (
    Tab("amconsole", 1, "", "claude"),
    Tab("amconsole-2", 2, "build", "make", busy=True),
    Tab("amconsole-3", 3, "", "bash"),
)


async def test_one_console_has_no_strip_and_no_keys_for_others(start: Start, ctx: FakeContext) -> None:
    ctx.lists["shell"] = FakeConsoles(SHELLS[0])
    async with start() as pilot:
        screen = await opened(pilot, "shell")
        await until(pilot, lambda: screen.tabs)
        shown = await see(pilot, "c New")
        assert not screen.strip.display
        assert "tab Console" not in shown
        assert "x Close" not in shown


async def test_consoles_in_a_strip_and_tab_goes_round(start: Start, ctx: FakeContext) -> None:
    ctx.lists["shell"] = FakeConsoles(*SHELLS)
    async with start() as pilot:
        screen = await opened(pilot, "shell")
        await see(pilot, " 1 claude ", " 2 build ● make ", " 3 bash ", "tab Console")
        first = screen.view.handle
        assert first is not None
        ctx.consoles["shell:amconsole-2"] = FakeConsole(b"making things")
        await pilot.press("tab")
        await see(pilot, "making things", "shell · amconsole-2 · build", "x Close")
        await until(pilot, lambda: screen._kept)
        kept = screen._kept["amconsole"]
        assert not kept.visible, "it is kept open, out of sight"
        assert ctx.consoles["shell"].open_handles == 1
        await pilot.press("shift+tab")
        await see(pilot, "shell · amconsole · shell")
        assert screen.view.handle is kept
        assert kept.visible
        await pilot.press("escape")
        await until(pilot, lambda: ctx.consoles["shell"].open_handles == 0)
        await until(pilot, lambda: ctx.consoles["shell:amconsole-2"].open_handles == 0)
        assert ctx.lists["shell"].released == 1


async def test_who_types_goes_on_typing_in_the_next_console(start: Start, ctx: FakeContext) -> None:
    ctx.lists["shell"] = FakeConsoles(*SHELLS)
    async with start() as pilot:
        screen = await opened(pilot, "shell", typing=True)
        await until(pilot, lambda: screen.view.typing and screen.tabs)
        await pilot.press("ctrl+right_square_bracket")
        await see(pilot, "tab Console")
        await pilot.press("tab")
        await until(pilot, lambda: "shell:amconsole-2" in ctx.consoles)
        await until(pilot, lambda: screen.view.typing and screen.console == "amconsole-2")
        await until(pilot, lambda: screen.view.can_type and ctx.opened.count(("shell", Authority.TYPE)) == 2)
        await pilot.press("z")
        await until(pilot, lambda: bytes(ctx.consoles["shell:amconsole-2"].typed) == b"z")
        await until(
            pilot, lambda: ("resize", tuple(screen.view.size)) in ctx.consoles["shell:amconsole-2"].calls
        )
        assert bytes(ctx.consoles["shell"].typed) == b""


async def test_what_happens_out_of_sight_is_told_in_the_strip(start: Start, ctx: FakeContext) -> None:
    lists = ctx.lists["shell"] = FakeConsoles(*SHELLS)
    async with start() as pilot:
        screen = await opened(pilot, "shell")
        await see(pilot, " 3 bash ")
        lists.put(SHELLS[0], SHELLS[1]._replace(dead=True, does="exited 2"), SHELLS[2]._replace(rang=NOW + 5))
        await see(pilot, " 2 build ✕ exited 2 ", " 3 ▲ rang ")
        await pilot.press("tab", "tab")
        await see(pilot, "amconsole-3", " 3 bash ")
        lists.put(*SHELLS[:2])
        await see(pilot, "amconsole-3 was closed")
        await until(pilot, lambda: screen.console == "amconsole")


async def test_a_new_console_is_shown_and_closing_it_goes_back(
    start: Start, ctx: FakeContext, operations: FakeOperations
) -> None:
    lists = ctx.lists["shell"] = FakeConsoles(SHELLS[0])
    operations.yields["console new"] = [Result({"console": "amconsole-2", "number": 2}, "open")]
    operations.yields["console close"] = [Result({"console": "amconsole-2"}, "amconsole-2 is closed")]
    async with start() as pilot:
        screen = await opened(pilot, "shell")
        await until(pilot, lambda: screen.tabs)
        await pilot.press("c")
        await see(pilot, "console 2 is open", "shell · amconsole-2")
        assert lists.refreshed == 1
        lists.put(*SHELLS[:2])
        await pilot.press("R")
        await until(pilot, lambda: operations.ran[-1][0] == "console restart")
        assert operations.ran[-1][1] == {"name": "shell", "console": "amconsole-2"}
        await see(pilot, "x Close")
        await pilot.press("x")
        await see(pilot, "amconsole-2 is closed", "shell · amconsole ·")
        await until(pilot, lambda: screen.console == "amconsole")
        await pilot.press("t")
        await until(pilot, lambda: "console rename shell 1 " in text(pilot))


async def test_a_sleeping_worker_is_not_watched(start: Start, ctx: FakeContext) -> None:
    """Looking would wake a host that sleeps."""
    lists = ctx.lists["shell"] = FakeConsoles(*SHELLS)
    async with start() as pilot:
        await opened(pilot, "shell")
        await see(pilot, " 3 bash ")
        ctx.fleet.put(
            *(row("shell", asleep=True) if r.worker.name == "shell" else r for r in ctx.fleet.rows())
        )
        await until(pilot, lambda: lists.released == 1)
        await until(pilot, lambda: " 3 bash " not in text(pilot))
