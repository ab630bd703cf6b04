#!/bin/sh
# Installs what csweep needs (Debian 12), builds it when its sources are newer, and runs it.
#
#   sh sweeps/run.sh [csweep's arguments]       none: the grid sweeps/optimizers.ini
#
# csweep runs in the caller's folder: runs/ and checkpoints.git appear there. Root or sudo is needed only when a
# package is missing. Exit status: csweep's, or 4 when it cannot be installed or built.
set -eu

packages="gcc libc6-dev cmake ninja-build pkg-config libgit2-dev libuv1-dev libjansson-dev libprotobuf-c-dev
protobuf-c-compiler libpng-dev zlib1g-dev libdeflate-dev dataset-fashion-mnist ${CSWEEP_ALSO_INSTALL:-}" # the variable: tests/run.sh
source=$(cd "$(dirname "$0")/.." && pwd)
build=$source/build
stamp=$build/run.stamp # as old as the sources that the program was built from
log=$build/run.log

stop() {
    echo "run.sh: $*" >&2
    exit 4
}

# quietly WHAT COMMAND...: its words go to the log, and to the terminal when it fails.
quietly() {
    what=$1
    shift
    "$@" >> "$log" 2>&1 < /dev/null && return
    tail -n 25 "$log" >&2
    stop "$what failed; the whole log is $log"
}

missing_packages() {
    command -v dpkg-query > /dev/null || return 0 # no Debian: CMake names what it lacks
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $packages 2> /dev/null | sed -n 's/^installed //p')
    for package in $packages; do
        case "
$installed
" in
        *"
$package
"*) ;;
        *) printf '%s ' "$package" ;;
        esac
    done
}

install_packages() {
    sudo=
    if [ "$(id -u)" != 0 ]; then
        sudo=sudo
        command -v sudo > /dev/null || stop "packages are missing, and neither root nor sudo is here: $1"
    fi
    echo "run.sh: installing from Debian: $1" >&2
    [ -z "$sudo" ] || sudo -v || stop "sudo refused; packages are missing: $1"
    quietly "apt-get update" $sudo apt-get update
    quietly "apt-get install" $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $1
}

built() {
    [ -x "$build/csweep" ] && [ -e "$stamp" ] && [ -z "$(cd "$source" && find CMakeLists.txt CMakePresets.json \
        common kernels tbwriter checkpoints trainer sweep -newer "$stamp" -print | head -n 1)" ]
}

build_program() {
    echo "run.sh: building $build/csweep" >&2
    touch "$stamp.new"
    cd "$source"
    quietly "cmake" cmake --preset release
    quietly "the build" cmake --build --preset release
    mv "$stamp.new" "$stamp"
}

# One at a time: a second caller waits here for the first, then finds the work done.
prepare() (
    mkdir -p "$build"
    exec 9> "$build/run.lock"
    flock 9
    : > "$log"
    missing=$(missing_packages)
    [ -z "$missing" ] || install_packages "$missing"
    built || build_program
)

if [ -n "$(missing_packages)" ] || ! built; then
    prepare || exit 4
fi
[ $# -gt 0 ] || set -- "$source/sweeps/optimizers.ini"
exec "$build/csweep" "$@"
