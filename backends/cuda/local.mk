# SPDX-License-Identifier: MIT
# Kernels are compiled by nvcc into one fatbin, which becomes a C array: the rest is C.
CUDA_KERNELS = \
	backends/cuda/kernels/adamw.cu \
	backends/cuda/kernels/all.cu \
	backends/cuda/kernels/attention.cuh \
	backends/cuda/kernels/attn.cu \
	backends/cuda/kernels/attn_mma.cu \
	backends/cuda/kernels/attn_mma.cuh \
	backends/cuda/kernels/attn_split.cu \
	backends/cuda/kernels/attn_step.cuh \
	backends/cuda/kernels/device.cuh \
	backends/cuda/kernels/elements.cu \
	backends/cuda/kernels/gemm.cu \
	backends/cuda/kernels/gemm.cuh \
	backends/cuda/kernels/gemm_stream.cu \
	backends/cuda/kernels/gemm_stream.cuh \
	backends/cuda/kernels/mma.cuh \
	backends/cuda/kernels/norm.cu \
	backends/cuda/kernels/norm.cuh \
	backends/cuda/kernels/rows.cu \
	backends/cuda/kernels/sample.cu \
	backends/cuda/kernels/stats.cu
CUDA_OPS = \
	backends/cuda/cuda.h \
	backends/cuda/kernels.def \
	backends/cuda/ops.c \
	backends/cuda/ops_attn.c \
	backends/cuda/ops_matmul.c \
	backends/cuda/params.h
EXTRA_DIST += $(CUDA_KERNELS)

if BACKEND_CUDA
noinst_LTLIBRARIES += libcuda_backend.la
libcuda_backend_la_SOURCES = $(CUDA_OPS) \
	backends/cuda/blas.c \
	backends/cuda/cuda.c \
	backends/cuda/driver.c \
	backends/cuda/fetch.c \
	backends/cuda/driver.h \
	backends/cuda/memory.c
nodist_libcuda_backend_la_SOURCES = backends/cuda/module.c
libcuda_backend_la_CPPFLAGS = $(LIBRARY_CPPFLAGS) $(CUDA_CPPFLAGS)
libcuda_backend_la_CFLAGS = $(LIBRARY_CFLAGS)
libcuda_backend_la_LDFLAGS = $(LIBRARY_LDFLAGS)
libintuitor_la_LIBADD += libcuda_backend.la

backends/cuda/module.fatbin: $(CUDA_KERNELS) backends/cuda/params.h core/tensor/kmath.h
	$(AM_V_GEN)$(MKDIR_P) backends/cuda && \
	$(NVCC) -fatbin -O3 $(NVCC_ARCH) -I$(srcdir) -o $@ $(srcdir)/backends/cuda/kernels/all.cu
backends/cuda/module.c: backends/cuda/module.fatbin scripts/embed_bytes.sh
	$(AM_V_GEN)$(SHELL) $(srcdir)/scripts/embed_bytes.sh \
		'extern const unsigned char it_cuda_module[]; _Alignas(64) const unsigned char it_cuda_module' \
		backends/cuda/module.fatbin >$@.tmp && mv -f $@.tmp $@
CLEANFILES += backends/cuda/module.fatbin backends/cuda/module.c
endif

# The kernels and their launches on the host, thread by thread.
CUDA_ON_HOST = $(CUDA_OPS) \
	tests/cuda_device.c \
	tests/cuda_device.h \
	tests/cuda_on_host.cc \
	tests/cuda_on_host.h
EXTRA_DIST += tests/check_cuda_decode.c tests/check_cuda_kernels.c tests/check_cuda_gpu.c \
	tests/check_cuda_update.c \
	tests/cuda_cases.h tests/cuda_device.c tests/cuda_device.h \
	tests/cuda_on_host.cc tests/cuda_on_host.h $(CUDA_OPS)
if HAVE_CXX
check_PROGRAMS += tests/check_cuda_kernels
tests_check_cuda_kernels_SOURCES = tests/check_cuda_kernels.c tests/cuda_cases.h tests/box.h \
	tests/parity.c tests/parity.h \
	$(CUDA_ON_HOST)
tests_check_cuda_kernels_CPPFLAGS = $(AM_CPPFLAGS)
tests_check_cuda_kernels_CXXFLAGS = -O2 -std=c++17 -Wno-unknown-pragmas
tests_check_cuda_kernels_LDADD = $(TEST_LIBS)
check_PROGRAMS += tests/check_cuda_laws
tests_check_cuda_laws_SOURCES = tests/check_1_laws.c tests/box.h $(CUDA_ON_HOST)
tests_check_cuda_laws_CPPFLAGS = $(AM_CPPFLAGS) -DLAWS_CUDA_ON_HOST
tests_check_cuda_laws_CXXFLAGS = $(tests_check_cuda_kernels_CXXFLAGS)
tests_check_cuda_laws_LDADD = $(TEST_LIBS)
check_PROGRAMS += tests/check_cuda_decode
tests_check_cuda_decode_SOURCES = tests/check_cuda_decode.c tests/box.h $(CUDA_ON_HOST)
tests_check_cuda_decode_CPPFLAGS = $(AM_CPPFLAGS)
tests_check_cuda_decode_CXXFLAGS = $(tests_check_cuda_kernels_CXXFLAGS)
tests_check_cuda_decode_LDADD = $(TEST_LIBS)
check_PROGRAMS += tests/check_cuda_update
tests_check_cuda_update_SOURCES = tests/check_cuda_update.c tests/box.h $(CUDA_ON_HOST)
tests_check_cuda_update_CPPFLAGS = $(AM_CPPFLAGS)
tests_check_cuda_update_CXXFLAGS = $(tests_check_cuda_kernels_CXXFLAGS)
tests_check_cuda_update_LDADD = $(TEST_LIBS)
endif

include $(srcdir)/backends/cuda/gpu.mk
