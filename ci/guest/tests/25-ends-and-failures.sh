# A scope whose process ends is over and gone whatever the exit status; one that had to be killed has failed, stays for
# inspection until reset-failed, or goes at once with --collect (checklist T14).
. /payload/guest/lib.sh
status 1 systemd-run -q --scope --unit=e25.scope false
soon 'e25.scope is unloaded' unit_gone e25.scope
status 7 systemd-run -q --scope --collect --unit=e25c.scope sh -c 'exit 7'
soon 'e25c.scope is unloaded' unit_gone e25c.scope
status 4 systemctl status e25c.scope

stubborn() { # stubborn UNIT OPTION...
    unit=$1
    shift
    rm -f /tmp/e25up
    systemd-run -q --scope --unit="$unit" "$@" sh -c 'trap "" TERM; echo >/tmp/e25up; while :; do sleep 1; done' &
    soon "$unit is up" test -e /tmp/e25up
}
stubborn e25f.scope -p TimeoutStopSec=1s
systemctl stop e25f.scope
is 'killed after the time-out' failed "$(systemctl is-failed e25f.scope)"
is Result timeout "$(property e25f.scope Result)"
status 3 systemctl status e25f.scope
like 'status says so' '*failed (Result: timeout)*' "$out"
like 'it is among the failed' '*e25f.scope*' "$(systemctl --failed --plain --no-legend)"
# Its name is taken until it is reset.
status 1 systemd-run -q --scope --unit=e25f.scope true
like 'the name is taken' '*already*' "$out"
ok systemctl reset-failed e25f.scope
soon 'e25f.scope is unloaded' unit_gone e25f.scope
ok systemd-run -q --scope --unit=e25f.scope true
soon 'e25f.scope is unloaded' unit_gone e25f.scope

stubborn e25g.scope --collect -p TimeoutStopSec=1s
systemctl stop e25g.scope
soon 'e25g.scope is collected although it failed' unit_gone e25g.scope
# A time limit on the whole scope.
status 143 systemd-run -q --scope --unit=e25r.scope -p RuntimeMaxSec=1s sleep 100
soon 'e25r.scope has failed' systemctl -q is-failed e25r.scope
is 'Result of a scope that ran too long' timeout "$(property e25r.scope Result)"
ok systemctl reset-failed
soon 'e25r.scope is unloaded' unit_gone e25r.scope
wait
rm -f /tmp/e25up
