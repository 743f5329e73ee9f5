# amtui: waits until any of several consoles prints something. Sent whole with each request.
#   ROUNDS NAP MARK PIDS RUN-DIRECTORY ...: `MARK`, then `BYTES PATH` of each log and `gone PID` of each tmux server that is
# not there any more; an empty line now and then meanwhile
# shellcheck shell=sh
set -u
if command -v perl >/dev/null; then
  # The same in one process, which costs next to nothing and may look more often.
  exec perl -e '
    my (undef, $left, $nap, $mark, $pids, @dirs) = @ARGV; $left *= 4; $nap /= 4; $| = 1; my ($before, $new) = ("-", "");
    for (;;) {
      my @now;
      for my $d (@dirs) { opendir my $h, $d or next; push @now, map { (-s "$d/$_" || 0) . " $d/$_" } sort grep { /^log\.\d+$/ } readdir $h }
      push @now, map { "gone $_" } grep { !kill 0, $_ } split " ", $pids;
      my $now = join "\n", @now;
      if ($now ne $before) { $before = $now; $new = 0; $new = ($new * 31 + $_) % 4294967291 for unpack "C*", $now }
      if ($new ne $mark or $left <= 0) { print "$new\n$now\n"; exit 0 }
      select undef, undef, undef, $nap;
      print "\n" or exit 0 unless --$left % 64;
    }' amtui-stir "$@"
fi
left=$1 nap=$2 mark=$3 pids=$4
shift 4
sizes() {
  n=$#
  while [ "$n" -gt 0 ]; do
    d=$1 n=$((n - 1))
    shift
    for f in "$d"/log.*; do [ ! -e "$f" ] || set -- "$@" "$f"; done
  done
  [ $# = 0 ] || wc -c "$@" 2>/dev/null
}
print_of() { if command -v cksum >/dev/null; then cksum; else md5sum; fi; }
before=- new=''
while :; do
  now=$(sizes "$@")
  for p in $pids; do
    kill -0 "$p" 2>/dev/null || now="$now
gone $p"
  done
  if [ "$now" != "$before" ]; then
    before=$now
    new=$(printf %s "$now" | print_of)
    new=${new%% *}
  fi
  if [ "$new" != "$mark" ] || [ "$left" -le 0 ]; then
    printf '%s\n%s\n' "$new" "$now"
    exit 0
  fi
  sleep "$nap" 2>/dev/null || sleep 1
  left=$((left - 1))
  [ $((left % 16)) != 0 ] || echo || exit 0 # when nobody reads it any more, it ends us
done
