"""Random sequences, compared with tmux after every token. CI runs fixed seeds, which all must pass; `make prove`
runs fresh ones. A seed that ever failed joins KNOWN."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import wilder
from figures import proving, record, size
from oracle import RESET, Pane, differences, glyphs_of, new_screen, same_line
from sequences import output

LENGTH = 40
KNOWN = [("narrow", seed) for seed in range(25)] + [("wide", seed) for seed in (*range(25), 9209)]
FRESH = 500


def first_difference(pane: Pane, tokens: list[bytes]) -> str:
    """What differs first, or nothing."""
    screen, stream = new_screen(pane)
    pane.feed(RESET)
    for at, token in enumerate(tokens):
        pane.feed(token)
        stream.feed(token)
        found = differences(pane, screen)
        if found:
            return f"after {at + 1} of {tokens!r}: {found}"
    return ""


@pytest.mark.parametrize(("kind", "seed"), KNOWN)
def test_fixed_seeds(pane: Pane, kind: str, seed: int) -> None:
    tokens = output((kind, seed), LENGTH, pane.columns, pane.lines, wide=kind == "wide")
    assert first_difference(pane, tokens) == ""


QUESTION = b"\x1b[6n"
"""What the oracle adds to see that tmux is done: it ends what REP would repeat."""

WILD = [(kind, seed) for kind in wilder.KINDS for seed in range(6)] + [
    ("switches", 1457), ("characters", 1012), ("floods", 1026),
]  # fmt: skip


def wild_difference(panes: Callable[[int, int], Pane], kind: str, seed: int, length: int) -> str:
    """As `first_difference`, for screens of all sizes, with the title, and in the end with the whole history."""
    size_of, tokens = wilder.output(kind, seed, length)
    pane = panes(*size_of)
    screen, stream = new_screen(pane)
    pane.feed(RESET)
    for at, token in enumerate(tokens):
        pane.feed(token)
        stream.feed(token + QUESTION)
        if at % 5 and at + 1 < len(tokens):
            continue
        found = differences(pane, screen)
        if found or pane.state()[1]["pane_title"] != screen.title:
            return f"{size_of}, after {at + 1} of {tokens!r}: {found}"
    theirs, ours = pane.history(), [glyphs_of(row) for row in screen.history]
    if len(theirs) != len(ours) or not all(map(same_line, theirs, ours)):
        return f"{size_of}, history after {tokens!r}"
    return ""


@pytest.mark.parametrize(("kind", "seed"), WILD)
def test_wilder_seeds(panes: Callable[[int, int], Pane], kind: str, seed: int) -> None:
    assert wild_difference(panes, kind, seed, LENGTH) == ""


@pytest.mark.prove
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", list(wilder.KINDS))
def test_fresh_wilder_seeds(panes: Callable[[int, int], Pane], kind: str) -> None:
    count = size(2, 300)
    start = random.SystemRandom().randrange(10**9) if proving() else 800_000
    failed = []
    for seed in range(start, start + count):
        found = wild_difference(panes, kind, seed, size(LENGTH, 100))
        if found:
            failed.append(f"seed {seed}: {found}")
    rate, (low, high) = 1 - len(failed) / count, interval(count - len(failed), count)
    record(
        f"fresh wilder sequences equal to tmux, {kind}",
        "≥ 97 %, waivers 0 %",
        f"{count - len(failed)} of {count} = {rate:.1%} (95 %: {low:.1%}–{high:.1%})",
        rate >= 0.97,
        conditions="100 tokens, eight sizes, history too",
    )
    assert rate >= 0.97, "\n".join(failed)


@pytest.mark.prove
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("kind", "least"), [("narrow", 0.99), ("wide", 0.97)])
def test_fresh_seeds(pane: Pane, kind: str, least: float) -> None:
    """Seeds never seen under `make prove`; two more fixed ones in CI, where a failure must be repeatable."""
    count = size(2, FRESH)
    start = random.SystemRandom().randrange(10**9) if proving() else 700_000
    failed = []
    for seed in range(start, start + count):
        found = first_difference(pane, output((kind, seed), LENGTH, 20, 6, wide=kind == "wide"))
        if found:
            failed.append(f"seed {seed}: {found}")
    rate, (low, high) = 1 - len(failed) / count, interval(count - len(failed), count)
    record(
        f"fresh random sequences equal to tmux, {kind}",
        f"≥ {least:.0%}, waivers 0 %",
        f"{count - len(failed)} of {count} = {rate:.1%} (95 %: {low:.1%}–{high:.1%})",
        rate >= least,
        conditions=f"{LENGTH} tokens, compared after each",
    )
    assert rate >= least, "\n".join(failed)


def interval(hits: int, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a rate."""
    z, rate = 1.96, hits / count
    middle = (rate + z * z / (2 * count)) / (1 + z * z / count)
    half = z * ((rate * (1 - rate) + z * z / (4 * count)) / count) ** 0.5 / (1 + z * z / count)
    return middle - half, middle + half
