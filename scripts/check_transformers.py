#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does transformers load what we save, as what it was?

    python3 scripts/check_transformers.py ORIGINAL SAVED [bfloat16]

loads both folders and compares architecture, the configuration's numbers, every weight (to the bit;
rounded to bfloat16 when that was asked for), and the logits. Exits 77 when torch or transformers are
not installed.
"""

import sys

try:
    import torch
    import transformers
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

SAME = (
    "model_type vocab_size hidden_size num_hidden_layers num_attention_heads num_key_value_heads"
    " intermediate_size max_position_embeddings rms_norm_eps hidden_act tie_word_embeddings"
    " initializer_range use_sliding_window bos_token_id eos_token_id"
).split()


def rope_theta(config):
    """Version 5 keeps it in rope_parameters, version 4 beside the others."""
    parameters = getattr(config, "rope_parameters", None)
    return parameters["rope_theta"] if parameters else config.rope_theta


def load(folder):
    model, report = transformers.AutoModelForCausalLM.from_pretrained(
        folder, output_loading_info=True, torch_dtype="auto", local_files_only=True
    )
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if report[kind]:
            sys.exit(f"{folder}: {kind}: {report[kind]}")
    return model.eval()


def main():
    original, saved = load(sys.argv[1]), load(sys.argv[2])
    if sys.argv[3:] == ["bfloat16"]:
        for weight in original.parameters():  # not .to(): that would round the rotary table too
            weight.data = weight.data.to(torch.bfloat16)
    if type(original) is not type(saved):
        sys.exit(f"{type(saved).__name__} is not {type(original).__name__}")
    for field in SAME:
        a, b = getattr(original.config, field), getattr(saved.config, field)
        if a != b:
            sys.exit(f"config.json: {field} is {b}, was {a}")
    if rope_theta(original.config) != rope_theta(saved.config):
        sys.exit("config.json: rope_theta differs")
    weights, others = original.state_dict(), saved.state_dict()
    if weights.keys() != others.keys():
        sys.exit(f"not the same tensors: {weights.keys() ^ others.keys()}")
    for name, weight in weights.items():
        if weight.dtype != others[name].dtype or not torch.equal(weight, others[name]):
            sys.exit(f"{name} differs")
    ids = torch.arange(12)[None] * 7 % original.config.vocab_size
    original, saved = original.float(), saved.float()  # not every machine multiplies bfloat16
    with torch.no_grad():
        if not torch.equal(original(ids).logits, saved(ids).logits):
            sys.exit("the logits differ")
    if saved.generation_config.eos_token_id != original.generation_config.eos_token_id:
        sys.exit("generation_config.json: eos_token_id differs")


if __name__ == "__main__":
    main()
