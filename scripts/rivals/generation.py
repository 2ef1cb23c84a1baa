# SPDX-License-Identifier: MIT
"""Filling caches and decoding."""

import os
import subprocess
import sys

import measure
from measure import figure


def our_generation(place, batch, prompt, new, *words, source=None, runs=1):
    """Of the model folder, or of another source; the last token of a prompt goes through decode."""
    source = source or ["--model", place.model(place.options.shape)]
    rows = place.bench("generate", *source, "--runs", runs, "--batch", batch,
                       "--prompt-tokens", prompt + 1, "--new-tokens", new, *words)
    prefill, decode = rows["generate/prefill"], rows["generate/decode"]
    return {"prefill": prefill["rate"], "decode": decode["rate"],
            "weights GB/s": 1e-9 * decode["bytes"] / decode["time_s"],
            "seconds": prefill["time_s"] + decode["time_s"], "decode s": decode["time_s"],
            "bytes": decode["bytes"], "flops": decode["flops"]}


# ---- beside llama.cpp ----


def their_generation(place, batch, prompt, new):
    return place.rival("llama.py", place.gguf(place.options.shape), place.threads, prompt, new,
                       batch)


def generate(place):
    options = place.options
    few, many = (1, options.prompt, options.new), (options.batch, 16, options.new)
    place.need("llama_cpp")
    llama = [their_generation(place, *how) for how in (few, many)]

    def both(one, other):
        def run():
            found = one()
            for name, value in other().items():
                found[name + " batched"] = value
            return found
        return run

    def ours(*words):
        return both(*[lambda how=how: our_generation(place, *how, *words) for how in (few, many)])

    idle, samples, median = place.measure_all({
        "ours": ours(), "ours exact": ours("--exact"), "llama.cpp": both(*llama)})
    mine, exact, theirs, most = (median[n] for n in ("ours", "ours exact", "llama.cpp", "ceilings"))
    figures = [figure("%s, %s, tok/s" % (name, part), median[name][part])
               for part in ("prefill", "decode", "decode batched")
               for name in ("ours", "ours exact", "llama.cpp")]
    figures += [
        figure("prefill over llama.cpp", mine["prefill"] / theirs["prefill"], 10, 15),
        figure("decode over llama.cpp", mine["decode"] / theirs["decode"], 1.35),
        figure("decode over the bandwidth of reading", mine["weights GB/s"] / most["read GB/s"],
               0.75, 0.85),
        figure("%d sequences over llama.cpp" % options.batch,
               mine["decode batched"] / theirs["decode batched"], 3),
    ]
    figures += [figure("exact over ours, " + part, exact[part] / mine[part])
                for part in ("prefill", "decode", "decode batched")]
    place.finish(idle, samples, figures, "tok/s; ours samples and takes statistics of each token, "
                 "llama.cpp is given the next token")


def taken(place):
    """One processor belongs to another program meanwhile."""
    options = place.options
    few = 1, 16, options.new
    place.need("llama_cpp")
    llama = their_generation(place, *few)

    def ours():
        return our_generation(place, *few)

    def beside(program):
        def run():
            cpu = str(max(os.sched_getaffinity(0)))
            thief = subprocess.Popen(["taskset", "-c", cpu, sys.executable, "-c", "while 1: pass"])
            try:
                return program()
            finally:
                thief.kill()
                thief.wait()
        return run

    idle, samples, median = place.measure_all({
        "ours": ours, "ours taken": beside(ours), "llama.cpp": llama,
        "llama.cpp taken": beside(llama)})
    figures = [figure(name + ", tok/s", median[name]["decode"]) for name in median
               if name != "ceilings"]
    for name, bar in (("ours", "<2.5"), ("llama.cpp", None)):
        slower = median[name]["decode"] / median[name + " taken"]["decode"]
        figures.append(figure(name + ": times slower with a core taken", slower, bar))
    place.finish(idle, samples, figures, "decode of one sequence, tok/s")


# ---- beside transformers ----


def transformers(place, shape, how, batch, *words):
    options = place.options
    return place.rival("torch_generate.py", place.shape(shape), how, place.device, place.threads,
                       batch, options.prompt, options.new, *words)


def of_shape(place, shape, batch, *words):
    """Ours, with random weights of a shape."""
    options = place.options
    source = ["--config", place.shape(shape), "--dtype", "bf16"]
    return lambda: our_generation(place, batch, options.prompt, options.new, *words, source=source,
                                  runs=options.runs)


def decode(place):
    """One sequence."""
    options = place.options
    place.need("torch", "transformers")
    programs = {}
    for shape in options.shapes:
        programs["ours " + shape] = of_shape(place, shape, 1)
        programs["ours exact " + shape] = of_shape(place, shape, 1, "--exact")
        programs["compiled loop " + shape] = transformers(place, shape, "loop", 1)
        programs["generate " + shape] = transformers(place, shape, "generate", 1)
    idle, samples, median = place.measure_all(programs, place.limits())
    figures = [figure(name + ", tok/s", median[name]["decode"]) for name in programs]
    for shape in options.shapes:
        mine = median["ours " + shape]
        loop, plain = (median[name + shape]["decode"] for name in ("compiled loop ", "generate "))
        memory = max(rate for name, rate in median["ceilings"].items() if name.endswith(" GB/s"))
        figures += [
            figure(shape + " over measured bandwidth", mine["weights GB/s"] / memory, 0.70, 0.85),
            figure(shape + " over the compiled loop", mine["decode"] / loop, 1.3),
            figure(shape + " over generate", mine["decode"] / plain, 8),
            figure(shape + ", exact over ours",
                   median["ours exact " + shape]["decode"] / mine["decode"])]
    place.finish(idle, samples, figures, "%d + %d tokens; rivals are greedy, ours samples and "
                 "takes statistics" % (options.prompt, options.new))


def batched(place):
    """Many sequences."""
    options, shape = place.options, place.options.shape
    place.need("torch", "transformers")
    programs = {}
    for batch in options.batches:
        programs["ours %d" % batch] = of_shape(place, shape, batch)
        programs["batching %d" % batch] = transformers(place, shape, "batching", batch,
                                                       options.batching)
    idle, samples, median = place.measure_all(programs, place.limits())
    figures = [figure(name + ", tok/s", median[name]["decode"]) for name in programs]
    for batch in options.batches:
        mine, theirs = median["ours %d" % batch], median["batching %d" % batch]
        best = measure.floor(mine, median["ceilings"])
        figures += [
            figure("%d over the roofline" % batch, best / mine["decode s"], 0.60, 0.80),
            figure("%d over continuous batching" % batch, mine["decode"] / theirs["decode"], 3),
            figure("%d over continuous batching, with prefill" % batch,
                   theirs["seconds"] / mine["seconds"])]
    place.finish(idle, samples, figures, "%d + %d tokens each; rivals are greedy, ours samples and "
                 "takes statistics" % (options.prompt, options.new))


def ragged(place):
    """Completions of many lengths beside those of one. Longer ones have more to read: goodput is
    what is reached of the roofline of the tokens made, with every slot taken."""
    options = place.options
    place.need("torch", "transformers")
    idle, samples, median = place.measure_all(
        {"ragged": of_shape(place, options.shape, options.batch, "--lengths"),
         "steady": of_shape(place, options.shape, options.batch)}, place.limits())
    share = {name: measure.floor(median[name], median["ceilings"]) / median[name]["decode s"]
             for name in ("ragged", "steady")}
    figures = [figure(name + ", tok/s", median[name]["decode"]) for name in share]
    figures += [figure(name + " over the roofline", share[name]) for name in share]
    figures.append(figure("goodput of ragged over steady", share["ragged"] / share["steady"],
                          0.85, 0.93))
    place.finish(idle, samples, figures, "%d slots, %d + %d tokens; ragged: log-normal, of that "
                 "mean" % (options.batch, options.prompt, options.new))
