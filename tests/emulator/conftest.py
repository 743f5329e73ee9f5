"""The oracle's panes: one tmux server for each size, for the whole run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from oracle import Pane


@pytest.fixture(scope="session")
def panes(tmux_path: str) -> Iterator[Callable[[int, int], Pane]]:
    """Gives the pane of a size, made at first use."""
    made: dict[tuple[int, int], Pane] = {}

    def pane(columns: int, lines: int) -> Pane:
        if (columns, lines) not in made:
            made[columns, lines] = Pane(tmux_path, columns, lines)
            made[columns, lines].fresh()
        return made[columns, lines]

    yield pane
    for each in made.values():
        each.close()


@pytest.fixture
def pane(panes: Callable[[int, int], Pane]) -> Pane:
    """A pane of 20 × 6, not fresh."""
    return panes(20, 6)
