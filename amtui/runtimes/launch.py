"""The two files through which an agent starts: `etc/launch` (0700, what tmux runs) and `etc/env` (0600).

Only `etc/env` holds secrets. The launcher reads it line by line with shell built-ins: its content is never
evaluated and never becomes an argument of a program, so no secret shows in a process list.

Format of `etc/env`: `NAME=value` lines; in a value `\\n` is a newline and `\\b` a backslash.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Final

from amtui.runtimes.base import Launch, Setup

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")

_RESERVED: Final = frozenset({"HOME", "PATH", "PWD", "TMUX", "TMUX_PANE"})
"""Names the launcher sets or removes itself."""

_TELLING: Final = 8
"""Characters from which on finding a secret inside a word is no coincidence."""

_SCRIPT: Final = """\
#!/bin/sh
# Starts the agent of one worker: environment from the file beside this one, then the program itself.
fail() { printf 'amtui: %s\\n' "$*" >&2; exit 78; }
export HOME=@HOME@
# The agent has no business with the tmux server around it, nor with the operator's desktop or keys.
unset TMUX TMUX_PANE SSH_AUTH_SOCK SSH_AGENT_PID SSH_CONNECTION SSH_CLIENT SSH_TTY
unset DISPLAY WAYLAND_DISPLAY XAUTHORITY DBUS_SESSION_BUS_ADDRESS DBUS_SYSTEM_BUS_ADDRESS
if command -v infocmp >/dev/null 2>&1 && ! infocmp "${TERM:-}" >/dev/null 2>&1; then
  for TERM in tmux-256color screen-256color xterm-256color screen xterm vt100; do
    infocmp "$TERM" >/dev/null 2>&1 && break
  done
fi
# Beside the home, not in the host's shared one: what an agent leaves there goes with the worker.
TMPDIR="$HOME/.tmp"
[ -d "$TMPDIR" ] || mkdir -m 700 "$TMPDIR" || TMPDIR=/tmp
export TMPDIR
export TERM="${TERM:-screen-256color}" COLORTERM=truecolor
case "${LC_ALL:-${LC_CTYPE:-${LANG:-}}}" in
  *[Uu][Tt][Ff]*) ;;
  *) unset LC_ALL; export LC_CTYPE=C.UTF-8 ;;
esac
if [ -z "${NODE_EXTRA_CA_CERTS:-}" ]; then
  for file in "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
    [ -n "$file" ] && [ -r "$file" ] && { export NODE_EXTRA_CA_CERTS="$file"; break; }
  done
fi
# Only now: until here nothing that the agent put into its home may run, for the confinement begins below.
PATH=@PATH@${PATH:-/usr/local/bin:/usr/bin:/bin}
export PATH
[ -r @ENV@ ] || fail @NOENV@
while IFS= read -r line; do
  name=${line%%=*} rest=${line#*=} value=
  while :; do
    case $rest in
      *\\\\*)
        value=$value${rest%%\\\\*} rest=${rest#*\\\\}
        case $rest in
          n*) value="$value
" ;;
          *) value="$value\\\\" ;;
        esac
        rest=${rest#?} ;;
      *) break ;;
    esac
  done
  export "$name=$value$rest"
done <@ENV@
unset file line name rest value
cd @WORKDIR@ || fail @NODIR@
exec @ARGV@
"""


@dataclass(frozen=True, slots=True)
class LaunchFiles:
    """What is to be written on the host: contents, absolute paths and modes."""

    script: bytes
    script_path: str
    env: bytes
    env_path: str
    script_mode: int = 0o700
    env_mode: int = 0o600


def render(setup: Setup, launch: Launch, *, prefix: Sequence[str] = ()) -> LaunchFiles:
    """The launcher and its environment file for `launch`.

    `prefix` is put before the agent's argv: a confinement such as `bwrap … --`. Raises `ValueError` when a
    name is no environment name or a secret's value stands in an argument or a plain variable.
    """
    _reject_leaks(launch, prefix)
    place = setup.place
    env_path = f"{place.etc}/env"
    # `~/.local/bin` comes before everything: what the bootstrap installed is what runs.
    path = "".join(f"{quote(directory)}:" for directory in (f"{place.home}/.local/bin", *launch.path))
    script = (
        _SCRIPT.replace("@HOME@", quote(place.home))
        .replace("@PATH@", path)
        .replace("@NOENV@", quote(f"{env_path} is missing; run the bootstrap again"))
        .replace("@ENV@", quote(env_path))
        .replace("@NODIR@", quote(f"the working directory {setup.workdir} is not there"))
        .replace("@WORKDIR@", quote(setup.workdir))
        .replace("@ARGV@", " ".join(quote(word) for word in (*prefix, *launch.argv)))
    )
    return LaunchFiles(
        script=script.encode(),
        script_path=f"{place.etc}/launch",
        env=env_file({**launch.env, **launch.secrets}),
        env_path=env_path,
    )


def env_file(variables: Mapping[str, str]) -> bytes:
    """`variables` in the format of `etc/env`. Raises `ValueError` for what no environment can hold."""
    lines = []
    for name, value in variables.items():
        if not _NAME.match(name) or name in _RESERVED:
            raise ValueError(f"{name[:40]!r} cannot be an environment name of an agent")
        if "\0" in value:
            raise ValueError(f"the value of {name} holds a NUL character")
        escaped = value.replace("\\", "\\b").replace("\n", "\\n")
        lines.append(f"{name}={escaped}\n")
    return "".join(lines).encode()


def _reject_leaks(launch: Launch, prefix: Sequence[str]) -> None:
    """A secret belongs in `Launch.secrets` and nowhere else; the value is not repeated in the error."""
    shown = [*prefix, *launch.argv, *launch.env.values(), *launch.path]
    for name, value in launch.secrets.items():
        # A very short value stands in words by chance.
        if value and any(value in word if len(value) >= _TELLING else value == word for word in shown):
            raise ValueError(f"the value of {name} must not stand in an argument or plain variable")
