#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints the numbers of scipy and of plain enumeration that tests/check_6_metrics.c expects."""
from itertools import combinations

from scipy import stats

A = [17.81, 20.5, 23.25, 19.0, 25.5, 21.0, 18.25, 22.0]
B = [17.13, 20.5, 16.5, 18.25, 19.5, 15.0, 18.25]
C = [3.0, 1.5, 4.0, 9.0, 5.5]
D = [2.0, 1.0, 3.5, 0.5]


def normal(a, b):
    out = {}
    for side in ("greater", "two-sided"):
        t = stats.mannwhitneyu(a, b, alternative=side, method="asymptotic", use_continuity=True)
        out[side] = t.pvalue
    t = stats.mannwhitneyu(a, b, alternative="greater", method="asymptotic", use_continuity=False)
    return t.statistic, stats.norm.isf(t.pvalue), out["greater"], out["two-sided"]


def exact(a, b):
    values = a + b
    ranks = stats.rankdata(values)
    seen = sum(ranks[: len(a)])
    sums = [sum(ranks[i] for i in c) for c in combinations(range(len(values)), len(a))]
    above = sum(s >= seen - 1e-9 for s in sums) / len(sums)
    below = sum(s <= seen + 1e-9 for s in sums) / len(sums)
    return above, min(1.0, 2 * min(above, below))


for name, a, b in (("A B", A, B), ("C D", C, D)):
    u, z, p, p_two = normal(a, b)
    print(f"mann-whitney {name}: u {u} z {z:.12g} p {p:.12g} two {p_two:.12g}",
          "exact %.12g two %.12g" % exact(a, b))
for b, c in ((0, 0), (3, 9), (10, 10), (1, 14), (120, 171)):
    p = stats.binomtest(min(b, c), b + c, 0.5).pvalue if b + c else 1.0
    print(f"mcnemar {b} {c}: {p:.12g}")
for k, n in ((0, 10), (7, 10), (10, 10), (344, 721), (1, 1)):
    i = stats.binomtest(k, n).proportion_ci(method="wilson")
    print(f"wilson {k} {n}: {i.low:.12g} {i.high:.12g}")
