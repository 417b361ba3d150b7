# limit: 900 s
# Daemons of Debian run from the unit files that they are shipped with: each starts, takes its settings over again, is
# limited by a drop-in, comes back after a kill, and stops with nothing left.
. /payload/guest/lib.sh
dir=/run/systemd/system
units='nginx.service redis-server.service cron.service ssh.service postgresql@15-main.service'
cleanup() {
    systemctl stop $units postgresql.service system-postgresql.slice >/dev/null 2>&1
    for unit in $units; do rm -rf "$dir/$unit.d"; done
    rm -rf $dir/postgresql.service.wants
    systemctl daemon-reload
    systemctl reset-failed
}
trap cleanup EXIT

main() { property "$1" MainPID; }
active() { systemctl -q is-active "$1"; }
inactive() { [ "$(systemctl is-active "$1")" = inactive ]; }
# drop_in UNIT NAME SETTING
drop_in() {
    mkdir -p "$dir/$1.d"
    printf '[Service]\n%s\n' "$3" >"$dir/$1.d/$2.conf"
    ok systemctl daemon-reload
}
# another_main UNIT OLD: it has a main process, and not the old one
another_main() {
    new=$(main "$1")
    active "$1" && [ "$new" != 0 ] && [ "$new" != "$2" ]
}
# none_of CGROUP_DIRECTORY PROGRAM: no cgroup, no process
none_of() {
    gone "$1" && ! pgrep -x "$2" >/dev/null
}

# drive UNIT PROGRAM SERVES...: the whole life of a unit; the last words are a command that succeeds when it serves
drive() {
    unit=$1 program=$2
    shift 2
    ok systemctl start "$unit"
    is "$unit" active "$(systemctl is-active "$unit")"
    soon "$unit serves" "$@"
    at=$(property "$unit" ControlGroup)
    first=$(main "$unit")
    is 'the main process' "$program" "$(cat "/proc/$first/comm")"
    grep -qx "$first" "$CG$at/cgroup.procs" || fail "$unit: main process $first is not in $at"

    drop_in "$unit" 50-limit MemoryMax=300M
    is "$unit memory.max" 314572800 "$(cat "$CG$at/memory.max")"
    is 'a reload of files restarts nothing' "$first" "$(main "$unit")"

    if [ "$(property "$unit" CanReload)" = yes ]; then
        ok systemctl reload "$unit"
        soon "$unit serves after a reload" "$@"
        is 'reload keeps the main process' "$first" "$(main "$unit")"
    fi
    ok systemctl restart "$unit"
    another_main "$unit" "$first" || fail "$unit: no other main process after a restart"
    soon "$unit serves after a restart" "$@"
    is "$unit memory.max" 314572800 "$(cat "$CG$at/memory.max")"

    case $(property "$unit" Restart) in no) drop_in "$unit" 51-restart 'Restart=on-failure' ;; esac
    second=$(main "$unit")
    kill -9 "$second"
    soon "$unit is started again" another_main "$unit" "$second"
    soon "$unit serves again" "$@"
    is NRestarts 1 "$(property "$unit" NRestarts)"

    ok systemctl stop "$unit"
    is "$unit" inactive "$(systemctl is-active "$unit")"
    soon "nothing is left of $unit" none_of "$CG$at" "$program"
    echo "SHOW: $unit: started, limited, reloaded, restarted, killed and back, stopped"
}

get() { timeout 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/'"$1"'; printf "$0" >&3; head -c 1 <&3 | grep -q .' "$2"; }
crontab_is_read() { [ -e /run/crond.pid ] && [ "$(cat /run/crond.pid)" = "$(main cron.service)" ]; }

drive cron.service cron crontab_is_read
drive ssh.service sshd get 22 '\n'
drive nginx.service nginx get 80 'GET / HTTP/1.0\r\n\r\n'
drive redis-server.service redis-server redis-cli ping

# The link is what the package's generator makes at boot.
mkdir -p $dir/postgresql.service.wants
ln -s /lib/systemd/system/postgresql@.service "$dir/postgresql.service.wants/postgresql@15-main.service"
ok systemctl daemon-reload
ok systemctl start postgresql.service
soon 'the cluster is pulled in' active postgresql@15-main.service
ok systemctl stop postgresql.service
soon 'it is part of it' inactive postgresql@15-main.service
drive postgresql@15-main.service postgres runuser -u postgres -- psql -qc 'select 1'

# What such a file asks for is done, or it is told by name that it is not.
[ "$MANAGER" = systemd ] && exit
manager_log >/tmp/log34
for key in SystemCallFilter RestrictNamespaces PrivateUsers ProtectKernelTunables LockPersonality ReadWritePaths; do
    systemctl show redis-server.service | grep -q "^$key=" ||
        grep -q "redis-server.service:.*: $key: Unknown key name" /tmp/log34 || fail "$key is neither done nor told"
done
rm /tmp/log34
exit 0
