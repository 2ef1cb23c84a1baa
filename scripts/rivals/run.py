#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""This program beside its rivals on the CPU, in one interleaved run: scripts/rivals/README.md."""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True  # the source tree stays as it is
import measure  # noqa: E402
from measure import call, figure  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
TILES = "show_tiles.so"


class Place:
    """Where things are: options, the program, and a folder for what is made."""

    def __init__(self, options):
        self.options = options
        self.build = pathlib.Path(options.build).resolve()
        self.program = self.build / "intuitor"
        self.work = pathlib.Path(options.work or self.build / "rivals").resolve()
        self.python = os.environ.get("INTUITOR_RIVALS_PYTHON") or sys.executable
        self.threads = str(options.threads)
        self.notes = []
        if not self.program.exists():
            sys.exit("%s is missing: name the build folder with --build" % self.program)
        self.work.mkdir(parents=True, exist_ok=True)

    def compile(self, name, *flags, compiler=("cc",)):
        """A C program of this folder; gemm_X is linked with the frame of all of them."""
        sources = [HERE / (name + ".c")] + [HERE / "gemm.c"] * name.startswith("gemm_")
        output = self.work / (name + ".so" * ("-shared" in flags))
        call([*compiler, "-std=gnu17", "-O2", *sources, "-o", output, *flags])
        return output

    def compile_ours(self):
        libtool = [self.build / "libtool", "--quiet", "--tag=CC", "--mode=link", "cc"]
        library = self.build / "libintuitor.la"
        return self.compile("gemm_ours", "-I%s" % SOURCE, "-I%s" % self.build, library, "-lm",
                            compiler=libtool)

    def rival_environment(self):
        """For oneDNN, alone and in PyTorch: see show_tiles.c."""
        return {"OMP_NUM_THREADS": self.threads, "LD_PRELOAD": str(self.work / TILES)}

    def compile_tiles(self):
        self.compile("show_tiles", "-fPIC", "-shared")

    def need(self, *packages):
        """Found missing now, not in an hour."""
        call([self.python, "-c", "import " + ", ".join(packages)], self.rival_environment())

    def rival(self, script, *words):
        out = call([self.python, HERE / script, *words], self.rival_environment())
        return json.loads(out.splitlines()[-1])

    def bench(self, *words):
        """Rows of `intuitor bench` by their name."""
        out = call([self.program, "bench", *words, "--json", "--quiet", "--backend", "cpu",
                    "--threads", self.threads])
        return {row["what"]: row for row in json.loads(out)}

    def shape(self, name):
        return SOURCE / "bench" / "shapes" / (name + ".json")

    def model(self, name):
        """A model folder of random weights with the tokenizer of Qwen2.5."""
        folder, seed = self.work / name, self.work / (name + "-shape")
        if not (folder / "config.json").exists():
            tokenizer = pathlib.Path(os.environ.get("INTUITOR_DATA", "")) / "tokenizers" / "qwen2.5"
            if not tokenizer.is_dir():
                sys.exit("%s is missing: set INTUITOR_DATA to the folder of the data" % tokenizer)
            seed.mkdir(exist_ok=True)
            for file in ("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt"):
                shutil.copyfile(tokenizer / file, seed / file)
            shutil.copyfile(self.shape(name), seed / "config.json")
            call([self.program, "init", "--config", seed / "config.json", "--seed", 1, folder])
        return folder

    def gguf(self, name):
        output = self.work / (name + ".gguf")
        if not output.exists():
            part = self.work / (name + ".part.gguf")
            call([self.program, "export", "--model", self.model(name), "--dtype", "bf16",
                  "--output", part])
            part.rename(output)
        return output


# ---- ceilings ----


def ceilings(place):
    rows = place.bench("ops", "--ops", "fill")
    found = {"read GB/s": rows["ceiling/read"]["rate"], "fma GFLOP/s": rows["ceiling/fma"]["rate"]}
    if "ceiling/tiles" in rows:
        found["tiles GFLOP/s"] = rows["ceiling/tiles"]["rate"]
    return found


def measure_all(place, programs):
    """The ceilings are taken anew in each round, like everything else."""
    options = place.options
    idle = measure.wait_until_idle(options.wait, options.force)
    samples = measure.interleave(options.rounds,
                                 dict(programs, ceilings=lambda: ceilings(place)))
    return idle, samples, measure.medians(samples)


def finish(place, idle, samples, figures, *notes):
    version = call([place.program, "--version"]).splitlines()[0]
    measure.write(place.options.output, place.options.what, idle, version, samples, figures,
                  [*notes, *place.notes])


# ---- products ----


class Products:
    """The products of gemm.c, in one program or another."""

    def __init__(self, place, dtype):
        self.place, self.dtype = place, dtype
        self.work = {}  # name: how often a step has it, and its operations

    def time(self, program, environment, *words):
        """A function that returns {"512 qkv forward": seconds}."""
        options = self.place.options
        words += ("small",) if vars(options).get("small") else ()

        def run():
            times = {}
            for tokens in options.tokens:
                out = call([program, self.dtype, tokens, options.runs, self.place.threads, *words],
                           environment)
                for line in out.splitlines():
                    row = json.loads(line)
                    name = "%d %s" % (tokens, row["name"])
                    times[name] = row["seconds"]
                    self.work[name] = row["count"], 2.0 * row["m"] * row["n"] * row["k"]
            return times

        return run

    def rate(self, times, part=""):
        """GFLOP/s of all products together, or of a part, each as often as a step has it."""
        chosen = [name for name in self.work if part in name]
        flops = sum(self.work[name][0] * self.work[name][1] for name in chosen)
        return 1e-9 * flops / sum(self.work[name][0] * times[name] for name in chosen)


def gemm(place):
    ours = place.compile_ours()
    rival = place.compile("gemm_onednn", "-ldnnl", "-lm")
    place.compile_tiles()
    products = Products(place, "bf16")
    programs = {
        "ours": products.time(ours, {}),
        "ours exact": products.time(ours, {}, "exact"),
        "onednn": products.time(rival, place.rival_environment()),
    }
    idle, samples, median = measure_all(place, programs)
    rate = {name: products.rate(median[name]) for name in programs}
    figures = [figure(name + ", GFLOP/s", value) for name, value in rate.items()]
    for part in ["%d " % t for t in place.options.tokens] + [" forward", " dx", " dw", " head "]:
        for name in programs:
            value = products.rate(median[name], part)
            figures.append(figure("%s, %s, GFLOP/s" % (name, part.strip()), value))
    peak = median["ceilings"].get("tiles GFLOP/s")
    if peak:
        figures.append(figure("ours over the tiles' peak", rate["ours"] / peak, 0.45, 0.60))
    figures.append(figure("ours over oneDNN", rate["ours"] / rate["onednn"], 1.5))
    figures.append(figure("exact over ours", rate["ours exact"] / rate["ours"]))
    finish(place, idle, samples, figures,
           "seconds of one product; rates weigh each as often as a training step has it",
           "oneDNN: second operand in its own layout beforehand, gradients of weights too")


def f32(place):
    ours = place.compile_ours()
    openblas = place.compile("gemm_openblas", "-lopenblas", "-lm")
    onednn = place.compile("gemm_onednn", "-ldnnl", "-lm")
    place.compile_tiles()
    products = Products(place, "f32")

    def blas(core):
        words = {"OPENBLAS_CORETYPE": core, "OPENBLAS_NUM_THREADS": place.threads}
        return products.time(openblas, words)

    programs = {
        "ours avx512": products.time(ours, {"INTUITOR_ISA": "avx512"}),
        "openblas SkylakeX": blas("SkylakeX"),
        "onednn": products.time(onednn, place.rival_environment()),
        "ours avx2": products.time(ours, {"INTUITOR_ISA": "avx2"}),
        "openblas Haswell": blas("Haswell"),
    }
    idle, samples, median = measure_all(place, programs)
    rate = {name: products.rate(median[name]) for name in programs}
    figures = [figure(name + ", GFLOP/s", value) for name, value in rate.items()]
    wide = rate["ours avx512"]
    figures += [
        figure("ours over oneDNN", wide / rate["onednn"]),
        figure("ours over OpenBLAS, AVX-512", wide / rate["openblas SkylakeX"], 0.9, 1.0),
        figure("ours over OpenBLAS, AVX2", rate["ours avx2"] / rate["openblas Haswell"], 0.9, 1.0),
    ]
    finish(place, idle, samples, figures, "seconds of one product")


def head(place):
    """All rows that predict, less one that does: what is left is the head of the others."""
    options, tokens = place.options, place.options.tokens[0]
    ours, products = place.compile_ours(), Products(place, "bf16")
    with open(place.shape("qwen2.5-1.5b")) as file:
        config = dict(json.load(file), num_hidden_layers=1)
    path = place.work / "1-layer.json"
    path.write_text(json.dumps(config))

    def passes(prompt, *words):
        rows = place.bench("train", "--config", path, "--dtype", "bf16", "--runs", options.runs,
                           "--batch", 1, "--prompt-tokens", prompt, "--new-tokens",
                           tokens + 1 - prompt, *words)
        return rows["train/pass"]["time_s"]

    def whole(*words):
        return lambda: {"head": passes(1, *words) - passes(tokens, *words)}

    programs = {"ours": whole(), "ours exact": whole("--exact"),
                "bare": products.time(ours, {}, "head"),
                "bare exact": products.time(ours, {}, "head", "exact")}
    idle, samples, median = measure_all(place, programs)
    figures = []
    for name, bar, stretch in (("", 1.15, 1.05), (" exact", None, None)):
        bare, head_s = median["bare" + name], median["ours" + name]["head"]
        three = sum(bare[product] for product in products.work)
        again = bare["%d head forward" % tokens]
        figures += [
            figure("ours%s, s of the head of %d rows" % (name, tokens - 1), head_s),
            figure("bare%s, s of its three products" % name, three),
            figure("ours over bare" + name, head_s / three, bar and "<%g" % bar,
                   stretch and "<%g" % stretch),
            figure("ours over bare%s, logits computed twice" % name, head_s / (three + again)),
        ]
    finish(place, idle, samples, figures,
           "a pass of %d predictions less a pass of one, with one layer" % tokens)


# ---- generation ----


def our_generation(place, batch, prompt, new, exact=False):
    rows = place.bench("generate", "--model", place.model(place.options.shape), "--runs", 1,
                       "--batch", batch, "--prompt-tokens", prompt + 1, "--new-tokens", new,
                       *["--exact"] * exact)  # the last token of a prompt goes through decode
    decode = rows["generate/decode"]
    return {"prefill": rows["generate/prefill"]["rate"], "decode": decode["rate"],
            "weights GB/s": 1e-9 * decode["bytes"] / decode["time_s"]}


def their_generation(place, batch, prompt, new):
    file = place.gguf(place.options.shape)
    found = place.rival("llama.py", file, place.threads, prompt, new, batch)
    place.notes = ["llama.cpp: " + found["system"]]
    return {"prefill": found["prefill"], "decode": found["decode"]}


def generate(place):
    options = place.options
    few, many = (1, options.prompt, options.new), (options.batch, 16, options.new)
    place.compile_tiles()
    place.need("llama_cpp")
    place.gguf(options.shape)

    def both(generation, **more):
        def run():
            found = generation(place, *few, **more)
            for name, value in generation(place, *many, **more).items():
                found[name + " batched"] = value
            return found
        return run

    idle, samples, median = measure_all(place, {
        "ours": both(our_generation), "ours exact": both(our_generation, exact=True),
        "llama.cpp": both(their_generation)})
    ours, exact, theirs, most = (median[n] for n in ("ours", "ours exact", "llama.cpp", "ceilings"))
    figures = [figure("%s, %s, tok/s" % (name, part), median[name][part])
               for part in ("prefill", "decode", "decode batched")
               for name in ("ours", "ours exact", "llama.cpp")]
    figures += [
        figure("prefill over llama.cpp", ours["prefill"] / theirs["prefill"], 10, 15),
        figure("decode over llama.cpp", ours["decode"] / theirs["decode"], 1.35),
        figure("decode over the bandwidth of reading", ours["weights GB/s"] / most["read GB/s"],
               0.75, 0.85),
        figure("%d sequences over llama.cpp" % options.batch,
               ours["decode batched"] / theirs["decode batched"], 3),
    ]
    figures += [figure("exact over ours, " + part, exact[part] / ours[part])
                for part in ("prefill", "decode", "decode batched")]
    finish(place, idle, samples, figures, "tok/s; ours samples and takes statistics of each token, "
           "llama.cpp is given the next token")


def taken(place):
    """One processor belongs to another program meanwhile."""
    options = place.options
    few = (1, 16, options.new)
    place.compile_tiles()
    place.need("llama_cpp")
    place.gguf(options.shape)

    def beside(generation):
        def run():
            cpu = str(max(os.sched_getaffinity(0)))
            thief = subprocess.Popen(["taskset", "-c", cpu, sys.executable, "-c", "while 1: pass"])
            try:
                return generation(place, *few)
            finally:
                thief.kill()
                thief.wait()
        return run

    idle, samples, median = measure_all(place, {
        "ours": lambda: our_generation(place, *few), "ours taken": beside(our_generation),
        "llama.cpp": lambda: their_generation(place, *few),
        "llama.cpp taken": beside(their_generation)})
    figures = [figure(name + ", tok/s", median[name]["decode"]) for name in median
               if name != "ceilings"]
    for name, bar in (("ours", "<2.5"), ("llama.cpp", None)):
        slower = median[name]["decode"] / median[name + " taken"]["decode"]
        figures.append(figure(name + ": times slower with a core taken", slower, bar))
    finish(place, idle, samples, figures, "decode of one sequence, tok/s")


# ---- training ----


def train(place):
    options = place.options
    config, tokens = place.shape(options.shape), options.tokens[0]
    place.compile_tiles()
    place.need("torch", "transformers")

    def ours(*words):
        rows = place.bench("train", "--config", config, "--dtype", "bf16", "--runs", options.runs,
                           "--batch", options.batch, "--prompt-tokens", 1,
                           "--new-tokens", tokens - 1, *words)
        passes, optimizer = (rows["train/" + part]["time_s"] for part in ("pass", "optimizer"))
        return {"step": passes + optimizer, "pass": passes, "optimizer": optimizer}

    def theirs(kind):
        return lambda: place.rival("torch_train.py", config, kind, place.threads, options.batch,
                                   tokens, options.runs)

    rivals = {"torch " + kind: theirs(kind) for kind in options.kinds}
    idle, samples, median = measure_all(
        place, {"ours": ours, "ours exact": lambda: ours("--exact"), **rivals})
    fastest = min(rivals, key=lambda name: median[name]["step"])
    figures = [figure(name + ", s a step", median[name]["step"])
               for name in ("ours", "ours exact", *rivals)]
    figures.append(figure("ours over PyTorch (%s)" % fastest,
                          median[fastest]["step"] / median["ours"]["step"], 2, 4))
    figures.append(figure("exact over ours", median["ours"]["step"] / median["ours exact"]["step"]))
    finish(place, idle, samples, figures,
           "%d x %d tokens of %s" % (options.batch, tokens, options.shape))


def write_prompts(place):
    path = place.work / ("prompts-%d.jsonl" % place.options.prompts)
    with open(path, "w") as file:
        for i in range(place.options.prompts):
            text = "A train covers %d km in %d minutes. How far does it get in an hour?"
            record = {"problem": text % (i + 41, i + 17), "answer": str(i)}
            file.write(json.dumps(record) + "\n")
    return path


def our_update(place, model, prompts, exact):
    options, run = place.options, place.work / "update"
    group = options.group
    call([place.program, "train", place.work / "update.yaml", "--quiet", "--overwrite",
          "--backend", "cpu", "--threads", place.threads,
          "model_name_or_path=%s" % model, "dataset_name=%s" % prompts,
          "num_generations=%d" % group, "per_device_train_batch_size=%d" % group,
          "gradient_accumulation_steps=%d" % options.prompts, "num_processes=1",
          "max_completion_length=%d" % options.new, "beta=%g" % options.beta,
          "exact=%s" % str(exact).lower(), "output_dir=%s" % run])
    with open(run / "metrics.jsonl") as file:
        lines = [json.loads(line) for line in file]
    last = [line for line in lines if "step_time" in line][-1]
    return {"update": last["step_time"], "rollout": last["time/rollout_s"],
            "train": last["time/train_s"], "score": last["time/score_s"]}


RECIPE = """method: intuitor
torch_dtype: bfloat16
dataset_prompt_column: problem
dataset_solution_column: answer
max_prompt_length: 256
max_steps: 1
save_strategy: "no"
eval_dataset: none
"""


def update(place):
    options = place.options
    place.compile_tiles()
    place.need("torch", "transformers", "trl", "datasets")
    model, prompts = place.model(options.shape), write_prompts(place)
    (place.work / "update.yaml").write_text(RECIPE)

    def trl():
        return place.rival("trl_update.py", model, prompts, place.threads, options.group,
                           options.new, options.micro or options.group, options.beta,
                           place.work / "trl")

    idle, samples, median = measure_all(place, {
        "ours": lambda: our_update(place, model, prompts, False),
        "ours exact": lambda: our_update(place, model, prompts, True), "trl": trl})
    figures = [figure("%s, s of %s" % (name, part), median[name][part])
               for part in ("update", "rollout", "train") for name in ("ours", "ours exact", "trl")]
    ours, exact, theirs = (median[name]["update"] for name in ("ours", "ours exact", "trl"))
    figures.append(figure("ours over TRL", theirs / ours, 4, 8))
    figures.append(figure("exact over ours", ours / exact))
    finish(place, idle, samples, figures, "%d prompts x %d completions of %d tokens of %s"
           % (options.prompts, options.group, options.new, options.shape))


# ---- the command ----


def whole_numbers(text):
    return [int(word) for word in text.split(",")]


COMMANDS = {
    # name: function, and its own options with their defaults
    "gemm": (gemm, {"tokens": "512,2048", "runs": 3, "small": False}),
    "f32": (f32, {"tokens": "512", "runs": 3, "small": False}),
    "head": (head, {"tokens": "1024", "runs": 3}),
    "generate": (generate, {"shape": "qwen2.5-1.5b", "prompt": 512, "new": 32, "batch": 16}),
    "train": (train, {"shape": "qwen2.5-0.5b", "batch": 4, "tokens": "512", "runs": 2,
                      "kinds": "plain,master"}),
    "update": (update, {"shape": "qwen2.5-0.5b", "prompts": 16, "group": 7, "new": 128, "micro": 0,
                        "beta": 0.005}),
    "taken": (taken, {"shape": "qwen2.5-1.5b", "new": 32}),
}


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="what", required=True)
    for name, (_, own) in COMMANDS.items():
        command = commands.add_parser(name)
        command.add_argument("--output", required=True, help="JSON file to write")
        command.add_argument("--build", default=".", help="where the program was built; .")
        command.add_argument("--work", help="folder for models and programs; unset: BUILD/rivals")
        command.add_argument("--rounds", type=int, default=5, help="that medians are taken of; 5")
        command.add_argument("--threads", type=int, default=2, help="2")
        command.add_argument("--wait", type=int, default=600,
                             help="seconds to wait for idleness; 600")
        command.add_argument("--force", action="store_true", help="measure on a busy machine too")
        for option, value in own.items():
            if value is False:
                command.add_argument("--" + option, action="store_true", help="to try it out")
            else:
                command.add_argument("--" + option, type=type(value), default=value,
                                     help="%(default)s")
    options = parser.parse_args()
    if "tokens" in options:
        options.tokens = whole_numbers(options.tokens)
    if "kinds" in options:
        options.kinds = options.kinds.split(",")
    return options


def main():
    options = parse()
    COMMANDS[options.what][0](Place(options))


if __name__ == "__main__":
    main()
