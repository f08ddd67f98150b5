#!/bin/bash
# A real Blender with a window, from Debian, in a folder of its own. Needs root, and a Debian package mirror.
#   tools/blender_chroot.sh make   trixie|sid         Blender 4.3 or 5.2 (2 GB), in which nothing of torch is installed
#   tools/blender_chroot.sh gui    trixie|sid OUTPUT  install the zip, click through a lift, keep the pictures
#   tools/blender_chroot.sh command trixie|sid        install it, and lift by blender --command mvlift
#   tools/blender_chroot.sh tests  trixie|sid [pytest arguments]
#   tools/blender_chroot.sh remove trixie|sid
# Folders: $MVLIFT_CHROOTS, else ~/.cache/mvlift/chroots
set -euo pipefail
ROOT=$(cd "$(dirname "$0")/.." && pwd)
DO=${1:?what to do} SUITE=${2:?trixie or sid}
C=${MVLIFT_CHROOTS:-${XDG_CACHE_HOME:-$HOME/.cache}/mvlift/chroots}/$SUITE

mounted() {
    mkdir -p "$C/dev/shm" "$C/dev/pts" "$C/proc"
    mountpoint -q "$C/proc" || mount -t proc proc "$C/proc"
    mountpoint -q "$C/dev/shm" || mount -t tmpfs tmpfs "$C/dev/shm"
    mountpoint -q "$C/dev/pts" || mount -t devpts devpts "$C/dev/pts"
    cp -L /etc/resolv.conf "$C/etc/resolv.conf"
    printf '#!/bin/sh\nexit 101\n' >"$C/usr/sbin/policy-rc.d" # services stay off
    chmod +x "$C/usr/sbin/policy-rc.d"
    trap unmounted EXIT
}

unmounted() {
    for m in dev/pts dev/shm proc; do
        ! mountpoint -q "$C/$m" || umount "$C/$m" || umount -l "$C/$m"
    done
}

# one thread: Debian's OpenMP and a busy machine fight for cores otherwise
inside() {
    chroot "$C" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 OMP_NUM_THREADS=1 \
        BLENDER_USER_RESOURCES=/tmp/mvlift-resources "$@"
}

make_chroot() {
    [ -e "$C/opt/mvlift-ready" ] && return
    if ! command -v mmdebstrap >/dev/null; then
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends mmdebstrap
    fi
    packages=ca-certificates,blender,libgl1-mesa-dri,libgl1,libglx-mesa0,libegl1,python3-numpy,python3-requests
    packages+=,python3-zstandard,python3-pytest,libopenblas0-pthread
    packages+=,xvfb,xdotool,x11-utils,imagemagick,unzip
    [ "$SUITE" = trixie ] || packages+=,python3-cattr # Blender 5.2's extension system imports it
    if [ ! -x "$C/usr/bin/blender" ]; then
        mirror=$(apt-get indextargets --format '$(SITE)' | grep -v security | sort -u | head -1)
        mkdir -p "$(dirname "$C")"
        mmdebstrap --quiet --mode=root --variant=apt --components=main --aptopt='Acquire::Check-Valid-Until "false"' \
            --aptopt='APT::Install-Recommends "false"' --dpkgopt=path-exclude='/usr/share/man/*' \
            --dpkgopt=path-exclude='/usr/share/doc/*' --include="$packages" "$SUITE" "$C" "$mirror"
    fi
    mounted
    touch "$C/opt/mvlift-ready"
}

# The zip for this Blender's Python; a chroot that is made anew has no torch
install_extension() {
    tag=$(inside python3 -c 'import sys; print(f"cp{sys.version_info[0]}{sys.version_info[1]}")')
    zip=$(ls -t "$ROOT"/dist/mvlift-*-linux-x64-"$tag".zip | head -1)
    cp "$zip" "$C/tmp/mvlift.zip"
    rm -rf "$C/tmp/mvlift-resources"
    inside blender --command extension validate /tmp/mvlift.zip
    inside blender --command extension install-file -r user_default --enable /tmp/mvlift.zip
}

case $DO in
make) make_chroot ;;
gui)
    mounted
    install_extension
    rm -rf "$C/tmp/gui"
    mkdir -p "$C/tmp/gui"
    cp "$ROOT"/tests/blender/gui/*.py "$C/tmp/gui/"
    code=0
    inside MVLIFT_GUI_REALTIME="${MVLIFT_GUI_REALTIME:-1}" setsid --wait python3 /tmp/gui/click_through.py || code=$?
    mkdir -p "${3:?folder for the pictures}"
    cp "$C"/tmp/gui/*.png "$C"/tmp/gui/*.log "$C"/tmp/gui/report*.json "$3/" 2>/dev/null || true
    exit $code
    ;;
command)
    mounted
    install_extension
    inside sh -c 'rm -rf /tmp/command && mkdir /tmp/command'
    time inside blender --background --command mvlift lift \
        /tmp/mvlift-resources/extensions/user_default/mvlift/examples/walk.zip -o /tmp/command/walk.blend \
        --fps 30 --image-size 1280x720 --preset fast
    inside blender --background --factory-startup /tmp/command/walk.blend --python-exit-code 1 --python-expr "
import bpy
arm = bpy.data.objects['walk']
assert (len(arm.data.bones), bpy.context.scene.frame_end) == (24, 150), bpy.context.scene.frame_end"
    ;;
tests)
    mounted
    install_extension
    rm -rf "$C/tmp/mvlift"
    mkdir -p "$C/tmp/mvlift"
    (cd "$ROOT" && tar c --exclude=__pycache__ mvlift_blender tests tools examples pyproject.toml blender_manifest.toml) |
        tar x -C "$C/tmp/mvlift"
    shift 2
    [ $# -gt 0 ] || set -- tests/blender
    inside sh -c 'cd /tmp/mvlift && exec blender --background --factory-startup --python-exit-code 1 \
        --python tests/blender/run_in_blender.py -- -q -p no:cacheprovider "$@"' sh "$@"
    ;;
remove)
    unmounted
    ! grep -q " $(realpath "$C")/" /proc/mounts
    rm -rf "$C"
    ;;
*) sed -n '2,8p' "$0" && exit 2 ;;
esac
