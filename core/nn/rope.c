/* SPDX-License-Identifier: MIT */
/* Rotary frequencies, with the roundings of transformers: every step is in f32 there, and a
 * frequency one unit off is an angle far off at a late position. */
#include <math.h>

#include "core/nn/nn.h"

/* Llama 3.1: a pair whose wave is longer than original / low positions turns `factor` times
 * slower, one whose wave is shorter than original / high keeps its pace, and between the two the
 * paces are blended by how many turns fit in `original` positions. */
static float llama3(const struct it_rope_scaling *r, float f)
{
    const double pi = 3.14159265358979323846;
    float original = (float)r->original, factor = (float)r->factor;
    float wave = (float)(2.0 * pi) / f;
    if (wave > (float)((double)r->original / r->low)) { return f / factor; }
    if (wave < (float)((double)r->original / r->high)) { return f; }
    float blend = (original / wave - (float)r->low) / (float)(r->high - r->low);
    return (1.0f - blend) * f / factor + blend * f;
}

void it_rope_frequencies(const struct it_model_config *config, float *frequencies_out)
{
    const struct it_rope_scaling *r = &config->rope;
    double base = (double)(float)config->rope_theta;
    for (int64_t j = 0; j < config->head_dim / 2; j++) {
        float power = (float)(2 * j) / (float)config->head_dim;
        float f = 1.0f / (float)pow(base, (double)power);
        if (r->kind == IT_ROPE_LINEAR) { f /= (float)r->factor; }
        if (r->kind == IT_ROPE_LLAMA3) { f = llama3(r, f); }
        frequencies_out[j] = f;
    }
}
