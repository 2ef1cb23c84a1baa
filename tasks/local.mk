# SPDX-License-Identifier: MIT
libintuitor_la_SOURCES += \
	tasks/arithmetic.c \
	tasks/arithmetic.h \
	tasks/arithmetic_text.c \
	tasks/dataset.c \
	tasks/dataset.h \
	tasks/embedded.c \
	tasks/embedded.h \
	tasks/grade/answer.c \
	tasks/grade/answer.h \
	tasks/grade/box.c \
	tasks/grade/box.h \
	tasks/grade/equal.c \
	tasks/grade/equal.h \
	tasks/grade/equal_internal.h \
	tasks/grade/equal_sets.c \
	tasks/grade/expr.c \
	tasks/grade/expr.h \
	tasks/grade/extract.c \
	tasks/grade/extract.h \
	tasks/grade/hendrycks.c \
	tasks/grade/hendrycks.h \
	tasks/grade/latex.h \
	tasks/grade/latex_atom.c \
	tasks/grade/latex_group.c \
	tasks/grade/latex_internal.h \
	tasks/grade/latex_lex.c \
	tasks/grade/latex_parse.c \
	tasks/grade/latex_tidy.c \
	tasks/grade/matrix.c \
	tasks/grade/matrix.h \
	tasks/grade/python.c \
	tasks/grade/python.h \
	tasks/grade/rational.c \
	tasks/grade/rational.h \
	tasks/grade/region.c \
	tasks/grade/region.h \
	tasks/grade/scan.c \
	tasks/grade/scan.h \
	tasks/grade/value.c \
	tasks/grade/value.h \
	tasks/grade/value_equal.c \
	tasks/grade/value_residue.c \
	tasks/grade/zeroeval.c \
	tasks/grade/zeroeval.h \
	tasks/gsm8k.c \
	tasks/math.c \
	tasks/prompt.c \
	tasks/prompt.h \
	tasks/task.c \
	tasks/task.h

# Files that travel inside the program, as tasks/embedded.h names them.
EMBEDDED_FILES =

nodist_libintuitor_la_SOURCES = tasks/embedded-files.c
tasks/embedded-files.c: $(EMBEDDED_FILES:%=tasks/%) scripts/embed.sh tasks/local.mk
	$(AM_V_GEN)$(MKDIR_P) tasks && \
	$(SHELL) $(srcdir)/scripts/embed.sh $(srcdir) $(EMBEDDED_FILES) >$@.tmp && mv -f $@.tmp $@
BUILT_SOURCES += tasks/embedded-files.c
CLEANFILES += tasks/embedded-files.c
EXTRA_DIST += scripts/embed.sh $(EMBEDDED_FILES:%=tasks/%)

check_PROGRAMS += \
	tests/check_6_answer \
	tests/check_6_arithmetic \
	tests/check_6_recorded \
	tests/check_6_rules \
	tests/check_6_tasks

tests_check_6_answer_SOURCES = tests/check_6_answer.c tests/scratch.h
tests_check_6_answer_LDADD = $(TEST_LIBS)

tests_check_6_arithmetic_SOURCES = tests/check_6_arithmetic.c tests/scratch.h
tests_check_6_arithmetic_LDADD = $(TEST_LIBS)

tests_check_6_recorded_SOURCES = tests/check_6_recorded.c tests/scratch.h
tests_check_6_recorded_LDADD = $(TEST_LIBS)

tests_check_6_rules_SOURCES = tests/check_6_rules.c tests/scratch.h
tests_check_6_rules_LDADD = $(TEST_LIBS)

tests_check_6_tasks_SOURCES = tests/check_6_tasks.c tests/scratch.h
tests_check_6_tasks_LDADD = $(TEST_LIBS)

FUZZERS += tests/fuzz/fuzz_answer.c
EXTRA_DIST += \
	tests/fuzz/seeds/fuzz_answer/fraction \
	tests/fuzz/seeds/fuzz_answer/series \
	tests/fuzz/seeds/fuzz_answer/sets
