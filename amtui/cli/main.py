"""Entry of the command line: from the words of a call to an exit code, or to the front end that should take over."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

import click
from click.exceptions import NoArgsIsHelpError

from amtui import __version__
from amtui.cli import diagnostics
from amtui.cli.launch import Launch
from amtui.cli.options import everywhere, of
from amtui.cli.verbs import Group
from amtui.errors import AmtuiError

ABOUT = """The terminal control plane for fleets of AI-agent workers.

Without a verb: the full screen, or where there is no terminal, a trial of the whole main job on this computer."""
EPILOG = 'Tab completion: eval "$(_AMTUI_COMPLETE=bash_source amtui)", or zsh_source, or fish_source piped to source.'


def run(argv: Sequence[str]) -> int | Launch:
    """Do what the words say. Never raises: whatever happens ends in a line on stderr and an exit code."""
    env = dict(os.environ)
    try:
        return _called(list(argv))
    except AmtuiError as error:
        _tell_program(argv, error.message, error.hint, error.exit_code)
        return diagnostics.report(error)
    except (KeyboardInterrupt, click.Abort):
        diagnostics.narrate("amtui: interrupted; `amtui ls` shows what is there")
        return diagnostics.INTERRUPTED
    except NoArgsIsHelpError as error:
        diagnostics.narrate(error.format_message())
        return 2
    except click.ClickException as error:
        message, hint = error.format_message(), _usage_hint(error)
        _tell_program(argv, message, hint, 2)
        return diagnostics.refuse(message, hint, 2)
    except Exception as error:
        if _is_reader_left(error):
            # Keep the interpreter from complaining about it at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return diagnostics.BROKEN_PIPE
        _tell_program(argv, f"unexpected {type(error).__name__}", "", 1)
        return diagnostics.crashed(error, env)


def _called(argv: list[str]) -> int | Launch:
    answer = root().main(argv, prog_name="amtui", complete_var="_AMTUI_COMPLETE", standalone_mode=False)
    return answer if isinstance(answer, Launch) else int(answer or 0)


def root() -> click.Group:
    """The top of the tree of verbs."""
    version = click.Option(
        ["--version"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_version,
        help="Print the version.",
    )
    return Group(
        name="amtui",
        help=ABOUT,
        epilog=EPILOG,
        invoke_without_command=True,
        callback=_without_verb,
        params=[version, *everywhere()],
        context_settings={"help_option_names": ["-h", "--help"], "terminal_width": _width()},
    )


def _width() -> int:
    """Columns for help. Asking for them here spares click an import that costs as much as all of ours."""
    try:
        columns = int(os.environ.get("COLUMNS", "")) or 80
    except ValueError:
        try:
            columns = os.get_terminal_size(1).columns
        except OSError:
            columns = 80
    return max(40, min(columns, 110) - 2)


def _version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(f"amtui {__version__}")
        ctx.exit()


@click.pass_context
def _without_verb(ctx: click.Context) -> int | Launch | None:
    if ctx.invoked_subcommand is not None:
        return None
    options = of(ctx)
    if sys.stdin.isatty() and sys.stdout.isatty():
        return Launch("tui", options.environment(), options.read_only)
    from amtui.cli.mainjob import trial

    return trial(options)


def _usage_hint(error: click.ClickException) -> str:
    ctx = getattr(error, "ctx", None)
    return f"see `{ctx.command_path} --help`" if ctx is not None else "see `amtui --help`"


def _is_reader_left(error: Exception) -> bool:
    from amtui.cli.output import ReaderLeft

    return isinstance(error, ReaderLeft)


def _tell_program(argv: Sequence[str], message: str, hint: str, exit_code: int) -> None:
    """With `--json` the failure is a document on stdout as well."""
    words = list(argv)[: list(argv).index("--")] if "--" in argv else argv
    if "--json" not in words:
        return
    from amtui.cli.output import Output, ReaderLeft

    with suppress(OSError, ReaderLeft):
        Output(json=True).error(message, hint, exit_code)
