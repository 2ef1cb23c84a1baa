# SPDX-License-Identifier: MIT
# All kernels, with the formulas of kmath.h before them, are one text inside the program.
OPENCL_SOURCE = \
	backends/opencl/kernels/device.cl \
	core/tensor/kmath.h \
	backends/opencl/params.h \
	backends/opencl/kernels/elements.cl \
	backends/opencl/kernels/adamw.cl \
	backends/opencl/kernels/rows.cl \
	backends/opencl/kernels/norm.cl \
	backends/opencl/kernels/matmul.cl \
	backends/opencl/kernels/attn.cl \
	backends/opencl/kernels/stats.cl \
	backends/opencl/kernels/sample.cl
EXTRA_DIST += $(OPENCL_SOURCE) tests/check_opencl.c tests/check_opencl_gpu_laws.c \
	tests/check_vulkan_update.c

if BACKEND_OPENCL
libintuitor_la_SOURCES += \
	backends/opencl/kernels.def \
	backends/opencl/launch.h \
	backends/opencl/loader.c \
	backends/opencl/loader.h \
	backends/opencl/opencl.c \
	backends/opencl/opencl.h \
	backends/opencl/ops.c \
	backends/opencl/ops_matmul.c \
	backends/opencl/params.h \
	backends/opencl/program.c
nodist_libintuitor_la_SOURCES += backends/opencl/source.c
backends/opencl/source.c: $(OPENCL_SOURCE) scripts/embed_bytes.sh
	$(AM_V_GEN)$(MKDIR_P) backends/opencl && \
	for file in $(OPENCL_SOURCE); do cat "$(srcdir)/$$file"; done >$@.cl && \
	$(SHELL) $(srcdir)/scripts/embed_bytes.sh \
		'extern const unsigned char it_opencl_source[]; const unsigned char it_opencl_source' \
		$@.cl >$@.tmp && rm -f $@.cl && mv -f $@.tmp $@
CLEANFILES += backends/opencl/source.c

check_PROGRAMS += tests/check_opencl
tests_check_opencl_SOURCES = tests/check_opencl.c tests/parity.c tests/parity.h
tests_check_opencl_LDADD = $(TEST_LIBS)
check_PROGRAMS += tests/check_opencl_laws
tests_check_opencl_laws_SOURCES = tests/check_1_laws.c tests/box.h
tests_check_opencl_laws_CPPFLAGS = $(AM_CPPFLAGS) -DLAWS_DEVICE='"opencl"'
tests_check_opencl_laws_LDADD = $(TEST_LIBS)
check_PROGRAMS += tests/check_opencl_gpu_laws
tests_check_opencl_gpu_laws_SOURCES = tests/check_opencl_gpu_laws.c tests/box.h
tests_check_opencl_gpu_laws_LDADD = $(TEST_LIBS)
check_PROGRAMS += tests/check_opencl_update
tests_check_opencl_update_SOURCES = tests/check_vulkan_update.c tests/scratch.h tests/tiny_run.h
tests_check_opencl_update_CPPFLAGS = $(AM_CPPFLAGS) -DUPDATE_DEVICE='"opencl"'
tests_check_opencl_update_LDADD = $(TEST_LIBS)
endif
