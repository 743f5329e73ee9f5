"""The real Claude Code and Codex from npm, in a real private tmux, against the scripted model on loopback.

One install per runtime and run; further workers take its files, except where the install itself is the test.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hosts import program

from amtui.agentstate import Question, judge, prompt_guard, question
from amtui.model import AgentState, AgentStatus, Autonomy
from amtui.runtimes import AUTONOMY, RUNTIMES
from tests.agentstate.rig import KEY, MODEL, AgentRig
from tests.modelserver import FINAL, ModelServer, Prompt, Reply, proof_script

AGENTS = ("claude", "codex")
PROMPT = {"claude": "? for shortcuts", "codex": "? for shortcuts"}

pytestmark = pytest.mark.timeout(600)

Start = Callable[..., AgentRig]


@pytest.fixture(scope="session")
def tmux() -> str:
    return program("tmux", override="AMTUI_TEST_TMUX")


@pytest.fixture(scope="session")
def base() -> Iterator[Path]:
    """A host's root directory, readable for every user id; downloads are shared with other runs when asked to."""
    root = Path(tempfile.mkdtemp(prefix="amtui-host-"))
    root.chmod(0o755)
    (root / "workers").mkdir()
    shared = os.environ.get("AMTUI_TEST_CACHE")
    if shared:
        Path(shared).mkdir(parents=True, exist_ok=True)
        (root / "cache").symlink_to(shared)
    yield root
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="session")
def programs(base: Path, tmux: str) -> dict[str, Path]:
    """Runtime → a `~/.local` in which it is installed, made by the runtime's own steps."""
    made: dict[str, Path] = {}
    for runtime in AGENTS:
        with AgentRig(base, runtime, tmux=tmux) as rig:
            rig.install()
            made[runtime] = base / f"local-{runtime}"
            (rig.home / ".local").rename(made[runtime])
    return made


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as model:
        yield model
        assert model.errors == []


@pytest.fixture
def start(base: Path, programs: dict[str, Path], server: ModelServer, tmux: str) -> Iterator[Start]:
    """Make a configured worker of a runtime and start it."""
    rigs: list[AgentRig] = []

    def make(
        runtime: str, *, resume: bool = False, columns: int = 100, rows: int = 30, **more: Any
    ) -> AgentRig:
        if runtime in AGENTS and not more.get("login_later"):
            more.setdefault("base_url", server.base_url)
        rig = AgentRig(base, runtime, tmux=tmux, **more)
        rigs.append(rig)
        if runtime in AGENTS:
            rig.take(programs[runtime])
        assert rig.install() == [], "the taken program does not count as installed"
        rig.configure()
        rig.start(resume=resume, columns=columns, rows=rows)
        return rig

    yield make
    for rig in rigs:
        rig.__exit__()


def state(rig: AgentRig) -> AgentState:
    return judge(rig.evidence(), time.time())


def until_state(rig: AgentRig, status: AgentStatus, reason: str = "", timeout: float = 30.0) -> AgentState:
    last: list[AgentState] = []

    def reached() -> bool:
        last[:] = [state(rig)]
        return last[0].status is status and last[0].reason == reason

    rig.until(reached, f"state {status} {reason}", timeout)
    return last[0]


def ready(rig: AgentRig) -> None:
    """The free prompt is there, and no dialog was before it: nothing but waiting led here."""
    rig.until_shows(PROMPT[rig.runtime.id])
    until_state(rig, AgentStatus.IDLE)


def until_question(rig: AgentRig) -> Question:
    """The question can be read. Claude Code drops keys in the first 0.2 s after it has drawn a dialog."""
    rig.until(lambda: question(rig.evidence()), "readable question")
    rig.still(0.4)
    asked = question(rig.evidence())
    assert asked is not None
    return asked


def proof(rig: AgentRig) -> str:
    path = rig.workdir / "proof.txt"
    return path.read_text() if path.exists() else ""


def holders(rig: AgentRig, needle: str) -> set[str]:
    """Files of the worker that contain `needle`, relative to its root; the installed program is left out."""
    found = set()
    for path in rig.root.rglob("*"):
        inside = path.relative_to(rig.root)
        ours = inside.parts[:3] != ("home", ".local", "lib")
        if ours and path.is_file() and not path.is_symlink() and needle.encode() in path.read_bytes():
            found.add(str(inside))
    return found


@pytest.mark.parametrize("runtime", AGENTS)
def test_ask_leads_to_a_permission_prompt_and_enter_answers_it(
    runtime: str, start: Start, server: ModelServer
) -> None:
    rig = start(runtime)
    ready(rig)
    assert question(rig.evidence()) is None
    assert not any(text in rig.screen() for text in prompt_guard(runtime))

    rig.send("write the proof file")
    asked_state = until_state(rig, AgentStatus.NEEDS_YOU, "permission")
    asked = until_question(rig)
    assert asked.reason == "permission"
    assert "echo hi > proof.txt" in asked.detail
    assert asked.options[0].text.startswith("Yes")
    assert asked.selected == 0
    assert asked_state.source in ("status-file", "osc")
    assert any(text in rig.screen() for text in prompt_guard(runtime))
    assert proof(rig) == ""

    rig.keys("Enter")
    rig.until(lambda: proof(rig) == "hi\n", "proof.txt")
    rig.until_shows(FINAL)
    until_state(rig, AgentStatus.DONE)
    assert question(rig.evidence()) is None
    assert {request.model for request in server.requests if request.method == "POST"} == {MODEL}
    assert {request.key for request in server.requests if request.method == "POST"} == {KEY}


@pytest.mark.parametrize("runtime", AGENTS)
def test_full_never_asks(runtime: str, start: Start) -> None:
    rig = start(runtime, autonomy=Autonomy.FULL)
    rig.until_shows({"claude": "bypass permissions on", "codex": PROMPT["codex"]}[runtime])
    until_state(rig, AgentStatus.IDLE)
    seen: set[str] = set()
    rig.send("write the proof file")
    rig.until(lambda: seen.add(state(rig).status.value) or FINAL in rig.screen(), "the answer")
    assert proof(rig) == "hi\n"
    assert "needs-you" not in seen


def _write_notes(prompt: Prompt) -> Reply:
    """Claude's own tool for a file; Codex writes files by its shell."""
    if "Write" in prompt.tools and not prompt.results:
        return Reply("", (("Write", {"file_path": "proof.txt", "content": "hi\n"}),))
    return proof_script()(prompt)


@pytest.mark.parametrize("runtime", AGENTS)
def test_edits_writes_in_the_workdir_unasked(runtime: str, start: Start, server: ModelServer) -> None:
    server.script = _write_notes
    rig = start(runtime, autonomy=Autonomy.EDITS)
    rig.until_shows({"claude": "accept edits on", "codex": PROMPT["codex"]}[runtime])
    rig.send("write the proof file")
    rig.until_shows(FINAL)
    assert proof(rig) == "hi\n"


def test_edits_of_codex_asks_to_leave_the_workdir(start: Start, server: ModelServer) -> None:
    outside = Path(f"/var/tmp/amtui-{os.getpid()}.txt")  # its sandbox takes /tmp for part of the workdir

    def wants_out(prompt: Prompt) -> Reply:
        reply = proof_script(command=f"echo hi > {outside}")(prompt)
        more = {"sandbox_permissions": "require_escalated", "justification": "May I write outside?"}
        return Reply(reply.text, tuple((name, {**arguments, **more}) for name, arguments in reply.calls))

    server.script = wants_out
    rig = start("codex", autonomy=Autonomy.EDITS)
    ready(rig)
    rig.send("write outside")
    until_state(rig, AgentStatus.NEEDS_YOU, "permission")
    assert "outside" in until_question(rig).detail or "outside" in rig.screen()
    assert not outside.exists()


@pytest.mark.parametrize("runtime", AGENTS)
def test_the_key_of_an_option_picks_it(runtime: str, start: Start) -> None:
    rig = start(runtime)
    ready(rig)
    rig.send("write the proof file")
    asked = until_question(rig)
    no = asked.options[-1]
    assert no.text.startswith("No")
    shown = re.sub(r"\s", " ", rig.screen())
    assert all(text.replace("\xa0", " ") in shown for text in asked.guard(no))
    rig.keys(*no.keys)
    rig.until(lambda: state(rig).status is not AgentStatus.NEEDS_YOU, "end of the question")
    assert proof(rig) == ""


@pytest.mark.parametrize("runtime", AGENTS)
def test_the_key_stands_in_the_env_file_and_nowhere_else(runtime: str, start: Start) -> None:
    rig = start(runtime)
    ready(rig)
    rig.send("write the proof file")
    until_question(rig)
    rig.keys("Enter")
    rig.until_shows(FINAL)
    until_state(rig, AgentStatus.DONE)
    assert holders(rig, KEY) == {"etc/env"}
    assert holders(rig, KEY[-20:]) == {"etc/env"}
    assert Path(f"{rig.place.etc}/env").stat().st_mode & 0o777 == 0o600
    assert Path(f"{rig.place.etc}/launch").stat().st_mode & 0o777 == 0o700
    arguments = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if _readable(path)]
    assert not any(KEY.encode() in argument for argument in arguments)
    shown = rig.tmux("show-environment", "-g") + rig.tmux("show-environment", "-t", "amconsole")
    assert KEY not in shown


def _readable(path: Path) -> bool:
    try:
        path.read_bytes()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("runtime", AGENTS)
def test_a_restart_resumes_the_session_and_starts_afresh_without_one(runtime: str, start: Start) -> None:
    free = {"claude": "bypass permissions on", "codex": PROMPT["codex"]}[runtime]
    rig = start(runtime, resume=True, autonomy=Autonomy.FULL)
    rig.until_shows(free)
    rig.still()
    rig.restart(resume=True)  # started once, but nothing was said: still nothing to resume
    rig.until_shows(free)
    until_state(rig, AgentStatus.IDLE)
    rig.send("write the proof file")
    rig.until_shows(FINAL)
    until_state(rig, AgentStatus.DONE)
    rig.restart(resume=True)
    rig.until(lambda: rig.evidence().command == rig.runtime.binary, "the new program")
    rig.until_shows(FINAL)
    rig.restart(resume=False)
    rig.until(lambda: FINAL not in rig.screen() and rig.evidence().rows, "a fresh session")
    until_state(rig, AgentStatus.IDLE)


@pytest.mark.parametrize("runtime", AGENTS)
def test_login_later_starts_at_the_real_login_screen(runtime: str, start: Start) -> None:
    rig = start(runtime, login_later=True, model=None)
    rig.until_shows({"claude": "Select login method", "codex": "Sign in with"}[runtime])
    until_state(rig, AgentStatus.NEEDS_YOU, "login")


@pytest.mark.parametrize("runtime", AGENTS)
def test_a_rejected_key_is_needs_you_login(runtime: str, start: Start, server: ModelServer) -> None:
    server.key = "another key"
    rig = start(runtime)
    ready(rig)
    rig.send("write the proof file")
    until_state(rig, AgentStatus.NEEDS_YOU, "login", timeout=60)


@pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can become another user; others run every test as themselves"
)
@pytest.mark.parametrize("runtime", AGENTS)
def test_an_ordinary_user_gets_the_same(runtime: str, start: Start) -> None:
    rig = start(runtime, autonomy=Autonomy.FULL, user=12345)
    until_state(rig, AgentStatus.IDLE)
    rig.send("write the proof file")
    rig.until_shows(FINAL)
    assert proof(rig) == "hi\n"
    assert (rig.workdir / "proof.txt").stat().st_uid == 12345
    assert "IS_SANDBOX" not in Path(f"{rig.place.etc}/env").read_text()


@pytest.mark.parametrize("runtime", AGENTS)
def test_death_and_exit_are_told_apart(runtime: str, start: Start) -> None:
    rig = start(runtime)
    ready(rig)
    rig.send({"claude": "/exit", "codex": "/quit"}[runtime])
    until_state(rig, AgentStatus.FAILED, "exited")
    rig.restart()
    ready(rig)
    os.kill(int(rig.tmux("display-message", "-p", "-t", "amconsole:", "#{pane_pid}")), signal.SIGKILL)
    until_state(rig, AgentStatus.FAILED, "crashed")


def test_a_shell_needs_nothing(start: Start) -> None:
    rig = start("shell")
    until_state(rig, AgentStatus.IDLE)
    rig.send("cat > typed.txt")
    until_state(rig, AgentStatus.WORKING)
    rig.send("hello")
    rig.keys("C-d")
    rig.until(lambda: (rig.workdir / "typed.txt").exists(), "typed.txt")
    rig.send('echo "[$HOME] [$TMUX] [$TERM]"')
    rig.until_shows(f"[{rig.home}] [] [tmux-256color]")


def test_autonomy_is_one_table_for_all_runtimes() -> None:
    assert set(AUTONOMY) == set(RUNTIMES)
    assert all(
        set(row) == set(Autonomy) and all(grant.meaning for grant in row.values())
        for row in AUTONOMY.values()
    )


# -- installing


class Refuser:
    """A proxy on loopback that refuses everything and counts who came."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.count = 0
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def env(self) -> dict[str, str]:
        url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        return dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), url)

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            self.count += 1
            peer.close()


@pytest.mark.parametrize("runtime", AGENTS)
def test_a_second_worker_fetches_nothing(
    runtime: str, base: Path, programs: dict[str, Path], tmux: str
) -> None:
    refuser = Refuser()
    with AgentRig(base, runtime, tmux=tmux, env=refuser.env) as rig:
        assert runtime in rig.install()
        assert refuser.count == 0
        assert rig.install() == []
        assert rig.sh(rig.runtime.verify(rig.setup)).returncode == 0
    refuser.listener.close()


@pytest.mark.parametrize("runtime", AGENTS)
def test_an_install_killed_in_the_middle_is_done_again(
    runtime: str, base: Path, programs: dict[str, Path], tmux: str
) -> None:
    with AgentRig(base, runtime, tmux=tmux) as rig:
        step = rig.runtime.install(rig.setup)[-1]
        lib = rig.home / ".local" / "lib" / "amtui"
        running = subprocess.Popen(
            ["/bin/sh", "-c", step.apply],
            env=rig.env,
            cwd=rig.home,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        rig.until(lambda: any(lib.glob("*.new/lib/*/*")), "a half-made install")
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        assert rig.sh(rig.runtime.verify(rig.setup)).returncode != 0
        assert rig.install() == [runtime]
        assert [path.name for path in lib.iterdir()] == [f"{runtime}-{rig.runtime.version}"]


def test_node_is_brought_where_the_host_has_none(base: Path, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for directory in ("/bin", "/usr/bin"):
        for path in Path(directory).iterdir():
            if (
                path.name not in ("node", "nodejs", "npm", "npx", "corepack")
                and not (tools / path.name).exists()
            ):
                (tools / path.name).symlink_to(path)
    with AgentRig(base, "codex", env={"PATH": str(tools)}) as rig:
        steps = rig.runtime.install(rig.setup)
        assert rig.sh(steps[0].check).returncode != 0
        assert rig.install() == ["node", "codex"]
        assert rig.sh(rig.runtime.verify(rig.setup)).returncode == 0
    with AgentRig(base, "codex", env={"PATH": str(tools)}) as second:
        assert second.install() == ["codex"], "node is shared by the workers of a host"


def test_without_node_and_python_the_step_says_what_to_install(base: Path, tmux: str, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "mkdir", "find", "rm"):
        (tools / name).symlink_to(shutil.which(name) or name)
    other = tmp_path / "host"
    with AgentRig(other, "claude", tmux=tmux) as rig:
        step = rig.runtime.install(rig.setup)[0]
        done = subprocess.run(
            ["/bin/sh", "-c", step.apply],
            env={"PATH": str(tools), "HOME": str(rig.home)},
            capture_output=True,
        )
        assert done.returncode == 1
        assert b"install nodejs and npm, or python3-venv" in done.stderr


def test_a_settings_file_the_agent_has_written_keeps_what_it_learned(start: Start) -> None:
    rig = start("claude")
    ready(rig)
    before = json.loads((rig.home / ".claude.json").read_text())
    assert before["numStartups"] >= 1
    rig.configure()
    assert json.loads((rig.home / ".claude.json").read_text()) == before
