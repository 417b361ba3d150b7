# set-property changes the files at once, --runtime and persistent ones survive a reload, and bad ones change nothing
# (checklist T9).
. /payload/guest/lib.sh
scope p22.scope --slice=p22.slice
at=p22.slice/p22.scope
ok systemctl set-property --runtime p22.scope MemoryHigh=10M CPUWeight=idle TasksMax=77
file_is $at memory.high 10485760
file_is $at cpu.idle 1
file_is $at pids.max 77
is MemoryHigh 10485760 "$(property p22.scope MemoryHigh)"
is CPUWeight idle "$(property p22.scope CPUWeight)"
ok systemctl set-property --runtime p22.scope MemoryHigh=infinity CPUWeight=
file_is $at memory.high max
ok systemctl set-property --runtime p22.slice MemoryMax=100M
file_is p22.slice memory.max 104857600
ok systemctl daemon-reload
file_is p22.slice memory.max 104857600
is 'TasksMax after a reload' 77 "$(property p22.scope TasksMax)"
file_is $at pids.max 77
status 1 systemctl set-property --runtime p22.scope MemoryHigh=20M TasksMax=0
file_is $at memory.high max
file_is $at pids.max 77
status 1 systemctl set-property --runtime p22.scope Slice=other.slice
is Slice p22.slice "$(property p22.scope Slice)"
status 1 systemctl set-property --runtime nosuch22.scope MemoryHigh=20M
like 'the refusal names the unit' '*nosuch22.scope*not found*' "$out"
end p22.scope p22.slice
# Nothing on disk outlives a transient unit; what was said about a slice without a file stays until it is said otherwise.
[ -z "$(find /run/systemd/transient -name 'p22*')" ] || fail "left: $(find /run/systemd/transient -name 'p22*')"
rm -rf /run/systemd/system.control/p22.slice.d
ok systemctl daemon-reload
