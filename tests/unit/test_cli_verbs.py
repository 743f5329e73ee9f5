"""From the words of a call to parameters, streams and exit codes, with operations that only say what they were told."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from enum import StrEnum
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Literal

import pytest
from msgspec import Struct

from amtui import errors
from amtui.cli import main, session
from amtui.cli.launch import Launch
from amtui.ops import registry
from amtui.ops.base import Action, Arg, Chunk, Effect, Op, Progress, Result, Yield


class Mood(StrEnum):
    CALM = "calm"
    CROSS = "cross"


class Echo(Struct, frozen=True, kw_only=True):
    name: Annotated[str, Arg("who", positional=True)]
    words: Annotated[tuple[str, ...], Arg("what", positional=True, metavar="WORD")] = ()
    mood: Annotated[Mood, Arg("how")] = Mood.CALM
    wire: Annotated[tuple[Literal["messages", "chat"], ...], Arg("repeats")] = ()
    count: Annotated[int, Arg("how many")] = 1
    patience: Annotated[float | None, Arg("how long")] = None
    place: Annotated[str, Arg("where", flag="--at", metavar="PLACE")] = ""
    loud: Annotated[bool, Arg("shout", flag="-l")] = False


class Command(Struct, frozen=True, kw_only=True):
    name: Annotated[str, Arg("who", positional=True)]
    command: Annotated[tuple[str, ...], Arg("what to run", rest=True, metavar="CMD")]
    timeout: Annotated[float, Arg("how long")] = 0.0


class Nothing(Struct, frozen=True, kw_only=True):
    pass


class FakeContext:
    """Stands for the estate: remembers how it was opened and that it was closed."""

    opened: list[FakeContext]

    def __init__(self, env: dict[str, str], **settings: Any) -> None:
        self.env = env
        self.settings = settings
        self.read_only: bool = settings["read_only"]
        self.closed = False

    @classmethod
    def open(cls, env: dict[str, str], **settings: Any) -> FakeContext:
        cls.opened.append(cls(env, **settings))
        return cls.opened[-1]

    async def aclose(self) -> None:
        self.closed = True

    @property
    def estate(self) -> Any:
        return SimpleNamespace(providers=SimpleNamespace(get=FakeProvider))


class FakeProvider:
    """Stands for the ssh substrate; from then on its host is known."""

    accepted: list[tuple[str, str]]

    def __init__(self, substrate: str) -> None:
        self.substrate = substrate

    async def accept_host_key(self, line: str) -> None:
        global failure
        self.accepted.append((self.substrate, line))
        failure = None


failure: BaseException | None = None


async def echo(ctx: FakeContext, params: Echo) -> AsyncIterator[Yield]:
    yield Progress(f"asking {params.name}")
    yield Result({"schema": 1, "told": params}, text=f"{params.name} heard")


async def run_command(ctx: FakeContext, params: Command) -> AsyncIterator[Yield]:
    yield Chunk(" ".join(params.command).encode())
    yield Chunk(b"aside", "stderr")
    yield Result({"exit_code": 7}, exit_code=7)


async def fail(ctx: FakeContext, params: Nothing) -> AsyncIterator[Yield]:
    secret_local = "sk-local-0123456789abcdef"
    yield Progress("about to")
    if failure is not None:
        raise failure
    yield Result(text=secret_local)


async def open_console(ctx: FakeContext, params: Echo) -> AsyncIterator[Yield]:
    yield Result({"name": params.name}, text="made", attach=params.name)


ECHO, RUN, FAIL, OPEN = (
    Action(Echo, echo), Action(Command, run_command), Action(Nothing, fail), Action(Echo, open_console)
)  # fmt: skip
TABLE = (
    Op("tell", "Tell", "Tell somebody something.", Effect.READ, f"{__name__}:ECHO"),
    Op("exec", "Run", "Run a command.", Effect.CHANGE, f"{__name__}:RUN"),
    Op("fail", "Fail", "Fail as wished.", Effect.READ, f"{__name__}:FAIL"),
    Op("new", "New", "Make one.", Effect.CHANGE, f"{__name__}:OPEN"),
    Op("attach", "Attach", "Open one.", Effect.READ, f"{__name__}:OPEN"),
    Op("upstream add", "Add", "Add one.", Effect.CHANGE, f"{__name__}:ECHO"),
)

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A small table of operations and a state directory of the test's own."""
    monkeypatch.setattr(registry, "OPS", TABLE)
    monkeypatch.setattr(registry, "_BY_ID", {op.id: op for op in TABLE})
    monkeypatch.setattr(session, "Context", FakeContext)
    monkeypatch.setenv("AMTUI_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("AMTUI_CONFIG_DIR", str(tmp_path / "config"))
    FakeContext.opened = []
    FakeProvider.accepted = []


@pytest.fixture
def failing() -> Any:
    """Sets what the operation `fail` raises."""

    def with_error(error: BaseException) -> None:
        global failure
        failure = error

    yield with_error
    globals()["failure"] = None


def told(capfd: Capture, *words: str) -> dict[str, Any]:
    """The parameters that `tell` received."""
    assert main.run(["tell", *words, "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["schema"] == 1
    told: dict[str, Any] = document["told"]
    return told


def test_defaults_are_the_operations_own(capfd: Capture) -> None:
    assert told(capfd, "ann") == {
        "name": "ann", "words": [], "mood": "calm", "wire": [], "count": 1, "patience": None, "place": "",
        "loud": False,
    }  # fmt: skip


def test_every_kind_of_parameter(capfd: Capture) -> None:
    said = told(
        capfd, "ann", "good", "day", "--mood", "cross", "--wire", "messages", "--wire", "chat", "--count", "3",
        "--patience", "1.5", "--at", "home", "--loud",
    )  # fmt: skip
    assert said == {
        "name": "ann", "words": ["good", "day"], "mood": "cross", "wire": ["messages", "chat"], "count": 3,
        "patience": 1.5, "place": "home", "loud": True,
    }  # fmt: skip


def test_an_explicit_value_that_equals_nothing_is_still_a_value(capfd: Capture) -> None:
    assert told(capfd, "ann", "--at", "", "--count", "0")["count"] == 0


def test_data_and_narration_part_ways(capfd: Capture) -> None:
    assert main.run(["tell", "ann"]) == 0
    out, err = capfd.readouterr()
    assert out == "ann heard\n"
    assert err == "asking ann\n"


def test_rest_after_two_dashes_is_taken_whole(capfd: Capture) -> None:
    assert main.run(["exec", "ann", "--timeout", "5", "--", "ls", "-la", "--json", "--", "x"]) == 7
    out, err = capfd.readouterr()
    assert out == "ls -la --json -- x"
    assert err == "aside"


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["tel", "ann"], "did you mean 'tell'?"),
        (["upstream", "ad"], "did you mean 'upstream add'?"),
        (["tell", "ann", "--mood", "crosss"], "did you mean 'cross'?"),
        (["tell", "ann", "--mood", "zzz"], "choose from calm, cross"),
        (["tell", "ann", "--wire", "message"], "did you mean 'messages'?"),
        (["tell", "ann", "--cuont", "3"], "--count"),
        (["tell", "ann", "--count", "many"], "many"),
        (["tell"], "NAME"),
        (["exec", "ann"], "CMD"),
    ],
    ids=" ".join,
)
def test_wrong_words_are_one_line_and_exit_2(words: list[str], part: str, capfd: Capture) -> None:
    assert main.run(words) == 2
    out, err = capfd.readouterr()
    assert out == ""
    said, hint = err.splitlines()
    assert said.startswith("amtui: ")
    assert part in said
    assert hint.startswith("  → ")
    assert not FakeContext.opened


def test_a_group_alone_shows_its_verbs(capfd: Capture) -> None:
    assert main.run(["upstream"]) == 2
    assert "Add one." in capfd.readouterr().err


@pytest.mark.parametrize(
    "words", [["--json", "tell", "ann"], ["tell", "--json", "ann"], ["tell", "ann", "--json"]]
)
def test_common_flags_stand_anywhere(words: list[str], capfd: Capture) -> None:
    assert main.run(words) == 0
    assert json.loads(capfd.readouterr().out)["told"]["name"] == "ann"


def test_common_flags_reach_the_context(tmp_path: Path) -> None:
    words = [
        "--read-only",
        "tell",
        "ann",
        "--yes",
        "--state-dir",
        str(tmp_path / "s"),
        "--config-dir",
        "relative",
    ]
    assert main.run(words) == 0
    (context,) = FakeContext.opened
    assert context.closed
    assert context.settings["yes"]
    assert context.settings["read_only"]
    assert context.env["AMTUI_STATE_DIR"] == str(tmp_path / "s")
    assert context.env["AMTUI_CONFIG_DIR"] == str(Path.cwd() / "relative")


def test_read_only_refuses_changes(capfd: Capture) -> None:
    assert main.run(["exec", "ann", "--read-only", "--", "true"]) == 1
    assert "read-only" in capfd.readouterr().err


def leaves(kind: type[errors.AmtuiError]) -> list[type[errors.AmtuiError]]:
    """The hierarchy as `errors` has it; packages refine it, with arguments of their own."""
    ours = [child for child in kind.__subclasses__() if child.__module__ == errors.__name__]
    return [kind, *(leaf for child in ours for leaf in leaves(child))]


MORE: dict[type, dict[str, str]] = {
    errors.HostKeyUnknown: {"host": "box", "fingerprint": "SHA256:x", "line": "box x"}
}


@pytest.mark.parametrize("kind", leaves(errors.AmtuiError), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("as_json", [False, True])
def test_each_error_has_its_line_and_exit_code(
    kind: type[errors.AmtuiError], as_json: bool, failing: Callable[[BaseException], None], capfd: Capture
) -> None:
    failing(kind("it is\nnot there\x1b[2J", "look elsewhere", **MORE.get(kind, {})))
    assert main.run(["fail", *(["--json"] if as_json else [])]) == kind.exit_code
    out, err = capfd.readouterr()
    assert err == "about to\namtui: it is not there[2J\n  → look elsewhere\n"
    assert FakeContext.opened[0].closed
    if as_json:
        assert json.loads(out)["error"]["exit_code"] == kind.exit_code
    else:
        assert out == ""


@pytest.mark.parametrize(("answer", "code"), [("yes", 0), (None, 1)])
def test_a_person_may_vouch_for_a_host(
    answer: str | None, code: int, failing: Callable[[BaseException], None], monkeypatch: pytest.MonkeyPatch,
    capfd: Capture,
) -> None:  # fmt: skip
    asked: list[Any] = []

    async def ask(question: Any) -> str | None:
        asked.append(question)
        return answer

    monkeypatch.setattr(session.asking, "possible", lambda: True)
    monkeypatch.setattr(session.asking, "ask", ask)
    failing(errors.HostKeyUnknown("who?", host="box", fingerprint="SHA256:x", line="box ssh-ed25519 x"))
    assert main.run(["fail", "--yes"]) == code
    assert len(asked) == 1
    assert "SHA256:x" in asked[0].text
    assert FakeProvider.accepted == ([("ssh:box", "box ssh-ed25519 x")] if answer else [])


def test_usage_errors_are_documents_too(capfd: Capture) -> None:
    assert main.run(["tell", "--json"]) == 2
    assert json.loads(capfd.readouterr().out)["error"]["exit_code"] == 2


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), asyncio.CancelledError()])
def test_interrupted(
    interruption: BaseException, failing: Callable[[BaseException], None], capfd: Capture
) -> None:
    failing(interruption)
    assert main.run(["fail"]) == 130
    assert "Traceback" not in capfd.readouterr().err
    assert FakeContext.opened[0].closed


def test_a_defect_is_one_line_and_a_crash_file_without_secrets(
    failing: Callable[[BaseException], None], capfd: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "planted secret")
    failing(ZeroDivisionError("with planted secret and sk-live-abcdef0123456789 inside"))
    assert main.run(["fail"]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert "Traceback" not in err
    assert "ZeroDivisionError" in err
    (crash,) = (tmp_path / "state").rglob("*.txt")
    assert str(crash) in err
    assert stat.S_IMODE(crash.stat().st_mode) == 0o600
    text = crash.read_text(encoding="utf-8")
    assert "in fail" in text
    assert "with *** and *** inside" in text
    for hidden in ("planted secret", "sk-live", "sk-local", "secret_local"):
        assert hidden not in text
        assert hidden not in err


def test_a_reader_that_leaves_is_no_error() -> None:
    code = (
        "import sys; from amtui.cli import main; from amtui.cli.output import Output;"
        "main._called = lambda words: Output().text('x');"
    )
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", f"{code} sys.exit(main.run([]))"],
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_pipe_that_breaks_inside_an_operation_is_a_defect(
    failing: Callable[[BaseException], None], capfd: Capture
) -> None:
    failing(BrokenPipeError("inside"))
    assert main.run(["fail"]) == 1
    assert "defect" in capfd.readouterr().err


def test_without_a_terminal_attach_is_refused_and_new_just_ends(capfd: Capture) -> None:
    assert main.run(["attach", "ann"]) == 1
    assert "amtui screen" in capfd.readouterr().err
    assert main.run(["new", "ann"]) == 0
    assert capfd.readouterr().out == "made\n"


def test_on_a_terminal_a_console_is_another_front_ends_work(
    monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    monkeypatch.setattr(session, "has_terminal", lambda: True)
    attach = main.run(["attach", "ann", "--read-only"])
    assert isinstance(attach, Launch)
    assert (attach.front, attach.focus, attach.bare, attach.read_only) == ("tui", "ann", True, True)
    assert capfd.readouterr().out == ""
    new = main.run(["new", "ann", "--state-dir", "/elsewhere"])
    assert isinstance(new, Launch)
    assert (new.focus, new.bare, new.env["AMTUI_STATE_DIR"]) == ("ann", False, "/elsewhere")
    assert main.run(["new", "ann", "--json"]) == 0


def test_help_comes_from_the_table(capfd: Capture) -> None:
    assert main.run(["--help"]) == 0
    out = capfd.readouterr().out
    for op in TABLE[:-1]:
        assert op.id in out
        assert op.summary in out
    assert main.run(["tell", "--help"]) == 0
    out = capfd.readouterr().out
    assert "NAME [WORD]…" in out
    assert "--at PLACE" in out
    assert "[calm|cross]" in out


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("amtui te", {"tell"}),
        ("amtui upstream ", {"add"}),
        ("amtui tell ann --mood c", {"calm", "cross"}),
        ("amtui tell --lo", {"--loud"}),
    ],
)
def test_completion(typed: str, expected: set[str], monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    words = typed.split(" ")
    monkeypatch.setenv("_AMTUI_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    with pytest.raises(SystemExit):
        main.run([])
    offered = {line.split(",")[-1] for line in capfd.readouterr().out.splitlines()}
    assert offered == expected
