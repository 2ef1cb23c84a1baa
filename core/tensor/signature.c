/* SPDX-License-Identifier: MIT */
/* Parse the signatures of ops.def. The strings are our own: a slip in them is an assertion. */
#include "core/tensor/internal.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

static const struct it_op_info infos[IT_OP_COUNT] = {
#define OP(ID, name, outputs, inputs, tier, signature, scalars)                                    \
    [IT_OP_##ID] = {#name, outputs, inputs, #tier[0], signature, scalars},
#include "core/tensor/ops.def"
#undef OP
};

static struct it_signature signatures[IT_OP_COUNT];
static pthread_once_t parsed = PTHREAD_ONCE_INIT;

const struct it_op_info *it_op_info(enum it_op op)
{
    assert(op < IT_OP_COUNT);
    return &infos[op];
}

/* "n", "2n" or "5" */
static const char *parse_dim(const char *at, struct it_dim *dim)
{
    dim->factor = 0;
    while (*at >= '0' && *at <= '9') { dim->factor = dim->factor * 10 + (*at++ - '0'); }
    if (*at >= 'a' && *at <= 'z') {
        dim->letter = *at++;
        if (dim->factor == 0) { dim->factor = 1; }
    }
    assert(dim->factor > 0);
    return at;
}

/* "name:kind[dims]" with an optional "?" */
static const char *parse_operand(const char *at, struct it_operand *operand)
{
    size_t length = strcspn(at, ":");
    assert(length > 0 && length < sizeof operand->name && at[length] == ':');
    memcpy(operand->name, at, length);
    at += length + 1;
    operand->kind = *at++;
    assert(strchr("xfaiuhb", operand->kind) && *at == '[');
    do {
        assert(operand->rank < IT_MAX_RANK);
        at = parse_dim(at + 1, &operand->dim[operand->rank++]);
    } while (*at == ',');
    assert(*at == ']');
    ++at;
    operand->optional = *at == '?';
    return at + operand->optional;
}

static void parse_all(void)
{
    for (int op = 0; op < IT_OP_COUNT; ++op) {
        struct it_signature *s = &signatures[op];
        s->outputs = infos[op].outputs;
        s->first_x = s->first_a = -1;
        for (const char *at = infos[op].signature; *at; at += strspn(at, " ")) {
            assert(s->count < IT_MAX_OPERANDS);
            struct it_operand *operand = &s->operand[s->count];
            at = parse_operand(at, operand);
            if (operand->kind == 'x' && s->first_x < 0) { s->first_x = s->count; }
            if (operand->kind == 'a' && s->first_a < 0) { s->first_a = s->count; }
            ++s->count;
        }
        assert(s->count == infos[op].outputs + infos[op].inputs);
    }
}

const struct it_signature *it_signature(enum it_op op)
{
    assert(op < IT_OP_COUNT);
    pthread_once(&parsed, parse_all);
    return &signatures[op];
}

int it_signature_axis(enum it_op op, const struct it_args *args, int k, int axis)
{
    bool turned = op == IT_OP_MATMUL && (k == 1 || k == 2) && args->i[k - 1];
    return turned ? 1 - axis : axis;
}
