# Limits of a slice hold for all that is in it; accounting adds up; a unit's own limit does not touch its sibling's.
. /payload/guest/lib.sh
ok busctl -q call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager \
    StartTransientUnit 'ssa(sv)a(sa(sv))' m27-in.slice fail 3 TasksMax t 40 MemoryMax t 209715200 CPUWeight t 500 0
soon 'the slice is active' systemctl -q is-active m27-in.slice
file_is m27.slice/m27-in.slice pids.max 40
file_is m27.slice/m27-in.slice memory.max 209715200
file_is m27.slice/m27-in.slice cpu.weight 500
scope m27a.scope --slice=m27-in.slice -p MemoryMax=20M
scope m27b.scope --slice=m27-in.slice -p MemoryMax=30M
file_is m27.slice/m27-in.slice/m27a.scope memory.max 20971520
file_is m27.slice/m27-in.slice/m27b.scope memory.max 31457280
is 'tasks of the slice' 2 "$(property m27-in.slice TasksCurrent)"
memory=$(property m27-in.slice MemoryCurrent)
[ "$memory" -gt 0 ] 2>/dev/null || fail "MemoryCurrent of the slice: $memory"
end m27a.scope
file_is m27.slice/m27-in.slice/m27b.scope memory.max 31457280
file_is m27.slice/m27-in.slice pids.max 40
end m27b.scope m27-in.slice m27.slice
