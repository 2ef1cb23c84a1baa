#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs Math-Verify (Python) and `intuitor grade --task math_equiv` on the same pairs of answers.

    python -m venv V && V/bin/pip install math-verify==0.8.0 latex2sympy2_extended==1.10.2 \
        sympy==1.13.3 antlr4-python3-runtime==4.13.2
    V/bin/python scripts/compare_grading.py --intuitor ./intuitor --data "$INTUITOR_DATA"

Prints, for each set of pairs, how many verdicts agree, every pair whose verdicts differ (with
--show), and the processor seconds both took (of Math-Verify its verdicts alone, of intuitor the whole
command, files read and written). docs/grading.md has the figures of the last run."""

import argparse
import json
import logging
import multiprocessing
import os
import random
import resource
import subprocess
import tempfile
import time
import warnings


def one_verdict(record):
    from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse, verify

    kinds = {
        "latex": LatexExtractionConfig(boxed_match_priority=0),
        "expr": ExprExtractionConfig(),
    }
    config = record.get("extraction_config") or {}
    targets = [kinds[name] for name in config.get("match_types", ["latex", "expr"])]
    try:
        return bool(
            verify(
                parse(record["gold"], targets),
                parse(record["pred"], targets),
                float_rounding=config.get("precision", 6),
                strict=config.get("strict", True),
                allow_set_relation_comp=config.get("allow_set_relation_comp", False),
            )
        )
    except Exception:  # what it cannot compare is not equal
        return False


def timed_verdict(record):
    """The verdict and the processor time it took."""
    start = time.process_time()
    verdict = one_verdict(record)
    return verdict, time.process_time() - start


def be_quiet():
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)


def lines(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def recorded(data):
    """Outputs of language models against their golds."""
    pairs = []
    folder = os.path.join(data, "zeroeval", "open")
    for name in sorted(os.listdir(folder)):
        if name.startswith(("gsm.", "math-l5.")):
            for r in lines(folder, name):
                pairs.append((r["answer"].lstrip("# ").strip(), r["output"]))
    for r in lines(data, "answer_equivalence", "open", "qwen_math_cot_100.jsonl"):
        pairs.append((r["gold"], r["response"]))
    return [{"gold": f"${gold}$", "pred": text} for gold, text in pairs]


def swapped(data):
    """Golds of MATH against their neighbours in sorted order: nearly all differ."""
    golds = sorted({r["answer"] for r in lines(data, "math", "math500.jsonl")})
    return [{"gold": f"${a}$", "pred": f"${b}$"} for a, b in zip(golds, golds[1:])]


def written(seed, count):
    """One value written in many ways, and others that are close to it."""
    rng = random.Random(seed)

    def fraction():
        a, b, k = rng.randint(1, 40), rng.randint(2, 25), rng.randint(2, 5)
        return [rf"\frac{{{a}}}{{{b}}}", f"{a}/{b}", rf"\dfrac{{{a * k}}}{{{b * k}}}", f"{a / b:.6f}",
                f"{a / b:.4f}", rf"{100 * a / b}\%", rf"-\frac{{-{a}}}{{{b}}}", rf"{a}\div {b}",
                rf"{a // b}\frac{{{a % b}}}{{{b}}}", rf"x=\frac{{{a}}}{{{b}}}", rf"{a}:{b}"]

    def integer():
        a = rng.randint(1, 99999)
        return [str(a), f"{a:,}", f"{a:,}".replace(",", "{,}"), rf"\${a}", rf"{a}^\circ", f"{a}.0",
                rf"{a}\text{{ cm}}^2", rf"{a} km", f"{a}_7", str(a + 1), rf"\text{{{a}}}", f"+{a}"]

    def members():
        list_ = rng.sample(range(-9, 20), rng.randint(2, 4))
        other = rng.sample(list_, len(list_))
        text, back = ", ".join(map(str, list_)), ", ".join(map(str, other))
        return [text, back, rf"\{{{back}\}}", f"({text})", f"({back})", f"[{text}]", f"x={back}",
                text.replace(",", ";"), rf"x\in\{{{back}\}}", r"\text{ or }".join(map(str, list_))]

    def interval():
        a = rng.randint(-9, 5)
        b = a + rng.randint(1, 9)
        return [f"({a},{b})", f"[{a},{b}]", rf"{a}<x<{b}", rf"{a}\le x\le {b}", rf"x\in({a},{b})",
                rf"x>{a}", rf"({a},\infty)", rf"(-\infty,{a})\cup({b},\infty)", rf"{b}>x>{a}",
                rf"x<{a}\text{{ or }}x>{b}", rf"\mathbb{{R}}\setminus\{{{a}\}}", rf"x\neq {a}"]

    def radical():
        a, b = rng.randint(1, 9), rng.randint(2, 12)
        return [rf"{a}\sqrt{{{b}}}", rf"\sqrt{{{a * a * b}}}", rf"\frac{{{a * b}}}{{\sqrt{{{b}}}}}",
                rf"{a * b ** 0.5:.6f}", rf"\sqrt[4]{{{a ** 4 * b * b}}}", rf"-{a}\sqrt{{{b}}}"]

    def polynomial():
        b = rng.randint(1, 9)
        return [rf"(x+{b})^2", rf"x^2+{2 * b}x+{b * b}", rf"({b}+x)(x+{b})", rf"(x-{b})(x+{b})",
                rf"x^2-{b * b}", rf"y=x^2-{b * b}", rf"\frac{{x^3}}{{x}}-{b * b}"]

    forms = ["$%s$", r"\boxed{%s}", r"The answer is $%s$.", r"\[%s\]", r"**Answer**: $%s$"]
    kinds = [fraction, integer, members, interval, radical, polynomial]
    pairs = []
    for _ in range(count):
        ways = rng.choice(kinds)()
        gold, pred = rng.choice(ways), rng.choice(ways)
        pairs.append({"gold": f"${gold}$", "pred": rng.choice(forms) % pred})
    return pairs


def ours(intuitor, pairs):
    with tempfile.TemporaryDirectory() as folder:
        source, target = os.path.join(folder, "in.jsonl"), os.path.join(folder, "out.jsonl")
        with open(source, "w", encoding="utf-8") as file:
            for pair in pairs:
                file.write(json.dumps(pair) + "\n")
        start = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([intuitor, "grade", "--task", "math_equiv", "--input", source, "--output",
                        target, "--json"], check=False, stdout=subprocess.DEVNULL)
        end = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = end.ru_utime - start.ru_utime + end.ru_stime - start.ru_stime
        return [r["correct"] for r in lines(target)], seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--intuitor", default="./intuitor")
    parser.add_argument("--data", default=os.environ.get("INTUITOR_DATA"))
    parser.add_argument("--count", type=int, default=3000, help="pairs that are made up")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--show", action="store_true", help="print the pairs that differ")
    options = parser.parse_args()
    be_quiet()
    sets = {"written": written(options.seed, options.count)}
    if options.data:
        sets["recorded"] = recorded(options.data)
        sets["swapped"] = swapped(options.data)
    with multiprocessing.Pool(options.jobs, initializer=be_quiet) as pool:
        pool.map(timed_verdict, sets["written"][:8])  # imports are not part of the time
        for name, pairs in sets.items():
            results = pool.map(timed_verdict, pairs, chunksize=8)
            theirs = [verdict for verdict, _ in results]
            their_seconds = sum(seconds for _, seconds in results)
            verdicts, our_seconds = ours(options.intuitor, pairs)
            differing = [i for i in range(len(pairs)) if theirs[i] != verdicts[i]]
            print(f"{name}: {len(pairs) - len(differing)} of {len(pairs)} agree; Math-Verify "
                  f"{their_seconds:.2f} s, intuitor {our_seconds:.3f} s, "
                  f"{their_seconds / our_seconds:.0f} times as long")
            for i in differing if options.show else []:
                print(f"  {pairs[i]['gold']!r} {pairs[i]['pred'][-150:]!r}: Math-Verify {theirs[i]}")


if __name__ == "__main__":
    main()
