#!/bin/sh
# SPDX-License-Identifier: MIT
# spirv.sh SOURCE_FOLDER COMPILER TEMPORARY_FOLDER: every kernel of kernels.def for every storage
# type as SPIR-V in a C table, on standard output. COMPILER is glslc or glslangValidator.
# spirv.sh --knows EXTENSION COMPILER TEMPORARY_FOLDER: does the compiler know this one of GLSL?
set -eu

# run SOURCE OPTION...: to $temporary/kernel.spv. Cooperative matrices go to the driver as they are:
# optimizers of SPIR-V came to know them late.
run() {
    source=$1
    shift
    case $compiler:$source in
    *glslangValidator*) "$compiler" --quiet -V --target-env vulkan1.2 "$@" \
        -o "$temporary/kernel.spv" "$source" >&2 ;;
    *matrix.comp) "$compiler" --target-env=vulkan1.2 "$@" -o "$temporary/kernel.spv" "$source" ;;
    *) "$compiler" -O --target-env=vulkan1.2 "$@" -o "$temporary/kernel.spv" "$source" ;;
    esac
}

# knows EXTENSION; bf16 in cooperative matrices needs these too
knows() {
    printf '%s\n' '#version 450' '#extension GL_KHR_cooperative_matrix : require' \
        "#extension $1 : require" 'layout(local_size_x = 1) in;' 'void main() {}' \
        >"$temporary/knows.comp"
    run "$temporary/knows.comp" 2>/dev/null
}

# compile KERNEL FILE TYPE
compile() {
    run "$top/backends/vulkan/shaders/$2.comp" -I"$top" "-DIT_KERNEL_$1" "-D$3"
    sh "$top/scripts/embed_bytes.sh" "_Alignas(4) static const unsigned char $1_$3" \
        "$temporary/kernel.spv"
}

if test "$1" = --knows; then
    compiler=$3 temporary=$4
    mkdir -p "$temporary"
    knows "$2" && known=0 || known=1
    rm -rf "$temporary"
    exit $known
fi

top=$1 compiler=$2 temporary=$3
mkdir -p "$temporary"
kernels=$(sed -n 's/^KERNEL(\([a-z0-9_]*\), \([a-z_]*\), \([A-Za-z0-9_]*\))$/\1:\2:\3/p' \
    "$top/backends/vulkan/kernels.def")
echo '/* Written by backends/vulkan/spirv.sh from backends/vulkan/shaders. */'
echo '#include "backends/vulkan/spirv.h"'
rows=
for kernel in $kernels; do
    name=${kernel%%:*} rest=${kernel#*:}
    file=${rest%%:*} needs=${rest#*:}
    case $needs in
    TYPED) types='IT_F32 IT_BF16 IT_BF16_WORDS' ;;
    PLAIN) types=IT_F32 ;;
    BF16) types=IT_BF16 ;;
    *) types=
        if knows "$needs"; then types=IT_BF16; fi ;;
    esac
    for type in $types; do
        compile "$name" "$file" "$type"
        rows="$rows
    [IT_VULKAN_${type#IT_}][IT_VULKAN_$name] = {${name}_$type, sizeof ${name}_$type - 1},"
    done
done
echo "const struct it_vulkan_spirv it_vulkan_spirv[IT_VULKAN_TYPES][IT_VULKAN_KERNELS] = {$rows
};"
rm -rf "$temporary"
