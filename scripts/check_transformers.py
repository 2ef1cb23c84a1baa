#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does transformers load what we save, as what it was? Does it score as we do?

    python3 scripts/check_transformers.py ORIGINAL SAVED [bfloat16]

loads both folders and compares architecture, the configuration's numbers, every weight (to the bit;
rounded to bfloat16 when that was asked for), and the logits.

    python3 scripts/check_transformers.py score PROGRAM [NAME ...]

makes a larger random model for each NAME of golden_models.py (none: all of them), lets PROGRAM
score sequences of up to 1024 tokens, and compares log-prob, entropy and self-certainty of every
token with what transformers finds in f32. Prints the largest difference and fails above 1e-5.

Exits 77 when torch or transformers are not installed.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import torch
    import transformers
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

SAME = (
    "model_type vocab_size hidden_size num_hidden_layers num_attention_heads num_key_value_heads"
    " intermediate_size max_position_embeddings rms_norm_eps hidden_act tie_word_embeddings"
    " initializer_range use_sliding_window sliding_window head_dim bos_token_id eos_token_id"
).split()


def rope(config):
    """Version 5 keeps all of it in rope_parameters, version 4 the base beside the others."""
    parameters = getattr(config, "rope_parameters", None)
    if parameters:
        return parameters
    return {"rope_theta": config.rope_theta, **(config.rope_scaling or {})}


def field(config, name):
    value = getattr(config, name, None)
    if name == "head_dim" and value is None:
        value = config.hidden_size // config.num_attention_heads
    return value


def load(folder):
    model, report = transformers.AutoModelForCausalLM.from_pretrained(
        folder, output_loading_info=True, torch_dtype="auto", local_files_only=True
    )
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if report[kind]:
            sys.exit(f"{folder}: {kind}: {report[kind]}")
    return model.eval()


def make_model(name, folder):
    """As golden_models.py does, larger and with more positions."""
    import golden_models

    window = golden_models.MODELS[name].get("sliding_window")
    golden_models.COMMON.update(
        hidden_size=64, num_hidden_layers=3, max_position_embeddings=1024, initializer_range=0.1
    )
    if window:
        golden_models.MODELS[name]["sliding_window"] = 1024
    golden_models.make_model(name).save_pretrained(folder)


def make_records(path, vocab):
    generator = torch.Generator().manual_seed(3)
    records = []
    for prompt, completion in ((1, 5), (7, 30), (200, 100), (20, 1003)):
        ids = torch.randint(0, vocab, (prompt + completion,), generator=generator).tolist()
        records.append({"prompt_ids": ids[:prompt], "completion_ids": ids[prompt:]})
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return records


def statistics(model, record):
    """log-prob, entropy and KL(U || p) of each token of the completion."""
    ids = torch.tensor(record["prompt_ids"] + record["completion_ids"])
    n = len(record["completion_ids"])
    with torch.no_grad():
        logits = model(ids[None]).logits[0, -n - 1 : -1].double()
    logp = torch.log_softmax(logits, -1)
    return {
        "logprobs": logp.gather(1, ids[-n:, None])[:, 0],
        "entropies": -(logp.exp() * logp).sum(-1),
        "self_certainties": -logp.mean(-1) - torch.tensor(float(logits.shape[-1])).double().log(),
    }


def score(program, name, folder):
    make_model(name, folder)
    path = folder / "records.jsonl"
    make_records(path, 97)
    command = [program, "score", "--quiet", "--model", folder, "--input", path, "--per-token"]
    out = subprocess.run(command + ["--dtype", "f32"], check=True, stdout=subprocess.PIPE).stdout
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, local_files_only=True, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    worst = 0.0
    for record in map(json.loads, out.splitlines()):
        for column, expected in statistics(model, record).items():
            found = torch.tensor(record[column], dtype=torch.float64)
            worst = max(worst, (found - expected).abs().max().item())
    return worst


def score_all(program, names):
    import golden_models

    failed = False
    transformers.utils.logging.disable_progress_bar()
    for name in names or golden_models.MODELS:
        with tempfile.TemporaryDirectory() as folder:
            worst = score(program, name, pathlib.Path(folder))
        print(f"{name:16} {worst:.2e}", flush=True)
        failed |= worst > 1e-5
    sys.exit(failed)


def main():
    if sys.argv[1:2] == ["score"]:
        score_all(sys.argv[2], sys.argv[3:])
    original, saved = load(sys.argv[1]), load(sys.argv[2])
    if sys.argv[3:] == ["bfloat16"]:
        for weight in original.parameters():  # not .to(): that would round the rotary table too
            weight.data = weight.data.to(torch.bfloat16)
    if type(original) is not type(saved):
        sys.exit(f"{type(saved).__name__} is not {type(original).__name__}")
    for name in SAME:
        a, b = field(original.config, name), field(saved.config, name)
        if a != b:
            sys.exit(f"config.json: {name} is {b}, was {a}")
    if rope(original.config) != rope(saved.config):
        sys.exit("config.json: the rotary fields differ")
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
