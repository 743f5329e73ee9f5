# amtui: what is done to one of a worker's consoles by an operator who does not watch it. Sent whole with each request.
#   VERB SOCKET CONSOLE RUN PATH [TITLE]; 44: there is no such console
# shellcheck shell=sh disable=SC2016
set -u
umask 077
unset TMUX TMUX_PANE TMUX_TMPDIR ENV CDPATH
verb=$1 K=$2 C=$3 S=$4 T="=$3:"
PATH=$5:$PATH
shift 5
tm() { tmux -u -S "$K" -f /dev/null "$@"; }

# Every process of the console: its program, descendants, members of its session. One a line: pid, parent, name.
# A dead program's pid may be somebody else's by now, so only its session tells who was there.
family() {
  cat /proc/[0-9]*/stat 2>/dev/null | awk -v root="$1" -v dead="$2" -v me=$$ '
    match($0, /\(.*\)/) { i = $1; c = substr($0, RSTART + 1, RLENGTH - 2); sub(/^.*\) /, ""); p[++n] = i; q[i] = $2; s[i] = $4; name[i] = c }
    END {
      if (dead != 1) k[root] = 1
      do {
        more = 0
        for (j = 1; j <= n; j++) { i = p[j]; if (!(i in k) && i != me && i != root && (s[i] == root || q[i] in k)) { k[i] = 1; more = 1 } }
      } while (more)
      for (i in k) if (i > 1) print i, q[i], name[i]
    }'
}
pane() { # sets pid and dead
  x=$(tm display-message -p -t "$T" '#{pane_pid} #{pane_dead}' 2>/dev/null) && [ -n "$x" ] || exit 44
  pid=${x% *} dead=${x#* }
}

# What runs in it beside the shell it was opened with, which under a confinement is a child of bwrap.
jobs_of() {
  pane
  family "$pid" "$dead" | awk -v root="$pid" '
    { n = $1; up[n] = $2; sub(/^[^ ]+ [^ ]+ /, ""); name[n] = $0 }
    END { for (n in name) if (n != root && name[n] != "bwrap" && !((up[n] in name) && name[up[n]] == "bwrap")) print name[n] }'
}
reap() { # PIDS: ask, wait up to two seconds, insist
  [ -n "$1" ] || return 0
  # shellcheck disable=SC2086
  { kill -HUP $1; kill -TERM $1; kill -CONT $1; } 2>/dev/null
  i=0 left=$1
  while [ $i -lt 40 ]; do
    left=''
    for p in $1; do
      # shellcheck disable=SC2034
      { read -r line <"/proc/$p/stat"; } 2>/dev/null || continue
      case ${line##*) } in Z*) ;; *) left="$left $p" ;; esac
    done
    [ -n "$left" ] || return 0
    sleep 0.05 2>/dev/null || sleep 1
    i=$((i + 1))
  done
  # shellcheck disable=SC2086
  kill -KILL $left 2>/dev/null
  return 0
}
close_it() {
  pane
  all=$(family "$pid" "$dead" | awk '{ printf "%s ", $1 }')
  tm kill-session -t "=$C" 2>/dev/null || exit 44
  reap "$all"
  rm -f "$S/cur"
  for w in "$S"/w/*; do [ -p "$w" ] && { echo ! >&4; } 4<>"$w"; done 2>/dev/null
  rm -rf "$S"
}

case $verb in
jobs) jobs_of ;;
close) close_it ;;
title) tm set-option -t "$T" @am_title "$1" 2>/dev/null || exit 44 ;;
*) exit 64 ;;
esac
