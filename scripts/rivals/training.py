# SPDX-License-Identifier: MIT
"""Training steps, and whole updates."""

import json
import re

import measure
from measure import call, figure

# ---- a step ----


def train(place):
    options = place.options
    config, tokens = place.shape(options.shape), options.tokens[0]
    place.need("torch", "transformers")

    def ours(*words):
        rows = place.bench("train", "--config", config, "--dtype", "bf16", "--runs", options.runs,
                           "--batch", options.batch, "--prompt-tokens", 1,
                           "--new-tokens", tokens - 1, *words)
        passes, optimizer = (rows["train/" + part]["time_s"] for part in ("pass", "optimizer"))
        return {"step": passes + optimizer, "pass": passes, "optimizer": optimizer,
                "flops": rows["train/pass"]["flops"], "bytes": 0}

    rivals = {"torch " + kind: place.rival("torch_train.py", config, kind, place.device,
                                           place.threads, options.batch, tokens, options.runs)
              for kind in options.kinds}
    idle, samples, median = place.measure_all(
        {"ours": ours, "ours exact": lambda: ours("--exact"), **rivals}, place.limits())
    fastest = min(rivals, key=lambda name: median[name]["step"])
    best = measure.floor(median["ours"], median["ceilings"])
    bars = {"cpu": ((2, 4), (None, None)), "cuda": ((1.25, None), (0.50, 0.62))}[place.device]
    figures = [figure(name + ", s a step", median[name]["step"])
               for name in ("ours", "ours exact", *rivals)]
    figures += [
        figure("ours over PyTorch (%s)" % fastest,
               median[fastest]["step"] / median["ours"]["step"], *bars[0]),
        figure("operations of a pass over the measured peak", best / median["ours"]["pass"],
               *bars[1]),
        figure("the same of PyTorch (%s)" % fastest, best / median[fastest]["pass"]),
        figure("exact over ours", median["ours"]["step"] / median["ours exact"]["step"])]
    place.finish(idle, samples, figures,
                 "%d x %d tokens of %s" % (options.batch, tokens, options.shape))


# ---- an update ----

RECIPE = """method: intuitor
torch_dtype: bfloat16
dataset_prompt_column: problem
dataset_solution_column: answer
max_prompt_length: 256
min_std: 0
save_strategy: "no"
eval_dataset: none
"""


def write_prompts(place):
    path = place.work / ("prompts-%d.jsonl" % place.options.prompts)
    with open(path, "w") as file:
        for i in range(place.options.prompts):
            text = "A train covers %d km in %d minutes. How far does it get in an hour?"
            record = {"problem": text % (i + 41, i + 17), "answer": str(i)}
            file.write(json.dumps(record) + "\n")
    return path


def our_update(place, model, prompts, steps, *settings):
    """The last of so many updates in one run."""
    options, run, recipe = place.options, place.work / "update", place.work / "update.yaml"
    group = options.group
    recipe.write_text(RECIPE)
    call([place.program, "train", recipe, "--quiet", "--overwrite",
          "--backend", place.device, "--threads", place.threads,
          "model_name_or_path=%s" % model, "dataset_name=%s" % prompts,
          "num_generations=%d" % group, "per_device_train_batch_size=%d" % group,
          "gradient_accumulation_steps=%d" % options.prompts, "num_processes=1",
          "max_completion_length=%d" % options.new, "beta=%g" % options.beta,
          "max_steps=%d" % steps, "logging_steps=1", "output_dir=%s" % run, *settings])
    with open(run / "metrics.jsonl") as file:
        lines = [json.loads(line) for line in file]
    last = [line for line in lines if "step_time" in line][-1]
    taken = max(last.get("mem/peak_bytes", 0), last.get("mem/driver_bytes", 0))
    return {"update": last["step_time"], "rollout": last["time/rollout_s"],
            "train": last["time/train_s"], "score": last["time/score_s"],
            "tokens": last["completions/mean_length"] * group * options.prompts,
            "longest": last["completions/max_length"], "GiB": taken / 2**30,
            "planned GiB": last.get("mem/plan_bytes", 0) / 2**30}


def update(place):
    """A random model chooses its own end once in some 76,000 tokens: times are those of a token."""
    options, warm = place.options, int(place.stays)
    place.need("torch", "transformers", "trl", "datasets")
    model, prompts = place.model(options.shape), write_prompts(place)
    settings = [options.batching] if options.batching else []
    trl = place.rival("trl_update.py", model, prompts, place.device, place.threads, options.group,
                      options.new, options.micro or options.group, options.beta,
                      place.work / "trl", warm, options.rounds, *settings)

    def ours(exact):
        return lambda: our_update(place, model, prompts, 1 + warm, "exact=" + exact)

    idle, samples, median = place.measure_all(
        {"ours": ours("false"), "ours exact": ours("true"), "trl": trl})
    figures = [figure("%s, s of %s" % (name, part), median[name][part])
               for part in ("update", "rollout", "train") for name in ("ours", "ours exact", "trl")]
    mine, exact, theirs = (median[name]["update"] / median[name]["tokens"]
                           for name in ("ours", "ours exact", "trl"))
    figures.append(figure("ours over TRL", theirs / mine, 4, 8))
    figures.append(figure("exact over ours", mine / exact))
    place.finish(idle, samples, figures, "%d prompts x %d completions of %d tokens of %s"
                 % (options.prompts, options.group, options.new, options.shape))


# ---- updates of the size they are meant for ----


def ends_after(place, mean):
    """Three letters that so many tokens of the vocabulary contain that a completion of random
    tokens meets them after `mean` of them, on average: random weights give no other lengths."""
    with open(place.tokenizer() / "vocab.json") as file:
        tokens = json.load(file)
    having = {}
    for token in tokens:
        for letters in {found[1] for found in re.finditer("(?=([a-z]{3}))", token)}:
            having[letters] = having.get(letters, 0) + 1
    wanted = len(tokens) / mean
    return min(sorted(having), key=lambda letters: abs(having[letters] - wanted))


# What a shape needs to fit into 38 GiB.
FITTING = {"qwen2.5-3b": ("optim=adamw_8bit", "gradient_checkpointing=true",
                          "reference=streamed")}


def full(place):
    options = place.options
    prompts, end = write_prompts(place), ends_after(place, options.mean)
    limit = ["memory_limit=" + options.limit] if options.limit else []

    def ours(shape):
        model, settings = place.model(shape), (*FITTING.get(shape, ()), *options.settings.split())
        return lambda: our_update(place, model, prompts, options.steps, "exact=false",
                                  "stop_strings=" + end, *limit, *settings)

    programs = {shape: ours(shape) for shape in options.shapes}
    idle, samples, median = place.measure_all(programs)
    figures = []
    for shape, found in median.items():
        if shape == "ceilings":
            continue
        count = options.group * options.prompts
        figures += [figure("%s, s of %s" % (shape, part), found[part])
                    for part in ("update", "rollout", "score", "train")]
        figures += [
            figure(shape + ", tokens of a completion", found["tokens"] / count),
            figure(shape + ", tokens of the longest", found["longest"]),
            figure(shape + ", GiB planned", found["planned GiB"]),
            figure(shape + ", GiB taken at most", found["GiB"],
                   "<" + options.limit.removesuffix("GiB") if options.limit else None)]
    place.finish(idle, samples, figures, "%d prompts x %d completions; \"%s\" ends one"
                 % (options.prompts, options.group, end))
