# SPDX-License-Identifier: MIT
libintuitor_la_SOURCES += \
	core/tensor/arena.c \
	core/tensor/backend.h \
	core/tensor/cases.c \
	core/tensor/cases.def \
	core/tensor/cases.h \
	core/tensor/cases_fill.c \
	core/tensor/cases_internal.h \
	core/tensor/check.c \
	core/tensor/device.c \
	core/tensor/dispatch.c \
	core/tensor/fallback.c \
	core/tensor/internal.h \
	core/tensor/kmath.h \
	core/tensor/ops.def \
	core/tensor/ops.h \
	core/tensor/record.c \
	core/tensor/ref_adamw.c \
	core/tensor/ref_attn.c \
	core/tensor/ref_basic.c \
	core/tensor/ref_double.c \
	core/tensor/ref_internal.h \
	core/tensor/ref_matmul.c \
	core/tensor/ref_norm.c \
	core/tensor/ref_rows.c \
	core/tensor/ref_sample.c \
	core/tensor/ref_stats.c \
	core/tensor/ref_step.c \
	core/tensor/signature.c \
	core/tensor/tensor.c \
	core/tensor/tensor.h

check_PROGRAMS += \
	tests/check_1_door \
	tests/check_1_gradients \
	tests/check_1_laws \
	tests/check_1_numbers \
	tests/check_1_parity_cpu \
	tests/check_1_parity_hostile

tests_check_1_door_SOURCES = tests/check_1_door.c tests/box.h tests/hostile.c tests/hostile.h \
	tests/scratch.h
tests_check_1_door_LDADD = $(TEST_LIBS)

tests_check_1_gradients_SOURCES = tests/check_1_gradients.c tests/box.h
tests_check_1_gradients_LDADD = $(TEST_LIBS)

tests_check_1_laws_SOURCES = tests/check_1_laws.c tests/box.h tests/laws_adamw.h
tests_check_1_laws_LDADD = $(TEST_LIBS)

tests_check_1_numbers_SOURCES = tests/check_1_numbers.c tests/box.h
tests_check_1_numbers_LDADD = $(TEST_LIBS)

tests_check_1_parity_cpu_SOURCES = tests/check_1_parity_cpu.c tests/parity.c tests/parity.h
tests_check_1_parity_cpu_LDADD = $(TEST_LIBS)

tests_check_1_parity_hostile_SOURCES = tests/check_1_parity_hostile.c tests/hostile.c \
	tests/hostile.h tests/parity.c tests/parity.h
tests_check_1_parity_hostile_LDADD = $(TEST_LIBS)
