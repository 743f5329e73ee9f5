"""Predicted echo against real programs in a real tmux, 100 ms away: what is painted, compared with what tmux shows."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from console_rig import Rig, hub, rig, size, until
from figures import record
from modelserver import ModelServer, Prompt, Reply
from operator_world import Operator
from test_agents import deploy
from textual.app import App, ComposeResult

from amtui.console.hub import TypingHandle
from amtui.model import MAIN_CONSOLE, Authority
from amtui.ops.context import Context
from amtui.providers.base import (
    Cap,
    Command,
    ExecEvent,
    ExecResult,
    ExecStream,
    Place,
    Provider,
    Purpose,
)
from amtui.widgets.console_view import ConsoleView

sys.path.insert(0, str(Path(__file__).parents[1] / "perf"))

from typed_sessions import ENTER, Press, script  # noqa: E402

RTT = 0.1
EXEC_ONLY = Cap.LIST | Cap.FILES | Cap.BINARY_OUTPUT


class Distant:
    """`inner` with half a round trip before and after everything."""

    def __init__(self, inner: Provider, caps: Cap | None = None) -> None:
        self._inner = inner
        self.caps = inner.caps if caps is None else caps

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def exec(self, host_id: str, command: Command, *, purpose: Purpose = Purpose.USER) -> ExecResult:
        await asyncio.sleep(RTT / 2)
        result = await self._inner.exec(host_id, command, purpose=purpose)
        await asyncio.sleep(RTT / 2)
        return result

    @asynccontextmanager
    async def stream_exec(
        self, host_id: str, command: Command, *, purpose: Purpose = Purpose.USER
    ) -> AsyncIterator[ExecStream]:
        async with self._inner.stream_exec(host_id, command, purpose=purpose) as stream:
            distant = _DistantStream(stream)
            try:
                yield distant  # type: ignore[misc]  # the rest goes to the stream it wraps
            finally:
                await distant.end()


class _DistantStream:
    """What goes in and what comes out is half a round trip under way, in order, without waiting for one another."""

    def __init__(self, inner: ExecStream) -> None:
        self._inner = inner
        self._out: asyncio.Queue[tuple[float, ExecEvent | BaseException | None]] = asyncio.Queue()
        self._in: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        self._tasks = [asyncio.ensure_future(self._read()), asyncio.ensure_future(self._carry())]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def write(self, data: bytes) -> None:
        self._in.put_nowait((asyncio.get_running_loop().time() + RTT / 2, data))

    async def _carry(self) -> None:
        while True:
            at, data = await self._in.get()
            await asyncio.sleep(at - asyncio.get_running_loop().time())
            await self._inner.write(data)

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            async for event in self._inner:
                self._out.put_nowait((loop.time() + RTT / 2, event))
            self._out.put_nowait((loop.time(), None))
        except Exception as error:
            self._out.put_nowait((loop.time(), error))

    async def __aiter__(self) -> AsyncIterator[ExecEvent]:
        while True:
            at, event = await self._out.get()
            await asyncio.sleep(at - asyncio.get_running_loop().time())
            if event is None:
                return
            if isinstance(event, BaseException):
                raise event
            yield event


class Glass(App[None]):
    """One console, typed into; every row ever painted is kept."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, handle: TypingHandle) -> None:
        super().__init__()
        self.handle = handle
        self.seen: set[str] = set()
        self.foreseen = 0

    def compose(self) -> ComposeResult:
        self.view = ConsoleView()
        yield self.view

    def on_mount(self) -> None:
        self.view.predict("on")
        self.view.show(self.handle, "far")
        self.view.focus()
        self.view.typing = True

    def rows(self) -> list[str]:
        return [self.view.render_line(y).text.rstrip() for y in range(self.view.size.height)]

    def _display(self, screen: Any, renderable: Any) -> None:
        self.seen.update(self.rows())
        super()._display(screen, renderable)

    @property
    def quiet(self) -> bool:
        """Everything was answered and judged."""
        foresight = self.view._foresight
        return not self.handle.status.unacked and foresight is not None and not foresight.predictor.busy

    async def press(self, press: Press) -> None:
        await asyncio.sleep(press.gap)
        before = self.view._marks
        self.view._send(self.handle, press.data, control=len(press.data) > 1 or press.data < b" ")
        self.foreseen += self.view._marks != before


@asynccontextmanager
async def far_glass(it: Rig, *, level: str = "L3", start: Callable[[Glass], bool]) -> AsyncIterator[Glass]:
    """A view of a console that is 100 ms away."""
    distant = Distant(it.place.provider, EXEC_ONLY if level == "L1" else None)
    async with hub() as consoles:
        handle = await consoles.open(it.with_provider(distant), MAIN_CONSOLE, Authority.TYPE)  # type: ignore[arg-type]
        await handle.ready(20)
        app = Glass(handle)
        async with app.run_test(size=(82, 26)):
            await until(lambda: start(app), "the program")
            yield app


async def compare(app: Glass, it: Rig) -> list[str]:
    """Rows that differ from tmux's own once everything is answered."""
    await until(lambda: app.quiet, "every prediction judged", 20)
    differing: list[str] = []

    def same() -> bool:
        differing[:] = [
            f"{shown!r} for {true!r}"
            for shown, true in zip(app.rows(), (row.rstrip() for row in it.oracle().display), strict=False)
            if shown != true
        ]
        return not differing

    await until(same, f"the screen of tmux; {differing}", 10)
    return differing


class Given(Rig):
    """A worker that something else made."""

    def __init__(self, place: Place) -> None:
        self.place = place


READY = {"shell": "bash-", "vim": "word1", "claude": "manual mode", "codex": "Ask Codex"}


def talk(prompt: Prompt) -> Reply:
    """Some sentences, no tools."""
    return Reply("I have read the parser. The last line is dropped where the loop ends before it. " * 3)


@asynccontextmanager
async def stage(kind: str, folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    """A program in a tmux of its own; agents are deployed as a user deploys them, with a scripted model."""
    if kind in ("claude", "codex"):
        operator: Operator = request.getfixturevalue("operator")
        model: ModelServer = request.getfixturevalue("model")
        model.script = talk
        await asyncio.to_thread(
            deploy, operator, model, request.getfixturevalue("secret"), "a", "local", kind
        )
        await asyncio.to_thread(operator.shows, "a", READY[kind], 60)
        ctx = Context.open(operator.env)
        try:
            yield Given(await ctx.estate.place(ctx.worker("a")))
        finally:
            await ctx.aclose()
        return
    async with rig(folder) as it:
        (it.home / "text.txt").write_text("".join(f"line {n} of text, word{n}\n" for n in range(60)))
        await it.start(*(["vim", "text.txt"] if kind == "vim" else ["bash", "--norc", "--noprofile"]))
        yield it


LIVE = [(kind, level) for kind in ("shell", "vim", "claude", "codex") for level in ("L3", "L1")]


@pytest.mark.prove
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("kind", "level"), size([("shell", "L3")], LIVE))
async def test_what_is_painted_is_what_tmux_shows(
    tmp_path: Path, request: pytest.FixtureRequest, kind: str, level: str
) -> None:
    presses = script(kind, 3)[: size(30, 10_000)]
    async with (
        stage(kind, tmp_path, request) as it,
        far_glass(it, level=level, start=lambda app: any(READY[kind] in row for row in app.rows())) as app,
    ):
        for number, press in enumerate(presses):
            await app.press(press)
            if number % 15 == 14:
                await compare(app, it)
        await compare(app, it)
        foresight = app.view._foresight
        assert foresight is not None
        tally = foresight.predictor.tally
    record(
        f"predicted echo live, {kind} {level}", "every row is tmux's after confirmation",
        f"{tally.right} cells came true, {tally.wrong} taken back after at most {tally.longest * 1000:.0f} ms", True,
        conditions=f"{len(presses)} keys at {RTT * 1000:.0f} ms, {app.foreseen} changed the screen at once",
    )  # fmt: skip
    assert app.foreseen > len(presses) / 8, "hardly anything was foreseen: nothing was proved"


PROMPTS = {
    "read -s -p 'Password: ' P; echo": "Password:",
    "python3 -c 'import getpass; getpass.getpass(\"Secret: \")'": "Secret:",
}


@pytest.mark.parametrize("command", size(list(PROMPTS)[:1], list(PROMPTS)))
async def test_a_password_is_in_no_frame(tmp_path: Path, command: str) -> None:
    """Typed after its prompt has come, and once more before it has."""
    secret = "QXZJQXZJ"
    async with rig(tmp_path) as it:
        await it.start("bash", "--norc", "--noprofile")
        async with far_glass(it, start=lambda app: any("bash-" in row for row in app.rows())) as app:
            for hasty in (False, True):
                for char in command:
                    await app.press(Press(0.03, char.encode()))
                await app.press(Press(0.05, ENTER))
                if not hasty:
                    await until(
                        lambda: any(row.startswith(PROMPTS[command]) for row in app.rows()), "the prompt"
                    )
                for char in secret:
                    await app.press(Press(0.05, char.encode()))
                await app.press(Press(0.3, ENTER))
                await compare(app, it)
            assert app.foreseen > len(command) / 8
            # Typed before the prompt was there, the terminal itself may have echoed some: that is the host's doing.
            own = [row for row in app.seen if set(secret) & set(row)]
            truth = "\n".join(app.handle.screen.display)
            assert all(row in truth for row in own), own
