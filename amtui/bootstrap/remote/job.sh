#!/bin/sh
# One bootstrap phase at a time for one worker, detached from whoever asked for it.
#
#   job.sh start  JOBS PHASE SECONDS BYTES      script on stdin -> started | busy PHASE | full | cut
#   job.sh follow JOBS PHASE OFFSET WAIT LIMIT  -> header line, then log bytes from OFFSET
#   job.sh list   JOBS                          -> one header line a phase
#   job.sh cancel JOBS PHASE                    -> ended | idle; of a lost one ends what is left
#   job.sh begin|end JOBS PHASE …               book-keeping of a phase the courier does itself; log text on stdin
#   job.sh lease|drop JOBS TOKEN …              which courier drives this bootstrap
#
# Header: J1 PHASE STATE OFFSET SIZE RUNS CODE WHY; STATE is none, running, ended or lost.
# Files of a phase: script, log (only ever appended), status, exit, pid (session leader and its start), runs (a line
# for each start, its number).
# Clean under dash and busybox; needs setsid and readlink.
set -u
umask 077
LC_ALL=C
export LC_ALL
grace=${AMTUI_GRACE:-80}

# Start time of a live process into $began; false for a dead one or a zombie.
started() {
    if [ -d /proc/self ]; then
        { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
        line=${line##*") "}
        case $line in Z* | X*) return 1 ;; esac
        # shellcheck disable=SC2086 # the fields of stat
        set -- $line
        began=${20}
    else
        began=$(ps -o lstart= -p "$1" 2>/dev/null | tr -cd '0-9A-Za-z') && [ -n "$began" ]
    fi
}

# Live processes of session $1 into $alive: they may outlive their leader.
members() {
    alive=
    for stat in /proc/[0-9]*/stat; do
        { read -r line <"$stat"; } 2>/dev/null || continue
        pid=${line%% *}
        line=${line##*") "}
        case $line in Z* | X*) continue ;; esac
        rest=${line#* * * }
        [ "${rest%% *}" = "$1" ] && alive="$alive $pid"
    done
    [ -n "$alive" ]
}

pause() { sleep 0.05 2>/dev/null || sleep 1; }

# TERM, about five seconds of grace, KILL.
end_session() {
    members "$1" || return 0
    # shellcheck disable=SC2086 # a list of process ids
    kill -TERM $alive 2>/dev/null
    tries=0
    while members "$1"; do
        tries=$((tries + 1))
        # shellcheck disable=SC2086
        [ "$tries" -lt "$grace" ] || kill -KILL $alive 2>/dev/null
        [ "$tries" -lt $((grace + 100)) ] || return 1
        pause
    done
}

# A lock is a symbolic link whose target names its holder, so it is made whole or not at all.
held() {
    holder=$(readlink "$1" 2>/dev/null) || { holder='' && return 1; }
    when=${holder#*:}
    started "${holder%%:*}" && [ "$began" = "${when%%:*}" ]
}

# Take lock $1 with note $2; false when a live process holds it ($holder says which).
take() {
    started $$
    me="$$:$began:$2"
    for _ in 1 2 3; do
        ln -s "$me" "$1" 2>/dev/null && return 0
        held "$1" && return 1
        [ -n "$holder" ] || continue
        stale=$holder
        # One breaker at a time, and only of the holder it saw dead: the new link replaces the old in one rename.
        if ! ln -s "$me" "$1.break" 2>/dev/null; then
            held "$1.break" || rm -f "$1.break"
            pause
            continue
        fi
        [ "$(readlink "$1")" = "$stale" ] && ln -s "$me" "$1.$$" && mv -f "$1.$$" "$1"
        rm -f "$1.break"
        [ "$(readlink "$1")" = "$me" ] && return 0
    done
    held "$1"
    return 1
}

release() { [ "$(readlink "$1" 2>/dev/null)" != "$me" ] || rm -f "$1"; }

# A verdict overwrites bytes reserved at the start: a full disk must not be able to silence it.
reserve() { { printf '%-79s\n' "$2" >"$1"; } 2>/dev/null; }
settle() { printf '%-79s\n' "$2" 1<>"$1"; }

# One line more in `runs`: its number, which the log repeats.
count_run() {
    number=1
    [ ! -f "$dir/runs" ] || number=$(($(wc -l <"$dir/runs") + 1))
    echo "$number" >>"$dir/runs" && echo "--- $phase, run $number ---" >>"$dir/log"
}

# The line of file $1 into $line. A shell reads byte by byte, and a verdict may come in between: two looks must agree.
glance() {
    line=
    while seen=$line && { read -r line <"$1"; } 2>/dev/null; do
        [ "$line" != "$seen" ] || return 0
    done
    return 1
}

# State of phase $1 into $state $code $why.
judge() {
    state=none code=- why=-
    for _ in 1 2; do
        [ -s "$1/status" ] && glance "$1/status" || return 0
        rest=${line#* } state=${line%% *}
        code=${rest%% *} rest=${rest#* }
        why=${rest%% *}
        [ "$state" = running ] || return 0
        # Not held? It may have ended between the two looks: look once more.
        held "$jobs/lock" && [ "${holder##*:}" = "${1##*/}" ] && return 0
    done
    state=lost
}

header() {
    judge "$1"
    size=0 runs=0
    [ -f "$1/log" ] && size=$(($(wc -c <"$1/log")))
    [ -f "$1/runs" ] && runs=$(($(wc -l <"$1/runs")))
}

space_left() {
    # shellcheck disable=SC2046 # the fields of df
    set -- $(df -Pk "$1" 2>/dev/null | tail -n 1)
    [ "${4:-9999}" -ge 64 ]
}

# What supervisors that were killed left running, by the pid files they left; never two at once.
reap() {
    for left in "$jobs"/*/pid; do
        { read -r leader when <"$left"; } 2>/dev/null || continue
        if ! started "$leader" || [ "$began" = "$when" ]; then end_session "$leader"; fi
        rm -f "$left"
    done
}

supervise() {
    trap '' HUP PIPE
    if ! take "$jobs/lock" "$phase"; then
        rm -f "$1"
        echo "busy ${holder##*:}"
        return
    fi
    reap
    mv -f "$1" "$dir/script"
    rm -f "$dir/cancelled"
    if ! { reserve "$dir/exit" - && reserve "$dir/status" "running - - $(date +%s)" &&
        count_run; } 2>/dev/null; then
        release "$jobs/lock"
        echo full
        return
    fi
    echo started
    exec >/dev/null 2>&1
    setsid /bin/sh "$0" work "$jobs" "$phase" </dev/null >>"$dir/log" 2>&1 &
    child=$!
    ( # The deadline is kept here: the courier may be gone.
        nap=
        trap 'kill $nap; exit 0' TERM
        sleep "$seconds" &
        nap=$!
        wait $nap
        trap '' TERM
        end_session "$child"
        exit 9
    ) &
    dog=$!
    wait "$child"
    code=$?
    kill "$dog"
    wait "$dog"
    [ $? -ne 9 ] || why=timeout
    end_session "$child"
    if [ -e "$dir/cancelled" ]; then why=cancelled; fi
    if [ "$code" -ne 0 ] && [ -z "$why" ]; then
        why='exit'
        if ! space_left "$dir" || tail -c 4096 "$dir/log" | grep -qE 'No space left on device|Disk quota exceeded'; then
            why=full
        fi
    fi
    settle "$dir/exit" "$code"
    settle "$dir/status" "ended $code ${why:-exit} $(date +%s)"
    rm -f "$dir/pid"
    release "$jobs/lock"
}

verb=$1 jobs=$2
shift 2
phase=${1:--} dir=$jobs/${1:--}
why=
case $verb in
start)
    seconds=$2
    for tool in setsid readlink; do
        command -v "$tool" >/dev/null || { echo "missing $tool" && exit 0; }
    done
    { mkdir -p "$dir" && cat >"$dir/script.$$"; } 2>/dev/null || { rm -f "$dir/script.$$"; echo full && exit 0; }
    # The courier may have died while it wrote: half a script is not to run.
    [ "$(($(wc -c <"$dir/script.$$")))" = "$3" ] || { rm -f "$dir/script.$$"; echo cut && exit 0; }
    answer=$(setsid /bin/sh "$0" supervise "$jobs" "$phase" "$seconds" "$dir/script.$$" </dev/null 2>/dev/null &)
    echo "${answer:-lost}"
    ;;
supervise)
    seconds=$2
    supervise "$3"
    ;;
work) # Writes its own identity before the first line of the phase runs, so that no orphan is anonymous.
    started $$ && echo "$$ $began" >"$dir/pid" || exit 75
    unset LC_ALL
    PATH="${0%/*}:$HOME/.local/bin:$PATH"
    export PATH
    cd "$HOME" || exit 75
    exec /bin/sh "$dir/script"
    ;;
follow)
    rounds=$(($3 * 20))
    while :; do
        header "$dir"
        if [ "$state" != running ] || [ "$size" -gt "$2" ] || [ "$rounds" -le 0 ]; then break; fi
        rounds=$((rounds - 1))
        pause
    done
    echo "J1 $phase $state $2 $size $runs $code $why"
    [ "$size" -le "$2" ] || tail -c "+$(($2 + 1))" "$dir/log" | head -c "$(($4 < size - $2 ? $4 : size - $2))"
    ;;
list)
    for dir in "$jobs"/*/; do
        dir=${dir%/}
        [ -d "$dir" ] || continue
        header "$dir"
        echo "J1 ${dir##*/} $state 0 $size $runs $code $why"
    done
    ;;
cancel)
    judge "$dir"
    if [ "$state" = lost ] && take "$jobs/lock" cancel; then
        reap
        release "$jobs/lock"
    fi
    [ "$state" = running ] || { echo idle && exit 0; }
    : >"$dir/cancelled"
    while judge "$dir" && [ "$state" = running ]; do
        { read -r leader _ <"$dir/pid"; } 2>/dev/null && end_session "$leader"
        pause
    done
    echo ended
    ;;
begin)
    mkdir -p "$dir" && reserve "$dir/exit" - && reserve "$dir/status" "running - - $(date +%s)" && count_run &&
        echo ok || echo full
    ;;
end)
    cat >>"$dir/log"
    settle "$dir/exit" "$2"
    settle "$dir/status" "ended $2 $3 $(date +%s)"
    echo ok
    ;;
lease | drop) # TOKEN SECONDS DEAD | TOKEN OUTCOME
    token=$1
    tries=0
    until take "$jobs/lease.lock" lease; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || { echo "held ? 1" && exit 0; }
        pause
    done
    now=$(date +%s) owner=- until=0 outcome=-
    [ ! -s "$jobs/lease" ] || read -r owner until outcome _ <"$jobs/lease"
    if [ "$verb" = drop ]; then
        [ "$owner" != "$token" ] || settle "$jobs/lease" "$token 0 $2"
        echo ok
    elif [ "$owner" = "$token" ] || [ "$owner" = "$3" ] || [ "$until" -le "$now" ]; then
        { [ -s "$jobs/lease" ] || reserve "$jobs/lease" -; } && settle "$jobs/lease" "$token $((now + $2)) -" &&
            echo "ok $owner $outcome" || echo full
    else
        echo "held $owner $((until - now))"
    fi
    release "$jobs/lease.lock"
    ;;
*)
    echo "unknown verb $verb" >&2
    exit 64
    ;;
esac
