# may change: the manager's process is another one afterwards.
# The manager is killed without a warning while a scope runs, and starts again (checklist T44, as far as it goes without
# recovery): processes, limits and foreign groups are as they were, and new scopes start beside the old ones.
. /payload/guest/lib.sh
[ "$MANAGER" = systemd ] && exit 0
scope r70a.scope --slice=r70-x.slice -p MemoryMax=50M -p TasksMax=33
pid=$(cat $CG/r70.slice/r70-x.slice/r70a.scope/cgroup.procs)
restart_manager
is 'the process lives' "$pid" "$(cat $CG/r70.slice/r70-x.slice/r70a.scope/cgroup.procs)"
file_is r70.slice/r70-x.slice/r70a.scope memory.max 52428800
file_is r70.slice/r70-x.slice/r70a.scope pids.max 33
out=$(systemd-run -q --scope --unit=r70b.scope --slice=r70-x.slice -p TasksMax=7 cat /proc/self/cgroup)
is 'a new scope beside it' 0::/r70.slice/r70-x.slice/r70b.scope "$out"
soon 'the new scope is unloaded' unit_gone r70b.scope
is 'the process lives on' "$pid" "$(cat $CG/r70.slice/r70-x.slice/r70a.scope/cgroup.procs)"
kill -9 "$pid"
end r70-x.slice
ok systemctl stop r70.slice
rmdir $CG/r70.slice/r70-x.slice/r70a.scope $CG/r70.slice/r70-x.slice $CG/r70.slice 2>/dev/null
soon 'the cgroup is gone' gone $CG/r70.slice
