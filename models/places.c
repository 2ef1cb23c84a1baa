/* SPDX-License-Identifier: MIT */
/* From the rows of an architecture to the tensors of a file, one by one. */
#include <string.h>

#include "core/base/mem.h"
#include "core/base/str.h"
#include "models/internal.h"

static bool is_layered(const struct it_name_row *row)
{
    return strstr(row->pattern, "%d") != NULL;
}

char *it_place_name(const struct it_name_row *row, int layer)
{
    const char *mark = strstr(row->pattern, "%d");
    if (!mark) { return it_strdup(row->pattern); }
    struct it_str name = {0};
    it_str_printf(&name, "%.*s%d%s", (int)(mark - row->pattern), row->pattern, layer, mark + 2);
    return it_str_take(&name);
}

static int64_t rows_before(const struct it_model_config *config, const struct it_name_row *row)
{
    int64_t before = 0;
    for (int i = 0; i < 2; i++) {
        if (row->after[i] != IT_DIM_ONE) { before += it_dim_size(config, row->after[i]); }
    }
    return before;
}

static void add(const struct it_net *net, const struct it_weights *weights,
                const struct it_name_row *row, int layer, struct it_places *places)
{
    struct it_tensor t = it_weight(weights, layer, row->slot);
    if (t.dtype == IT_NONE) { return; } /* a head that is the embedding */
    struct it_place *place = &places->item[places->n++];
    place->name = it_place_name(row, layer);
    place->view = it_rows(t, rows_before(&net->config, row), it_dim_size(&net->config, row->rows));
}

void it_places_open(const struct it_net *net, const struct it_weights *weights,
                    struct it_places *places_out)
{
    const struct it_name_row *names = net->arch->names;
    int layers = (int)net->config.layers, n = net->arch->n_names;
    struct it_places places = {0};
    places.item = it_calloc((size_t)n * (size_t)layers, sizeof *places.item);
    for (int first = 0, end; first < n; first = end) {
        end = first + 1;
        if (!is_layered(&names[first])) {
            add(net, weights, &names[first], -1, &places);
            continue;
        }
        while (end < n && is_layered(&names[end])) { end++; } /* a run: the whole of each layer */
        for (int layer = 0; layer < layers; layer++) {
            for (int r = first; r < end; r++) { add(net, weights, &names[r], layer, &places); }
        }
    }
    *places_out = places;
}

void it_places_close(struct it_places *places)
{
    for (size_t i = 0; i < places->n; i++) { it_free(places->item[i].name); }
    it_free(places->item);
    *places = (struct it_places){0};
}
