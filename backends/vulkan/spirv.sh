#!/bin/sh
# SPDX-License-Identifier: MIT
# spirv.sh SOURCE_FOLDER COMPILER TEMPORARY_FOLDER: every kernel of kernels.def for every storage
# type as SPIR-V in a C table, on standard output. COMPILER is glslc or glslangValidator.
set -eu
top=$1 compiler=$2 temporary=$3
mkdir -p "$temporary"

# compile KERNEL FILE TYPE
compile() {
    source=$top/backends/vulkan/shaders/$2.comp
    case $compiler in
    *glslangValidator*)
        "$compiler" --quiet -V --target-env vulkan1.2 -I"$top" "-DIT_KERNEL_$1" "-D$3" \
            -o "$temporary/kernel.spv" "$source" >&2 ;;
    *)
        "$compiler" -O --target-env=vulkan1.2 -I "$top" "-DIT_KERNEL_$1" "-D$3" \
            -o "$temporary/kernel.spv" "$source" ;;
    esac
    sh "$top/scripts/embed_bytes.sh" "_Alignas(4) static const unsigned char $1_$3" \
        "$temporary/kernel.spv"
}

kernels=$(sed -n 's/^KERNEL(\([a-z0-9_]*\), \([a-z_]*\), \([A-Z]*\))$/\1:\2:\3/p' \
    "$top/backends/vulkan/kernels.def")
echo '/* Written by backends/vulkan/spirv.sh from backends/vulkan/shaders. */'
echo '#include "backends/vulkan/spirv.h"'
rows=
for kernel in $kernels; do
    name=${kernel%%:*} rest=${kernel#*:}
    file=${rest%%:*} types=IT_F32
    if test "${rest#*:}" = TYPED; then types='IT_F32 IT_BF16 IT_BF16_WORDS'; fi
    for type in $types; do
        compile "$name" "$file" "$type"
        rows="$rows
    [IT_VULKAN_${type#IT_}][IT_VULKAN_$name] = {${name}_$type, sizeof ${name}_$type - 1},"
    done
done
echo "const struct it_vulkan_spirv it_vulkan_spirv[IT_VULKAN_TYPES][IT_VULKAN_KERNELS] = {$rows
};"
rm -rf "$temporary"
