# SPDX-License-Identifier: MIT
gen_sources = \
	core/gen/gen.h core/gen/internal.h core/gen/generator.c core/gen/request.c core/gen/admit.c \
	core/gen/pages.c core/gen/keys.c core/gen/stop.c core/gen/completion.c
libintuitor_la_SOURCES += $(gen_sources)

# The scheduler is tested over a decoder and a tokenizer of the tests' own, so that a wrong page
# shows in the ids: it is compiled with them instead of taken from the library.
check_PROGRAMS += tests/check_4_scheduler
tests_check_4_scheduler_SOURCES = tests/check_4_scheduler.c tests/toy_decoder.c \
	tests/toy_decoder.h $(gen_sources)
tests_check_4_scheduler_LDADD = $(TEST_LIBS)

check_PROGRAMS += tests/check_4_generate
tests_check_4_generate_SOURCES = tests/check_4_generate.c
tests_check_4_generate_LDADD = $(TEST_LIBS)
