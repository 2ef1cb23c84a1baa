# SPDX-License-Identifier: MIT
"""PyTorch on the CPU: seconds of a training step of transformers' model, one line of JSON.

    python torch_train.py CONFIG.json plain|master|autocast THREADS SEQUENCES TOKENS STEPS [compile]

plain: weights, gradients and AdamW's moments in bf16. master: AdamW with moments and masters in f32
beside weights in bf16, as our trainer keeps them. autocast: weights in f32, products in bf16."""

import json
import statistics
import sys
import time

import torch
import transformers


def open_model(path, kind):
    with open(path) as file:
        words = json.load(file)
    words.pop("torch_dtype", None)
    torch.manual_seed(1)
    config = transformers.AutoConfig.for_model(**words)
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
    return model.to(torch.float32 if kind == "autocast" else torch.bfloat16).train()


class Masters:
    """AdamW on copies in f32."""

    def __init__(self, model):
        self.weights = list(model.parameters())
        self.masters = [w.detach().float() for w in self.weights]
        self.adamw = torch.optim.AdamW(self.masters, lr=1e-6, fused=True)

    def step(self):
        for master, weight in zip(self.masters, self.weights):
            master.grad = weight.grad.float()
        self.adamw.step()
        with torch.no_grad():
            for master, weight in zip(self.masters, self.weights):
                weight.copy_(master)
                master.grad = weight.grad = None


class Plain:
    def __init__(self, model):
        self.adamw = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)

    def step(self):
        self.adamw.step()
        self.adamw.zero_grad(set_to_none=True)


def main():
    path, kind = sys.argv[1:3]
    threads, sequences, tokens, steps = map(int, sys.argv[3:7])
    torch.set_num_threads(threads)
    model = open_model(path, kind)
    optimizer = Masters(model) if kind == "master" else Plain(model)
    run = torch.compile(model) if "compile" in sys.argv[7:] else model
    ids = torch.randint(0, model.config.vocab_size, (sequences, tokens))
    times = []
    for _ in range(steps + 1):  # the first warms up
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=kind == "autocast"):
            loss = run(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        passed = time.perf_counter()
        optimizer.step()
        times.append((time.perf_counter() - start, passed - start))
    step, passes = (statistics.median(t[i] for t in times[1:]) for i in (0, 1))
    print(json.dumps({"step": step, "pass": passes, "optimizer": step - passes}))


main()
