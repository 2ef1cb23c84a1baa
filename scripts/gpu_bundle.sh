#!/bin/sh
# SPDX-License-Identifier: MIT
# Everything that gpu-check needs as one archive, for a bare x86-64 Linux with the driver and the CUDA
# libraries: gpu_bundle.sh ARCHIVE.tar.gz TOP_SRCDIR PROGRAM SUITE...; run in the build folder.
# The libraries that the programs are linked with go along; so does the C library with its loader,
# which is used only where the machine's own is too old for the programs.
set -eu
archive=$1 top=$2
shift 2
most=62914560 # bytes: 60 MB
name=$(basename "$archive" .tar.gz)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
to=$stage/$name
mkdir -p "$to/tests" "$to/lib/libc" "$to/models" "$to/bench" "$to/scripts"

for program; do
    cp "$program" "$to/$program"
    strip "$to/$program"
    ldd "$program"
done | sed -n 's/.*=> *\(\/[^ ]*\).*/\1/p; s/^[[:space:]]*\(\/[^ ]*ld-linux[^ ]*\).*/\1/p' | sort -u \
    > "$stage/libraries"
while read -r library; do
    case $library in
    */libc.so.* | */libm.so.* | */libpthread.so.* | */libdl.so.* | */librt.so.* | */ld-linux*)
        cp -L "$library" "$to/lib/libc" ;;
    *) cp -L "$library" "$to/lib" ;;
    esac
done < "$stage/libraries"

cp -r "$top/models/embedded" "$to/models"
cp -r "$top/recipes" "$top/LICENSE" "$to"
cp -r "$top/bench/shapes" "$to/bench"
cp -r "$top/tests/golden" "$to/tests"
cp "$top/scripts/gpu_check.sh" "$to/scripts"
cat > "$to/gpu-check" <<END
#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs from inside the bundle: ./gpu-check [RESULTS_FOLDER]
cd "\$(dirname "\$0")" || exit 1
top_srcdir=\$PWD top_builddir=\$PWD
LD_LIBRARY_PATH=\$PWD/lib\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}
export top_srcdir top_builddir LD_LIBRARY_PATH
if ! ./intuitor --version > /dev/null 2>&1; then # the machine's C library is too old: take our own
    for folder in /usr/local/cuda/lib64 /usr/local/nvidia/lib64 /usr/lib/x86_64-linux-gnu /usr/lib64
    do
        LD_LIBRARY_PATH=\$LD_LIBRARY_PATH:\$folder
    done
    GPU_LOADER="\$PWD/lib/libc/ld-linux-x86-64.so.2 --library-path \$PWD/lib/libc:\$LD_LIBRARY_PATH"
    unset LD_LIBRARY_PATH
    export GPU_LOADER
fi
exec sh scripts/gpu_check.sh "\${1:-bench/results}" $(shift; echo "$@")
END
chmod +x "$to/gpu-check"
tar -C "$stage" --sort=name --owner=0 --group=0 -czf "$archive.tmp" "$name"
size=$(wc -c < "$archive.tmp")
if [ "$size" -gt $most ]; then
    rm -f "$archive.tmp"
    echo "gpu-bundle: $size bytes, more than $most" >&2
    exit 1
fi
mv -f "$archive.tmp" "$archive"
echo "$archive: $size bytes; unpack it on a machine with a GPU and run $name/gpu-check"
