#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The table of docs/demo.md: the demo recipe under several rewards and seeds, on problems that no
choice was made on. Usage: demo_table.py PROGRAM [WORK_FOLDER]; run from the root of the tree."""
import json
import math
import os
import subprocess
import sys

PROGRAM = sys.argv[1]
WORK = sys.argv[2] if len(sys.argv) > 2 else "runs/demo-table"
SEEDS = range(1, 6)
ROWS = [("INTUITOR", ["method=intuitor"]),
        ("GRPO (gold answers)", ["method=grpo", "reward_weights=1"]),
        ("GRPO-PV (majority answers)", ["method=grpo_pv"]),
        ("random reward", ["method=random"])]


def read(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def train(name, seed, overrides):
    folder = os.path.join(WORK, f"{name.split()[0].lower()}-{seed}")
    subprocess.run([PROGRAM, "train", "recipes/demo.yaml", "--quiet", "--overwrite", f"seed={seed}",
                    "eval_split=fresh", "eval_limit=1000", f"output_dir={folder}", *overrides],
                   check=True, stdout=subprocess.DEVNULL)
    return read(os.path.join(folder, "eval.jsonl")), read(os.path.join(folder, "metrics.jsonl"))[-1]


def spread(values):
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))
    return f"{mean:.3f} ± {deviation:.3f}"


def forced(problems, temperature):
    """Accuracy of the base when its answer must begin with the first step."""
    prompts, out = os.path.join(WORK, "forced.jsonl"), os.path.join(WORK, "forced_out.jsonl")
    with open(prompts, "w", encoding="utf-8") as file:
        for p in problems:
            file.write(json.dumps({"prompt": p["problem"] + p["worked"][:3], "gold": p["gold"]})
                       + "\n")
    subprocess.run([PROGRAM, "generate", "--quiet", "--model", "models/embedded", "--prompts",
                    prompts, "--temperature", str(temperature), "--max-new-tokens", "48",
                    "--output", out], check=True)
    right = [r["completions"][0]["text"].rpartition("\\boxed{")[2] == r["gold"] + "}"
             for r in read(out)]
    return sum(right) / len(right)


def main():
    os.makedirs(WORK, exist_ok=True)
    subprocess.run([PROGRAM, "eval", "--quiet", "--model", "models/embedded", "--tasks",
                    "arithmetic", "--split", "fresh", "--limit", "1000", "--overwrite", "--out",
                    os.path.join(WORK, "base")], check=True, stdout=subprocess.DEVNULL)
    problems = read(os.path.join(WORK, "base", "arithmetic.jsonl"))
    print("| | sampled | greedy | tokens (greedy) | KL | entropy |\n|---|---|---|---|---|---|")
    for index, (name, overrides) in enumerate(ROWS):
        runs = [train(name, seed, overrides) for seed in SEEDS]
        if index == 0:
            base = runs[0][0][0]
            print(f"| base | {base['sampled/accuracy']:.3f} | {base['greedy/accuracy']:.3f} | "
                  f"{base['greedy/mean_length']:.1f} | 0 | |")
            print(f"| base forced into steps | {forced(problems, 1):.3f} | "
                  f"{forced(problems, 0):.3f} | | | |")
        last = [evals[-1] for evals, _ in runs]
        print(f"| {name} | {spread([e['sampled/accuracy'] for e in last])} | "
              f"{spread([e['greedy/accuracy'] for e in last])} | "
              f"{sum(e['greedy/mean_length'] for e in last) / len(last):.1f} | "
              f"{sum(m['kl'] for _, m in runs) / len(runs):.3f} | "
              f"{sum(m['entropy'] for _, m in runs) / len(runs):.3f} |", flush=True)


main()
