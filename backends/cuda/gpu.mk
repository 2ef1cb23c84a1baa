# SPDX-License-Identifier: MIT
# make gpu-check: all that wants a GPU, on a machine with one. make gpu-bundle: the same as an archive
# for another machine. The suites of the other backends run beside it when their loaders answer.
if BACKEND_CUDA
check_PROGRAMS += tests/check_cuda_gpu
tests_check_cuda_gpu_SOURCES = tests/check_cuda_gpu.c tests/cuda_cases.h tests/box.h \
	tests/scratch.h tests/parity.c tests/parity.h
tests_check_cuda_gpu_LDADD = $(TEST_LIBS)
check_PROGRAMS += tests/check_cuda_gpu_laws
tests_check_cuda_gpu_laws_SOURCES = tests/check_1_laws.c tests/box.h
tests_check_cuda_gpu_laws_CPPFLAGS = $(AM_CPPFLAGS) -DLAWS_DEVICE='"cuda"'
tests_check_cuda_gpu_laws_LDADD = $(TEST_LIBS)
check_PROGRAMS += tests/check_cuda_gpu_update
tests_check_cuda_gpu_update_SOURCES = tests/check_cuda_update.c tests/box.h
tests_check_cuda_gpu_update_CPPFLAGS = $(AM_CPPFLAGS) -DUPDATE_DEVICE='"cuda"'
tests_check_cuda_gpu_update_LDADD = $(TEST_LIBS)
endif

GPU_SUITES = $(filter tests/check_cuda_gpu% tests/check_vulkan% tests/check_opencl% \
	tests/check_3_golden,$(check_PROGRAMS))
EXTRA_DIST += scripts/gpu_check.sh scripts/gpu_bundle.sh bench/shapes/qwen2.5-1.5b.json \
	bench/shapes/qwen2.5-3b.json

gpu-check: intuitor$(EXEEXT) $(GPU_SUITES)
	@top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' \
	  $(SHELL) $(srcdir)/scripts/gpu_check.sh '$(abs_top_srcdir)/bench/results' $(GPU_SUITES)

gpu-bundle: intuitor$(EXEEXT) $(GPU_SUITES)
	@$(SHELL) $(srcdir)/scripts/gpu_bundle.sh intuitor-$(VERSION)-gpu-check.tar.gz \
	  '$(abs_top_srcdir)' intuitor $(GPU_SUITES)
.PHONY: gpu-check gpu-bundle
