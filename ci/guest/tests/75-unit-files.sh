# limit: 240 s
# Files dropped into the unit directory are listed, enabled, masked, linked and reverted by systemctl, start and
# stop services, and a value written by hand inside a delegated cgroup survives a hundred reloads.
. /payload/guest/lib.sh
dir=/etc/systemd/system
mkdir -p $dir
cleanup() {
    rm -rf $dir/u75* $dir/w75* /run/systemd/system/u75* /opt/o75.service $dir/o75.service
    systemctl daemon-reload
}
trap cleanup EXIT
cat >$dir/u75.service <<END
[Unit]
Description=Of %n on %H
[Service]
Slice=w75.slice
ExecStart=/bin/sleep 1000
MemoryMax=64M
Delegate=yes
[Install]
WantedBy=w75.slice
END
printf '[Slice]\nTasksMax=77\n' >$dir/w75.slice
ok systemctl daemon-reload
is state disabled "$(systemctl is-enabled u75.service)"
ok systemctl enable u75.service
is link $dir/u75.service "$(readlink $dir/w75.slice.wants/u75.service)"
is state enabled "$(systemctl is-enabled u75.service)"
like 'list-unit-files' '*u75.service*enabled*' "$(systemctl list-unit-files 'u75*')"
ok systemctl start w75.slice
soon 'u75.service is pulled in' systemctl -q is-active u75.service
at=w75.slice/u75.service
file_is $at memory.max 67108864
file_is w75.slice pids.max 77
is description "Of u75.service on $(cat /proc/sys/kernel/hostname)" "$(property u75.service Description)"
like status '*u75.service*active*' "$(systemctl status u75.service)"
like cat "*$dir/u75.service*MemoryMax=64M*" "$(systemctl cat u75.service)"
like dependencies '*u75.service*' "$(systemctl list-dependencies w75.slice)"
ok systemctl list-jobs
before=$(property u75.service MainPID)
ok systemctl restart u75.service
unlike 'another process' "$before" "$(property u75.service MainPID)"
mkdir $CG/$at/inner || fail 'mkdir inside'
echo 7 >$CG/$at/inner/cgroup.max.descendants || fail 'write inside'
inode=$(stat -c %i $CG/$at/inner)
for _ in $(seq 100); do systemctl daemon-reload || fail 'daemon-reload'; done
file_is $at/inner cgroup.max.descendants 7
is 'the same directory' "$inode" "$(stat -c %i $CG/$at/inner)"
rmdir $CG/$at/inner
ok systemctl set-property --runtime u75.service MemoryHigh=32M
file_is $at memory.high 33554432
mkdir $dir/u75.service.d
printf '[Service]\nMemoryHigh=48M\n' >$dir/u75.service.d/90.conf
ok systemctl daemon-reload
file_is $at memory.high 50331648
ok systemctl revert u75.service
file_is $at memory.high max
[ ! -e $dir/u75.service.d ] || fail 'the drop-in is left'
[ -e $dir/u75.service ] || fail 'what is not installed is not reverted away'
status 1 systemctl mask u75.service
like 'a file is in the way' '*already exists*' "$out"
ok systemctl mask --runtime u75.service
ok systemctl unmask --runtime u75.service
ok systemctl disable u75.service
[ ! -e $dir/w75.slice.wants ] || fail 'an empty directory is left'
status 1 systemctl enable missing75.service
like 'no such file' '*missing75.service*does not exist*' "$out"
mkdir -p /opt
printf '[Service]\nExecStart=/bin/true\n' >/opt/o75.service
ok systemctl link /opt/o75.service
is linked linked "$(systemctl is-enabled o75.service)"
ok systemctl disable o75.service
ok systemctl mask m75.service
status 1 systemctl start m75.service
like masked '*masked*' "$out"
ok systemctl unmask m75.service
ok systemctl stop u75.service w75.slice
soon 'the directories are gone' gone $CG/w75.slice
