#!/bin/sh
# One settings file in a worker's home, read or written without leaving that home.
#
#   settings.sh read  HOME FILE LIMIT           -> the bytes of HOME/FILE, at most LIMIT
#   settings.sh write HOME FILE MODE BYTES      the new content on stdin
#
# Exit: 0 done · 40 a link is on the way · 44 not there · 46 no regular file · 1 with the cause on stderr.
# Goes down one directory at a time and looks where it stands after each step: what was looked at before the step
# may have been swapped for a link meanwhile. A confined agent's file is handled inside its own confinement, so that
# the last look and the opening, which no shell can make one, reach nothing that the agent could not reach itself.
set -u
umask 077
LC_ALL=C
export LC_ALL
verb=$1 rest=$3
cd -P -- "$2" || exit 1
where=$(pwd -P)
while :; do
    name=${rest%%/*}
    [ ! -L "./$name" ] || exit 40
    [ "$name" != "$rest" ] || break
    rest=${rest#*/}
    if [ ! -d "./$name" ]; then
        [ ! -e "./$name" ] || exit 46
        [ "$verb" = write ] || exit 44
        mkdir "./$name" || exit 1
    fi
    cd -P "./$name" || exit 1
    where=$where/$name
    [ "$(pwd -P)" = "$where" ] || exit 40
done
case $verb in
read)
    [ -e "./$name" ] || exit 44
    [ -f "./$name" ] || exit 46
    exec 3<"./$name" || exit 1
    # What was opened, where the system can tell.
    if [ -d /proc/self/fd ] && [ "$(readlink /proc/self/fd/3)" != "$where/$name" ]; then exit 40; fi
    head -c "$4" <&3
    ;;
write)
    if [ -e "./$name" ] && [ ! -f "./$name" ]; then exit 46; fi
    new=./.amtui-$$-$name
    rm -f "$new"
    trap 'rm -f "$new"' EXIT
    set -C
    : >"$new" || exit 1
    set +C
    { chmod "$4" "$new" && cat >"$new" && [ "$(($(wc -c <"$new")))" = "$5" ] && mv -f "$new" "./$name"; } || exit 1
    ;;
esac
