# SPDX-License-Identifier: MIT
intuitor_SOURCES += \
	cli/analyze.c \
	cli/analyze.h \
	cli/analyze_parts.c \
	cli/args.c \
	cli/bench.c \
	cli/bench.h \
	cli/bench_ceiling.c \
	cli/bench_compare.c \
	cli/bench_head.c \
	cli/bench_model.c \
	cli/bench_ops.c \
	cli/bench_table.c \
	cli/breakdown.c \
	cli/cli.h \
	cli/compare.c \
	cli/compare.h \
	cli/corpus.c \
	cli/corpus.h \
	cli/dataset.c \
	cli/device_ops.c \
	cli/device_ops.h \
	cli/devices.c \
	cli/doctor.c \
	cli/eval.c \
	cli/eval_batch.c \
	cli/eval_task.c \
	cli/eval_task.h \
	cli/export.c \
	cli/generate.c \
	cli/grade.c \
	cli/grading.c \
	cli/grading.h \
	cli/init.c \
	cli/judge.c \
	cli/judge.h \
	cli/main.c \
	cli/open.c \
	cli/pretrain.c \
	cli/prompt.c \
	cli/prompt.h \
	cli/pull.c \
	cli/records.c \
	cli/records.h \
	cli/replay.c \
	cli/report.c \
	cli/report.h \
	cli/report_charts.c \
	cli/report_curve.c \
	cli/report_page.c \
	cli/report_png.c \
	cli/report_read.c \
	cli/report_style.c \
	cli/report_svg.c \
	cli/report_text.c \
	cli/results.c \
	cli/results.h \
	cli/sampler.c \
	cli/sampler.h \
	cli/samples.c \
	cli/samples.h \
	cli/sandbox.c \
	cli/score.c \
	cli/select.c \
	cli/selection.c \
	cli/selection.h \
	cli/session.c \
	cli/summary.c \
	cli/summary.h \
	cli/tally.c \
	cli/tally.h \
	cli/tokenize.c \
	cli/train.c \
	cli/votes.c \
	cli/votes.h

check_PROGRAMS += tests/check_7_pull
tests_check_7_pull_SOURCES = tests/check_7_pull.c tests/http_server.h tests/hub_server.c \
	tests/hub_server.h tests/scratch.h tests/tiny_config.h
tests_check_7_pull_LDADD = $(TEST_LIBS)

dist_check_SCRIPTS += \
	tests/check_7_bench.sh \
	tests/check_7_grade.sh \
	tests/check_7_model.sh \
	tests/check_7_report.sh \
	tests/check_7_select.sh \
	tests/check_7_sandbox.sh \
	tests/check_7_train.sh \
	tests/check_7_usage.sh
