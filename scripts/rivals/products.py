# SPDX-License-Identifier: MIT
"""Products of matrices, alone and as the head has them."""

import json
import re

from measure import call, figure


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
    idle, samples, median = place.measure_all(programs)
    rate = {name: products.rate(median[name]) for name in programs}
    figures = [figure(name + ", GFLOP/s", value) for name, value in rate.items()]
    for part in ["%d " % t for t in place.options.tokens] + [" forward", " dx", " dw", " head "]:
        for name in programs:
            value = products.rate(median[name], part)
            figures.append(figure("%s, %s, GFLOP/s" % (name, part.strip()), value))
    peak = median["ceilings"].get("tiles GFLOP/s")
    if peak:
        zeros = median["ceilings"]["tiles of zeros GFLOP/s"]
        figures.append(figure("ours over the tiles' peak", rate["ours"] / peak, 0.45, 0.60))
        figures.append(figure("ours over the peak with zeros", rate["ours"] / zeros))
    figures.append(figure("ours over oneDNN", rate["ours"] / rate["onednn"], 1.5))
    figures.append(figure("exact over ours", rate["ours exact"] / rate["ours"]))
    place.finish(idle, samples, figures,
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
    idle, samples, median = place.measure_all(programs)
    rate = {name: products.rate(median[name]) for name in programs}
    figures = [figure(name + ", GFLOP/s", value) for name, value in rate.items()]
    wide = rate["ours avx512"]
    figures += [
        figure("ours over oneDNN", wide / rate["onednn"]),
        figure("ours over OpenBLAS, AVX-512", wide / rate["openblas SkylakeX"], 0.9, 1.0),
        figure("ours over OpenBLAS, AVX2", rate["ours avx2"] / rate["openblas Haswell"], 0.9, 1.0),
    ]
    place.finish(idle, samples, figures, "seconds of one product")


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
    idle, samples, median = place.measure_all(programs)
    figures = []
    for name, bar, stretch in (("", 1.15, 1.05), (" exact", None, None)):
        bare, head_s = median["bare" + name], median["ours" + name]["head"]
        three = sum(bare[product] for product in products.work)
        four = three + bare["%d head forward" % tokens]
        figures += [
            figure("ours%s, s of the head of %d rows" % (name, tokens - 1), head_s),
            figure("bare%s, s of the same four products, logits twice" % name, four),
            figure("ours over bare" + name, head_s / four, bar and "<%g" % bar,
                   stretch and "<%g" % stretch),
            figure("ours%s over three: logits of all rows kept" % name, head_s / three),
        ]
    place.finish(idle, samples, figures,
                 "a pass of %d predictions less a pass of one, with one layer" % tokens)


def head_gemm(place):
    """The head as one operation beside its products alone: our own, and PyTorch's."""
    options = place.options
    config = place.shape(options.shape)
    with open(config) as file:
        words = json.load(file)
    place.need("torch", "transformers")
    log = place.work / "head.log"

    def ours():
        found = {}
        with open(log, "w") as errors:
            rows = place.bench_rows("ops", "--ops", "head", "--config", config, "--dtype", "bf16",
                                    "--runs", options.runs, errors=errors)
        for row in rows:
            name, size = row["what"].partition("/")[2], re.match(r"t=(\d+)", row["shape"])
            if name in ("products", "fwd+bwd"):
                found["%s %s" % (size[1], name)] = row["time_s"]
        for size, scratch in re.findall(r"head, (\d+) rows: .* ([0-9.]+) MB", log.read_text()):
            found[size + " scratch GB"] = 1e-3 * float(scratch)
        return found

    def torch(rows):
        return place.rival("torch_head.py", place.device, place.threads, rows,
                           words["vocab_size"], words["hidden_size"], options.runs)

    rivals = {"PyTorch %d" % rows: torch(rows) for rows in options.rows}
    idle, samples, median = place.measure_all({"ours": ours, **rivals})
    figures = []
    for rows in options.rows:
        mine, theirs = median["ours"], median["PyTorch %d" % rows]
        whole, bare = mine["%d fwd+bwd" % rows], mine["%d products" % rows]
        figures += [
            figure("%d rows, s of the head" % rows, whole),
            figure("%d rows, over its four products" % rows, whole / bare, "<1.15", "<1.05"),
            figure("%d rows, over PyTorch's four products" % rows, whole / theirs["four"]),
            figure("%d rows, over PyTorch's three" % rows, whole / theirs["three"]),
            figure("%d rows, GB of scratch" % rows, mine["%d scratch GB" % rows], "<0.35")]
    place.finish(idle, samples, figures,
                 "logits never exist as a whole and backward makes them again: four products")
