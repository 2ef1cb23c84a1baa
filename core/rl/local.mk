# SPDX-License-Identifier: MIT
libintuitor_la_SOURCES += \
	core/rl/advantage.c \
	core/rl/checkpoint.c \
	core/rl/evaluate.c \
	core/rl/events.c \
	core/rl/events.h \
	core/rl/internal.h \
	core/rl/loss.c \
	core/rl/monitor.c \
	core/rl/objective.h \
	core/rl/pack.c \
	core/rl/plan.c \
	core/rl/plan_refuse.c \
	core/rl/pretrain.c \
	core/rl/recipe.c \
	core/rl/recipe.h \
	core/rl/recipe_batch.c \
	core/rl/recipe_check.c \
	core/rl/recipe_internal.h \
	core/rl/recipe_profile.c \
	core/rl/recipe_table.c \
	core/rl/recipe_write.c \
	core/rl/record.c \
	core/rl/reward.c \
	core/rl/reward.h \
	core/rl/reward_internal.h \
	core/rl/reward_stats.c \
	core/rl/reward_text.c \
	core/rl/reward_votes.c \
	core/rl/rollout.c \
	core/rl/run.c \
	core/rl/run.h \
	core/rl/run_diff.c \
	core/rl/score.c \
	core/rl/trainer.c \
	core/rl/trainer.h \
	core/rl/update.c

check_PROGRAMS += \
	tests/check_5_lora \
	tests/check_5_memory \
	tests/check_5_monitor \
	tests/check_5_objective \
	tests/check_5_pack \
	tests/check_5_pretrain \
	tests/check_5_published \
	tests/check_5_recipe \
	tests/check_5_reward \
	tests/check_5_run \
	tests/check_5_train

tests_check_5_lora_SOURCES = tests/check_5_lora.c tests/scratch.h tests/tiny_run.h
tests_check_5_lora_LDADD = $(TEST_LIBS)

tests_check_5_memory_SOURCES = tests/check_5_memory.c tests/hostile.c tests/hostile.h \
	tests/scratch.h tests/tiny_run.h
tests_check_5_memory_LDADD = $(TEST_LIBS)

tests_check_5_monitor_SOURCES = tests/check_5_monitor.c tests/scratch.h
tests_check_5_monitor_LDADD = $(TEST_LIBS)

tests_check_5_pack_SOURCES = tests/check_5_pack.c tests/scratch.h
tests_check_5_pack_LDADD = $(TEST_LIBS)

tests_check_5_pretrain_SOURCES = tests/check_5_pretrain.c tests/scratch.h tests/tiny_run.h
tests_check_5_pretrain_LDADD = $(TEST_LIBS)

tests_check_5_run_SOURCES = tests/check_5_run.c tests/scratch.h
tests_check_5_run_LDADD = $(TEST_LIBS)

tests_check_5_train_SOURCES = tests/check_5_train.c tests/scratch.h tests/tiny_run.h
tests_check_5_train_LDADD = $(TEST_LIBS)

tests_check_5_objective_SOURCES = tests/check_5_objective.c tests/scratch.h
tests_check_5_objective_LDADD = $(TEST_LIBS)

tests_check_5_published_SOURCES = tests/check_5_published.c tests/scratch.h
tests_check_5_published_LDADD = $(TEST_LIBS)

tests_check_5_recipe_SOURCES = tests/check_5_recipe.c tests/scratch.h
tests_check_5_recipe_LDADD = $(TEST_LIBS)

tests_check_5_reward_SOURCES = tests/check_5_reward.c tests/scratch.h
tests_check_5_reward_LDADD = $(TEST_LIBS)

FUZZERS += tests/fuzz/fuzz_recipe.c
EXTRA_DIST += \
	tests/fuzz/seeds/fuzz_recipe/intuitor.yaml \
	tests/fuzz/seeds/fuzz_recipe/odd.yaml \
	tests/fuzz/seeds/fuzz_recipe/ours.yaml
