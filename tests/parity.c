/* SPDX-License-Identifier: MIT */
#include "tests/parity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/tensor/internal.h"
#include "core/tensor/ref_internal.h"

/* An operand inside a piece of device memory of its own. `before` and `after` are that piece on the
 * host; inside[i] says that byte i belongs to the view. */
struct guarded {
    struct it_tensor piece; /* u8 */
    struct it_tensor view;
    size_t bytes;
    unsigned char *before, *after, *inside;
};

struct trial {
    struct it_device *device, *reference;
    const struct it_case *c;
    struct parity_how how;
    bool strided;
    struct it_arena *arena, *want_arena, *got_arena;
    struct it_args want, got; /* dense, on the reference device */
    struct it_args args;      /* on the device */
    struct guarded operand[IT_MAX_OPERANDS];
    const char *failure;
    double error;
};

static int64_t round_up(int64_t value, int64_t step)
{
    return (value + step - 1) / step * step;
}

/* Views start where the device allows it, with at least one element before, after, and, when
 * strided, between the rows. */
static void lay_out(struct trial *t, int k)
{
    struct guarded *g = &t->operand[k];
    int64_t size = (int64_t)it_dtype_size(t->c->type[k]);
    int64_t align = round_up(t->device->info.offset_align, size) / size; /* elements */
    g->view = (struct it_tensor){.dtype = t->c->type[k]};
    g->view.rank = it_case_shape(t->c, k, g->view.shape);
    int64_t columns = g->view.shape[g->view.rank - 1];
    int64_t rows = g->view.rank == 2 ? g->view.shape[0] : 1;
    int64_t stride = t->strided ? round_up(columns + 1, align) : columns;
    g->view.stride[0] = g->view.rank == 2 ? stride : 1;
    g->view.stride[1] = g->view.rank == 2;
    g->bytes = (size_t)((2 * align + rows * stride) * size);
    g->before = it_alloc(g->bytes);
    g->after = it_alloc(g->bytes);
    g->inside = it_calloc(g->bytes, 1);
    g->view.offset = (size_t)(align * size);
}

/* The view's rows between a dense host copy and the piece. */
static void copy_rows(const struct guarded *g, unsigned char *piece, unsigned char *dense,
                      bool to_piece, unsigned char *mark)
{
    size_t size = it_dtype_size(g->view.dtype);
    int64_t rows = g->view.rank == 2 ? g->view.shape[0] : 1;
    size_t width = (size_t)g->view.shape[g->view.rank - 1] * size;
    size_t stride = g->view.rank == 2 ? (size_t)g->view.stride[0] * size : width;
    for (int64_t r = 0; r < rows; ++r) {
        unsigned char *inside = piece + g->view.offset + (size_t)r * stride;
        unsigned char *row = dense + (size_t)r * width;
        memcpy(to_piece ? inside : row, to_piece ? row : inside, width);
        if (mark) { memset(mark + (inside - piece), 1, width); }
    }
}

static enum it_status place(struct trial *t, int k)
{
    struct guarded *g = &t->operand[k];
    struct it_rng rng;
    it_rng_init(&rng, t->c->seed, 1000 + (uint64_t)k);
    for (size_t i = 0; i < g->bytes; ++i) { g->before[i] = (unsigned char)it_rng_u32(&rng); }
    copy_rows(g, g->before, it_view_host(&t->want.t[k]), true, g->inside);
    IT_TRY(it_tensor1(t->arena, IT_U8, (int64_t)g->bytes, &g->piece));
    IT_TRY(it_upload(g->piece, g->before));
    g->view.buffer = g->piece.buffer;
    g->view.offset += g->piece.offset;
    t->args.t[k] = g->view;
    g->view.offset -= g->piece.offset;
    return IT_OK;
}

/* Bytes that must not have changed but did; everything is held to that after a refusal. */
static bool untouched(const struct guarded *g, bool all)
{
    for (size_t i = 0; i < g->bytes; ++i) {
        if ((all || !g->inside[i]) && g->after[i] != g->before[i]) { return false; }
    }
    return true;
}

static enum it_status look(struct trial *t, bool refused)
{
    const struct it_signature *s = it_signature(t->c->op);
    for (int k = 0; k < s->count; ++k) {
        struct guarded *g = &t->operand[k];
        if (t->c->type[k] == IT_NONE) { continue; }
        IT_TRY(it_download(g->after, g->piece));
        bool output = k < s->outputs && !refused;
        if (!untouched(g, !output)) {
            t->failure = refused ? "wrote before it refused"
                         : output ? "wrote outside of an output"
                                  : "wrote into an input";
        }
        if (output) { copy_rows(g, g->after, it_view_host(&t->got.t[k]), false, NULL); }
    }
    return IT_OK;
}

/* The kernel first, by itself, so that a refusal is seen; then the door where it refused. */
static enum it_status run_device(struct trial *t, bool *refused_out)
{
    struct it_device *device = NULL;
    IT_TRY(it_door_check(t->c->op, &t->args, &device));
    enum it_status status = t->device->kernel[t->c->op](t->device, &t->args);
    *refused_out = status == IT_UNSUPPORTED;
    if (*refused_out) {
        IT_TRY(look(t, true));
        status = it_case_run(t->c, &t->args);
    }
    IT_TRY(status);
    IT_TRY(it_device_finish(t->device));
    return look(t, false);
}

static enum it_status run_trial(struct trial *t, bool *refused_out)
{
    const struct it_case *c = t->c;
    int64_t bytes = 0, align = t->device->info.offset_align;
    IT_TRY(it_case_prepare(c, t->want_arena, &t->want));
    IT_TRY(it_case_prepare(c, t->got_arena, &t->got));
    t->args = t->want;
    for (int k = 0; k < IT_MAX_OPERANDS; ++k) {
        if (c->type[k] == IT_NONE) { continue; }
        lay_out(t, k);
        bytes += round_up((int64_t)t->operand[k].bytes, align);
    }
    IT_TRY(it_arena_open(t->device, "parity", bytes, &t->arena));
    for (int k = 0; k < IT_MAX_OPERANDS; ++k) {
        if (c->type[k] != IT_NONE) { IT_TRY(place(t, k)); }
    }
    IT_TRY(run_device(t, refused_out));
    IT_TRY(it_reference_kernel(c->op, !t->how.in_float)(t->reference, &t->want));
    t->error = it_case_error(c, &t->got, &t->want);
    return IT_OK;
}

static void clean_up(struct trial *t)
{
    for (int k = 0; k < IT_MAX_OPERANDS; ++k) {
        it_free(t->operand[k].before);
        it_free(t->operand[k].after);
        it_free(t->operand[k].inside);
    }
    it_arena_close(t->arena);
}

static void try_case(struct trial *t, struct parity_report *report)
{
    bool refused = false;
    int64_t want_mark = it_arena_mark(t->want_arena), got_mark = it_arena_mark(t->got_arena);
    enum it_status status = run_trial(t, &refused);
    double tolerance = t->how.to_the_bit ? 0 : t->c->tolerance;
    report->ran += 1;
    report->refused += refused;
    report->optional += refused && it_op_info(t->c->op)->tier == 'F';
    if (status != IT_OK) {
        t->failure = it_status_words(status);
    } else if (!(t->error <= tolerance)) {
        t->failure = "differs";
    }
    if (tolerance > 0 && t->error / tolerance > report->worst) {
        report->worst = t->error / tolerance;
    }
    if (t->failure) {
        char text[160];
        fprintf(stderr, "device %s: %s (%s, seed %llu, %s): %s: error %.3g, tolerance %.3g\n",
                t->device->info.name, it_case_describe(t->c, text, sizeof text), t->c->words,
                (unsigned long long)t->c->seed, t->strided ? "strided" : "contiguous", t->failure,
                t->error, tolerance);
        report->failed += 1;
    }
    clean_up(t);
    it_arena_reset(t->want_arena, want_mark);
    it_arena_reset(t->got_arena, got_mark);
}

enum { ROOM = 4 << 20 }; /* of one case's dense operands */

void parity_run(struct it_device *device, struct parity_how how,
                struct parity_report *report_out)
{
    struct parity_report report = {0};
    struct it_device *reference = NULL;
    struct it_arena *want = NULL, *got = NULL;
    if (it_device_open("reference", NULL, &reference) != IT_OK ||
        it_arena_open(reference, "want", ROOM, &want) != IT_OK ||
        it_arena_open(reference, "got", ROOM, &got) != IT_OK) {
        abort();
    }
    for (size_t i = 0; i < it_case_count(); ++i) {
        struct it_case c;
        it_case_at(i, &c);
        for (int strided = 0; strided < 2 && !c.bench; ++strided) {
            struct trial trial = {.device = device, .reference = reference, .c = &c, .how = how,
                                  .strided = strided, .want_arena = want, .got_arena = got};
            try_case(&trial, &report);
        }
    }
    it_arena_close(got);
    it_arena_close(want);
    it_device_close(reference);
    *report_out = report;
}
