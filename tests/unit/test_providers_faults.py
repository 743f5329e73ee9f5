"""Errors of the system and of ssh in amtui's words: by errno and class, one line, with a next step."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import asyncssh
import pytest

from amtui import errors
from amtui.providers.dial import Target, dial_error
from amtui.providers.faults import from_os
from amtui.providers.identities import Identities, is_locked
from amtui.providers.ssh import _aliases, _metrics


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, errors.DiskFull),
        (errno.EDQUOT, errors.DiskFull),
        (errno.ENOENT, errors.NotFound),
        (errno.ENOTDIR, errors.NotFound),
        (errno.EACCES, errors.Refused),
        (errno.EROFS, errors.Refused),
        (errno.E2BIG, errors.Invalid),
        (errno.EMFILE, errors.CapacityUnavailable),
        (errno.EISDIR, errors.Invalid),
        (errno.EIO, errors.ProviderError),
    ],
)
def test_system_errors(number: int, kind: type[errors.AmtuiError]) -> None:
    found = from_os(OSError(number, os.strerror(number)), "/some/where", provider="local", op="write")
    assert type(found) is kind
    assert "/some/where" in found.message or kind is errors.Invalid


def test_a_really_full_device() -> None:
    with (
        pytest.raises(OSError, match="No space left") as caught,
        open("/dev/full", "wb", buffering=0) as full,
    ):
        full.write(b"x")
    assert isinstance(from_os(caught.value, "/dev/full", provider="local", op="write"), errors.DiskFull)


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), errors.Unreachable, "ECONNREFUSED"),
        (OSError(errno.EHOSTUNREACH, "x"), errors.Unreachable, "EHOSTUNREACH"),
        (OSError("Multiple exceptions: …"), errors.Unreachable, "OSError"),
        (TimeoutError(), errors.Unreachable, "TimeoutError"),
        (socket.gaierror(-2, "x"), errors.Unreachable, "gaierror"),
        (asyncssh.PermissionDenied("no"), errors.AuthRejected, "PermissionDenied"),
        (asyncssh.ConnectionLost("gone"), errors.Unreachable, "ConnectionLost"),
        (asyncssh.KeyExchangeFailed("no"), errors.ProtocolError, "KeyExchangeFailed"),
        (asyncssh.ChannelOpenError(2, "no"), errors.Unreachable, "ChannelOpenError"),
    ],
)
def test_connection_errors(error: Exception, kind: type[errors.ProviderError], code: str) -> None:
    found = dial_error("box", error)
    assert type(found) is kind
    assert isinstance(found, errors.ProviderError)
    assert found.code == code
    assert "box" in found.message


def test_what_a_server_says_cannot_reach_the_terminal() -> None:
    found = dial_error("box", asyncssh.ConnectionLost("\x1b]0;owned\x07\x1b[2Jgone\nnext"))
    assert "\x1b" not in found.message
    assert "\n" not in found.message


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("box", ("box", None, None)),
        ("me@box", ("box", "me", None)),
        ("me@box:2222", ("box", "me", 2222)),
        ("a@b@box", ("box", "a@b", None)),
        ("[::1]:22", ("::1", None, 22)),
        ("fe80::1", ("fe80::1", None, None)),
    ],
)
def test_hosts_are_taken_apart(text: str, wanted: tuple[str, str | None, int | None]) -> None:
    found = Target.parse(text)
    assert (found.host, found.user, found.port) == wanted


@pytest.mark.parametrize("form", ["openssh", "pkcs8-pem", "pkcs1-pem"])
def test_locked_keys_are_told_from_open_ones(tmp_path: Path, form: str) -> None:
    key = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
    (tmp_path / "open").write_bytes(key.export_private_key(form))
    (tmp_path / "locked").write_bytes(key.export_private_key(form, passphrase="words"))
    (tmp_path / "public").write_bytes(key.export_public_key())
    assert [is_locked(str(tmp_path / name)) for name in ("open", "locked", "public", "absent")] == [
        False,
        True,
        False,
        False,
    ]
    keys = Identities([str(tmp_path / name) for name in ("open", "locked", "absent")])
    assert keys.locked == [str(tmp_path / "locked")]
    assert keys.absent == [str(tmp_path / "absent")]
    assert keys.offer({}) == [str(tmp_path / "open")]


def test_aliases_of_a_configuration(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host a b\n  Port 22\nhost=c\nHost *.x !d e?\nMatch host f\n")
    assert _aliases([str(config), str(tmp_path / "absent")]) == ["a", "b", "c"]


def test_metrics_of_a_host_that_says_little() -> None:
    assert _metrics(b"") == _metrics(b"-\n\n-\n-\n-\n\n")
    assert _metrics(b"nan\n\ninf\n-1 1e400\n-5\n1e300\n") == _metrics(b"")
    found = _metrics(b"0.5 0 0 1/2 3\n\n4\n100 50\n12.5 9\n1000 400\n")
    assert (found.load, found.cores, found.memory_total, found.memory_available) == (0.5, 4, 102400, 51200)
    assert (found.uptime, found.disk_total, found.disk_free) == (12.5, 1024000, 409600)
