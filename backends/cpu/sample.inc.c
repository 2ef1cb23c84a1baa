/* SPDX-License-Identifier: MIT */
/* sample. As in the reference, each filter is a lower bound on the logit, so that equal logits stay
 * or go together. A bound is found by selection among candidates: logits that a first, vectorised
 * look could not rule out. Weights are added up in double: a draw should not hang on rounding. */

enum {
    DRAW_TILE = 1024, /* weights summed at once */
    BLOCK = 64,       /* logits whose largest is kept, for top-k */
    LARGEST_VOCABULARY = IT_CPU_SCRATCH / 4 * 3
};

struct draw {
    const float *z;
    int64_t v;
    float most, inverse; /* largest logit, 1 / temperature */
    float *scratch;      /* [v + v / BLOCK + 1]: candidates, largest of blocks */
};

/* The largest logit, and its first place. Not-a-number never wins. */
static int64_t find_most(const float *z, int64_t v, float *most_out)
{
    vf most = v_set(-INFINITY);
    for (int64_t j = 0; j < v; j += VW) {
        int c = at_most(v - j, VW);
        most = v_max(v_select(v_first(c), v_load_n(z + j, c), v_set(-INFINITY)), most);
    }
    float largest = *most_out = v_largest(most);
    if (!(largest > -INFINITY)) { return 0; }
    vf wanted = v_set(largest);
    for (int64_t j = 0; j < v; j += VW) {
        int c = at_most(v - j, VW);
        unsigned hits = v_mask(v_at_least(v_load_n(z + j, c), wanted)) & ((1u << c) - 1u);
        if (hits) { return j + __builtin_ctz(hits); }
    }
    return 0;
}

/* Logits that are at least `bound`; returns how many. */
static int64_t collect(const struct draw *d, float bound, float *to)
{
    int64_t n = 0;
    vf least = v_set(bound);
    for (int64_t j = 0; j < d->v; j += VW) {
        int c = at_most(d->v - j, VW);
        unsigned hits = v_mask(v_at_least(v_load_n(d->z + j, c), least)) & ((1u << c) - 1u);
        for (; hits; hits &= hits - 1) { to[n++] = d->z[j + __builtin_ctz(hits)]; }
    }
    return n;
}

static double mass_of(const struct draw *d, float z, bool weighted)
{
    return weighted ? (double)k_exp((z - d->most) * d->inverse) : 1.0;
}

static float median(float a, float b, float c)
{
    float low = a < b ? a : b, high = a < b ? b : a;
    return c < low ? low : c > high ? high : c;
}

/* The largest of x[0..n) such that it and all above it have a mass of `enough`; `otherwise` when
 * all together have not. Reorders x. */
static float select_bound(const struct draw *d, float *x, int64_t n, double enough, bool weighted,
                          float otherwise)
{
    while (n > 0) {
        float pivot = median(x[0], x[n / 2], x[n - 1]);
        double above = 0, level = 0;
        int64_t high = 0, low = n; /* [0, high) above the pivot, [low, n) below */
        for (int64_t i = 0; i < low;) {
            float value = x[i];
            if (value > pivot) {
                above += mass_of(d, value, weighted);
                x[i++] = x[high];
                x[high++] = value;
            } else if (value < pivot) {
                x[i] = x[--low];
                x[low] = value;
            } else {
                level += mass_of(d, value, weighted);
                i++;
            }
        }
        if (above >= enough && high > 0) {
            n = high;
        } else if (above + level >= enough) {
            return pivot;
        } else {
            enough -= above + level;
            x += low;
            n -= low;
        }
    }
    return otherwise;
}

/* The k-th largest logit. At least k logits reach the k-th largest of the blocks' largest: below it
 * nothing needs a look. */
static float bound_of_top_k(const struct draw *d, int64_t k)
{
    int64_t blocks = (d->v + BLOCK - 1) / BLOCK;
    float least = -INFINITY;
    if (k <= blocks) {
        for (int64_t i = 0; i < blocks; i++) {
            int64_t end = (i + 1) * BLOCK < d->v ? (i + 1) * BLOCK : d->v;
            vf most = v_set(-INFINITY);
            for (int64_t j = i * BLOCK; j < end; j += VW) {
                int c = at_most(end - j, VW);
                most = v_max(v_select(v_first(c), v_load_n(d->z + j, c), v_set(-INFINITY)), most);
            }
            d->scratch[i] = v_largest(most);
        }
        least = select_bound(d, d->scratch, blocks, (double)k, false, -INFINITY);
    }
    int64_t n = collect(d, least, d->scratch);
    return select_bound(d, d->scratch, n, (double)k, false, -INFINITY);
}

/* Weights of logits [j, j + n) that pass the bounds, the others 0; n <= DRAW_TILE. */
static double weigh(const struct draw *d, int64_t j, int64_t n, float bound, float min_p,
                    float *weights)
{
    vf least = v_set(bound), fewest = v_set(min_p), top = v_set(d->most), zero = v_set(0);
    vf factor = v_set(d->inverse);
    double sum[8] = {0};
    for (int64_t i = 0; i < n; i += VW) {
        int c = at_most(n - i, VW);
        vf z = v_load_n(d->z + j + i, c), w = zero;
        vm pass = v_at_least(z, least);
        if (v_mask(pass)) {
            w = v_select(pass, v_exp((z - top) * factor), zero);
            w = v_select(v_at_least(w, fewest), w, zero);
        }
        v_store_n(weights + i, w, c);
    }
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        for (int l = 0; l < 8; l++) { sum[l] += (double)weights[i + l]; }
    }
    for (; i < n; i++) { sum[0] += (double)weights[i]; }
    return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
}

static double mass_from(const struct draw *d, float bound)
{
    float weights[DRAW_TILE];
    double mass = 0;
    for (int64_t j = 0; j < d->v; j += DRAW_TILE) {
        mass += weigh(d, j, d->v - j < DRAW_TILE ? d->v - j : DRAW_TILE, bound, 0, weights);
    }
    return mass;
}

/* The highest bound that leaves `share` of what `bound` leaves. Logits lighter than (1 - share) / v
 * of it weigh too little together to be needed. */
static float bound_of_top_p(const struct draw *d, float bound, float share)
{
    double mass = mass_from(d, bound), enough = (double)share * mass;
    if (enough <= 0) { return d->most; }
    double lightest = (1 - (double)share) * mass / (double)d->v;
    float least = d->most + (float)log(lightest) / d->inverse;
    least = least - 1e-3f * k_max(1.0f, least < 0 ? -least : least); /* room for rounding */
    if (!(least > bound)) { least = bound; }
    int64_t n = collect(d, least, d->scratch);
    return select_bound(d, d->scratch, n, enough, true, bound);
}

/* The first id where the cumulative sum passes u times the total. */
static int64_t invert(const struct draw *d, float bound, float min_p, double u, int64_t fallback)
{
    float weights[DRAW_TILE];
    double total = 0, sum = 0;
    double *tiles = (double *)(void *)d->scratch;
    for (int64_t j = 0, t = 0; j < d->v; j += DRAW_TILE, t++) {
        tiles[t] = weigh(d, j, d->v - j < DRAW_TILE ? d->v - j : DRAW_TILE, bound, min_p, weights);
        total += tiles[t];
    }
    int64_t last = fallback;
    for (int64_t j = 0, t = 0; j < d->v; j += DRAW_TILE, t++) {
        if (tiles[t] <= 0) { continue; }
        if (sum + tiles[t] <= u * total) {
            sum += tiles[t];
            continue;
        }
        int64_t n = d->v - j < DRAW_TILE ? d->v - j : DRAW_TILE;
        weigh(d, j, n, bound, min_p, weights);
        for (int64_t i = 0; i < n; i++) {
            if (weights[i] > 0) { last = j + i; }
            sum += (double)weights[i];
            if (sum > u * total) { return j + i; }
        }
        return last; /* the tile's sum and this one differ in their last bits */
    }
    return last;
}

static int64_t sample_row(struct draw *d, const float params[4], const uint32_t keys[6])
{
    int64_t greedy = find_most(d->z, d->v, &d->most);
    if (!(params[0] > 0) || !isfinite(d->most)) { return greedy; }
    d->inverse = 1.0f / params[0];
    float bound = -INFINITY;
    if (params[1] >= 1 && params[1] < (float)d->v) {
        bound = bound_of_top_k(d, (int64_t)params[1]);
    }
    if (params[2] < 1) { bound = bound_of_top_p(d, bound, params[2]); }
    uint32_t word[4];
    it_philox(keys, keys + 2, word);
    double u = (word[0] + 0.5) * 0x1p-32;
    return invert(d, bound, params[3], u, greedy);
}

struct sample_job {
    struct it_device *device;
    const struct it_args *args;
};

static void sample_rows(void *context, int64_t begin, int64_t end, int thread)
{
    const struct sample_job *job = context;
    const struct it_args *args = job->args;
    int32_t *ids = it_view_host(&args->t[0]);
    for (int64_t r = begin; r < end; r++) {
        struct draw d = {.z = (const void *)row_at(&args->t[1], r),
                         .v = args->t[1].shape[1],
                         .scratch = it_cpu_scratch(job->device, thread)};
        ids[r] = (int32_t)sample_row(&d, (const void *)row_at(&args->t[2], r),
                                     (const void *)row_at(&args->t[3], r));
    }
}

static enum it_status sample(struct it_device *device, const struct it_args *args)
{
    if (refused(args, 1, 2) || args->t[1].shape[1] > LARGEST_VOCABULARY) { return IT_UNSUPPORTED; }
    struct sample_job job = {device, args};
    int64_t grain = CHUNK_BYTES / 4 / args->t[1].shape[1];
    it_pool_run(device->pool, args->t[1].shape[0], grain > 0 ? grain : 1, sample_rows, &job);
    return IT_OK;
}
