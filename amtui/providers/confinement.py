"""Confinement of a local agent with bwrap: it sees its home, working directory and read-only system paths.

The network stays, because the agent must reach its model; so abstract sockets of this computer stay reachable
too. Everything else that would let an agent act as the operator is absent: home, configuration, state, ssh
agent, session bus, other workers, the tmux socket, other processes.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from amtui.errors import Refused

UNCONFINED: Final = "without bwrap a local agent can read whatever you can: convenience, not isolation"

_SYSTEM: Final = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_TREES: Final = ("/usr", "/nix/store", "/gnu/store")

# Of /etc only what programs need to run; as root the rest would give away shadow and host keys.
_ETC: Final = (
    "alternatives",
    "bash.bashrc",
    "bashrc",
    "ca-certificates",
    "ca-certificates.conf",
    "crypto-policies",
    "debian_version",
    "fonts",
    "gai.conf",
    "group",
    "host.conf",
    "hostname",
    "hosts",
    "inputrc",
    "java",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "locale.conf",
    "localtime",
    "magic",
    "mime.types",
    "networks",
    "nsswitch.conf",
    "os-release",
    "passwd",
    "pki",
    "profile",
    "profile.d",
    "protocols",
    "python3",
    "resolv.conf",
    "services",
    "shells",
    "ssl",
    "static",
    "terminfo",
    "timezone",
    "vim",
)


# What root may write in a new /proc without any capability, and with it command the kernel of the whole computer:
# core_pattern alone names a program that runs outside. bwrap covers these only where it believes it may write.
_PROC: Final = ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi", "driver", "mtrr", "dynamic_debug")


def confine(
    argv: Sequence[str],
    *,
    home: str,
    workdir: str | None,
    writable: Iterable[str] = (),
    readonly: Iterable[str] = (),
    terminal: bool = True,
) -> list[str]:
    """The bwrap command that runs `argv` seeing only what an agent needs.

    `home` and `workdir` (None: the home) are writable, as are `writable`; `readonly` adds paths that must
    be read, such as a runtime installed elsewhere. With `terminal` the program keeps its controlling
    terminal, as a console needs; without, it runs in a new session. Raises `Refused` for a directory that
    would uncover the operator's home or the worker's own state.
    """
    inside = workdir or home
    for path in (inside, *writable):
        _uncovers(path, home)
    words = [shutil.which("bwrap") or "bwrap", "--die-with-parent", "--cap-drop", "ALL"]
    words += [] if terminal else ["--new-session"]
    words += ["--unshare-user-try", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    words += _system_paths()
    words += ["--proc", "/proc", *_proc_covers(), "--dev", "/dev", "--tmpfs", "/dev/shm"]
    words += ["--tmpfs", "/tmp", "--tmpfs", "/run", "--tmpfs", "/var/tmp", "--symlink", "../run", "/var/run"]
    for path in dict.fromkeys(readonly):
        words += ["--ro-bind-try", os.path.realpath(path), path]
    # What lies in the home comes with it: bound by itself, a link that the agent put there would bring its target.
    beside = (path for path in (inside, *writable) if not Path(path).is_relative_to(home))
    for path in dict.fromkeys((home, *beside)):
        words += ["--bind", os.path.realpath(path), path]
    return [*words, "--remount-ro", "/", "--chdir", inside, "--", *argv]


@functools.cache
def available() -> bool:
    """True when bwrap is installed and really works here; tried once, at most 10 seconds, blocking."""
    if shutil.which("bwrap") is None:
        return False
    try:
        probe = confine(["true"], home="/usr", workdir=None, terminal=False)
        done = subprocess.run(
            probe, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def _uncovers(path: str, home: str) -> None:
    """Refuse a directory that holds the operator's home or the worker's home in it."""
    real = Path(os.path.realpath(path))
    operator = Path(os.path.realpath(os.path.expanduser("~")))
    worker = Path(os.path.realpath(home))
    if real == Path("/") or operator.is_relative_to(real) or (worker != real and worker.is_relative_to(real)):
        raise Refused(
            f"{path} holds your own home or amtui's state, so an agent there could not be confined",
            "give a project directory inside it as --workdir",
        )


def _proc_covers() -> list[str]:
    """Options that make the kernel's switches read-only; only root's agents could reach them."""
    covers = [f"/proc/{name}" for name in _PROC] if os.geteuid() == 0 else []
    return [word for path in covers for word in ("--ro-bind-try", path, path)]


def _system_paths() -> list[str]:
    words: list[str] = []
    for tree in _TREES:
        words += ["--ro-bind-try", tree, tree]
    for path in _SYSTEM:
        if os.path.islink(path):
            words += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            words += ["--ro-bind", path, path]
    for name in _ETC:
        words += ["--ro-bind-try", os.path.realpath(f"/etc/{name}"), f"/etc/{name}"]
    return words
