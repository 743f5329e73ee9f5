"""Predicted echo: how soon a key is on the screen, and whether anything wrong ever stays there."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest
from blackbox import Glass
from figures import proving, record, size
from link import FarHost, far_host
from operator_world import AMTUI, Operator
from typed_replay import SLACK, Findings, Replay, Truth, load, sessions

LINKS = size((0.1,), (0.04, 0.1, 0.2, 0.4))
"""Round trips in seconds."""
SMALL = ("claude-3", "codex-0", "password-3", "shell-1", "vim-4")
KEYS = 12_000
SOON = 0.020
BUSY = 0.090
"""Seconds from key to paint that a busy computer may take under `make test`; no echo comes sooner than 100 ms."""


@pytest.mark.prove
def test_nothing_wrong_stays_over_the_typing_of_an_hour() -> None:
    """Recorded people and programs, over links from near to far; cells are compared with what the host held."""
    chosen = sessions() if proving() else [load(name) for name in SMALL]
    kinds: dict[str, Findings] = {}
    for session in chosen:
        truth = Truth(session)
        for rtt in LINKS:
            found = Replay(session, truth, rtt, jitter=0.1).run()
            kinds.setdefault(session.kind, Findings()).add(found)
    everything = Findings()
    for kind, found in kinds.items():
        everything.add(found)
        _tell(kind, found, len(chosen))
    _tell("all", everything, len(chosen))
    assert set(kinds) == {"shell", "password", "vim", "claude", "codex"}
    assert everything.left == []
    assert everything.late == []
    assert everything.secrets == []
    assert everything.foreseen > everything.printable * 0.6, (
        "hardly anything was foreseen: nothing was proved"
    )
    assert len(everything.wrong) <= everything.cells * 0.01
    if proving():
        assert everything.keys >= KEYS
        assert len(chosen) >= 20


def _tell(kind: str, found: Findings, count: int) -> None:
    longest = max((stood for stood, _ in found.wrong), default=0.0)
    record(
        f"predicted echo, typing hour ({kind})",
        f"0 cells left after confirmation, 0 longer than a round trip + {SLACK:.2f} s, 0 of passwords",
        f"{len(found.left)} left, {len(found.late)} late, {len(found.secrets)} of passwords; of {found.cells} cells"
        f" shown {len(found.wrong)} were wrong, the longest for {longest * 1000:.0f} ms",
        not (found.left or found.late or found.secrets),
        conditions=f"{found.keys} keys of {count} sessions, gaps kept, round trips "
        + ", ".join(f"{rtt * 1000:.0f}" for rtt in LINKS)
        + f" ms; {found.foreseen} of {found.printable} printable keys foreseen",
    )


@pytest.mark.prove
def test_a_link_that_jitters_leaves_nothing_wrong_either() -> None:
    """Output and acknowledgements that come in lumps and in any order to one another."""
    found = Findings()
    for name in size(("codex-0", "vim-4"), tuple(session.name for session in sessions())):
        session = load(name)
        found.add(Replay(session, Truth(session), 0.1, seed=7, jitter=1.5).run())
    record(
        "predicted echo, jitter 150 %", "0 cells left, 0 late, 0 of passwords",
        f"{len(found.left)}, {len(found.late)}, {len(found.secrets)}; {len(found.wrong)} of {found.cells} cells wrong",
        not (found.left or found.late or found.secrets), conditions=f"{found.keys} keys, 100–250 ms",
    )  # fmt: skip
    assert found.left == found.late == found.secrets == []
    assert len(found.wrong) <= found.cells * 0.02


@pytest.fixture
def far(tmp_path: Path) -> Iterator[FarHost]:
    with far_host(tmp_path) as host:
        yield host
        host.weather(0)


@pytest.mark.prove
@pytest.mark.timeout(300)
def test_key_to_predicted_paint(far: FarHost, tmp_path: Path) -> None:
    """`amtui attach` on a pseudo-terminal at 100 ms: key written → cell painted, by prediction."""
    person = Operator(tmp_path / "operator", env=far.world.environ)
    (person.config / "config.toml").write_text('[console]\npredict = "auto"\n')
    person.do("new", "near", "--on", "ssh:far", "--agent", "shell", "--no-attach")
    glass = Glass([*AMTUI, "attach", "near"], person.env)
    try:
        glass.until(lambda: glass.rows()[0] != "", "a prompt")
        far.weather(0.1)
        glass.rest(1.0)
        glass.write(b"PS1='> '; stty -echoctl; clear\r")
        glass.until(lambda: glass.rows()[0].startswith(">") and len(glass.rows()[0]) < 3, "an empty screen")
        glass.rest(0.5)
        for _ in range(4):  # the round trip is learnt from keys, and this epoch is believed
            glass.key("e")
            glass.rest(0.3)
        taken = [_one(glass, "uvwyz"[number % 5]) for number in range(size(10, 40))]
    finally:
        far.weather(0)
        glass.close()
        person.destroy_all()
    p50, worst = statistics.median(taken), max(taken)
    conditions = (
        f"{far.kind}, RTT 100 ms, {len(taken)} keys: p50 {p50 * 1000:.1f} ms, worst {worst * 1000:.1f} ms"
    )
    record(
        "predicted key to paint at 100 ms",
        "p50 ≤ 20 ms",
        f"{p50 * 1000:.1f} ms",
        p50 <= SOON,
        conditions=conditions,
    )
    assert p50 <= (SOON if proving() else BUSY), conditions


def _one(glass: Glass, letter: str) -> float:
    took = glass.key(letter)
    glass.rest(0.15)
    return took
