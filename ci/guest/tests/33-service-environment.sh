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
rm -f /tmp/e33.env
