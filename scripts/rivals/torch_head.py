# SPDX-License-Identifier: MIT
"""The bare products of a head in bf16 on PyTorch: seconds.

    python torch_head.py cpu|cuda THREADS ROWS VOCABULARY HIDDEN RUNS

three: logits and both gradients, all rows at once, logits being there to stay. four: logits once
more."""

import statistics
import sys

import torch
from door import Door
from torch_model import now, release


class Products:
    def __init__(self, device, rows, vocabulary, hidden):
        def random(*sides):
            return torch.randn(*sides, device=device).bfloat16()

        self.x, self.weight = random(rows, hidden), random(vocabulary, hidden)
        self.dlogits = random(rows, vocabulary)
        self.logits, self.dx, self.dw = map(torch.empty_like, (self.dlogits, self.x, self.weight))

    def forward(self):
        torch.matmul(self.x, self.weight.t(), out=self.logits)

    def three(self):
        self.forward()
        torch.matmul(self.dlogits, self.weight, out=self.dx)
        torch.matmul(self.dlogits.t(), self.x, out=self.dw)

    def four(self):
        self.forward()
        self.three()


def seconds(device, work):
    start = now(device)
    work()
    return now(device) - start


def main():
    door, device = Door(), sys.argv[1]
    threads, rows, vocabulary, hidden, runs = map(int, sys.argv[2:7])
    torch.set_num_threads(threads)

    def take():
        products = Products(device, rows, vocabulary, hidden)
        works = {"three": products.three, "four": products.four}
        rounds = [{name: seconds(device, work) for name, work in works.items()}
                  for _ in range(runs + 1)]
        return {name: statistics.median(one[name] for one in rounds[1:]) for name in works}

    def measure():
        found = take()  # what it used is free now
        release(device)
        return found

    door.serve(measure)


main()
