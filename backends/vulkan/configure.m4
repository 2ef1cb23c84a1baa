# SPDX-License-Identifier: MIT
# The Vulkan backend needs the headers; the loader is opened when the program runs. Kernels are
# compiled to SPIR-V by glslc or glslangValidator; a tarball has them compiled.
AC_ARG_WITH([vulkan],
  [AS_HELP_STRING([--with-vulkan], [the Vulkan backend (default: if vulkan/vulkan.h is found)])],
  [], [with_vulkan=check])
AC_ARG_VAR([GLSLC], [compiler of GLSL to SPIR-V: glslc or glslangValidator])
AC_CHECK_PROGS([GLSLC], [glslc glslangValidator])
it_vulkan=no
AS_IF([test "x$with_vulkan" = xno], [it_vulkan_why="left out as asked"],
  [AC_CHECK_HEADER([vulkan/vulkan.h], [it_vulkan=yes], [],
     [#define VK_NO_PROTOTYPES])
   AS_IF([test "x$it_vulkan" = xno],
       [it_vulkan_why="no vulkan/vulkan.h (Debian: libvulkan-dev)"],
     [test -z "$GLSLC" && test ! -f "$srcdir/backends/vulkan/spirv.c"],
       [it_vulkan=no
        it_vulkan_why="no glslc and no glslangValidator to compile the kernels (Debian: glslc)"],
     [# a tarball has what the compiler knew where it was made
      AS_IF([test -f "$srcdir/backends/vulkan/spirv.c"],
        [it_has_kernel () { grep "$2" "$srcdir/backends/vulkan/spirv.c" >/dev/null; }],
        [it_has_kernel () {
           $SHELL "$srcdir/backends/vulkan/spirv.sh" --knows "$1" "$GLSLC" conftest.dir; }])
      it_vulkan_matrices=
      AS_IF([it_has_kernel GL_EXT_bfloat16 matrix_IT_BF16], [it_vulkan_matrices="bf16, "])
      AS_IF([it_has_kernel GL_KHR_cooperative_matrix matrix_f16_IT_BF16],
        [it_vulkan_matrices="${it_vulkan_matrices}f16"],
        [it_vulkan_matrices="no (a newer glslc has them)"])
      it_vulkan_why="Vulkan 1.2, the loader opened at run time, kernels by ${GLSLC:-the tarball}"
      it_vulkan_why="$it_vulkan_why, cooperative matrices: $it_vulkan_matrices"])
   AS_IF([test "x$it_vulkan$with_vulkan" = xnoyes],
     [AC_MSG_ERROR([--with-vulkan was asked for: $it_vulkan_why])])])
IT_ADD_BACKEND([vulkan], [$it_vulkan], [$it_vulkan_why])
