"""What every substrate promises, proved on each: argv, streams, deadlines, kills, environment, files."""

# ruff: noqa: ASYNC110, ASYNC221, ASYNC240 - the host is this computer and tests look at it directly

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hosts import Sshd, SshWorld, processes, wait_until

from amtui.errors import DiskFull, ExecTimeout, Invalid, NotFound, Refused, Unsupported
from amtui.model import HostState
from amtui.providers.base import Command, ExecEvent, ExecResult, Exit, Output, Provider, Started
from amtui.providers.local import LocalProvider
from amtui.providers.ssh import SshProvider

PLANTED = {
    "E2B_API_KEY": "planted",
    "DEDALUS_API_KEY": "planted",
    "ANTHROPIC_API_KEY": "planted",
    "GITHUB_TOKEN": "planted",
    "AWS_SECRET_ACCESS_KEY": "planted",
    "LC_SECRET": "planted",
    "SSH_AUTH_SOCK": "/planted/agent",
    "DBUS_SESSION_BUS_ADDRESS": "unix:path=/planted/bus",
    "DISPLAY": ":planted",
    "TMUX": "/planted/tmux,1,0",
    "TMUX_PANE": "%planted",
    "XDG_RUNTIME_DIR": "/planted",
    "BASH_ENV": "",
}
WANTED = {
    "LANG": "C.UTF-8",
    "LC_TIME": "C",
    "TZ": "UTC",
    "TERM": "xterm-256color",
    "https_proxy": "http://127.0.0.1:9",
    "NO_PROXY": "localhost",
    "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
}


@dataclass
class Lab:
    """A provider with one host, which is this computer, so that tests can look at what commands did."""

    provider: Provider
    host: str
    home: Path
    kind: str

    async def run(self, *argv: str, **options: object) -> ExecResult:
        return await self.provider.exec(self.host, Command(argv=argv, **options))  # type: ignore[arg-type]

    async def sh(self, script: str, *words: str, **options: object) -> ExecResult:
        return await self.run("/bin/sh", "-c", script, "sh", *words, **options)


async def _lab(kind: str, tmp_path: Path) -> AsyncIterator[Lab]:
    if kind == "local":
        home = tmp_path / "home"
        home.mkdir()
        environ = {"HOME": str(home), "PATH": os.environ["PATH"], "USER": "someone", **PLANTED, **WANTED}
        local = LocalProvider(tmp_path / "machines", environ=environ)
        yield Lab(local, "local", home, kind)
        await local.aclose()
        return
    options = ("Subsystem none /bin/false",) if kind == "ssh-without-sftp" else ()
    host = Sshd(tmp_path / "sshd", options=options).start()
    host.authorize(host.public_key, **PLANTED, **WANTED)
    (host.home / ".bashrc").write_text("echo noise; echo noise >&2\nexport E2B_API_KEY=rc TMUX=rc\n")
    world = SshWorld(tmp_path, host)
    provider = SshProvider(environ=world.environ | PLANTED)
    yield Lab(provider, "box", host.home, "ssh")
    await provider.aclose()
    host.stop()


@pytest.fixture(params=["local", "ssh"])
async def lab(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    async for it in _lab(request.param, tmp_path):
        yield it


@pytest.fixture(params=["local", "ssh", "ssh-without-sftp"])
async def disk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    async for it in _lab(request.param, tmp_path):
        yield it


@pytest.fixture
def mark() -> Iterator[str]:
    """A word by which a test finds its own processes; whatever carries it at the end is killed."""
    word = f"amtui-test-{uuid.uuid4().hex}"
    yield word
    for pid in processes(word):
        os.kill(pid, signal.SIGKILL)


# -- argv, results, streams


async def test_argv_arrives_byte_for_byte(lab: Lab) -> None:
    words = [
        "",
        " ",
        "a b",
        "-n",
        "--",
        "'",
        '"',
        "\\",
        "\\\\n",
        "a\\",
        "!",
        "!!",
        "$HOME",
        "$(id)",
        "`id`",
        "*",
        "?",
        "~",
        "{a,b}",
        ";",
        "&",
        "|",
        "<",
        ">",
        "#",
        "%s%n",
        "line\nline\n",
        "\n",
        "\r\n",
        "\t",
        "\x1b[31m",
        "ünï\u2028→🙂",
        "K=V",
        "=",
        bytes(range(1, 256)).decode("utf-8", "surrogateescape"),
        "x" * 60_000,
    ]
    done = await lab.sh('printf "%s\\0" "$@"', *words)
    assert done.ok
    assert done.stdout.split(b"\0")[:-1] == [word.encode("utf-8", "surrogateescape") for word in words]


async def test_a_program_with_an_equals_sign_in_its_name(lab: Lab) -> None:
    tool = lab.home / "a=b"
    tool.write_text('#!/bin/sh\necho "$1"\n')
    tool.chmod(0o755)
    assert (await lab.run(str(tool), "it ran")).stdout == b"it ran\n"


@pytest.mark.parametrize("code", [0, 1, 2, 42, 126, 127, 128, 254, 255])
async def test_exit_codes(lab: Lab, code: int) -> None:
    done = await lab.sh("exit $1", str(code))
    assert (done.exit_code, done.signal) == (code, None)


@pytest.mark.parametrize("name", ["TERM", "KILL", "INT"])
async def test_death_by_signal_is_told(lab: Lab, name: str) -> None:
    done = await lab.sh('kill "-$1" $$; sleep 60', name)
    assert (done.exit_code, done.signal) == (None, name)


async def test_a_missing_program_is_127(lab: Lab) -> None:
    for program in ("amtui-no-such-program", "/amtui/no/such/program", "./amtui-no-such-program"):
        done = await lab.run(program)
        assert done.exit_code == 127
        assert program.encode() in done.stderr


async def test_a_file_that_is_no_program_is_126(lab: Lab) -> None:
    (lab.home / "text").write_text("text")
    assert (await lab.run(str(lab.home / "text"))).exit_code == 126


async def test_both_streams_whole_and_apart(lab: Lab) -> None:
    done = await lab.sh("i=0; while [ $i -lt 10000 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done")
    assert done.stdout == b"".join(b"out %d\n" % i for i in range(10_000))
    assert done.stderr == b"".join(b"err %d\n" % i for i in range(10_000))


async def test_binary_through_stdin_and_stdout(lab: Lab) -> None:
    data = os.urandom(5 << 20)
    done = await lab.run("cat", stdin=data)
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(data).digest()
    assert not done.truncated


async def test_stdin_can_be_opened_by_name(lab: Lab) -> None:
    assert (await lab.run("cat", "/dev/stdin", stdin=b"by name")).stdout == b"by name"


async def test_without_stdin_a_reader_is_at_its_end(lab: Lab) -> None:
    assert (await lab.run("cat", timeout=20)).stdout == b""


async def test_a_program_that_ignores_its_stdin(lab: Lab) -> None:
    assert (await lab.run("true", stdin=b"x" * (1 << 20))).ok


async def test_output_is_bounded_and_said_to_be(lab: Lab) -> None:
    done = await lab.sh("head -c 300000 /dev/zero; echo end >&2", max_output=100_000)
    assert (len(done.stdout), done.truncated, done.stderr, done.exit_code) == (100_000, True, b"end\n", 0)


async def test_a_background_child_does_not_hold_an_exec(lab: Lab, mark: str) -> None:
    done = await lab.sh("sleep 300 & echo said", env={"MARK": mark}, timeout=30)
    assert done.stdout == b"said\n"
    assert done.ok


@pytest.mark.parametrize("argv", [[], [""], ["echo", "a\0b"]])
async def test_what_cannot_be_run_is_invalid(lab: Lab, argv: list[str]) -> None:
    with pytest.raises(Invalid):
        await lab.provider.exec(lab.host, Command(argv=argv))


async def test_a_string_is_not_an_argv(lab: Lab) -> None:
    with pytest.raises(Invalid):
        await lab.provider.exec(lab.host, Command(argv="echo hi"))


async def test_an_argument_beyond_the_system_limit_fails_clearly(lab: Lab) -> None:
    with pytest.raises(Invalid) as caught:
        await lab.run("true", "x" * 3_000_000)
    assert "stdin" in caught.value.hint
    assert (await lab.run("true")).ok


async def test_thirty_at_once(lab: Lab) -> None:
    done = await asyncio.gather(*(lab.sh("sleep 0.05; echo $1", str(i)) for i in range(30)))
    assert [int(it.stdout) for it in done] == list(range(30))


# -- directory and environment


async def test_it_runs_where_it_is_told(lab: Lab) -> None:
    folder = lab.home / "a 'dir' with $names\n"
    folder.mkdir()
    assert (await lab.run("pwd", cwd=str(folder))).stdout == os.fsencode(folder) + b"\n"
    assert (await lab.run("pwd")).stdout == os.fsencode(lab.home) + b"\n"


async def test_a_missing_directory_runs_nothing(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        await lab.sh('touch "$1"', str(tmp_path / "ran"), cwd=str(tmp_path / "no"))
    assert not (tmp_path / "ran").exists()


async def test_the_environment_is_the_allow_list(lab: Lab) -> None:
    done = await lab.run("env", env={"MINE": "a 'b'\n$c"})
    text = done.stdout.decode()
    names = {line.split("=", 1)[0] for line in text.splitlines() if "=" in line}
    assert "MINE=a 'b'\n$c\n" in text
    for planted in PLANTED:
        assert planted not in names
    assert "planted" not in text
    for name, value in WANTED.items():
        assert f"{name}={value}\n" in text
    assert f"HOME={lab.home}\n" in text
    path = next(line for line in text.splitlines() if line.startswith("PATH=")).removeprefix("PATH=")
    assert {"/usr/local/bin", "/usr/bin", "/bin"} <= set(path.split(":"))
    assert all(part.startswith("/") for part in path.split(":"))
    assert done.stderr == b""


# -- deadlines, cancelling, leaving


GROUP = 'sh -c "sleep 300; :" "$1" & sleep 300; : "$1"'
"""A leader and two grandchildren that carry the mark or a sleep of theirs."""


async def test_a_deadline_kills_the_whole_group(lab: Lab, mark: str) -> None:
    with pytest.raises(ExecTimeout) as caught:
        await lab.sh(f"echo early; {GROUP}", mark, env={"MARK": mark}, timeout=0.5)
    assert caught.value.stdout == b"early\n"
    wait_until(lambda: not processes(mark), what="the group dies")


async def test_a_deadline_kills_what_ignores_term(lab: Lab, mark: str) -> None:
    with pytest.raises(ExecTimeout):
        await lab.sh(f"trap '' TERM; {GROUP}", mark, env={"MARK": mark}, timeout=0.5)
    wait_until(lambda: not processes(mark), what="the group dies")


async def test_cancelling_kills(lab: Lab, mark: str) -> None:
    task = asyncio.ensure_future(lab.sh(GROUP, mark, env={"MARK": mark}, timeout=None))
    await _until(lambda: len(processes(mark)) >= 3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    wait_until(lambda: not processes(mark), what="the group dies")


async def test_cancelling_at_any_moment_leaves_nothing(lab: Lab, mark: str) -> None:
    """Also while the command is only being started."""
    await lab.run("true")
    for turns in range(40):
        task = asyncio.ensure_future(lab.run("sleep", "300", env={"MARK": mark}, timeout=None))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (await lab.run("true")).ok
    wait_until(lambda: not processes(mark), what="nothing is left")
    done = await asyncio.gather(*(lab.run("true") for _ in range(16)))
    assert all(it.ok for it in done)


async def test_leaving_a_stream_early_kills(lab: Lab, mark: str) -> None:
    command = Command(argv=["/bin/sh", "-c", f"echo on; {GROUP}", "sh", mark], env={"MARK": mark})
    async with lab.provider.stream_exec(lab.host, command) as stream:
        async for event in stream:
            if isinstance(event, Output):
                break
        assert processes(mark)
    wait_until(lambda: not processes(mark), what="the group dies")


async def test_an_exception_inside_kills_and_passes(lab: Lab, mark: str) -> None:
    command = Command(argv=["/bin/sh", "-c", f"echo on; {GROUP}", "sh", mark], env={"MARK": mark})

    async def fail_inside() -> None:
        async with lab.provider.stream_exec(lab.host, command) as stream:
            async for event in stream:
                if isinstance(event, Output):
                    raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        await fail_inside()
    wait_until(lambda: not processes(mark), what="the group dies")


async def test_a_detached_command_lives_on(lab: Lab, mark: str) -> None:
    proof = lab.home / "proof"
    script = 'exec >/dev/null 2>&1; while [ ! -e "$2" ]; do sleep 0.05; done; echo alive >"$1"'
    go = lab.home / "go"
    command = Command(argv=["/bin/sh", "-c", script, "sh", str(proof), str(go)], env={"MARK": mark})
    async with lab.provider.stream_exec(lab.host, command) as stream:
        await _until(lambda: bool(processes(mark)))
        stream.detach()
    go.touch()
    await _until(lambda: proof.exists() and proof.read_text() == "alive\n")


# -- live streams


async def test_a_stream_is_duplex(lab: Lab) -> None:
    script = 'while read -r line; do echo "got $line"; done; echo bye >&2; exit 3'
    events: list[ExecEvent] = []
    async with lab.provider.stream_exec(lab.host, Command(argv=["/bin/sh", "-c", script])) as stream:
        said = b""
        count = 0
        await stream.write(b"0\n")
        async for event in stream:
            events.append(event)
            if isinstance(event, Output) and event.stream == "stdout":
                said += event.data
                if said.endswith(b"got %d\n" % count):
                    count += 1
                    await (stream.write(b"%d\n" % count) if count < 50 else stream.close_stdin())
    assert said == b"".join(b"got %d\n" % i for i in range(50))
    assert isinstance(events[0], Started)
    assert [event for event in events if isinstance(event, Exit)] == [Exit(3)]
    assert events[-1] == Exit(3)
    assert b"bye\n" in [event.data for event in events if isinstance(event, Output)]


@pytest.mark.parametrize("size", [(1 << 20) + 40_000, 1_500_000, 12 << 20])
async def test_a_slow_reader_gets_everything(lab: Lab, size: int) -> None:
    """Read late, whether the program has ended by then or waits: paused, not lost and not held in memory."""
    command = Command(argv=["/bin/sh", "-c", f"head -c {size} /dev/zero; exit 5"])
    total = 0
    async with lab.provider.stream_exec(lab.host, command) as stream:
        async for event in stream:
            if isinstance(event, Output):
                if total == 0:
                    await asyncio.sleep(1.2)  # longer than the patience with silent streams
                    assert stream.feed._waiting < 2 << 20  # type: ignore[attr-defined]
                total += len(event.data)
            elif isinstance(event, Exit):
                assert event.code == 5
    assert total == size


async def test_a_signal_reaches_the_group(lab: Lab) -> None:
    script = "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.05; done"
    seen = b""
    async with lab.provider.stream_exec(lab.host, Command(argv=["/bin/sh", "-c", script])) as stream:
        async for event in stream:
            if isinstance(event, Output):
                seen += event.data
                if event.data == b"ready\n":
                    await stream.signal("INT")
            elif isinstance(event, Exit):
                assert event == Exit(9)
    assert seen == b"ready\ncaught\n"


# -- files


async def test_files_whole_and_with_their_mode(disk: Lab) -> None:
    path = str(disk.home / "näme with 'quotes'")
    data = os.urandom(300_000)
    await disk.provider.files.write(disk.host, path, b"old", mode=0o644)
    await disk.provider.files.write(disk.host, path, data)
    assert await disk.provider.files.read(disk.host, path) == data
    found = await disk.provider.files.stat(disk.host, path)
    assert (found.name, found.kind, found.size, found.mode) == (Path(path).name, "file", len(data), 0o600)
    await disk.provider.files.write(disk.host, path, b"#!/bin/sh\n", mode=0o755)
    assert (await disk.provider.files.stat(disk.host, path)).mode == 0o755
    assert [
        it.name for it in Path(path).parent.iterdir() if it.name.startswith(".") and it.name != ".bashrc"
    ] == []


async def test_a_reader_never_sees_half_a_file(disk: Lab) -> None:
    path = disk.home / "file"
    path.write_bytes(b"a" * 200_000)
    writing = asyncio.ensure_future(_rewrite(disk, str(path)))
    seen = set()
    while not writing.done():
        data = path.read_bytes()
        assert len(data) == 200_000
        assert len(set(data)) == 1
        seen.add(data[:1])
        await asyncio.sleep(0)
    await writing
    assert seen >= {b"a", b"b"}


async def test_what_is_not_there(disk: Lab) -> None:
    files, gone = disk.provider.files, str(disk.home / "no" / "such")
    for work in (files.read(disk.host, gone), files.stat(disk.host, gone), files.list(disk.host, gone)):
        with pytest.raises(NotFound) as caught:
            await work
        assert gone in caught.value.message
    with pytest.raises(NotFound):
        await files.write(disk.host, gone, b"x")
    await files.remove(disk.host, gone)


async def test_folders(disk: Lab) -> None:
    files, top = disk.provider.files, str(disk.home / "top dir")
    await files.mkdir(disk.host, f"{top}/in/ner", mode=0o750)
    await files.mkdir(disk.host, f"{top}/in/ner")
    assert (await files.stat(disk.host, f"{top}/in/ner")).mode == 0o750
    assert (await files.stat(disk.host, top)).mode == 0o700
    await files.write(disk.host, f"{top}/.hidden", b"1")
    Path(top, "link").symlink_to("nowhere")
    found = await files.list(disk.host, top)
    assert [(it.name, it.kind) for it in found] == [(".hidden", "file"), ("in", "dir"), ("link", "link")]
    with pytest.raises(Invalid):
        await files.remove(disk.host, f"{top}/in")
    await files.remove(disk.host, f"{top}/link")
    await files.remove(disk.host, f"{top}/in/ner")
    assert [it.name for it in await files.list(disk.host, top)] == [".hidden", "in"]


async def test_a_file_larger_than_wanted(disk: Lab) -> None:
    (disk.home / "big").write_bytes(b"x" * 5000)
    with pytest.raises(Invalid):
        await disk.provider.files.read(disk.host, str(disk.home / "big"), limit=4999)
    assert len(await disk.provider.files.read(disk.host, str(disk.home / "big"), limit=5000)) == 5000


async def test_what_is_not_ours(disk: Lab) -> None:
    """/proc/1/mem and files under /sys cannot be written by anybody, root or not."""
    with pytest.raises((Refused, NotFound, Invalid)):
        await disk.provider.files.write(disk.host, "/sys/amtui-test", b"x")


async def test_relative_paths_are_refused(disk: Lab) -> None:
    with pytest.raises(Invalid):
        await disk.provider.files.read(disk.host, "relative")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
async def test_a_full_disk_is_said_to_be_full(disk: Lab, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(small)], check=True)
    try:
        (small / "kept").write_bytes(b"old")
        with pytest.raises(DiskFull) as caught:
            await disk.provider.files.write(disk.host, str(small / "kept"), b"x" * 500_000)
        assert "df" in caught.value.hint
        assert (small / "kept").read_bytes() == b"old"
        assert [it.name for it in small.iterdir()] == ["kept"]
    finally:
        subprocess.run(["umount", str(small)], check=True)


# -- the host


async def test_the_host(lab: Lab) -> None:
    root = await lab.provider.root(lab.host)
    assert root.startswith("/")
    host = await lab.provider.provision(lab.host, name="n", labels={}, key="k")
    assert host.state is HostState.READY
    assert (await lab.provider.files.stat(lab.host, root)).mode == 0o700
    assert (await lab.provider.state(lab.host)).state is HostState.READY
    assert lab.host in [it.id async for it in lab.provider.list()]
    assert (await lab.provider.check(lab.host)).identity
    reading = await lab.provider.metrics(lab.host)
    assert reading.cores == os.cpu_count()
    assert reading.memory_total
    assert reading.disk_total
    assert reading.disk_free is not None
    assert reading.uptime


async def test_hosts_are_not_ours_to_stop(lab: Lab) -> None:
    for work in (lab.provider.sleep, lab.provider.wake, lab.provider.destroy):
        with pytest.raises(Unsupported) as caught:
            await work(lab.host)
        assert caught.value.message


async def _rewrite(disk: Lab, path: str) -> None:
    for letter in b"bcdbcd":
        await disk.provider.files.write(disk.host, path, bytes((letter,)) * 200_000)


async def _until(condition: object) -> None:
    """`wait_until` that lets the loop run."""
    async with asyncio.timeout(20):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.01)
