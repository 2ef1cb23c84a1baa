# SPDX-License-Identifier: MIT
libintuitor_la_SOURCES += \
	models/arch.c \
	models/config.c \
	models/convert.c \
	models/find.c \
	models/gguf.c \
	models/gguf_text.c \
	models/gguf_write.c \
	models/init.c \
	models/internal.h \
	models/llama.c \
	models/load.c \
	models/lora.c \
	models/lora_files.c \
	models/models.h \
	models/olmo2.c \
	models/open.c \
	models/places.c \
	models/qwen2.c \
	models/qwen3.c \
	models/rope.c \
	models/save.c

check_PROGRAMS += \
	tests/check_3_adapter \
	tests/check_3_config \
	tests/check_3_gguf \
	tests/check_3_golden \
	tests/check_3_models \
	tests/check_3_published \
	tests/check_3_transformers

tests_check_3_adapter_SOURCES = tests/check_3_adapter.c tests/scratch.h
tests_check_3_adapter_LDADD = $(TEST_LIBS)
tests_check_3_config_SOURCES = tests/check_3_config.c tests/scratch.h tests/tiny_config.h
tests_check_3_config_LDADD = $(TEST_LIBS)
tests_check_3_gguf_SOURCES = tests/check_3_gguf.c tests/scratch.h tests/tiny_config.h
tests_check_3_gguf_LDADD = $(TEST_LIBS)
tests_check_3_golden_SOURCES = tests/check_3_golden.c tests/scratch.h
tests_check_3_golden_LDADD = $(TEST_LIBS)
tests_check_3_models_SOURCES = tests/check_3_models.c tests/scratch.h tests/tiny_config.h
tests_check_3_models_LDADD = $(TEST_LIBS)
tests_check_3_published_SOURCES = tests/check_3_published.c tests/scratch.h
tests_check_3_published_LDADD = $(TEST_LIBS)
tests_check_3_transformers_SOURCES = tests/check_3_transformers.c tests/scratch.h
tests_check_3_transformers_LDADD = $(TEST_LIBS)

golden_adapter_files = adapter_config.json adapter_model.safetensors golden.json grads.safetensors
golden_files = config.json generation_config.json golden.json grads.safetensors model.safetensors

FUZZERS += tests/fuzz/fuzz_adapter.c tests/fuzz/fuzz_config.c
EXTRA_DIST += \
	scripts/check_gguf.py \
	scripts/check_transformers.py \
	scripts/golden_adapter.py \
	scripts/golden_models.py \
	tests/golden/rope.json \
	$(golden_files:%=tests/golden/llama-tied/%) \
	$(golden_files:%=tests/golden/llama-untied/%) \
	$(golden_files:%=tests/golden/mistral-tied/%) \
	$(golden_files:%=tests/golden/mistral-untied/%) \
	$(golden_adapter_files:%=tests/golden/olmo2-lora/%) \
	$(golden_files:%=tests/golden/olmo2-tied/%) \
	$(golden_files:%=tests/golden/olmo2-untied/%) \
	$(golden_adapter_files:%=tests/golden/qwen2-lora/%) \
	$(golden_files:%=tests/golden/qwen2-tied/%) \
	$(golden_files:%=tests/golden/qwen2-untied/%) \
	$(golden_files:%=tests/golden/qwen3-tied/%) \
	$(golden_files:%=tests/golden/qwen3-untied/%) \
	tests/fuzz/seeds/fuzz_adapter/odd.json \
	tests/fuzz/seeds/fuzz_adapter/ours.json \
	tests/fuzz/seeds/fuzz_adapter/peft.json \
	tests/fuzz/seeds/fuzz_config/bad.json \
	tests/fuzz/seeds/fuzz_config/v4.json \
	tests/fuzz/seeds/fuzz_config/v5.json

# The embedded model is an ordinary folder, installed beside the recipes that name it.
embedded_files = README.md config.json generation_config.json model.safetensors tokenizer.json \
	tokenizer_config.json
embeddeddir = $(pkgdatadir)/models/embedded
dist_embedded_DATA = $(embedded_files:%=models/embedded/%)
EXTRA_DIST += scripts/demo_table.py scripts/embedded_tokenizer.py
