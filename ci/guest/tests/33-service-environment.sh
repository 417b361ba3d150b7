# What a service's process is made to be before its program runs, asked for with systemd-run.
. /payload/guest/lib.sh

run() { # run OPTION... COMMAND...: its output and status
    out=$(systemd-run -q --wait --collect --pipe "$@" 2>&1)
    code=$?
}
run cat </dev/null
is 'cat of nothing' 0 "$code"
is 'what goes in comes out' hello "$(echo hello | systemd-run -q --wait --collect --pipe cat)"
run sh -c 'exit 7'
is 'the status is passed on' 7 "$code"
run -p User=nobody sh -c 'id -un; echo "$HOME $USER $LOGNAME"'
like 'User=' 'nobody*nobody nobody' "$out"
run -p User=nobody -p Group=daemon id -gn
is 'Group=' daemon "$out"
run -p User=nobody -p SupplementaryGroups=daemon id -Gn
like 'SupplementaryGroups=' '*daemon*' "$out"
run -p WorkingDirectory=/usr pwd
is 'WorkingDirectory=' /usr "$out"
run -p WorkingDirectory=-/none pwd
is 'a directory that need not be there' / "$out"
run --setenv=A='b c' sh -c 'echo "$A"'
is 'Environment=' 'b c' "$out"
printf 'B="from file"\n' >/tmp/e33.env
run -p EnvironmentFile=/tmp/e33.env sh -c 'echo "$B"'
is 'EnvironmentFile=' 'from file' "$out"
run -p LimitNOFILE=100:200 sh -c 'ulimit -Sn; ulimit -Hn'
is 'LimitNOFILE=' '100
200' "$out"
run -p UMask=077 -p Nice=5 -p OOMScoreAdjust=100 sh -c 'umask; nice; cat /proc/self/oom_score_adj'
is 'UMask=, Nice=, OOMScoreAdjust=' '0077
5
100' "$out"
run -p NoNewPrivileges=yes -p CapabilityBoundingSet=CAP_KILL grep -E '^(NoNewPrivs|CapBnd)' /proc/self/status
like 'NoNewPrivileges=, CapabilityBoundingSet=' '*CapBnd:*0000000000000020*NoNewPrivs:*1*' "$out"
run -p RuntimeDirectory=e33 -p User=nobody sh -c 'stat -c %U "$RUNTIME_DIRECTORY"'
is 'RuntimeDirectory=' nobody "$out"
run -p ProtectSystem=strict -p PrivateTmp=yes sh -c 'touch /usr/e33 2>/dev/null || echo ro; ls -A /tmp; touch /tmp/e33'
is 'ProtectSystem=, PrivateTmp=' ro "$out"
run -p InaccessiblePaths=/etc/passwd cat /etc/passwd
like 'InaccessiblePaths=' '*Permission denied*' "$out"

# Where it cannot be made so, the status tells at which step.
failing() { # failing STATUS OPTION... COMMAND...
    wanted=$1
    shift
    systemd-run -q --wait --unit=e33f "$@" >/dev/null 2>&1
    is "ExecMainStatus of $*" "$wanted" "$(property e33f.service ExecMainStatus)"
    is "Result of $*" exit-code "$(property e33f.service Result)"
    systemctl reset-failed e33f.service
    soon 'e33f.service is unloaded' unit_gone e33f.service
}
failing 203 /no/such/program
failing 203 /etc/passwd
failing 217 -p User=nosuchuser true
failing 216 -p Group=nosuchgroup true
failing 200 -p WorkingDirectory=/none true
failing 226 -p ReadOnlyPaths=/none true

# A terminal: the service's own, with its size and its end.
if command -v script >/dev/null; then
    like 'a terminal' '*/dev/pts/*' "$(script -qec 'systemd-run -q --wait --collect --pty tty' /dev/null)"
fi
rm -f /tmp/e33.env
