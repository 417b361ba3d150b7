# `cgarbiter run`: commands as transient services, under real limits, with pipes and a terminal.
# Against systemd there is no client of ours: nothing to see.
. /payload/guest/lib.sh
client=/payload/bin/cgarbiter
[ -x $client ] || exit 0

run() { # run OPTION... COMMAND...: its output and status
    out=$($client run -q "$@" 2>&1)
    code=$?
}
run --wait sh -c 'exit 7'
is 'the status is passed on' 7 "$code"
run --pipe -p MemoryMax=64M -p TasksMax=20 --slice=s35 sh -c 'cat /sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup)/memory.max'
is 'its limit' 67108864 "$out"
like 'its end' '*Finished with result: success*code=exited/status=0*CPU time consumed: *' \
    "$($client run --wait sh -c 'i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done' 2>&1)"
run --wait -p MemoryMax=16M -p MemorySwapMax=0 python3 -c 'x = bytearray(100 << 20)'
is 'out of memory' 137 "$code"
run --pipe --uid=nobody --gid=daemon --nice=5 --working-directory=/usr -E A='b c' sh -c 'id -un; id -gn; nice; pwd; echo "$A"'
is 'who, how and where' 'nobody daemon 5 /usr b c' "$(echo $out)"
is 'through a pipe' HELLO "$(echo hello | $client run -q --pipe tr a-z A-Z)"
run --wait -p ReadOnlyPaths=/none true
is 'no namespace' 226 "$code"
run --uid=nosuchuser true
is 'no such user' 1 "$code"
like 'why' '*217 (USER)*' "$out"
like 'a terminal' '*/dev/pts/*' "$(script -qec "$client run -q --pty tty" /dev/null)"

# An interrupt is for the service, and nobody is left.
$client run -q --wait -u i35 sh -c 'trap "exit 4" INT; while :; do sleep 0.1; done' &
soon 'i35.service runs' systemctl -q is-active i35.service
kill -INT $!
wait $!
is 'interrupted' 4 $?
soon 'i35.service is over' gone $CG/system.slice/i35.service
systemctl reset-failed i35.service

# Whoever waits may go; the service stays. One that failed is kept to be looked at, unless it is to be collected.
$client run -q --wait -u g35 sleep 1000 &
soon 'g35.service runs' systemctl -q is-active g35.service
kill -9 $!
is 'it goes on' active "$(systemctl is-active g35.service)"
ok systemctl stop g35.service
run -u f35 --service-type=oneshot false
is 'it failed' 1 "$code"
is 'kept' failed "$(systemctl is-failed f35.service)"
ok systemctl reset-failed f35.service
run -G -u f35 --service-type=oneshot false
soon 'collected' unit_gone f35.service
ok $client run -q -r -u r35 true
soon 'it remains' test exited = "$(property r35.service SubState)"
ok systemctl stop r35.service
systemctl stop s35.slice
for unit in $(systemctl list-units --state=failed --plain --no-legend 'run-*' | cut -d' ' -f1); do
    systemctl reset-failed "$unit"
done
