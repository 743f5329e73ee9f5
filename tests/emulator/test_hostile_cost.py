"""No 64 KB that a worker can send costs more CPU time than thirty times as much plain output."""

from __future__ import annotations

import random
import time

import pytest
from figures import proving, record, size
from test_stream import hostile

from amtui.emulator import Screen, Stream
from amtui.ops.benchmark_streams import generated

CHUNK = 65_536
BUDGET = 30
SIZES = ((80, 24), (200, 50))


def more() -> dict[str, bytes]:
    """What `test_stream.hostile` does not have."""
    chance = random.Random(11)
    repeated = {
        "region scrolls": b"\x1b[2;9r\x1b[9;1H\n\x1b[2;1H\x1bM",
        "wide at the edge": b"\x1b[1;80H\xe6\xbc\xa2\xe6\xbc\xa2",
        "wide overwritten": "漢漢漢\b\bx\r".encode(),
        "insert mode": b"\x1b[4habc\r",
        "erase with colours": b"\x1b[48;5;1mx\x1b[2J",
        "alternate with text": b"\x1b[?1049hx\n\x1b[?1049ly\n",
        "half sequences": b"\x1b[\x1b]\x1bP\x1b(\x1b",
        "invalid UTF-8": b"\xe6\xbc\xf0\x9f\xff",
        "links": b"\x1b]8;id=%d;http://x/\x07a",
        "many parameters": b"\x1b[" + b"38;2;1;2;3;" * 20 + b"m",
        "colons": b"\x1b[4:3;58:2::1:2:3;38:2::9:9:9mx",
        "repeat lines": b"x\x1b[9999b\r\n",
        "tab stops": b"\x1b[9999I\x1b[9999Z\t",
        "cursor": b"\x1b[9999;9999H\x1b[1;1Hx",
        "emoji": "👩‍👩‍👧‍👦❤️".encode(),
        "soft wrap": b"x" * 79 + "漢".encode(),
        "clear history": b"\r\n" * 30 + b"\x1b[3J",
        "reset": b"x\r\n\x1bc",
        "charsets": b"\x1b(0lqqqk\x0exx\x0f\x1b(B",
    }
    random_numbers = b"".join(
        b"\x1b[%d;%d%c"
        % (chance.randrange(9999), chance.randrange(9999), chance.choice(b"ABCDEFGHJKLMPSTXZ@dr`"))
        for _ in range(CHUNK // 10)
    )
    made = {name: (data * (CHUNK // len(data) + 1))[:CHUNK] for name, data in repeated.items()}
    colours = b"".join(
        b"\x1b[38;2;%d;%d;%d;48;2;%d;0;0mx" % (*chance.randbytes(3), n % 256) for n in range(1800)
    )
    return made | {"random numbers": random_numbers[:CHUNK], "all colours": colours}


HOSTILE = hostile() | {f"{name} 2" if name in hostile() else name: data for name, data in more().items()}


def cpu(data: bytes, columns: int, lines: int, piece: int) -> float:
    """Seconds of CPU time for one chunk, on a screen that is full and scrolled."""
    screen = Screen(columns, lines)
    stream = Stream(screen)
    stream.feed(b"\x1b[32mfull\x1b[0m of text\r\n" * 200)
    began = time.process_time()
    for at in range(0, len(data), piece):
        stream.feed(data[at : at + piece])
    return time.process_time() - began


@pytest.fixture(scope="module")
def plain() -> dict[tuple[int, int], float]:
    """CPU seconds of 64 KB of ordinary coloured output for each size of screen."""
    data = next(sample.data for sample in generated(CHUNK) if sample.name == "ansi_gitlog")[:CHUNK]
    return {each: min(cpu(data, *each, CHUNK) for _ in range(size(5, 9))) for each in SIZES}


def worst(name: str, plain: dict[tuple[int, int], float]) -> float:
    """The highest cost of one input over all sizes and ways to cut it, in plain chunks."""
    pieces = size((CHUNK,), (CHUNK, 4096, 97))
    return max(
        min(cpu(HOSTILE[name], *each, piece) for _ in range(2)) / plain[each]
        for each in SIZES
        for piece in pieces
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_cost_of_hostile_bytes(name: str, plain: dict[tuple[int, int], float]) -> None:
    assert worst(name, plain) < BUDGET * (1 if proving() else 1.5)


@pytest.mark.prove
def test_hostile_figures(plain: dict[tuple[int, int], float]) -> None:
    if proving():
        costs = {name: worst(name, plain) for name in HOSTILE}
        name = max(costs, key=lambda each: costs[each])
        record(
            "hostile 64 KB, worst cost", f"≤ {BUDGET} plain chunks", f"{costs[name]:.1f}", costs[name] <= BUDGET,
            conditions=f"CPU time; {name}; {len(costs)} inputs, at 80×24 and 200×50, fed whole and in pieces",
        )  # fmt: skip
        assert costs[name] <= BUDGET
