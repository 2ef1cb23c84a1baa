#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does llama.cpp load what we export, and say the same?

    python3 scripts/check_gguf.py PROGRAM FOLDER FILE.gguf

lets PROGRAM and llama.cpp (the package xllamacpp) continue a few prompts greedily, from the folder
and from the file made of it in f32, and compares the texts. Exits 77 without the package.
"""

import json
import subprocess
import sys
import tempfile

try:
    import xllamacpp
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

PROMPTS = (
    "Once upon a time, in 1984,",
    "def fibonacci(n):\n    ",
    "The answer to 1234567 + 7654321 is",
    "naïve café — 東京は日本の首都です。 🙂",
    "  leading blanks\n\nand \t tabs, it's THEY'LL",
)
TOKENS = 48


def ours(program, folder):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        for prompt in PROMPTS:
            file.write(json.dumps({"prompt": prompt}) + "\n")
        file.flush()
        command = [program, "generate", "--quiet", "--model", folder, "--prompts", file.name]
        command += ["--temperature", "0", "--max-new-tokens", str(TOKENS), "--dtype", "f32"]
        out = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    return [json.loads(line)["completions"][0]["text"] for line in out.splitlines()]


def theirs(path):
    params = xllamacpp.CommonParams()
    params.model.path = path
    params.n_ctx = 256
    params.n_parallel = 1
    params.warmup = False
    # in f32 throughout: its flash attention rounds to f16, which near ties would show
    disabled = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.flash_attn_type = disabled
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    params.cpuparams.n_threads = 2
    server = xllamacpp.Server(params)
    texts = []
    for prompt in PROMPTS:
        request = {"prompt": prompt, "max_tokens": TOKENS, "temperature": 0, "stream": False}
        answer = server.handle_completions(request)
        answer = json.loads(answer) if isinstance(answer, str) else answer
        texts.append(answer["choices"][0]["text"] if "choices" in answer else answer["content"])
    return texts


def main():
    program, folder, path = sys.argv[1:4]
    same = 0
    for prompt, a, b in zip(PROMPTS, ours(program, folder), theirs(path)):
        if a == b:
            same += 1
        else:
            print(f"{prompt!r}\n  ours   {a!r}\n  theirs {b!r}")
    print(f"{path}: {same} of {len(PROMPTS)} continuations of {TOKENS} tokens are the same")
    sys.exit(same != len(PROMPTS))


if __name__ == "__main__":
    main()
