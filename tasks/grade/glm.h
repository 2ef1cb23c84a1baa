/* SPDX-License-Identifier: MIT */
/* A small logistic regression with an L1 penalty, for the length-controlled win rate. */
#ifndef IT_TASKS_GRADE_GLM_H
#define IT_TASKS_GRADE_GLM_H

#include <stddef.h>

enum { IT_GLM_FEATURES = 3, IT_GLM_STRENGTHS = 10, IT_GLM_FOLDS = 5 };

/* One observation: of `weight` units a share `y` (0 to 1) says yes. */
struct it_glm_row {
    double x[IT_GLM_FEATURES], y, weight;
};

/* Minimises |beta|_1 + strength * sum weight * (-y log q - (1 - y) log(1 - q)), where
 * q = 1 / (1 + exp(-x.beta)), to the rounding of doubles; `beta` is where it starts. */
void it_glm_fit(const struct it_glm_row *row, size_t n, double strength,
                double beta[IT_GLM_FEATURES]);

/* Chooses the strength from ten between 1e-4 and 1e4, evenly on a logarithmic scale, by the summed
 * score of five folds (row i is in fold i mod 5), and fits all rows with it. */
struct it_glm {
    double beta[IT_GLM_FEATURES];
    double score[IT_GLM_STRENGTHS]; /* higher is better */
    int best;                       /* the first of the highest */
    double strength;
};
void it_glm_select(const struct it_glm_row *row, size_t n, struct it_glm *glm_out);

double it_glm_logistic(double x);

#endif
