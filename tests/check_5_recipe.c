/* SPDX-License-Identifier: MIT */
/* Recipes: defaults, profiles, methods, what is refused, and the arithmetic of a run. */
#include "core/base/json.h"
#include "core/rl/recipe.h"
#include "tests/scratch.h"

static struct it_recipe r;

static void begin(void)
{
    scratch_begin();
    r = (struct it_recipe){0};
}

static void end(void)
{
    it_recipe_free(&r);
    scratch_end();
}

/* Reads `yaml` into r. */
static enum it_status load(const char *yaml)
{
    it_recipe_free(&r);
    r = (struct it_recipe){0};
    return it_recipe_load(scratch_text("recipe.yaml", yaml), NULL, 0, &r, NULL);
}

static void must_load(const char *yaml)
{
    ck_assert_int_eq(load(yaml), IT_OK);
}

#define ck_assert_refused(yaml, words) ck_assert_fails(load(yaml), IT_INVALID, words)

/* reward_funcs and their weights as "name:weight name:weight". */
static void ck_rewards(const char *expected)
{
    struct it_str text = {0};
    ck_assert_uint_eq(r.reward_funcs.n, r.reward_weights.n);
    for (size_t i = 0; i < r.reward_funcs.n; i++) {
        it_str_printf(&text, "%s%s:%g", i ? " " : "", r.reward_funcs.item[i],
                      r.reward_weights.item[i]);
    }
    ck_assert_str_eq(it_str_c(&text), expected);
    it_str_free(&text);
}

START_TEST(the_table_is_sound)
{
    const struct it_option_table *t = &it_recipe_table;
    for (size_t i = 0; i < t->n; i++) {
        const char *doc = t->row[i].doc;
        ck_assert_ptr_eq(it_option_find(t, t->row[i].name), &t->row[i]); /* given once */
        ck_assert_int_eq(doc[strlen(doc) - 1], '.');
        for (size_t k = 0; k < i; k++) { /* no two rows share a field */
            bool both = t->row[i].type != IT_OPT_IGNORED && t->row[k].type != IT_OPT_IGNORED;
            ck_assert(!both || t->row[i].offset != t->row[k].offset);
        }
    }
}
END_TEST

START_TEST(without_a_file)
{
    ck_assert_int_eq(it_recipe_load(NULL, NULL, 0, &r, NULL), IT_OK);
    ck_assert_str_eq(r.method, "intuitor");
    ck_rewards("self_certainty:1 accuracy:0");
    ck_assert(r.exact && r.sc_subtract_logv && r.sc_include_eos && !r.lr_zero_first);
    ck_assert_int_eq(r.profile, IT_PROFILE_RECOMMENDED);
    ck_assert_int_eq(r.loss_type, IT_LOSS_DAPO);
    ck_assert_int_eq(r.sc_shift, IT_SC_ALIGNED);
    ck_assert_int_eq(r.sc_source, IT_SC_SAMPLER);
    ck_assert_double_eq(r.temperature, 1.0);
    ck_assert_int_eq(r.max_steps, -1);
    ck_assert_double_eq(r.adam_beta2, 0.999);
}
END_TEST

START_TEST(overrides_win_the_last_first)
{
    const char *path = scratch_text("recipe.yaml", "seed: 7\ntemperature: 0.5\n");
    const char *overrides[] = {"seed=8", "seed=9", "reward_funcs=accuracy,gini",
                               "reward_weights=1,0.5", "report_to=none", "system_prompt=a=b"};
    ck_assert_int_eq(it_recipe_load(path, overrides, 6, &r, NULL), IT_OK);
    ck_assert_int_eq(r.seed, 9);
    ck_assert_double_eq(r.temperature, 0.5);
    ck_assert_str_eq(r.system_prompt, "a=b");
    ck_rewards("accuracy:1 gini:0.5");
    const char *bad[] = {"seed"};
    struct it_recipe none;
    ck_assert_fails(it_recipe_load(path, bad, 1, &none, NULL), IT_INVALID,
                    "command line: expected key=value, found \"seed\"");
    bad[0] = "sede=1";
    ck_assert_fails(it_recipe_load(path, bad, 1, &none, NULL), IT_INVALID,
                    "did you mean \"seed\"?");
    bad[0] = "temperature=0";
    ck_assert_fails(it_recipe_load(path, bad, 1, &none, NULL), IT_INVALID,
                    "command line: temperature: expected a number above 0");
}
END_TEST

START_TEST(nulls_are_unset)
{
    must_load("seed: null\ntop_k:\nreward_funcs: ~\nuse_vllm:\n");
    ck_assert_int_eq(r.seed, 42);
    ck_assert_refused("sede: null\n", "recipe.yaml:1: unknown key \"sede\"");
}
END_TEST

/* ---- methods and rewards ---- */

START_TEST(methods)
{
    static const struct {
        const char *yaml, *method, *rewards;
    } cases[] = {
        {"reward_funcs: [accuracy]\n", "grpo", "accuracy:1"},
        {"reward_funcs: [accuracy]\nreward_weights: [0]\n", "intuitor",
         "accuracy:0 self_certainty:1"},
        {"reward_funcs: [accuracy]\nreward_weights: [0.5]\nmethod: intuitor\n", "intuitor",
         "accuracy:0.5 self_certainty:1"},
        {"reward_funcs: [self_certainty, accuracy]\nreward_weights: [2, 1]\nmethod: intuitor\n",
         "intuitor", "self_certainty:2 accuracy:1"},
        {"method: intuitor\nreward_funcs: repetition\n", "intuitor",
         "repetition:1 self_certainty:1 accuracy:0"},
        {"method: grpo\n", "grpo", "accuracy:1"},
        {"method: grpo\nreward_funcs: [overlong]\n", "grpo", "overlong:1 accuracy:0"},
        {"method: grpo_pv\n", "grpo_pv", "plurality:1 accuracy:0"},
        {"method: neg_entropy\n", "neg_entropy", "neg_entropy:1 accuracy:0"},
        {"method: random\nreward_funcs: [accuracy]\nreward_weights: [0]\n", "random",
         "accuracy:0 random:1"},
        {"method: direct_sc\n", "direct_sc", "accuracy:0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        must_load(cases[i].yaml);
        ck_assert_str_eq(r.method, cases[i].method);
        ck_rewards(cases[i].rewards);
        ck_assert_double_eq(r.direct_sc_coef, strcmp(r.method, "direct_sc") == 0 ? 1.0 : 0.0);
    }
    must_load("method: direct_sc\ndirect_sc_coef: 0.1\n");
    ck_assert_double_eq(r.direct_sc_coef, 0.1);
}
END_TEST

START_TEST(rewards_refused)
{
    ck_assert_refused("method: intuiter\n", "recipe.yaml:1: method: unknown method \"intuiter\"; "
                      "did you mean \"intuitor\"?");
    ck_assert_refused("seed: 1\nreward_funcs: [acuracy]\n", "recipe.yaml:2: reward_funcs: unknown "
                      "reward \"acuracy\"; did you mean \"accuracy\"?");
    ck_assert_refused("reward_funcs: [gini, gini]\n", "gini is listed twice");
    ck_assert_refused("reward_weights: [1]\n", "recipe.yaml:1: reward_weights: expected one for "
                      "each of the 0 in reward_funcs, found 1");
    ck_assert_refused("reward_funcs: [gini]\nreward_weights: [1, 2]\n", "found 2");
    ck_assert_refused("method: grpo\nreward_funcs: [gini]\nreward_weights: [0]\n",
                      "nothing would be learned");
}
END_TEST

START_TEST(choices_are_told)
{
    const char *path = scratch_text("recipe.yaml", "use_vllm: true\nhub_strategy: end\nreport_to:\n"
                                    "- wandb\ngradient_checkpointing_kwargs:\n"
                                    "  use_reentrant: false\n");
    struct it_strs choices;
    capture_begin();
    enum it_status status = it_recipe_load(path, NULL, 0, &r, &choices);
    const char *said = capture_end();
    ck_assert_int_eq(status, IT_OK);
    ck_assert_str_eq(said, ""); /* told, not said */
    ck_assert_uint_eq(choices.n, 3);
    ck_assert_str_eq(choices.item[0], "method intuitor (no reward weight is above 0): rewards "
                     "self_certainty x 1, accuracy x 0");
    ck_assert_str_eq(choices.item[1], "no effect here: use_vllm, hub_strategy, report_to, "
                     "gradient_checkpointing_kwargs");
    ck_assert_str_eq(choices.item[2], "profile recommended: temperature 1, top_k off, loss_type "
                     "dapo, beta 0.005, weight_decay 0, self-certainty aligned in f32");
    it_strs_free(&choices);
}
END_TEST

/* ---- profiles ---- */

START_TEST(paper_openr1)
{
    must_load("profile: paper-openr1\n");
    ck_assert_int_eq(r.sc_shift, IT_SC_OR1_COMPAT);
    ck_assert_int_eq(r.sc_source, IT_SC_TRAIN_RECOMPUTE);
    ck_assert_int_eq(r.sc_dtype, IT_SC_BF16);
    ck_assert(!r.sc_subtract_logv && r.lr_zero_first);
    ck_assert_double_eq(r.sc_temperature, 1.0);
    ck_assert_double_eq(r.temperature, 0.9);
    ck_assert_int_eq(r.top_k, 50);
    ck_assert_int_eq(r.loss_type, IT_LOSS_BNPO);
    ck_assert_int_eq(r.per_device_train_batch_size, 4);
    ck_assert_double_eq(r.advantage_eps, 1e-4);
    ck_assert_double_eq(r.min_std, 0.0);
    ck_assert_double_eq(r.weight_decay, 0.0);
    ck_assert_double_eq(r.max_grad_norm, 1.0);
    ck_assert_double_eq(r.beta, 0.005);
    ck_assert_int_eq(r.reward_combine, IT_COMBINE_SEPARATE);
    must_load("temperature: 0.7\nprofile: paper-openr1\n"); /* what is set stays */
    ck_assert_double_eq(r.temperature, 0.7);
    ck_assert_int_eq(r.top_k, 50);
}
END_TEST

START_TEST(paper_math)
{
    must_load("profile: paper-math\n");
    ck_assert_int_eq(r.sc_shift, IT_SC_ALIGNED);
    ck_assert_int_eq(r.loss_type, IT_LOSS_GRPO);
    ck_assert_double_eq(r.advantage_eps, 0.0);
    ck_assert_double_eq(r.temperature, 0.9);
    ck_assert_int_eq(r.top_k, 50);
    ck_assert_int_eq(r.sc_dtype, IT_SC_BF16);
    ck_assert(r.lr_zero_first);
}
END_TEST

START_TEST(verl)
{
    must_load("profile: verl\n");
    ck_assert_int_eq(r.sc_shift, IT_SC_ALIGNED);
    ck_assert_int_eq(r.num_generations, 8);
    ck_assert_double_eq(r.temperature, 1.0);
    ck_assert_int_eq(r.top_k, 0);
    ck_assert_int_eq(r.loss_type, IT_LOSS_BNPO);
    ck_assert_double_eq(r.advantage_eps, 1e-6);
    ck_assert_double_eq(r.dual_clip, 3.0);
    ck_assert_double_eq(r.kl_clamp, 10.0);
    ck_assert_double_eq(r.weight_decay, 0.01);
    ck_assert(r.lr_zero_first);
}
END_TEST

/* ---- words of TRL ---- */

START_TEST(their_words)
{
    must_load("scale_rewards: true\n");
    ck_assert_int_eq(r.scale_rewards, IT_SCALE_GROUP);
    must_load("scale_rewards: False\n");
    ck_assert_int_eq(r.scale_rewards, IT_SCALE_NONE);
    must_load("scale_rewards: batch\n");
    ck_assert_int_eq(r.scale_rewards, IT_SCALE_BATCH);
    must_load("bf16: true\n");
    ck_assert_int_eq(r.torch_dtype, IT_RECIPE_BF16);
    must_load("bf16: true\ntorch_dtype: float32\n");
    ck_assert_int_eq(r.torch_dtype, IT_RECIPE_F32);
    must_load("dtype: bfloat16\n");
    ck_assert_int_eq(r.torch_dtype, IT_RECIPE_BF16);
    must_load("{}\n");
    ck_assert_int_eq(r.torch_dtype, IT_RECIPE_AUTO);
    must_load("save_strategy: epoch\noptim: adamw_torch\nfp16: false\ntop_entropy_quantile: 1.0\n");
    ck_assert_str_eq(r.save_strategy, "steps");
    ck_assert_int_eq(r.optim, IT_OPTIM_ADAMW);
    must_load("optim: adamw_torch_fused\n");
    ck_assert_int_eq(r.optim, IT_OPTIM_ADAMW);
    must_load("optim: paged_adamw_32bit\n");
    ck_assert_int_eq(r.optim, IT_OPTIM_ADAMW);
    must_load("optim: adamw_8bit\n");
    ck_assert_int_eq(r.optim, IT_OPTIM_ADAMW_8BIT);
    must_load("optim: adamw_bnb_8bit\nbf16: true\nbf16_stochastic_round: true\n");
    ck_assert(r.optim == IT_OPTIM_ADAMW_8BIT && r.bf16_stochastic_round);
    must_load("optim: paged_adamw_8bit\n");
    ck_assert(r.optim == IT_OPTIM_ADAMW_8BIT && !r.bf16_stochastic_round);
    must_load("learning_rate: 3.0e-06\nmax_steps: -1\n");
    ck_assert_double_eq(r.learning_rate, 3e-6);
}
END_TEST

START_TEST(refused_with_a_reason)
{
    ck_assert_refused("fp16: true\n", "recipe.yaml:1: fp16: true is not supported: training in "
                      "float16 is not offered; use bf16: true");
    ck_assert_refused("use_peft: true\nlora_dropout: 0.05\n", "recipe.yaml:2: lora_dropout: only");
    ck_assert_refused("optim: sgd\n",
                      "optim: expected one of adamw_torch, adamw_8bit, found \"sgd\"");
    ck_assert_refused("bf16_stochastic_round: true\ntorch_dtype: float32\n",
                      "recipe.yaml:1: bf16_stochastic_round: torch_dtype is float32");
    ck_assert_refused("lr_scheduler_kwargs:\n  min_lr: 1\n", "the schedules take no arguments");
    ck_assert_refused("chat_template: x\n", "put the template into the model's folder");
    ck_assert_refused("seed: 1\nrepetition_penalty: 1.1\n", "recipe.yaml:2: repetition_penalty: "
                      "only 1 is supported");
    ck_assert_refused("num_generations: 1\n", "num_generations: expected at least 2, found 1");
    ck_assert_refused("torch_dtype: float16\n", "expected one of auto, float32, bfloat16");
    ck_assert_refused("delta: 1.1\n", "delta: expected 0 or more than 1.2");
    ck_assert_refused("dual_clip: 0.5\n", "dual_clip: expected 0 or more than 1");
    ck_assert_refused("save_strategy: best\n", "expected steps or no, found \"best\"");
    ck_assert_refused("stop_strings: ['']\n", "an empty text");
    ck_assert_refused("learning_rate:\n  a: 1\n", "expected a value, found a map");
    ck_assert_refused("chat_template_kwargs: '[1]'\n",
                      "chat_template_kwargs: expected a map, or a JSON object in quotes, found");
    ck_assert_refused("chat_template_kwargs: [1]\n", "JSON object in quotes, found a list");
    ck_assert_refused("gradient_acumulation_steps: 1\n",
                      "did you mean \"gradient_accumulation_steps\"?");
}
END_TEST

START_TEST(ranges)
{
    ck_assert_refused("temperature: 0\n", "recipe.yaml:1: temperature: expected a number above 0 "
                      "and at most 100, found 0");
    ck_assert_refused("top_p: 0\n", "top_p");
    ck_assert_refused("min_p: 1\n", "expected a number of at least 0 and below 1, found 1");
    ck_assert_refused("adam_beta1: 1\n", "adam_beta1");
    ck_assert_refused("max_completion_length: 0\n", "max_completion_length");
    ck_assert_refused("per_device_train_batch_size: 0\n", "per_device_train_batch_size");
    ck_assert_refused("sc_window: 0\n", "sc_window");
    ck_assert_refused("num_processes: -1\n", "num_processes");
    must_load("num_generations: 1\nadvantage: batch\nscale_rewards: batch\n");
    must_load("num_generations: 1\nadvantage: none\nscale_rewards: false\n");
}
END_TEST

START_TEST(what_follows)
{
    must_load("sc_shift: or1_compat\n");
    ck_assert_int_eq(r.sc_source, IT_SC_TRAIN_RECOMPUTE);
    capture_begin();
    enum it_status status = load("sc_shift: or1_compat\nsc_source: sampler\n");
    ck_assert(strstr(capture_end(), "sc_source is train_recompute"));
    ck_assert_int_eq(status, IT_OK);
    ck_assert_int_eq(r.sc_source, IT_SC_TRAIN_RECOMPUTE);
    must_load("mask_truncated_completions: true\n");
    ck_assert(!r.truncated_in_statistics);
    must_load("mask_truncated_completions: true\ntruncated_in_statistics: true\n");
    ck_assert(r.truncated_in_statistics);
    must_load("{}\n");
    ck_assert(r.truncated_in_statistics);
}
END_TEST

/* ---- writing ---- */

static void ck_round_trip(void)
{
    struct it_recipe again = {0};
    const char *path = scratch_path("written.yaml");
    json_t *before = it_options_dump(&it_recipe_table, &r), *after;
    ck_assert_int_eq(it_recipe_write(&r, path), IT_OK);
    ck_assert_int_eq(it_recipe_load(path, NULL, 0, &again, NULL), IT_OK);
    after = it_options_dump(&it_recipe_table, &again);
    ck_assert(json_equal(before, after));
    json_decref(before);
    json_decref(after);
    it_recipe_free(&again);
}

START_TEST(written_and_read_back)
{
    static const char *const recipes[] = {
        "{}\n", "profile: paper-openr1\n", "profile: paper-math\n", "profile: verl\n",
        "method: grpo_pv\nmemory_limit: 38GiB\nlearning_rate: 0.1234567890123456789\n",
        "method: direct_sc\nmask_truncated_completions: true\nsync_ref_model: true\n",
        ("system_prompt: \"a \\\"quote\\\", \\\\boxed{}, a\\ttab,\\n a line, # no comment: \\x7f"
         " \\u0085\\u2028 \\U0001F600 \\xe9\"\nstop_strings: [\"\\n\\n\", '- x', 'null']\n"),
        "system_prompt: ''\noutput_dir: null\nreward_funcs: []\neval_dataset: none\n",
        "chat_template_kwargs:\n  enable_thinking: false\n  words: [a, \"b\\\"\", 1.5]\n",
    };
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++) {
        must_load(recipes[i]);
        ck_round_trip();
    }
    ck_assert_str_eq(r.chat_template_kwargs,
                     "{\"enable_thinking\":false,\"words\":[\"a\",\"b\\\"\",1.5]}");
}
END_TEST

START_TEST(written_so_that_people_read_it)
{
    must_load("learning_rate: 3.0e-06\nsystem_prompt: \"put it in \\\\boxed{}\"\n");
    ck_assert_int_eq(it_recipe_write(&r, scratch_path("written.yaml")), IT_OK);
    struct it_str text = {0};
    ck_assert_int_eq(it_file_read(scratch_path("written.yaml"), &text), IT_OK);
    ck_assert(strstr(it_str_c(&text), "\nlearning_rate: 3e-06\n"));
    ck_assert(strstr(it_str_c(&text), "\nsystem_prompt: \"put it in \\\\boxed{}\"\n"));
    ck_assert(strstr(it_str_c(&text), "\nreward_funcs: [\"self_certainty\", \"accuracy\"]\n"));
    ck_assert(strstr(it_str_c(&text), "\nreward_weights: [1, 0]\n"));
    ck_assert(strstr(it_str_c(&text), "\ndataset_name: null\n"));
    it_str_free(&text);
}
END_TEST

/* ---- arithmetic ---- */

static void ck_shape(int64_t devices, int64_t completions, int64_t prompts, int64_t micro,
                     int64_t processes)
{
    struct it_batch_shape s;
    ck_assert_int_eq(it_recipe_batch(&r, devices, &s), IT_OK);
    ck_assert_int_eq(s.completions, completions);
    ck_assert_int_eq(s.prompts, prompts);
    ck_assert_int_eq(s.micro_batches, micro);
    ck_assert_int_eq(s.processes, processes);
}

START_TEST(batches)
{
    struct it_batch_shape s;
    must_load("per_device_train_batch_size: 4\ngradient_accumulation_steps: 32\n"
              "num_generations: 7\n");
    capture_begin();
    enum it_status status = it_recipe_batch(&r, 1, &s);
    ck_assert(strstr(capture_end(), "num_processes 7, the smallest that fits: 4 x 32 x 7 = 896 "
                     "completions an update = 128 prompts x 7"));
    ck_assert_int_eq(status, IT_OK);
    ck_shape(1, 896, 128, 224, 7);
    ck_shape(2, 1792, 256, 448, 14);
    ck_shape(7, 896, 128, 224, 7);
    r.num_generations = 14;
    ck_shape(1, 896, 64, 224, 7);
    r.num_generations = 8;
    ck_shape(1, 128, 16, 32, 1);
    ck_shape(3, 384, 48, 96, 3);
    r.num_processes = 2;
    ck_shape(1, 256, 32, 64, 2);
    r.num_generations = 7;
    ck_assert_fails(it_recipe_batch(&r, 1, &s), IT_INVALID, "4 x gradient_accumulation_steps 32 x "
                    "num_processes 2 = 256 completions an update, which num_generations 7 does not "
                    "divide; leave num_processes out, or make it a multiple of 7");
    r.num_processes = 0;
    r.per_device_train_batch_size = r.gradient_accumulation_steps = 1 << 20;
    ck_assert_fails(it_recipe_batch(&r, 1, &s), IT_INVALID, "too large");
    ck_assert_refused("num_processes: 2\nnum_generations: 7\nper_device_train_batch_size: 4\n",
                      "does not divide");
}
END_TEST

START_TEST(updates)
{
    struct it_batch_shape s = {.prompts = 128};
    must_load("{}\n");
    ck_assert_int_eq(it_recipe_updates(&r, &s, 7500), 58);
    ck_assert_int_eq(it_recipe_updates(&r, &s, 127), 1); /* prompts repeat */
    ck_assert_int_eq(it_recipe_updates(&r, &s, 0), 0);
    s.prompts = 64;
    ck_assert_int_eq(it_recipe_updates(&r, &s, 7500), 117);
    ck_assert_int_eq(it_recipe_updates(&r, &s, 3200), 50);
    r.num_train_epochs = 2.5;
    ck_assert_int_eq(it_recipe_updates(&r, &s, 3200), 125);
    r.max_steps = 3;
    ck_assert_int_eq(it_recipe_updates(&r, &s, 3200), 3);
}
END_TEST

static void ck_factor(int64_t update, int64_t n, double expected)
{
    double rate = it_recipe_learning_rate(&r, update, n);
    ck_assert_msg(rate > expected - 5e-5 && rate < expected + 5e-5, "update %d: %g, expected %g",
                  (int)update, rate, expected);
}

START_TEST(learning_rates_of_the_paper)
{
    must_load("profile: paper-openr1\nlearning_rate: 1\nlr_scheduler_type: cosine\n"
              "warmup_ratio: 0.1\n");
    ck_assert_double_eq(it_recipe_learning_rate(&r, 1, 58), 0.0);
    for (int64_t k = 1; k <= 6; k++) { ck_factor(k, 58, (double)(k - 1) / 6.0); }
    ck_assert_double_eq(it_recipe_learning_rate(&r, 7, 58), 1.0);
    ck_factor(8, 58, 0.9991);
    ck_factor(30, 58, 0.5901);
    ck_factor(58, 58, 0.0009);
    r.profile = IT_PROFILE_VERL; /* rounds the warm-up down: 5 updates */
    ck_assert_double_eq(it_recipe_learning_rate(&r, 6, 58), 1.0);
    ck_factor(5, 58, 0.8);
}
END_TEST

START_TEST(learning_rates)
{
    must_load("learning_rate: 1\nwarmup_steps: 4\nlr_scheduler_type: linear\n");
    ck_factor(1, 8, 0.25);
    ck_factor(4, 8, 1.0);
    ck_factor(5, 8, 1.0);
    ck_factor(6, 8, 0.75);
    ck_factor(8, 8, 0.25);
    r.warmup_steps = 0;
    r.warmup_ratio = 0.0;
    ck_factor(1, 1, 1.0);
    ck_factor(1, 4, 1.0);
    ck_factor(4, 4, 0.25);
    r.lr_scheduler_type = IT_SCHEDULE_COSINE;
    ck_factor(1, 2, 1.0);
    ck_factor(2, 2, 0.5);
    r.warmup_steps = 2;
    r.lr_scheduler_type = IT_SCHEDULE_CONSTANT_WITH_WARMUP;
    ck_factor(1, 9, 0.5);
    ck_factor(9, 9, 1.0);
    r.lr_scheduler_type = IT_SCHEDULE_CONSTANT;
    ck_factor(1, 9, 1.0);
    r.lr_scheduler_type = IT_SCHEDULE_COSINE; /* a warm-up longer than the run */
    r.warmup_steps = 100;
    ck_factor(10, 10, 0.1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recipe");
    TCase *tests = tcase_create("recipe");
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, the_table_is_sound);
    tcase_add_test(tests, without_a_file);
    tcase_add_test(tests, overrides_win_the_last_first);
    tcase_add_test(tests, nulls_are_unset);
    tcase_add_test(tests, methods);
    tcase_add_test(tests, rewards_refused);
    tcase_add_test(tests, choices_are_told);
    tcase_add_test(tests, paper_openr1);
    tcase_add_test(tests, paper_math);
    tcase_add_test(tests, verl);
    tcase_add_test(tests, their_words);
    tcase_add_test(tests, refused_with_a_reason);
    tcase_add_test(tests, ranges);
    tcase_add_test(tests, what_follows);
    tcase_add_test(tests, written_and_read_back);
    tcase_add_test(tests, written_so_that_people_read_it);
    tcase_add_test(tests, batches);
    tcase_add_test(tests, updates);
    tcase_add_test(tests, learning_rates_of_the_paper);
    tcase_add_test(tests, learning_rates);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
