# SPDX-License-Identifier: MIT
"""PyTorch: seconds of a training step of transformers' model, attention by SDPA, AdamW fused.

    python torch_train.py CONFIG.json KIND cpu|cuda THREADS SEQUENCES TOKENS STEPS

KIND: plain: weights, gradients and AdamW's moments in bf16. master: AdamW with moments and masters
in f32 beside weights in bf16, as our trainer keeps them. autocast: weights in f32, products in
bf16. With "+compile" behind it, the model goes through torch.compile."""

import statistics
import sys

import torch
from door import Door
from torch_model import about, now, open_model, release


class Masters:
    """AdamW on copies in f32."""

    def __init__(self, model):
        self.weights = list(model.parameters())
        self.masters = [w.detach().float() for w in self.weights]
        self.adamw = torch.optim.AdamW(self.masters, lr=1e-6, fused=True)

    def step(self):
        for master, weight in zip(self.masters, self.weights):
            master.grad = weight.grad.float()
            weight.grad = None
        self.adamw.step()
        with torch.no_grad():
            for master, weight in zip(self.masters, self.weights):
                weight.copy_(master)
                master.grad = None


class Plain:
    def __init__(self, model):
        self.adamw = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)

    def step(self):
        self.adamw.step()
        self.adamw.zero_grad(set_to_none=True)


def main():
    door = Door()
    path, words, device = sys.argv[1:4]
    kind, _, compiled = words.partition("+")
    threads, sequences, tokens, steps = map(int, sys.argv[4:8])
    torch.set_num_threads(threads)
    dtype = torch.float32 if kind == "autocast" else torch.bfloat16
    model = open_model(path, device, dtype).train()
    optimizer = Masters(model) if kind == "master" else Plain(model)
    run = torch.compile(model) if compiled else model
    ids = torch.randint(0, model.config.vocab_size, (sequences, tokens), device=device)

    def step():
        start = now(device)
        with torch.autocast(device, torch.bfloat16, enabled=kind == "autocast"):
            loss = run(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        passed = now(device)
        optimizer.step()
        return now(device) - start, passed - start

    def measure():
        times = [step() for _ in range(steps + 1)][1:]  # the first warms up
        whole, passes = (statistics.median(t[i] for t in times) for i in (0, 1))
        release(device)
        return {"step": whole, "pass": passes, "optimizer": whole - passes, "about": about()}

    door.serve(measure)


main()
