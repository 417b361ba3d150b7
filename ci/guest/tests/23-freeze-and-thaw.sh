# freeze and thaw (checklist T10): the state in the kernel, in FreezerState, and of the process.
. /payload/guest/lib.sh
scope f23.scope --slice=f23.slice
at=f23.slice/f23.scope
is 'at first' running "$(property f23.scope FreezerState)"
ok systemctl freeze f23.scope
file_is $at cgroup.freeze 1
like 'the kernel agrees' '*frozen 1*' "$(cat $CG/$at/cgroup.events)"
is 'when frozen' frozen "$(property f23.scope FreezerState)"
is 'still active' active "$(systemctl is-active f23.scope)"
ok systemctl thaw f23.scope
file_is $at cgroup.freeze 0
is 'when thawed' running "$(property f23.scope FreezerState)"
ok systemctl freeze f23.slice
like 'a slice freezes what is in it' '*frozen 1*' "$(cat $CG/$at/cgroup.events)"
ok systemctl thaw f23.slice
like 'and thaws it' '*frozen 0*' "$(cat $CG/$at/cgroup.events)"
status 1 systemctl freeze nosuch23.scope
# A frozen scope can be stopped: its processes are thawed to die.
ok systemctl freeze f23.scope
end f23.scope f23.slice
