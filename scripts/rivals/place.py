# SPDX-License-Identifier: MIT
"""Where a comparison takes place: options, the program, rivals, and a folder for what is made."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import measure
from measure import call

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
TILES = "show_tiles.so"
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt")


class Rival:
    """A script of this folder in a process of its own: see door.py. On a GPU, where loading takes
    far longer than what is measured, it stays between rounds."""

    def __init__(self, place, script, *words):
        self.place, self.script = place, script
        self.words = [str(word) for word in (place.python, HERE / script, *words)]
        self.process = None

    def start(self):
        env = dict(os.environ, **self.place.rival_environment())
        self.process = subprocess.Popen(self.words, env=env, text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, start_new_session=True)
        measure.residents.add(self.process.pid)

    def end(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()
            measure.residents.discard(self.process.pid)
            self.process = None

    def __call__(self):
        if not self.process:
            self.start()
        self.process.stdin.write("measure\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit("failed (%d): %s" % (self.process.wait(), " ".join(self.words)))
        found = json.loads(line)
        if "about" in found:
            self.place.note(found.pop("about"))
        if not self.place.stays:
            self.end()
        return found


class Place:
    def __init__(self, options):
        self.options = options
        self.build = pathlib.Path(options.build).resolve()
        self.program = self.build / "intuitor"
        self.work = pathlib.Path(options.work or self.build / "rivals").resolve()
        self.python = os.environ.get("INTUITOR_RIVALS_PYTHON") or sys.executable
        self.threads = str(options.threads)
        self.device = options.device
        self.stays = options.stay or self.device == "cuda"
        self.rivals = []
        self.notes = []
        if not self.program.exists():
            sys.exit("%s is missing: name the build folder with --build" % self.program)
        self.work.mkdir(parents=True, exist_ok=True)

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    # ---- programs ----

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

    def compile_tiles(self):
        self.compile("show_tiles", "-fPIC", "-shared")

    def rival_environment(self):
        """For the processor, oneDNN's tiles, alone and in PyTorch: see show_tiles.c."""
        env = {"OMP_NUM_THREADS": self.threads, "HF_HUB_OFFLINE": "1",
               "TORCHINDUCTOR_CACHE_DIR": str(self.work / "inductor")}
        if self.device == "cpu":
            env["LD_PRELOAD"] = str(self.work / TILES)
        return env

    def need(self, *packages):
        """Found missing now, not in an hour."""
        if self.device == "cpu":
            self.compile_tiles()
        call([self.python, "-c", "import " + ", ".join(packages)], self.rival_environment())

    def rival(self, script, *words):
        self.rivals.append(Rival(self, script, *words))
        return self.rivals[-1]

    def bench_rows(self, *words, errors=None):
        """errors: a file for what else it has to say."""
        out = call([self.program, "bench", *words, "--json", *["--quiet"] * (not errors),
                    "--backend", self.device, "--threads", self.threads], errors=errors)
        return json.loads(out)

    def bench(self, *words):
        """Rows of `intuitor bench` by their name."""
        return {row["what"]: row for row in self.bench_rows(*words)}

    # ---- models ----

    def shape(self, name):
        """A config.json: a file, or by its name in bench/shapes."""
        if name.endswith(".json"):
            return pathlib.Path(name).resolve()
        return SOURCE / "bench" / "shapes" / (name + ".json")

    def tokenizer(self):
        folder = pathlib.Path(os.environ.get("INTUITOR_DATA", "")) / "tokenizers" / "qwen2.5"
        if not folder.is_dir():
            sys.exit("%s is missing: set INTUITOR_DATA to the folder of the data" % folder)
        return folder

    def model(self, name):
        """A model folder of random weights with the tokenizer of Qwen2.5."""
        folder = self.work / self.shape(name).stem
        seed = self.work / (folder.name + "-shape")
        if not (folder / "config.json").exists():
            seed.mkdir(exist_ok=True)
            for file in TOKENIZER:
                shutil.copyfile(self.tokenizer() / file, seed / file)
            shutil.copyfile(self.shape(name), seed / "config.json")
            call([self.program, "init", "--config", seed / "config.json", "--seed", 1, folder])
        return folder

    def gguf(self, name):
        output = self.work / (self.shape(name).stem + ".gguf")
        if not output.exists():
            part = self.work / (self.shape(name).stem + ".part.gguf")
            call([self.program, "export", "--model", self.model(name), "--dtype", "bf16",
                  "--output", part])
            part.rename(output)
        return output

    # ---- ceilings ----

    def ceilings(self):
        """What bench finds the machine can do, as "read GB/s"; taken anew in each round."""
        names = {"zeros": "tiles of zeros"}
        found = {}
        for row in self.bench_rows("ops", "--ops", "fill"):
            kind, _, name = row["what"].partition("/")
            if kind == "ceiling":
                found["%s %s" % (names.get(name, name), row["unit"])] = row["rate"]
        return found

    # ---- measuring ----

    def limits(self):
        """Those of PyTorch, too: a program for measure_all."""
        megabytes, side = (256, 1024) if self.device == "cpu" else (2048, 8192)
        torch = self.rival("torch_ceilings.py", self.device, self.threads, megabytes, side)
        return lambda: {**self.ceilings(), **torch()}

    def measure_all(self, programs, ceilings=None):
        options = self.options
        idle = measure.wait_until_idle(options.wait, options.force)
        samples = measure.interleave(options.rounds,
                                     dict(programs, ceilings=ceilings or self.ceilings))
        for rival in self.rivals:
            rival.end()
        return idle, samples, measure.medians(samples)

    def finish(self, idle, samples, figures, *notes):
        version = call([self.program, "--version"]).splitlines()[0]
        measure.write(self.options, idle, version, samples, figures, [*notes, *self.notes])
