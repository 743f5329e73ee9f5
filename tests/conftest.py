"""Fixtures shared by all tests: the tools of this computer and the two substrates that need no account."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from hosts import program

from amtui.providers.local import LocalProvider


@pytest.fixture(scope="session")
def tmux_path() -> str:
    """The tmux to test against. Missing is a failure, never a skip."""
    return program("tmux", override="AMTUI_TEST_TMUX")


@pytest.fixture
async def local_provider(tmp_path: Path) -> AsyncIterator[LocalProvider]:
    """This computer as a substrate, with its workers under the test's own directory."""
    provider = LocalProvider(tmp_path / "machines")
    yield provider
    await provider.aclose()
