# SPDX-License-Identifier: MIT
libintuitor_la_SOURCES += \
	tasks/alpaca_eval.c \
	tasks/arithmetic.c \
	tasks/arithmetic.h \
	tasks/arithmetic_text.c \
	tasks/codeforces.c \
	tasks/cruxeval.c \
	tasks/dataset.c \
	tasks/dataset.h \
	tasks/embedded.c \
	tasks/embedded.h \
	tasks/grade/alpaca.c \
	tasks/grade/alpaca.h \
	tasks/grade/alpaca_internal.h \
	tasks/grade/alpaca_lc.c \
	tasks/grade/alpaca_set.c \
	tasks/grade/answer.c \
	tasks/grade/answer.h \
	tasks/grade/box.c \
	tasks/grade/box.h \
	tasks/grade/code.c \
	tasks/grade/code.h \
	tasks/grade/code_compare.c \
	tasks/grade/code_tests.c \
	tasks/grade/equal.c \
	tasks/grade/equal.h \
	tasks/grade/equal_internal.h \
	tasks/grade/equal_sets.c \
	tasks/grade/exact.c \
	tasks/grade/exact.h \
	tasks/grade/exact_ball.c \
	tasks/grade/exact_field.c \
	tasks/grade/exact_internal.h \
	tasks/grade/expr.c \
	tasks/grade/expr.h \
	tasks/grade/extract.c \
	tasks/grade/extract.h \
	tasks/grade/glm.c \
	tasks/grade/glm.h \
	tasks/grade/hendrycks.c \
	tasks/grade/hendrycks.h \
	tasks/grade/judge.c \
	tasks/grade/judge.h \
	tasks/grade/judge_internal.h \
	tasks/grade/judge_prompt.c \
	tasks/grade/latex.h \
	tasks/grade/latex_atom.c \
	tasks/grade/latex_group.c \
	tasks/grade/latex_internal.h \
	tasks/grade/latex_lex.c \
	tasks/grade/latex_parse.c \
	tasks/grade/latex_tidy.c \
	tasks/grade/lcb.c \
	tasks/grade/lcb.h \
	tasks/grade/literal.c \
	tasks/grade/literal.h \
	tasks/grade/literal_internal.h \
	tasks/grade/literal_read.c \
	tasks/grade/literal_text.c \
	tasks/grade/letter.c \
	tasks/grade/letter.h \
	tasks/grade/matrix.c \
	tasks/grade/matrix.h \
	tasks/grade/mersenne.c \
	tasks/grade/mersenne.h \
	tasks/grade/mmlu_guess.c \
	tasks/grade/mmlu_guess.h \
	tasks/grade/mmlu_letter.c \
	tasks/grade/mmlu_letter.h \
	tasks/grade/pickle.c \
	tasks/grade/pickle.h \
	tasks/grade/python.c \
	tasks/grade/python.h \
	tasks/grade/rational.c \
	tasks/grade/rational.h \
	tasks/grade/region.c \
	tasks/grade/region.h \
	tasks/grade/sandbox.c \
	tasks/grade/sandbox.h \
	tasks/grade/sandbox_escape.c \
	tasks/grade/sandbox_escape.h \
	tasks/grade/sandbox_filter.c \
	tasks/grade/sandbox_internal.h \
	tasks/grade/sandbox_job.c \
	tasks/grade/sandbox_reply.c \
	tasks/grade/sandbox_soak.c \
	tasks/grade/sandbox_worker.c \
	tasks/grade/scan.c \
	tasks/grade/scan.h \
	tasks/grade/value.c \
	tasks/grade/value.h \
	tasks/grade/value_equal.c \
	tasks/grade/value_residue.c \
	tasks/grade/zeroeval.c \
	tasks/grade/zeroeval.h \
	tasks/gsm8k.c \
	tasks/livecodebench.c \
	tasks/math.c \
	tasks/mmlu_pro.c \
	tasks/metrics/metrics.h \
	tasks/metrics/paired.c \
	tasks/metrics/rank.c \
	tasks/metrics/rate.c \
	tasks/metrics/vote.c \
	tasks/prompt.c \
	tasks/prompt.h \
	tasks/task.c \
	tasks/task.h

# Files that travel inside the program, as tasks/embedded.h names them.
EMBEDDED_FILES = \
	grade/escape.py \
	grade/lcb_call.py \
	grade/lcb_checker.py \
	grade/lcb_common.py \
	grade/lcb_compat.py \
	grade/lcb_crux.py \
	grade/lcb_files.py \
	grade/lockdown.py \
	grade/zygote.py \
	prompts/alpaca_eval.judge.txt \
	prompts/codeforces.bare.txt \
	prompts/codeforces.brief.txt \
	prompts/codeforces.solve.txt \
	prompts/cruxeval_i.cot.txt \
	prompts/cruxeval_i.direct.txt \
	prompts/cruxeval_o.cot.txt \
	prompts/cruxeval_o.direct.txt \
	prompts/cruxeval_o.zeroeval.txt \
	prompts/livecodebench.base.txt \
	prompts/livecodebench.chat.txt \
	prompts/livecodebench.format-call.txt \
	prompts/livecodebench.format-stdin.txt \
	prompts/livecodebench.plain.txt \
	prompts/mmlu_pro.five-shot.txt \
	prompts/mmlu_pro.zero-shot.txt

nodist_libintuitor_la_SOURCES = tasks/embedded-files.c
tasks/embedded-files.c: $(EMBEDDED_FILES:%=tasks/%) scripts/embed.sh scripts/embed_bytes.sh \
		tasks/local.mk
	$(AM_V_GEN)$(MKDIR_P) tasks && \
	$(SHELL) $(srcdir)/scripts/embed.sh $(srcdir) $(EMBEDDED_FILES) >$@.tmp && mv -f $@.tmp $@
BUILT_SOURCES += tasks/embedded-files.c
CLEANFILES += tasks/embedded-files.c
EXTRA_DIST += scripts/embed.sh scripts/embed_bytes.sh scripts/golden_metrics.py $(EMBEDDED_FILES:%=tasks/%)

check_PROGRAMS += \
	tests/check_6_alpaca \
	tests/check_6_answer \
	tests/check_6_answer_exact \
	tests/check_6_arithmetic \
	tests/check_6_code \
	tests/check_6_code_recorded \
	tests/check_6_literal \
	tests/check_6_judge \
	tests/check_6_metrics \
	tests/check_6_mmlu \
	tests/check_6_pickle \
	tests/check_6_recorded \
	tests/check_6_rules \
	tests/check_6_escape \
	tests/check_6_sandbox \
	tests/check_6_tasks

tests_check_6_alpaca_SOURCES = tests/check_6_alpaca.c tests/scratch.h
tests_check_6_alpaca_LDADD = $(TEST_LIBS)

tests_check_6_answer_SOURCES = tests/check_6_answer.c tests/answers.h tests/scratch.h
tests_check_6_answer_LDADD = $(TEST_LIBS)
tests_check_6_answer_exact_SOURCES = tests/check_6_answer_exact.c tests/answers.h tests/scratch.h
tests_check_6_answer_exact_LDADD = $(TEST_LIBS)

tests_check_6_arithmetic_SOURCES = tests/check_6_arithmetic.c tests/scratch.h
tests_check_6_arithmetic_LDADD = $(TEST_LIBS)

tests_check_6_judge_SOURCES = tests/check_6_judge.c tests/http_server.h tests/scratch.h
tests_check_6_judge_LDADD = $(TEST_LIBS)

tests_check_6_metrics_SOURCES = tests/check_6_metrics.c tests/scratch.h
tests_check_6_metrics_LDADD = $(TEST_LIBS)

tests_check_6_mmlu_SOURCES = tests/check_6_mmlu.c tests/scratch.h
tests_check_6_mmlu_LDADD = $(TEST_LIBS)

tests_check_6_recorded_SOURCES = tests/check_6_recorded.c tests/scratch.h
tests_check_6_recorded_LDADD = $(TEST_LIBS)

tests_check_6_rules_SOURCES = tests/check_6_rules.c tests/scratch.h
tests_check_6_rules_LDADD = $(TEST_LIBS)

tests_check_6_escape_SOURCES = tests/check_6_escape.c
tests_check_6_escape_LDADD = $(TEST_LIBS)

tests_check_6_sandbox_SOURCES = tests/check_6_sandbox.c tests/scratch.h
tests_check_6_sandbox_LDADD = $(TEST_LIBS)

tests_check_6_tasks_SOURCES = tests/check_6_tasks.c tests/scratch.h
tests_check_6_tasks_LDADD = $(TEST_LIBS)

tests_check_6_code_SOURCES = tests/check_6_code.c tests/scratch.h
tests_check_6_code_LDADD = $(TEST_LIBS)

tests_check_6_code_recorded_SOURCES = tests/check_6_code_recorded.c tests/scratch.h
tests_check_6_code_recorded_LDADD = $(TEST_LIBS)

tests_check_6_literal_SOURCES = tests/check_6_literal.c tests/scratch.h
tests_check_6_literal_LDADD = $(TEST_LIBS)

tests_check_6_pickle_SOURCES = tests/check_6_pickle.c tests/scratch.h
tests_check_6_pickle_LDADD = $(TEST_LIBS)

FUZZERS += tests/fuzz/fuzz_answer.c
FUZZERS += tests/fuzz/fuzz_literal.c tests/fuzz/fuzz_pickle.c
EXTRA_DIST += \
	tests/fuzz/seeds/fuzz_answer/fraction \
	tests/fuzz/seeds/fuzz_answer/series \
	tests/fuzz/seeds/fuzz_answer/sets \
	tests/fuzz/seeds/fuzz_answer/unclosed \
	tests/fuzz/seeds/fuzz_literal/asserted \
	tests/fuzz/seeds/fuzz_literal/dict \
	tests/fuzz/seeds/fuzz_literal/json \
	tests/fuzz/seeds/fuzz_literal/numbers \
	tests/fuzz/seeds/fuzz_literal/strings \
	tests/fuzz/seeds/fuzz_pickle/packed \
	tests/fuzz/seeds/fuzz_pickle/protocol0 \
	tests/fuzz/seeds/fuzz_pickle/protocol2 \
	tests/fuzz/seeds/fuzz_pickle/protocol4

FUZZERS += tests/fuzz/fuzz_sandbox_reply.c
EXTRA_DIST += \
	tests/fuzz/seeds/fuzz_sandbox_reply/cut \
	tests/fuzz/seeds/fuzz_sandbox_reply/two
