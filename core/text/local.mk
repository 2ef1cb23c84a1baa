# SPDX-License-Identifier: MIT
libintuitor_la_SOURCES += \
	core/text/added.c \
	core/text/bpe.c \
	core/text/chat.c \
	core/text/internal.h \
	core/text/load.c \
	core/text/load_added.c \
	core/text/load_files.c \
	core/text/load_json.c \
	core/text/normal.c \
	core/text/split.c \
	core/text/template.c \
	core/text/template_internal.h \
	core/text/text.h \
	core/text/tokenizer.c \
	core/text/vocab.c

check_PROGRAMS += \
	tests/check_1_chat \
	tests/check_1_tokenizer \
	tests/check_1_vectors

tests_check_1_chat_SOURCES = tests/check_1_chat.c tests/scratch.h
tests_check_1_chat_LDADD = $(TEST_LIBS)

tests_check_1_tokenizer_SOURCES = tests/check_1_tokenizer.c tests/scratch.h
tests_check_1_tokenizer_LDADD = $(TEST_LIBS)

tests_check_1_vectors_SOURCES = tests/check_1_vectors.c tests/scratch.h
tests_check_1_vectors_LDADD = $(TEST_LIBS)

FUZZERS += tests/fuzz/fuzz_tokenizer.c
EXTRA_DIST += \
	scripts/compare_tokenizer.py \
	tests/fuzz/seeds/fuzz_tokenizer/gpt2.json \
	tests/fuzz/seeds/fuzz_tokenizer/llama3.json \
	tests/fuzz/seeds/fuzz_tokenizer/qwen2.json
