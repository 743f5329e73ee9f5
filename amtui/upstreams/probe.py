"""Ask an upstream what it speaks, without a model, a cost or a trace of the key.

Each wire's endpoint gets a request that no server can accept (`{}`): a server that knows the path complains
about the body or the key, one that does not answers 404 or 405. Source: research on the four agent programs'
own endpoints.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from msgspec import Struct

from amtui.model import Untrusted, Wire
from amtui.upstreams.address import in_clear
from amtui.upstreams.base import Upstream

if TYPE_CHECKING:
    import httpx

PATHS: Final = {Wire.MESSAGES: "/messages", Wire.RESPONSES: "/responses", Wire.CHAT: "/chat/completions"}
_ABSENT: Final = frozenset({404, 405, 410, 501})
_GONE: Final = frozenset({502, 503, 504})


class WireState(StrEnum):
    """What a wire's endpoint turned out to be."""

    PRESENT = "present"
    ABSENT = "absent"
    REJECTED = "rejected"
    """Something answers there and refuses the key, or the lack of one."""
    UNREACHABLE = "unreachable"


class Probe(Struct, frozen=True, kw_only=True):
    """What an upstream really offers."""

    upstream: str
    wires: dict[Wire, WireState]
    details: dict[Wire, str]
    """One line for each wire, safe for a terminal and free of the key."""
    detail: str
    """The one line that matters most."""
    seconds: float
    bearer: bool = False
    """The messages wire wants `Authorization: Bearer` and not `x-api-key`."""

    def offers(self, *wires: Wire) -> bool:
        """True when at least one of `wires` is there and took the key."""
        return any(self.wires.get(wire) is WireState.PRESENT for wire in wires)

    @property
    def reachable(self) -> bool:
        """True when anything answered."""
        return any(state is not WireState.UNREACHABLE for state in self.wires.values())

    @property
    def rejected(self) -> bool:
        """True when the key (or its absence) was refused and nothing took it."""
        return not self.offers(*Wire) and WireState.REJECTED in self.wires.values()


class _Answer(Struct, frozen=True):
    state: WireState
    text: str
    bearer: bool = False


async def probe(upstream: Upstream, key: str | None, *, timeout: float = 10.0) -> Probe:
    """Ask all three endpoints at once; never raises for what the network or the server does.

    `timeout` is in seconds and covers everything. The key is sent to that address only: redirects are not
    followed.
    """
    began = time.monotonic()
    if key and (not key.isascii() or not key.isprintable() or " " in key):
        answers = dict.fromkeys(PATHS, _Answer(WireState.REJECTED, "the key holds characters no key has"))
    else:
        answers = await _ask_all(upstream, key, timeout)
    wires = {wire: answer.state for wire, answer in answers.items()}
    return Probe(
        upstream=upstream.id,
        wires=wires,
        details={wire: answer.text for wire, answer in answers.items()},
        detail=_summary(upstream, answers, key),
        seconds=time.monotonic() - began,
        bearer=answers[Wire.MESSAGES].bearer,
    )


async def _ask_all(upstream: Upstream, key: str | None, timeout: float) -> dict[Wire, _Answer]:
    # In a thread: importing the library and reading the CA bundle take longer than a frame of the screen.
    client = await asyncio.to_thread(_client, timeout)

    async def one(wire: Wire) -> _Answer:
        try:
            async with asyncio.timeout(timeout):
                return await _ask(client, upstream, wire, key)
        except TimeoutError:
            return _Answer(WireState.UNREACHABLE, f"no answer within {timeout:g} s")
        except Exception as error:
            # Whatever it is, its text is not shown: a malformed header, key and all, is quoted in one of them.
            return _Answer(WireState.UNREACHABLE, _cause(error, timeout))

    async with client:
        found = await asyncio.gather(*(one(wire) for wire in PATHS))
    return dict(zip(PATHS, found, strict=True))


def _client(timeout: float) -> httpx.AsyncClient:
    import httpx

    return httpx.AsyncClient(timeout=timeout, follow_redirects=False)


async def _ask(client: httpx.AsyncClient, upstream: Upstream, wire: Wire, key: str | None) -> _Answer:
    url = f"{upstream.v1()}{PATHS[wire]}"
    if wire is not Wire.MESSAGES:
        return _judge(await _post(client, url, _bearer(key)), key)
    version = {"anthropic-version": "2023-06-01"}
    answer = _judge(await _post(client, url, {**version, **({"x-api-key": key} if key else {})}), key)
    if answer.state is WireState.REJECTED and key:
        second = _judge(await _post(client, url, {**version, **_bearer(key)}), key)
        if second.state is WireState.PRESENT:
            return _Answer(second.state, second.text, bearer=True)
    return answer


async def _post(client: httpx.AsyncClient, url: str, headers: dict[str, str]) -> httpx.Response:
    """The response with nothing of its body read: only the status counts, and a body may have no end."""
    async with client.stream("POST", url, headers=headers, json={}) as response:
        return response


def _bearer(key: str | None) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"} if key else {}


def _judge(response: httpx.Response, key: str | None) -> _Answer:
    status = response.status_code
    if status in _ABSENT:
        return _Answer(WireState.ABSENT, f"not offered ({status})")
    if status in (401, 403):
        what = "the key was rejected" if key else "a key is needed"
        return _Answer(WireState.REJECTED, f"{what} ({status})")
    if status in _GONE:
        return _Answer(WireState.UNREACHABLE, f"the service behind the address does not answer ({status})")
    if 300 <= status < 400:
        return _Answer(
            WireState.ABSENT, f"it redirects to {_target(response)} ({status}); give that address instead"
        )
    return _Answer(WireState.PRESENT, f"offered ({status})")


def _target(response: httpx.Response) -> str:
    """Host of a redirect, for a person; what is not an address is not repeated."""
    try:
        host = urlsplit(response.headers.get("location", "")).hostname or ""
    except ValueError:
        host = ""
    return Untrusted(host, "upstream").for_line(80) or "another address"


def _summary(upstream: Upstream, answers: dict[Wire, _Answer], key: str | None) -> str:
    present = [wire.value for wire, answer in answers.items() if answer.state is WireState.PRESENT]
    if present:
        clear = "; the key travels unencrypted" if key and in_clear(upstream.base_url) else ""
        return f"{upstream.id} speaks {', '.join(present)}{clear}"
    for state in (WireState.REJECTED, WireState.UNREACHABLE):
        texts = [answer.text for answer in answers.values() if answer.state is state]
        if texts:
            return f"{upstream.id}: {texts[0]}"
    texts = [answer.text for answer in answers.values() if "redirects" in answer.text]
    return f"{upstream.id}: {texts[0] if texts else 'none of the three wires is offered at this address'}"


def _cause(error: BaseException, timeout: float) -> str:
    """Why a request failed, from the classes of the exceptions below it, never from their texts."""
    import socket
    import ssl

    import httpx

    chain = list(_chain(error))
    if any(isinstance(each, socket.gaierror) for each in chain):
        return "the host name is unknown (DNS)"
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in chain):
        return "its TLS certificate is not trusted"
    if any(isinstance(each, ssl.SSLError) for each in chain):
        return "no TLS there; is it http://?"
    if any(isinstance(each, ConnectionRefusedError) for each in chain):
        return "connection refused"
    if isinstance(error, httpx.TimeoutException):
        return f"no answer within {timeout:g} s"
    if isinstance(error, httpx.ProxyError):
        return "the proxy refused"
    if isinstance(error, httpx.RemoteProtocolError):
        return "what answers there does not speak proper HTTP"
    if isinstance(error, httpx.ReadError | httpx.WriteError | httpx.CloseError):
        return "the connection broke"
    if isinstance(error, httpx.ConnectError):
        return "no connection"
    return f"the request failed ({type(error).__name__})"


def _chain(error: BaseException | None, depth: int = 0) -> Iterator[BaseException]:
    if error is None or depth > 12:
        return
    yield error
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _chain(part, depth + 1)
    yield from _chain(error.__cause__ or error.__context__, depth + 1)
