#!/bin/bash
# Runs one manager at native speed, in namespaces of its own and a group of its own below the machine's cgroup2 mount,
# and lets the load client speak to its private socket. Both managers are started alike, from the same root image.
#
#   namespace.sh systemd|cgarbiter IMAGE PAYLOAD CGROUP <RUNS
#
# PAYLOAD (seen at /payload) holds cgarbiterd and cgarbiter-bench. CGROUP is made and removed. RUNS are
# lines with the client's arguments, or `rss`; each gives one line of JSON on standard output.
set -euo pipefail

# ---- inside the namespaces: becomes pid 1 ----------------------------------------------------------------------------
if [ "$1" = --inner ]; then
    manager=$2 image=$3 payload=$4
    export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    mount --make-rprivate /
    mount -t tmpfs tmpfs /mnt
    mkdir /mnt/lower /mnt/upper /mnt/work /mnt/root
    mount -o loop,ro,noload "$image" /mnt/lower
    mount -t overlay -o lowerdir=/mnt/lower,upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root
    cd /mnt/root
    mount --bind "$payload" payload
    mount -t proc proc proc
    mount -t sysfs -o ro sysfs sys
    mount -t cgroup2 cgroup2 sys/fs/cgroup
    for directory in run tmp dev; do mount -t tmpfs -o mode=755 tmpfs $directory; done
    for device in null zero full random urandom; do
        : >dev/$device
        mount --bind /dev/$device dev/$device
    done
    mkdir run/old
    pivot_root . run/old
    umount -l /run/old
    if [ "$manager" = systemd ]; then
        exec env -i container=bench PATH="$PATH" /lib/systemd/systemd --unit=basic.target </dev/null >/dev/null 2>&1
    fi
    # A shell stays pid 1 and reaps; the message bus is not needed for the private socket.
    /payload/cgarbiterd --backend cgroupfs --bus none --presence global --unit-paths systemd </dev/null >/run/log 2>&1 &
    wait $! || cat /run/log >&2
    exit
fi

# ---- outside ---------------------------------------------------------------------------------------------------------
manager=$1 image=$2 payload=$3 cgroup=$4
own=$(awk -F: '$1 == 0 {print $3}' /proc/self/cgroup)
mount=$(awk '$3 == "cgroup2" {print $2; exit}' /proc/mounts)

finish() {
    [ -z "${first:-}" ] || kill -9 "$first" 2>/dev/null || true
    wait 2>/dev/null || true
    # The kernel takes a moment to forget the dead.
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null || true
        [ -d "$cgroup" ] || return 0
        sleep 0.2
    done
    echo "left behind: $cgroup" >&2
}
mkdir "$cgroup"
trap finish EXIT

# The group of whoever unshares is the root of the new namespace's cgroup tree.
echo $BASHPID >"$cgroup/cgroup.procs"
unshare -C -m -p -u -i -n --fork --kill-child bash "$0" --inner "$manager" "$image" "$payload" </dev/null &
outer=$!
echo $BASHPID >"$mount$own/cgroup.procs"

first=
for _ in $(seq 100); do
    first=$(pgrep -P $outer || true)
    [ -z "$first" ] || break
    sleep 0.05
done
inside() { nsenter -t "$first" -m -p -u -i -n -C -r -w env -i PATH="$PATH" "$@"; }
for attempt in $(seq 200); do
    state=$(inside systemctl is-system-running 2>/dev/null || true)
    case $state in running | degraded) break ;; esac
    [ "$attempt" -lt 200 ] && kill -0 $outer 2>/dev/null || { echo "$manager did not answer ($state)" >&2; exit 1; }
    sleep 0.1
done

# The manager is pid 1 or, under a shell as pid 1, its child.
server=$first
[ "$manager" = systemd ] || server=$(pgrep -P "$first" cgarbiterd)
while read -r line; do
    if [ "$line" = rss ]; then
        awk '/^VmRSS/ {print "{\"op\":\"rss\",\"kib\":" $2 "}"}' "/proc/$server/status"
        continue
    fi
    # The client is started in a group that the manager knows, so that its children can be moved from there.
    # shellcheck disable=SC2086
    inside /payload/cgarbiter-bench $line --peer --address unix:path=/run/systemd/private --tag "r${SECONDS}x$RANDOM" \
        </dev/null || true
done
