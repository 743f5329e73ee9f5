"""The `[console]` section."""

from __future__ import annotations

import msgspec
import pytest

from amtui.console.config import ConsoleConfig


def test_prediction_is_auto_on_or_off() -> None:
    assert msgspec.convert({}, ConsoleConfig).predict == "auto"
    assert msgspec.convert({"predict": "off"}, ConsoleConfig).predict == "off"
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"predict": "sometimes"}, ConsoleConfig)


def test_history_is_bounded() -> None:
    assert msgspec.convert({}, ConsoleConfig).history == 50_000
    assert msgspec.convert({"history": 2000}, ConsoleConfig).history == 2000
    for wrong in ({"history": 5}, {"history": 10**9}, {"history": "many"}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, ConsoleConfig)
