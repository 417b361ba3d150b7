# A delegated scope belongs to its user: what is made inside is neither adopted nor removed, values written there stay
# through a reload, and the end of the scope clears it all away.
. /payload/guest/lib.sh
scope g61.scope --slice=g61.slice --uid=1000 -p Delegate=yes -p MemoryMax=100M
at=g61.slice/g61.scope
for controller in cpu memory pids; do
    like 'available inside' "* $controller *" " $(cat $CG/$at/cgroup.controllers) "
done
mkdir -p $CG/$at/inner/leaf || fail 'mkdir inside'
cat $CG/$at/cgroup.procs >$CG/$at/inner/leaf/cgroup.procs || fail 'move inside'
echo +memory >$CG/$at/cgroup.subtree_control || fail 'enable memory inside'
echo 50M >$CG/$at/inner/memory.max
ok systemctl daemon-reload
ok systemctl set-property --runtime g61.scope TasksMax=44
file_is $at pids.max 44
file_is $at cgroup.subtree_control memory
file_is $at/inner memory.max 52428800
is 'still running' active "$(systemctl is-active g61.scope)"
is 'who is where' "/$at/inner/leaf" "$(sed -n s/^0:://p /proc/"$(cat $CG/$at/inner/leaf/cgroup.procs)"/cgroup)"
like 'the process is the unit'"'"'s' '*g61.scope*' "$(systemctl status --no-pager "$(cat $CG/$at/inner/leaf/cgroup.procs)")"
ok systemctl stop g61.scope
soon 'all of it is gone' gone $CG/$at
soon 'g61.scope is unloaded' unit_gone g61.scope
end g61.slice
