# SPDX-License-Identifier: MIT
"""What the rivals on PyTorch share: a model of random weights, and clocks that wait for the GPU."""

import json
import time

import torch
import transformers


def open_model(path, device, dtype=torch.bfloat16):
    with open(path) as file:
        words = json.load(file)
    words.pop("torch_dtype", None)
    torch.manual_seed(1)
    config = transformers.AutoConfig.for_model(**words)
    with torch.device(device):
        return transformers.AutoModelForCausalLM.from_config(
            config, dtype=dtype, attn_implementation="sdpa")


def now(device):
    """Seconds, once everything asked of the device is done."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def release(device):
    """Memory that is kept for later is others' while they are measured."""
    if device == "cuda":
        torch.cuda.empty_cache()


def about():
    return "PyTorch %s, transformers %s" % (torch.__version__, transformers.__version__)
