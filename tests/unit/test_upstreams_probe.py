"""The probe tells which wires a real server speaks, why it cannot be asked, and shows the key to nobody else."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import json
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from amtui.model import Wire
from amtui.upstreams import PRESETS, Upstream, WireState, probe

KEY = "sk-planted-0123456789"
PRESENT, ABSENT = WireState.PRESENT, WireState.ABSENT
REJECTED, UNREACHABLE = WireState.REJECTED, WireState.UNREACHABLE
MESSAGES, RESPONSES, CHAT = "/v1/messages", "/v1/responses", "/v1/chat/completions"


class Request(NamedTuple):
    path: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[Request], tuple[int, dict[str, str]]]


class Server:
    """An HTTP server on loopback that answers as told and remembers what it was asked."""

    def __init__(self, answer: Answer, context: ssl.SSLContext | None = None) -> None:
        self.seen: list[Request] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                request = Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                outer.seen.append(request)
                status, headers = answer(request)
                if status == 0:
                    return
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context:
            self.server.socket = context.wrap_socket(
                self.server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.server.server_port}"
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(answer: Answer | dict[str, int], **more: Any) -> Server:
        if isinstance(answer, dict):
            table = answer
            servers.append(Server(lambda request: (table.get(request.path, 404), {}), **more))
        else:
            servers.append(Server(answer, **more))
        return servers[-1]

    yield start
    for each in servers:
        each.close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def at(url: str, **more: Any) -> Upstream:
    return Upstream(id="t", wires=(Wire.CHAT,), base_url=url, key_env="T_KEY", **more)


def states(found: Any) -> tuple[WireState, WireState, WireState]:
    return found.wires[Wire.MESSAGES], found.wires[Wire.RESPONSES], found.wires[Wire.CHAT]


@pytest.mark.parametrize(
    ("status", "state"),
    [
        *((code, PRESENT) for code in (200, 201, 400, 402, 409, 413, 415, 422, 429, 500)),
        *((code, ABSENT) for code in (301, 307, 404, 405, 410, 501)),
        *((code, REJECTED) for code in (401, 403)),
        *((code, UNREACHABLE) for code in (502, 503, 504)),
    ],
)
async def test_what_each_status_means(serve: Callable[..., Server], status: int, state: WireState) -> None:
    server = serve({CHAT: status})
    found = await probe(at(server.url), KEY)
    assert states(found) == (ABSENT, ABSENT, state)
    assert str(status) in found.details[Wire.CHAT]
    assert found.offers(Wire.CHAT) is (state is PRESENT)
    assert not found.offers(Wire.MESSAGES, Wire.RESPONSES)
    assert found.rejected is (state is REJECTED)
    assert found.reachable


async def test_each_wire_is_asked_its_own_way_with_a_body_nobody_accepts(
    serve: Callable[..., Server],
) -> None:
    server = serve({MESSAGES: 400, RESPONSES: 400, CHAT: 400})
    found = await probe(at(server.url), KEY)
    assert states(found) == (PRESENT, PRESENT, PRESENT)
    assert not found.bearer
    assert found.detail == "t speaks messages, responses, chat"
    asked = {request.path: request for request in server.seen}
    assert set(asked) == {MESSAGES, RESPONSES, CHAT}
    assert all(json.loads(request.body) == {} for request in server.seen)
    assert asked[MESSAGES].headers["x-api-key"] == KEY
    assert "authorization" not in asked[MESSAGES].headers
    assert asked[MESSAGES].headers["anthropic-version"]
    for path in (RESPONSES, CHAT):
        assert asked[path].headers["authorization"] == f"Bearer {KEY}"
        assert "x-api-key" not in asked[path].headers


async def test_a_messages_wire_that_wants_a_bearer_is_found_out(serve: Callable[..., Server]) -> None:
    def answer(request: Request) -> tuple[int, dict[str, str]]:
        if request.path != MESSAGES:
            return 404, {}
        return (400 if request.headers.get("authorization") == f"Bearer {KEY}" else 401), {}

    found = await probe(at(serve(answer).url), KEY)
    assert states(found) == (PRESENT, ABSENT, ABSENT)
    assert found.bearer


async def test_a_rejected_key_and_a_missing_one(serve: Callable[..., Server]) -> None:
    server = serve({MESSAGES: 401, CHAT: 403})
    found = await probe(at(server.url), KEY)
    assert found.rejected
    assert found.detail == "t: the key was rejected (401)"
    assert [request.path for request in server.seen].count(MESSAGES) == 2
    server.seen.clear()
    found = await probe(at(server.url), None)
    assert found.detail == "t: a key is needed (401)"
    assert len(server.seen) == 3
    assert not any({"authorization", "x-api-key"} & request.headers.keys() for request in server.seen)


async def test_an_address_without_a_version_step(serve: Callable[..., Server]) -> None:
    server = serve({"/v1beta/openai/chat/completions": 400})
    found = await probe(at(server.url + "/v1beta/openai", version_path=""), KEY)
    assert states(found) == (ABSENT, ABSENT, PRESENT)
    assert PRESETS["google"].version_path == ""


async def test_a_redirect_does_not_get_the_key(serve: Callable[..., Server]) -> None:
    other = serve({MESSAGES: 400, RESPONSES: 400, CHAT: 400})
    server = serve(lambda request: (307, {"location": f"{other.url}{request.path}"}))
    found = await probe(at(server.url), KEY)
    assert states(found) == (ABSENT, ABSENT, ABSENT)
    assert other.seen == []
    assert "redirects to 127.0.0.1" in found.detail


@pytest.mark.parametrize("location", ["http://[x", "http://e\u009b2Jvil/", "\x1b]0;x\x07", "/relative", ""])
async def test_hostile_redirects_are_cleaned(serve: Callable[..., Server], location: str) -> None:
    server = serve(lambda request: (301, {"location": location}))
    found = await probe(at(server.url), KEY)
    assert not found.offers(*Wire)
    assert all(line.isprintable() for line in (found.detail, *found.details.values()))


async def test_connection_refused() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        found = await probe(at(url), KEY)
    assert states(found) == (UNREACHABLE, UNREACHABLE, UNREACHABLE)
    assert found.detail == "t: connection refused"
    assert not found.reachable


async def test_a_name_with_several_addresses_that_all_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

        def two(*args: Any, **more: Any) -> Any:
            kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
            return [(*kind, ("127.0.0.1", port)), (*kind, ("127.0.0.2", port))]

        monkeypatch.setattr(socket, "getaddrinfo", two)
        found = await probe(at(f"http://twofold.example:{port}"), KEY)
    assert found.detail == "t: connection refused"


async def test_an_unknown_host_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: Any, **more: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    found = await probe(at("http://upstream.invalid"), KEY)
    assert found.detail == "t: the host name is unknown (DNS)"


async def test_a_server_that_never_answers() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(16)
        found = await probe(at(f"http://127.0.0.1:{silent.getsockname()[1]}"), KEY, timeout=0.2)
    assert states(found) == (UNREACHABLE, UNREACHABLE, UNREACHABLE)
    assert found.detail == "t: no answer within 0.2 s"


async def test_a_server_that_drips_is_cut_off_at_the_deadline() -> None:
    """Each byte would restart a timeout between bytes; ours covers the whole."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(b"H")
                await writer.drain()
                await asyncio.sleep(0.02)
        except (ConnectionError, asyncio.CancelledError):
            writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with asyncio.timeout(20):
        found = await probe(at(f"http://127.0.0.1:{port}"), KEY, timeout=0.3)
    assert states(found) == (UNREACHABLE, UNREACHABLE, UNREACHABLE)
    server.close()


async def test_a_body_without_end_is_not_read(serve: Callable[..., Server]) -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 400 Bad Request\r\ntransfer-encoding: chunked\r\n\r\n")
        try:
            while True:
                writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            writer.close()

    server = await asyncio.start_server(endless, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with asyncio.timeout(20):
        found = await probe(at(f"http://127.0.0.1:{port}"), KEY, timeout=15)
    assert states(found) == (PRESENT, PRESENT, PRESENT)
    server.close()


async def test_what_does_not_speak_http() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        await writer.drain()
        await reader.read(65536)
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    found = await probe(at(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"), KEY)
    assert found.detail == "t: what answers there does not speak proper HTTP"
    server.close()


async def test_tls_where_there_is_none(serve: Callable[..., Server]) -> None:
    server = serve({})
    found = await probe(at(server.url.replace("http:", "https:")), KEY)
    assert found.detail == "t: no TLS there; is it http://?"


def self_signed(directory: Path) -> ssl.SSLContext:
    """A server context with a certificate for 127.0.0.1 that no authority knows."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = directory / "server.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


async def test_a_certificate_nobody_vouches_for(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve({CHAT: 400}, context=self_signed(tmp_path))
    found = await probe(at(server.url), KEY)
    assert found.detail == "t: its TLS certificate is not trusted"
    assert server.seen == []


@pytest.mark.parametrize("key", ["sk planted", "sk-planted\nx-evil: 1", "sk-plantedé", "sk-planted\x00"])
async def test_a_key_that_cannot_be_sent_is_not_sent(serve: Callable[..., Server], key: str) -> None:
    server = serve({CHAT: 400})
    found = await probe(at(server.url), key)
    assert found.rejected
    assert "planted" not in repr(found)
    assert server.seen == []


async def test_the_key_is_in_no_result_and_no_log(
    serve: Callable[..., Server], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    urls = [serve({MESSAGES: 401, CHAT: 400}).url, "http://127.0.0.1:1", "https://127.0.0.1:1"]
    for url in urls:
        assert KEY not in repr(await probe(at(url), KEY, timeout=5))
    assert KEY not in caplog.text


async def test_a_key_over_plain_http_is_pointed_out(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve({CHAT: 400})
    real = socket.getaddrinfo

    def here(host: Any, *args: Any, **more: Any) -> Any:
        return real("127.0.0.1", *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", here)
    url = server.url.replace("127.0.0.1", "models.example")
    assert (await probe(at(url), KEY)).detail == "t speaks chat; the key travels unencrypted"
    assert (await probe(at(url), None)).detail == "t speaks chat"
    assert (await probe(at(server.url), KEY)).detail == "t speaks chat"
