#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""This program beside its rivals, in one interleaved run: scripts/rivals/README.md."""

import argparse
import sys

sys.dont_write_bytecode = True  # the source tree stays as it is
from generation import batched, decode, generate, ragged, taken  # noqa: E402
from place import Place  # noqa: E402
from products import f32, gemm, head, head_gemm  # noqa: E402
from training import full, train, update  # noqa: E402

CPU, CUDA = ("cpu",), ("cpu", "cuda")


class By:
    """A default for each device."""

    def __init__(self, cpu, cuda):
        self.cpu, self.cuda = cpu, cuda

    def __str__(self):
        return "%s; cuda: %s" % (self.cpu, self.cuda)


COMMON = {
    # name: default, and help
    "build": (".", "folder where the program was built"),
    "work": ("", "folder for models and programs; unset: BUILD/rivals"),
    "rounds": (By(5, 3), "that medians are taken of"),
    "threads": (By(2, 8), "of the processor"),
    "wait": (600, "seconds to wait for idleness"),
    "force": (False, "measure on a busy machine too"),
    "stay": (False, "rivals stay loaded between rounds, as they do on a GPU"),
}

BIG, BIGGER = "qwen2.5-1.5b", "qwen2.5-3b"
COMMANDS = {
    # name: function, devices, and its own options, or own defaults of common ones
    "gemm": (gemm, CPU, {"tokens": "512,2048", "runs": 3, "small": False}),
    "f32": (f32, CPU, {"tokens": "512", "runs": 3, "small": False}),
    "head": (head, CPU, {"tokens": "1024", "runs": 3}),
    "head-gemm": (head_gemm, CUDA, {"shape": BIG, "rows": "512,1024", "runs": By(3, 20)}),
    "generate": (generate, CPU, {"shape": BIG, "prompt": 512, "new": 32, "batch": 16}),
    "taken": (taken, CPU, {"shape": BIG, "new": 32}),
    "decode": (decode, CUDA, {"shapes": BIG + "," + BIGGER, "prompt": 64, "new": 128, "runs": 3}),
    "batched": (batched, CUDA, {"shape": BIG, "batches": "64,256", "prompt": 704, "new": 128,
                                "runs": 2, "batching": "{}", "rounds": By(5, 2)}),
    "ragged": (ragged, CUDA, {"shape": BIG, "batch": 256, "prompt": 120, "new": 700, "runs": 1}),
    "train": (train, CUDA, {"shape": By("qwen2.5-0.5b", BIG), "batch": By(4, 8),
                            "tokens": By("512", "1024"), "runs": By(2, 5),
                            "kinds": By("plain,master", "plain+compile")}),
    "update": (update, CUDA, {"shape": By("qwen2.5-0.5b", BIG), "prompts": By(16, 32), "group": 7,
                              "new": By(128, 512), "micro": By(0, 16), "beta": 0.005,
                              "batching": By("", "{}")}),
    "full": (full, CUDA, {"shapes": BIG + "," + BIGGER, "prompts": 128, "group": 7, "new": 3072,
                          "mean": 700, "beta": 0.005, "steps": 2, "limit": "38GiB",
                          "settings": "", "rounds": 1}),
}
LISTS = {"tokens": int, "rows": int, "batches": int, "kinds": str, "shapes": str}


def add(command, name, default, words="%(default)s"):
    if default is False:
        command.add_argument("--" + name, action="store_true", help=words)
        return
    kind = type(default.cpu if isinstance(default, By) else default)
    command.add_argument("--" + name, type=kind, default=default, help=words)


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="what", required=True)
    for what, (_, devices, own) in COMMANDS.items():
        command = commands.add_parser(what)
        command.add_argument("--output", required=True, help="JSON file to write")
        command.add_argument("--device", choices=devices, default="cpu", help="%(default)s")
        for name, (default, words) in COMMON.items():
            default = own.get(name, default)
            add(command, name, default, words + "; %(default)s" * (default not in (False, "")))
        for name in [name for name in own if name not in COMMON]:
            words = "to try it out" if own[name] is False else "%(default)s"
            add(command, name, own[name], words)
    options = parser.parse_args()
    for name, value in vars(options).items():
        if isinstance(value, By):
            value = getattr(value, options.device)
        if name in LISTS:
            value = [LISTS[name](word) for word in value.split(",")]
        setattr(options, name, value)
    return options


def main():
    options = parse()
    COMMANDS[options.what][0](Place(options))


if __name__ == "__main__":
    main()
