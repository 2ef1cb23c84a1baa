# SPDX-License-Identifier: MIT
libintuitor_la_SOURCES += \
	core/base/clock.c \
	core/base/clock.h \
	core/base/cores.c \
	core/base/cores.h \
	core/base/dir.c \
	core/base/file.c \
	core/base/file.h \
	core/base/file_write.c \
	core/base/inputs.c \
	core/base/inputs.h \
	core/base/internal.h \
	core/base/json.c \
	core/base/http.c \
	core/base/http.h \
	core/base/json.h \
	core/base/lines.c \
	core/base/log.c \
	core/base/log.h \
	core/base/mem.c \
	core/base/mem.h \
	core/base/option.c \
	core/base/option.h \
	core/base/pool.c \
	core/base/pool.h \
	core/base/rng.c \
	core/base/rng.h \
	core/base/sha1.c \
	core/base/sha1.h \
	core/base/sha256.c \
	core/base/sha256.h \
	core/base/size.c \
	core/base/status.c \
	core/base/status.h \
	core/base/str.c \
	core/base/str.h \
	core/base/topology.c \
	core/base/utf8.c \
	core/base/yaml.c

check_PROGRAMS += \
	tests/check_0_file \
	tests/check_0_http \
	tests/check_0_json \
	tests/check_0_log \
	tests/check_0_option \
	tests/check_0_pool \
	tests/check_0_pool_places \
	tests/check_0_rng \
	tests/check_0_sha1 \
	tests/check_0_sha256 \
	tests/check_0_str

tests_check_0_file_SOURCES = tests/check_0_file.c tests/scratch.h
tests_check_0_file_LDADD = $(TEST_LIBS)

tests_check_0_http_SOURCES = tests/check_0_http.c tests/http_server.h tests/scratch.h
tests_check_0_http_LDADD = $(TEST_LIBS)

tests_check_0_json_SOURCES = tests/check_0_json.c tests/scratch.h
tests_check_0_json_LDADD = $(TEST_LIBS)

tests_check_0_log_SOURCES = tests/check_0_log.c tests/scratch.h
tests_check_0_log_LDADD = $(TEST_LIBS)

tests_check_0_option_SOURCES = tests/check_0_option.c tests/scratch.h
tests_check_0_option_LDADD = $(TEST_LIBS)

tests_check_0_pool_SOURCES = tests/check_0_pool.c tests/scratch.h
tests_check_0_pool_LDADD = $(TEST_LIBS)

tests_check_0_pool_places_SOURCES = tests/check_0_pool_places.c tests/scratch.h
tests_check_0_pool_places_LDADD = $(TEST_LIBS)

tests_check_0_rng_SOURCES = tests/check_0_rng.c tests/scratch.h
tests_check_0_rng_LDADD = $(TEST_LIBS)

tests_check_0_sha1_SOURCES = tests/check_0_sha1.c tests/scratch.h
tests_check_0_sha1_LDADD = $(TEST_LIBS)

tests_check_0_sha256_SOURCES = tests/check_0_sha256.c tests/scratch.h
tests_check_0_sha256_LDADD = $(TEST_LIBS)

tests_check_0_str_SOURCES = tests/check_0_str.c tests/scratch.h
tests_check_0_str_LDADD = $(TEST_LIBS)

FUZZERS += tests/fuzz/fuzz_jsonl.c
EXTRA_DIST += tests/fuzz/seeds/fuzz_jsonl/records.jsonl scripts/bench_taken_core.sh
