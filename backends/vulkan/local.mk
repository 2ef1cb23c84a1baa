# SPDX-License-Identifier: MIT
# Each kernel is compiled to SPIR-V for each storage type; the table of them is a C file that goes
# into the tarball, so that building from one needs no compiler of shaders.
VULKAN_SHADERS = \
	backends/vulkan/kernels.def \
	backends/vulkan/params.h \
	backends/vulkan/shaders/adamw.comp \
	backends/vulkan/shaders/attention.glsl \
	backends/vulkan/shaders/attn.comp \
	backends/vulkan/shaders/attn_bwd.comp \
	backends/vulkan/shaders/common.glsl \
	backends/vulkan/shaders/direct.comp \
	backends/vulkan/shaders/elements.comp \
	backends/vulkan/shaders/few.comp \
	backends/vulkan/shaders/gated.comp \
	backends/vulkan/shaders/group.glsl \
	backends/vulkan/shaders/matmul.comp \
	backends/vulkan/shaders/matrix.comp \
	backends/vulkan/shaders/matrix_scales.comp \
	backends/vulkan/shaders/norm.comp \
	backends/vulkan/shaders/philox.glsl \
	backends/vulkan/shaders/product.glsl \
	backends/vulkan/shaders/rope.comp \
	backends/vulkan/shaders/rows.comp \
	backends/vulkan/shaders/sample.comp \
	backends/vulkan/shaders/stats.comp \
	backends/vulkan/shaders/stats_bwd.comp \
	backends/vulkan/shaders/sums.comp
EXTRA_DIST += $(VULKAN_SHADERS) backends/vulkan/spirv.sh backends/vulkan/spirv.c \
	tests/check_vulkan.c tests/check_vulkan_card_laws.c tests/check_vulkan_update.c

backends/vulkan/spirv.c: $(VULKAN_SHADERS) backends/vulkan/spirv.sh core/tensor/kmath.h
	@test -n "$(GLSLC)" || { echo "the kernels of the Vulkan backend changed, or were never" \
	  "compiled: install glslc or glslangValidator and configure again" >&2; exit 1; }
	$(AM_V_GEN)$(MKDIR_P) backends/vulkan && \
	$(SHELL) $(srcdir)/backends/vulkan/spirv.sh $(srcdir) '$(GLSLC)' backends/vulkan/spirv.dir \
	  >backends/vulkan/spirv.tmp && mv -f backends/vulkan/spirv.tmp $@
MAINTAINERCLEANFILES = backends/vulkan/spirv.c

if BACKEND_VULKAN
libintuitor_la_SOURCES += \
	backends/vulkan/kernels.def \
	backends/vulkan/loader.c \
	backends/vulkan/loader.h \
	backends/vulkan/matrices.c \
	backends/vulkan/matrices.h \
	backends/vulkan/memory.c \
	backends/vulkan/ops.c \
	backends/vulkan/ops_attn.c \
	backends/vulkan/ops_matmul.c \
	backends/vulkan/params.h \
	backends/vulkan/pipeline.c \
	backends/vulkan/queue.c \
	backends/vulkan/spirv.c \
	backends/vulkan/spirv.h \
	backends/vulkan/vulkan.c \
	backends/vulkan/vulkan.h

check_PROGRAMS += tests/check_vulkan
tests_check_vulkan_SOURCES = tests/check_vulkan.c tests/parity.c tests/parity.h
tests_check_vulkan_LDADD = $(TEST_LIBS)
check_PROGRAMS += tests/check_vulkan_laws
tests_check_vulkan_laws_SOURCES = tests/check_1_laws.c tests/box.h
tests_check_vulkan_laws_CPPFLAGS = $(AM_CPPFLAGS) -DLAWS_DEVICE='"vulkan"'
tests_check_vulkan_laws_LDADD = $(TEST_LIBS)
check_PROGRAMS += tests/check_vulkan_card_laws
tests_check_vulkan_card_laws_SOURCES = tests/check_vulkan_card_laws.c tests/box.h
tests_check_vulkan_card_laws_LDADD = $(TEST_LIBS)
check_PROGRAMS += tests/check_vulkan_update
tests_check_vulkan_update_SOURCES = tests/check_vulkan_update.c tests/scratch.h tests/tiny_run.h
tests_check_vulkan_update_LDADD = $(TEST_LIBS)
endif
