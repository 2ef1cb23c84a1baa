# SPDX-License-Identifier: MIT
# Kernels are written once, in *.inc.c, and compiled for each instruction set with its own flags:
# a convenience library each.
EXTRA_DIST += \
	backends/cpu/adamw.inc.c \
	backends/cpu/attn.inc.c \
	backends/cpu/attn_bwd.inc.c \
	backends/cpu/gemm.inc.c \
	backends/cpu/kernels.inc.c \
	backends/cpu/matmul.inc.c \
	backends/cpu/norm.inc.c \
	backends/cpu/rows.inc.c \
	backends/cpu/sample.inc.c \
	backends/cpu/stats.inc.c \
	backends/cpu/vector.inc.c
libintuitor_la_SOURCES += \
	backends/cpu/attn_amx.h \
	backends/cpu/cpu.c \
	backends/cpu/cpu.h \
	backends/cpu/kernels_amx.h \
	backends/cpu/kernels_portable.c \
	backends/cpu/simd_avx2.h \
	backends/cpu/simd_avx512.h \
	backends/cpu/simd_portable.h \
	backends/cpu/tiles_amx.h
if CPU_AVX2
noinst_LTLIBRARIES += libcpu_avx2.la
libcpu_avx2_la_SOURCES = backends/cpu/kernels_avx2.c
libcpu_avx2_la_CFLAGS = $(LIBRARY_CFLAGS) $(CPU_AVX2_CFLAGS)
libintuitor_la_LIBADD += libcpu_avx2.la
endif
if CPU_AVX512
noinst_LTLIBRARIES += libcpu_avx512.la
libcpu_avx512_la_SOURCES = backends/cpu/kernels_avx512.c
libcpu_avx512_la_CFLAGS = $(LIBRARY_CFLAGS) $(CPU_AVX512_CFLAGS)
libintuitor_la_LIBADD += libcpu_avx512.la
endif
if CPU_AMX
noinst_LTLIBRARIES += libcpu_amx.la
libcpu_amx_la_SOURCES = \
	backends/cpu/attn_amx.c \
	backends/cpu/attn_amx_bwd.c \
	backends/cpu/attn_amx_decode.c \
	backends/cpu/kernels_amx.c \
	backends/cpu/matmul_amx.c
libcpu_amx_la_CFLAGS = $(LIBRARY_CFLAGS) $(CPU_AMX_CFLAGS)
libintuitor_la_LIBADD += libcpu_amx.la
endif

check_PROGRAMS += tests/check_cpu_attn tests/check_cpu_bits tests/check_cpu_large
tests_check_cpu_attn_SOURCES = tests/check_cpu_attn.c tests/box.h
tests_check_cpu_attn_LDADD = $(TEST_LIBS)
tests_check_cpu_bits_SOURCES = tests/check_cpu_bits.c tests/box.h
tests_check_cpu_bits_LDADD = $(TEST_LIBS)
tests_check_cpu_large_SOURCES = tests/check_cpu_large.c tests/box.h
tests_check_cpu_large_LDADD = $(TEST_LIBS)
