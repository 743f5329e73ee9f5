"""The environment allow-list: what passes, what never does, what may be logged."""

from __future__ import annotations

import pytest

from amtui.providers.environment import ALLOWED, allow_list, loggable


def test_only_listed_names_pass() -> None:
    refused = (
        "E2B_API_KEY X_TOKEN A_SECRET SSH_AUTH_SOCK DBUS_SESSION_BUS_ADDRESS DISPLAY TMUX TMUX_PANE LC_PASSWORD "
        "LD_PRELOAD PYTHONPATH NODE_OPTIONS XDG_RUNTIME_DIR"
    )
    everything = dict.fromkeys(ALLOWED, "/x") | dict.fromkeys(refused.split(), "secret")
    kept = allow_list(everything)
    assert set(kept) == ALLOWED
    assert "secret" not in kept.values()


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("", "/usr/local/bin:/usr/bin:/bin"),
        ("/opt/x:/bin", "/opt/x:/bin:/usr/local/bin:/usr/bin"),
        (".:bin::/usr/bin", "/usr/bin:/usr/local/bin:/bin"),
    ],
)
def test_path_is_absolute_and_never_without_the_basics(given: str, wanted: str) -> None:
    assert allow_list({"PATH": given})["PATH"] == wanted


def test_certificate_variables_are_paths_or_absent() -> None:
    kept = allow_list({"SSL_CERT_FILE": "/etc/ca.pem", "NODE_EXTRA_CA_CERTS": "-----BEGIN", "PIP_CERT": ""})
    assert kept["SSL_CERT_FILE"] == "/etc/ca.pem"
    assert "NODE_EXTRA_CA_CERTS" not in kept
    assert "PIP_CERT" not in kept


def test_empty_values_are_absent() -> None:
    assert set(allow_list({"LANG": "", "TZ": ""})) == {"PATH"}


@pytest.mark.parametrize(
    "value",
    [
        "http://user:pass-word@proxy:8080",
        "user:pass-word@proxy:8080",
        "socks5://user:pass-word@[::1]:1",
        "http://pass-word@proxy",
    ],
)
def test_a_proxy_password_is_not_logged(value: str) -> None:
    assert allow_list({"https_proxy": value})["https_proxy"] == value
    shown = loggable(allow_list({"https_proxy": value}))["https_proxy"]
    assert "pass-word" not in shown
    assert "user" not in shown


def test_a_proxy_without_password_is_logged_as_it_is() -> None:
    env = {"http_proxy": "http://proxy:8080", "NO_PROXY": "localhost,.example.org"}
    assert loggable(env) == env
