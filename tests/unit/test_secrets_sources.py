"""Secrets come from the environment, the keyring or a 0600 file, in that order, and are seen nowhere else."""

from __future__ import annotations

import io
import json
import logging
import os
import pickle
import stat
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from amtui.config import Paths, Secret, Secrets
from amtui.config.os_keyring import OsKeyring
from amtui.errors import AmtuiError, ConfigError, NeedsConfirmation, UsageError

VALUE = "sk-planted-0123456789-wxyz"


class Ring:
    """A keyring in memory that can be told to fail."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.before: Callable[[], None] = lambda: None

    def get_password(self, service: str, username: str) -> str | None:
        self.before()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.before()
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self.before()
        del self.kept[service, username]


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.from_environment({"AMTUI_CONFIG_DIR": str(tmp_path / "c"), "AMTUI_STATE_DIR": str(tmp_path)})


def secrets(paths: Paths, ring: Ring | None = None, env: dict[str, str] | None = None) -> Secrets:
    return Secrets(paths, env or {}, keyring=OsKeyring(lambda: ring, timeout=5))


def got(found: Secret | None) -> tuple[str, str] | None:
    return (found.value, found.source) if found else None


def test_order_of_the_sources(paths: Paths) -> None:
    ring = Ring()
    secrets(paths).set("T_KEY", "of-file", allow_file=True)
    assert got(secrets(paths, ring).get("T_KEY")) == ("of-file", "file")
    ring.kept["amtui", "T_KEY"] = "of-ring"
    assert got(secrets(paths, ring).get("T_KEY")) == ("of-ring", "keyring")
    assert got(secrets(paths, ring, {"T_KEY": "of-env"}).get("T_KEY")) == ("of-env", "environment")
    assert got(secrets(paths, ring, {"T_KEY": " \n"}).get("T_KEY")) == ("of-ring", "keyring")
    assert secrets(paths, ring).get("OTHER") is None


def test_the_environment_alone_touches_neither_ring_nor_file(paths: Paths) -> None:
    ring = Ring()
    ring.before = lambda: pytest.fail("the keyring was asked")
    paths.make(paths.config_dir)
    paths.secrets_file.write_text("damaged")
    assert got(secrets(paths, ring, {"T_KEY": "v"}).get("T_KEY")) == ("v", "environment")


def test_set_prefers_the_keyring_and_leaves_no_copy_in_the_file(paths: Paths) -> None:
    ring = Ring()
    secrets(paths).set("T_KEY", "old", allow_file=True)
    assert secrets(paths, ring).set("T_KEY", VALUE, allow_file=False) == "keyring"
    assert ring.kept == {("amtui", "T_KEY"): VALUE}
    text = paths.secrets_file.read_text()
    assert VALUE not in text
    assert "old" not in text
    assert secrets(paths, ring).names() == [("T_KEY", "keyring")]


def test_without_a_keyring_the_file_needs_consent(paths: Paths) -> None:
    with pytest.raises(NeedsConfirmation) as caught:
        secrets(paths).set("T_KEY", VALUE, allow_file=False)
    assert str(paths.secrets_file) in caught.value.hint
    assert VALUE not in caught.value.message + caught.value.hint
    assert not paths.secrets_file.exists()
    old = os.umask(0)
    try:
        assert secrets(paths).set("T_KEY", f" {VALUE}\n", allow_file=True) == "file"
    finally:
        os.umask(old)
    assert stat.S_IMODE(paths.secrets_file.stat().st_mode) == 0o600
    assert got(secrets(paths).get("T_KEY")) == (VALUE, "file")


def test_names_and_their_effective_sources(paths: Paths) -> None:
    ring = Ring()
    secrets(paths).set("IN_FILE", "1", allow_file=True)
    secrets(paths, ring).set("IN_RING", "2", allow_file=False)
    found = secrets(paths, ring, {"IN_FILE": "x", "IN_ENV": "y", "UNASKED": "z"}).names(
        also=["IN_ENV", "NOWHERE"]
    )
    assert found == [("IN_ENV", "environment"), ("IN_FILE", "environment"), ("IN_RING", "keyring")]


def test_remove(paths: Paths) -> None:
    ring = Ring()
    secrets(paths, ring).set("A", "1", allow_file=False)
    secrets(paths).set("B", "2", allow_file=True)
    box = secrets(paths, ring, {"C": "3"})
    assert box.remove("A")
    assert box.remove("B")
    assert not box.remove("A")
    assert not box.remove("C")  # the environment is not ours to change
    assert ring.kept == {}
    assert box.names() == []
    assert got(box.get("C")) == ("3", "environment")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o666])
def test_a_file_open_to_others_is_refused(paths: Paths, mode: int) -> None:
    secrets(paths).set("T_KEY", VALUE, allow_file=True)
    paths.secrets_file.chmod(mode)
    for use in (
        lambda: secrets(paths).get("T_KEY"),
        lambda: secrets(paths).names(),
        lambda: secrets(paths).set("U", "1", allow_file=True),
        lambda: secrets(paths).remove("T_KEY"),
    ):
        with pytest.raises(ConfigError, match=f"mode {mode:04o}") as caught:
            use()
        assert "chmod 600" in caught.value.hint


def test_a_link_in_place_of_the_file_is_refused(paths: Paths, tmp_path: Path) -> None:
    paths.make(paths.config_dir)
    (tmp_path / "elsewhere").write_text("{}")
    (tmp_path / "elsewhere").chmod(0o600)
    paths.secrets_file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError):
        secrets(paths).get("T_KEY")


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"values": {"T_KEY": 3}}', b'{"values": {"T_KEY": "sk-pla', b"\xff"]
)
def test_a_damaged_file_is_told_without_its_content(paths: Paths, content: bytes) -> None:
    paths.make(paths.config_dir)
    paths.secrets_file.write_bytes(content)
    paths.secrets_file.chmod(0o600)
    with pytest.raises(ConfigError, match="is damaged") as caught:
        secrets(paths).set("OTHER", VALUE, allow_file=True)
    assert "sk-pla" not in "".join(traceback.format_exception(caught.value))
    assert paths.secrets_file.read_bytes() == content


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "A=B", "A\n", "Ä", "A" * 101, "a.b", "$(x)"])
def test_malformed_names(paths: Paths, name: str) -> None:
    for use in (
        lambda: secrets(paths).get(name),
        lambda: secrets(paths).set(name, VALUE, allow_file=True),
        lambda: secrets(paths).remove(name),
    ):
        with pytest.raises(UsageError):
            use()


@pytest.mark.parametrize("value", ["", " \n", "a\0b", "a\x1bb", "x" * 70_000])
def test_values_that_cannot_be_keys(paths: Paths, value: str) -> None:
    with pytest.raises(UsageError) as caught:
        secrets(paths).set("T_KEY", value, allow_file=True)
    assert value.strip() == "" or value not in caught.value.message


def test_a_secret_shows_itself_nowhere(paths: Paths) -> None:
    secret = Secret("T_KEY", VALUE, "file")
    stream = io.StringIO()
    logging.getLogger("t").addHandler(handler := logging.StreamHandler(stream))
    logging.getLogger("t").warning("%s %r", secret, [secret])
    logging.getLogger("t").removeHandler(handler)
    for text in (repr(secret), str(secret), f"{secret}", f"{[secret]}", stream.getvalue()):
        assert VALUE not in text
        assert "T_KEY" in text
    for leave in (pickle.dumps, json.dumps, msgspec.json.encode, msgspec.to_builtins):
        with pytest.raises(TypeError):
            leave(secret)
    assert secret.last4 == "wxyz"
    assert Secret("T", "short", "file").last4 == ""
    assert secret == Secret("T_KEY", VALUE, "environment")


def test_a_keyring_that_fails_is_absent_and_its_words_are_not_repeated(paths: Paths) -> None:
    ring = Ring()

    def fail() -> None:
        raise RuntimeError(f"could not store {VALUE}")

    ring.before = fail
    box = secrets(paths, ring)
    with pytest.raises(NeedsConfirmation) as caught:
        box.set("T_KEY", VALUE, allow_file=False)
    assert "RuntimeError" in caught.value.message
    assert VALUE not in "".join(traceback.format_exception(caught.value))
    assert box.set("T_KEY", VALUE, allow_file=True) == "file"
    assert got(box.get("T_KEY")) == (VALUE, "file")


def test_a_keyring_that_forgets_at_once_is_not_trusted(paths: Paths) -> None:
    class Sieve(Ring):
        def set_password(self, service: str, username: str, password: str) -> None:
            pass

    assert secrets(paths, Sieve()).set("T_KEY", VALUE, allow_file=True) == "file"
    assert got(secrets(paths, Sieve()).get("T_KEY")) == (VALUE, "file")


def test_a_locked_keyring_costs_one_deadline_and_never_hangs(paths: Paths) -> None:
    ring = Ring()
    never = threading.Event()
    ring.before = lambda: never.wait(60) and None
    box = Secrets(paths, {}, keyring=OsKeyring(lambda: ring, timeout=0.2))
    began = time.monotonic()
    assert box.get("T_KEY") is None
    assert box.get("U_KEY") is None
    assert box.set("T_KEY", VALUE, allow_file=True) == "file"
    assert time.monotonic() - began < 5  # far from the 60 s of the lock
    assert "locked" in box.keyring_absent
    never.set()


def test_finding_the_keyring_may_hang_too(paths: Paths) -> None:
    never = threading.Event()

    def find() -> Ring:
        never.wait(60)
        return Ring()

    box = Secrets(paths, {}, keyring=OsKeyring(find, timeout=0.2))
    assert box.get("T_KEY") is None
    never.set()


@pytest.mark.parametrize(
    ("backend", "why"),
    [
        ("keyring.backends.null.Keyring", "none installed"),
        ("keyring.backends.fail.Keyring", "none installed"),
        ("no.such.Thing", "failing (ModuleNotFoundError)"),
    ],
)
def test_the_real_library_with_no_real_backend(paths: Paths, backend: str, why: str) -> None:
    code = (
        "from amtui.config import Paths, Secrets\n"
        "box = Secrets(Paths.from_environment())\n"
        "print(box.get('T_KEY'), box.set('T_KEY', 'abc', allow_file=True), box.get('T_KEY'), box.keyring_absent)"
    )
    env = {**os.environ, "AMTUI_CONFIG_DIR": str(paths.config_dir), "PYTHON_KEYRING_BACKEND": backend}
    env.pop("T_KEY", None)
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout.strip() == f"None file <Secret T_KEY from file> {why}"


def test_several_processes_lose_no_secret(paths: Paths) -> None:
    code = (
        "import sys; from amtui.config import Paths, Secrets\n"
        "for n in range(10): Secrets(Paths.from_environment(), {}).set(f'K_{sys.argv[1]}_{n}', 'v', allow_file=True)"
    )
    env = {
        **os.environ,
        "AMTUI_CONFIG_DIR": str(paths.config_dir),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }
    running = [subprocess.Popen([sys.executable, "-c", code, str(n)], env=env) for n in range(3)]
    assert [each.wait(60) for each in running] == [0, 0, 0]
    assert len(secrets(paths).names()) == 30


def test_no_error_of_this_module_carries_a_value(paths: Paths) -> None:
    """Every refusal in one place, with the value planted in each."""
    box = secrets(paths)
    for call in (
        lambda: box.set("bad name", VALUE, allow_file=True),
        lambda: box.set(VALUE, VALUE, allow_file=True),  # the key typed where the name belongs
        lambda: box.get(VALUE),
        lambda: box.set("T_KEY", VALUE + "\0", allow_file=True),
        lambda: box.set("T_KEY", VALUE, allow_file=False),
    ):
        with pytest.raises(AmtuiError) as caught:
            call()
        assert VALUE not in caught.value.message + caught.value.hint
