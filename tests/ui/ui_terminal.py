"""A terminal for the screens: the bytes it sends go through the driver's parser to the application."""

from __future__ import annotations

from typing import Any

from textual.message import Message
from textual.pilot import Pilot
from ui_fake import FakeConsole, FakeContext
from ui_pilot import until

from amtui.app import AmtuiApp
from amtui.screens.worker import WorkerScreen
from amtui.widgets.keyboard import HostParser


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


def burst(pilot: Pilot[None], data: str) -> None:
    """Keys that arrive faster than anything can be drawn."""
    driver = pilot.app._driver
    assert driver is not None
    for message in keys_of(data):
        message.set_sender(pilot.app)
        driver.process_message(message)
