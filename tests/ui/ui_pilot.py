"""Rows to show, and ways to look at the screen and wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from ui_fake import NOW, row

from amtui.model import AgentStatus, Phase, PhaseStatus, WorkerRow
from amtui.ops.base import Result

QUESTION = (
    "\x1b[1m⏺\x1b[0m I'll clear the stale build output first.\r\n\r\n"
    "  \x1b[1mBash\x1b[0m(rm -rf build && npm run build)\r\n\r\n"
    "  Do you want to proceed?\r\n  \x1b[36m❯ 1. Yes\x1b[0m\r\n    2. No (esc)\r\n"
).encode()
PROMPT = b"operator@box:~$ "

UPSTREAMS = Result(
    {
        "schema": 1,
        "upstreams": [
            {"id": "anthropic", "runtimes": ["claude"], "key": True, "key_env": "ANTHROPIC_API_KEY"},
            {"id": "openai", "runtimes": ["codex"], "key": False, "key_env": "OPENAI_API_KEY"},
        ],
    }
)


def fleet_rows() -> tuple[WorkerRow, ...]:
    """One worker of every group."""
    setup = tuple(
        Phase(
            id=name,
            title=title,
            status=status,
            started_at=NOW - 9,
            ended_at=NOW - 1 if status is PhaseStatus.DONE else None,
        )
        for name, title, status in (
            ("place", "Prepare directories", PhaseStatus.DONE),
            ("node", "Find or bring Node", PhaseStatus.RUNNING),
            ("claude", "Install claude", PhaseStatus.PENDING),
        )
    )
    return (
        row("auth-refactor", AgentStatus.NEEDS_YOU, reason="permission", text="Allow Bash(rm -rf build)?", age=250,
            on="ssh:box1", runtime="claude", model="opus", rtt=0.034),
        row("docs-bot", AgentStatus.NEEDS_YOU, reason="question", text="Keep the v1 redirect table?", age=670,
            on="ssh:box2", runtime="codex", rtt=0.120),
        row("api-tests", AgentStatus.WORKING, text="Editing tests/test_auth.py", age=6, runtime="claude"),
        row("release-notes", AgentStatus.DONE, text="Opened PR 812", age=540, runtime="claude"),
        row("triage-bot", AgentStatus.FAILED, reason="login", text="Please run /login", age=1320, on="ssh:box1",
            runtime="claude"),
        row("shell", AgentStatus.NONE, age=40),
        row("web-old", AgentStatus.IDLE, age=86400 * 3, runtime="claude", asleep=True),
        row("fresh", AgentStatus.UNKNOWN, runtime="claude", phases=setup),
    )  # fmt: skip


Start = Callable[..., AbstractAsyncContextManager[Pilot[None]]]


def crash_text(path: str) -> str:
    """What a survived error wrote down."""
    return Path(path).read_text(encoding="utf-8")


def text(pilot: Pilot[None]) -> str:
    """What is on the screen, as text."""
    strips = pilot.app.screen._compositor.render_strips()
    return "\n".join(strip.text for strip in strips)


async def until(pilot: Pilot[None], holds: Callable[[], Any], timeout: float = 10.0) -> None:
    """Wait for a condition; on failure show the screen."""
    deadline = asyncio.get_running_loop().time() + timeout
    while not holds():
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"did not come true in {timeout:g} s:\n{text(pilot)}")
        await pilot.pause(0.01)


async def see(pilot: Pilot[None], *parts: str) -> str:
    """Wait until all of these are on the screen; returns it."""
    await until(pilot, lambda: all(part in text(pilot) for part in parts))
    return text(pilot)
