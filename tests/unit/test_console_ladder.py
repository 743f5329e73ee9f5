"""The ladder of levels: the best that works, down after failures, up again later."""

from __future__ import annotations

from amtui.console.ladder import DUPLEX, LIVE, LONGEST, STEADY, TRIES, Ladder, Level, rungs
from amtui.providers.base import Cap


def broken(ladder: Ladder, level: Level, now: float, times: int = TRIES) -> None:
    for _ in range(times):
        ladder.broke(level, 0.1, now, "it broke")


def test_what_a_substrate_can_carry() -> None:
    assert rungs(DUPLEX) == (Level.L3, Level.L2, Level.L1, Level.L0)
    assert rungs(LIVE) == (Level.L2, Level.L1, Level.L0)
    assert rungs(Cap.STREAM | Cap.STDIN) == (Level.L1, Level.L0)  # a stream that is not binary is none
    assert rungs(Cap.BINARY_OUTPUT | Cap.STDIN) == (Level.L1, Level.L0)


def test_down_after_several_failures_at_once_and_up_again_later() -> None:
    ladder = Ladder(DUPLEX, again=30.0)
    broken(ladder, Level.L3, 100.0, TRIES - 1)
    assert ladder.level(100.0) is Level.L3
    assert ladder.better(100.0) is None
    broken(ladder, Level.L3, 100.0, 1)
    assert ladder.level(100.0) is Level.L2
    assert ladder.why == "it broke"
    assert ladder.better(110.0) == 20.0
    broken(ladder, Level.L2, 110.0)
    assert ladder.level(110.0) is Level.L1
    assert ladder.better(110.0) == 20.0
    assert ladder.level(130.0) is Level.L3
    broken(ladder, Level.L3, 130.0, 1)  # one failure is enough now, and the pause is twice as long
    assert ladder.level(130.0) is Level.L1
    assert ladder.level(140.0) is Level.L2
    assert ladder.better(140.0) == 50.0


def test_a_connection_that_lasted_forgives() -> None:
    ladder = Ladder(DUPLEX, again=30.0)
    for _ in range(5):
        broken(ladder, Level.L3, 0.0, TRIES - 1)
        ladder.broke(Level.L3, STEADY, 0.0, "after a good while")
    assert ladder.level(0.0) is Level.L3
    broken(ladder, Level.L3, 0.0)
    ladder.held(Level.L3)
    broken(ladder, Level.L3, 30.0, TRIES - 1)
    assert ladder.level(30.0) is Level.L3


def test_without_the_helper_only_tmux_is_left_and_pauses_are_bounded() -> None:
    ladder, now = Ladder(DUPLEX, again=30.0), 0.0
    for _ in range(12):
        ladder.unhelped(now, "the disk is full")
        assert ladder.level(now) is Level.L0
        pause = ladder.better(now)
        assert pause is not None
        assert pause <= LONGEST
        now += pause
        assert ladder.level(now) is Level.L3
    ladder.bar(Level.L0, now, "there is nothing below")
    assert ladder.level(now) is Level.L3


def test_a_host_that_was_full_and_is_not_any_more_is_trusted_as_before() -> None:
    ladder = Ladder(DUPLEX, again=30.0)
    ladder.unhelped(0.0, "the disk is full")
    ladder.unhelped(30.0, "the disk is full")
    ladder.held(Level.L3)
    ladder.unhelped(200.0, "again")
    assert ladder.better(200.0) == 30.0
