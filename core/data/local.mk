# SPDX-License-Identifier: MIT
libintuitor_la_SOURCES += \
	core/data/csv.c \
	core/data/data.h \
	core/data/folder.c \
	core/data/hub.c \
	core/data/hub.h \
	core/data/internal.h \
	core/data/json.c \
	core/data/open.c \
	core/data/parquet.c \
	core/data/parquet_bits.c \
	core/data/parquet_codec.c \
	core/data/parquet_internal.h \
	core/data/parquet_json.c \
	core/data/parquet_page.c \
	core/data/parquet_schema.c \
	core/data/parquet_thrift.c \
	core/data/parquet_values.c \
	core/data/pull.c \
	core/data/pull.h \
	core/data/pull_fetch.c \
	core/data/pull_hash.c \
	core/data/pull_internal.h \
	core/data/pull_list.c \
	core/data/pull_place.c \
	core/data/pull_request.c \
	core/data/pull_select.c \
	core/data/source.c

check_PROGRAMS += \
	tests/check_1_data \
	tests/check_1_parquet \
	tests/check_1_pull

tests_check_1_data_SOURCES = tests/check_1_data.c tests/scratch.h
tests_check_1_data_LDADD = $(TEST_LIBS)

tests_check_1_parquet_SOURCES = tests/check_1_parquet.c tests/scratch.h
tests_check_1_parquet_LDADD = $(TEST_LIBS)

tests_check_1_pull_SOURCES = tests/check_1_pull.c tests/http_server.h tests/hub_server.c \
	tests/hub_server.h tests/scratch.h
tests_check_1_pull_LDADD = $(TEST_LIBS)

FUZZERS += tests/fuzz/fuzz_csv.c tests/fuzz/fuzz_parquet.c tests/fuzz/fuzz_pull.c
EXTRA_DIST += \
	scripts/golden_parquet.py \
	$(wildcard $(srcdir)/tests/golden/parquet/*) \
	$(wildcard $(srcdir)/tests/fuzz/seeds/fuzz_csv/*) \
	$(wildcard $(srcdir)/tests/fuzz/seeds/fuzz_parquet/*) \
	$(wildcard $(srcdir)/tests/fuzz/seeds/fuzz_pull/*)
