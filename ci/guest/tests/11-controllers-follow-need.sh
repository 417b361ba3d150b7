# Controllers are enabled for the units that need them and no longer than that.
. /payload/guest/lib.sh
scope c11x.scope --slice=c11-x.slice -p MemoryMax=32M -p TasksMax=9
enables c11.slice/c11-x.slice memory pids
unlike 'cpu without need' '*cpu*' "$(cat $CG/c11.slice/c11-x.slice/cgroup.subtree_control)"
scope c11y.scope --slice=c11-x.slice -p CPUQuota=20%
enables c11.slice cpu memory pids
enables c11.slice/c11-x.slice cpu memory pids
file_is c11.slice/c11-x.slice/c11y.scope cpu.max '20000 100000'
file_is c11.slice/c11-x.slice/c11x.scope cpu.max 'max 100000'
ok systemctl stop c11y.scope
no_cpu() { ! grep -qw cpu $CG/c11.slice/c11-x.slice/cgroup.subtree_control && ! grep -qw cpu $CG/c11.slice/cgroup.subtree_control; }
soon 'cpu is off again' no_cpu
enables c11.slice/c11-x.slice memory pids
file_is c11.slice/c11-x.slice/c11x.scope memory.max 33554432
file_is c11.slice/c11-x.slice/c11x.scope pids.max 9
end c11x.scope c11-x.slice c11.slice
