"""What runs on an ssh host before our command: one POSIX shell, waiting, under the environment allow-list.

A session starts this shell through the user's login shell (sshd gives no other way), in words that sh, bash,
zsh, fish and csh read alike. It announces itself with a nonce, so that whatever start-up files print before is
dropped; makes itself leader of a process group; then waits for one line on stdin that names directory,
environment and argv, acknowledges it and becomes that program. The rest of stdin is the program's.

A waiting shell may be opened ahead of time: a command then costs one round trip. Protocol, ours::

    host   RS nonce SP group LF     on stdout, group empty where the shell leads none; RS nonce LF on stderr
    we     request LF               a shell fragment, escaped for printf %b, that appends to "$@"
    host   RS nonce SP word LF      word: go, or cwd when the directory is not there
"""

from __future__ import annotations

import shlex
from typing import Final

from amtui.errors import Invalid
from amtui.providers.base import Command
from amtui.providers.environment import CA_PATHS, PATH_FLOOR, PLAIN, PROXIES

MARK: Final = b"\x1e"

# No single quote, newline or exclamation mark, and no backslash before a backslash: see the module's text.
_SHELL: Final = " ".join(
    f"""
N=$1;
if read -r S 2>/dev/null </proc/$$/stat; then
 set -- "$1" ${{S##*) }}; G=$$;
 case $4 in $$) ;; *)
  if command -v setsid >/dev/null; then exec setsid /bin/sh -c "$0" "$0" "$1"; fi; G=;;
 esac;
else G=$$; fi;
cd "$HOME" 2>/dev/null || cd /;
set -f; IFS=:; P=;
for D in $PATH {" ".join(PATH_FLOOR)}; do
 case $P: in *:$D:*) ;; *) case $D in /*) P=$P:$D;; esac;; esac;
done;
unset IFS; set --;
for V in {" ".join((*PLAIN, *PROXIES))}; do
 eval "X=\\${{$V-}}"; [ -z "$X" ] || set -- "$@" "$V=$X";
done;
for V in {" ".join(CA_PATHS)}; do
 eval "X=\\${{$V-}}"; case $X in /*) set -- "$@" "$V=$X";; esac;
done;
printf "\\036%s\\n" "$N" >&2; printf "\\036%s %s\\n" "$N" "$G";
IFS= read -r L || exit 0;
eval "$(printf %b "$L")";
printf "\\036%s go\\n" "$N";
exec /usr/bin/env -i "PATH=${{P#:}}" "$@"
""".split()
)

LONGEST: Final = 1 << 20
"""Most bytes of one request line; the system's own limit of 128 KiB an argument comes earlier."""


def opening(nonce: str) -> str:
    """The command line to give the session. `nonce` is hex."""
    return f"exec /bin/sh -c 'eval \"$0\"' '{_SHELL}' {nonce}"


def request(command: Command, nonce: str) -> bytes:
    """The line that makes the waiting shell run `command`. Raises `Invalid` when it is too long."""
    argv = list(command.argv)
    if "=" in argv[0]:  # env would take it for an assignment
        argv = ["/bin/sh", "-c", 'exec "$0" "$@"', *argv]
    words = [f"{name}={value}" for name, value in command.env.items()] + argv
    fragment = f'set -- "$@" {shlex.join(words)}'
    if command.cwd is not None:
        failed = f"{{ printf '\\036{nonce} cwd\\n'; exit 1; }}"
        fragment = f"cd -- {shlex.quote(command.cwd)} 2>/dev/null || {failed}\n{fragment}"
    line = _escape(fragment.encode("utf-8", "surrogateescape"))
    if len(line) > LONGEST:
        raise Invalid("the command is too long", "send the long part over stdin", provider="ssh", op="exec")
    return line + b"\n"


def _escape(raw: bytes) -> bytes:
    """`raw` for printf %b on one line of ASCII."""
    if raw.isascii() and b"\\" not in raw and b"\n" not in raw and b"\x7f" not in raw:
        return raw
    return b"".join(
        bytes((byte,)) if 32 <= byte < 127 and byte != 0x5C else b"\\0%03o" % byte for byte in raw
    )
