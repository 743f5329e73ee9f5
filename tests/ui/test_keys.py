"""In type mode every key reaches the agent as the bytes it stands for; only the prefix and F12 stay here."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from textual import events
from textual.message import Message
from textual.pilot import Pilot
from ui_fake import FakeConsole, FakeContext, FakeOperations
from ui_pilot import Start, see, until

from amtui.app import AmtuiApp
from amtui.screens.fleet import FleetScreen
from amtui.screens.worker import WorkerScreen
from amtui.widgets.keyboard import HostParser, faithful

SAME = [
    *(chr(code) for code in range(0x20) if chr(code) not in "\x1b\x1d\n"),
    "\n", "\x1b", "\x7f", "a", "Z", " ", "~", "é", "漢", "🚀",
    "\x1bx", "\x1bX", "\x1b1", "\x1b9", "\x1b.", "\x1b\r", "\x1b\x7f", "\x1b\x01", "\x1b\x1a", "\x1b[", "\x1bO",
    "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[1;2A", "\x1b[1;3B", "\x1b[1;5C", "\x1b[1;6D", "\x1b[1;7A",
    "\x1bOP", "\x1bOQ", "\x1bOR", "\x1bOS", "\x1b[15~", "\x1b[17~", "\x1b[18~", "\x1b[19~", "\x1b[20~", "\x1b[21~",
    "\x1b[23~", "\x1b[15;2~", "\x1b[15;5~", "\x1b[1;2P",
    "\x1b[2~", "\x1b[3~", "\x1b[3;5~", "\x1b[5~", "\x1b[6~", "\x1b[Z",
]  # fmt: skip
"""Host bytes that the program gets as they are."""

OTHER = {
    "\x1bOA": b"\x1b[A",  # the host's application mode is not the program's
    "\x1b[H": b"\x1b[1~",
    "\x1b[F": b"\x1b[4~",
    "\x1b[25~": b"\x1b[25~",  # F13, which tmux does not know and hands on
    # the kitty protocol's spellings
    "\x1b[97;5u": b"\x01",
    "\x1b[99;5u": b"\x03",
    "\x1b[113;5u": b"\x11",
    "\x1b[112;5u": b"\x10",
    "\x1b[27u": b"\x1b",
    "\x1b[9u": b"\t",
    "\x1b[13u": b"\r",
    "\x1b[127u": b"\x7f",
    "\x1b[9;2u": b"\x1b[Z",
    "\x1b[13;3u": b"\x1b\r",
    "\x1b[127;3u": b"\x1b\x7f",
    "\x1b[97;3u": b"\x1ba",
    "\x1b[97;;97u": b"a",
    "\x1b[97;2;65u": b"A",
    "\x1b[97;1:1u": b"a",
    "\x1b[27;5;97~": b"\x01",  # xterm's modifyOtherKeys
}


def keys_of(data: str) -> list[Message]:
    """What the operator's terminal sent, as the parser of the driver tells it."""
    parser = HostParser()
    return [*parser.feed(data.encode()), *parser.expire()]


async def send(pilot: Pilot[None], data: str) -> None:
    """As if the terminal had sent these bytes."""
    driver = pilot.app._driver
    assert driver is not None
    for message in keys_of(data):
        message.set_sender(pilot.app)
        driver.process_message(message)
    await pilot.pause()


async def typing_into(pilot: Pilot[None], ctx: FakeContext, name: str = "shell") -> FakeConsole:
    """Open a worker's console in type mode."""
    app = pilot.app
    assert isinstance(app, AmtuiApp)
    app.open_worker(name, typing=True)
    await until(
        pilot,
        lambda: isinstance(app.screen, WorkerScreen) and app.screen.is_mounted and app.screen.view.typing,
    )
    console = ctx.consoles[name]
    await until(pilot, lambda: any(kind == "resize" for kind, _ in console.calls))
    console.typed.clear()
    console.calls.clear()
    return console


def app_of(pilot: Pilot[None]) -> AmtuiApp:
    assert isinstance(pilot.app, AmtuiApp)
    return pilot.app


def view_of(pilot: Pilot[None]) -> Any:
    screen = pilot.app.screen
    assert isinstance(screen, WorkerScreen)
    return screen.view


async def test_every_key_of_the_table_reaches_the_agent(start: Start, ctx: FakeContext) -> None:
    async with start() as pilot:
        console = await typing_into(pilot, ctx)
        for data, wanted in [*((key, key.encode()) for key in SAME), *OTHER.items()]:
            console.typed.clear()
            await send(pilot, data)
            assert bytes(console.typed) == wanted, f"{data!r} came as {bytes(console.typed)!r}"
            assert view_of(pilot).typing, f"{data!r} left type mode"
        assert isinstance(pilot.app.screen, WorkerScreen)


async def test_arrows_follow_the_mode_the_program_set(start: Start, ctx: FakeContext) -> None:
    async with start() as pilot:
        console = await typing_into(pilot, ctx)
        console.feed(b"\x1b[?1h")
        await send(pilot, "\x1b[A")
        assert bytes(console.typed) == b"\x1bOA"


async def test_a_key_release_is_no_key(start: Start, ctx: FakeContext) -> None:
    async with start() as pilot:
        console = await typing_into(pilot, ctx)
        await send(pilot, "\x1b[97;1:3u")
        assert bytes(console.typed) == b""


async def test_control_keys_are_marked_so_that_they_do_not_wait(start: Start, ctx: FakeContext) -> None:
    async with start() as pilot:
        console = await typing_into(pilot, ctx)
        for data in ("a", "\r", "\x1b[A", "é", "\x03"):
            await send(pilot, data)
        controls = [control for kind, (_, control) in console.calls if kind == "type"]
        assert controls == [False, True, True, False, True]


async def test_f12_leaves_and_then_keys_are_ours(start: Start, ctx: FakeContext) -> None:
    async with start() as pilot:
        console = await typing_into(pilot, ctx)
        await send(pilot, "\x1b[24~")
        assert not view_of(pilot).typing
        await send(pilot, "x")
        assert bytes(console.typed) == b""


@pytest.mark.parametrize("prefix", ["\x1d", "\x1b[93;5u"])
async def test_prefix_then_escape_leaves(start: Start, ctx: FakeContext, prefix: str) -> None:
    async with start() as pilot:
        console = await typing_into(pilot, ctx)
        await send(pilot, prefix)
        assert view_of(pilot).prefixed
        await see(pilot, "esc Leave", "] Next", "z Zoom")
        await send(pilot, "\x1b")
        assert not view_of(pilot).typing
        assert bytes(console.typed) == b""


async def test_prefix_twice_sends_it(start: Start, ctx: FakeContext) -> None:
    async with start() as pilot:
        console = await typing_into(pilot, ctx)
        await send(pilot, "\x1d\x1d")
        assert bytes(console.typed) == b"\x1d"
        assert view_of(pilot).typing


async def test_an_unknown_key_after_the_prefix_is_not_sent(start: Start, ctx: FakeContext) -> None:
    async with start() as pilot:
        console = await typing_into(pilot, ctx)
        await send(pilot, "\x1dx")
        assert bytes(console.typed) == b""
        assert view_of(pilot).typing
        assert not view_of(pilot).prefixed


async def test_prefix_commands(start: Start, ctx: FakeContext) -> None:
    async with start() as pilot:
        await typing_into(pilot, ctx, "auth-refactor")
        await send(pilot, "\x1dz")
        await until(pilot, lambda: pilot.app.screen.has_class("zoomed"))
        await send(pilot, "\x1dz")
        await until(pilot, lambda: not pilot.app.screen.has_class("zoomed"))
        await send(pilot, "\x1d]")
        await until(pilot, lambda: getattr(pilot.app.screen, "worker_name", "") == "docs-bot")
        await until(pilot, lambda: view_of(pilot).typing)
        await send(pilot, "\x1d:")
        await until(pilot, lambda: type(pilot.app.screen).__name__ == "CommandScreen")
        await send(pilot, "\x1b")
        await until(pilot, lambda: isinstance(pilot.app.screen, WorkerScreen))
        await send(pilot, "\x1d?")
        await until(pilot, lambda: type(pilot.app.screen).__name__ == "HelpScreen")


async def test_a_paste_goes_as_one_piece_without_controls(start: Start, ctx: FakeContext) -> None:
    async with start() as pilot:
        console = await typing_into(pilot, ctx)
        await send(pilot, "\x1b[200~línea one\ntwo\x1b[201~")
        assert console.calls == [("paste", "línea one\ntwo".encode())]
        console.calls.clear()
        view_of(pilot).post_message(events.Paste("rm\x1b[201~ -rf\x03"))
        await pilot.pause()
        assert console.calls == [("paste", b"rm[201~ -rf")]


async def test_keys_in_view_mode_do_not_reach_the_agent(start: Start, ctx: FakeContext) -> None:
    async with start() as pilot:
        app = app_of(pilot)
        app.open_worker("shell")
        await until(
            pilot, lambda: [name for name, _ in ctx.opened[-1:]] == ["shell"] and view_of(pilot).handle
        )
        view = view_of(pilot)
        assert not hasattr(view.handle, "type"), "a view handle can type"
        await send(pilot, "x")
        view.post_message(events.Paste("text"))
        await pilot.pause()
        assert bytes(ctx.consoles["shell"].typed) == b""
        assert ctx.consoles["shell"].calls == []


async def test_losing_the_terminals_focus_does_not_end_type_mode(start: Start, ctx: FakeContext) -> None:
    async with start() as pilot:
        console = await typing_into(pilot, ctx)
        await send(pilot, "\x1b[O")
        await send(pilot, "\x1b[I")
        await send(pilot, "x")
        assert view_of(pilot).typing
        assert bytes(console.typed) == b"x"


async def test_no_binding_has_priority(start: Start, ctx: FakeContext) -> None:
    """A priority binding would take a key from the agent."""
    async with start() as pilot:
        await typing_into(pilot, ctx)
        chain = pilot.app.screen._binding_chain
        taken = [b.key for _, bindings in chain for _, b in bindings if b.priority]
        assert taken == []


def test_the_linux_driver_reads_through_our_parser() -> None:
    from textual.drivers import linux_driver
    from textual.drivers.headless_driver import HeadlessDriver

    ours = faithful(linux_driver.LinuxDriver)
    assert issubclass(ours, linux_driver.LinuxDriver)
    assert ours is not linux_driver.LinuxDriver
    assert faithful(HeadlessDriver) is HeadlessDriver


async def test_start_is_the_fleet(start: Start) -> None:
    async with start() as pilot:
        assert isinstance(pilot.app.screen, FleetScreen)


def burst(pilot: Pilot[None], data: str) -> None:
    """Keys that arrive faster than anything can be drawn."""
    driver = pilot.app._driver
    assert driver is not None
    for message in keys_of(data):
        message.set_sender(pilot.app)
        driver.process_message(message)


async def test_what_is_typed_right_after_i_is_for_the_agent(
    start: Start, ctx: FakeContext, operations: FakeOperations
) -> None:
    """`s` would put the worker to sleep and `D` destroy it, had they overtaken `i`."""
    async with start() as pilot:
        await see(pilot, "needs you (2)")
        burst(pilot, "isD\x1b[200~pasted\x1b[201~\r")
        console = ctx.consoles["docs-bot"]
        await until(pilot, lambda: ("paste", b"pasted") in console.calls and bytes(console.typed) == b"sD\r")
        assert view_of(pilot).typing
        assert operations.ran == []


async def test_what_is_typed_right_after_a_colon_is_the_command(
    start: Start, operations: FakeOperations
) -> None:
    async with start() as pilot:
        await see(pilot, "needs you (2)")
        burst(pilot, ":sleep shell\r")
        await until(pilot, lambda: bool(operations.ran))
        assert [(op, values.name) for op, values in operations.ran] == [("sleep", ("shell",))]


async def test_what_is_typed_right_after_a_slash_filters(start: Start, operations: FakeOperations) -> None:
    async with start() as pilot:
        await see(pilot, "needs you (2)")
        burst(pilot, "/shell")
        await see(pilot, "filter shell", "1 of 8 workers")
        assert operations.ran == []


async def test_escape_while_a_console_opens_takes_the_typing_back(
    start: Start, ctx: FakeContext, operations: FakeOperations
) -> None:
    async with start() as pilot:
        await see(pilot, "needs you (2)")
        ctx.gate = asyncio.Event()
        burst(pilot, "is")
        await until(pilot, lambda: isinstance(pilot.app.screen, WorkerScreen))
        burst(pilot, "\x1b")
        await until(pilot, lambda: isinstance(pilot.app.screen, FleetScreen))
        ctx.gate.set()
        await pilot.pause(0.1)
        assert bytes(ctx.consoles["docs-bot"].typed) == b""
        assert operations.ran == []


async def test_a_key_that_does_nothing_says_so(start: Start) -> None:
    async with start() as pilot:
        await pilot.press("Z")
        await see(pilot, "Z does nothing here", "? tells what does")
