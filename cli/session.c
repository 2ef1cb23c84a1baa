/* SPDX-License-Identifier: MIT */
/* What a recipe opens, in order: device, model, prompts, ledger. */
#include <string.h>

#include "cli/cli.h"
#include "cli/grading.h"
#include "core/base/mem.h"

static enum it_status open_device(const struct it_session_options *o, struct it_session *s)
{
    struct it_recipe *r = &s->recipe;
    struct it_cli_common common = *o->common;
    if (!common.threads) { common.threads = r->threads; }
    if (!common.memory_limit) { common.memory_limit = r->memory_limit; }
    r->memory_limit = common.memory_limit;
    if (strcmp(common.backend, "auto") == 0 && r->backend) { common.backend = r->backend; }
    IT_TRY(it_cli_device(&common, r->exact, r->strict, &s->device));
    bool offered = it_device_info(s->device)->flags & IT_DEVICE_DETERMINISTIC;
    if (r->exact && !offered) {
        it_warn("device %s has no exact kernels: exact is off, the gap is measured and limited",
                it_device_info(s->device)->name);
        r->exact = false;
    }
    return IT_OK;
}

static enum it_dtype recipe_dtype(const struct it_session_options *o, const struct it_recipe *r)
{
    if (it_cli_dtype(o->common) != IT_NONE) { return it_cli_dtype(o->common); }
    switch ((enum it_recipe_dtype)r->torch_dtype) {
    case IT_RECIPE_F32: return IT_F32;
    case IT_RECIPE_BF16: return IT_BF16;
    case IT_RECIPE_AUTO: break;
    }
    return r->bf16 ? IT_BF16 : IT_NONE;
}

/* A recipe that cannot fit is refused before any weight is read: the plan is made over views. What
 * it chose of what changes bits goes into the recipe, hence into the run's recipe.yaml: a resume on
 * a smaller machine is refused rather than different. */
static enum it_status check_plan(const struct it_session_options *o, struct it_session *s)
{
    struct it_recipe *r = &s->recipe;
    struct it_model *model;
    struct it_memory_plan plan;
    struct it_model_options options = {.device = s->device,
                                       .dtype = recipe_dtype(o, r),
                                       .positions =
                                           r->max_prompt_length + r->max_completion_length,
                                       .measure = true};
    struct it_adapter_options adapters;
    IT_TRY(it_cli_adapters(r, &adapters, &options));
    IT_TRY(it_model_open(r->model_name_or_path, &options, &model));
    struct it_trainer_setup setup = {.recipe = r, .net = model->net, .devices = 1};
    enum it_status status = it_trainer_plan(&setup, &plan);
    it_model_close(model);
    if (status == IT_OK) { r->micro_tokens = plan.micro_tokens; }
    return status;
}

static enum it_status open_model(const struct it_session_options *o, struct it_session *s)
{
    const struct it_recipe *r = &s->recipe;
    struct it_model_options options = {.device = s->device,
                                       .dtype = recipe_dtype(o, r),
                                       .need_tokenizer = true,
                                       .chat = true,
                                       .chat_settings = {r->template_date,
                                                         r->chat_template_kwargs},
                                       .positions = r->max_prompt_length + r->max_completion_length,
                                       .measure = o->measure};
    if (!r->model_name_or_path) {
        return it_fail(IT_INVALID, "%s: model_name_or_path is not set: name a model folder",
                       o->recipe);
    }
    struct it_adapter_options adapters;
    IT_TRY(it_cli_adapters(r, &adapters, &options));
    IT_TRY(check_plan(o, s));
    IT_TRY(it_model_open(r->model_name_or_path, &options, &s->model));
    it_info("model %s: %s, %.1f M parameters, %s", r->model_name_or_path,
            s->model->net->config.model_type, 1e-6 * (double)it_net_parameters(s->model->net),
            it_dtype_name(s->model->net->dtype));
    return IT_OK;
}

static struct it_cli_dataset dataset_of(const struct it_recipe *r)
{
    return (struct it_cli_dataset){.name = r->dataset_name,
                                   .config = r->dataset_config,
                                   .by_path = true,
                                   .split = r->dataset_train_split,
                                   .params = r->task_params,
                                   .prompt_column = r->dataset_prompt_column,
                                   .solution_column = r->dataset_solution_column,
                                   .system_prompt = r->system_prompt,
                                   .grading_profile = r->grading_profile,
                                   .limit = r->dataset_limit,
                                   .max_prompt = r->max_prompt_length,
                                   .seed = r->seed,
                                   .overlong = r->overlong_prompts};
}

/* Held-out problems: of eval_dataset, or the training task's own test split; none for a bare
 * file. */
static enum it_status open_eval(struct it_session *s)
{
    const struct it_recipe *r = &s->recipe;
    struct it_cli_dataset d = dataset_of(r);
    bool task = it_task_find(r->dataset_name) != NULL;
    if (r->eval_dataset && strcmp(r->eval_dataset, "none") == 0) { return IT_OK; }
    if (!r->eval_dataset && (!task || r->eval_limit == 0)) { return IT_OK; }
    d.split = r->eval_split;
    d.limit = r->eval_limit;
    d.seed = 0; /* the same problems whatever the run's seed */
    if (r->eval_dataset) {
        d.name = r->eval_dataset;
        d.config = NULL;
    }
    if (r->eval_params) { d.params = r->eval_params; }
    return it_cli_prompts_open(s->model, &d, &s->eval);
}

/* Problems that are answered with programs want a sandbox, where tests say what is right. */
static bool has_programs(const struct it_cli_prompts *p)
{
    bool gold = false;
    for (int64_t i = 0; i < p->n && !gold; i++) { gold = p->item[i].gold != NULL; }
    return gold && p->task->runs_programs;
}

static enum it_status open_graders(const struct it_session_options *o, struct it_session *s)
{
    struct it_graders_options options = {
        .threads = o->common->threads ? o->common->threads : s->recipe.threads,
        .runs_programs = !o->measure && (has_programs(&s->train) || has_programs(&s->eval))};
    s->graders = it_calloc(1, sizeof *s->graders);
    IT_TRY(it_graders_open(&options, s->graders));
    s->train.graders = s->eval.graders = s->graders;
    s->train.grading.sandbox = s->eval.grading.sandbox = s->graders->sandbox;
    return IT_OK;
}

static void fill_setup(struct it_session *s)
{
    const struct it_net *net = s->model->net;
    s->setup = (struct it_trainer_setup){.recipe = &s->recipe,
                                         .net = s->model->net,
                                         .tokenizer = s->model->tokenizer,
                                         .stop_ids = net->config.eos,
                                         .n_stop_ids = net->config.n_eos,
                                         .prompts = s->train.item,
                                         .n_prompts = s->train.n,
                                         .eval_prompts = s->eval.item,
                                         .n_eval_prompts = s->eval.n,
                                         .grader = it_cli_grader(&s->train),
                                         .eval_grader = it_cli_grader(&s->eval),
                                         .folders = it_cli_folders(s->model),
                                         .devices = 1,
                                         .ledger = s->ledger};
}

enum it_status it_session_open(const struct it_session_options *o, struct it_session *session_out)
{
    struct it_session *s = session_out; /* the setup points into it: it must not move */
    enum it_status status;
    memset(s, 0, sizeof *s);
    struct it_strs choices;
    IT_TRY(it_recipe_load(o->recipe, (const char *const *)o->overrides->item + 1,
                          (int)o->overrides->n - 1, &s->recipe, &choices));
    for (size_t i = 0; i < choices.n; i++) { it_info("%s", choices.item[i]); }
    it_strs_free(&choices);
    IT_TRY_GOTO(status, fail, open_device(o, s));
    IT_TRY_GOTO(status, fail, open_model(o, s));
    struct it_cli_dataset d = dataset_of(&s->recipe);
    IT_TRY_GOTO(status, fail, it_cli_prompts_open(s->model, &d, &s->train));
    IT_TRY_GOTO(status, fail, open_eval(s));
    IT_TRY_GOTO(status, fail, open_graders(o, s));
    s->ledger = it_cli_ledger(s->device);
    json_object_set_new(s->ledger, "prompts", json_integer((json_int_t)s->train.n));
    json_object_set_new(s->ledger, "parameters",
                        json_integer((json_int_t)it_net_parameters(s->model->net)));
    fill_setup(s);
    return IT_OK;
fail:
    it_session_close(s);
    return status;
}

void it_session_close(struct it_session *s)
{
    json_decref(s->ledger);
    if (s->graders) { it_graders_close(s->graders); }
    it_free(s->graders);
    it_cli_prompts_close(&s->eval);
    it_cli_prompts_close(&s->train);
    it_model_close(s->model);
    it_device_close(s->device);
    it_recipe_free(&s->recipe);
    memset(s, 0, sizeof *s);
}
