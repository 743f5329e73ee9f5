"""The composition root: reads the words of the call and alone decides which front end runs."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from amtui.cli.launch import Launch

ESCAPE_MILLISECONDS = "25"
"""How long Textual waits whether an Escape begins a sequence; its own default is felt in every editor."""


def main() -> None:
    """Entry of the `amtui` command and of `python -m amtui`."""
    from amtui.cli.main import run

    heed_interrupts()
    outcome = run(sys.argv[1:])
    sys.exit(outcome if isinstance(outcome, int) else start(outcome))


def heed_interrupts() -> None:
    """Let what we start be interrupted where we were started with interrupts ignored, as a shell's `&` does.

    An ignored signal is inherited, and a program cannot trap what it inherits ignored: an agent started that way would
    be deaf to ctrl-c for its whole life. A handler that does nothing is not inherited.
    """
    import signal

    for number in (signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


def start(launch: Launch) -> int:
    """Run the front end that the command line asked for, and return the exit code."""
    from amtui.cli import diagnostics
    from amtui.errors import AmtuiError

    if launch.front != "tui":
        return diagnostics.refuse(f"there is no {launch.front} front end yet", "see `amtui --help`", 2)
    import asyncio

    try:
        return asyncio.run(full_screen(launch))
    except AmtuiError as error:
        return diagnostics.report(error)
    except KeyboardInterrupt:
        return diagnostics.INTERRUPTED
    except Exception as error:
        return diagnostics.crashed(error, launch.env)


async def full_screen(launch: Launch) -> int:
    """Open the estate, show the application until the person leaves, close the estate. Agents keep running."""
    import asyncio
    import gc
    import signal

    gc.disable()  # what is made from here to the first picture stays; then the application's own collector takes over
    os.environ.setdefault("ESCDELAY", ESCAPE_MILLISECONDS)  # read when Textual is imported
    from amtui.app import AmtuiApp
    from amtui.ops.context import Context

    context = Context.open(launch.env, read_only=launch.read_only, terminal=True)
    try:
        app = AmtuiApp(context, worker=launch.focus, console=launch.console)
        # Told to end, we leave as on `q`: a terminal that is still ours must not stay in our modes. Not so on SIGHUP:
        # the terminal is gone, and leaving politely would wait for it.
        number = signal.SIGTERM
        asyncio.get_running_loop().add_signal_handler(number, app.exit, None, 128 + number)
        await app.run_async()
        return app.return_code or 0
    finally:
        await context.aclose()


if __name__ == "__main__":
    main()
