# may change: the manager's process is another one afterwards.
# Records that were damaged, or written by a newer version, while the manager was away: each is named, its unit can be seen
# and stopped, its limits stay, and all others are found again. The damaged one is put aside; the newer one stays where it
# is, for whoever understands it. systemd keeps no such records.
. /payload/guest/lib.sh
[ "$MANAGER" = systemd ] && exit 0
T=/run/systemd/transient
for name in good torn newer; do
    scope r71-$name.scope --slice=r71.slice -p MemoryMax=50M
done
printf 'MemoryMax=1\n' >>$T/r71-torn.scope
sed -i 's/^Version=1$/Version=7/' $T/r71-newer.scope
restart_manager
[ -f /run/cgarbiter/quarantine/r71-torn.scope ] || fail 'the damaged record is not in the quarantine'
[ -f $T/r71-torn.scope ] && fail 'the damaged record is still in its place'
[ -f $T/r71-newer.scope ] || fail 'the newer record is not in its place'
is 'the good one' loaded "$(property r71-good.scope LoadState)"
for name in torn newer; do
    is "$name LoadState" error "$(property r71-$name.scope LoadState)"
    is "$name SubState" running "$(property r71-$name.scope SubState)"
    file_is r71.slice/r71-$name.scope memory.max 52428800
    ok systemctl stop r71-$name.scope
    soon "r71-$name.scope is gone" gone $CG/r71.slice/r71-$name.scope
done
like 'the version is named' '*it has version 7*' "$(cat $MANAGER_LOG)"
end r71-good.scope
ok systemctl stop r71.slice
soon 'the cgroup is gone' gone $CG/r71.slice
rm -rf /run/cgarbiter/quarantine $T/r71-newer.scope
