"""Random sequences, compared with tmux after every token. CI runs fixed seeds, which all must pass; `make prove`
runs fresh ones. A seed that ever failed joins KNOWN."""

from __future__ import annotations

import random

import pytest
from oracle import RESET, Pane, differences, new_screen
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


@pytest.mark.prove
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", ["narrow", "wide"])
def test_fresh_seeds(pane: Pane, kind: str) -> None:
    start = random.SystemRandom().randrange(10**9)
    failed = []
    for seed in range(start, start + FRESH):
        found = first_difference(pane, output((kind, seed), LENGTH, 20, 6, wide=kind == "wide"))
        if found:
            failed.append(f"seed {seed}: {found}")
    print(
        f"random {kind}: {FRESH - len(failed)} of {FRESH} sequences of {LENGTH} tokens equal tmux after every token"
    )
    assert not failed, "\n".join(failed)
