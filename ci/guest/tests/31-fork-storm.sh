# limit: 240 s
# A scope whose processes fork as fast as they can and ignore SIGTERM is stopped, and not one of them is left.
. /payload/guest/lib.sh
rm -f /tmp/storm31.py
cat >/tmp/storm31.py <<'PY'
import os, signal, time
os.nice(19)  # the storm is to outrun the manager's list of pids, not to starve the machine
signal.signal(signal.SIGTERM, signal.SIG_IGN)
# Every process forks one successor and ends a moment later: pids that are read from the cgroup are old at once.
for _ in range(4):
    if os.fork() == 0:
        break
while True:
    try:
        if os.fork() == 0:
            continue
        time.sleep(0.03)
        os._exit(0)
    except OSError:
        time.sleep(0.01)
PY
systemd-run -q --scope --unit=storm31.scope --slice=storm31.slice -p TasksMax=40 -p TimeoutStopSec=1s python3 /tmp/storm31.py &
soon 'the storm is on' test -d $CG/storm31.slice/storm31.scope
sleep 2
[ "$(processes storm31.slice/storm31.scope)" -gt 0 ] || fail 'the storm is over too early'
systemctl stop storm31.scope
soon 'the cgroup is gone' gone $CG/storm31.slice/storm31.scope
[ -z "$(pgrep -f storm31.py)" ] || fail "left: $(pgrep -f -a storm31.py | head -3)"
ok systemctl reset-failed storm31.scope
end storm31.slice
wait
rm -f /tmp/storm31.py
