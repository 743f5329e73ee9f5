"""Each sequence by itself: tmux and we show the same after it."""

from __future__ import annotations

import pytest
from oracle import RESET, Pane, differences, new_screen
from probes import PROBES


def test_there_are_enough_probes() -> None:
    assert len({name for name, _ in PROBES}) == len(PROBES) >= 800


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in PROBES])
def test_probe(pane: Pane, data: bytes) -> None:
    screen, stream = new_screen(pane)
    pane.feed(RESET + data)
    stream.feed(data)
    assert differences(pane, screen) == []
