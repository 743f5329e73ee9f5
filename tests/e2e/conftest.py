"""Fixtures of the end-to-end tests: an operator, a scripted model, downloads that are fetched once."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent))

from modelserver import ModelServer
from operator_world import Operator


@pytest.fixture(scope="session")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One download cache for all hosts of the session."""
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture
def operator(tmp_path: Path, downloads: Path) -> Iterator[Operator]:
    """An operator with nothing configured."""
    person = Operator(tmp_path / "operator", downloads=downloads)
    yield person
    person.destroy_all()


@pytest.fixture
def model() -> Iterator[ModelServer]:
    """A scripted model that answers the first prompt with one shell call and its result with a last word."""
    with ModelServer() as server:
        yield server


@pytest.fixture
def secret() -> str:
    """A key that occurs nowhere else in the world."""
    return "sk-planted-" + secrets.token_hex(24)
