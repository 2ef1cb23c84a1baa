# SPDX-License-Identifier: MIT
"""TRL's GRPOTrainer on the CPU: seconds of an update, one line of JSON.

    python trl_update.py MODEL PROMPTS.jsonl THREADS GROUP TOKENS MICRO BETA WORK

One update of all prompts in the file, GROUP completions each of TOKENS tokens, MICRO of them in a
pass of training. Weights, gradients and moments in bf16, no recomputation: as fast as it can be.
The reward is a number made up from the text; the self-certainty that ours computes it is spared."""

import json
import sys
import time
import zlib

import datasets
import torch
import transformers
import trl

times = {}


class Trainer(trl.GRPOTrainer):
    def _generate_and_score_completions(self, inputs):
        start = time.perf_counter()
        result = super()._generate_and_score_completions(inputs)
        times["rollout"] = time.perf_counter() - start
        times["tokens"] = float(result["completion_mask"].sum())
        times["prompt_tokens"] = float(result["prompt_mask"].sum())
        return result


class Clock(transformers.TrainerCallback):
    def on_step_begin(self, *_, **__):
        self.start = time.perf_counter()

    def on_step_end(self, *_, **__):
        times["update"] = time.perf_counter() - self.start


def reward(completions, **_):
    return [zlib.crc32(str(c).encode()) / 2**32 for c in completions]


def main():
    folder, prompts, threads, group, tokens, micro = sys.argv[1:7]
    beta, work = sys.argv[7:9]
    group, micro = int(group), int(micro)
    torch.set_num_threads(int(threads))
    with open(prompts) as file:
        texts = [json.loads(line)["problem"] for line in file]
    asked = [[{"role": "user", "content": text}] for text in texts]
    count = len(texts) * group
    if count % micro:
        sys.exit("%d completions are no multiple of %d" % (count, micro))
    config = trl.GRPOConfig(
        output_dir=work,
        use_cpu=True,
        bf16=False,
        model_init_kwargs={"dtype": "bfloat16"},
        gradient_checkpointing=False,
        num_generations=group,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=count // micro,
        max_completion_length=int(tokens),
        generation_kwargs={"min_new_tokens": int(tokens)},
        beta=float(beta),
        max_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    trainer = Trainer(
        model=folder,
        reward_funcs=reward,
        args=config,
        train_dataset=datasets.Dataset.from_dict({"prompt": asked}),
        callbacks=[Clock()],
    )
    trainer.train()
    times["train"] = times["update"] - times["rollout"]
    print(json.dumps(times))


main()
