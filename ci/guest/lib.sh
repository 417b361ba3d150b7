# Helpers of the guest's shell tests. A test is a list of facts; the first that is not so ends it, with one line of why.
# Usage: `. /payload/guest/lib.sh` as the first line.

. /payload/settings
CG=/sys/fs/cgroup
MANAGER_LOG=/results/cgarbiterd.log
export SYSTEMD_PAGER= SYSTEMD_COLORS=0 COLUMNS=200

# ---- facts -----------------------------------------------------------------------------------------------------------

# fail WHY
fail() {
    echo "FAIL: $*"
    exit 1
}

# is WHAT WANT GOT: GOT is the string WANT
is() {
    [ "$2" = "$3" ] || fail "$1: want '$2', got '$3'"
}

# like WHAT PATTERN GOT: GOT fits the shell pattern
like() {
    case $3 in
    $2) ;;
    *) fail "$1: want '$2', got '$3'" ;;
    esac
}

# unlike WHAT PATTERN GOT
unlike() {
    case $3 in
    $2) fail "$1: unwanted '$2' in '$3'" ;;
    esac
}

# status WANT COMMAND...: the command ends with that exit status; what it printed is then in $out
status() {
    status_want=$1
    shift
    out=$("$@" 2>&1)
    status_got=$?
    [ "$status_got" = "$status_want" ] || fail "$*: want exit status $status_want, got $status_got: $out"
}

# ok COMMAND...: exit status 0
ok() {
    status 0 "$@"
}

# soon WHAT COMMAND...: the command succeeds within twenty seconds
soon() {
    soon_what=$1
    shift
    soon_left=200
    while ! "$@" >/dev/null 2>&1; do
        soon_left=$((soon_left - 1))
        [ $soon_left -gt 0 ] || fail "$soon_what: not so within 20 s: $*"
        sleep 0.1
    done
}

# ---- cgroups ---------------------------------------------------------------------------------------------------------

# file_is CGROUP FILE WANT
file_is() {
    is "$1/$2" "$3" "$(cat "$CG/$1/$2" 2>&1)"
}

# enables CGROUP CONTROLLER...: its cgroup.subtree_control names each of them
enables() {
    enables_in=$1
    shift
    for controller in "$@"; do
        like "$enables_in/cgroup.subtree_control" "* $controller *" " $(cat "$CG/$enables_in/cgroup.subtree_control") "
    done
}

gone() {
    [ ! -e "$1" ]
}

# How many processes are in a cgroup
processes() {
    wc -l <"$CG/$1/cgroup.procs"
}

# ---- units -----------------------------------------------------------------------------------------------------------

# property UNIT NAME
property() {
    systemctl show --property="$2" --value -- "$1"
}

# scope NAME [systemd-run options]...: a scope in the background in which `sleep 1000` runs; returns when it is there
scope() {
    scope_name=$1
    shift
    systemd-run -q --scope --unit="$scope_name" "$@" sleep 1000 &
    soon "$scope_name is active" systemctl -q is-active "$scope_name"
}

# scope_path UNIT: its cgroup, without the mount point
scope_path() {
    property "$1" ControlGroup
}

# unit_gone UNIT: not loaded any more
unit_gone() {
    [ -z "$(systemctl list-units --all --plain --no-legend -- "$1")" ]
}

# end UNIT...: stopped and forgotten
end() {
    systemctl stop -- "$@" || fail "systemctl stop $*"
    for end_unit in "$@"; do soon "$end_unit is unloaded" unit_gone "$end_unit"; done
}

# manager_call MEMBER [SIGNATURE ARGUMENT...]
manager_call() {
    busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager "$@"
}

# ---- the manager's process -------------------------------------------------------------------------------------------

manager_pid() {
    if [ "$MANAGER" = systemd ]; then echo 1; else cat /run/guest-manager.pid; fi
}

manager_running() {
    kill -0 "$(manager_pid)" 2>/dev/null
}

inotify_watches() {
    cat /proc/"$(manager_pid)"/fdinfo/* 2>/dev/null | grep -c '^inotify'
}

# Whether it answers both ways: on its private socket (systemctl as root) and on the bus.
manager_answers() {
    systemctl is-system-running >/dev/null 2>&1 && busctl -q call org.freedesktop.systemd1 /org/freedesktop/systemd1 \
        org.freedesktop.DBus.Peer Ping >/dev/null 2>&1
}

# Starts the daemon (with $MANAGER_OPTIONS, if there are any) and waits until it answers; its log goes on where it was.
start_manager() {
    mkdir -p /results
    setsid /payload/bin/cgarbiterd --backend cgroupfs --bus system --presence global --unit-paths systemd \
        $MANAGER_OPTIONS >>$MANAGER_LOG 2>&1 &
    echo $! >/run/guest-manager.pid
    start_left=100
    until manager_answers; do
        start_left=$((start_left - 1))
        [ $start_left -gt 0 ] && manager_running || return 1
        sleep 0.2
    done
}

# Kills the manager without a warning and starts it again (systemd cannot be killed: it executes itself anew).
restart_manager() {
    if [ "$MANAGER" = systemd ]; then
        systemctl daemon-reexec
        soon "systemd answers again" manager_answers
    else
        kill -9 "$(manager_pid)"
        start_manager || fail "the daemon did not answer after kill -9: $(tail -n 3 $MANAGER_LOG)"
    fi
}

# What the manager said; each test that looks here looks for something with its own unit's name in it.
manager_log() {
    if [ "$MANAGER" = systemd ]; then journalctl -q -b --no-pager -o cat _PID=1; else cat $MANAGER_LOG; fi
}

# ---- the end of the guest --------------------------------------------------------------------------------------------

end_guest() {
    tar -cf /dev/vdc -C /results .
    sync
    echo o >/proc/sysrq-trigger
    sleep 60
}
