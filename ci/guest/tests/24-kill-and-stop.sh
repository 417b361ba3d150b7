# kill with a signal of one's choice, stop, and stop again (checklist T11).
. /payload/guest/lib.sh
systemd-run -q --scope --unit=k24.scope --slice=k24.slice sh -c 'trap "echo got >/tmp/k24" USR1; echo up >/tmp/k24; while :; do sleep 0.1; done' &
soon 'the scope is up' grep -q up /tmp/k24
ok systemctl kill -s USR1 k24.scope
soon 'the signal arrived' grep -q got /tmp/k24
is 'it lives on' active "$(systemctl is-active k24.scope)"
ok systemctl stop k24.scope
gone $CG/k24.slice/k24.scope || fail 'the cgroup is still there'
soon 'k24.scope is unloaded' unit_gone k24.scope
status 5 systemctl stop k24.scope
like 'the second stop' '*k24.scope not loaded*' "$out"
status 1 systemctl kill -s TERM k24.scope
status 1 systemctl reset-failed k24.scope
status 5 systemctl start k24.scope
status 5 systemctl restart nosuch24.scope
# Stopping a slice stops what is in it, however deep.
scope k24a.scope --slice=k24-deep.slice
scope k24b.scope --slice=k24-deep-er.slice
ok systemctl stop k24.slice
for unit in k24a.scope k24b.scope k24-deep-er.slice k24-deep.slice k24.slice; do
    soon "$unit is unloaded" unit_gone $unit
done
gone $CG/k24.slice || fail 'the cgroup of the slice is still there'
rm -f /tmp/k24
