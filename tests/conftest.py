"""Fixtures shared by all tests: the tools of this computer and the two substrates that need no account."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"  # never the developer's own
sys.path.insert(0, str(Path(__file__).parent))

from hosts import Sshd, SshWorld, program

from amtui.__main__ import heed_interrupts
from amtui.providers.local import LocalProvider
from amtui.providers.ssh import SshProvider

heed_interrupts()  # a suite that runs in the background must start programs that can be interrupted


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


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[SshWorld]:
    """A private sshd on loopback with the ssh configuration of an operator; its alias is `box`.

    For the command line: set `sshd.environ` in the environment and use the substrate `ssh:box`.
    """
    host = Sshd(tmp_path / "sshd").start()
    yield SshWorld(tmp_path, host)
    host.stop()


@pytest.fixture
async def ssh_provider(sshd: SshWorld) -> AsyncIterator[SshProvider]:
    """The ssh substrate on the private sshd; the host id is `box`."""
    provider = SshProvider(environ=sshd.environ)
    yield provider
    await provider.aclose()
