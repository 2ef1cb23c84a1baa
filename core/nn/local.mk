# SPDX-License-Identifier: MIT
libintuitor_la_SOURCES += \
	core/nn/decode.c \
	core/nn/fused.c \
	core/nn/head.c \
	core/nn/head.h \
	core/nn/internal.h \
	core/nn/lora.c \
	core/nn/net.c \
	core/nn/nn.h \
	core/nn/optimizer.c \
	core/nn/parked.c \
	core/nn/pass.c \
	core/nn/rope.c \
	core/nn/safetensors.c \
	core/nn/safetensors.h \
	core/nn/safetensors_sums.c \
	core/nn/safetensors_write.c \
	core/nn/steps.c \
	core/nn/tape.c \
	core/nn/weights.c

check_PROGRAMS += tests/check_2_head
tests_check_2_head_SOURCES = tests/check_2_head.c tests/box.h
tests_check_2_head_LDADD = $(TEST_LIBS)

check_PROGRAMS += tests/check_2_safetensors
tests_check_2_safetensors_SOURCES = tests/check_2_safetensors.c tests/scratch.h
tests_check_2_safetensors_LDADD = $(TEST_LIBS)

FUZZERS += tests/fuzz/fuzz_safetensors.c
EXTRA_DIST += \
	tests/fuzz/seeds/fuzz_safetensors/hole \
	tests/fuzz/seeds/fuzz_safetensors/huge \
	tests/fuzz/seeds/fuzz_safetensors/length \
	tests/fuzz/seeds/fuzz_safetensors/odd_types \
	tests/fuzz/seeds/fuzz_safetensors/two

check_PROGRAMS += tests/check_3_lora
tests_check_3_lora_SOURCES = tests/check_3_lora.c tests/scratch.h
tests_check_3_lora_LDADD = $(TEST_LIBS)

check_PROGRAMS += tests/check_3_net
tests_check_3_net_SOURCES = tests/check_3_net.c
tests_check_3_net_LDADD = $(TEST_LIBS)
