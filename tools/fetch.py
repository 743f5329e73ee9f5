#!/usr/bin/env python3
"""Make programs available without root: `fetch.py PROGRAM…`, for the Makefile.

What is on PATH already is left alone. Anything else comes from the Debian packages of this very release: apt's own
resolver names what is missing, `apt-get download` fetches and verifies it, `dpkg -x` unpacks it into a cache, and a
small wrapper in `<cache>/bin` starts the program through the dynamic loader. The loader gets the library path as an
argument, so nothing of it reaches the environment of the programs that the program starts.

Uses the system's Python and its standard library only: it runs before there is anything else.
Exit status 0 when every required program is there; 1 with one line on stderr that names the package otherwise.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGES = {
    "tmux": "tmux",
    "sshd": "openssh-server",
    "ssh-keygen": "openssh-client",
    "bwrap": "bubblewrap",
    "vim": "vim-tiny",
    "less": "less",
    "busybox": "busybox-static",  # its applets are links to itself, which a loader in between would break
}
"""Which package carries which program."""

FILES = {"vim": "vim.tiny"}
"""What a program's file is called in its package, where that is not its own name."""

CHECKS = {
    "tmux": ["-V"],
    "bwrap": ["--version"],
    "sshd": ["-?"],
    "ssh-keygen": ["-?"],
    "busybox": ["true"],
    "vim": ["--version"],
    "less": ["--version"],
}
"""Arguments with which a program starts and ends at once; loader and library errors end in 126 or 127."""

SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
TERMINFO = ("/etc/terminfo", "/lib/terminfo", "/usr/share/terminfo", "/usr/lib/terminfo")


class Cannot(Exception):
    """A program cannot be had this way; the text says why in a few words."""


def cache_dir() -> Path:
    """`$XDG_CACHE_HOME/amtui/tools`, or the same under `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "amtui" / "tools"


def run(*argv: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run to the end, output captured, in the C locale so that it can be read."""
    env = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False)


class Apt:
    """apt with its state and caches in a directory of ours, so that it needs neither root nor a lock."""

    def __init__(self, cache: Path) -> None:
        self.dir = cache / "apt"
        self.private_lists = False
        self.trouble = ""

    def command(self, *words: str) -> list[str]:
        """`apt-get` under our configuration, which is read after the system's and keeps its proxies and sources."""
        for name in ("lists/partial", "cache/archives/partial"):
            (self.dir / name).mkdir(parents=True, exist_ok=True)
        lines = [
            f'Dir::Cache "{self.dir}/cache";',
            'Debug::NoLocking "1";',
            'APT::Sandbox::User "root";',
            'Acquire::Languages "none";',
            'Acquire::Retries "3";',
            # Hooks of the system are about the system's lists, not about ours.
            "#clear APT::Update::Pre-Invoke;",
            "#clear APT::Update::Post-Invoke;",
            "#clear APT::Update::Post-Invoke-Success;",
        ]
        if self.private_lists:
            lines.append(f'Dir::State::Lists "{self.dir}/lists";')
        conf = self.dir / "apt.conf"
        conf.write_text("\n".join(lines) + "\n")
        return ["apt-get", "-c", str(conf), "-q", *words]

    def update(self) -> None:
        """Fetch the package lists into our own directory. A broken third-party source is not our concern."""
        self.private_lists = True
        done = run(*self.command("update"))
        failed = [
            line for line in done.stderr.splitlines() if re.match(r"[EW]: .*(Failed|Could not|Unable)", line)
        ]
        self.trouble = f" ({failed[0][3:].strip()[:200]})" if failed else ""

    def wanted(self, package: str) -> list[str]:
        """`name:arch=version` of the package and of everything it needs that this system lacks."""
        done = run(*self.command("-s", "-y", "--no-install-recommends", "install", package))
        if done.returncode:
            raise Cannot((last_error(done.stderr) or f"apt-get knows no package {package}") + self.trouble)
        found = re.findall(r"^Inst (\S+)(?: \[[^\]]*\])? \((\S+) .*?\[(\w+)\]", done.stdout, re.MULTILINE)
        return [f"{name.partition(':')[0]}:{arch}={version}" for name, version, arch in found] or [package]

    def download(self, specs: list[str]) -> list[Path]:
        """The verified .deb files of `specs`."""
        staging = self.dir / "debs"
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        done = run(*self.command("download", *(s.replace(":all=", "=") for s in specs)), cwd=staging)
        debs = sorted(staging.glob("*.deb"))
        if done.returncode or len(debs) < len(specs):
            raise Cannot(last_error(done.stderr) or "apt-get download brought nothing")
        return debs


def last_error(stderr: str) -> str:
    """The last `E:` line of apt, without the letter."""
    errors = [line[2:].strip() for line in stderr.splitlines() if line.startswith("E:")]
    return errors[-1] if errors else ""


def unpack(apt: Apt, package: str, root: Path) -> None:
    """Package and missing dependencies into `root`: with the system's lists first, then with fresh ones of our own."""
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise Cannot("no apt-get here")
    try:
        debs = apt.download(apt.wanted(package))
    except Cannot:
        if apt.private_lists:
            raise
        apt.update()
        debs = apt.download(apt.wanted(package))
    root.mkdir(parents=True, exist_ok=True)
    for deb in debs:
        done = run("dpkg", "-x", str(deb), str(root))
        if done.returncode:
            raise Cannot(f"dpkg -x {deb.name}: {done.stderr.strip()[:120]}")
    shutil.rmtree(apt.dir / "debs", ignore_errors=True)


def interpreter(program: Path) -> str:
    """The dynamic loader an ELF program asks for (its PT_INTERP), or nothing for a static one or a script."""
    data = program.read_bytes()
    if data[:4] != b"\x7fELF":
        return ""
    order = "<" if data[5] == 1 else ">"
    if data[4] == 2:
        offset, size, count = (
            *struct.unpack_from(order + "Q", data, 32),
            *struct.unpack_from(order + "HH", data, 54),
        )
        place = (8, 32, "Q")
    else:
        offset, size, count = (
            *struct.unpack_from(order + "I", data, 28),
            *struct.unpack_from(order + "HH", data, 42),
        )
        place = (4, 16, "I")
    for index in range(count):
        at = offset + index * size
        if struct.unpack_from(order + "I", data, at)[0] == 3:
            start = struct.unpack_from(order + place[2], data, at + place[0])[0]
            length = struct.unpack_from(order + place[2], data, at + place[1])[0]
            return data[start : start + length].rstrip(b"\0").decode()
    return ""


def library_dirs(root: Path) -> Iterator[Path]:
    """Where the unpacked packages keep shared libraries, merged /usr or not."""
    for top in (root / "usr/lib", root / "lib"):
        if top.is_dir():
            yield from (
                d for d in sorted(top.iterdir()) if d.is_dir() and re.fullmatch(r"\w+-linux-gnu\w*", d.name)
            )
            yield top


def started(program: Path, root: Path, argv0: str, *options: str) -> str:
    """The shell words that start an unpacked program through the loader."""
    loader = interpreter(program)
    if not loader:
        return shlex.quote(str(program))
    own = root / loader.lstrip("/")
    path = ":".join(str(d) for d in library_dirs(root))
    words = [
        str(own) if own.exists() else loader,
        "--library-path",
        path,
        *options,
        "--argv0",
        argv0,
        str(program),
    ]
    return " ".join(shlex.quote(word) for word in words)


def write_wrapper(path: Path, body: str) -> None:
    """An executable script, in place at once and whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text("#!/bin/sh\n# Written by amtui's tools/fetch.py; safe to remove.\n" + body)
    fresh.chmod(0o755)
    fresh.replace(path)


def find(root: Path, name: str) -> Path | None:
    """An unpacked program by its name."""
    for place in ("usr/bin", "usr/sbin", "bin", "sbin", "usr/lib/openssh"):
        candidate = root / place / name
        if candidate.is_file():
            return candidate
    return None


def tmux_environment(apt: Apt, root: Path) -> str:
    """Shell lines that let tmux and its panes find their terminal's description where the system has none."""
    if any(Path(d, "t/tmux-256color").exists() for d in TERMINFO):
        return ""
    if (
        not (root / "lib/terminfo/t/tmux-256color").exists()
        and not (root / "usr/share/terminfo/t/tmux-256color").exists()
    ):
        unpack(apt, "ncurses-base", root)
    dirs = [str(root / d.lstrip("/")) for d in TERMINFO if (root / d.lstrip("/")).is_dir()]
    return f"TERMINFO_DIRS={shlex.quote(':'.join([*dirs, *TERMINFO]))}; export TERMINFO_DIRS\n"


def sshd_wrappers(apt: Apt, root: Path, bin_dir: Path) -> None:
    """A private sshd: it re-executes itself by absolute path, and as root wants a user `sshd` and /run/sshd.

    The user is shown to this one process by libnss-wrapper instead of being added to the system. From OpenSSH 9.8
    on, the parts it executes are separate programs, whose paths are options.
    """
    unpack(apt, "libnss-wrapper", root)
    nss = next((p for d in library_dirs(root) for p in sorted(d.glob("libnss_wrapper.so*"))), None)
    parts = ""
    for option, name in (("SshdSessionPath", "sshd-session"), ("SshdAuthPath", "sshd-auth")):
        part = root / "usr/lib/openssh" / name
        if part.exists():
            write_sshd_part(bin_dir / name, part, root, nss)
            parts += f" -o {option}={shlex.quote(str(bin_dir / name))}"
    program = find(root, "sshd")
    if program is None:
        raise Cannot("openssh-server holds no sshd")
    users = root.parent / "users"
    prepare = f"""\
if [ "$(id -u)" = 0 ]; then
    [ -d /run/sshd ] || mkdir -p -m 0755 /run/sshd || exit 1
    if [ -z "${{NSS_WRAPPER_PASSWD:-}}" ] && ! grep -q '^sshd:' /etc/passwd; then
        umask 022; mkdir -p {shlex.quote(str(users))}; tmp={shlex.quote(str(users))}/passwd.$$
        {{ cat /etc/passwd; echo 'sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin'; }} > "$tmp" || exit 1
        mv "$tmp" {shlex.quote(str(users))}/passwd || exit 1
        NSS_WRAPPER_PASSWD={shlex.quote(str(users))}/passwd NSS_WRAPPER_GROUP=/etc/group
        export NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP
    fi
fi
"""
    write_sshd_part(bin_dir / "sshd", program, root, nss, prepare, parts)


def write_sshd_part(
    path: Path, program: Path, root: Path, nss: Path | None, prepare: str = "", extra: str = ""
) -> None:
    """One wrapper of sshd's programs, with the user database shown when it was prepared."""
    body = prepare
    if nss is not None:
        shown = started(program, root, str(path), "--preload", str(nss))
        body += f'[ -z "${{NSS_WRAPPER_PASSWD:-}}" ] || exec {shown}{extra} "$@"\n'
    write_wrapper(path, f'{body}exec {started(program, root, str(path))}{extra} "$@"\n')


def works(program: str, path: str) -> bool:
    """Whether it starts at all."""
    try:
        done = subprocess.run([path, *CHECKS[program]], capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode not in (126, 127) and b"error while loading" not in done.stderr


def on_path(program: str) -> str | None:
    """Where the system has it; administrators' directories count, as sshd lives there."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:{SBIN}")


def provide(program: str, cache: Path, apt: Apt) -> None:
    """Have `program` on PATH or in `<cache>/bin`. Raises Cannot."""
    bin_dir, root = cache / "bin", cache / "root"
    ours = bin_dir / program
    elsewhere = on_path(program)
    if elsewhere and Path(elsewhere) != ours:
        return
    if ours.exists() and works(program, str(ours)):
        return
    package = PACKAGES[program]
    if os.environ.get("AMTUI_APT") == "1" and os.geteuid() == 0:
        print(f"amtui: {program} is not installed; installing the package {package}", file=sys.stderr)
        run("apt-get", "-q", "update")
        done = run("apt-get", "-q", "-y", "--no-install-recommends", "install", package)
        if done.returncode:
            raise Cannot(last_error(done.stderr))
        return
    print(f"amtui: {program} is not installed; unpacking Debian's {package} into {cache}", file=sys.stderr)
    unpack(apt, package, root)
    found = find(root, FILES.get(program, program))
    if found is None:
        raise Cannot(f"{package} holds no {program}")
    if program == "sshd":
        sshd_wrappers(apt, root, bin_dir)
    else:
        environment = tmux_environment(apt, root) if program == "tmux" else ""
        write_wrapper(ours, f'{environment}exec {started(found, root, program)} "$@"\n')
    if not works(program, str(ours)):
        raise Cannot("it was unpacked but does not start")


def main() -> int:
    """Provide what the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("program", nargs="*", choices=[*PACKAGES, []], help="required")
    parser.add_argument("--optional", action="append", default=[], choices=list(PACKAGES), metavar="PROGRAM")
    wanted = parser.parse_args()
    cache = cache_dir()
    apt = Apt(cache)
    status = 0
    for program in (*wanted.program, *wanted.optional):
        try:
            provide(program, cache, apt)
        except (Cannot, OSError) as error:
            optional = program in wanted.optional
            print(
                f"amtui: {'no' if optional else 'needs'} {program}: install the package {PACKAGES[program]}"
                f" (or run again with AMTUI_APT=1 as root). {error}",
                file=sys.stderr,
            )
            status = status if optional else 1
    shutil.rmtree(apt.dir, ignore_errors=True)  # a hundred megabytes of lists, no longer needed
    return status


if __name__ == "__main__":
    sys.exit(main())
