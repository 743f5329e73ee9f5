"""`doctor`: what works here, what does not, and the fix beside each finding."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Struct

from amtui import __version__
from amtui.errors import AmtuiError
from amtui.model import SCHEMA
from amtui.ops.base import Action, Arg, Progress, Result, Yield
from amtui.ops.context import Context


class Doctor(Struct, frozen=True, kw_only=True):
    """Parameters of `doctor`."""

    host: Annotated[
        tuple[str, ...],
        Arg(
            "also check these substrates, as ssh:HOST",
            positional=True,
            metavar="SUBSTRATE",
            complete="substrate",
        ),
    ] = ()


class Finding(Struct, frozen=True, kw_only=True):
    """One line of the report."""

    topic: str
    level: Literal["ok", "note", "bad"]
    text: str
    fix: str = ""


MARKS = {"ok": "✓", "note": "!", "bad": "✕"}


def _tool(name: str, why: str, package: str, level: Literal["note", "bad"], *version: str) -> Finding:
    path = shutil.which(name)
    if path is None:
        return Finding(
            topic=name, level=level, text=f"not found; {why}", fix=f"install the package {package}"
        )
    said = ""
    if version:
        try:
            out = subprocess.run([path, *version], capture_output=True, text=True, timeout=10, check=False)
            said = (out.stdout or out.stderr).strip().splitlines()[0][:60]
        except (OSError, subprocess.TimeoutExpired, IndexError):
            said = "did not answer"
    return Finding(topic=name, level="ok", text=said or path)


def _tmux() -> Finding:
    from amtui.bootstrap.tools import OLDEST_TMUX, PROVEN_TMUX

    found = _tool("tmux", "local workers need it", "tmux", "bad", "-V")
    version = re.search(r"(\d+)\.(\d+)", found.text) if found.level == "ok" else None
    if version is not None and (int(version[1]), int(version[2])) < OLDEST_TMUX:
        oldest = ".".join(map(str, OLDEST_TMUX))
        fix = f"install tmux {oldest} or newer; proven with {', '.join(PROVEN_TMUX)}"
        return msgspec.structs.replace(
            found, level="bad", text=f"{found.text} is older than {oldest}", fix=fix
        )
    return found


def _computer(ctx: Context) -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding(topic="amtui", level="ok", text=f"{__version__} on Python {python}")
    yield _tmux()
    yield _tool("git", "--repo and `amtui git` need it", "git", "note", "--version")
    yield _tool(
        "npm", "claude and codex install from npm; without it amtui brings Node", "npm", "note", "--version"
    )
    bwrap = _tool(
        "bwrap",
        "local workers are then not confined: convenience, not isolation",
        "bubblewrap",
        "note",
        "--version",
    )
    if bwrap.level == "ok":
        from amtui.providers.confinement import available

        if not available():
            bwrap = Finding(
                topic="bwrap",
                level="note",
                text="found, but this kernel refuses it",
                fix="allow unprivileged user namespaces",
            )
    yield bwrap
    agent = "reachable" if os.environ.get("SSH_AUTH_SOCK") else "none; keys from files only"
    yield Finding(topic="ssh agent", level="ok", text=agent)
    term = os.environ.get("TERM", "")
    inside = " inside tmux" if os.environ.get("TMUX") else ""
    yield Finding(
        topic="terminal",
        level="ok",
        text=f"{term or 'none'}{inside} {os.environ.get('COLORTERM', '')}".rstrip(),
    )


def _settings(ctx: Context) -> Iterator[Finding]:
    from amtui.config import problems

    paths = ctx.estate.paths
    found = problems(paths)
    for problem in found:
        yield Finding(topic="config", level="bad", text=str(problem), fix=f"edit {paths.config_file}")
    if not found:
        yield Finding(topic="config", level="ok", text=str(paths.config_file))
    store = ctx.estate.store
    count = f"{paths.database}: {len(store.workers())} workers"
    if store.read_only:
        yield Finding(
            topic="store", level="bad", text=f"{count}; it cannot be written", fix=store.writable_hint()
        )
    else:
        yield Finding(topic="store", level="ok", text=count)
    for kind in ctx.estate.providers.kinds():
        level: Literal["ok", "note"] = "ok" if kind.available else "note"
        yield Finding(topic=f"substrate {kind.kind}", level=level, text=kind.note or kind.title)


async def _hosts(ctx: Context, wanted: tuple[str, ...]) -> AsyncIterator[Finding]:
    used = {worker.substrate for worker in ctx.estate.store.workers()}
    for substrate in sorted({"local", *used, *wanted}):
        try:
            provider = ctx.estate.providers.get(substrate)
            account = await provider.check(ctx.estate.providers.host_id(substrate))
        except AmtuiError as error:
            fix = error.hint or "see that it answers, or destroy the workers on it"
            yield Finding(topic=substrate, level="bad", text=error.message, fix=fix)
        else:
            yield Finding(topic=substrate, level="ok", text=" · ".join((account.identity, *account.notes)))


async def _upstreams(ctx: Context) -> AsyncIterator[Finding]:
    from amtui.upstreams import probe

    used = {worker.upstream for worker in ctx.estate.store.workers() if worker.upstream}
    for name in sorted(used):
        try:
            upstream = ctx.estate.upstreams.get(name)
            secret = ctx.estate.secrets.get(upstream.key_env) if upstream.key_env else None
        except AmtuiError as error:
            yield Finding(topic=f"upstream {name}", level="bad", text=error.message, fix=error.hint)
            continue
        if upstream.key_env and secret is None:
            yield Finding(
                topic=f"upstream {name}",
                level="bad",
                text=f"{upstream.key_env} is not set",
                fix=f"amtui secret set {upstream.key_env}",
            )
            continue
        seen = await probe(upstream, secret.value if secret else None)
        bad = [wire.value for wire in upstream.wires if str(seen.wires.get(wire)) != "present"]
        text = seen.detail or ", ".join(f"{w.value} {s}" for w, s in seen.wires.items())
        yield Finding(
            topic=f"upstream {name}",
            level="bad" if bad else "ok",
            text=text,
            fix=f"amtui upstream test {name}" if bad else "",
        )


async def doctor(ctx: Context, params: Doctor) -> AsyncIterator[Yield]:
    # Programs are asked for their versions: not on the event loop, which may be drawing a screen.
    findings = await asyncio.to_thread(lambda: [*_computer(ctx), *_settings(ctx)])
    yield Progress("asking hosts and upstreams")
    findings += [finding async for finding in _hosts(ctx, params.host)]
    findings += [finding async for finding in _upstreams(ctx)]
    width = max(len(finding.topic) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{MARKS[finding.level]} {finding.topic:<{width}}  {finding.text}")
        if finding.fix:
            lines.append(f"  {'':<{width}}  → {finding.fix}")
    bad = sum(finding.level == "bad" for finding in findings)
    yield Result(
        {"schema": SCHEMA, "findings": msgspec.to_builtins(findings)}, "\n".join(lines), exit_code=bool(bad)
    )


DOCTOR = Action(Doctor, doctor)
