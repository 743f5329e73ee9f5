"""One spelling for each base URL, however it was pasted."""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from amtui.errors import UsageError

_ENDPOINTS: Final = re.compile(r"(?:/+v1)?/+(?:messages|responses|chat/+completions)/*\Z")
_VERSION: Final = re.compile(r"(?:/+v1)*/*\Z")
_HOST: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?\.?\Z")
_PORTS: Final = {"http": 80, "https": 443}
_EXAMPLE: Final = "write it as in https://api.example.com or http://127.0.0.1:8080"


def normalise(url: str) -> str:
    """`url` without trailing slashes, `/v1` or a known endpoint; scheme and host in lower case, no default
    port.

    Raises `UsageError`, which never repeats the URL, for anything but a plain http or https address: a key
    pasted into it must not reach a screen or the configuration.
    """
    text = url.strip()
    if not text.isascii() or not text.isprintable() or " " in text:
        raise UsageError(
            "the base URL holds characters that an address cannot have",
            "use plain ASCII; a host name with other letters in its xn-- form",
        )
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise UsageError("the base URL is malformed", _EXAMPLE) from error
    if parts.scheme not in _PORTS:
        raise UsageError("the base URL must begin with https:// or http://", _EXAMPLE)
    if "@" in parts.netloc:
        raise UsageError(
            "the base URL contains a user name or key",
            "leave it out of the URL and name the key with --key-env VAR, then: amtui secret set VAR",
        )
    if parts.query or parts.fragment or text.endswith(("?", "#")):
        raise UsageError("the base URL contains a query or fragment", "give the address without ? and #")
    if port == 0:
        raise UsageError("the base URL has no usable port", _EXAMPLE)
    authority = _host(host, bracketed="[" in parts.netloc)
    if port is not None and port != _PORTS[parts.scheme]:
        authority += f":{port}"
    return urlunsplit((parts.scheme, authority, _path(parts.path), "", ""))


def in_clear(base_url: str) -> bool:
    """True when a key sent there crosses a network unencrypted: http to anything but this computer."""
    return urlsplit(base_url).scheme != "https" and not loopback(base_url)


def loopback(base_url: str) -> bool:
    """True when the address means whichever computer uses it: on a remote worker, the worker's host, not ours."""
    host = (urlsplit(base_url).hostname or "").rstrip(".")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _host(host: str, *, bracketed: bool) -> str:
    if bracketed:
        try:
            return f"[{ipaddress.IPv6Address(host).compressed}]"
        except ValueError as error:
            raise UsageError("the base URL has no usable host", _EXAMPLE) from error
    if not _HOST.match(host) or ".." in host:
        raise UsageError("the base URL has no usable host", _EXAMPLE)
    return host


def _path(path: str) -> str:
    """`path` as a base; repeated until nothing changes, because `/v1/v1/messages` is pasted too."""
    if any(step in (".", "..") for step in path.split("/")):
        raise UsageError("the base URL contains . or .. as a step", "give the address without them")
    while True:
        shorter = _VERSION.sub("", _ENDPOINTS.sub("", path))
        if shorter == path:
            return path
        path = shorter
