"""The whole main job on this computer, told step by step: what `amtui` does where there is no terminal.

Deploy a shell worker, see it bootstrapped, attach to its console, type, read back what came, destroy it. It uses the
operations and the console like any other front end, so a run that ends well has proven the installation.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from amtui.cli import diagnostics
from amtui.cli.options import Options
from amtui.cli.output import Output
from amtui.errors import AmtuiError, WaitTimeout
from amtui.model import Authority
from amtui.ops import registry
from amtui.ops.base import Progress, Result
from amtui.ops.context import Context

if TYPE_CHECKING:
    from amtui.console.hub import ConsoleHandle, TypingHandle

PATIENCE = 30.0
"""Seconds in which a console must show what is expected of it."""


def trial(options: Options) -> int:
    """Run the main job and print a line for each step; 0 when every step held. Raises `AmtuiError`."""
    return asyncio.run(_trial(options))


async def _trial(options: Options) -> int:
    output = Output(json=options.json)
    steps: list[dict[str, Any]] = []
    context = Context.open(options.environment(), read_only=options.read_only, yes=True)
    name = f"trial-{secrets.token_hex(3)}"
    if not options.json:
        output.text(
            "no terminal here, so this is a trial: a shell worker on this computer, from birth to end"
        )
    try:
        try:
            await _live(context, name, steps, output)
        except AmtuiError as error:
            if name in error.hint:  # the worker of the trial is gone in a moment: nothing can be done with it
                error.hint = "`amtui doctor` checks this computer"
            raise
        finally:
            await _end(context, name, steps, output)
    finally:
        await context.aclose()
    if options.json:
        output.document({"ok": True, "steps": steps})
    else:
        output.text("all of it works; open a terminal and run amtui")
    return 0


async def _live(context: Context, name: str, steps: list[dict[str, Any]], output: Output) -> None:
    """Everything but the end. Deploy and bootstrap are one operation; its narration goes to stderr."""
    async with _step("deploy", steps, output) as told:
        await _perform(context, "new", {"name": name, "on": "local", "agent": "shell", "no_attach": True})
        told(f"{name}, a shell on local")
    async with _step("bootstrap", steps, output) as told:
        shown = await _perform(context, "show", {"name": name})
        phases = shown.data.get("phases", [])
        unfinished = [p["id"] for p in phases if p["status"] not in ("done", "skipped")]
        if unfinished:
            raise WaitTimeout(f"phases not finished: {', '.join(unfinished)}", f"amtui bootstrap {name}")
        told(f"{len(phases)} phases done")
    async with _step("attach", steps, output) as told:
        console = cast("TypingHandle", await context.open_console(name, authority=Authority.TYPE))
        await console.ready(PATIENCE)
        told(f"{console.status.columns}×{console.status.rows}, {console.status.level}")
    try:
        # The shell computes the answer, so that the echo of the typed line cannot be taken for it.
        one, two = secrets.randbelow(9_000) + 1_000, secrets.randbelow(9_000) + 1_000
        line = f"echo sum-$(({one}+{two}))-"
        async with _step("type", steps, output) as told:
            console.type(line.encode() + b"\r", control=True)
            await console.drain(PATIENCE)
            told(line)
        async with _step("read back", steps, output) as told:
            answer = f"sum-{one + two}-"
            await _until(console, lambda: any(answer in row for row in console.screen.display), answer)
            screen = await _perform(context, "screen", {"name": name})
            if not any(answer in row for row in screen.data["rows"]):
                raise WaitTimeout(f"{answer} is on our screen but not in `screen {name}`", "please report it")
            told(answer)
    finally:
        await console.release()


async def _end(context: Context, name: str, steps: list[dict[str, Any]], output: Output) -> None:
    """Destroy what was made, also after a failure or Ctrl-C half way; the first failure stays the one reported."""
    failing = sys.exc_info()[0] is not None
    if name not in [
        row["name"] for row in (await registry.result(context, "ls", {"cached": True})).data["workers"]
    ]:
        return
    try:
        async with _step("destroy", steps, output) as told:
            await _perform(context, "destroy", {"name": [name]})
            told("nothing of it is left")
    except AmtuiError as error:
        if not failing:
            raise
        diagnostics.report(error)


@asynccontextmanager
async def _step(
    title: str, steps: list[dict[str, Any]], output: Output
) -> AsyncIterator[Callable[[str], None]]:
    """Time a step and print its line when it held; a failure is told by the caller of the whole job."""
    began = time.monotonic()
    said: list[str] = []
    try:
        yield said.append
    except BaseException:
        steps.append({"step": title, "ok": False})
        if not output.json:
            output.text(f"✕ {title:<10}")
        raise
    seconds = time.monotonic() - began
    text = " ".join(said)
    steps.append({"step": title, "ok": True, "seconds": round(seconds, 3), "text": text})
    if not output.json:
        output.text(f"✓ {title:<10} {text}  ({seconds:.1f} s)")


async def _perform(context: Context, op_id: str, params: dict[str, Any]) -> Result:
    """One operation, narrated."""
    last = Result()
    async for item in registry.run(context, op_id, params):
        if isinstance(item, Progress):
            diagnostics.narrate(f"  {item.text}")
        elif isinstance(item, Result):
            last = item
    return last


async def _until(console: ConsoleHandle, holds: Callable[[], bool], what: str) -> None:
    """Return when a console shows something. Raises `WaitTimeout`."""
    changed = asyncio.Event()
    stop = console.listen(changed.set)
    try:
        async with asyncio.timeout(PATIENCE):
            while not holds():
                await changed.wait()
                changed.clear()
    except TimeoutError:
        raise WaitTimeout(
            f"{what} did not appear within {PATIENCE:g} s", "`amtui doctor` checks this computer"
        ) from None
    finally:
        stop()
