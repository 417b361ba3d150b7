# What people type: systemd-run waits, is a terminal, tells at which step a process failed; systemctl on files of units.
. /payload/guest/lib.sh
state() { property "$1" SubState; }

# ---- systemd-run -------------------------------------------------------------------------------------------------------
out=$(systemd-run --wait --unit=r36 -p MemoryMax=64M sh -c 'exit 7' 2>&1)
is 'the status' 7 $?
like 'the summary' '*Finished with result: exit-code*code=exited/status=7*Service runtime: *' "$out"
ok systemctl reset-failed r36.service
is 'through pipes' 3 "$(printf 'a\nb\nc\n' | systemd-run -q --pipe --wait wc -l)"
like 'a terminal' '*/dev/pts/*' "$(script -qec 'systemd-run -q --wait --collect --pty tty' /dev/null)"
script -qec 'systemd-run -q --wait --collect --pty sh -c "exit 9"' /dev/null
is 'the status at a terminal' 9 $?
ok systemd-run -q -r --unit=r36 true
soon 'it remains' test exited = "$(state r36.service)"
ok systemctl stop r36.service
is 'with its own settings' '7 nobody' \
    "$(echo $(systemd-run -q --pipe --wait --collect --uid=nobody --nice=7 sh -c 'nice; id -un'))"
is 'read-only and private' ro "$(systemd-run -q --pipe --wait --collect -p ProtectSystem=strict -p PrivateTmp=yes \
    sh -c 'touch /usr/e36 2>/dev/null || echo ro; ls -A /tmp; touch /tmp/e36')"
[ ! -e /tmp/e36 ] || fail 'PrivateTmp= is not private'
like 'inaccessible' '*ermission denied*' \
    "$(systemd-run -q --pipe --wait --collect -p InaccessiblePaths=/etc/passwd -p CapabilityBoundingSet= cat /etc/passwd 2>&1)"

# failing STATUS OPTION... COMMAND...: the process does not become the command, and the status says at which step
failing() {
    wanted=$1
    shift
    systemd-run -q --wait --unit=f36 "$@" >/dev/null 2>&1
    is "exit status of $*" "$wanted" $?
    is "ExecMainStatus of $*" "$wanted" "$(property f36.service ExecMainStatus)"
    is "Result of $*" exit-code "$(property f36.service Result)"
    systemctl reset-failed f36.service
    soon 'f36.service is unloaded' unit_gone f36.service
}
printf '#!/no/such/interpreter\n' >/tmp/bad36
chmod +x /tmp/bad36
failing 203 /tmp/bad36
rm /tmp/bad36
failing 217 -p User=nosuchuser true
failing 216 -p Group=nosuchgroup true
failing 200 -p WorkingDirectory=/none true
failing 226 -p ReadOnlyPaths=/none true
failing 209 -p StandardOutput=file:/none/x true
systemd-run -q --wait --unit=f36 -p TimeoutStopSec=1s -p RuntimeMaxSec=500ms sleep 100
is 'too long' timeout "$(property f36.service Result)"
systemctl reset-failed f36.service

if [ "$MANAGER" != systemd ]; then
    systemd-run --on-active=1s true >/tmp/out36 2>&1 && fail 'there are no timers'
    like 'timers are refused clearly' '*timer*does not support*' "$(cat /tmp/out36)"
    rm /tmp/out36
fi

# ---- systemctl -----------------------------------------------------------------------------------------------------------
dir=/etc/systemd/system
cleanup() {
    rm -rf $dir/v36* /run/systemd/system/v36* /etc/systemd/system.control/v36* /tmp/v36
    systemctl daemon-reload
}
trap cleanup EXIT
cat >$dir/v36.service <<'END'
[Unit]
Description=What is told to
Wants=v36-other.service
After=v36-other.service
[Service]
ExecStart=/bin/sh -c 'trap "echo >/tmp/v36" USR1; while :; do sleep 0.1; done'
ExecReload=/bin/kill -USR1 $MAINPID
[Install]
WantedBy=multi-user.target
Alias=v36-alias.service
END
printf '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sleep 1\n' >$dir/v36-other.service
like 'not known yet' '*inactive*' "$(systemctl is-active v36.service)"
ok systemctl daemon-reload
ok systemctl start --no-block v36.service
like 'list-jobs' '*v36.service*start*waiting*' "$(systemctl list-jobs v36.service)"
like 'list-jobs' '*v36-other.service*start*running*' "$(systemctl list-jobs)"
soon 'v36.service' systemctl -q is-active v36.service
is 'pulled in' exited "$(state v36-other.service)"
like 'no jobs' '*No jobs*' "$(systemctl list-jobs)"
like 'dependencies' '*v36-other.service*' "$(systemctl list-dependencies v36.service)"
like 'what needs it' '*v36.service*' "$(systemctl list-dependencies --reverse v36-other.service)"
like 'status' '*v36.service - What is told to*Loaded: loaded (/etc/systemd/system/v36.service; disabled*Active: active (running)*Main PID: *Tasks: *Memory: *CGroup: /system.slice/v36.service*' \
    "$(systemctl status v36.service)"
like 'cat' '# /etc/systemd/system/v36.service*ExecReload=*' "$(systemctl cat v36.service)"
shown=$(systemctl show v36.service)
like 'show' '*ExecReload={ path=/bin/kill*' "$shown"
like 'show' '*CanReload=yes*' "$shown"
like 'show' '*Restart=no*' "$shown"
ok systemctl reload v36.service
soon 'it was told' test -e /tmp/v36
before=$(property v36.service MainPID)
ok systemctl reload-or-restart v36.service
is 'it can reload' "$before" "$(property v36.service MainPID)"
ok systemctl try-restart v36.service
unlike 'restarted' "$before" "$(property v36.service MainPID)"
ok systemctl set-property v36.service CPUWeight=33 TasksMax=44
file_is system.slice/v36.service cpu.weight 33
ok systemctl restart v36.service
file_is system.slice/v36.service pids.max 44
like 'cat tells what was set' '*system.control/v36.service.d/50-TasksMax.conf*' "$(systemctl cat v36.service)"
ok systemctl revert v36.service
is 'reverted' '[not set]' "$(property v36.service CPUWeight)"
ok systemctl enable v36.service
is 'link' $dir/v36.service "$(readlink $dir/multi-user.target.wants/v36.service)"
is 'by its other name' v36.service "$(systemctl show -p Id --value v36-alias.service)"
like 'files' '*v36-alias.service*alias*v36-other.service*static*v36.service*enabled*' "$(systemctl list-unit-files 'v36*')"
ok systemctl disable v36.service
ok systemctl kill -s KILL v36.service
soon 'killed' systemctl -q is-failed v36.service
is 'by a signal' signal "$(property v36.service Result)"
status 1 systemctl reload v36.service
like 'nothing to reload' '*not active*' "$out"
ok systemctl reset-failed v36.service
ok systemctl start v36.service
ok systemctl stop v36.service v36-other.service
is 'over' inactive "$(systemctl is-active v36.service)"
soon 'nothing is left' gone $CG/system.slice/v36.service
ok systemctl mask --runtime v36-masked.service
status 1 systemctl start v36-masked.service
like 'masked' '*masked*' "$out"
ok systemctl unmask --runtime v36-masked.service
status 5 systemctl start v36-none.service
like 'not there' '*not found*' "$out"
