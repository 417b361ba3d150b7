# The look-ups that people and scripts do with systemctl (checklist T1-T4, T16, T17).
. /payload/guest/lib.sh
ok systemctl is-system-running
is is-system-running running "$out"
status 3 systemctl is-active nosuch.service
is 'an unknown unit' inactive "$out"
status 4 systemctl status nosuch
like 'status of an unknown unit' '*could not be found*' "$out"
status 1 systemctl is-failed nosuch.service

scope s20.scope --slice=s20.slice --description='a scope to look at' -p MemoryMax=40M
ok systemctl is-active s20.scope
is is-active active "$out"
ok systemctl status --no-pager
for part in 'State: running' 'Units:' 'Jobs: 0 queued' 'Failed: 0 units' 'CGroup: /' 's20.slice' 's20.scope' 'sleep 1000'; do
    like "status has $part" "*$part*" "$out"
done
ok systemctl status --no-pager s20.scope
for part in 's20.scope - a scope to look at' 'Loaded: loaded' 'Transient: yes' 'Active: active (running) since' \
    'Tasks: 1' 'CGroup: /s20.slice/s20.scope' 'sleep 1000'; do
    like "status of a scope has $part" "*$part*" "$out"
done
for pair in Id=s20.scope Names=s20.scope LoadState=loaded ActiveState=active SubState=running Transient=yes \
    Slice=s20.slice ControlGroup=/s20.slice/s20.scope MemoryMax=41943040 Result=success TasksCurrent=1 \
    'Description=a scope to look at' NeedDaemonReload=no KillMode=control-group; do
    is "show ${pair%%=*}" "$pair" "$(systemctl show -p "${pair%%=*}" s20.scope)"
done
is 'show of two' 's20.scope active' "$(systemctl show --value -p Id -p ActiveState s20.scope | tr '\n' ' ' | sed 's/ $//')"
like 'the invocation' '????????????????????????????????' "$(property s20.scope InvocationID)"
is 'the invocation in the kernel or on record' 32 "$(property s20.scope InvocationID | tr -d '\n' | wc -c)"
is 'an unknown unit' 'not-found inactive dead' \
    "$(systemctl show --value -p LoadState -p ActiveState -p SubState nosuch.scope | tr '\n' ' ' | sed 's/ $//')"
pid=$(cat $CG/s20.slice/s20.scope/cgroup.procs)
ok systemctl status --no-pager "$pid"
like 'status of a pid' '*s20.scope*' "$out"
status 1 systemctl whoami 999999999

ok systemd-cgls --no-pager -u s20.scope
like 'cgls of the unit' '*sleep 1000*' "$out"
ok systemd-cgls --no-pager
like 'cgls of everything' '*s20.slice*s20.scope*sleep 1000*' "$out"

SYSTEMCTL_FORCE_BUS=1 ok systemctl is-system-running
is 'over the bus' running "$out"
SYSTEMCTL_FORCE_BUS=1 status 3 systemctl is-active nosuch.service
SYSTEMCTL_FORCE_BUS=1 ok systemctl is-active s20.scope
ok systemctl show -p Version -p NJobs
like 'the manager' '*Version=*' "$out"
like 'the manager' '*NJobs=0*' "$out"
end s20.scope s20.slice
