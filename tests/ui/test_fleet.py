"""The fleet screen: order, columns, preview, filter, first run, and what its keys do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from textual.pilot import Pilot
from ui_fake import NOW, FakeContext, FakeOperations, row
from ui_pilot import Start, see, text, until

from amtui.app import AmtuiApp
from amtui.errors import NeedsConfirmation, Refused, Unreachable
from amtui.model import AgentStatus, Authority, HostState
from amtui.ops.base import Progress, Result
from amtui.ops.context import Question
from amtui.screens.fleet import FleetScreen
from amtui.screens.worker import WorkerScreen
from amtui.widgets import states
from amtui.widgets.columns import FLEET, share


def order_on(screen: str, names: list[str]) -> list[str]:
    """Names in the order in which their rows stand in the list."""
    lines = screen.splitlines()
    found = {name: next((i for i, line in enumerate(lines) if f" {name} " in line), 999) for name in names}
    return sorted(names, key=lambda name: found[name])


def table_of(pilot: Pilot[None]) -> Any:
    return pilot.app.screen.table  # type: ignore[attr-defined]


NAMES = ["docs-bot", "auth-refactor", "triage-bot", "release-notes", "fresh", "api-tests", "shell", "web-old"]
"""Most urgent first; of two that need a person the one that has waited longer."""


async def test_who_needs_a_person_stands_first_under_a_title(start: Start) -> None:
    async with start() as pilot:
        shown = await see(pilot, "needs you (2)", "problems (1)", "quiet (2)")
        assert order_on(shown, list(reversed(NAMES))) == NAMES
        for words in ("▲ permission", "✕ login", "✓ done", "◐ setup 1/3", "● working", "· shell", "z asleep"):
            assert words in shown
        assert "▲2 need you" in shown
        assert "Find or bring Node" in shown


async def test_at_80_by_24_everything_that_matters_is_there(start: Start) -> None:
    async with start((80, 24)) as pilot:
        shown = await see(
            pilot, "▲ permission", "auth-refactor", "Allow Bash(rm -rf build)?", "ssh:box1", "? Help"
        )
        assert "AGENT" not in shown
        assert "why" not in shown
        await see(pilot, "Do you want to proceed?")


async def test_the_preview_is_live_and_only_looks(start: Start, ctx: FakeContext) -> None:
    async with start() as pilot:
        await see(pilot, "docs-bot · console", "Do you want to proceed?")
        assert ctx.opened == [("docs-bot", Authority.VIEW)]
        ctx.consoles["docs-bot"].feed(b"\x1b[2J\x1b[Hsomething new")
        await see(pilot, "something new")
        await pilot.press("down")
        await see(pilot, "auth-refactor · console")
        await until(pilot, lambda: ctx.consoles["docs-bot"].open_handles == 0)
        assert {authority for _, authority in ctx.opened} == {Authority.VIEW}
        assert [c for console in ctx.consoles.values() for c in console.calls] == []


async def test_a_sleeping_or_unready_worker_is_not_looked_into(start: Start, ctx: FakeContext) -> None:
    ctx.fleet.put(
        row("rests", asleep=True),
        row("lost", host=HostState.UNREACHABLE),
        row("comes", host=HostState.WAKING),
    )
    async with start() as pilot:
        for name, words in (("rests", "asleep"), ("lost", "unreachable"), ("comes", "waking")):
            table_of(pilot).select(name)
            await see(pilot, f"{name} · console", words)
        assert ctx.opened == []


async def test_a_preview_that_fails_says_why_and_what_to_do(start: Start, ctx: FakeContext) -> None:
    ctx.fail_open = Unreachable("box2 does not answer", "check the network")
    async with start() as pilot:
        await see(pilot, "box2 does not answer", "check the network")


async def test_p_hides_the_preview_and_lets_its_console_go(start: Start, ctx: FakeContext) -> None:
    async with start() as pilot:
        await see(pilot, "Do you want to proceed?")
        await pilot.press("p")
        await until(pilot, lambda: "Do you want" not in text(pilot))
        await until(pilot, lambda: ctx.consoles["docs-bot"].open_handles == 0)


async def test_the_hosts_are_asked_even_if_nobody_tells_of_the_first_picture(
    start: Start, ctx: FakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Textual that shows its pictures some other way."""
    monkeypatch.delattr(AmtuiApp, "_display")
    monkeypatch.setattr("amtui.app.BEGIN_ANYWAY", 0.2)
    async with start() as pilot:
        await until(pilot, lambda: ctx.fleet.started)


@pytest.mark.parametrize("when", ["rests", "opens"])
async def test_a_screen_that_closes_leaves_no_preview_behind(
    start: Start, ctx: FakeContext, when: str
) -> None:
    """The cursor still rests on a worker, or its console is being opened."""
    ctx.gate = asyncio.Event()
    async with start() as pilot:
        fleet = pilot.app.screen
        assert isinstance(fleet, FleetScreen)
        if when == "opens":
            await until(pilot, lambda: ctx.waiting)
        ctx.waiting = 0
        table_of(pilot).select("auth-refactor")
        await until(pilot, lambda: fleet._previewed.startswith("auth-refactor"))
        if when == "opens":
            await until(pilot, lambda: ctx.waiting)
        opening = fleet._preview_task
    assert opening is not None
    ctx.gate.set()
    await asyncio.wait({opening}, timeout=5)
    assert opening.cancelled() or opening.exception() is None
    assert [name for name, console in ctx.consoles.items() if console.open_handles] == []
    assert ctx.opened == []


async def test_the_cursor_stays_on_its_worker_when_rows_move(start: Start, ctx: FakeContext) -> None:
    async with start() as pilot:
        table_of(pilot).select("api-tests")
        rows = [r for r in ctx.fleet.rows() if r.worker.name != "api-tests"]
        ctx.fleet.put(*rows, row("api-tests", AgentStatus.NEEDS_YOU, reason="question", age=9999))
        await see(pilot, "needs you (3)")
        assert table_of(pilot).selected == "api-tests"
        ctx.fleet.put(*rows)
        await until(pilot, lambda: table_of(pilot).selected not in ("api-tests", ""))


async def test_next_needing_you_goes_round(start: Start) -> None:
    async with start() as pilot:
        table_of(pilot).select("shell")
        seen = []
        for key in (
            "right_square_bracket",
            "right_square_bracket",
            "right_square_bracket",
            "left_square_bracket",
        ):
            await pilot.press(key)
            seen.append(table_of(pilot).selected)
        assert seen == ["docs-bot", "auth-refactor", "docs-bot", "auth-refactor"]


async def test_filter(start: Start) -> None:
    async with start() as pilot:
        await pilot.press("slash", *"on:ssh -login")
        await see(pilot, "2 of 8 workers", "filter on:ssh -login")
        assert "triage-bot" not in text(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.focused is table_of(pilot))
        await pilot.press("escape")
        await see(pilot, "triage-bot", "attention · 8 workers")


async def test_a_filter_that_is_wrong_says_so(start: Start) -> None:
    async with start() as pilot:
        await pilot.press("slash", *"colour:red")
        await see(pilot, "unknown field 'colour'")


@pytest.mark.parametrize(
    ("key", "typing", "zoomed"), [("enter", False, False), ("i", True, False), ("a", True, True)]
)
async def test_ways_into_a_console(
    start: Start, ctx: FakeContext, key: str, typing: bool, zoomed: bool
) -> None:
    async with start() as pilot:
        await pilot.press(key)
        await until(pilot, lambda: isinstance(pilot.app.screen, WorkerScreen) and pilot.app.screen.is_mounted)
        screen = pilot.app.screen
        assert isinstance(screen, WorkerScreen)
        await until(pilot, lambda: screen.view.handle is not None and screen.view.typing == typing)
        assert screen.has_class("zoomed") == zoomed
        assert ctx.opened[-1] == ("docs-bot", Authority.TYPE if typing else Authority.VIEW)


async def test_sleep_and_wake_share_a_key(start: Start, operations: FakeOperations) -> None:
    async with start() as pilot:
        await see(pilot, "s Sleep")
        await pilot.press("s")
        await until(pilot, lambda: ("sleep", {"name": ("docs-bot",)}) in operations.ran)
        table_of(pilot).select("web-old")
        await see(pilot, "s Wake")
        await pilot.press("s")
        await until(pilot, lambda: ("wake", {"name": ("web-old",)}) in operations.ran)


async def test_progress_result_and_refusal_are_narrated(start: Start, operations: FakeOperations) -> None:
    operations.yields["restart"] = [Progress("stopping the old one"), Result(text="docs-bot restarted")]
    async with start() as pilot:
        await pilot.press("R")
        await see(pilot, "✓ docs-bot restarted")
        operations.yields["restart"] = [Refused("read-only", "start without --read-only")]
        await pilot.press("R")
        await see(pilot, "✕ read-only · start without --read-only")


async def test_destroy_wants_the_name_and_says_what_is_lost(start: Start, operations: FakeOperations) -> None:
    operations.asks["destroy"] = Question(
        "name", "destroy docs-bot", "removes its home; unsaved work: 3 commits not pushed", expect="docs-bot"
    )
    async with start() as pilot:
        await pilot.press("D")
        await see(pilot, "destroy docs-bot", "3 commits not pushed", "type docs-bot")
        await pilot.press(*"docs", "enter")
        await see(pilot, "that is not docs-bot")
        assert operations.answers == []
        await pilot.press(*"-bot", "enter")
        await until(pilot, lambda: operations.answers == ["docs-bot"])


async def test_escape_from_destroy_destroys_nothing(start: Start, operations: FakeOperations) -> None:
    operations.asks["destroy"] = Question("name", "destroy docs-bot", "all of it", expect="docs-bot")
    operations.yields["destroy"] = [NeedsConfirmation("destroy docs-bot: not confirmed")]
    async with start() as pilot:
        await pilot.press("D")
        await see(pilot, "type docs-bot")
        await pilot.press("escape")
        await until(pilot, lambda: operations.answers == [None])
        await see(pilot, "not confirmed")


async def test_nothing_the_person_did_not_begin_is_put_in_front_of_them(
    start: Start, ctx: FakeContext
) -> None:
    async with start() as pilot:
        assert await ctx.ask(Question("confirm", "box2 shows an unknown key", "SHA256:abc")) is None
        await see(pilot, "box2 shows an unknown key")
        assert len(pilot.app.screen_stack) == 2


async def test_the_long_result_of_an_operation_can_be_read(start: Start, operations: FakeOperations) -> None:
    operations.yields["explain"] = [Result(text="needs-you permission\nrule claude.menu\n\x1b[31mred\x1b[0m")]
    async with start() as pilot:
        await pilot.press("e")
        shown = await see(pilot, "rule claude.menu", "red", "esc Back")
        assert "\x1b" not in shown
        await pilot.press("escape")
        await see(pilot, "needs you (2)")


async def test_an_empty_fleet_offers_a_worker_in_one_key(
    start: Start, ctx: FakeContext, operations: FakeOperations
) -> None:
    ctx.fleet.put()
    async with start((80, 24)) as pilot:
        await see(pilot, "No workers yet", "t   Try it now", "n   New worker", "t Try local", "no workers")
        await pilot.press("t")
        await until(
            pilot, lambda: ("new", {"name": "shell", "on": "local", "agent": "shell"}) in operations.ran
        )


async def test_read_only_has_no_key_that_changes_anything(start: Start, ctx: FakeContext) -> None:
    ctx.read_only = True
    async with start((160, 40)) as pilot:
        shown = await see(pilot, "enter Open", "l Logs")
        for words in ("Sleep", "Restart", "Destroy", "i Type", "Attach", "n New", "Reply"):
            assert words not in shown
        await pilot.press("D", "s", "R", "i", "n")
        assert len(pilot.app.screen_stack) == 2


async def test_what_a_worker_says_is_data(start: Start, ctx: FakeContext) -> None:
    ctx.fleet.put(
        row("bad", AgentStatus.NEEDS_YOU, reason="[red]", text="[bold]x[/] \x1b[2J\u202eabc [@click=quit]")
    )
    async with start() as pilot:
        shown = await see(pilot, "▲ [red]", "[bold]x[/]", "[@click=quit]")
        assert "\x1b" not in shown
        assert "\u202e" not in shown


async def test_refreshing_asks_the_hosts_out_of_turn(start: Start, ctx: FakeContext) -> None:
    async with start() as pilot:
        await pilot.press("ctrl+r")
        await see(pilot, "asking the hosts")
        assert ctx.fleet.asked == 1


@pytest.mark.parametrize("first_use", [False, True])
async def test_ctrl_c_says_how_to_leave(start: Start, ctx: FakeContext, first_use: bool) -> None:
    """A newcomer's ctrl+c was said to do nothing."""
    if first_use:
        ctx.fleet.put()
    async with start() as pilot:
        await pilot.press("ctrl+c")
        await see(pilot, "q quits; agents keep running")


async def test_quitting_stops_no_agent(start: Start, operations: FakeOperations) -> None:
    async with start() as pilot:
        await pilot.press("q")
        await until(pilot, lambda: not pilot.app.is_running)
        assert [op for op, _ in operations.ran] == []


@pytest.mark.parametrize("width", [56, 58, 76, 78, 98, 116, 118, 158, 198])
def test_columns_fill_their_width_exactly(width: int) -> None:
    found = share(FLEET, width)
    assert sum(size for _, size in found) + len(found) - 1 == width
    assert {"state", "name", "task"} <= {column.id for column, _ in found}


def test_every_state_has_a_glyph_a_word_and_an_ascii_twin() -> None:
    seen = set()
    for look in states.every():
        assert look.glyph
        assert look.word
        assert look.ascii.isascii()
        assert len(look.glyph) == len(look.ascii) == 1
        seen.add((look.ascii, look.word))
    assert len(seen) == len(states.every())


def test_the_clock_of_a_state_counts_from_its_beginning() -> None:
    assert states.since(row("a", AgentStatus.WORKING, age=90)) == NOW - 90
    assert states.since(row("a", host=HostState.UNREACHABLE, age=30)) == NOW - 30
    assert [states.ago(s) for s in (-1, 5, 65, 7200, 86400 * 3)] == ["0s", "5s", "1m", "2h", "3d"]
