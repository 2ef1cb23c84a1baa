# SPDX-License-Identifier: MIT
"""transformers' ways to decode a model of random weights in bf16, greedily: tokens a second.

    python torch_generate.py CONFIG.json loop|generate|batching cpu|cuda THREADS BATCH PROMPT NEW
                             [SETTINGS]

loop: a compiled step of one token over a cache of fixed size, as one CUDA graph (the processor has
no graphs: there it is only compiled). generate: as it comes. batching: generate_batch, continuous
batching over pages; SETTINGS are those of its configuration, as JSON. Nothing is shared between
prompts, and no token ends a completion."""

import json
import sys

import torch
import transformers
from door import Door
from torch_model import about, now, open_model, release
from transformers.generation import ContinuousBatchingConfig

PAGE = 256  # tokens


class Loop:
    def __init__(self, model, device, ids, new):
        self.device, self.ids, self.new = device, ids, new
        cache = transformers.StaticCache(config=model.config, max_cache_len=ids.shape[1] + new + 1)

        def step(tokens):
            logits = model(tokens, past_key_values=cache, use_cache=True, logits_to_keep=1).logits
            return logits[:, -1].argmax(-1, keepdim=True)

        self.cache, self.prefill = cache, step
        self.step = torch.compile(step, mode="reduce-overhead", fullgraph=True)

    def warm(self):
        self.measure()

    def measure(self):
        self.cache.reset()
        start = now(self.device)
        token = self.prefill(self.ids)
        filled = now(self.device)
        for _ in range(self.new):
            token = self.step(token).clone()  # the graph writes to the same place again
        return filled - start, now(self.device) - filled


class Whole:
    """What only runs as a whole is run with one new token, too: that is its prefill."""

    def __init__(self, model, device, ids, new):
        self.model, self.device, self.ids, self.new = model, device, ids, new

    def warm(self):
        """Of few sequences, but as long as they will be: the first call settles sizes."""
        self.run(self.ids[:2], self.new + 1)

    def seconds(self, new):
        start = now(self.device)
        self.run(self.ids, new)
        return now(self.device) - start

    def measure(self):
        prefill = self.seconds(1)
        return prefill, self.seconds(self.new + 1) - prefill


class Generate(Whole):
    def run(self, ids, new):
        self.model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False,
                            max_new_tokens=new, min_new_tokens=new, pad_token_id=0)


class Batching(Whole):
    def __init__(self, model, device, ids, new):
        super().__init__(model, device, ids, new)
        count, prompt = ids.shape
        settings = {"allow_block_sharing": False, "max_memory_percent": 0.5,
                    "max_requests_per_batch": count,
                    "num_blocks": count * ((prompt + new) // PAGE + 2)}
        settings.update(json.loads(sys.argv[8]) if len(sys.argv) > 8 else {})
        self.settings = ContinuousBatchingConfig(**settings)
        self.how = transformers.GenerationConfig(do_sample=False, eos_token_id=-1, pad_token_id=0,
                                                 max_new_tokens=new + 1)

    def run(self, ids, new):
        found = self.model.generate_batch(
            ids.tolist(), generation_config=self.how, persistent_manager=True,
            continuous_batching_config=self.settings, max_new_tokens=new)
        made = [len(one.generated_tokens) for one in found.values()]
        if made != [new] * len(ids):
            sys.exit("generate_batch: %d completions of %s tokens, expected %d of %d"
                     % (len(made), sorted(set(made)), len(ids), new))


def main():
    door = Door()
    path, how, device = sys.argv[1:4]
    threads, batch, prompt, new = map(int, sys.argv[4:8])
    torch.set_num_threads(threads)
    model = open_model(path, device).eval()
    ids = torch.randint(0, model.config.vocab_size, (batch, prompt), device=device)
    kind = {"loop": Loop, "generate": Generate, "batching": Batching}[how]

    def measure():
        with torch.no_grad():
            prefill, decode = rival.measure()
        release(device)
        return {"prefill": batch * prompt / prefill, "decode": batch * new / decode,
                "seconds": prefill + decode,
                "about": "%s, attention %s" % (about(), model.config._attn_implementation)}

    rival = kind(model, device, ids, new)
    with torch.no_grad():
        rival.warm()
    door.serve(measure)


main()
