"""Every screen at 120×36, 80×24, 40×10 and through a resize: nothing crashes, nothing is wider than the terminal."""

from __future__ import annotations

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot
from ui_fake import FakeContext
from ui_pilot import Start, see, text, until

from amtui.app import AmtuiApp
from amtui.screens.base import AmtuiScreen
from amtui.screens.dialogs import dialog_for

KINDS = ("fleet", "worker", "typing", "logs", "deploy", "help", "setup")


async def go(pilot: Pilot[None], kind: str) -> None:
    app = pilot.app
    assert isinstance(app, AmtuiApp)
    match kind:
        case "worker":
            app.open_worker("auth-refactor")
        case "typing":
            app.open_worker("shell", typing=True)
        case "logs":
            app.open_logs("shell")
        case "deploy":
            app.open_deploy({})
        case "help":
            app.action_help()
        case "setup":
            app.follow_setup("fresh", "bootstrap", {"name": "fresh"})
    await until(pilot, lambda: isinstance(app.screen, AmtuiScreen) and app.screen.is_mounted)
    await pilot.pause(0.05)


def fits(pilot: Pilot[None]) -> None:
    width, height = pilot.app.size
    lines = text(pilot).splitlines()
    assert len(lines) == height
    assert {cell_len(line) for line in lines} == {width}


@pytest.mark.parametrize("kind", KINDS)
async def test_every_screen_at_every_size(start: Start, kind: str) -> None:
    async with start((120, 36)) as pilot:
        await go(pilot, kind)
        fits(pilot)
        for size in ((80, 24), (60, 16), (40, 10), (20, 4), (3, 2), (200, 50)):
            await pilot.resize_terminal(*size)
            await pilot.pause(0.02)
            fits(pilot)


async def test_a_tiny_terminal_says_what_it_needs_and_keeps_the_counts(start: Start) -> None:
    async with start((40, 10)) as pilot:
        await see(pilot, "Make me bigger: 60×16", "This is 40×10", "▲2", "q quits")
        await pilot.press("j", "enter", "escape", "slash", "x", "escape", "question_mark", "escape", "escape")
        await pilot.resize_terminal(80, 24)
        await see(pilot, "▲ permission")


async def test_q_quits_even_there(start: Start) -> None:
    async with start((40, 10)) as pilot:
        await see(pilot, "q quits")
        await pilot.press("q")
        await until(pilot, lambda: not pilot.app.is_running)


async def test_a_list_alone_from_60_to_79_columns(start: Start, ctx: FakeContext) -> None:
    async with start((70, 20)) as pilot:
        shown = await see(pilot, "▲ permission", "auth-refactor")
        assert "console" not in shown
        assert ctx.opened == []


@pytest.mark.parametrize("kind", ["confirm", "secret", "choice", "name"])
async def test_questions_fit_80_by_24(start: Start, kind: str) -> None:
    async with start((80, 24)) as pilot:
        options = tuple(f"option {i} with words" for i in range(30))
        answers: list[str | None] = []
        dialog = dialog_for(
            kind, "destroy \x1b[2Jbox [x]", "text [bold]of[/] many words " * 60, options, "box"
        )
        pilot.app.push_screen(dialog, answers.append)
        await see(pilot, "destroy box [x]", "esc")
        fits(pilot)
        assert "╋" not in text(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: answers == [None])


async def test_a_secret_is_not_shown(start: Start) -> None:
    async with start((80, 24)) as pilot:
        answers: list[str | None] = []
        pilot.app.push_screen(dialog_for("secret", "OPENAI_API_KEY", "paste it", (), ""), answers.append)
        await see(pilot, "OPENAI_API_KEY")
        await pilot.press(*"sk-hidden")
        await see(pilot, "•••")
        assert "sk-hidden" not in text(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: answers == ["sk-hidden"])


@pytest.mark.parametrize(("key", "answer"), [("y", "yes"), ("n", None), ("enter", None), ("escape", None)])
async def test_confirming_takes_a_deliberate_key(start: Start, key: str, answer: str | None) -> None:
    async with start((80, 24)) as pilot:
        answers: list[str | None] = []
        pilot.app.push_screen(dialog_for("confirm", "trust box?", "SHA256:abc", (), ""), answers.append)
        await see(pilot, "trust box?", "y yes")
        await pilot.press(key)
        await until(pilot, lambda: answers == [answer])


async def test_without_colour_every_state_still_reads(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with start() as pilot:
        await see(pilot, "▲ permission", "✕ login", "✓ done", "▸")
        colours = set()
        for strip in pilot.app.screen._compositor.render_strips():
            for segment in strip.apply_filter(pilot.app._filters[0], pilot.app.background_colors[1]):
                if segment.style and segment.style.color:
                    red, green, blue = segment.style.color.get_truecolor()
                    colours.add(red == green == blue)
        assert colours == {True}
