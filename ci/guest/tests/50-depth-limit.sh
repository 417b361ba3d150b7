# The kernel refuses to make a cgroup (cgroup.max.depth, cgroup.max.descendants on a slice): the job fails, the log
# names the cgroup and the reason, and nothing is left behind; with the limit lifted the same request succeeds.
. /payload/guest/lib.sh
scope d50.scope --slice=d50.slice
for file in cgroup.max.depth cgroup.max.descendants; do
    unit=d50$(echo $file | tr -d .).scope
    echo 1 >$CG/d50.slice/$file
    if [ $file = cgroup.max.depth ]; then slice=d50-deep-er.slice; else slice=d50.slice; fi
    out=$(timeout 60 systemd-run -q --scope --unit=$unit --slice=$slice echo started 2>&1)
    status=$?
    [ $status -ne 0 ] && [ $status -ne 124 ] || fail "$file=1: the scope started ($status): $out"
    unlike "$file=1" '*started*' "$out"
    [ -z "$(find $CG/d50.slice -name "$unit")" ] || fail "$file=1: the cgroup of $unit exists"
    systemctl reset-failed $unit 2>/dev/null
    soon "$unit is unloaded" unit_gone $unit
    # Whose cgroup it was is the manager's choice: the scope's own or that of the slice it needs.
    log=$(manager_log | grep -a d50 | grep -E 'EAGAIN|Resource temporarily unavailable')
    like 'the log has the errno' '*d50*' "$log"
    [ "$MANAGER" = systemd ] || like 'the log has the file' '*/d50.slice/*' "$log"
    is 'the one that was there is untouched' active "$(systemctl is-active d50.scope)"
    echo max >$CG/d50.slice/$file
    out=$(systemd-run -q --scope --unit=$unit --slice=$slice echo started 2>&1)
    is "$file=max" started "$out"
    soon "$unit is unloaded" unit_gone $unit
done
systemctl stop d50-deep-er.slice d50-deep.slice 2>/dev/null
end d50.scope d50.slice
