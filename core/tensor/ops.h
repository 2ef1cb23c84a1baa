/* SPDX-License-Identifier: MIT */
/* The operations for people: typed wrappers over the one door. Meaning, shapes and conventions are
 * in ops.def. */
#ifndef IT_TENSOR_OPS_H
#define IT_TENSOR_OPS_H

#include "core/tensor/tensor.h"

enum it_op {
#define OP(ID, name, outputs, inputs, tier, signature, scalars) IT_OP_##ID,
#include "core/tensor/ops.def"
#undef OP
    IT_OP_COUNT
};

/* Columns of token_stats; KL(U||p) as in arXiv 2505.19590 eq. 4, ln V removed. */
enum it_stat {
    IT_STAT_LOGPROB,   /* log p(target) at the first temperature */
    IT_STAT_ENTROPY,   /* nats, at the second temperature, like all that follow */
    IT_STAT_CERTAINTY, /* KL(uniform || p) = logsumexp - mean(z) - ln V */
    IT_STAT_SUM_P2,    /* sum of p^2 */
    IT_STAT_MARGIN,    /* p of the most likely minus p of the second */
    IT_STAT_LSE,       /* logsumexp(z / T) at the first temperature */
    IT_STAT_LSE2,      /* at the second, over the statistics' vocabulary */
    IT_STAT_TOP,       /* p of the most likely */
    IT_STAT_COUNT
};

/* Width of the tiles of a vocabulary that sums are made of. */
enum { IT_STATS_TILE = 4096 };

/* Columns of token_stats' state, over the logits seen so far, with z = logit / temperature; from
 * MOST2 on at the statistics' temperature, over their vocabulary. A sum is that of its two columns:
 * the second has the digits that the type has no room for, or is 0 where a backend adds up in that
 * type. */
enum it_stat_state {
    IT_STATE_TARGET, /* z of the target, once it was seen */
    IT_STATE_MOST,
    IT_STATE_S, /* sum exp(z - most) */
    IT_STATE_S_REST,
    IT_STATE_MOST2,
    IT_STATE_SECOND2, /* the second largest */
    IT_STATE_S2,
    IT_STATE_S2_REST,
    IT_STATE_A2, /* sum (z - most) */
    IT_STATE_A2_REST,
    IT_STATE_B2, /* sum exp(z - most) (z - most) */
    IT_STATE_B2_REST,
    IT_STATE_G2, /* sum exp(2 (z - most)) */
    IT_STATE_G2_REST,
    IT_STATE_COUNT
};

enum { IT_MAX_OPERANDS = 14, IT_MAX_SCALARS = 3 };

/* Operands in the order of the table: outputs, then inputs. */
struct it_args {
    struct it_tensor t[IT_MAX_OPERANDS];
    double f[IT_MAX_SCALARS];
    int64_t i[IT_MAX_SCALARS];
};

struct it_op_info {
    const char *name;
    int outputs, inputs;
    char tier;
    const char *signature, *scalars;
};
const struct it_op_info *it_op_info(enum it_op op);

/* The door: check, trace, record, kernel, fallback. Ops on measuring views are checked only. The
 * device is that of the first operand. */
enum it_status it_run(enum it_op op, const struct it_args *args);

#define IT_OP(ID, ...) it_run(IT_OP_##ID, &(struct it_args){__VA_ARGS__})

static inline enum it_status it_fill(struct it_tensor y, double value)
{
    return IT_OP(FILL, .t = {y}, .f = {value});
}

static inline enum it_status it_copy(struct it_tensor y, struct it_tensor x)
{
    return IT_OP(COPY, .t = {y, x});
}

/* y = alpha*a + beta*b */
static inline enum it_status it_scale_add(struct it_tensor y, double alpha, struct it_tensor a,
                                          double beta, struct it_tensor b)
{
    return IT_OP(SCALE_ADD, .t = {y, a, b}, .f = {alpha, beta});
}

static inline enum it_status it_gather_rows(struct it_tensor y, struct it_tensor w,
                                            struct it_tensor ids)
{
    return IT_OP(GATHER_ROWS, .t = {y, w, ids});
}

static inline enum it_status it_scatter_add_rows(struct it_tensor dw, struct it_tensor dy,
                                                 struct it_tensor ids)
{
    return IT_OP(SCATTER_ADD_ROWS, .t = {dw, dy, ids});
}

static inline enum it_status it_rmsnorm(struct it_tensor y, struct it_tensor rstd,
                                        struct it_tensor x, struct it_tensor w, double eps)
{
    return IT_OP(RMSNORM, .t = {y, rstd, x, w}, .f = {eps});
}

static inline enum it_status it_rmsnorm_bwd(struct it_tensor dx, struct it_tensor dw,
                                            struct it_tensor dy, struct it_tensor x,
                                            struct it_tensor w, struct it_tensor rstd)
{
    return IT_OP(RMSNORM_BWD, .t = {dx, dw, dy, x, w, rstd});
}

struct it_matmul_how {
    bool trans_a, trans_b; /* a stored [k,m]; b stored [n,k] */
    bool accumulate;       /* add to y */
};

/* bias: (struct it_tensor){0} for none */
static inline enum it_status it_matmul(struct it_tensor y, struct it_tensor a, struct it_tensor b,
                                       struct it_tensor bias, struct it_matmul_how how)
{
    return IT_OP(MATMUL, .t = {y, a, b, bias}, .f = {how.accumulate ? 1.0 : 0.0},
                 .i = {how.trans_a, how.trans_b});
}

/* Whether the device has a kernel of its own for an op of tier F at this many rows: where it has
 * not, the ops of tier G are faster than the fallback. */
bool it_device_fuses(const struct it_device *device, enum it_op op, int64_t rows);

/* gain, bias, residual: absent for none; eps is gain's */
struct it_projection {
    struct it_tensor x, gain, w, bias, residual;
    double eps;
    bool gated;
};
static inline enum it_status it_project(struct it_tensor y, struct it_projection p)
{
    return IT_OP(PROJECT, .t = {y, p.x, p.gain, p.w, p.bias, p.residual}, .f = {p.eps},
                 .i = {p.gated});
}

/* sign +1 turns, -1 turns back */
static inline enum it_status it_rope(struct it_tensor x, struct it_tensor table,
                                     struct it_tensor positions, int sign)
{
    return IT_OP(ROPE, .t = {x, table, positions}, .i = {sign});
}

struct it_attn_shape {
    int64_t heads, kv_heads;
    int64_t page; /* rows a page; attn_decode only */
    double scale;
};

static inline enum it_status it_attn(struct it_tensor y, struct it_tensor lse, struct it_tensor q,
                                     struct it_tensor k, struct it_tensor v, struct it_tensor segs,
                                     struct it_attn_shape s)
{
    return IT_OP(ATTN, .t = {y, lse, q, k, v, segs}, .f = {s.scale}, .i = {s.heads, s.kv_heads});
}

struct it_attn_grads {
    struct it_tensor dq, dk, dv;
};
struct it_attn_saved {
    struct it_tensor q, k, v, y, lse, segs;
};
static inline enum it_status it_attn_bwd(struct it_attn_grads g, struct it_tensor dy,
                                         struct it_attn_saved a, struct it_attn_shape s)
{
    return IT_OP(ATTN_BWD, .t = {g.dq, g.dk, g.dv, dy, a.q, a.k, a.v, a.y, a.lse, a.segs},
                 .f = {s.scale}, .i = {s.heads, s.kv_heads});
}

static inline enum it_status it_kv_write(struct it_tensor kc, struct it_tensor vc,
                                         struct it_tensor k, struct it_tensor v,
                                         struct it_tensor rows)
{
    return IT_OP(KV_WRITE, .t = {kc, vc, k, v, rows});
}

static inline enum it_status it_attn_decode(struct it_tensor y, struct it_tensor q,
                                            struct it_tensor kc, struct it_tensor vc,
                                            struct it_tensor table, struct it_tensor length,
                                            struct it_attn_shape s)
{
    return IT_OP(ATTN_DECODE, .t = {y, q, kc, vc, table, length}, .f = {s.scale},
                 .i = {s.heads, s.kv_heads, s.page});
}

/* What a decode step's attention has beside the rows; qnorm, knorm, and out, wo, residual: absent
 * for none. */
struct it_attn_step {
    struct it_tensor kc, vc, qnorm, knorm, angles, positions, rows, table, length;
    struct it_tensor out, wo, residual;
    double eps;
};
static inline enum it_status it_attn_step(struct it_tensor y, struct it_tensor qkv,
                                          struct it_attn_step a, struct it_attn_shape s)
{
    return IT_OP(ATTN_STEP,
                 .t = {y, a.kc, a.vc, a.out, qkv, a.qnorm, a.knorm, a.angles, a.positions, a.rows,
                       a.table, a.length, a.wo, a.residual},
                 .f = {s.scale, a.eps}, .i = {s.heads, s.kv_heads, s.page});
}

static inline enum it_status it_swiglu(struct it_tensor h, struct it_tensor gate_up)
{
    return IT_OP(SWIGLU, .t = {h, gate_up});
}

static inline enum it_status it_swiglu_bwd(struct it_tensor dgate_up, struct it_tensor dh,
                                           struct it_tensor gate_up)
{
    return IT_OP(SWIGLU_BWD, .t = {dgate_up, dh, gate_up});
}

/* Whole rows. vocabulary 0: all columns count for the statistics */
static inline enum it_status it_token_stats(struct it_tensor stats, struct it_tensor logits,
                                            struct it_tensor targets, struct it_tensor temps,
                                            int64_t vocabulary)
{
    return IT_OP(TOKEN_STATS, .t = {stats, {0}, logits, targets, temps}, .i = {vocabulary});
}

static inline enum it_status it_token_stats_bwd(struct it_tensor dlogits, struct it_tensor logits,
                                                struct it_tensor targets, struct it_tensor stats,
                                                struct it_tensor coefs, struct it_tensor temps,
                                                int64_t vocabulary)
{
    return IT_OP(TOKEN_STATS_BWD, .t = {dlogits, logits, targets, stats, coefs, temps},
                 .i = {vocabulary});
}

/* Columns of a vocabulary: those of the logits begin at `first` of `all`; the statistics are over
 * the first `counted` (0: all). */
struct it_columns_of {
    int64_t first, all, counted;
};
static inline enum it_status it_token_stats_part(struct it_tensor stats, struct it_tensor state,
                                                 struct it_tensor logits, struct it_tensor targets,
                                                 struct it_tensor temps, struct it_columns_of c)
{
    return IT_OP(TOKEN_STATS, .t = {stats, state, logits, targets, temps},
                 .i = {c.counted, c.first, c.all});
}

static inline enum it_status it_token_stats_bwd_part(
    struct it_tensor dlogits, struct it_tensor logits, struct it_tensor targets,
    struct it_tensor stats, struct it_tensor coefs, struct it_tensor temps, struct it_columns_of c)
{
    return IT_OP(TOKEN_STATS_BWD, .t = {dlogits, logits, targets, stats, coefs, temps},
                 .i = {c.counted, c.first, c.all});
}

static inline enum it_status it_sample(struct it_tensor ids, struct it_tensor logits,
                                       struct it_tensor params, struct it_tensor keys)
{
    return IT_OP(SAMPLE, .t = {ids, logits, params, keys});
}

static inline enum it_status it_sum_rows(struct it_tensor y, struct it_tensor x)
{
    return IT_OP(SUM_ROWS, .t = {y, x});
}

static inline enum it_status it_sumsq(struct it_tensor y, struct it_tensor x)
{
    return IT_OP(SUMSQ, .t = {y, x});
}

struct it_adamw_state {
    struct it_tensor w, m, v, lo; /* lo absent unless w is BF16 with a split master */
    struct it_tensor keys;        /* absent unless w is BF16, without lo, and rounds at random */
};
static inline enum it_status it_adamw(struct it_adamw_state s, struct it_tensor grad,
                                      struct it_tensor scalars)
{
    return IT_OP(ADAMW, .t = {s.w, s.m, s.v, s.lo, grad, scalars, s.keys});
}

/* Elements that share a scale of their 8-bit moments. */
enum { IT_MOMENT_BLOCK = 256 };

/* The same with m and v in 8 bits. */
static inline enum it_status it_adamw8(struct it_adamw_state s, struct it_tensor m_scale,
                                       struct it_tensor v_scale, struct it_tensor grad,
                                       struct it_tensor scalars)
{
    return IT_OP(ADAMW8, .t = {s.w, s.m, s.v, m_scale, v_scale, s.lo, grad, scalars, s.keys});
}

#endif
