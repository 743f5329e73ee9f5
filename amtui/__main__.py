"""The composition root: reads the words of the call and alone decides which front end runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from amtui.cli.launch import Launch


def main() -> None:
    """Entry of the `amtui` command and of `python -m amtui`."""
    from amtui.cli.main import run

    outcome = run(sys.argv[1:])
    sys.exit(outcome if isinstance(outcome, int) else start(outcome))


def start(launch: Launch) -> int:
    """Run the front end that the command line asked for, and return the exit code."""
    from amtui.cli import diagnostics

    if launch.front != "tui":
        return diagnostics.refuse(f"there is no {launch.front} front end yet", "see `amtui --help`", 2)
    from amtui.errors import AmtuiError

    try:
        from amtui.app import run_app

        code: int = run_app(
            launch.env, read_only=launch.read_only, focus=launch.focus or None, bare=launch.bare
        )
        return code
    except AmtuiError as error:
        return diagnostics.report(error)
    except KeyboardInterrupt:
        return diagnostics.INTERRUPTED
    except Exception as error:
        return diagnostics.crashed(error, launch.env)


if __name__ == "__main__":
    main()
