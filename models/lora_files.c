/* SPDX-License-Identifier: MIT */
/* Adapters as PEFT's folders hold them: adapter_model.safetensors, a pair of tensors a module. */
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/nn/safetensors.h"
#include "models/internal.h"

/* ---- places ---- */

/* "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight" */
static char *tensor_name(const struct it_name_row *row, int layer, char letter)
{
    char *path = it_place_name(row, layer);
    struct it_str name = {0};
    it_str_printf(&name, "base_model.model.%.*slora_%c.weight",
                  (int)(strlen(path) - strlen("weight")), path, letter);
    it_free(path);
    return it_str_take(&name);
}

static void add_slot(const struct it_net *net, const struct it_weights *weights, int layer,
                     enum it_slot slot, struct it_places *places)
{
    struct it_lora_pair w = it_lora_pair(weights, layer, slot);
    struct it_lora_part part[IT_LORA_PARTS];
    int64_t r = net->lora.r;
    for (int i = 0, n = it_lora_parts(net, slot, part); i < n; i++) {
        const struct it_name_row *row = &net->arch->names[part[i].name];
        places->item[places->n++] = (struct it_place){tensor_name(row, layer, 'A'),
                                                      it_rows(w.a, part[i].index * r, r)};
        places->item[places->n++] = (struct it_place){tensor_name(row, layer, 'B'),
                                                      it_rows(w.b, part[i].b, part[i].rows)};
    }
}

void it_adapter_places(const struct it_net *net, const struct it_weights *weights,
                       struct it_places *places_out)
{
    struct it_places places = {0};
    places.item = it_calloc((size_t)net->config.layers * IT_LORA_SLOTS * IT_LORA_PARTS * 2,
                            sizeof *places.item);
    for (int layer = 0; layer < net->config.layers; layer++) {
        for (int k = 0; k < IT_LORA_SLOTS; k++) {
            add_slot(net, weights, layer, it_lora_slots[k], &places);
        }
    }
    *places_out = places;
}

/* ---- reading ---- */

/* Before memory is asked for: a rank that the file does not have may be any number. */
static enum it_status check_rank(const struct it_safetensors *file, const struct it_lora *lora)
{
    for (size_t i = 0; i < file->n; i++) {
        const struct it_safetensor *t = &file->item[i];
        if (!it_ends_with(t->name, ".lora_A.weight")) { continue; }
        if (t->rank == 2 && t->shape[0] == lora->r) { return IT_OK; }
        return it_fail(IT_INVALID, "%s: tensor \"%s\" has %lld rows; r of adapter_config.json is "
                       "%lld", file->path, t->name, (long long)(t->rank ? t->shape[0] : 0),
                       (long long)lora->r);
    }
    return it_fail(IT_INVALID, "%s: no tensor is a lora_A: not an adapter", file->path);
}

static enum it_status read_tensors(const struct it_net *net, const struct it_safetensors *file,
                                   const struct it_weights *weights)
{
    struct it_places places;
    it_adapter_places(net, weights, &places);
    enum it_status status = it_places_read(net, file, &places);
    it_places_close(&places);
    return status;
}

static enum it_status open_folder(const char *folder, bool measure, struct it_net *net)
{
    struct it_lora lora;
    struct it_safetensors file;
    IT_TRY(it_lora_read(folder, net->arch, &lora));
    if (measure) { return it_lora_open(net, &lora, folder); }
    IT_TRY(it_safetensors_open_folder(folder, "adapter_model", &file));
    enum it_status status = check_rank(&file, &lora);
    if (status == IT_OK) { status = it_lora_open(net, &lora, folder); }
    if (status == IT_OK) { status = read_tensors(net, &file, &net->weights); }
    it_safetensors_close(&file);
    return status;
}

/* A product of rank r has no more than the smaller side of its matrix: the most that any of the
 * modules can use. */
static int64_t most_rank(const struct it_net *net, uint64_t modules)
{
    const struct it_arch *arch = net->arch;
    int64_t most = 0;
    for (int i = 0; i < arch->n_names; i++) {
        int64_t side = it_dim_size(&net->config, arch->names[i].rows);
        if (!(modules >> i & 1)) { continue; }
        for (int s = 0; s < arch->n_slots; s++) {
            int64_t columns = it_dim_size(&net->config, arch->slots[s].columns);
            if (arch->slots[s].slot == arch->names[i].slot && columns < side) { side = columns; }
        }
        if (side > most) { most = side; }
    }
    return most;
}

static enum it_status open_new(const struct it_adapter_options *o, bool measure, struct it_net *net)
{
    struct it_lora lora = {.r = o->r, .alpha = o->alpha, .rslora = o->rslora};
    struct it_strs targets = {0};
    it_strs_add(&targets, "q_proj"); /* what PEFT takes for these architectures */
    it_strs_add(&targets, "v_proj");
    const struct it_strs *names = o->targets && o->targets->n ? o->targets : &targets;
    enum it_status status =
        it_lora_targets(net->arch, "lora_target_modules", names, &lora.modules);
    int64_t most = status == IT_OK ? most_rank(net, lora.modules) : 0;
    if (status == IT_OK && lora.r > most) {
        status = it_fail(IT_INVALID, "recipe: lora_r is %lld; expected at most %lld, the smaller "
                         "side of the largest matrix with an adapter", (long long)lora.r,
                         (long long)most);
    }
    if (status == IT_OK) { status = it_lora_open(net, &lora, "recipe"); }
    if (status == IT_OK && !measure) { status = it_lora_init(net, o->seed); }
    it_strs_free(&targets);
    return status;
}

enum it_status it_adapter_open(const char *folder, const struct it_model_options *options,
                               struct it_net *net)
{
    struct it_str names = {0};
    if (!folder && !options->adapters) { return IT_OK; }
    if (folder && !it_model_is_adapter(folder)) {
        return it_fail(IT_NOT_FOUND, "%s: no adapter_config.json: an adapter is a folder with that "
                       "and adapter_model.safetensors", folder);
    }
    if (folder) {
        IT_TRY(open_folder(folder, options->measure, net));
    } else {
        IT_TRY(open_new(options->adapters, options->measure, net));
    }
    if (options->measure) { return IT_OK; }
    it_lora_names(net, &names);
    it_info("adapter %s: rank %lld on %s, %.3f M parameters", folder ? folder : "(new)",
            (long long)net->lora.r, it_str_c(&names), 1e-6 * (double)it_lora_parameters(net));
    it_str_free(&names);
    return IT_OK;
}

enum it_status it_adapter_load(const struct it_net *net, const char *folder,
                               struct it_weights *weights)
{
    const struct it_lora *own = &net->lora;
    struct it_lora lora;
    struct it_safetensors file;
    IT_TRY(it_lora_read(folder, net->arch, &lora));
    if (lora.r != own->r || lora.alpha != own->alpha || lora.rslora != own->rslora ||
        lora.modules != own->modules) {
        return it_fail(IT_INVALID, "%s: adapter_config.json: r %lld, lora_alpha %g or the target "
                       "modules differ from the adapter it is to go into, r %lld, lora_alpha %g",
                       folder, (long long)lora.r, lora.alpha, (long long)own->r, own->alpha);
    }
    IT_TRY(it_safetensors_open_folder(folder, "adapter_model", &file));
    enum it_status status = read_tensors(net, &file, weights);
    it_safetensors_close(&file);
    return status;
}

/* ---- writing ---- */

static enum it_status put_tensors(struct it_safetensors_writer *writer,
                                  const struct it_places *places)
{
    for (size_t i = 0; i < places->n; i++) {
        const struct it_tensor *t = &places->item[i].view;
        IT_TRY(it_safetensors_declare(writer, places->item[i].name, t->dtype, t->rank, t->shape));
    }
    for (size_t i = 0; i < places->n; i++) {
        IT_TRY(it_safetensors_save_tensor(writer, places->item[i].view));
    }
    return IT_OK;
}

static enum it_status write_tensors(const char *path, const struct it_places *places)
{
    struct it_safetensors_writer *writer;
    IT_TRY(it_safetensors_create(path, &writer));
    enum it_status status = put_tensors(writer, places);
    if (status == IT_OK) { return it_safetensors_finish(writer); }
    it_safetensors_abandon(writer);
    return status;
}

enum it_status it_adapter_save(const struct it_net *net, const struct it_weights *weights,
                               const char *folder, const char *base)
{
    struct it_places places;
    IT_TRY(it_dir_make(folder));
    char *tensors = it_path_join(folder, "adapter_model.safetensors");
    char *config = it_path_join(folder, "adapter_config.json");
    it_adapter_places(net, weights, &places);
    json_t *object = it_lora_config(net, base);
    enum it_status status = write_tensors(tensors, &places);
    if (status == IT_OK) { status = it_json_write(config, object); }
    json_decref(object);
    it_places_close(&places);
    it_free(tensors);
    it_free(config);
    return status;
}
