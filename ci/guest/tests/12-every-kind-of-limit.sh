# Limits of five controllers in one call (checklist T6); percentages of what the machine has.
. /payload/guest/lib.sh
scope l12.scope --slice=foo-bar -p CPUQuota=50% -p AllowedCPUs=0 -p TasksMax=10% -p MemoryHigh=10% \
    -p 'IOReadBandwidthMax=/dev/vda 1M' -p CPUWeight=300 -p IOWeight=50 -p MemoryLow=1M
at=foo.slice/foo-bar.slice/l12.scope
is 'control group' /$at "$(scope_path l12.scope)"
file_is $at cpu.max '50000 100000'
file_is $at cpu.weight 300
file_is $at cpuset.cpus 0
file_is $at memory.low 1048576
file_is $at io.weight 'default 50'
like io.max "$(cat /sys/block/vda/dev) rbps=1000000 wbps=max riops=max wiops=max" "$(cat $CG/$at/io.max)"
total=$(awk '/^MemTotal/ {print $2 * 1024}' /proc/meminfo)
page_down() { echo $(($1 / 4096 * 4096)); }
high=$(cat $CG/$at/memory.high)
[ $((high - total / 10)) -gt -8192 ] && [ $((high - total / 10)) -lt 8192 ] || fail "memory.high is $high of $total"
is 'MemoryHigh agrees with the file' "$high" "$(page_down "$(property l12.scope MemoryHigh)")"
tasks=$(cat $CG/$at/pids.max)
is 'TasksMax agrees with the file' "$tasks" "$(property l12.scope TasksMax)"
limit=$(cat /proc/sys/kernel/threads-max)
pid_max=$(cat /proc/sys/kernel/pid_max)
[ "$limit" -lt "$pid_max" ] || limit=$pid_max
[ $((tasks - limit / 10)) -ge -1 ] && [ $((tasks - limit / 10)) -le 1 ] || fail "pids.max is $tasks of $limit"
end l12.scope foo-bar.slice foo.slice
