"""The environment of everything amtui runs on a host: an allow-list, the same on every substrate.

An agent must not find the operator's credentials, session bus, ssh agent, display or tmux in its environment.
A list of forbidden names is never complete, so only the names here pass; whatever a worker needs beyond them
it gets from its own 0600 file. Proxy variables do pass, because without them many computers cannot reach a
package registry: a proxy URL of the form `http://user:password@proxy` therefore shows that password to the
agent, and to nobody else: `loggable` is what may be written to a log.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

PLAIN: Final = (
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LC_COLLATE",
    "LC_MONETARY",
    "LC_NUMERIC",
    "LC_TIME",
    "LC_MESSAGES",
    "LC_PAPER",
    "LC_NAME",
    "LC_ADDRESS",
    "LC_TELEPHONE",
    "LC_MEASUREMENT",
    "LC_IDENTIFICATION",
    "TERM",
    "TZ",
)
"""Who, where, which language. The LC_ names are spelled out: `LC_*` often smuggles values over ssh."""

_PROXY: Final = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")
PROXIES: Final = _PROXY + tuple(name.upper() for name in _PROXY)

CA_PATHS: Final = (
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "PIP_CERT",
    "GIT_SSL_CAINFO",
)
"""Where to find certificate authorities; pass only when the value is an absolute path."""

ALLOWED: Final = frozenset(("PATH", *PLAIN, *PROXIES, *CA_PATHS))

PATH_FLOOR: Final = ("/usr/local/bin", "/usr/bin", "/bin")
"""Directories that PATH always holds, appended where they are missing."""

_CREDENTIALS: Final = re.compile(r"(?<=://)[^/@\s]*@|^[^/@\s]+:[^/@\s]*@")


def allow_list(env: Mapping[str, str]) -> dict[str, str]:
    """The part of `env` that a command on a host may see, with a PATH that always works."""
    kept = {name: env[name] for name in (*PLAIN, *PROXIES) if env.get(name)}
    kept |= {name: env[name] for name in CA_PATHS if env.get(name, "").startswith("/")}
    kept["PATH"] = _path(env.get("PATH", ""))
    return kept


def _path(value: str) -> str:
    """Absolute directories of `value` in their order, then those of PATH_FLOOR that were missing."""
    dirs = [part for part in value.split(":") if part.startswith("/")]
    return ":".join(dirs + [floor for floor in PATH_FLOOR if floor not in dirs])


def loggable(env: Mapping[str, str]) -> dict[str, str]:
    """`env` with user:password@ taken out of proxy URLs: the only form in which it may be logged."""
    return {k: _CREDENTIALS.sub("…@", v) if k in PROXIES else v for k, v in env.items()}
