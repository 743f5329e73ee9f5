"""The verbs that every screen can ask of the application: open, run, ask, say. Kept apart from what it looks like."""

from __future__ import annotations

import asyncio
import os
import time
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from textual.app import App

from amtui.errors import AmtuiError, NeedsConfirmation
from amtui.model import MAIN_CONSOLE, Untrusted, plain
from amtui.ops.base import Chunk, Op, Progress, Result
from amtui.screens.operations import Operations

if TYPE_CHECKING:
    from amtui.emulator.links import Link
    from amtui.screens.dialogs import Dialog
    from amtui.screens.running import Run

_PERSON: Final = ContextVar("amtui_person_asked", default=False)
"""True in tasks that a key press began: only those may put a question in front of everything."""
_KEPT_OUTPUT: Final = 256 * 1024


class Desk(App[None], inherit_bindings=False):
    """What screens use of the application."""

    def __init__(
        self,
        ctx: Any,
        *,
        operations: Operations | None = None,
        clock: Callable[[], float] = time.time,
        link_clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ctx = ctx
        self.operations = operations or Operations()
        self.clock = clock
        self.link_clock = link_clock
        self.ascii_only = False
        self.history: list[tuple[float, str, str]] = []
        """What the status line said: Unix time, tone, text."""
        self.runs: dict[str, Run] = {}
        """Deploys and bootstraps of this session, by worker name."""
        self.lines: list[str] = []
        """What was run from the `:` line, newest last."""
        self.crashes: list[str] = []
        """Files of errors that were survived."""
        super().__init__()

    @property
    def keymap(self) -> Mapping[str, str]:
        """Keys that the configuration bound otherwise, by the binding's id."""
        return self._keymap

    # ---- saying

    def say(self, text: str, tone: str = "note") -> None:
        """Narrate one line on the screen in front."""
        text = " ".join(plain(text).split())
        self.history = [*self.history[-199:], (self.clock(), tone, text)]
        status = getattr(self.screen, "status", None)
        if status is None:
            status = next((s.status for s in reversed(self.screen_stack) if hasattr(s, "status")), None)
        if status is not None:
            status.say(text, tone)

    def say_error(self, error: AmtuiError) -> None:
        """What happened and what to do next, on one line."""
        self.say(" · ".join(part for part in (error.message, error.hint) if part), "bad")

    def clock_text(self) -> str:
        """Hours and minutes for the header."""
        return time.strftime("%H:%M", time.localtime(self.clock()))

    def report_crash(self, error: Exception) -> None:
        """An error nobody expected: written down without locals, said in one line, survived."""
        if isinstance(error, AmtuiError):
            self.say_error(error)
            return
        where = self.write_crash(error)
        self.say(
            f"internal error: {type(error).__name__} · {where or 'no crash file could be written'}", "bad"
        )

    def write_crash(self, error: Exception) -> str:
        """Write an error down with its frames but none of their values; returns where, or nothing."""
        try:
            directory = self._crash_dir()
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = (
                directory
                / f"crash-{time.strftime('%Y%m%d-%H%M%S', time.localtime(self.clock()))}-{os.getpid()}.txt"
            )
            lines = traceback.format_exception(error)  # frames and source lines, never locals
            text = plain(Untrusted("".join(lines), "traceback").for_terminal())
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "a", encoding="utf-8") as file:
                file.write(text)
        except OSError:
            return ""
        self.crashes.append(str(path))
        return str(path)

    def _crash_dir(self) -> Any:
        paths = getattr(self.ctx, "paths", None) or self.ctx.estate.paths
        return paths.crash_dir

    # ---- asking

    async def ask(self, question: Any) -> str | None:
        """Put a question of `ops.context` to the person; only while they wait for something they began."""
        if not _PERSON.get():
            self.say(f"{question.title} · open the worker to answer", "bad")
            return None
        from amtui.screens.dialogs import dialog_for

        dialog = dialog_for(
            question.kind,
            question.title,
            question.text,
            tuple(question.options),
            getattr(question, "expect", ""),
        )
        return await self.answer(dialog)

    async def answer(self, dialog: Dialog) -> str | None:
        """Show a dialog and wait for what the person says to it."""
        answer: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()

        def answered(value: str | None) -> None:
            if not answer.done():
                answer.set_result(value)

        self.push_screen(dialog, answered)
        return await answer

    def follow_link(self, found: list[Link]) -> None:
        """A person chose one of these links: show where it leads, and ask."""
        from amtui.screens.links import follow

        self.spawn(follow(self, found))

    # ---- running

    def spawn(self, work: Coroutine[Any, Any, Any], *, asked: bool = True) -> None:
        """Run something that outlives the screen it was begun on; its errors are said, not raised."""

        async def begun() -> None:
            await work

        self.run_worker(self.guarded(begun, asked=asked), exit_on_error=False)

    async def guarded(self, work: Callable[[], Awaitable[None]], *, asked: bool = True) -> None:
        """`work` with its errors said, not raised; `asked` when a key press began it, so that it may ask back."""
        _PERSON.set(asked)
        try:
            await work()
        except AmtuiError as error:
            self.say_error(error)
        except Exception as error:
            self.report_crash(error)

    def perform(self, op_id: str, values: Any) -> None:
        """Run an operation and narrate it."""
        self.spawn(self._perform(op_id, values))

    async def _perform(self, op_id: str, values: Any) -> None:
        op = self.operations.get(op_id)
        self.say(f"{op.title}…")
        output = bytearray()
        result = Result()
        try:
            async for item in self.operations.run(self.ctx, op_id, values):
                if isinstance(item, Progress):
                    self.say(item.text)
                elif isinstance(item, Chunk):
                    output += item.data[: max(0, _KEPT_OUTPUT - len(output))]
                else:
                    result = item
        except NeedsConfirmation as error:
            self.say(error.message)
            return
        self._show_result(op.title, result, bytes(output))

    def _show_result(self, title: str, result: Result, output: bytes) -> None:
        if result.attach:
            self.open_worker(result.attach, console=result.console)
            return
        text = Untrusted(output, title).for_terminal() + result.text
        tone = "good" if result.exit_code == 0 else "bad"
        if "\n" in text.strip() or len(text) > 100:
            from amtui.screens.text import TextScreen

            self.push_screen(TextScreen(title, text))
        else:
            self.say(text.strip() or f"{title}: done", tone)

    def run_line(self, op: Op, params: Struct) -> None:
        """Run what the `:` line asked for."""
        name = getattr(params, "name", "")
        if op.id in ("new", "bootstrap"):
            self.follow_setup(name, op.id, params)
        else:
            self.perform(op.id, params)

    def show_screen(self, verb: str, rest: str) -> None:
        """Show the screen that a verb of the `:` line names."""
        if verb == "quit":
            self.exit()
        elif verb == "help":
            self.action_help()
        elif verb == "fleet":
            self.open_fleet(rest)
        else:
            self.open_logs(rest if verb == "logs" else "")

    def reply(self, name: str) -> None:
        """Answer the question a worker's agent shows."""
        from amtui.screens.reply import answer

        self.spawn(answer(self, name))

    # ---- opening

    def open_fleet(self, query: str = "") -> None:
        """Back to the fleet, filtered by `query`."""
        from amtui.screens.fleet import FleetScreen

        while len(self.screen_stack) > 1 and not isinstance(self.screen, FleetScreen):
            self.pop_screen()
        if isinstance(self.screen, FleetScreen):
            self.screen.set_filter(query)

    def open_worker(
        self,
        name: str,
        *,
        typing: bool = False,
        zoomed: bool = False,
        instead: bool = False,
        note: str = "",
        console: str = "",
    ) -> None:
        """Show a worker's console; `instead` of the worker on show now. Without `console` it is the agent's."""
        from amtui.screens.worker import WorkerScreen

        typing = typing and not self.ctx.read_only
        screen = WorkerScreen(name, typing=typing, zoomed=zoomed, note=note, console=console or MAIN_CONSOLE)
        if instead or isinstance(self.screen, WorkerScreen):
            self.switch_screen(screen)
        else:
            self.push_screen(screen)

    def open_logs(self, name: str) -> None:
        """Show a worker's logs; the empty name shows the events of all."""
        from amtui.screens.logs import LogsScreen

        self.push_screen(LogsScreen(name))

    def open_deploy(self, values: dict[str, Any]) -> None:
        """Show the form for a new worker."""
        from amtui.screens.deploy import DeployScreen

        self.push_screen(DeployScreen(values))

    def begin(self, name: str, op_id: str, values: Any) -> Run:
        """Start `new` or `bootstrap`, or join the one that is under way for this worker."""
        from amtui.screens.running import Run

        run = self.runs.get(name)
        if run is None or not run.running:
            run = self.runs[name] = Run(self, name, op_id, values)
            self.spawn(self._run(run))
        return run

    async def _run(self, run: Run) -> None:
        await run.go()
        if run.error is not None:
            self.say(f"{run.name}: {run.error.message}", "bad")
        else:
            self.say(f"{run.name} is ready", "good")

    def follow_setup(self, name: str, op_id: str, values: Any, *, instead: bool = False) -> None:
        """Run `new` or `bootstrap` and watch it; leaving the screen does not stop it."""
        from amtui.screens.setup import SetupScreen

        screen = SetupScreen(self.begin(name, op_id, values))
        if instead:
            self.switch_screen(screen)
        else:
            self.push_screen(screen)

    def try_local(self) -> None:
        """One key, no account: a shell worker on this computer."""
        taken = {row.worker.name for row in self.ctx.fleet.rows()}
        name = next(n for n in ("shell", *(f"shell-{i}" for i in range(2, 1000))) if n not in taken)
        self.follow_setup(name, "new", {"name": name, "on": "local", "agent": "shell"})

    def ssh_hosts(self) -> int:
        """How many hosts `~/.ssh/config` names, for the first screen."""
        from amtui.screens.offers import ssh_names

        return len(ssh_names())

    def first_run_notes(self) -> list[str]:
        """Lines about what was found on this computer, for the first screen."""
        import shutil

        found = [
            f"tmux {'found' if shutil.which('tmux') else 'missing: install tmux, or try it on an ssh host'}"
        ]
        found += [f"bwrap {'found: local agents can be confined' if shutil.which('bwrap') else 'not found'}"]
        return [" · ".join(found)]

    async def action_command(self) -> None:
        """Open the `:` line."""
        raise NotImplementedError

    def action_help(self) -> None:
        """Open help."""
        raise NotImplementedError
