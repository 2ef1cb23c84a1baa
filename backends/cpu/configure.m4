# SPDX-License-Identifier: MIT
# The CPU backend is always built. What is asked here is which instruction sets the compiler can
# write for; which of them a machine has is asked when the program starts.
#
# For each set X below: the automake condition CPU_X, the flags $(CPU_X_CFLAGS), and IT_CPU_X in
# config.h say that backends/cpu/kernels_x.c is part of the build.

# IT_CPU_SET(NAME, FLAGS, PROGRAM): PROGRAM is a function body that the set must be able to compile.
AC_DEFUN([IT_CPU_SET],
[AC_CACHE_CHECK([whether $CC compiles for m4_tolower([$1])], [it_cv_cpu_$1],
  [it_cv_cpu_$1=no
   # parsers are fuzzed, not kernels: those would take minutes to instrument
   AS_CASE([$host_cpu-$enable_fuzz], [x86_64-no|amd64-no],
     [it_saved_CFLAGS=$CFLAGS
      CFLAGS="$CFLAGS $2"
      AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <immintrin.h>]], [[$3]])],
        [it_cv_cpu_$1=yes])
      CFLAGS=$it_saved_CFLAGS])])
AM_CONDITIONAL([CPU_$1], [test "x$it_cv_cpu_$1" = xyes])
AS_IF([test "x$it_cv_cpu_$1" = xyes],
  [AC_DEFINE([IT_CPU_$1], [1], [kernels for the instruction set $1 are part of this build])
   it_cpu_sets="$it_cpu_sets, m4_tolower([$1])"])
AC_SUBST([CPU_$1_CFLAGS], ["$2"])])

it_cpu_sets="portable C"
IT_CPU_SET([AVX2], [-mavx2 -mfma -mf16c],
  [__m256 a = _mm256_setzero_ps(); a = _mm256_fmadd_ps(a, a, a); (void)a;])
IT_CPU_SET([AVX512], [-mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mf16c],
  [__m512 a = _mm512_setzero_ps(); a = _mm512_fmadd_ps(a, a, a); (void)a;])
IT_CPU_SET([AMX],
  [-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512bf16 -mamx-tile -mamx-bf16 -mprfchw -mfma -mf16c],
  [__m512 a = _mm512_setzero_ps(); (void)_mm512_cvtne2ps_pbh(a, a);
   _tile_zero(0); _tile_dpbf16ps(0, 1, 2);])

IT_ADD_BACKEND([cpu], [yes], [$it_cpu_sets])
