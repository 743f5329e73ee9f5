"""How ssh hosts are reached and refused: keys, host keys, jumps, sessions, broken links. Real sshd, loopback."""

# ruff: noqa: ASYNC110 - the host is this computer and tests look at it directly

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import asyncssh
import pytest
from hosts import Sshd, SshWorld, new_key

from amtui.errors import (
    AmtuiError,
    AuthRejected,
    CapacityUnavailable,
    ConfigError,
    HostKeyChanged,
    HostKeyUnknown,
    Invalid,
    MissingCredentials,
    Refused,
    StreamBroken,
    Unreachable,
    Unsupported,
)
from amtui.model import HostState
from amtui.providers.base import Command, Output
from amtui.providers.registry import Providers
from amtui.providers.ssh import SshProvider

HELLO = Command(argv=["echo", "hello"])


class Kept:
    """Secrets by name."""

    def __init__(self, **values: str) -> None:
        self._values = values

    def get(self, name: str) -> str | None:
        return self._values.get(name.removeprefix("ssh:"))


@pytest.fixture
async def provider(sshd: SshWorld) -> AsyncIterator[Callable[..., SshProvider]]:
    """Makes providers on the world of `sshd` and closes them."""
    made: list[SshProvider] = []

    def make(**options: object) -> SshProvider:
        made.append(SshProvider(environ=sshd.environ, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for it in made:
        await it.aclose()


@pytest.fixture
def second(tmp_path: Path) -> Iterator[Callable[..., Sshd]]:
    """Starts further private sshds."""
    made: list[Sshd] = []

    def start(**options: object) -> Sshd:
        made.append(Sshd(tmp_path / f"sshd-{len(made)}", **options).start())  # type: ignore[arg-type]
        return made[-1]

    yield start
    for host in made:
        host.stop()


async def says_hello(provider: SshProvider, host: str = "box") -> bool:
    return (await provider.exec(host, HELLO)).stdout == b"hello\n"


def clear(error: AmtuiError) -> bool:
    """One line each for what happened and what to do."""
    return bool(error.message and error.hint) and "\n" not in error.message + error.hint


# -- host keys


async def test_an_unknown_key_is_shown_then_accepted(
    sshd: SshWorld, provider: Callable[..., SshProvider]
) -> None:
    sshd.known_hosts.write_text("# mine, without a last newline")
    ssh = provider()
    with pytest.raises(HostKeyUnknown) as caught:
        await ssh.exec("box", HELLO)
    key = asyncssh.import_public_key(sshd.host.host_key)
    assert caught.value.fingerprint == key.get_fingerprint("sha256")
    assert caught.value.fingerprint in caught.value.message
    assert caught.value.line == f"[127.0.0.1]:{sshd.host.port} {sshd.host.host_key}"
    assert clear(caught.value)
    assert (await ssh.state("box")).state is HostState.UNREACHABLE
    await ssh.accept_host_key(caught.value.line)
    assert sshd.known_hosts.read_text() == f"# mine, without a last newline\n{caught.value.line}\n"
    assert await says_hello(ssh)
    assert await says_hello(provider())


async def test_a_new_known_hosts_file_is_private(
    sshd: SshWorld, provider: Callable[..., SshProvider], tmp_path: Path
) -> None:
    fresh = tmp_path / "new" / "known_hosts"
    sshd.alias("fresh", sshd.host, UserKnownHostsFile=str(fresh))
    ssh = provider()
    with pytest.raises(HostKeyUnknown) as caught:
        await ssh.exec("fresh", HELLO)
    await ssh.accept_host_key(caught.value.line)
    assert fresh.stat().st_mode & 0o777 == 0o600
    assert await says_hello(ssh, "fresh")


async def test_the_registry_passes_an_accepted_key_on(sshd: SshWorld, tmp_path: Path) -> None:
    sshd.known_hosts.write_text("")
    providers = Providers(SimpleNamespace(machines=tmp_path / "m"), environ=sshd.environ)  # type: ignore[arg-type]
    with pytest.raises(Refused):
        await providers.accept_host_key("box ssh-ed25519 AAAA")
    ssh = providers.get("ssh:box")
    with pytest.raises(HostKeyUnknown) as caught:
        await ssh.exec("box", HELLO)
    await providers.accept_host_key(caught.value.line)
    assert (await ssh.exec("box", HELLO)).ok
    await providers.aclose()


async def test_only_a_line_that_was_shown_is_accepted(
    sshd: SshWorld, provider: Callable[..., SshProvider]
) -> None:
    before = sshd.known_hosts.read_text()
    with pytest.raises(Refused):
        await provider().accept_host_key(f"* {sshd.host.host_key}")
    assert sshd.known_hosts.read_text() == before


async def test_a_changed_key_is_refused_for_good(
    sshd: SshWorld, provider: Callable[..., SshProvider]
) -> None:
    ssh = provider()
    assert await says_hello(ssh)
    sshd.host.rekey()
    before = sshd.known_hosts.read_text()
    with pytest.raises(HostKeyChanged) as caught:
        await provider().exec("box", HELLO)
    assert clear(caught.value)
    assert "ssh-keygen -R" in caught.value.hint
    with pytest.raises(Refused):
        await ssh.accept_host_key(f"[127.0.0.1]:{sshd.host.port} {sshd.host.host_key}")
    assert sshd.known_hosts.read_text() == before


async def test_a_line_shown_before_another_key_was_put_on_file_is_refused(
    sshd: SshWorld, provider: Callable[..., SshProvider], tmp_path: Path
) -> None:
    sshd.known_hosts.write_text("")
    ssh = provider()
    with pytest.raises(HostKeyUnknown) as caught:
        await ssh.exec("box", HELLO)
    sshd.known_hosts.write_text(f"[127.0.0.1]:{sshd.host.port} {new_key(tmp_path / 'other')}\n")
    with pytest.raises(Refused):
        await ssh.accept_host_key(caught.value.line)


async def test_a_key_of_another_kind_counts_as_changed(
    sshd: SshWorld, provider: Callable[..., SshProvider]
) -> None:
    rsa = asyncssh.generate_private_key("ecdsa-sha2-nistp256").export_public_key().decode().strip()
    sshd.known_hosts.write_text(f"[127.0.0.1]:{sshd.host.port} {rsa}\n")
    with pytest.raises((HostKeyChanged, AmtuiError)) as caught:
        await provider().exec("box", HELLO)
    assert not isinstance(caught.value, HostKeyUnknown)


async def test_a_revoked_key_is_refused(sshd: SshWorld, provider: Callable[..., SshProvider]) -> None:
    sshd.known_hosts.write_text(f"@revoked [127.0.0.1]:{sshd.host.port} {sshd.host.host_key}\n")
    with pytest.raises(HostKeyChanged):
        await provider().exec("box", HELLO)


async def test_host_keys_are_checked_whatever_the_configuration_says(
    sshd: SshWorld, provider: Callable[..., SshProvider]
) -> None:
    sshd.alias("lax", sshd.host, UserKnownHostsFile="none", StrictHostKeyChecking="no")
    with pytest.raises(HostKeyUnknown):
        await provider().exec("lax", HELLO)


async def test_a_host_key_alias_is_the_name_on_file(
    sshd: SshWorld, provider: Callable[..., SshProvider]
) -> None:
    sshd.known_hosts.write_text("")
    sshd.alias("aliased", sshd.host, HostKeyAlias="the-box")
    ssh = provider()
    with pytest.raises(HostKeyUnknown) as caught:
        await ssh.exec("aliased", HELLO)
    assert caught.value.line == f"the-box {sshd.host.host_key}"
    await ssh.accept_host_key(caught.value.line)
    assert await says_hello(ssh, "aliased")
    sshd.host.rekey()
    with pytest.raises(HostKeyChanged):
        await provider().exec("aliased", HELLO)


async def test_a_broken_line_in_known_hosts_does_not_hide_the_others(
    sshd: SshWorld, provider: Callable[..., SshProvider]
) -> None:
    sshd.known_hosts.write_text("nonsense\n@what ever this\n" + sshd.known_hosts.read_text())
    assert await says_hello(provider())


# -- who we are


async def test_a_refused_key(sshd: SshWorld, provider: Callable[..., SshProvider], tmp_path: Path) -> None:
    sshd.alias("wrong", sshd.host, IdentityFile=str(tmp_path / "wrong"))
    new_key(tmp_path / "wrong")
    with pytest.raises(AuthRejected) as caught:
        await provider().exec("wrong", HELLO)
    assert clear(caught.value)
    assert caught.value.exit_code == 5


async def test_no_key_at_all(sshd: SshWorld, provider: Callable[..., SshProvider], tmp_path: Path) -> None:
    sshd.alias("keyless", sshd.host, IdentityFile=str(tmp_path / "none"))
    with pytest.raises(MissingCredentials) as caught:
        await provider().exec("keyless", HELLO)
    assert clear(caught.value)
    assert "none" in caught.value.message


@pytest.fixture(params=["with .pub", "without .pub"])
def locked(sshd: SshWorld, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / "locked"
    sshd.host.authorize(new_key(path, passphrase="open sesame"))
    if request.param == "without .pub":
        path.with_name("locked.pub").unlink()
    sshd.alias("locked", sshd.host, IdentityFile=str(path))
    return path


async def test_a_locked_key_with_the_passphrase_kept(
    sshd: SshWorld, provider: Callable[..., SshProvider], locked: Path
) -> None:
    assert await says_hello(provider(secrets=Kept(locked="open sesame")), "locked")


async def test_a_locked_key_with_the_passphrase_asked_once(
    sshd: SshWorld, provider: Callable[..., SshProvider], locked: Path
) -> None:
    asked: list[str] = []

    async def ask(prompt: str) -> str:
        asked.append(prompt)
        return "open sesame"

    ssh = provider(ask=ask)
    assert await says_hello(ssh, "locked")
    sshd.host.cut()
    await _until(lambda: ssh._links._links["locked"].closed)
    assert await says_hello(ssh, "locked")
    assert len(asked) == 1
    assert str(locked) in asked[0]


async def test_a_locked_key_and_nobody_to_ask(provider: Callable[..., SshProvider], locked: Path) -> None:
    with pytest.raises(MissingCredentials) as caught:
        await provider().exec("locked", HELLO)
    assert clear(caught.value)
    assert str(locked) in caught.value.message
    assert "amtui secret set ssh:locked" in caught.value.hint


async def test_a_wrong_passphrase(provider: Callable[..., SshProvider], locked: Path) -> None:
    with pytest.raises(AuthRejected) as caught:
        await provider(secrets=Kept(locked="wrong-words")).exec("locked", HELLO)
    assert clear(caught.value)
    assert "wrong-words" not in caught.value.message + caught.value.hint + repr(caught.value.__context__)


async def test_a_key_in_the_agent(sshd: SshWorld, tmp_path: Path) -> None:
    """A locked key under IdentitiesOnly whose open half an agent holds needs no passphrase."""
    path = tmp_path / "locked"
    sshd.host.authorize(new_key(path, passphrase="open sesame"))
    sshd.alias("agent", sshd.host, IdentityFile=str(path))
    key = asyncssh.read_private_key(path, "open sesame")
    agent = await _serve_agent(tmp_path / "agent.sock", key)
    ssh = SshProvider(environ=sshd.environ | {"SSH_AUTH_SOCK": str(tmp_path / "agent.sock")})
    try:
        assert await says_hello(ssh, "agent")
    finally:
        await ssh.aclose()
        agent.close()


async def test_nothing_of_ours_is_forwarded(
    sshd: SshWorld, second: Callable[..., Sshd], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the agent, no variables, no X11, no pty, no command of the configuration's."""
    monkeypatch.setenv("E2B_API_KEY", "planted")
    host = second(options=("LogLevel DEBUG1", "AcceptEnv *"))
    sshd.trust(host)
    new_key(tmp_path / "unused")
    sshd.alias(
        "open",
        host,
        ForwardAgent="yes",
        ForwardX11="yes",
        SendEnv="E2B_API_KEY",
        SetEnv="GITHUB_TOKEN=planted",
        RequestTTY="force",
        RemoteCommand="touch /nowhere",
    )
    await _serve_agent(tmp_path / "agent.sock", asyncssh.read_private_key(tmp_path / "unused"))
    ssh = SshProvider(
        environ=sshd.environ | {"SSH_AUTH_SOCK": str(tmp_path / "agent.sock"), "E2B_API_KEY": "x"}
    )
    try:
        assert await says_hello(ssh, "open")
    finally:
        await ssh.aclose()
    log = host.log()
    assert "request exec" in log
    for request in ("auth-agent-req", "request env", "x11-req", "pty-req"):
        assert request not in log


# -- the way there


async def test_a_refused_port(sshd: SshWorld, provider: Callable[..., SshProvider]) -> None:
    ssh = provider()
    sshd.host.stop()
    with pytest.raises(Unreachable) as caught:
        await ssh.exec("box", HELLO)
    assert clear(caught.value)
    assert caught.value.code == "ECONNREFUSED"
    found = await ssh.state("box")
    assert found.state is HostState.UNREACHABLE
    assert found.detail == caught.value.message


async def test_an_unknown_name(sshd: SshWorld, provider: Callable[..., SshProvider]) -> None:
    sshd.alias("lost", sshd.host, HostName="no-such-host.invalid")
    with pytest.raises(Unreachable) as caught:
        await provider().exec("lost", HELLO)
    assert clear(caught.value)


async def test_something_else_answers(sshd: SshWorld, provider: Callable[..., SshProvider]) -> None:
    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.0 400 Bad\x1b[2J\r\n\r\n" * 50)
        writer.close()

    server = await asyncio.start_server(web, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sshd.alias("web", sshd.host, Port=str(port))
    with pytest.raises(AmtuiError) as caught:
        await provider().exec("web", HELLO)
    assert "\x1b" not in caught.value.message
    assert caught.value.exit_code in (1, 6)
    server.close()


async def test_a_configuration_nobody_understands(
    sshd: SshWorld, provider: Callable[..., SshProvider]
) -> None:
    with sshd.config_file.open("a") as file:
        file.write("Host odd\n  Port twenty-two\n")
    with pytest.raises(ConfigError) as caught:
        await provider().exec("odd", HELLO)
    assert clear(caught.value)


@pytest.mark.parametrize("name", ["@x", "a b", "-oProxyCommand=x", "x:port"])
async def test_what_is_no_host(provider: Callable[..., SshProvider], name: str) -> None:
    with pytest.raises((Invalid, Unreachable)):
        await provider().exec(name, HELLO)


async def test_user_host_and_port_without_an_alias(
    sshd: SshWorld, provider: Callable[..., SshProvider]
) -> None:
    import getpass

    sshd.alias("127.0.0.1", None, IdentityFile=str(sshd.host.user_key))
    assert await says_hello(provider(), f"{getpass.getuser()}@127.0.0.1:{sshd.host.port}")


async def test_through_a_jump_host(
    sshd: SshWorld, provider: Callable[..., SshProvider], second: Callable[..., Sshd]
) -> None:
    hop = second()
    sshd.trust(hop)
    sshd.alias("hop", hop)
    sshd.alias("far", sshd.host, ProxyJump="hop")
    before = sshd.host.log().count("Accepted publickey")
    assert await says_hello(provider(), "far")
    assert hop.log().count("Accepted publickey") == 1
    assert sshd.host.log().count("Accepted publickey") == before + 1


async def test_a_jump_host_nobody_vouched_for(
    sshd: SshWorld, provider: Callable[..., SshProvider], second: Callable[..., Sshd]
) -> None:
    hop = second()
    sshd.alias("hop", hop)
    sshd.alias("far", sshd.host, ProxyJump="hop")
    ssh = provider()
    with pytest.raises(HostKeyUnknown) as caught:
        await ssh.exec("far", HELLO)
    assert caught.value.host == "hop"
    await ssh.accept_host_key(caught.value.line)
    assert await says_hello(ssh, "far")


async def test_two_jumps_and_one_that_is_down(
    sshd: SshWorld, provider: Callable[..., SshProvider], second: Callable[..., Sshd]
) -> None:
    first, then = second(), second()
    for name, hop in (("first", first), ("then", then)):
        sshd.trust(hop)
        sshd.alias(name, hop)
    sshd.alias("far", sshd.host, ProxyJump="first,then")
    ssh = provider()
    assert await says_hello(ssh, "far")
    assert then.log().count("Accepted publickey") == 1
    sshd.alias("beyond", sshd.host, ProxyJump="first,gone")
    sshd.alias("gone", then, Port="1")
    with pytest.raises(Unreachable) as caught:
        await ssh.exec("beyond", HELLO)
    assert clear(caught.value)


async def test_jumps_in_a_circle(sshd: SshWorld, provider: Callable[..., SshProvider]) -> None:
    sshd.alias("round", sshd.host, ProxyJump="about")
    sshd.alias("about", sshd.host, ProxyJump="round")
    with pytest.raises(Invalid):
        await provider().exec("round", HELLO)


# -- sessions


async def test_one_connection_and_never_too_many_sessions(
    sshd: SshWorld, provider: Callable[..., SshProvider]
) -> None:
    """sshd's own limit is 10; thirty commands and a file session never touch it, nor MaxStartups."""
    ssh = provider()
    work = [ssh.exec("box", Command(argv=["sh", "-c", f"sleep 0.1; echo {i}"])) for i in range(30)]
    reading = [ssh.files.list("box", "/") for _ in range(3)]
    done = await asyncio.gather(*work, *reading)
    assert [int(it.stdout) for it in done[:30]] == list(range(30))  # type: ignore[union-attr]
    assert "no more sessions" not in sshd.host.log()
    assert sshd.host.log().count("Accepted publickey") == 1


async def test_a_server_with_few_sessions_is_waited_for(sshd: SshWorld, second: Callable[..., Sshd]) -> None:
    host = second(max_sessions=2)
    sshd.trust(host)
    sshd.alias("few", host)
    ssh = SshProvider(environ=sshd.environ)
    try:
        done = await asyncio.gather(*(ssh.exec("few", Command(argv=["echo", str(i)])) for i in range(12)))
        assert [int(it.stdout) for it in done] == list(range(12))
    finally:
        await ssh.aclose()


async def test_streams_leave_room_for_commands(
    sshd: SshWorld, provider: Callable[..., SshProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amtui.providers.ssh.STREAM_PATIENCE", 0.2)
    ssh = provider()
    open_ = [ssh.stream_exec("box", Command(argv=["cat"])) for _ in range(6)]
    for it in open_[:5]:
        await it.__aenter__()
    try:
        with pytest.raises(CapacityUnavailable):
            await open_[5].__aenter__()
        assert await says_hello(ssh)
    finally:
        for it in open_[:5]:
            await it.__aexit__(None, None, None)
    async with ssh.stream_exec("box", Command(argv=["cat"])) as stream:
        await stream.close_stdin()


async def test_a_command_on_a_warm_link_costs_one_message_each_way(
    sshd: SshWorld, provider: Callable[..., SshProvider]
) -> None:
    """The shell is there already: between request and result no session is opened."""
    ssh = provider()
    await ssh.exec("box", HELLO)
    link = ssh._links._links["box"]
    await _until(lambda: len(link._idle) == 2)
    lane = link._idle[0]
    opened = sshd.host.log().count("Starting session")
    async with ssh.stream_exec("box", HELLO) as stream:
        assert stream._lane is lane  # type: ignore[attr-defined]
        async for _ in stream:
            pass
    assert opened >= 3


async def test_an_account_that_may_not_run_commands(sshd: SshWorld, second: Callable[..., Sshd]) -> None:
    host = second(options=("ForceCommand echo no shell for you",))
    sshd.trust(host)
    sshd.alias("forced", host)
    ssh = SshProvider(environ=sshd.environ)
    try:
        with pytest.raises(Unsupported) as caught:
            await ssh.exec("forced", HELLO)
        assert "no shell for you" in caught.value.message
        assert clear(caught.value)
    finally:
        await ssh.aclose()


# -- broken links


async def test_a_broken_link_is_reported_and_nothing_runs_twice(
    sshd: SshWorld, provider: Callable[..., SshProvider]
) -> None:
    ssh = provider()
    runs = sshd.home / "runs"
    script = f"echo run >>{runs}; echo on; sleep 300"
    running = asyncio.ensure_future(ssh.exec("box", Command(argv=["/bin/sh", "-c", script])))
    await _until(runs.exists)
    sshd.host.cut()
    with pytest.raises(StreamBroken) as caught:
        await running
    assert clear(caught.value)
    assert await says_hello(ssh)
    assert runs.read_text() == "run\n"


async def test_a_link_found_dead_before_anything_started_is_made_anew(
    sshd: SshWorld, provider: Callable[..., SshProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amtui.providers.ssh_link.AHEAD", 0)
    ssh = provider()
    assert await says_hello(ssh)
    sshd.host.cut()
    assert await says_hello(ssh)
    assert sshd.host.log().count("Accepted publickey") == 2


async def test_what_only_reads_is_asked_again(sshd: SshWorld, provider: Callable[..., SshProvider]) -> None:
    """A waiting shell was there, so the question was sent, and nobody knows whether it was heard."""
    ssh = provider()
    assert await says_hello(ssh)
    await _until(lambda: len(ssh._links._links["box"]._idle) == 2)
    sshd.host.cut()
    assert (await ssh.state("box")).state is HostState.READY


async def test_a_broken_stream_says_so_after_its_output(
    sshd: SshWorld, provider: Callable[..., SshProvider]
) -> None:
    seen = b""
    ssh = provider()

    async def follow() -> None:
        nonlocal seen
        command = Command(argv=["/bin/sh", "-c", "echo on; sleep 300"])
        async with ssh.stream_exec("box", command) as stream:
            async for event in stream:
                if isinstance(event, Output):
                    seen += event.data
                    sshd.host.cut()

    with pytest.raises(StreamBroken):
        await follow()
    assert seen == b"on\n"


async def test_a_silent_network_is_noticed(
    sshd: SshWorld, provider: Callable[..., SshProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing comes back any more and nobody closes anything: keepalives find out, the command is reported."""
    monkeypatch.setattr("amtui.providers.dial.KEEPALIVE", 0.2)
    silent = asyncio.Event()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if not silent.is_set():
                writer.write(data)
        writer.close()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", sshd.host.port)
        await asyncio.gather(pump(reader, back), pump(there, writer), return_exceptions=True)

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sshd.alias("relayed", sshd.host, Port=str(port), HostKeyAlias="relayed-box")
    with sshd.known_hosts.open("a") as file:
        file.write(f"relayed-box {sshd.host.host_key}\n")
    ssh = provider()
    try:
        assert await says_hello(ssh, "relayed")
        running = asyncio.ensure_future(ssh.exec("relayed", Command(argv=["sleep", "300"], timeout=None)))
        done, _ = await asyncio.wait([running], timeout=0.5)
        assert not done
        silent.set()
        with pytest.raises(StreamBroken):
            await asyncio.wait_for(running, 10)
    finally:
        await ssh.aclose()
        server.close()


async def test_files_are_read_again_over_a_new_link(
    sshd: SshWorld, provider: Callable[..., SshProvider]
) -> None:
    ssh = provider()
    (sshd.home / "file").write_text("still here")
    assert await ssh.files.read("box", str(sshd.home / "file")) == b"still here"
    sshd.host.cut()
    assert await ssh.files.read("box", str(sshd.home / "file")) == b"still here"


async def test_after_closing_nothing_of_ours_is_left(sshd: SshWorld) -> None:
    ssh = SshProvider(environ=sshd.environ)
    assert await says_hello(ssh)
    await ssh.aclose()
    await _until(lambda: not sshd.host._descendants())


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def _serve_agent(path: Path, key: asyncssh.SSHKey) -> asyncio.AbstractServer:
    """A minimal ssh agent with one key: lists it and signs (draft-miller-ssh-agent)."""
    blob = key.public_data

    def string(data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + data

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                size = int.from_bytes(await reader.readexactly(4), "big")
                message = await reader.readexactly(size)
            except asyncio.IncompleteReadError:
                break
            if message[0] == 11:  # identities
                answer = b"\x0c" + (1).to_bytes(4, "big") + string(blob) + string(b"test")
            elif message[0] == 13:  # sign
                start = 5 + int.from_bytes(message[1:5], "big")
                length = int.from_bytes(message[start : start + 4], "big")
                data = message[start + 4 : start + 4 + length]
                answer = b"\x0e" + string(key.sign(data, b"ssh-ed25519"))
            else:
                answer = b"\x05"
            writer.write(string(answer))
            await writer.drain()
        writer.close()

    return await asyncio.start_unix_server(serve, str(path))
