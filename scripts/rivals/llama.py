# SPDX-License-Identifier: MIT
"""llama.cpp, through the low level of llama-cpp-python: tokens a second.

    python llama.py FILE.gguf THREADS PROMPT NEW SEQUENCES

fills the cache with PROMPT tokens of each sequence, then decodes NEW steps of all sequences at
once. The next tokens are given, not sampled, which is less work. Warmed up before."""

import random
import sys
import time

import llama_cpp as llama
from door import Door

UBATCH = 512
ERROR = 4  # of ggml's levels


@llama.llama_log_callback
def say_little(level, text, _):
    if level == ERROR:
        print(text.decode(errors="replace"), end="", file=sys.stderr)


def open_model(path, threads, positions, sequences):
    llama.llama_log_set(say_little, None)
    llama.llama_backend_init()
    model_params = llama.llama_model_default_params()
    model = llama.llama_model_load_from_file(path.encode(), model_params)
    params = llama.llama_context_default_params()
    params.n_ctx = positions * sequences
    params.n_batch = params.n_ubatch = UBATCH
    params.n_seq_max = sequences
    params.n_threads = params.n_threads_batch = threads
    context = llama.llama_init_from_model(model, params)
    if not context:
        sys.exit("llama.cpp cannot open " + path)
    return model, context


def fill(batch, tokens, positions, sequences, wanted):
    batch.n_tokens = len(tokens)
    for i, token in enumerate(tokens):
        batch.token[i] = token
        batch.pos[i] = positions[i]
        batch.n_seq_id[i] = 1
        batch.seq_id[i][0] = sequences[i]
        batch.logits[i] = wanted[i]


def decode(context, batch):
    if llama.llama_decode(context, batch) != 0:
        sys.exit("llama_decode failed")


def prefill(context, batch, ids, sequences):
    for sequence in range(sequences):
        for start in range(0, len(ids), UBATCH):
            part = ids[start:start + UBATCH]
            places = range(start, start + len(part))
            last = [place == len(ids) - 1 for place in places]
            fill(batch, part, places, [sequence] * len(part), last)
            decode(context, batch)
    llama.llama_synchronize(context)


def steps(context, batch, ids, first, sequences):
    for number, token in enumerate(ids):
        places, all_of = [first + number] * sequences, range(sequences)
        fill(batch, [token] * sequences, places, all_of, [True] * sequences)
        decode(context, batch)
        llama.llama_get_logits_ith(context, 0)  # waits
    llama.llama_synchronize(context)


def main():
    door, path, (threads, prompt, new, sequences) = Door(), sys.argv[1], map(int, sys.argv[2:6])
    model, context = open_model(path, threads, prompt + new, sequences)
    vocab = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(model))
    batch = llama.llama_batch_init(max(UBATCH, sequences), 0, 1)
    draw = random.Random(1)
    ids = [draw.randrange(vocab) for _ in range(prompt)]
    more = [draw.randrange(vocab) for _ in range(new)]
    memory = llama.llama_get_memory(context)
    prefill(context, batch, ids[:16], 1)
    steps(context, batch, more[:1], len(ids[:16]), 1)

    def measure():
        llama.llama_memory_clear(memory, True)
        start = time.perf_counter()
        prefill(context, batch, ids, sequences)
        filled = time.perf_counter()
        steps(context, batch, more, prompt, sequences)
        end = time.perf_counter()
        return {"prefill": sequences * prompt / (filled - start),
                "decode": sequences * new / (end - filled),
                "about": "llama.cpp: " + llama.llama_print_system_info().decode()}

    door.serve(measure)


main()
