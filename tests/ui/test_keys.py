"""In type mode every key reaches the agent as the bytes it stands for; only the prefix and F12 stay here."""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from pathlib import Path
from queue import Queue
from threading import Event, Thread

import pytest
from figures import record, size
from textual import constants, events
from textual._xterm_parser import XTermParser
from textual.drivers import linux_driver
from textual.drivers.headless_driver import HeadlessDriver
from textual.message import Message
from ui_fake import FakeContext, FakeOperations
from ui_pilot import Start, see, until
from ui_terminal import app_of, burst, keys_of, send, typing_into, view_of

sys.path.insert(0, str(Path(__file__).parent.parent / "emulator"))

import keytable as table

from amtui.emulator import keys
from amtui.screens.fleet import FleetScreen
from amtui.screens.worker import WorkerScreen
from amtui.widgets.keyboard import faithful, key_of

EXAMPLES = {
    "\x1b\r": b"\x1b\r",
    "\x1b\x7f": b"\x1b\x7f",
    "\x1b\x01": b"\x1b\x01",
    "\x1b[1;2R": b"\x1b[1;2R",
    "\x1b[25~": b"\x1b[25~",
    "\x1b[H": b"\x1b[1~",
    "\x1b[13;3u": b"\x1b\r",
    "\x1b[97;;97u": b"a",
    "\u00a0": "\u00a0".encode(),
    "\x1b[24~": None,
}
"""Host bytes → what the program gets; None for the key that leaves."""
OURS = {"f12", "ctrl+right_square_bracket", "shift+pageup", "shift+pagedown"}
"""Keys that stay here."""


async def test_every_key_of_the_table_reaches_the_agent(start: Start, ctx: FakeContext) -> None:
    """The view adds nothing and takes nothing: what tests/emulator/test_key_round_trip.py compares with tmux."""
    data = [data for row in table.ROWS for data in (row.legacy, row.kitty)]
    data += [text.encode() for text in table.TEXT] + table.PREFIXED + table.ALONE
    async with start() as pilot:
        console = await typing_into(pilot, ctx)
        modes = console.screen.modes
        wanted = b""
        for key in data:
            found = [each for each in keys_of(key.decode()) if isinstance(each, events.Key)]
            if any(each.key in OURS for each in found):
                continue
            wanted += b"".join(
                keys.bytes_of(pressed, modes) or b"" for each in found if (pressed := key_of(each))
            )
            burst(pilot, key.decode())
        await until(pilot, lambda: len(console.typed) >= len(wanted))
        assert bytes(console.typed) == wanted
        assert len(wanted) > 3800
        assert view_of(pilot).typing
        assert isinstance(pilot.app.screen, WorkerScreen)


async def test_keys_that_textual_loses(start: Start, ctx: FakeContext) -> None:
    async with start() as pilot:
        console = await typing_into(pilot, ctx)
        for data, wanted in EXAMPLES.items():
            console.typed.clear()
            await send(pilot, data)
            assert bytes(console.typed) == (wanted or b""), f"{data!r} came as {bytes(console.typed)!r}"
            assert view_of(pilot).typing == (wanted is not None)


async def test_arrows_follow_the_mode_the_program_set(start: Start, ctx: FakeContext) -> None:
    async with start() as pilot:
        console = await typing_into(pilot, ctx)
        console.feed(b"\x1b[?1h")
        await send(pilot, "\x1b[A")
        assert bytes(console.typed) == b"\x1bOA"


async def test_releases_and_modifiers_are_no_keys(start: Start, ctx: FakeContext) -> None:
    async with start() as pilot:
        console = await typing_into(pilot, ctx)
        for data in table.NOTHING:
            await send(pilot, data.decode())
        assert bytes(console.typed) == b""
        alone = [data for data in table.NOTHING if b"574" in data and not data.endswith(b"40;5u")]
        assert [keys_of(data.decode()) for data in alone] == [[]] * len(alone), (
            "shift alone is told of as a key"
        )


async def test_the_shift_of_a_colon_is_not_the_command(start: Start, ctx: FakeContext) -> None:
    """A kitty keyboard tells of shift before it tells of the colon."""
    async with start() as pilot:
        console = await typing_into(pilot, ctx)
        await send(pilot, "\x1b[57442;5u\x1b[93;5u\x1b[57441;2u\x1b[59:58;2;58u")
        await until(pilot, lambda: type(pilot.app.screen).__name__ == "CommandScreen")
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
        await until(pilot, lambda: pilot.app.screen.is_mounted and view_of(pilot).typing)
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
        await send(pilot, "\x1b[200~a\x1b[31mb\x1b\r\x1b[Ac\x1b[201~")
        assert console.calls == [("paste", b"a[31mb\n[Ac")]
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


async def test_a_program_that_asked_learns_of_the_terminals_focus(start: Start, ctx: FakeContext) -> None:
    async with start() as pilot:
        console = ctx.consoles["shell"]
        console.feed(b"\x1b[?1004h")
        app_of(pilot).open_worker("shell", typing=True)
        await until(pilot, lambda: console.typed)
        told = b"\x1b[I"
        view_of(pilot).post_message(
            events.Focus()
        )  # the widget's own focus may come before or after type mode
        for data, more in (
            ("x", b"x"),
            ("\x1b[O", b"\x1b[O"),
            ("\x1b[I", b"\x1b[I"),
            ("y", b"y"),
            ("\x1b[24~", b"\x1b[O"),
        ):
            await send(pilot, data)
            told += more
            await until(pilot, lambda: len(console.typed) >= len(told))  # noqa: B023 - awaited here
            assert bytes(console.typed) == told


async def test_no_binding_has_priority(start: Start, ctx: FakeContext) -> None:
    """A priority binding would take a key from the agent."""
    async with start() as pilot:
        await typing_into(pilot, ctx)
        chain = pilot.app.screen._binding_chain
        taken = [b.key for _, bindings in chain for _, b in bindings if b.priority]
        assert taken == []


def test_keys_have_the_names_that_textual_gives_them() -> None:
    """Bindings are written in its names. Alt is what it loses, F3 with modifiers it takes for a cursor report."""
    compared = 0
    for row in table.ROWS:
        if "alt+" in row.name or row.name.endswith("+f3") or row.name == "menu":
            continue
        stock = [each for each in XTermParser().feed(row.legacy.decode()) if isinstance(each, events.Key)]
        ours = [each for each in keys_of(row.legacy.decode()) if isinstance(each, events.Key)]
        if stock:
            compared += 1
            assert [(key.key, key.character) for key in ours] == [
                (key.key, key.character) for key in stock
            ], row
    assert compared > 250


def test_the_linux_driver_reads_through_our_parser() -> None:
    ours = faithful(linux_driver.LinuxDriver)
    assert issubclass(ours, linux_driver.LinuxDriver)
    assert ours is not linux_driver.LinuxDriver
    assert faithful(HeadlessDriver) is HeadlessDriver


class Reading:
    """The driver's reading loop on a pipe."""

    def __init__(self) -> None:
        self._theirs, self._ours = os.pipe()
        driver = faithful(linux_driver.LinuxDriver)
        self.driver = driver.__new__(driver)
        self.came: Queue[Message] = Queue()
        self.driver.fileno = self._theirs
        self.driver.exit_event = Event()
        self.driver.process_message = self.came.put  # type: ignore[method-assign]
        self.thread = Thread(target=self.driver.run_input_thread, daemon=True)
        self.thread.start()

    def types(self, data: bytes) -> None:
        os.write(self._ours, data)

    def next(self) -> str:
        """The next key."""
        message = self.came.get(timeout=20)
        assert isinstance(message, events.Key)
        return message.key

    def hang_up(self) -> None:
        os.close(self._ours)

    def end(self) -> None:
        self.driver.exit_event.set()
        self.thread.join(20)
        assert not self.thread.is_alive()
        os.close(self._theirs)


@pytest.mark.prove
def test_the_escape_key_comes_by_itself_and_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Textual looks for it only each tenth of a second."""
    monkeypatch.setattr(constants, "ESCAPE_DELAY", 0.025)
    reading = Reading()
    taken = []
    for _ in range(size(5, 50)):
        began = time.monotonic()
        reading.types(b"\x1b")
        assert reading.next() == "escape"
        taken.append(time.monotonic() - began)
    reading.types(b"\xff\xfe\x1b[1;3")
    reading.types(b"Ax")
    assert [reading.next(), reading.next()] == ["alt+up", "x"]
    reading.hang_up()
    reading.end()
    delay, soonest = constants.ESCAPE_DELAY, min(taken)
    record(
        "escape key, beyond the wait for a sequence", "p50 ≤ 10 ms",
        f"{1000 * (statistics.median(taken) - delay):.1f} ms", statistics.median(taken) - delay <= 0.010,
        conditions=f"ESCDELAY {delay * 1000:.0f} ms",
    )  # fmt: skip
    assert delay <= soonest < delay + 0.05


async def test_start_is_the_fleet(start: Start) -> None:
    async with start() as pilot:
        assert isinstance(pilot.app.screen, FleetScreen)


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
