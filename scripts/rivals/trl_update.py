# SPDX-License-Identifier: MIT
"""TRL's GRPOTrainer: seconds of an update.

    python trl_update.py MODEL PROMPTS.jsonl cpu|cuda THREADS GROUP TOKENS MICRO BETA WORK WARM MOST
                         [SETTINGS]

An update of all prompts in the file, GROUP completions each of TOKENS tokens, MICRO of them in a
pass of training; WARM updates before the first that is asked for, MOST that may be asked for.
Weights, gradients and moments in bf16, no recomputation: as fast as it can be. The reward is a
number made up from the text; the self-certainty that ours computes it is spared. With SETTINGS, as
JSON, completions come from transformers' continuous batching, configured by them."""

import json
import sys
import zlib

import datasets
import torch
import transformers
import trl
from door import Door
from torch_model import about, now, release

times = {}


class Trainer(trl.GRPOTrainer):
    def _generate_and_score_completions(self, inputs):
        device = self.accelerator.device.type
        start = now(device)
        result = super()._generate_and_score_completions(inputs)
        times["rollout"] = now(device) - start
        times["tokens"] = float(result["completion_mask"].sum())
        times["prompt_tokens"] = float(result["prompt_mask"].sum())
        return result


class Clock(transformers.TrainerCallback):
    """Each step is an update: it waits until it is asked for."""

    def __init__(self, door, device, warm):
        self.door, self.device, self.warm = door, device, warm

    def on_step_begin(self, _, state, *__, **___):
        if state.global_step >= self.warm and not self.door.asked():
            sys.exit(0)
        self.start = now(self.device)

    def on_step_end(self, _, state, *__, **___):
        times["update"] = now(self.device) - self.start
        times["train"] = times["update"] - times["rollout"]
        release(self.device)
        if state.global_step > self.warm:  # counted already
            self.door.answer(dict(times, about="%s, TRL %s" % (about(), trl.__version__)))


def reward(completions, **_):
    return [zlib.crc32(str(c).encode()) / 2**32 for c in completions]


def generation(tokens, settings):
    """Exactly so many tokens: continuous batching knows no least number, so no token is an end."""
    if settings is None:
        return {"generation_kwargs": {"min_new_tokens": tokens}}
    return {"generation_kwargs": {"eos_token_id": -1}, "use_transformers_continuous_batching": True,
            "transformers_continuous_batching_config": settings}


def main():
    door = Door()
    folder, prompts, device = sys.argv[1:4]
    threads, group, tokens, micro = map(int, sys.argv[4:8])
    beta, work, warm, most = float(sys.argv[8]), sys.argv[9], *map(int, sys.argv[10:12])
    settings = json.loads(sys.argv[12]) if len(sys.argv) > 12 else None
    torch.set_num_threads(threads)
    with open(prompts) as file:
        texts = [json.loads(line)["problem"] for line in file]
    asked = [[{"role": "user", "content": text}] for text in texts]
    count = len(texts) * group
    if count % micro:
        sys.exit("%d completions are no multiple of %d" % (count, micro))
    config = trl.GRPOConfig(
        output_dir=work,
        use_cpu=device == "cpu",
        bf16=False,
        model_init_kwargs={"dtype": "bfloat16"},
        gradient_checkpointing=False,
        num_generations=group,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=count // micro,
        max_completion_length=tokens,
        beta=beta,
        max_steps=warm + most,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        **generation(tokens, settings),
    )
    trainer = Trainer(
        model=folder,
        reward_funcs=reward,
        args=config,
        train_dataset=datasets.Dataset.from_dict({"prompt": asked}),
        callbacks=[Clock(door, device, warm)],
    )
    trainer.train()


main()
