# The life of services: several commands, restarts and their limit, notification, forking, commands of a stop, reload.
. /payload/guest/lib.sh
state() { systemctl show -p SubState --value "$1"; }

# One command after the other, and after a stop.
rm -rf /tmp/s28 && mkdir /tmp/s28
cat >/run/systemd/system/s28o.service <<'EOF'
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStartPre=/bin/sh -c 'echo pre >>/tmp/s28/o'
ExecStart=/bin/sh -c 'echo one >>/tmp/s28/o'
ExecStart=-/bin/sh -c 'echo two >>/tmp/s28/o; exit 3'
ExecStart=/bin/sh -c 'echo three >>/tmp/s28/o'
ExecStartPost=/bin/sh -c 'echo post >>/tmp/s28/o'
ExecStop=/bin/sh -c 'echo stop >>/tmp/s28/o'
ExecStopPost=/bin/sh -c 'echo "$$SERVICE_RESULT" >>/tmp/s28/o'
EOF
ok systemctl daemon-reload
ok systemctl start s28o.service
is 'it remains' exited "$(state s28o.service)"
ok systemctl stop s28o.service
is 'the order of commands' 'pre one two three post stop success' "$(tr '\n' ' ' </tmp/s28/o | sed 's/ $//')"

# Restarted until the limit says no.
ok systemd-run -q --unit=s28r.service -p Restart=on-failure -p RestartSec=50ms -p StartLimitBurst=3 \
    -p StartLimitIntervalSec=1min sh -c 'echo >>/tmp/s28/r; exit 1'
soon 'the limit is reached' systemctl -q is-failed s28r.service
soon 'three starts' test "$(wc -l </tmp/s28/r)" = 3
ok systemctl reset-failed s28r.service
ok systemd-run -q --unit=s28k.service -p Restart=always -p RestartSec=50ms sleep infinity
pid=$(property s28k.service MainPID)
kill -9 "$pid"
again() { new=$(property s28k.service MainPID) && [ "$new" != 0 ] && [ "$new" != "$pid" ]; }
soon 'another main process' again
is NRestarts 1 "$(property s28k.service NRestarts)"
ok systemctl stop s28k.service

# Ready when it says so.
ok systemd-run -q --unit=s28n.service -p Type=notify -p NotifyAccess=all \
    sh -c 'sleep 1; systemd-notify --ready --status="all is well"; exec sleep infinity'
is 'ready' running "$(state s28n.service)"
is StatusText 'all is well' "$(property s28n.service StatusText)"
ok systemctl stop s28n.service
status 1 systemd-run -q --unit=s28m.service -p Type=notify -p TimeoutStartSec=1s sleep infinity
is 'never ready' timeout "$(property s28m.service Result)"
ok systemctl reset-failed s28m.service

# What a forking service leaves behind is the service.
ok systemd-run -q --unit=s28f.service -p Type=forking sh -c 'sleep 1234 & exit 0'
is 'the main process' sleep "$(cat /proc/"$(property s28f.service MainPID)"/comm)"
ok systemctl stop s28f.service
soon 's28f.service is unloaded' unit_gone s28f.service
ok systemd-run -q --unit=s28p.service -p Type=forking -p PIDFile=/run/s28.pid \
    sh -c 'sleep 1235 & sleep 1236 & echo $! >/run/s28.pid'
is 'as the file says' "$(cat /run/s28.pid)" "$(property s28p.service MainPID)"
ok systemctl stop s28p.service
soon 's28p.service is unloaded' unit_gone s28p.service

# A reload reaches the main process.
ok systemd-run -q --unit=s28l.service -p 'ExecReload=/bin/kill -USR1 $MAINPID' \
    sh -c 'trap "echo >/tmp/s28/l" USR1; while :; do sleep 0.1; done'
ok systemctl reload s28l.service
soon 'it has reloaded' test -e /tmp/s28/l
is 'it goes on' running "$(state s28l.service)"
ok systemctl stop s28l.service
rm -rf /tmp/s28 /run/s28.pid /run/systemd/system/s28o.service
ok systemctl daemon-reload
