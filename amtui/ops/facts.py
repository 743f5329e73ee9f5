"""A worker in words: what `show` prints and the facts pane shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amtui.model import Worker
from amtui.ops.table import ago

if TYPE_CHECKING:
    from amtui.ops.context import Context


def confinement(worker: Worker) -> str:
    """How far the agent is kept from the rest of its host, in one line."""
    if worker.substrate != "local":
        return "as the ssh user on that host"
    return (
        "bwrap: its home, its directory, read-only system"
        if worker.confined
        else "none: it can read what you can"
    )


def facts(ctx: Context, worker: Worker) -> dict[str, str]:
    """Label to value, safe for a terminal, the most wanted first; empty ones are left out."""
    row, now = ctx.fleet.row(worker), ctx.estate.clock()
    agent, host = row.agent, row.host
    state = agent.status.value + (f" ({agent.reason})" if agent.reason else "")
    known = {
        "name": worker.name,
        "agent": f"{state}, {ago(now, agent.since)}" if agent.since else state,
        "says": agent.text,
        "evidence": f"{agent.rule or agent.source} · {agent.confidence} · {ago(now, agent.seen_at)} ago"
        if agent.source
        else "",
        "host": f"{'worker asleep on ' if worker.asleep else ''}{host.state.value} {host.detail}".strip(),
        "on": worker.substrate,
        "runtime": worker.runtime,
        "upstream": worker.upstream or ("login later" if worker.login_later else ""),
        "model": worker.model or "",
        "autonomy": worker.autonomy.value,
        "confined": confinement(worker),
        "works in": worker.workdir or (f"a clone of {worker.repo}" if worker.repo else "its own home"),
        "root": worker.root,
        "age": ago(now, worker.created_at),
        "tags": ", ".join(worker.tags),
    }
    failed = [f"{p.id}: {p.cause}" for p in row.phases if p.status.value == "failed"]
    running = [p.title for p in row.phases if p.status.value == "running"]
    if failed or running:
        known["bootstrap"] = "; ".join([*failed, *running])
    return {label: value for label, value in known.items() if value}
