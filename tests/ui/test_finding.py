"""Help, palette, `:` line, footer: what is shown works, and everything can be found."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from textual.keys import key_to_character
from textual.pilot import Pilot
from textual.widgets import Input
from ui_fake import FakeContext, FakeOperations
from ui_pilot import Start, see, text, until

from amtui.app import AmtuiApp
from amtui.config import KeysConfig, UiConfig
from amtui.ops.base import Surface
from amtui.screens.base import AmtuiScreen
from amtui.screens.command import CommandScreen, completions
from amtui.screens.deploy import DeployScreen
from amtui.screens.fleet import FleetScreen
from amtui.screens.help import HelpScreen
from amtui.screens.logs import LogsScreen
from amtui.screens.palette import entries
from amtui.screens.worker import WorkerScreen
from amtui.widgets.chrome import Hint, fit, key_name

Open = Callable[[AmtuiApp], object]


def desk(pilot: Pilot[None]) -> AmtuiApp:
    assert isinstance(pilot.app, AmtuiApp)
    return pilot.app


SCREENS: dict[str, Open] = {
    "fleet": lambda app: None,
    "worker": lambda app: app.open_worker("auth-refactor"),
    "logs": lambda app: app.open_logs("shell"),
    "deploy": lambda app: app.open_deploy({}),
    "help": lambda app: app.action_help(),
}


async def shown(pilot: Pilot[None], name: str) -> AmtuiScreen:
    app = desk(pilot)
    SCREENS[name](app)
    await until(
        pilot, lambda: isinstance(app.screen, AmtuiScreen) and app.screen.is_mounted and app.screen.keys.hints
    )
    await pilot.pause()
    assert isinstance(app.screen, AmtuiScreen)
    return app.screen


@pytest.mark.parametrize("name", SCREENS)
@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_every_key_in_the_footer_has_a_live_action(
    start: Start, name: str, size: tuple[int, int]
) -> None:
    async with start(size) as pilot:
        screen = await shown(pilot, name)
        hints = screen.keys.shown()
        assert hints
        for hint in hints:
            active = screen.active_bindings.get(hint.key)
            assert active is not None, f"{hint} is bound to nothing"
            assert active.enabled
            node, (_, action, parameters) = (
                active.node,
                pilot.app._parse_action(active.binding.action, active.node),
            )
            namespace, *_ = pilot.app._parse_action(active.binding.action, active.node)
            assert hasattr(namespace, f"action_{action}"), f"{hint}: {node} has no action {action}"
            assert namespace.check_action(action, parameters) is True
            if isinstance(screen.focused, Input):
                assert not (key_to_character(hint.key) or "\0").isprintable(), f"{hint} would be typed"
        if name != "help":
            assert hints[-1].label == "Help"
        footer = text(pilot).splitlines()[-1]
        for hint in hints:
            assert f"{key_name(hint.key)} {hint.label}" in footer


async def test_pressing_each_key_of_the_fleets_footer_does_something(
    start: Start, operations: FakeOperations
) -> None:
    async with start((200, 40)) as pilot:
        keys = [hint.key for hint in (await shown(pilot, "fleet")).keys.shown()]
        assert {"enter", "i", "n", "s", "R", "D", "l", "e", "question_mark", "colon"} <= set(keys)
    for key in keys:
        operations.ran.clear()
        async with start((200, 40)) as pilot:
            screen = await shown(pilot, "fleet")
            assert isinstance(screen, FleetScreen)
            screen.table.select("auth-refactor")
            await pilot.pause()
            before = text(pilot)
            await pilot.press(key)
            await until(
                pilot,
                lambda: not pilot.app.is_running or operations.ran or text(pilot) != before,  # noqa: B023
            )


async def test_in_type_mode_the_footer_tells_only_what_is_not_sent(start: Start) -> None:
    async with start() as pilot:
        desk(pilot).open_worker("shell", typing=True)
        await see(pilot, "^] Commands  F12 Leave")
        assert "Help" not in text(pilot).splitlines()[-1]


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_help_is_never_cut(width: int) -> None:
    hints = [Hint(chr(97 + i), "Something") for i in range(20)] + [Hint("question_mark", "Help")]
    kept = fit(hints, width)
    assert kept[-1].label == "Help"
    assert sum(len(h.text) + 2 for h in kept) - 2 <= width


async def test_help_is_made_from_live_keys_and_operations(start: Start, operations: FakeOperations) -> None:
    async with start((120, 36)) as pilot:
        screen = await shown(pilot, "fleet")
        bound = {a.binding.description for a in screen.active_bindings.values() if a.binding.id and a.enabled}
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen) and pilot.app.screen.is_mounted)
        help_screen = pilot.app.screen
        assert isinstance(help_screen, HelpScreen)
        told = help_screen.view.text()
        for words in bound:
            assert words in told
        for op in operations.on(Surface.HELP):
            assert f"  {op.id} " in told
            assert op.summary in told
        for words in ("needs you", "unreachable", "F12", "fleet.open"):
            assert words in told


async def test_the_palette_offers_every_operation_of_its_surface(
    start: Start, operations: FakeOperations
) -> None:
    async with start() as pilot:
        screen = await shown(pilot, "fleet")
        titles = [title for title, _, _ in entries(desk(pilot), screen)]
        for op in operations.on(Surface.PALETTE):
            assert any(title.startswith(op.title) for title in titles), op.id
        assert "Sleep: docs-bot" in titles
        assert "Console of shell" in titles


async def test_the_palette_runs_what_is_chosen(start: Start, operations: FakeOperations) -> None:
    async with start() as pilot:
        await pilot.press("ctrl+p")
        await see(pilot, "an operation or a worker")
        await pilot.press(*"sleep: docs")
        await see(pilot, "Sleep: docs-bot", "Stop a worker's agent")
        await pilot.pause(0.1)
        await pilot.press("enter")
        await until(pilot, lambda: ("sleep", {"name": ("docs-bot",)}) in operations.ran)


async def test_read_only_leaves_only_reading_in_the_palette(start: Start, ctx: FakeContext) -> None:
    ctx.read_only = True
    async with start() as pilot:
        screen = await shown(pilot, "fleet")
        titles = [title for title, _, _ in entries(desk(pilot), screen)]
        assert not any(title.startswith(("Destroy", "Sleep", "New")) for title in titles)
        assert any(title.startswith("Explain") for title in titles)


# ---- the `:` line


async def line(pilot: Pilot[None]) -> Input:
    await pilot.press("colon")
    await until(pilot, lambda: isinstance(pilot.app.screen, CommandScreen) and pilot.app.screen.is_mounted)
    return pilot.app.screen.query_one(Input)


async def test_the_line_runs_the_same_operations(start: Start, operations: FakeOperations) -> None:
    async with start((80, 24)) as pilot:
        await line(pilot)
        await pilot.press(*"sleep api-tests shell", "enter")
        await until(pilot, lambda: operations.ran and operations.ran[-1][0] == "sleep")
        assert operations.ran[-1][1].name == ("api-tests", "shell")


async def test_a_wrong_line_is_explained_and_kept(start: Start, operations: FakeOperations) -> None:
    async with start((80, 24)) as pilot:
        entry = await line(pilot)
        await pilot.press(*"slep shell", "enter")
        await see(pilot, "unknown verb 'slep'", "did you mean sleep")
        assert entry.value == "slep shell"
        assert operations.ran == []
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, FleetScreen))


async def test_tab_completes_verbs_names_and_flags(start: Start) -> None:
    async with start((80, 24)) as pilot:
        entry = await line(pilot)
        await pilot.press(*"rest", "tab")
        assert entry.value == "restart "
        await pilot.press(*"api", "tab")
        assert entry.value == "restart api-tests "
        await pilot.press(*"--r", "tab")
        assert entry.value == "restart api-tests --resume "


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("up", {"upstream ls", "upstream add"}),
        ("upstream a", {"add"}),
        ("set shell --autonomy ", {"ask", "edits", "full"}),
        ("logs s", {"shell"}),
        ("fl", {"fleet"}),
        ("nonsense ", set()),
    ],
)
async def test_completions(start: Start, typed: str, offered: set[str]) -> None:
    async with start((80, 24)) as pilot:
        found = {word for word, _ in completions(desk(pilot), typed)}
        assert offered <= found
        assert bool(offered) == bool(found)


async def test_up_brings_back_what_was_run(start: Start) -> None:
    async with start((80, 24)) as pilot:
        for words in ("sleep shell", "wake shell"):
            await line(pilot)
            await pilot.press(*words, "enter")
            await until(pilot, lambda: isinstance(pilot.app.screen, FleetScreen))
        entry = await line(pilot)
        await pilot.press("up")
        assert entry.value == "wake shell"
        await pilot.press("up")
        assert entry.value == "sleep shell"
        await pilot.press("down", "down")
        assert entry.value == ""


async def test_verbs_that_show_a_screen(start: Start) -> None:
    async with start((80, 24)) as pilot:
        await line(pilot)
        await pilot.press(*"logs shell", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, LogsScreen))
        await line(pilot)
        await pilot.press(*"fleet needs", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, FleetScreen))
        await see(pilot, "2 of 8 workers")
        await line(pilot)
        await pilot.press(*"quit", "enter")
        await until(pilot, lambda: not pilot.app.is_running)


async def test_new_on_the_line_is_watched(start: Start, operations: FakeOperations) -> None:
    async with start((80, 24)) as pilot:
        await line(pilot)
        await pilot.press(*"new box --on local --agent shell", "enter")
        await until(pilot, lambda: any(op == "new" for op, _ in operations.ran))
        await until(pilot, lambda: isinstance(pilot.app.screen, WorkerScreen))


# ---- keys and looks of one's own


async def test_a_key_can_be_rebound_by_its_id(start: Start, ctx: FakeContext) -> None:
    ctx.config.sections["keys"] = KeysConfig(map={"fleet.new": "ctrl+n"})
    async with start((200, 40)) as pilot:
        await see(pilot, "^n New")
        await pilot.press("n")
        assert isinstance(pilot.app.screen, FleetScreen)
        await pilot.press("ctrl+n")
        await until(pilot, lambda: isinstance(pilot.app.screen, DeployScreen))


async def test_ascii_glyphs(start: Start, ctx: FakeContext) -> None:
    ctx.config.sections["ui"] = UiConfig(glyphs="ascii")
    async with start() as pilot:
        told = await see(
            pilot, "> ! question", "x login", "+ done", "o setup 1/3", "* working", "!2 need you"
        )
        for glyph in "▲✕✓◐●○▸":
            assert glyph not in told.split("console")[0]


async def test_a_theme_that_is_not_there_is_said(start: Start, ctx: FakeContext) -> None:
    ctx.config.sections["ui"] = UiConfig(theme="pink")
    async with start() as pilot:
        await see(pilot, "no theme 'pink'", "amtui-dark, amtui-light")


@pytest.mark.parametrize("theme", ["amtui-dark", "amtui-light"])
async def test_text_stands_out_from_its_ground(start: Start, ctx: FakeContext, theme: str) -> None:
    ctx.config.sections["ui"] = UiConfig(theme=theme)
    async with start() as pilot:
        await see(pilot, "needs you (2)")
        worst = (99.0, "")
        for strip in pilot.app.screen._compositor.render_strips():
            for segment in strip:
                style = segment.style
                if (
                    segment.text.strip(" ─│╭╮╰╯━┃┏┓┗┛")
                    and style
                    and style.color
                    and style.bgcolor
                    and not style.dim
                ):
                    pair = style.color.get_truecolor(), style.bgcolor.get_truecolor()
                    worst = min(worst, (_contrast(*pair), f"{segment.text!r} {style}"))
        assert worst[0] >= 3.0, worst


def _contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    def light(colour: tuple[int, int, int]) -> float:
        parts = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    first, second = sorted((light(one), light(other)), reverse=True)
    return (first + 0.05) / (second + 0.05)
