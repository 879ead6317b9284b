#!/usr/bin/env bash
# Runs every command of docs/installing.md in an empty Debian in a folder: sudo scripts/try_installing.sh /tmp/empty [SUITE]
# Needs root, debootstrap and a network for the packages; the servers run in a network of their own. No init system runs in a folder:
# `systemctl` is a stand-in that starts what the units say, without their walls. The folder stays; so do the servers' last words in var/log/walk.
set -euo pipefail
root=${1:?"say in which folder"} suite=${2:-trixie}
here=$(cd "$(dirname "$0")/.." && pwd)

[ -d "$root/usr" ] || debootstrap --variant=minbase "$suite" "$root"
mkdir -p "$root/repository" "$root/var/log/walk" "$root/tmp/walk"
rm -rf "$root/repository/hms.git" "$root/opt/hms"
git clone --quiet --bare "$here" "$root/repository/hms.git"
mountpoint -q "$root/proc" || mount --bind /proc "$root/proc"
mkdir -p "$root/dev/shm" && mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
cp --dereference /etc/resolv.conf "$root/etc/resolv.conf"
printf '127.0.0.1 localhost hms.example.org\n' > "$root/etc/hosts"
printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d" && chmod +x "$root/usr/sbin/policy-rc.d"
[ ! -e /etc/pip.conf ] || cp /etc/pip.conf "$root/etc/pip.conf"
if [ -e /etc/ssl/certs/ca-certificates.crt ]; then  # a network with an authority of its own
    mkdir -p "$root/etc/ssl/certs" && cp --dereference /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/walk.crt"
fi
cp "$here/scripts/systemctl_stand_in.sh" "$root/usr/local/sbin/systemctl" && chmod +x "$root/usr/local/sbin/systemctl"

inside() { chroot "$root" /usr/bin/env -i HOME=/tmp PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LC_ALL=C.UTF-8 PIP_CERT=/etc/ssl/walk.crt DEBIAN_FRONTEND=noninteractive GIT_CONFIG_COUNT=2 GIT_CONFIG_KEY_0=url./repository/hms.git.insteadOf \
    GIT_CONFIG_VALUE_0=https://git.example.org/hms.git GIT_CONFIG_KEY_1=safe.directory GIT_CONFIG_VALUE_1='*' "$@"; }

# The page's blocks in their order, one file each.
rm -f "$root"/tmp/walk/step-*.sh
awk -v folder="$root/tmp/walk" '/^```sh$/ { n++; file = sprintf("%s/step-%02d.sh", folder, n); next } /^```$/ { file = ""; next } file { print > file }' \
    "$here/docs/installing.md"

unshare --net sleep infinity & alone=$!
finish() {
    inside systemctl stop-all || true
    kill $alone
    umount --lazy "$root/dev/shm" "$root/proc"
}
trap finish EXIT
sleep 0.2
nsenter --net=/proc/$alone/ns/net ip link set lo up

for step in "$root"/tmp/walk/step-*.sh; do
    name=$(basename "$step")
    printf '\n=== %s\n%s\n---\n' "$name" "$(cat "$step")"
    if grep -qE 'apt-get|pip install' "$step"; then
        inside bash -euo pipefail "/tmp/walk/$name"
        case $name in step-01.sh) nsenter --net=/proc/$alone/ns/net bash -c "$(declare -f inside); root='$root'; inside systemctl start postgresql redis-server" ;; esac
    else
        nsenter --net=/proc/$alone/ns/net bash -c "$(declare -f inside); root='$root'; inside bash -euo pipefail /tmp/walk/$name"
    fi
done
printf '\nEvery command of docs/installing.md ended well.\n'
