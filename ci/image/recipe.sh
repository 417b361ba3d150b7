#!/bin/bash
# Makes the guest: kernel, the modules its initramfs needs, and a Debian root as an ext4 image.
#
#   recipe.sh OUT                    writes OUT/vmlinuz, OUT/modules/NN-name.ko, OUT/root.img
#   recipe.sh --key                  prints what the result depends on besides this text (the kernel's version)
#   recipe.sh --kernel OUT FILE.deb...  writes OUT/vmlinuz and OUT/modules/NN-name.ko of another kernel's packages
#                                    (newer kernels come in two: linux-binary-* and linux-modules-*)
#
# Everything comes from the Debian mirror that this machine's own apt sources name. Nothing here is specific to the
# project: what changes from run to run is on the payload disk (see ../README.md), so that this image can be cached.
set -euo pipefail

# The real package behind the metapackage, e.g. linux-image-6.1.0-49-cloud-amd64.
kernel_package() {
    apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -1
}

# unpack_kernel OUT FILE.deb...: the kernel, and the modules with which it finds its disks
unpack_kernel() {
    local out=$1 number=10 package module file
    shift
    for package; do dpkg -x "$package" "$work/kernel"; done
    mkdir -p "$out/modules"
    file=$(find "$work/kernel" -type f -name 'vmlinuz*')
    [ -n "$file" ] || { echo "no kernel in $*" >&2; return 1; }
    cp "$file" "$out/vmlinuz"
    # In the order in which they have to be inserted.
    for module in virtio/virtio_ring virtio/virtio virtio/virtio_pci_legacy_dev virtio/virtio_pci_modern_dev \
        virtio/virtio_pci block/virtio_blk; do
        file=$(find "$work/kernel" -path "*/kernel/drivers/$module.ko*")
        case $file in
        '') continue ;; # built in
        *.xz) xz -dc "$file" >"$out/modules/$number-${module##*/}.ko" ;;
        *) cp "$file" "$out/modules/$number-${module##*/}.ko" ;;
        esac
        number=$((number + 1))
    done
}

if [ "${1:-}" = --key ]; then
    package=$(kernel_package)
    apt-cache policy "$package" systemd nginx-light redis-server cron openssh-server postgresql-15 | grep -E '^[a-z]|Candidate'
    exit
fi

if [ "${1:-}" = --kernel ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    shift
    unpack_kernel "$@"
    exit
fi

out=$1
suite=bookworm
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# --- kernel -----------------------------------------------------------------------------------------------------------
package=$(kernel_package)
[ -n "$package" ] || { echo "no linux-image-cloud-amd64 in the apt lists (run apt-get update)" >&2; exit 1; }
# The user that apt drops to for downloads must be able to write here.
chmod 755 "$work"; mkdir -m 777 "$work/deb"
(cd "$work/deb" && apt-get download -q "$package")
unpack_kernel "$out" "$work"/deb/*.deb

# --- root -------------------------------------------------------------------------------------------------------------
# systemd-sysv is there so that the same tests can be run against systemd as pid 1; by default it is not started.
packages=dbus,systemd,systemd-sysv,python3,procps,util-linux
# Daemons with unit files of their own, for the tests that run those.
packages=$packages,nginx-light,redis-server,cron,openssh-server,openssh-client,postgresql,iproute2
mapfile -t sources < <(
    apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)|$(ORIGIN)' 'Identifier: Packages' |
        sed -n "s/^\(deb [^ ]* $suite[^ ]* main\)|Debian$/\1/p" | sort -u
)
[ ${#sources[@]} -gt 0 ] || { echo "apt's sources on this machine name no Debian $suite" >&2; exit 1; }
mmdebstrap --quiet --variant=minbase --include=$packages \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook='chroot "$1" useradd --uid 1000 --user-group --create-home someone' \
    $suite "$work/root" "${sources[@]}"

root=$work/root
: >"$root/etc/fstab"
echo guest >"$root/etc/hostname"
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
mkdir -p "$root/payload" "$root/results"
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*

# Installed, but not started by anything but a test.
rm -f "$root"/etc/systemd/system/multi-user.target.wants/{nginx,redis-server,cron,ssh,postgresql,postgresql@*}.service

# As pid 1, systemd has to be quiet and quick: nothing may come and go while the tests look at the cgroup tree.
for unit in getty@.service serial-getty@.service console-getty.service systemd-networkd.service \
    systemd-resolved.service systemd-timesyncd.service systemd-journal-flush.service systemd-random-seed.service \
    systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-udevd.service \
    systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udev-trigger.service systemd-logind.service \
    systemd-tmpfiles-clean.timer apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
    e2scrub_reap.service fstrim.timer systemd-pstore.service modprobe@.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
cat >"$root/etc/systemd/system/guest-tests.service" <<'UNIT'
[Unit]
Description=Run the tests of the payload disk
After=multi-user.target

[Service]
Type=simple
ExecStartPre=/bin/mount -o ro /dev/vdb /payload
ExecStart=/payload/guest/under-systemd
StandardOutput=null
TimeoutStartSec=infinity
UNIT
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -sf ../guest-tests.service "$root/etc/systemd/system/multi-user.target.wants/guest-tests.service"
ln -sf /lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"

truncate -s 1400M "$out/root.img"
mkfs.ext4 -q -F -d "$root" "$out/root.img"
