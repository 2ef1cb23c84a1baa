#!/bin/sh
# SPDX-License-Identifier: MIT
# installcheck.sh DESTDIR INCLUDEDIR PKGCONFIGDIR HEADER...: called by `make installcheck` with CC,
# CFLAGS and PKG_CONFIG. Compiles each installed header by itself and links a program with the
# library, both through intuitor.pc alone.
set -eu
destdir=$1 includedir=$2 pkgconfigdir=$3
shift 3

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
PKG_CONFIG_PATH=$destdir$pkgconfigdir${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
export PKG_CONFIG_PATH
# Not through PKG_CONFIG_SYSROOT_DIR: that would move the libraries of the system, too.
flags=$($PKG_CONFIG --cflags intuitor | sed "s|-I$includedir|-I$destdir$includedir|g")
libs=$($PKG_CONFIG --libs intuitor)

for header in "$@"; do
    case $header in
    *.h) ;;
    *) continue ;; # tables: a header includes them
    esac
    printf '#include "%s"\n' "$header" >"$scratch/header.c"
    # shellcheck disable=SC2086 # lists of words
    if ! $CC $CFLAGS $flags -fsyntax-only "$scratch/header.c"; then
        echo "installcheck: $header cannot be included by itself" >&2
        exit 1
    fi
done

printf 'int main(void) { return 0; }\n' >"$scratch/program.c"
libdir=$($PKG_CONFIG --variable=libdir intuitor)
# shellcheck disable=SC2086 # lists of words
$CC $CFLAGS $flags -o "$scratch/program" "$scratch/program.c" -Wl,--no-as-needed \
    -L"$destdir$libdir" $libs
LD_LIBRARY_PATH=$destdir$libdir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} "$scratch/program"
echo "installcheck: $# headers and the library are usable"
