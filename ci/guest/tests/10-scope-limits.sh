# A scope with limits in a nested slice: the path, limits before the process runs, controllers on every level.
. /payload/guest/lib.sh
ok systemd-run -q --scope -p MemoryMax=64M -p TasksMax=50 -p CPUQuota=20% --slice=a-b.slice sh -c '
    cg=$(sed -n s/^0:://p /proc/self/cgroup)
    echo "$cg"
    cd /sys/fs/cgroup$cg && cat memory.max pids.max cpu.max
    for level in /sys/fs/cgroup /sys/fs/cgroup/a.slice /sys/fs/cgroup/a.slice/a-b.slice; do
        echo "x $(cat $level/cgroup.subtree_control) x"
    done'
line() { printf '%s\n' "$out" | sed -n "$1p"; }
like path '/a.slice/a-b.slice/run-r*.scope' "$(line 1)"
is memory.max 67108864 "$(line 2)"
is pids.max 50 "$(line 3)"
is cpu.max '20000 100000' "$(line 4)"
for level in 5 6 7; do
    for controller in cpu memory pids; do like "level $level" "* $controller *" "$(line $level)"; done
done
end a-b.slice a.slice
