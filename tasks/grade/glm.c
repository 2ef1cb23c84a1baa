/* SPDX-License-Identifier: MIT */
/* Proximal Newton: the likelihood is replaced by its quadratic at the present point, the penalised
 * quadratic is minimised one coefficient at a time, and a line search goes there. */
#include "tasks/grade/glm.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "core/base/mem.h"

enum { K = IT_GLM_FEATURES, STEPS = 200, INNER = 500, HALVINGS = 50 };

double it_glm_logistic(double x)
{
    return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

static double dot(const double *a, const double *b)
{
    double sum = 0;
    for (int k = 0; k < K; k++) { sum += a[k] * b[k]; }
    return sum;
}

/* log(1 + exp(x)) */
static double softplus(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

static double objective(const struct it_glm_row *row, size_t n, double strength, const double *beta)
{
    double loss = 0, penalty = 0;
    for (size_t i = 0; i < n; i++) {
        double x = dot(row[i].x, beta);
        loss += row[i].weight * (softplus(x) - row[i].y * x);
    }
    for (int k = 0; k < K; k++) { penalty += fabs(beta[k]); }
    return penalty + strength * loss;
}

static void derivatives(const struct it_glm_row *row, size_t n, double strength, const double *beta,
                        double *g, double h[K][K])
{
    memset(g, 0, K * sizeof *g);
    memset(h, 0, K * sizeof *h);
    for (size_t i = 0; i < n; i++) {
        double q = it_glm_logistic(dot(row[i].x, beta)), w = strength * row[i].weight;
        for (int a = 0; a < K; a++) {
            g[a] += w * (q - row[i].y) * row[i].x[a];
            for (int b = 0; b < K; b++) { h[a][b] += w * q * (1 - q) * row[i].x[a] * row[i].x[b]; }
        }
    }
    for (int k = 0; k < K; k++) { h[k][k] += 1e-12; } /* a feature that is always zero */
}

/* The minimum of the penalised quadratic, as a step from beta. */
static void solve_quadratic(const double *beta, const double *g, double h[K][K], double *step)
{
    memset(step, 0, K * sizeof *step);
    for (int turn = 0; turn < INNER; turn++) {
        double moved = 0;
        for (int k = 0; k < K; k++) {
            double slope = g[k] + dot(h[k], step), at = beta[k] + step[k];
            double free = at - slope / h[k][k], cut = 1 / h[k][k];
            double next = free > cut ? free - cut : free < -cut ? free + cut : 0;
            moved = fmax(moved, fabs(next - at));
            step[k] = next - beta[k];
        }
        if (moved < 1e-14) { break; }
    }
}

void it_glm_fit(const struct it_glm_row *row, size_t n, double strength, double beta[K])
{
    double value = objective(row, n, strength, beta);
    for (int turn = 0; turn < STEPS; turn++) {
        double g[K], h[K][K], step[K], next[K], size = 1, reached = value;
        derivatives(row, n, strength, beta, g, h);
        solve_quadratic(beta, g, h, step);
        bool better = false;
        for (int i = 0; i < HALVINGS && !better; i++, size /= 2) {
            for (int k = 0; k < K; k++) { next[k] = beta[k] + size * step[k]; }
            reached = objective(row, n, strength, next);
            better = reached < value;
        }
        if (!better) { return; } /* nothing is gained that a double could show */
        memcpy(beta, next, sizeof next);
        value = reached;
    }
}

/* Mean over the rows of the fold of weight * log-likelihood, as scikit-learn's scorer has it. */
static double fold_score(const struct it_glm_row *row, size_t n, size_t fold, const double *beta)
{
    double sum = 0;
    size_t rows = 0;
    for (size_t i = fold; i < n; i += IT_GLM_FOLDS, rows++) {
        double q = it_glm_logistic(dot(row[i].x, beta));
        q = fmin(fmax(q, 1e-15), 1 - 1e-15);
        sum += row[i].weight * (row[i].y * log(q) + (1 - row[i].y) * log1p(-q));
    }
    return rows > 0 ? sum / (double)rows : 0;
}

static double strength_at(int i)
{
    return pow(10, -4 + 8.0 * i / (IT_GLM_STRENGTHS - 1));
}

void it_glm_select(const struct it_glm_row *row, size_t n, struct it_glm *glm_out)
{
    struct it_glm glm = {0};
    struct it_glm_row *rest = it_alloc((n + 1) * sizeof *rest);
    for (size_t fold = 0; fold < IT_GLM_FOLDS; fold++) {
        double beta[K] = {0}; /* each strength begins where the one before ended */
        size_t m = 0;
        for (size_t i = 0; i < n; i++) {
            if (i % IT_GLM_FOLDS != fold) { rest[m++] = row[i]; }
        }
        for (int s = 0; s < IT_GLM_STRENGTHS; s++) {
            it_glm_fit(rest, m, strength_at(s), beta);
            glm.score[s] += fold_score(row, n, fold, beta);
        }
    }
    it_free(rest);
    for (int s = 1; s < IT_GLM_STRENGTHS; s++) {
        if (glm.score[s] > glm.score[glm.best]) { glm.best = s; }
    }
    glm.strength = strength_at(glm.best);
    it_glm_fit(row, n, glm.strength, glm.beta);
    *glm_out = glm;
}
