# Processes that ignore SIGTERM are killed when the stop time-out is over, and not before; KillMode and SIGKILL hold.
. /payload/guest/lib.sh
rm -f /tmp/t30up
systemd-run -q --scope --unit=t30.scope --slice=t30.slice -p TimeoutStopSec=2s \
    sh -c 'trap "" TERM; for i in 1 2 3; do (trap "" TERM; while :; do sleep 1; done) & done; echo >/tmp/t30up; wait' &
soon 'the scope is up' test -e /tmp/t30up
start=$(date +%s%N)
systemctl stop t30.scope
took=$((($(date +%s%N) - start) / 1000000))
[ $took -ge 1900 ] || fail "it was over after $took ms, before the time-out"
[ $took -le 15000 ] || fail "it took $took ms"
gone $CG/t30.slice/t30.scope || fail "left: $(cat $CG/t30.slice/t30.scope/cgroup.procs | wc -l) processes"
is Result timeout "$(property t30.scope Result)"
ok systemctl reset-failed t30.scope
# One that obeys is over at once, and has not failed.
scope t30b.scope --slice=t30.slice -p TimeoutStopSec=60s
start=$(date +%s)
ok systemctl stop t30b.scope
[ $(($(date +%s) - start)) -le 10 ] || fail 'a process that obeys SIGTERM was waited for'
soon 't30b.scope is unloaded' unit_gone t30b.scope
# kill with SIGKILL ends the scope.
scope t30c.scope --slice=t30.slice
ok systemctl kill -s KILL t30c.scope
soon 't30c.scope is unloaded' unit_gone t30c.scope
end t30.slice
wait
rm -f /tmp/t30up
