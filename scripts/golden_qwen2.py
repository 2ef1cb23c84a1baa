#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the golden vectors of Qwen2: tiny random models and what transformers computes with them.

    python3 scripts/golden_qwen2.py tests/golden

writes qwen2-tied/ and qwen2-untied/, each a model folder (as transformers saves it) with

    golden.json        the sequences, and for every prediction the log-prob of the next id, the
                       entropy, KL(uniform || p); logits of a few positions; the mean loss
    grads.safetensors  the gradient of the mean loss for every weight, under the names of the file

The weights are f32, the computation is f64: what is stored is right to more digits than a test in
f32 can see. Needs torch, transformers and safetensors from PyPI.
"""

import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import save_file

# Two sequences of different lengths: batches that are packed must keep them apart.
LENGTHS = (13, 7)
LOGIT_POSITIONS = ((0, 0), (0, 11), (1, 5))  # (sequence, position)


def make_model(tied):
    config = transformers.Qwen2Config(
        vocab_size=97,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=48,
        max_position_embeddings=64,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 5000.0},
        initializer_range=0.25,
        tie_word_embeddings=tied,
        bos_token_id=1,
        eos_token_id=2,
        attn_implementation="eager",
    )
    torch.manual_seed(20250526 + tied)
    model = transformers.Qwen2ForCausalLM(config).eval()
    # Biases and norms start at 0 and 1, where errors in them would not show.
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("bias"):
                weight.normal_(0.0, 0.3)
            elif name.endswith("norm.weight"):
                weight.uniform_(0.5, 1.5)
    return model


def statistics(logits, target):
    """Of one position: log p(target), entropy, KL(U || p) = logsumexp - mean - ln V."""
    logp = torch.log_softmax(logits, -1)
    width = torch.tensor(float(logits.shape[-1]), dtype=logits.dtype)
    return (
        logp[target].item(),
        -(logp.exp() * logp).sum().item(),
        (-logp.mean() - torch.log(width)).item(),
    )


def make(folder, tied):
    model = make_model(tied)
    model.save_pretrained(folder)
    model = model.double()
    generator = torch.Generator().manual_seed(7)
    sequences = [torch.randint(0, 97, (n,), generator=generator) for n in LENGTHS]
    rows, losses, logits_of = [], [], []
    for ids in sequences:
        logits = model(ids[None]).logits[0]
        logits_of.append(logits)
        for position in range(len(ids) - 1):
            target = ids[position + 1]
            rows.append(statistics(logits[position].detach(), target))
            losses.append(torch.nn.functional.cross_entropy(logits[position], target))
    loss = torch.stack(losses).mean()
    loss.backward()
    golden = {
        "made_with": f"transformers {transformers.__version__}, torch {torch.__version__}",
        "sequences": [ids.tolist() for ids in sequences],
        "columns": ["logprob", "entropy", "certainty"],
        "rows": rows,
        "loss": loss.item(),
        "logits": [
            {"sequence": s, "position": p, "values": logits_of[s][p].tolist()}
            for s, p in LOGIT_POSITIONS
        ],
    }
    (folder / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")
    gradients = {n: w.grad.float().contiguous() for n, w in model.named_parameters()}
    save_file(gradients, folder / "grads.safetensors")


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "tests/golden")
    for tied in (True, False):
        folder = root / ("qwen2-tied" if tied else "qwen2-untied")
        folder.mkdir(parents=True, exist_ok=True)
        make(folder, tied)


if __name__ == "__main__":
    main()
