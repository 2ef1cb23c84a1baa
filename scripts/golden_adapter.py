#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""LoRA adapters against PEFT, in both directions.

    python3 scripts/golden_adapter.py make tests/golden

writes for each adapter below a folder beside its base model (of golden_models.py) with

    adapter_config.json, adapter_model.safetensors   as PEFT saves them, B random
    golden.json        the sequences, and for every prediction the log-prob of the next id, the
                       entropy, KL(uniform || p); the mean loss
    grads.safetensors  the gradient of the mean loss for every A and B, under the names of the file

The weights are f32, the computation is f64.

    python3 scripts/golden_adapter.py check INTUITOR ADAPTER MERGED

compares what `INTUITOR score --model ADAPTER` says with PEFT on the same folder, and what it says
with transformers on MERGED, which `INTUITOR export --model ADAPTER --merge MERGED` made. Ends with
status 1 where a log-prob differs by more than 1e-4. Needs torch, transformers and peft from PyPI.
"""

import json
import pathlib
import subprocess
import sys

import peft
import torch
import transformers
from safetensors.torch import load_file, save_file

LENGTHS = (13, 7)
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ADAPTERS = {
    "qwen2-lora": ("qwen2-tied", dict(r=4, lora_alpha=6, target_modules=ALL)),
    "olmo2-lora": ("olmo2-untied", dict(r=3, lora_alpha=2, use_rslora=True,
                                        target_modules=["v_proj", "q_proj", "down_proj"])),
}


def statistics(logits, target):
    """Of one position: log p(target), entropy, KL(U || p) = logsumexp - mean - ln V."""
    logp = torch.log_softmax(logits, -1)
    width = torch.tensor(float(logits.shape[-1]), dtype=logits.dtype)
    return (
        logp[target].item(),
        -(logp.exp() * logp).sum().item(),
        (-logp.mean() - torch.log(width)).item(),
    )


def make(root, name):
    base, options = ADAPTERS[name]
    folder = root / name
    torch.manual_seed(20250527)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        root / base, attn_implementation="eager", dtype=torch.float32)
    config = peft.LoraConfig(task_type="CAUSAL_LM", init_lora_weights=False, **options)
    model = peft.get_peft_model(model, config).eval()
    with torch.no_grad():
        for parameter, weight in model.named_parameters():
            if "lora_B" in parameter:
                weight.normal_(0.0, 0.3)
    model.peft_config["default"].base_model_name_or_path = f"../{base}"
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    model = model.double()
    generator = torch.Generator().manual_seed(8)
    sequences = [torch.randint(0, 97, (n,), generator=generator) for n in LENGTHS]
    rows, losses = [], []
    for ids in sequences:
        logits = model(ids[None]).logits[0]
        for position in range(len(ids) - 1):
            target = ids[position + 1]
            rows.append(statistics(logits[position].detach(), target))
            losses.append(torch.nn.functional.cross_entropy(logits[position], target))
    loss = torch.stack(losses).mean()
    loss.backward()
    golden = {
        "made_with": f"peft {peft.__version__}, transformers {transformers.__version__}, "
                     f"torch {torch.__version__}",
        "sequences": [ids.tolist() for ids in sequences],
        "columns": ["logprob", "entropy", "certainty"],
        "rows": rows,
        "loss": loss.item(),
    }
    (folder / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")
    gradients = {n.replace(".default", ""): w.grad.float().contiguous()
                 for n, w in model.named_parameters() if w.grad is not None and "lora_" in n}
    assert set(gradients) == set(load_file(folder / "adapter_model.safetensors"))
    save_file(gradients, folder / "grads.safetensors")


def score(program, model, records):
    text = "".join(json.dumps(r) + "\n" for r in records)
    done = subprocess.run([program, "score", "--quiet", "--dtype", "f32", "--per-token", "--model",
                           model, "--input", "-"], input=text, text=True, check=True,
                          stdout=subprocess.PIPE)
    return [json.loads(line)["logprobs"] for line in done.stdout.splitlines()]


def logprobs(model, record):
    ids = torch.tensor(record["prompt_ids"] + record["completion_ids"])
    with torch.no_grad():
        logp = torch.log_softmax(model(ids[None]).logits[0].double(), -1)
    first = len(record["prompt_ids"])
    return [logp[i - 1, ids[i]].item() for i in range(first, len(ids))]


def check(program, adapter, merged):
    base = json.loads((pathlib.Path(adapter) / "adapter_config.json").read_text())
    base = base["base_model_name_or_path"]
    if not pathlib.Path(base).exists():
        base = str(pathlib.Path(adapter) / base)
    load = transformers.AutoModelForCausalLM.from_pretrained
    plain = load(base, dtype=torch.float32)
    vocab = plain.config.vocab_size
    generator = torch.Generator().manual_seed(9)
    draw = lambda n: torch.randint(0, vocab, (n,), generator=generator).tolist()
    records = [{"prompt_ids": draw(5), "completion_ids": draw(9)} for _ in range(8)]
    bare = [logprobs(plain, r) for r in records]
    adapted = peft.PeftModel.from_pretrained(plain, adapter).eval()
    whole = load(merged, dtype=torch.float32).eval()
    worst = 0.0
    for name, model, folder in (("adapter", adapted, adapter), ("merged", whole, merged)):
        expected = [logprobs(model, r) for r in records]
        found = score(program, folder, records)
        error = max(abs(a - b) for x, y in zip(expected, found) for a, b in zip(x, y))
        moved = max(abs(a - b) for x, y in zip(expected, bare) for a, b in zip(x, y))
        print(f"{name}: largest difference of a log-prob {error:.2g}, from the base {moved:.2g}")
        worst = max(worst, error)
    sys.exit(worst > 1e-4)


def main():
    if sys.argv[1:2] == ["check"]:
        check(*sys.argv[2:])
    for name in ADAPTERS:
        make(pathlib.Path(sys.argv[2]), name)


if __name__ == "__main__":
    main()
