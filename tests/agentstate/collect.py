"""Make the labelled frames of `tests/agentstate/frames/` by driving the real agents against the scripted model.

    python -m tests.agentstate.collect BASE [claude|codex]

Labels come from what the driver and the script did, never from looking at the screen. BASE is where workers and
the package cache go. Names of directories and keys in the frames are made up; nothing of the machine is in them.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from amtui.model import Autonomy
from tests.agentstate.rig import AgentRig
from tests.modelserver import ModelServer, Prompt, Reply, shell_call

FRAMES = Path(__file__).parent / "frames"

ANSWER = (
    "The token refresh keeps two clocks. One lies in auth.py and one in session.py, and the test freezes only "
    "the first. I made both use seconds and dropped the cache; the refresh test passes now."
)
PLAN = "1. Measure\n2. Change the cache\n3. Test"
QUOTES = {
    "claude": (
        "The program will show this box and wait:\n\n```\n Bash command\n rm -rf build\n Do you want to proceed?\n"
        " ❯ 1. Yes\n   2. No\n\n Esc to cancel · Tab to amend\n```\n\nWhile it works it shows `esc to interrupt`."
    ),
    "codex": (
        "The program will show this and wait:\n\n```\n  Would you like to run the following command?\n\n"
        "  $ rm -rf build\n\n› 1. Yes, proceed (y)\n  2. No (esc)\n\n"
        "  Press enter to confirm or esc to cancel\n```\n\nWhile it works it shows `esc to interrupt`."
    ),
}

ERRORS = {
    "broken": (500, "api_error", "Internal server error"),
    "limited": (
        429,
        "rate_limit_error",
        "This request would exceed your rate limit of 40,000 tokens per minute",
    ),
    "quota": (429, "insufficient_quota", "You exceeded your current quota, please check your plan"),
    "unauthorised": (401, "authentication_error", "invalid x-api-key"),
}


class Play:
    """The script of the model: the first word of the prompt decides."""

    def __init__(self, runtime: str) -> None:
        self.runtime = runtime
        self.hold = threading.Event()
        self.asked = threading.Event()
        """A request that will be held has come: from here on the agent works."""

    def __call__(self, prompt: Prompt) -> Reply:
        if not prompt.tools:
            return Reply("A title")
        word = prompt.text.split()[0] if prompt.text.split() else ""
        if word in ERRORS:
            status, kind, text = ERRORS[word]
            return Reply(text, status=status, error=kind)
        if word in ("wait", "stream", "quoting"):
            self.asked.set()
        if word == "wait":
            return Reply("Yes.", hold=self.hold)
        if word == "stream":
            return Reply(ANSWER, hold=self.hold)
        if word == "quote":
            return Reply(QUOTES[self.runtime])
        if word == "quoting":
            return Reply(
                QUOTES[self.runtime] + "\n\nThat is all there is to know about this.", hold=self.hold
            )
        if word == "plan" and len(prompt.results) == 1:
            return Reply("Here is the plan. ", (("ExitPlanMode", {"plan": PLAN}),))
        if prompt.results:
            return Reply(ANSWER)
        return Reply("I will look at it. ", self._calls(word, prompt))

    def _calls(self, word: str, prompt: Prompt) -> tuple[tuple[str, dict[str, Any]], ...]:
        question = {
            "header": "Cache",
            "question": "Which cache backend should I use?",
            "options": [
                {"label": "Redis", "description": "Shared between workers"},
                {"label": "SQLite", "description": "No extra service"},
            ],
        }
        special: dict[str, tuple[str, dict[str, Any]]] = {
            "edit": ("Write", {"file_path": "notes.txt", "content": "one\ntwo\n"}),
            "choose": ("AskUserQuestion", {"questions": [{**question, "multiSelect": False}]}),
            "plan": ("ToolSearch", {"query": "select:ExitPlanMode", "max_results": 1}),
        }
        if self.runtime == "codex":
            special = {"choose": ("request_user_input", {"questions": [{**question, "id": "cache"}]})}
        if word in special and special[word][0] in prompt.tools:
            return (special[word],)
        commands = {
            "run": "touch made.txt",
            "long": "sleep 300",
            "many": "mkdir made && touch made/out.txt",
        }
        return shell_call(prompt, commands.get(word, "true"))


class Collector:
    """One agent at one size: drives it and writes frames."""

    def __init__(self, rig: AgentRig, play: Play, size: tuple[int, int]) -> None:
        self.rig = rig
        self.play = play
        self.size = size
        self.count = 0

    def save(self, label: str, reason: str | None, note: str, *, adversarial: bool = False) -> None:
        """Write the frame of now under the label that the driver knows to be true."""
        osc = self.rig.write_signals()
        evidence = self.rig.evidence()
        self.count += 1
        told = [text for text in osc if not text.startswith("?")]
        signal = evidence.signal("7501")
        status = evidence.status_file
        frame = {
            "runtime": self.rig.runtime.id,
            "version": self.rig.runtime.version,
            "cols": self.size[0],
            "rows": self.size[1],
            "label": label,
            "reason": reason,
            "note": note,
            "adversarial": adversarial,
            "title": evidence.title,
            "pane_dead": "1" if evidence.pane_dead else "0",
            "pane_current_command": evidence.command,
            "cursor": evidence.cursor,
            "screen": [self._redact(row) for row in evidence.rows],
            "evidence": {
                "captured_at": evidence.probed_at,
                "started_at": evidence.started_at,
                "last_output": evidence.last_output,
                "pane_dead_status": evidence.exit_status,
                "pane_dead_signal": evidence.exit_signal,
                "osc7501": [[signal.at - evidence.probed_at, told[-1]]] if told and signal else [],
                "claude_sessions": {
                    "1.json": {
                        "status": status.status,
                        "waitingFor": status.waiting_for,
                        "statusUpdatedAt": status.at * 1000,
                        "_pid_alive": True,
                    }
                }
                if status
                else {},
            },
        }
        name = f"{self.rig.runtime.id}-{self.size[0]}x{self.size[1]}-{self.count:02d}-{label}-{note}"
        FRAMES.mkdir(exist_ok=True)
        path = FRAMES / f"{name.replace(' ', '-')}.json"
        path.write_text(json.dumps(frame, ensure_ascii=False, indent=1) + "\n")
        print(path.name, flush=True)

    def _redact(self, row: str) -> str:
        return row.replace(str(self.rig.root), "/srv/w")

    def step(self, prompt: str, until: str, label: str, reason: str | None, note: str, **more: Any) -> None:
        """Send a prompt, wait for what the script's next act shows, save."""
        self.rig.send(prompt)
        self.rig.until_shows(until)
        self.rig.still()
        self.save(label, reason, note, **more)

    def interrupt(self, shows: str) -> None:
        self.rig.keys("Escape")
        self.rig.until_shows(shows)
        self.rig.still()


def collect_claude(it: Collector) -> None:
    rig = it.rig
    rig.until_shows("? for shortcuts")
    rig.still()
    it.save("idle", None, "fresh")
    rig.keys("-l", "a draft that was not sent")
    rig.until_shows("not sent")
    it.save("idle", None, "draft")
    rig.keys("C-u")
    rig.still()
    _held(it, "wait for it", "wait", "esc to interrupt", "waiting for the model")
    _held(it, "stream it", "stream", "The token refresh", "answer streams", draft=True)
    it.save("done", None, "turn ended")
    it.step("run it", "Do you want to proceed?", "needs-you", "permission", "command")
    it.interrupt("Interrupted")
    it.save("idle", None, "permission refused with escape")
    it.step("edit it", "Do you want to", "needs-you", "permission", "file")
    it.interrupt("Interrupted")
    it.step("many it", "Do you want to", "needs-you", "permission", "compound command")
    it.interrupt("Interrupted")
    it.step("choose it", "Which cache backend", "needs-you", "question", "multiple choice")
    it.interrupt("❯ ")
    for mode in ("accept edits on", "plan mode on"):
        rig.keys("BTab")
        rig.until_shows(mode)
    it.step("plan it", "Exit plan mode?", "needs-you", "plan", "plan to approve")
    it.interrupt("❯ ")
    while "manual mode on" not in rig.screen():
        rig.keys("BTab")
        rig.still(0.2)
    it.step("broken it", "API Error", "needs-you", "error", "500")
    it.step("limited it", "(429)", "needs-you", "limit", "429")
    it.step("unauthorised it", "· retrying in", "needs-you", "login", "401")
    rig.keys("Escape")
    rig.until(lambda: _ended(it), "end of the turn")
    rig.keys("C-u")
    rig.still()
    rig.keys("-l", "/model")
    rig.until_shows("/model")
    rig.still()
    it.save("idle", None, "slash menu")
    rig.keys("C-u")
    rig.still()
    it.step("quote it", "it shows", "done", None, "answer quotes a prompt", adversarial=True)
    _held(
        it, "quoting it", "quoting", "While it works", "answer quotes a prompt and goes on", adversarial=True
    )
    rig.send("/exit")
    rig.until(lambda: rig.evidence().pane_dead, "end of the program")
    it.save("failed", "exited", "left with exit")


def collect_codex(it: Collector) -> None:
    rig = it.rig
    rig.until_shows("? for shortcuts")
    rig.still()
    it.save("idle", None, "fresh")
    rig.keys("-l", "a draft that was not sent")
    rig.until_shows("not sent")
    it.save("idle", None, "draft")
    rig.keys("C-u")
    rig.still()
    _held(it, "wait for it", "wait", "esc to interrupt", "waiting for the model")
    _held(it, "stream it", "stream", "The token refresh", "answer streams", draft=True)
    it.save("done", None, "turn ended")
    it.step("run it", "Would you like to run", "needs-you", "permission", "command")
    it.interrupt("interrupted")
    it.save("idle", None, "permission refused with escape")
    it.step("many it", "Would you like to run", "needs-you", "permission", "compound command")
    it.interrupt("interrupted")
    it.step("quota it", "■", "needs-you", "limit", "quota")
    it.step("unauthorised it", "■ unexpected", "needs-you", "login", "401")
    it.step("quote it", "it shows", "done", None, "answer quotes a prompt", adversarial=True)
    _held(
        it, "quoting it", "quoting", "While it works", "answer quotes a prompt and goes on", adversarial=True
    )
    rig.send("/quit")
    rig.until(lambda: rig.evidence().pane_dead, "end of the program")
    it.save("failed", "exited", "left with quit")


def _held(
    it: Collector,
    prompt: str,
    word: str,
    shows: str,
    note: str,
    *,
    draft: bool = False,
    adversarial: bool = False,
) -> None:
    """A turn that the model holds back: saved while it works, then let go to its end."""
    it.play.hold.clear()
    it.play.asked.clear()
    it.rig.send(prompt)
    assert it.play.asked.wait(30)
    it.rig.until(lambda: not _ended(it), "sign of work")
    it.rig.until_shows(shows)
    it.save("working", None, note, adversarial=adversarial)
    if draft:
        it.rig.keys("-l", "next do this")
        it.rig.until_shows("next do this")
        it.save("working", None, f"{note} over a draft")
        it.rig.keys("C-u")
    it.play.hold.set()
    it.rig.until(lambda: _ended(it), f"end of {word}")
    it.rig.still()


def _ended(it: Collector) -> bool:
    if it.rig.runtime.id == "claude":
        status = it.rig.evidence().status_file
        return status is not None and status.status == "idle"
    return it.rig.write_signals()[-1:] != ["state=working:app=codex"]


def collect_rest(base: Path, runtime: str, size: tuple[int, int], start: int) -> None:
    """What needs an agent of its own: login screen, crash, a long command under full autonomy."""
    play = Play(runtime)
    with AgentRig(base, runtime, login_later=True) as rig:
        it = Collector(rig, play, size)
        it.count = start
        rig.install()
        rig.configure()
        rig.start(columns=size[0], rows=size[1])
        rig.until_shows("Select login method" if runtime == "claude" else "Sign in with")
        rig.still()
        it.save("needs-you", "login", "login screen")
    with (
        ModelServer(play) as server,
        AgentRig(base, runtime, base_url=server.base_url, autonomy=Autonomy.FULL) as rig,
    ):
        it.rig = rig
        rig.install()
        rig.configure()
        rig.start(columns=size[0], rows=size[1])
        rig.until_shows("shortcuts" if runtime == "codex" else "bypass permissions")
        rig.still()
        rig.send("long it")
        rig.until_shows("esc to interrupt")
        rig.until(lambda: not _ended(it), "sign of work")
        it.save("working", None, "command runs")
        pane = rig.tmux("display-message", "-p", "-t", "amconsole:", "#{pane_pid}").strip()
        rig.run(["kill", "-9", pane], check=True)
        rig.until(lambda: rig.evidence().pane_dead, "death of the program")
        it.save("failed", "crashed", "killed at work")


def main() -> None:
    base = Path(sys.argv[1])
    drives: dict[str, Callable[[Collector], None]] = {"claude": collect_claude, "codex": collect_codex}
    for runtime in sys.argv[2:] or list(drives):
        for size in ((100, 30), (80, 24)):
            play = Play(runtime)
            with ModelServer(play) as server, AgentRig(base, runtime, base_url=server.base_url) as rig:
                rig.install()
                rig.configure()
                rig.start(columns=size[0], rows=size[1])
                it = Collector(rig, play, size)
                drives[runtime](it)
            collect_rest(base, runtime, size, it.count)


if __name__ == "__main__":
    main()
