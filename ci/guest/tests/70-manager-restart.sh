# may change: the manager's process is another one afterwards.
# The manager is killed without a warning while scopes run and starts again (checklist T44): it knows them, their limits
# and processes, can stop them, and a scope that ended meanwhile is forgotten.
. /payload/guest/lib.sh
scope r70a.scope --slice=r70-x.slice -p MemoryMax=50M -p TasksMax=33 --description='to be found again'
scope r70b.scope --slice=r70-x.slice -p TimeoutStopSec=1s
ok systemctl set-property --runtime r70-x.slice CPUWeight=55
pid=$(cat $CG/r70.slice/r70-x.slice/r70a.scope/cgroup.procs)
identity=$(property r70a.scope InvocationID)
restart_manager
is 'the process lives' "$pid" "$(cat $CG/r70.slice/r70-x.slice/r70a.scope/cgroup.procs)"
is ActiveState active "$(systemctl is-active r70a.scope)"
for pair in MemoryMax=52428800 TasksMax=33 Slice=r70-x.slice SubState=running 'Description=to be found again' \
    ControlGroup=/r70.slice/r70-x.slice/r70a.scope "InvocationID=$identity"; do
    is "${pair%%=*} after the restart" "$pair" "$(systemctl show -p "${pair%%=*}" r70a.scope)"
done
is 'CPUWeight of the slice' 55 "$(property r70-x.slice CPUWeight)"
file_is r70.slice/r70-x.slice cpu.weight 55
file_is r70.slice/r70-x.slice/r70a.scope memory.max 52428800
file_is r70.slice/r70-x.slice/r70a.scope pids.max 33
status 1 systemd-run -q --scope --unit=r70a.scope true
ok systemctl kill -s KILL r70b.scope
soon 'the end of r70b.scope is noticed' unit_gone r70b.scope
end r70a.scope
ok systemctl stop r70.slice
rm -rf /run/systemd/system.control/r70-x.slice.d
ok systemctl daemon-reload
soon 'the cgroup is gone' gone $CG/r70.slice
