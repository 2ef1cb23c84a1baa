# SPDX-License-Identifier: MIT
intuitor_SOURCES += \
	cli/args.c \
	cli/bench.c \
	cli/bench.h \
	cli/bench_ceiling.c \
	cli/bench_compare.c \
	cli/bench_model.c \
	cli/bench_ops.c \
	cli/bench_table.c \
	cli/cli.h \
	cli/corpus.c \
	cli/corpus.h \
	cli/dataset.c \
	cli/devices.c \
	cli/doctor.c \
	cli/eval.c \
	cli/eval_task.c \
	cli/eval_task.h \
	cli/generate.c \
	cli/grade.c \
	cli/init.c \
	cli/main.c \
	cli/open.c \
	cli/pretrain.c \
	cli/prompt.c \
	cli/prompt.h \
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
	cli/score.c \
	cli/session.c \
	cli/summary.c \
	cli/summary.h \
	cli/tally.c \
	cli/tally.h \
	cli/tokenize.c \
	cli/train.c

dist_check_SCRIPTS += \
	tests/check_7_bench.sh \
	tests/check_7_grade.sh \
	tests/check_7_model.sh \
	tests/check_7_report.sh \
	tests/check_7_train.sh \
	tests/check_7_usage.sh
