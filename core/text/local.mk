# SPDX-License-Identifier: MIT
libintuitor_la_SOURCES += \
	core/text/added.c \
	core/text/bpe.c \
	core/text/chat.c \
	core/text/internal.h \
	core/text/jinja.h \
	core/text/jinja_case.h \
	core/text/jinja_eval.c \
	core/text/jinja_expression.c \
	core/text/jinja_filter_list.c \
	core/text/jinja_filter_text.c \
	core/text/jinja_internal.h \
	core/text/jinja_lex.c \
	core/text/jinja_loop.c \
	core/text/jinja_method.c \
	core/text/jinja_operator.c \
	core/text/jinja_parse.c \
	core/text/jinja_run.c \
	core/text/jinja_tests.c \
	core/text/jinja_text.c \
	core/text/jinja_value.c \
	core/text/jinja_write.c \
	core/text/load.c \
	core/text/load_added.c \
	core/text/load_files.c \
	core/text/load_json.c \
	core/text/normal.c \
	core/text/split.c \
	core/text/text.h \
	core/text/tokenizer.c \
	core/text/vocab.c

check_PROGRAMS += \
	tests/check_1_chat \
	tests/check_1_digests \
	tests/check_1_stream \
	tests/check_1_tokenizer \
	tests/check_1_vectors

tests_check_1_chat_SOURCES = tests/check_1_chat.c tests/scratch.h
tests_check_1_chat_LDADD = $(TEST_LIBS)

tests_check_1_digests_SOURCES = tests/check_1_digests.c tests/scratch.h
tests_check_1_digests_LDADD = $(TEST_LIBS)

tests_check_1_stream_SOURCES = tests/check_1_stream.c tests/scratch.h
tests_check_1_stream_LDADD = $(TEST_LIBS)

tests_check_1_tokenizer_SOURCES = tests/check_1_tokenizer.c tests/scratch.h
tests_check_1_tokenizer_LDADD = $(TEST_LIBS)

tests_check_1_vectors_SOURCES = tests/check_1_vectors.c tests/scratch.h
tests_check_1_vectors_LDADD = $(TEST_LIBS)

FUZZERS += \
	tests/fuzz/fuzz_template.c \
	tests/fuzz/fuzz_tokenizer.c
EXTRA_DIST += \
	scripts/compare_template.py \
	scripts/compare_tokenizer.py \
	tests/golden/chat.json \
	tests/golden/tokens.json \
	tests/fuzz/seeds/fuzz_template/lazy \
	tests/fuzz/seeds/fuzz_template/macros \
	tests/fuzz/seeds/fuzz_template/olmo2 \
	tests/fuzz/seeds/fuzz_template/qwen2.5 \
	tests/fuzz/seeds/fuzz_template/qwen3 \
	tests/fuzz/seeds/fuzz_template/words \
	tests/fuzz/seeds/fuzz_tokenizer/gpt2.json \
	tests/fuzz/seeds/fuzz_tokenizer/llama3.json \
	tests/fuzz/seeds/fuzz_tokenizer/qwen2.json
