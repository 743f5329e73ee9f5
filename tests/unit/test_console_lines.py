"""Places for resting requests: reserved ones stay free, who types comes before who watches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from amtui.console.lines import RESERVED, Lines


async def test_short_requests_always_find_room() -> None:
    lines = Lines(RESERVED + 2)
    assert await lines.take("a", None)
    assert lines.free
    assert await lines.take("b", None)
    assert not lines.free
    assert not await lines.take("c", None)
    lines.give("a")
    lines.give("a")
    assert await lines.take("c", None)


async def test_there_is_always_one_place() -> None:
    assert await Lines(1).take("a", None)


async def test_who_types_gets_the_place_of_who_watches() -> None:
    lines = Lines(RESERVED + 1)
    asked = asyncio.Event()

    async def watcher() -> None:
        await asked.wait()
        lines.give("watcher")

    assert await lines.take("watcher", asked.set)
    task = asyncio.create_task(watcher())
    assert await lines.take("typist", None, patience=5.0)
    await task
    assert not await lines.take("watcher", asked.set)


async def test_nobody_waits_for_ever() -> None:
    lines = Lines(RESERVED + 1)
    assert await lines.take("stubborn", lambda: None)
    assert not await lines.take("typist", None, patience=0.01)


async def test_who_waits_for_many_asks_only_who_watches_and_typists_ask_it_last() -> None:
    lines = Lines(RESERVED + 2)
    asked: list[str] = []

    def ask(name: str) -> Callable[[], None]:
        def step_back() -> None:
            asked.append(name)
            asyncio.get_running_loop().call_soon(lines.give, name)

        return step_back

    assert await lines.take("stir", ask("stir"), rank=1)
    assert await lines.take("view", ask("view"))
    assert await lines.take("watch", ask("watch"), patience=1.0, rank=1)
    assert asked == ["view"]
    assert not await lines.take("another", ask("another"), patience=0.2, rank=1), (
        "they do not fight each other"
    )
    assert asked == ["view"]
    assert await lines.take("typist", None, patience=1.0)
    assert asked == ["view", "stir"]


async def test_a_place_that_becomes_free_is_for_the_highest_who_waits() -> None:
    lines = Lines(RESERVED + 1)

    def step_back() -> None:
        """As one does who wants its place back: gives it and asks for it again in one turn."""
        lines.give("stir")
        again.append(asyncio.ensure_future(lines.take("stir", step_back, patience=0.0, rank=1)))

    again: list[asyncio.Future[bool]] = []
    assert await lines.take("stir", step_back, rank=1)
    assert await lines.take("typist", None, patience=5.0)
    assert [await one for one in again] == [False]
    assert not lines.free
