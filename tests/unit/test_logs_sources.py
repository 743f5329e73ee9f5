# ruff: noqa: ASYNC240 - files are made to be read back
"""A worker's logs read over exec on this computer: listing, offsets, following, hostile names."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from amtui.errors import StateGone, UnknownName
from amtui.logs import Kind, follow, sources, tail
from amtui.model import Autonomy, Worker
from amtui.providers.base import Place
from amtui.providers.local import LocalProvider

WORKER = Worker(
    id="4" * 32, name="w", substrate="local", host_id="local", runtime="codex", autonomy=Autonomy.ASK
)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    root = tmp_path / "workers" / WORKER.short_id
    for name in ("jobs/tools", "jobs/codex", "home/.codex/log"):
        (root / name).mkdir(parents=True)
    (root / "jobs/tools/log").write_text("one\ntwo\n")
    return Place(LocalProvider(tmp_path), "local", str(tmp_path), str(root), str(tmp_path / "s"))


def write(place: Place, name: str, text: str, mode: str = "w") -> Path:
    file = Path(place.root, name)
    with file.open(mode) as writer:
        writer.write(text)
    return file


async def lines(place: Place, **words: str) -> list[tuple[str, str]]:
    return [(line.source, line.text.for_terminal()) async for line in follow(place, WORKER, **words)]  # type: ignore[arg-type]


async def test_sources_in_the_order_they_were_written(place: Place) -> None:
    write(place, "jobs/codex/log", "x\n")
    write(place, "home/.codex/log/codex-tui.log", "INFO up\n")
    found = await sources(place, WORKER)
    assert [(s.id, s.kind, s.size) for s in found] == [
        ("tools", Kind.BOOTSTRAP, 8),
        ("codex", Kind.BOOTSTRAP, 2),
        ("agent:codex-tui.log", Kind.AGENT, 8),
    ]
    assert await lines(place) == [
        ("tools", "one"),
        ("tools", "two"),
        ("codex", "x"),
        ("agent:codex-tui.log", "INFO up"),
    ]
    assert await lines(place, source="agent") == [("agent:codex-tui.log", "INFO up")]
    assert await lines(place, source="codex") == [("codex", "x")]


async def test_tail_by_offset(place: Place) -> None:
    source = (await sources(place, WORKER))[0]
    piece = await tail(place, source, 4)
    assert (piece.data, piece.end, piece.size) == (b"two\n", 8, 8)
    assert (await tail(place, source, 8)).data == b""
    assert (await tail(place, source, 1, limit=2)).data == b"ne"
    write(place, "jobs/tools/log", "new")  # it became shorter: from its start again
    assert (await tail(place, source, 8)).data == b"new"


async def test_a_large_log_comes_whole_and_bytes_stay_bytes(place: Place) -> None:
    data = bytes(range(256)).replace(b"\n", b"").replace(b"\r", b"") * 3000
    Path(place.jobs, "tools", "log").write_bytes(data + b"\nend\n")
    got = [line.text.raw() async for line in follow(place, WORKER)]
    assert b"".join(got) == data + b"end"


@pytest.mark.parametrize("link", [".codex", ".codex/log"])
async def test_no_step_on_the_way_to_an_agents_log_may_be_a_link(
    place: Place, tmp_path: Path, link: str
) -> None:
    """Only the last folder was looked at: ~/.codex as a link to the operator's own showed the operator's logs."""
    theirs = tmp_path / "operator/.codex/log"
    theirs.mkdir(parents=True)
    (theirs / "a.log").write_text("the operator's\n")
    write(place, "home/.codex/log/a.log", "mine\n")
    (agents,) = [source for source in await sources(place, WORKER) if source.kind is Kind.AGENT]
    path = Path(place.home, link)
    path.rename(Path(place.home, "aside"))
    path.symlink_to(theirs.parent if link == ".codex" else theirs)
    assert not [source for source in await sources(place, WORKER) if source.kind is Kind.AGENT]
    piece = await tail(place, agents)
    assert (piece.size, piece.data) == (0, b""), "nor when it became one after it was listed"


async def test_a_fifo_among_the_logs_is_passed_over(place: Place) -> None:
    os.mkfifo(Path(place.home, ".codex/log/pipe.log"))
    write(place, "home/.codex/log/z.log", "here\n")
    assert await asyncio.wait_for(lines(place, source="agent"), 10) == [("agent:z.log", "here")]


async def test_follow_live_sees_what_comes_and_new_phases(place: Place) -> None:
    seen: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    async def watch() -> None:
        async for line in follow(place, WORKER, live=True, every=0.02):
            seen.put_nowait((line.source, line.text.for_terminal()))

    task = asyncio.create_task(watch())
    async with asyncio.timeout(20):
        assert [await seen.get(), await seen.get()] == [("tools", "one"), ("tools", "two")]
        write(place, "jobs/tools/log", "thr", "a")
        write(place, "jobs/codex/log", "first\n")
        assert await seen.get() == ("codex", "first")
        write(place, "jobs/tools/log", "ee\n", "a")
        assert await seen.get() == ("tools", "three")
    task.cancel()


async def test_links_and_names_that_pose_as_another_line_are_not_read(place: Place, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the operator's\n")
    logs = Path(place.home, ".codex", "log")
    (logs / "link.log").symlink_to(secret)
    (logs / "a\nagent 15 b.log").write_text("mine\n")
    assert await lines(place) == [("tools", "one"), ("tools", "two")]


async def test_what_is_missing_is_said(place: Place, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="no log 'nope'") as unknown:
        await lines(place, source="nope")
    assert "tools" in unknown.value.hint
    gone = Place(place.provider, "local", place.base, f"{tmp_path}/workers/gone", place.socket)
    with pytest.raises(StateGone):
        await lines(gone)
