"""Programs and hosts that tests run against: the tmux of this computer and a private sshd on loopback."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import asyncssh


def program(name: str, *, override: str = "") -> str:
    """Absolute path of `name`: from the environment variable `override`, PATH or the sbin directories."""
    named = os.environ.get(override, "") if override else ""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/local/sbin"))
    found = named or shutil.which(name, path=path)
    if not found or not Path(found).exists():
        raise FileNotFoundError(f"{name} is not installed; the tests need it (`make test` fetches it)")
    return str(Path(found).absolute())


def wait_until(condition: Callable[[], bool], *, timeout: float = 10.0, what: str = "") -> None:
    """Return as soon as `condition` holds; fail after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what or condition}")
        time.sleep(0.01)


def processes(mark: str) -> list[int]:
    """Living processes, not ours, whose argv or environment holds `mark`."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):
            if mark.encode() in (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes():
                found.append(int(entry.name))
    return found


class Sshd:
    """A private sshd on 127.0.0.1: own host key, own user key, own HOME for its sessions, nothing of ~/.ssh.

    Works as root and as an ordinary user; sessions are of the user who runs the tests.
    """

    def __init__(self, directory: Path, *, max_sessions: int = 10, options: tuple[str, ...] = ()) -> None:
        self.directory = directory
        self.home = directory / "home"
        self.user_key = directory / "user_key"
        self.port = 0
        self._options = (f"MaxSessions {max_sessions}", *options)
        self._process: subprocess.Popen[bytes] | None = None
        self.home.mkdir(parents=True)
        self.home.chmod(0o700)
        self.public_key = new_key(self.user_key)
        self.host_key = new_key(directory / "host_key")
        self.authorize(self.public_key)

    def authorize(self, *public_keys: str, **environment: str) -> None:
        """Let exactly these keys in, with a HOME of the test's own and more variables if wanted."""
        environment = {"HOME": str(self.home), **environment}
        words = ",".join(f'environment="{name}={value}"' for name, value in environment.items())
        lines = [f"{words} {key}\n" for key in public_keys]
        (self.directory / "authorized_keys").write_text("".join(lines))

    def rekey(self) -> None:
        """Show another host key from now on, on the same port."""
        self.stop()
        self.host_key = new_key(self.directory / "host_key")
        self.start()

    def start(self) -> Sshd:
        """Start on its port, or on a free one the first time; returns when it answers."""
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # compiled into sshd
        for _ in range(5):
            port = self.port or _free_port()
            if self._launch(port):
                self.port = port
                return self
        raise AssertionError(f"sshd does not start: {self.log()}")

    def log(self) -> str:
        """What sshd has logged."""
        path = self.directory / "sshd.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def cut(self) -> None:
        """Kill every connection, as a lost network would; the daemon lives."""
        for child in self._descendants():
            _kill(child)

    def stop(self) -> None:
        """End the daemon, its connections and whatever their sessions left running."""
        if self._process is None:
            return
        victims = self._descendants()
        self._process.kill()
        self._process.wait()
        self._process = None
        for victim in {*victims, *processes(f"HOME={self.home}\0")}:
            _kill(victim)

    def _launch(self, port: int) -> bool:
        config = self.directory / "sshd_config"
        lines = [
            *self._options,  # sshd takes the first value it reads
            f"Port {port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {self.directory}/host_key",
            f"PidFile {self.directory}/sshd.pid",
            f"AuthorizedKeysFile {self.directory}/authorized_keys",
            "PermitUserEnvironment yes",
            "PermitUserRC no",
            "PermitRootLogin yes",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "StrictModes no",
            "UsePAM no",
            "UseDNS no",
            "PrintMotd no",
            "LogLevel VERBOSE",
        ]
        if not any(line.startswith("Subsystem") for line in self._options):
            lines.append("Subsystem sftp internal-sftp")
        config.write_text("\n".join(lines) + "\n")
        command = [program("sshd", override="AMTUI_TEST_SSHD"), "-D", "-f", str(config)]
        command += ["-E", str(self.directory / "sshd.log")]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return True
            time.sleep(0.01)
        return False

    def _descendants(self) -> list[int]:
        assert self._process is not None
        parents = dict(_parents())
        family = {self._process.pid}
        grown = True
        while grown:
            more = {pid for pid, parent in parents.items() if parent in family} - family
            family |= more
            grown = bool(more)
        return sorted(family - {self._process.pid})


class SshWorld:
    """What an operator has: an ssh configuration with aliases, a known_hosts file, an environment. No ~/.ssh.

    `box` is the alias of the first sshd, whose key is on file. Pass `environ` to `SshProvider` or `Providers`.
    """

    def __init__(self, directory: Path, host: Sshd) -> None:
        self.host = host
        self.config_file = directory / "ssh_config"
        self.known_hosts = directory / "known_hosts"
        self.home = host.home
        self.environ = {
            "AMTUI_SSH_CONFIG": str(self.config_file),
            "HOME": str(directory),
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        }
        self.trust(host)
        self.alias("box", host)

    @property
    def substrate(self) -> str:
        return "ssh:box"

    def trust(self, host: Sshd) -> None:
        """Put the key that `host` shows now on file."""
        with self.known_hosts.open("a") as file:
            file.write(f"[127.0.0.1]:{host.port} {host.host_key}\n")

    def alias(self, name: str, host: Sshd | None = None, **options: str) -> str:
        """Add `Host name`; options are ssh_config words, as `ProxyJump="hop"`. Returns the name."""
        words = {
            "HostName": "127.0.0.1",
            "UserKnownHostsFile": str(self.known_hosts),
            "IdentitiesOnly": "yes",
        }
        words["GlobalKnownHostsFile"] = "/dev/null"
        if host is not None:
            words |= {"Port": str(host.port), "IdentityFile": str(host.user_key)}
        words |= options
        with self.config_file.open("a") as file:
            file.write(f"Host {name}\n" + "".join(f"  {key} {value}\n" for key, value in words.items()))
        return name


def new_key(path: Path, *, passphrase: str | None = None) -> str:
    """Write a new ed25519 key (0600) and its .pub; returns the public line."""
    key = asyncssh.generate_private_key("ssh-ed25519", comment="amtui-test")
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(key.export_private_key(passphrase=passphrase))
    public = key.export_public_key().decode().strip()
    path.with_name(path.name + ".pub").write_text(public + "\n")
    return " ".join(public.split()[:2])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _parents() -> Iterator[tuple[int, int]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, ValueError, IndexError):
                yield int(entry.name), int((entry / "stat").read_text().rsplit(") ", 1)[1].split()[1])


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)
