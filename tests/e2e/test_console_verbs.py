"""The helper itself, verb by verb, under every shell and with every pump."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from amtui.console import helper
from amtui.console.protocol import (
    AckFrame,
    BeatFrame,
    DataFrame,
    FailureFrame,
    Frame,
    FrameReader,
    HistoryFrame,
    OutcomeFrame,
    SnapshotFrame,
    StateFrame,
    TextFrame,
    WatchFrame,
    parse,
)

KINDS = ("dash", "dash without perl", "bash", "busybox without perl")


class Worker:
    """One console and the helper that serves it, called as a provider would."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder = folder
        self.run = folder / "workers" / "1" / "run" / "amconsole"
        self.socket = folder / "s" / "1"
        self.home = folder / "home"
        self.script = folder / "bin" / "amc"
        self.home.mkdir()
        self.script.parent.mkdir()
        self.script.write_bytes(helper.helper_source())
        tools = folder / "tools"
        tools.mkdir()
        shell = kind.split()[0]
        if shell == "busybox":
            subprocess.run(["busybox", "--install", "-s", str(tools)], check=True)
            (tools / "tmux").symlink_to(shutil.which("tmux") or "tmux")
            path = str(tools)
        else:
            (tools / "sh").symlink_to(shutil.which(shell) or shell)
            path = os.environ["PATH"]
        self.shell = str(tools / "sh")
        self.env = {"PATH": path, "HOME": str(self.home), "AMC_SH": self.shell, "LANG": "C"}
        if "without perl" in kind:
            self.env["AMC_NOPERL"] = "1"

    def argv(self, verb: str, *words: object, run: Path | None = None) -> list[str]:
        where = [str(run or self.run), str(self.socket), "amconsole"]
        return [self.shell, str(self.script), verb, *where, *map(str, words)]

    def ask(self, verb: str, *words: object, stdin: bytes = b"", run: Path | None = None) -> list[Frame]:
        argv = self.argv(verb, *words, run=run)
        done = subprocess.run(
            argv, input=stdin, capture_output=True, env=self.env, cwd=self.home, timeout=20, check=False
        )
        assert done.returncode == 0, done.stderr
        return parse(done.stdout)

    def start(self, *argv: str, history: int = 2000) -> StateFrame:
        (state,) = self.ask("start", 80, 24, history, self.home, *argv)
        assert isinstance(state, StateFrame), state
        return state

    def tmux(self, *words: str) -> str:
        argv = ["tmux", "-S", str(self.socket), "-f", "/dev/null", *words]
        return subprocess.run(argv, capture_output=True, check=True, text=True).stdout

    def log(self) -> tuple[int, bytes]:
        generation = int((self.run / "cur").read_text())
        return generation, (self.run / f"log.{generation}").read_bytes()


@pytest.fixture(params=KINDS)
def worker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Worker]:
    made = Worker(tmp_path, request.param)
    yield made
    made.ask("stop", run=made.run.parent)


@pytest.fixture(params=KINDS[1::2])
def plain_worker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Worker]:
    """For what does not depend on shell or pump."""
    made = Worker(tmp_path, request.param)
    yield made
    made.ask("stop", run=made.run.parent)


def until(true: Callable[[], object], what: str, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def of(frames: list[Frame], kind: type[Frame]) -> Frame:
    return next(frame for frame in frames if isinstance(frame, kind))


def test_the_main_line(worker: Worker) -> None:
    """Start, attach, type, poll, history, stop."""
    state = worker.start("sh", "-c", "stty raw -echo; printf ready; exec cat")
    assert state.piped
    until(lambda: worker.log()[1] == b"ready", "the first bytes of the program are in the log")
    attached = worker.ask("attach", "c1")
    picture = of(attached, SnapshotFrame)
    assert isinstance(picture, SnapshotFrame)
    assert (picture.data, picture.ack) == (b"ready", 0)
    assert of(attached, StateFrame) == state
    program = (state.pane_pid, state.epoch, state.server)

    began = time.monotonic()
    echoed = worker.ask("input", picture.generation, 5, "0.5", "c1", *program, "0:2:68 69")
    assert echoed == [DataFrame(picture.generation, 5, b"hi", 2)]
    assert time.monotonic() - began < 0.5, "the echo ends the wait"
    assert worker.ask("input", picture.generation, 5, "0", "c1", *program, "0:2:68 69", "2:1:21") == [
        AckFrame(3, "-")
    ]
    assert worker.ask("input", picture.generation, 5, "0", "c1", *program, "0:2:68 69", "2:1:21") == [
        AckFrame(3, "-")
    ]
    until(lambda: worker.log()[1] == b"readyhi!", "each key once")

    polled = worker.ask("poll", picture.generation, 5, 5, 1)
    assert polled[0] == DataFrame(picture.generation, 5, b"hi!", None)
    quiet = worker.ask("poll", picture.generation, 8, 2, 1)
    assert quiet[:2] == [BeatFrame(), BeatFrame()]
    assert isinstance(quiet[-1], StateFrame)
    assert isinstance(worker.ask("poll", picture.generation - 1, 0, 5, 1)[0], SnapshotFrame)
    assert list((worker.run / "w").iterdir()) == []


def test_a_waiting_poll_is_woken_by_output(worker: Worker) -> None:
    state = worker.start("sh", "-c", "stty raw -echo; printf ready; exec cat")
    until(lambda: worker.log()[1] == b"ready", "the program")
    generation = worker.log()[0]
    worker.ask("attach", "c1")
    waiting = subprocess.Popen(
        worker.argv("poll", generation, 5, 15, 5), stdout=subprocess.PIPE, env=worker.env
    )
    until(lambda: list((worker.run / "w").iterdir()), "the poll waits")
    began = time.monotonic()
    worker.ask("input", generation, 5, "0", "c1", state.pane_pid, state.epoch, state.server, "0:1:78")
    out, _ = waiting.communicate(timeout=10)
    assert time.monotonic() - began < 4
    assert parse(out)[0] == DataFrame(generation, 5, b"x", None)


def test_a_stream_brings_output_and_heartbeats_and_ends_with_its_reader(worker: Worker) -> None:
    state = worker.start("sh", "-c", "stty raw -echo; printf ready; exec cat")
    until(lambda: worker.log()[1] == b"ready", "the program")
    generation = worker.log()[0]
    worker.ask("attach", "c1")
    stream = subprocess.Popen(worker.argv("stream", generation, 0, 1), stdout=subprocess.PIPE, env=worker.env)
    assert stream.stdout is not None
    os.set_blocking(stream.stdout.fileno(), False)
    reader, frames = FrameReader(), []

    def some() -> list[Frame]:
        frames.extend(reader.feed(stream.stdout.read() or b""))  # type: ignore[union-attr]
        return frames

    until(lambda: DataFrame(generation, 0, b"ready", None) in some(), "what was there")
    worker.ask("input", generation, 5, "0", "c1", state.pane_pid, state.epoch, state.server, "0:1:78")
    until(lambda: DataFrame(generation, 5, b"x", None) in some(), "what came")
    until(lambda: any(isinstance(frame, StateFrame) for frame in some()), "a heartbeat")
    worker.ask("snap")
    until(lambda: any(isinstance(frame, SnapshotFrame) for frame in some()), "the next generation")
    stream.stdout.close()
    stream.wait(10)
    until(lambda: not list((worker.run / "w").iterdir()), "no FIFO is left")


def test_any_byte_is_typed_also_in_copy_mode(worker: Worker) -> None:
    state = worker.start("sh", "-c", "stty raw -echo; printf ready; exec cat > typed")
    until(lambda: worker.log()[1] == b"ready", "the program")
    worker.ask("attach", "c1")
    who = ("c1", state.pane_pid, state.epoch, state.server)
    every = bytes(range(256))
    assert worker.ask("input", 1, 0, "0", *who, f"0:256:{every.hex(' ')}") == [AckFrame(256, "-")]
    worker.tmux("copy-mode", "-t", "=amconsole:")
    assert worker.ask("input", 1, 0, "0", *who, f"256:40:{every[:40].hex(' ')}") == [AckFrame(296, "-")]
    assert worker.ask("paste", "c1", 296, 4, *who[1:], "-r", stdin=b"\0\xff\r\n") == [AckFrame(300, "-")]
    assert worker.ask("paste", "c1", 296, 4, *who[1:], "-r", stdin=b"\0\xff\r\n") == [AckFrame(300, "-")]
    until(
        lambda: (worker.home / "typed").read_bytes() == every + every[:40] + b"\0\xff\r\n", "every byte once"
    )
    assert worker.tmux("list-buffers") == ""


def test_refusals_carry_their_reason(plain_worker: Worker) -> None:
    worker = plain_worker
    state = worker.start("sh", "-c", "stty raw -echo; printf ready; exec cat")
    worker.ask("attach", "c1")
    pid, epoch, server = state.pane_pid, state.epoch, state.server
    assert worker.ask("input", 1, 0, "0", "c1", pid, epoch, "1.2", "0:1:78") == [AckFrame(0, "new-server")]
    assert worker.ask("input", 1, 0, "0", "nobody", pid, epoch, server, "0:1:78") == [
        AckFrame(None, "new-server")
    ]
    assert worker.ask("input", 1, 0, "0", "c1", pid, epoch - 1, server, "0:1:78") == [
        AckFrame(0, "restarted")
    ]
    (again,) = worker.ask("restart", worker.home, "sh", "-c", "stty raw -echo; printf again; read x; exit 7")
    assert isinstance(again, StateFrame)
    assert again.epoch > epoch
    assert worker.ask("input", 1, 0, "0", "c1", pid, epoch, server, "0:1:78") == [AckFrame(0, "restarted")]
    who = ("c1", again.pane_pid, again.epoch, server)
    assert worker.ask("input", 1, 0, "0", *who, "0:1:0a") == [AckFrame(1, "-")]
    until(lambda: worker.tmux("list-panes", "-F", "#{pane_dead}") == "1\n", "the end of the program")
    assert worker.ask("input", 1, 0, "0", *who, "1:1:0a") == [AckFrame(1, "dead")]
    state = of(worker.ask("attach", "c1"), StateFrame)  # type: ignore[assignment]
    assert (state.dead, state.status) == (True, "7")
    assert state.epoch > again.epoch
    assert worker.ask("input", "x;y", 0, "0", "c1;z", pid, epoch, server, "0:1:78") == [FailureFrame("bad")]


def test_size_history_and_looks(plain_worker: Worker) -> None:
    worker = plain_worker
    count = "i=0; while [ $i -lt 500 ]; do i=$((i + 1)); printf 'line %04d\\n' $i; done"
    worker.start("sh", "-c", count + "; printf '\\033]2;a title\\007over'; exec sleep 600")
    until(lambda: b"over" in worker.log()[1], "the output")
    sized = worker.ask("snap", 100, 30, "me", 60, 0)
    assert (of(sized, StateFrame).columns, of(sized, StateFrame).owner) == (100, "me")  # type: ignore[union-attr]
    generation = of(sized, SnapshotFrame).generation  # type: ignore[union-attr]
    (_,) = worker.ask("snap", 100, 30, "me", 60, 0)
    assert worker.log()[0] == generation, "the same size makes no new generation"
    (theirs,) = worker.ask("snap", 60, 20, "you", 60, 0)
    assert (theirs.columns, theirs.owner) == (100, "me")  # type: ignore[union-attr]
    forced = worker.ask("snap", 80, 24, "you", 60, 1)
    assert (of(forced, StateFrame).columns, of(forced, StateFrame).owner) == (80, "you")  # type: ignore[union-attr]

    (rows,) = worker.ask("history", 100, 50)
    assert isinstance(rows, HistoryFrame)
    assert rows.first <= 100
    texts = rows.data.split(b"\n")
    assert texts[100 - rows.first].startswith(b"line 0101")
    assert texts[149 - rows.first].startswith(b"line 0150")
    (rows,) = worker.ask("history", 0, 1 << 30)
    assert isinstance(rows, HistoryFrame)
    assert (rows.first, rows.columns, rows.rows, rows.limit) == (0, 80, 24, 2000)
    assert len(rows.data.splitlines()) == rows.size + 24

    (shown,) = worker.ask("show")
    assert isinstance(shown, TextFrame)
    assert shown.data.splitlines()[0].endswith(b"\ta title")
    assert b"over" in shown.data
    (listed,) = worker.ask("list", run=worker.run.parent)
    assert isinstance(listed, TextFrame)
    assert listed.data.startswith(b"amconsole\t0\t")
    (probed,) = worker.ask("probe", 2, run=worker.run.parent)
    assert isinstance(probed, TextFrame)
    lines = probed.data.decode().splitlines()
    assert lines[0].startswith("M\t")
    assert len(lines[0].split("\t")) == 8
    assert lines[-2:] == ["L\tamconsole\tline 0500", "L\tamconsole\tover"]
    mark, state = worker.ask("watch", "none", 0, 1, run=worker.run.parent)
    assert isinstance(mark, WatchFrame)
    assert isinstance(state, TextFrame)
    assert b"\nP\tamconsole\t0\t" in state.data
    assert worker.ask("watch", mark.mark, 0, 1, run=worker.run.parent)[0] == mark


def test_a_text_under_a_guard(plain_worker: Worker) -> None:
    worker = plain_worker
    worker.start("sh", "-c", "stty -echo; printf 'Proceed? '; while read -r x; do echo \"got $x\"; done")
    until(lambda: b"Proceed?" in worker.log()[1], "the question")
    assert worker.ask("say", "o1", "#{==:#{C:Proceed},0}", 1, stdin=b"no") == [
        OutcomeFrame("refused", "guard")
    ]
    assert worker.ask("say", "o2", "1", 1, stdin=b"hello; #{pid}") == [OutcomeFrame("submitted", "-")]
    assert worker.ask("say", "o2", "1", 1, stdin=b"hello; #{pid}") == [OutcomeFrame("submitted", "-")]
    assert worker.ask("say", "o3", "1", 0, stdin=b"half") == [OutcomeFrame("typed", "-")]
    assert worker.ask("say", "o3", "1", 1, stdin=b"half") == [OutcomeFrame("submitted", "-")]
    assert worker.ask("press", "o4", "#{C:nothing}", "-H 79", "Enter") == [OutcomeFrame("refused", "guard")]
    assert worker.ask("press", "o5", "#{C:Proceed}", "-H 79", "Enter") == [OutcomeFrame("submitted", "-")]
    assert worker.ask("press", "o5", "#{C:Proceed}", "-H 79", "Enter") == [OutcomeFrame("submitted", "-")]
    until(lambda: worker.log()[1].endswith(b"got y\r\n"), "the answers")
    assert worker.log()[1] == b"Proceed? got hello; #{pid}\r\ngot half\r\ngot y\r\n"


def test_a_backlog_becomes_a_snapshot_and_a_full_log_stops(worker: Worker) -> None:
    worker.env |= {"AMC_CAP": "200000"}
    worker.start("sh", "-c", "stty -echo; printf ready; read x; seq 1 60000; printf over; exec sleep 600")
    until(lambda: worker.log()[1] == b"ready", "the program")
    generation = worker.log()[0]
    worker.tmux("send-keys", "-t", "=amconsole:", "Enter")
    until(lambda: "over" in worker.tmux("capture-pane", "-p", "-t", "=amconsole:"), "the end of the output")
    until(lambda: (worker.run / f"over.{generation}").exists(), "the mark of a full log")
    assert len(worker.log()[1]) < 300_000
    answered = worker.ask("poll", generation, 5, 5, 1)
    picture = answered[0]
    assert isinstance(picture, SnapshotFrame)
    assert picture.generation == generation + 1
    assert b"over" in picture.snapshot
    assert len(picture.snapshot) < 5000


def test_signals_are_kept_for_probes(worker: Worker) -> None:
    worker.start(
        "sh", "-c", r"printf '\033]0;title\007\033]777;notify;Done;green\007'; printf '\033]7501;st'; sleep 0.2;"
        r"printf 'ate=idle\033\\\033]9;4;1;50\007'; printf '\007'; printf over; exec sleep 600",
    )  # fmt: skip

    def signals() -> dict[str, str]:
        try:
            lines = (worker.run / "sig").read_text().splitlines()
        except OSError:
            return {}
        return {line.split(" ")[0]: line.partition(" ")[2].partition(" ")[2] for line in lines}

    until(
        lambda: signals() == {"777": "notify;Done;green", "7501": "state=idle", "9": "4;1;50", "bel": ""},
        "four signals",
    )


def test_only_one_console_of_a_name_and_none_after_stop(plain_worker: Worker) -> None:
    worker = plain_worker
    worker.start("sleep", "600")
    assert worker.ask("start", 80, 24, 2000, worker.home, "sleep", "600") == [FailureFrame("exists")]
    worker.ask("stop", run=worker.run.parent)
    assert not worker.socket.exists()
    assert list(worker.run.parent.iterdir()) == []
    assert worker.ask("attach", "c1") == [FailureFrame("gone")]
    assert worker.ask("list", run=worker.run.parent) == [TextFrame(b"")]
    worker.ask("stop", run=worker.run.parent)
    shutil.rmtree(worker.run, ignore_errors=True)


def test_a_program_that_cannot_be_run_ends_visibly(plain_worker: Worker) -> None:
    worker = plain_worker
    worker.start("/nowhere/nothing")
    until(lambda: worker.tmux("list-panes", "-F", "#{pane_dead}") == "1\n", "its end")
    assert of(worker.ask("attach", "c1"), StateFrame).status == "127"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("version", "old"), [("2.8", True), ("2.9a", True), ("3.0a", True), ("3.1", False), ("3.10", False)]
)
def test_a_tmux_that_is_too_old_is_refused(plain_worker: Worker, version: str, old: bool) -> None:
    worker, real = plain_worker, shutil.which("tmux")
    fake = worker.script.parent / "tmux"  # the helper's own directory comes first on its PATH
    fake.write_text(f'#!/bin/sh\n[ "$1" = -V ] && {{ echo "tmux {version}"; exit; }}\nexec {real} "$@"\n')
    fake.chmod(0o755)
    started = worker.ask("start", 80, 24, 2000, worker.home, "sleep", "600")
    assert (started == [FailureFrame("old")]) is old
    fake.unlink()  # for what ends the test
    if old:
        assert worker.ask("list", run=worker.run.parent) == [TextFrame(b"")]


def test_armour_carries_the_same_reply(plain_worker: Worker) -> None:
    worker = plain_worker
    worker.start("sh", "-c", "printf '\\377\\200'; exec sleep 600")
    until(lambda: len(worker.log()[1]) == 2, "the output")
    argv = worker.argv("armour", "attach", "c1")
    done = subprocess.run(argv, capture_output=True, env=worker.env, check=True)
    picture = of(parse(base64.b64decode(done.stdout, validate=True)), SnapshotFrame)
    assert picture.data == b"\xff\x80"  # type: ignore[union-attr]
