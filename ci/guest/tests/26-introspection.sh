# busctl introspect and tree list everything that the clients of a cgroup manager use (checklist T40).
. /payload/guest/lib.sh
scope i26.scope --slice=i26.slice
names() { busctl introspect --no-pager org.freedesktop.systemd1 "$1" | awk '{print $1}'; }
has() { # has PATH NAME...
    path=$1
    shift
    listing=" $(names "$path" | tr '\n' ' ')"
    for name in "$@"; do like "$path has $name" "* $name *" "$listing"; done
}
has /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager org.freedesktop.DBus.Properties \
    .StartTransientUnit .StartUnit .StopUnit .RestartUnit .KillUnit .ResetFailedUnit .ResetFailed .GetUnit .GetUnitByPID \
    .GetUnitByControlGroup .LoadUnit .ListUnits .ListUnitsByPatterns .ListUnitsByNames .ListUnitsFiltered .ListJobs \
    .GetJob .CancelJob .SetUnitProperties .GetUnitProcesses .AttachProcessesToUnit .FreezeUnit .ThawUnit .RefUnit \
    .UnrefUnit .AbandonScope .Subscribe .Unsubscribe .Reload .Version .SystemState .NNames .NJobs .ControlGroup \
    .JobNew .JobRemoved .UnitNew .UnitRemoved .Reloading .DefaultTasksMax
has /org/freedesktop/systemd1/unit/i26_2escope org.freedesktop.systemd1.Unit org.freedesktop.systemd1.Scope \
    .Stop .Kill .SetProperties .Ref .Unref .Freeze .Thaw .Abandon .RequestStop .Id .ActiveState .SubState .Job \
    .ControlGroup .MemoryMax .MemoryCurrent .TasksMax .CPUQuotaPerSecUSec .Delegate .InvocationID .Controller .Result \
    .KillMode .TimeoutStopUSec
has /org/freedesktop/systemd1/unit/i26_2eslice org.freedesktop.systemd1.Slice .Slice .MemoryMax .ControlGroup
like 'the unit is in the tree' '*/org/freedesktop/systemd1/unit/i26_2escope*' \
    "$(busctl tree --no-pager --list org.freedesktop.systemd1)"
is 'a property by busctl' 's "i26.scope"' \
    "$(busctl get-property org.freedesktop.systemd1 /org/freedesktop/systemd1/unit/i26_2escope org.freedesktop.systemd1.Unit Id)"
end i26.scope i26.slice
