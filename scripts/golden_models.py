#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the golden vectors: tiny random models and what transformers computes with them.

    python3 scripts/golden_models.py tests/golden [NAME ...]

writes for each architecture a folder with a tied and one with an untied head (or those NAMEs only),
each a model folder (as transformers saves it) with

    golden.json        the sequences, and for every prediction the log-prob of the next id, the
                       entropy, KL(uniform || p); logits of a few positions; the mean loss
    grads.safetensors  the gradient of the mean loss for every weight, under the names of the file

and rope.json, the rotary frequencies of published shapes.

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

PLAIN = {"rope_type": "default", "rope_theta": 5000.0}
LINEAR = {"rope_type": "linear", "rope_theta": 5000.0, "factor": 4.0}
# Waves of 6, 20, 63 and 199 positions: one is kept, one blended, two are slowed down.
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 100.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}

COMMON = {
    "vocab_size": 97,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
    "rope_parameters": PLAIN,
    "initializer_range": 0.25,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "attn_implementation": "eager",
}


def heads(query, key, **more):
    return {"num_attention_heads": query, "num_key_value_heads": key, **more}


# Between them the groups of heads have 1, 2, 4 and 8 members.
MODELS = {
    "qwen2-tied": heads(4, 2),
    "qwen2-untied": heads(4, 2),
    "qwen3-tied": heads(4, 1, head_dim=12),
    "qwen3-untied": heads(8, 1, head_dim=8),
    "llama-tied": heads(4, 4, head_dim=8, rope_parameters=LLAMA3),
    "llama-untied": heads(8, 2, rope_parameters=LINEAR),
    "olmo2-tied": heads(4, 4, pad_token_id=0),
    "olmo2-untied": heads(4, 2, pad_token_id=0),
    "mistral-tied": heads(4, 2, sliding_window=None, head_dim=8),
    "mistral-untied": heads(8, 1, sliding_window=16, head_dim=6),
}
CLASSES = {
    "qwen2": (transformers.Qwen2Config, transformers.Qwen2ForCausalLM),
    "qwen3": (transformers.Qwen3Config, transformers.Qwen3ForCausalLM),
    "llama": (transformers.LlamaConfig, transformers.LlamaForCausalLM),
    "olmo2": (transformers.Olmo2Config, transformers.Olmo2ForCausalLM),
    "mistral": (transformers.MistralConfig, transformers.MistralForCausalLM),
}


def make_model(name):
    architecture, tied = name.split("-")[0], name.endswith("-tied")
    config_class, model_class = CLASSES[architecture]
    config = config_class(**{**COMMON, **MODELS[name], "tie_word_embeddings": tied})
    torch.manual_seed(20250526 + tied)
    model = model_class(config).eval()
    # Biases and norms start at 0 and 1, where errors in them would not show.
    with torch.no_grad():
        for parameter, weight in model.named_parameters():
            if parameter.endswith("bias"):
                weight.normal_(0.0, 0.3)
            elif parameter.endswith("norm.weight"):
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


def make(folder):
    folder.mkdir(parents=True, exist_ok=True)
    model = make_model(folder.name)
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


# Width of a head and the rotary fields of config.json, as published or as users change them.
ROPES = {
    "Llama-3.2": (128, {**LLAMA3, "rope_theta": 500000.0, "factor": 32.0,
                        "original_max_position_embeddings": 8192}),
    "Llama-3.1": (128, {**LLAMA3, "rope_theta": 500000.0,
                        "original_max_position_embeddings": 8192}),
    "Qwen2.5-0.5B": (64, {**PLAIN, "rope_theta": 1000000.0}),
    "Qwen3": (128, {**PLAIN, "rope_theta": 1000000.0}),
    "OLMo-2": (128, {**PLAIN, "rope_theta": 500000.0}),
    "Mistral-7B": (128, {**PLAIN, "rope_theta": 10000.0}),
    "linear": (64, {**LINEAR, "rope_theta": 10000.0, "factor": 3.0}),
    "narrow": (96, {**PLAIN, "rope_theta": 10000.0}),
}


def make_ropes(path):
    ropes = []
    for name, (width, parameters) in ROPES.items():
        config = transformers.LlamaConfig(
            hidden_size=width, num_attention_heads=1, num_key_value_heads=1, head_dim=width,
            vocab_size=8, intermediate_size=8, num_hidden_layers=1,
            max_position_embeddings=131072, rope_parameters=dict(parameters),
        )
        rotary = transformers.models.llama.modeling_llama.LlamaRotaryEmbedding(config)
        fields = {k: v for k, v in parameters.items() if k != "rope_theta"}
        ropes.append({
            "name": name,
            "head_dim": width,
            "rope_theta": parameters["rope_theta"],
            "rope_scaling": fields,
            "frequencies": rotary.inv_freq.tolist(),
        })
    path.write_text(json.dumps(ropes, indent=1) + "\n")


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "tests/golden")
    for name in sys.argv[2:] or MODELS:
        make(root / name)
    make_ropes(root / "rope.json")


if __name__ == "__main__":
    main()
