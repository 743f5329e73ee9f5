#!/bin/sh
# Takes one worker off its host, and nothing else.
#
#   remove.sh sweep  BASE ROOT ID SOCKET    end every process of the worker that is left
#   remove.sh remove BASE ROOT ID SOCKET    sweep, then its files and its socket
#
# Prints one line: swept | removed | gone (there was nothing) | refused WHY | left WHAT.
# A process is the worker's when its HOME is the worker's home, when it is a tmux on the worker's socket, or when
# it has no terminal and stands in the worker's directory: an operator's shell that stands there is not ours to end.
set -u
LC_ALL=C
export LC_ALL
verb=$1 base=$2 root=$3 id=$4 socket=$5
cd / || exit 1

say() { echo "$*" && exit 0; }

# Processes of the worker into $ours.
leftovers() {
    ours=
    # shellcheck disable=SC2013 # paths without blanks
    for file in $(grep -lsF "HOME=$root/home" /proc/[0-9]*/environ 2>/dev/null); do
        file=${file%/environ}
        ours="$ours ${file#/proc/}"
    done
    # shellcheck disable=SC2013
    for file in $(grep -lsF -- "$socket" /proc/[0-9]*/cmdline 2>/dev/null); do
        file=${file%/cmdline}
        { read -r name <"$file/comm"; } 2>/dev/null || continue
        case $name in tmux*) ours="$ours ${file#/proc/}" ;; esac
    done
    # shellcheck disable=SC2010 # one ls for all links instead of a process each
    for pid in $(ls -l /proc/[0-9]*/cwd 2>/dev/null | grep -F " -> $root" | sed -n 's|.* /proc/\([0-9]*\)/cwd -> .*|\1|p'); do
        link=$(readlink "/proc/$pid/cwd") || continue
        case ${link% (deleted)} in "$root" | "$root"/*) ;; *) continue ;; esac
        { read -r line <"/proc/$pid/stat"; } 2>/dev/null || continue
        line=${line##*") "}
        rest=${line#* * * * }
        [ "${rest%% *}" != 0 ] || ours="$ours $pid"
    done
    alive=
    for pid in $ours; do
        { read -r line <"/proc/$pid/stat"; } 2>/dev/null || continue
        line=${line##*") "}
        case $line in Z* | X*) continue ;; esac
        [ "$pid" = $$ ] || alive="$alive $pid"
    done
    [ -n "$alive" ]
}

sweep() {
    tries=0
    while leftovers; do
        tries=$((tries + 1))
        # shellcheck disable=SC2086 # a list of process ids
        if [ "$tries" -eq 1 ]; then kill -TERM $alive 2>/dev/null; fi
        # shellcheck disable=SC2086
        if [ "$tries" -gt 20 ]; then kill -KILL $alive 2>/dev/null; fi
        [ "$tries" -lt 60 ] || return 1
        sleep 0.1 2>/dev/null || sleep 1
    done
}

ended() {
    if [ -S "$socket" ]; then PATH=$base/bin:$PATH tmux -S "$socket" kill-server 2>/dev/null; fi
    sweep || say "left processes$alive"
}

# Is $root the directory that we made for this worker? Its path must be its own, without links.
check_place() {
    [ "${root%/*}" = "$base/workers" ] || say "refused $root is not under $base/workers"
    case $id in "${root##*/}"*) ;; *) say "refused $root is not named after the worker" ;; esac
    [ ! -L "$root" ] && [ -d "$root" ] || say "refused $root is not a directory"
    [ "$(cd -P "$root" && pwd -P)" = "$(cd -P "$base/workers" && pwd -P)/${root##*/}" ] ||
        say "refused $root leads somewhere else"
    if [ -e "$root/worker.json" ]; then
        grep -qF "\"id\":\"$id\"" "$root/worker.json" || say "refused $root belongs to another worker"
    else
        # A place whose making was cut off, as by a full disk, holds at most empty directories and an unfinished
        # worker.json.
        rm -f "$root"/worker.json.*
        rmdir "$root/home" "$root/run" "$root/jobs" "$root/etc" "$root" 2>/dev/null
        [ ! -e "$root" ] || say "refused $root has no worker.json that says whose it is"
    fi
}

empty() { # all but worker.json, which goes last: what is cut off here can be taken up again
    [ -d "$root" ] || return 0
    find "$root" -mindepth 1 -maxdepth 1 ! -name worker.json -exec rm -rf -- {} + 2>/dev/null ||
        { chmod -R u+rwX "$root" && find "$root" -mindepth 1 -maxdepth 1 ! -name worker.json -exec rm -rf -- {} +; } 2>/dev/null
    rm -f "$root/worker.json" && rmdir "$root"
} 2>/dev/null

case $base in /?*) ;; *) exit 64 ;; esac
case ${#id}$verb in 32sweep | 32remove) ;; *) exit 64 ;; esac
if [ "$verb" = sweep ]; then
    ended
    say swept
fi
found=no
if [ -e "$root" ] || [ -L "$root" ]; then
    found=yes
    check_place
fi
if leftovers || [ -S "$socket" ]; then found=yes; fi
ended
for _ in 1 2 3; do empty && break; done
rm -f "$socket"
rmdir "${socket%/*}" 2>/dev/null
# The last worker of a host takes our programs with it; downloads in cache/ stay for the next one.
if [ ! -e "$base/workers" ] || rmdir "$base/workers" 2>/dev/null; then
    rm -f "$base"/bin/amc-* "$base"/bin/job-* "$base"/bin/tmux
    rmdir "$base/bin" "$base/cache" "$base" 2>/dev/null
fi
[ ! -e "$root" ] || say "left $root"
[ ! -e "$socket" ] || say "left $socket"
if [ "$found" = yes ]; then say removed; else say gone; fi
