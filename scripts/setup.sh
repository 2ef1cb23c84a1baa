# SPDX-License-Identifier: MIT
# Read by demo.sh and test.sh: what a fresh Debian 12 needs before this tree can be built.
# Leaves $root, the top of the tree, and $jobs, how many compilers to run at once.
# shellcheck shell=sh disable=SC2034

root=$(cd "$(dirname "$0")/.." && pwd)
jobs=$(nproc 2>/dev/null || echo 2)

packages_build="gcc libc6-dev make autoconf automake libtool pkg-config git \
    libhwloc-dev libpcre2-dev libutf8proc-dev libjansson-dev libyaml-dev zlib1g-dev"
# What only some commands want; a build does without.
packages_optional="libcurl4-openssl-dev libseccomp-dev libcalcium-dev libflint-dev libflint-arb-dev \
    libantic-dev libzstd-dev libsnappy-dev opencl-headers libvulkan-dev glslc"
# Devices in software, on which the OpenCL and Vulkan backends are tested.
packages_devices="ocl-icd-libopencl1 pocl-opencl-icd libvulkan1 mesa-vulkan-drivers \
    vulkan-validationlayers"
packages_test="$packages_build $packages_optional $packages_devices check python3 g++"

say() {
    printf '== %s\n' "$*" >&2
}

# Install those of the named packages that are missing. Elsewhere than on Debian and its kin this is
# left to the reader: configure says what it misses.
setup_packages() {
    command -v apt-get >/dev/null 2>&1 && command -v dpkg-query >/dev/null 2>&1 || return 0
    missing=
    for package in "$@"; do
        case $(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) in
        installed*) ;;
        *) missing="$missing $package" ;;
        esac
    done
    test -n "$missing" || return 0
    say "installing$missing"
    as_root=
    if test "$(id -u)" -ne 0; then
        if ! command -v sudo >/dev/null 2>&1; then
            echo "these packages are missing and there is no sudo; as root:" >&2
            echo "apt-get install$missing" >&2
            return 1
        fi
        as_root=sudo
    fi
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update || return 1
    # shellcheck disable=SC2086 # a list of words
    $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq install --yes --no-install-recommends $missing >&2
}

# Make ./configure, unless there is one; `make` itself sees to changes from then on.
setup_bootstrap() {
    test -x "$root/configure" && test -f "$root/Makefile.in" && return 0
    say "bootstrap"
    "$root/bootstrap" >&2
}

# setup_build FOLDER OPTION...: configure (again only when the options changed) and build.
setup_build() {
    folder=$root/$1
    shift
    mkdir -p "$folder" || return 1
    if ! test -f "$folder/Makefile" || test "$(cat "$folder/options" 2>/dev/null)" != "$*"; then
        say "configure $*"
        (cd "$folder" && "$root/configure" "$@") >&2 || return 1
        make -C "$folder" clean >/dev/null || return 1 # what other options compiled
        printf '%s\n' "$*" >"$folder/options"
    fi
    say "make"
    make -C "$folder" -j"$jobs" >&2
}
