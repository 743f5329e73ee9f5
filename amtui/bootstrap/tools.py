"""tmux on the host: the one program that a worker cannot be without."""

from __future__ import annotations

from shlex import quote
from typing import Final

from amtui.providers.base import Place
from amtui.runtimes.base import Step

OLDEST_TMUX: Final = (3, 1)
"""First tmux that the console helper works with."""
PROVEN_TMUX: Final = ("3.1c", "3.3a", "3.5a", "3.7c")
"""Versions that the console's tests were run against."""

_CHECK = r"""
PATH=@BIN@:$PATH
usable() {
    found=$(tmux -V 2>/dev/null) || return 1
    found=${found#tmux } found=${found#next-}
    minor=${found#*.} minor=${minor%%[!0-9]*}
    case ${found%%.*} in
    '' | *[!0-9]*) [ "$found" = master ] ;;
    @MAJOR@) [ "${minor:-0}" -ge @MINOR@ ] ;;
    *) [ "${found%%.*}" -gt @MAJOR@ ] ;;
    esac
}
usable
"""

_APPLY = r"""
if usable; then exit 0; fi
if [ -n "$found" ]; then echo "tmux $found is older than @MAJOR@.@MINOR@"; fi
cache=@CACHE@/tmux new=@CACHE@/tmux.new.$$
unpacked() { # from Debian packages, without root, for this host's workers only
    command -v apt-get >/dev/null && command -v dpkg >/dev/null || return 1
    rm -rf "$new" && mkdir -p "$new" "$new.lists/lists/partial" && cd "$new" || return 1
    needs='tmux libevent-core-2.1-7t64 libevent-core-2.1-7 libutempter0'
    for name in $needs; do apt-get download "$name" 2>/dev/null; done
    if ! ls tmux_*.deb >/dev/null 2>&1; then
        private="-o Dir::State=$new.lists -o Dir::Cache=$new.lists"
        # shellcheck disable=SC2086
        apt-get $private update && for name in $needs; do apt-get $private download "$name" 2>/dev/null; done
    fi
    for file in *.deb; do dpkg -x "$file" root || return 1; done
    [ -x root/usr/bin/tmux ] || return 1
    rm -rf "$cache" "$new.lists" && mv "$new" "$cache" || return 1
    library=$(dirname "$(find "$cache/root" -name 'libevent*.so*' | head -n 1)")
    mkdir -p @BIN@
    # Through its own loader where we know it: LD_LIBRARY_PATH would stay set in every pane.
    case $(uname -m) in
    x86_64) loader=/lib64/ld-linux-x86-64.so.2 ;;
    aarch64) loader=/lib/ld-linux-aarch64.so.1 ;;
    *) loader= ;;
    esac
    start="env LD_LIBRARY_PATH=\"$library\""
    [ ! -x "$loader" ] || start="\"$loader\" --library-path \"$library\" --argv0 tmux"
    printf '#!/bin/sh\nexec %s "%s/root/usr/bin/tmux" "$@"\n' "$start" "$cache" >@BIN@/tmux.new &&
        chmod 755 @BIN@/tmux.new && mv -f @BIN@/tmux.new @BIN@/tmux
}
if [ @APT@ = yes ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    DEBIAN_FRONTEND=noninteractive apt-get install -y tmux || { apt-get update && apt-get install -y tmux; }
fi
usable || { unpacked; cd; usable; } || {
    rm -rf "$new" "$new.lists"
    echo "error: this host has no tmux @MAJOR@.@MINOR@ or newer and none could be brought: install the package tmux" >&2
    exit 1
}
tmux -V
"""


def tmux_step(place: Place, *, apt: bool = False) -> Step:
    """Find tmux, or bring it from Debian packages into the host's cache; `apt` allows a root to install it."""

    def fill(text: str) -> str:
        return (
            text.replace("@BIN@", quote(place.bin))
            .replace("@CACHE@", quote(f"{place.base}/cache"))
            .replace("@MAJOR@", str(OLDEST_TMUX[0]))
            .replace("@MINOR@", str(OLDEST_TMUX[1]))
            .replace("@APT@", "yes" if apt else "no")
        )

    return Step(
        id="tools",
        title="Find tmux",
        check=fill(_CHECK),
        apply=fill(_CHECK + _APPLY),
        timeout=180.0,
    )
