"""The form for a new worker, and watching one come to life."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot
from ui_fake import NOW, FakeContext, FakeOperations, row
from ui_pilot import Start, see, text, until

from amtui.app import AmtuiApp
from amtui.errors import BootstrapFailed, GateRefused
from amtui.model import Phase, PhaseStatus
from amtui.ops.base import Chunk, Progress, Result
from amtui.screens.deploy import DeployScreen
from amtui.screens.deploy_checks import problems
from amtui.screens.fleet import FleetScreen
from amtui.screens.offers import Offers, UpstreamOffer, ssh_names
from amtui.screens.setup import SetupScreen
from amtui.screens.worker import WorkerScreen

OFFERS = Offers(
    ("local", "ssh:box1"),
    ("shell", "claude", "codex"),
    (
        UpstreamOffer("anthropic", ("claude",), True, "ANTHROPIC_API_KEY", ""),
        UpstreamOffer("openai", ("codex",), False, "OPENAI_API_KEY", ""),
    ),
)


async def form(pilot: Pilot[None], **values: Any) -> DeployScreen:
    app = pilot.app
    assert isinstance(app, AmtuiApp)
    app.open_deploy(values)
    await until(pilot, lambda: isinstance(app.screen, DeployScreen) and app.screen.is_mounted)
    screen = app.screen
    assert isinstance(screen, DeployScreen)
    await see(pilot, "( ) claude" if values.get("agent") != "claude" else "(•) claude")
    return screen


async def test_everything_has_a_default_and_one_key_deploys(start: Start, operations: FakeOperations) -> None:
    async with start((80, 24)) as pilot:
        await form(pilot)
        await see(
            pilot,
            "(•) local",
            "(•) shell",
            "amtui new worker-1 --on local --agent shell",
            "A Deploy",
            "ready",
        )
        await pilot.press("A")
        await until(
            pilot, lambda: ("new", {"name": "worker-1", "on": "local", "agent": "shell"}) in operations.ran
        )


async def test_the_command_follows_each_choice(start: Start) -> None:
    async with start((80, 24)) as pilot:
        screen = await form(pilot)
        screen.fields["agent"].focus_target.focus()
        await pilot.press("right")
        await see(pilot, "--agent claude", "upstream: choose one, or login later", "✕")
        assert "A Deploy" not in text(pilot)
        screen.fields["upstream"].focus_target.focus()
        await pilot.press("right")
        await see(pilot, "--upstream anthropic", "ready to deploy")
        screen.fields["autonomy"].focus_target.focus()
        await pilot.press("left")
        await see(pilot, "--autonomy full", "typed consent")
        screen.fields["workdir"].focus_target.focus()
        await pilot.press(*"/srv/my app")
        await see(pilot, "--workdir '/srv/my", "^s Deploy")
        await pilot.press("ctrl+y")
        await see(pilot, "copied")
        copied = pilot.app.clipboard
        for words in ("amtui new worker-1", "--agent claude", "--upstream anthropic", "--autonomy full",
                      "--workdir '/srv/my app'"):  # fmt: skip
            assert words in copied


async def test_problems_block_the_deploy_key(start: Start, operations: FakeOperations) -> None:
    async with start((80, 24)) as pilot:
        screen = await form(pilot)
        for bad, what in (
            ("shell", "taken"),
            ("Bad Name;rm", "a-z 0-9"),
            ("x" * 41, "at most 40"),
            ("", "give it a name"),
        ):
            screen.fields["name"].set_value(bad)
            await see(pilot, what)
            await pilot.press("A", "ctrl+s")
        assert isinstance(pilot.app.screen, DeployScreen)
        assert "new" not in [op for op, _ in operations.ran]


async def test_another_host_is_typed(start: Start) -> None:
    async with start((80, 24)) as pilot:
        screen = await form(pilot)
        await pilot.press("left")
        await until(pilot, lambda: screen.fields["on"].value == "")
        await pilot.press(*"ssh:me@there")
        await see(pilot, "--on ssh:me@there")


async def test_h_asks_for_the_host_at_once(start: Start, ctx: FakeContext) -> None:
    ctx.fleet.put()
    async with start((80, 24)) as pilot:
        await see(pilot, "No workers yet")
        await pilot.press("h")
        await see(pilot, "name the host: ssh:HOST")


async def test_leaving_the_form_creates_nothing(start: Start, operations: FakeOperations) -> None:
    async with start((80, 24)) as pilot:
        await form(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, FleetScreen))
        assert {op for op, _ in operations.ran} == {"upstream ls"}


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"name": "a", "on": "ssh:"}, "on", "name the host"),
        ({"name": "a", "on": "ssh"}, "on", "name the host"),
        ({"name": "a", "agent": "claude"}, "upstream", "choose one"),
        ({"name": "a", "agent": "claude", "upstream": "openai"}, "upstream", "does not speak claude's wire"),
        ({"name": "a", "agent": "codex", "upstream": "openai"}, "upstream", "OPENAI_API_KEY is not set"),
        (
            {"name": "a", "agent": "claude", "login": "later", "upstream": "anthropic"},
            "upstream",
            "not with login later",
        ),
        ({"name": "a", "repo": "r", "workdir": "w"}, "workdir", "not with a repo"),
    ],
)
def test_each_choice_is_checked(values: dict[str, str], field: str, words: str) -> None:
    assert words in problems(values, OFFERS, set())[field]


@pytest.mark.parametrize(
    "values",
    [
        {"name": "a"},
        {"name": "a", "agent": "shell", "upstream": "anthropic"},
        {"name": "a", "agent": "claude", "upstream": "anthropic"},
        {"name": "a", "agent": "claude", "upstream": "mine", "on": "ssh:box"},
        {"name": "a", "agent": "codex", "login": "later"},
    ],
)
def test_good_wishes_have_no_problem(values: dict[str, str]) -> None:
    assert problems(values, OFFERS, {"b"}) == {}


def test_hosts_are_read_from_the_ssh_configuration(tmp_path: Any) -> None:
    config = tmp_path / "config"
    config.write_text(
        "Host box1 box2\n  Port 22\nHost *.example.org !bad\nhost box3\nMatch host x\nHost box1\n"
    )
    assert ssh_names(str(config)) == ("box1", "box2", "box3")
    assert ssh_names(str(tmp_path / "none")) == ()


# ---- coming to life


def phases(*states: PhaseStatus) -> tuple[Phase, ...]:
    titles = ("Prepare directories", "Find or bring Node", "Install claude")
    return tuple(
        Phase(id=title.split()[-1].lower(), title=title, status=status, started_at=NOW - 5,
              ended_at=NOW - 2 if status in (PhaseStatus.DONE, PhaseStatus.FAILED) else None,
              cause="npm ERR! 403" if status is PhaseStatus.FAILED else "")
        for title, status in zip(titles, states, strict=True)
    )  # fmt: skip


async def setting_up(pilot: Pilot[None], ctx: FakeContext, operations: FakeOperations) -> SetupScreen:
    operations.gates["new"] = asyncio.Event()
    app = pilot.app
    assert isinstance(app, AmtuiApp)
    app.follow_setup("fresh", "new", {"name": "fresh"})
    await until(pilot, lambda: isinstance(app.screen, SetupScreen) and app.screen.is_mounted)
    screen = app.screen
    assert isinstance(screen, SetupScreen)
    return screen


async def test_phases_log_and_then_the_console(
    start: Start, ctx: FakeContext, operations: FakeOperations
) -> None:
    operations.yields["new"] = [
        Progress("▸ node  Find or bring Node", 0.61),
        Chunk(b"added 61 packages\rin 2s\nand \x1b[2Jmore\n", "log"),
        Result(text="fresh is ready", attach="fresh"),
    ]
    async with start((80, 24)) as pilot:
        await setting_up(pilot, ctx, operations)
        await see(
            pilot,
            "Setting up fresh",
            "✓ Prepare directories",
            "▸ Find or bring Node",
            "9 s…",
            "esc Background",
        )
        operations.gates["new"].set()
        await until(pilot, lambda: isinstance(pilot.app.screen, WorkerScreen))
        await see(pilot, "Fleet › fresh")
        assert len(pilot.app.screen_stack) == 3


async def test_the_log_is_live_and_safe(start: Start, ctx: FakeContext, operations: FakeOperations) -> None:
    operations.yields["new"] = [
        Progress("checking", 0.5),
        Chunk(b"one\nhalf", "log"),
        Chunk(b" and half\n\x1b]0;t\x07[red]x[/red]\n", "log"),
        BootstrapFailed("node failed: npm ERR! 403", "amtui bootstrap fresh"),
    ]
    async with start((80, 24)) as pilot:
        screen = await setting_up(pilot, ctx, operations)
        operations.gates["new"].set()
        shown = await see(
            pilot, "50%", "half and half", "[red]x[/red]", "node failed: npm ERR! 403", "r Retry"
        )
        assert "\x1b" not in shown
        assert isinstance(pilot.app.screen, SetupScreen)
        ctx.fleet.put(
            replace(row("fresh"), phases=phases(PhaseStatus.DONE, PhaseStatus.FAILED, PhaseStatus.PENDING))
        )
        await see(pilot, "✕ Find or bring Node", "npm ERR! 403")
        operations.yields["bootstrap"] = [Progress("again"), Result(text="fresh is ready")]
        await pilot.press("r")
        await until(pilot, lambda: ("bootstrap", {"name": "fresh"}) in operations.ran)
        await until(pilot, lambda: isinstance(pilot.app.screen, WorkerScreen))
        assert screen is not pilot.app.screen


async def test_leaving_does_not_stop_it_and_enter_comes_back(
    start: Start, ctx: FakeContext, operations: FakeOperations
) -> None:
    async with start((80, 24)) as pilot:
        await setting_up(pilot, ctx, operations)
        await pilot.press("escape")
        await see(pilot, "fresh goes on in the background")
        pilot.app.screen.table.select("fresh")  # type: ignore[attr-defined]
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, SetupScreen))
        assert [op for op, _ in operations.ran].count("new") == 1
        await pilot.press("escape")
        operations.gates["new"].set()
        await see(pilot, "fresh is ready")
        assert isinstance(pilot.app.screen, FleetScreen)


async def test_a_refusal_at_the_gate_is_said_and_can_be_tried_again(
    start: Start, ctx: FakeContext, operations: FakeOperations
) -> None:
    ctx.fleet.put()
    operations.yields["new"] = [
        GateRefused("ANTHROPIC_API_KEY is not set", "amtui secret set ANTHROPIC_API_KEY")
    ]
    async with start((80, 24)) as pilot:
        await setting_up(pilot, ctx, operations)
        operations.gates["new"].set()
        await see(pilot, "ANTHROPIC_API_KEY is not set", "amtui secret set", "r Retry")
        assert "a Console" not in text(pilot)
        await pilot.press("r")
        await until(pilot, lambda: [op for op, _ in operations.ran].count("new") == 2)
