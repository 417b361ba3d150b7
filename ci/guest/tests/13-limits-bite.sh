# The limits are the kernel's, not only numbers in files: forks stop at TasksMax, memory at MemoryMax.
# A scope whose process was killed for lack of memory has failed and says why.
. /payload/guest/lib.sh
out=$(systemd-run -q --scope -p TasksMax=5 sh -c 'for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done; wait' 2>&1)
like 'the sixth task' '*an*t fork*' "$out"
systemd-run -q --scope --unit=oom13.scope -p MemoryMax=16M -p MemorySwapMax=0 \
    python3 -c 'b = bytearray(64 << 20); print(len(b))'
is 'killed by SIGKILL' 137 $?
soon 'oom13.scope has failed' systemctl -q is-failed oom13.scope
is Result oom-kill "$(property oom13.scope Result)"
ok systemctl reset-failed oom13.scope
soon 'oom13.scope is unloaded' unit_gone oom13.scope
