# may change: the manager's process is another one afterwards.
# The daemon records what happens under load on the real kernel; the core, given the same once more, does the same.
. /payload/guest/lib.sh
[ "$MANAGER" = systemd ] && exit 0
[ -x /payload/bin/cgarbiter-sim ] || fail "no cgarbiter-sim beside the daemon"
trace=/run/r71.trace
MANAGER_OPTIONS="--record $trace" restart_manager
scope r71a.scope --slice=r71-x.slice -p MemoryMax=50M -p TasksMax=33 -p CPUQuota=20%
ok systemctl set-property --runtime r71a.scope MemoryMax=40M
status 1 systemctl set-property --runtime r71a.scope MemoryMax=0
for i in 1 2 3 4 5 6 7 8; do
    systemd-run -q --scope --slice=r71-y.slice -p MemoryMax=${i}M sh -c 'cat /proc/self/cgroup >/dev/null' &
done
ok systemd-run -q --wait --unit=r71b.service --slice=r71-x.slice true
systemctl status r71a.scope >/dev/null
end r71a.scope
soon 'the other scopes are gone' unit_gone 'run-*.scope'
ok systemctl stop r71.slice
is 'the mode of the trace' 600 "$(stat -c %a $trace)"
# Killed between two turns, and told to stop: both traces are whole.
kill -9 "$(manager_pid)"
cp $trace $trace.killed
MANAGER_OPTIONS="--record $trace" start_manager || fail 'the daemon does not answer again'
pid=$(manager_pid)
kill "$pid"
soon 'the daemon has stopped' eval "! kill -0 $pid"
ok /payload/bin/cgarbiter-sim replay --check $trace.killed
like 'the killed one' '*as recorded; the trace*' "$out"
echo "SHOW: $out"
ok /payload/bin/cgarbiter-sim replay --check $trace
like 'the stopped one' '*the daemon was told to stop*' "$out"
# What is altered is found.
sed 's/"52428800"/"52428801"/' $trace.killed >$trace.altered
status 1 /payload/bin/cgarbiter-sim replay $trace.altered
like 'the altered one' '*differs*memory.max*52428801*' "$out"
start_manager || fail 'the daemon does not answer again'
rm -f $trace*
