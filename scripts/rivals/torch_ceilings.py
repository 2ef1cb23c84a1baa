# SPDX-License-Identifier: MIT
"""What PyTorch reaches with nothing else to do: reading and copying memory, and a square product
in bf16 of random numbers (constants would cost less power, and so run at a higher clock).

    python torch_ceilings.py cpu|cuda THREADS MEBIBYTES SIDE"""

import statistics
import sys

import torch
from door import Door
from torch_model import now, release

RUNS, TIMES = 10, 4


def seconds(device, work):
    work()
    times = []
    for _ in range(RUNS):
        start = now(device)
        for _ in range(TIMES):
            work()
        times.append((now(device) - start) / TIMES)
    return statistics.median(times)


def memory(device, size):
    numbers = torch.ones(size // 4, device=device)
    copy = torch.empty_like(numbers)
    read = size / seconds(device, numbers.sum)
    moved = 2 * size / seconds(device, lambda: copy.copy_(numbers))
    return {"torch read GB/s": 1e-9 * read, "torch copy GB/s": 1e-9 * moved}


def product(device, side):
    a, b = (torch.randn(side, side, device=device).bfloat16() for _ in range(2))
    y = torch.empty_like(a)
    rate = 2 * side**3 / seconds(device, lambda: torch.matmul(a, b.t(), out=y))
    return {"torch product GFLOP/s": 1e-9 * rate}


def main():
    door, device = Door(), sys.argv[1]
    threads, mebibytes, side = map(int, sys.argv[2:5])
    torch.set_num_threads(threads)

    def measure():
        found = memory(device, mebibytes << 20)
        found.update(product(device, side))
        release(device)
        return found

    door.serve(measure)


main()
