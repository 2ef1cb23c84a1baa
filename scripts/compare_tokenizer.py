#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compare this project's tokenizer with the `tokenizers` package, text by text.

    compare_tokenizer.py --model DIR --program './intuitor tokenize --jsonl --model DIR' \
        [--random 100000] [--seed 1] [FILE.jsonl ...]

The program gets one JSON string a line and answers with one JSON array of ids a line. Texts are
every string found in the given JSONL files, and made-up ones: mixed scripts, combining marks,
emoji, controls, long runs, special tokens, bytes that are not UTF-8 (replaced). A folder without
tokenizer.json but with tiktoken ranks (tokenizer.model) is converted the usual way. The time that
each takes for the same texts on one thread is printed, too.

    compare_tokenizer.py --digests DATA tests/golden/tokens.json

writes what the package gives for 100,000 texts made from numbers, as digests of 1,000 texts each.
"""
import argparse
import base64
import hashlib
import json
import os
import random
import resource
import shlex
import subprocess
import sys
import time

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
          r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def byte_alphabet():
    """GPT-2's characters for the 256 bytes."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in kept]
    return {**{b: chr(b) for b in kept}, **{b: chr(256 + i) for i, b in enumerate(others)}}


def from_ranks(folder):
    ranks = {}
    with open(os.path.join(folder, "tokenizer.model"), encoding="ascii") as lines:
        for line in lines:
            if line.strip():
                token, rank = line.split()
                ranks[base64.b64decode(token)] = int(rank)
    merges = []
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        cuts = [(token[:i], token[i:]) for i in range(1, len(token))]
        cuts = [c for c in cuts if c[0] in ranks and c[1] in ranks]
        merges += sorted(cuts, key=lambda c: (ranks[c[0]], ranks[c[1]]))
    alphabet = byte_alphabet()

    def written(token):
        return "".join(alphabet[b] for b in token)

    tokenizer = Tokenizer(models.BPE(
        vocab={written(t): r for t, r in ranks.items()},
        merges=[(written(a), written(b)) for a, b in merges], ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    with open(os.path.join(folder, "added_tokens.json"), encoding="utf-8") as file:
        added = sorted(json.load(file).items(), key=lambda item: item[1])
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t, _ in added])
    for token, number in added:
        assert tokenizer.token_to_id(token) == number, token
    return tokenizer


def open_oracle(folder):
    path = os.path.join(folder, "tokenizer.json")
    return Tokenizer.from_file(path) if os.path.exists(path) else from_ranks(folder)


def strings_in(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings_in(item)


def texts_of(paths):
    for path in paths:
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                if line.strip():
                    yield from strings_in(json.loads(line))


RANGES = [(0x20, 0x7e)] * 6 + [
    (0x00, 0x1f), (0x7f, 0xff), (0x100, 0x17f), (0x300, 0x36f), (0x370, 0x3ff), (0x400, 0x4ff),
    (0x590, 0x6ff), (0x900, 0x97f), (0xe00, 0xe7f), (0x1100, 0x11ff), (0x1e00, 0x1fff),
    (0x2000, 0x206f), (0x2100, 0x214f), (0x2200, 0x22ff), (0x3000, 0x30ff), (0x4e00, 0x9fff),
    (0xac00, 0xd7a3), (0xf900, 0xfaff), (0xfb00, 0xfdff), (0xfe00, 0xffff), (0x10000, 0x1ffff),
    (0x1d400, 0x1d7ff), (0x1f300, 0x1faff), (0x20000, 0x323af), (0xe0000, 0xe01ef),
    (0, 0x10ffff)]
PIECES = [
    " ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u0085", "\u180e", "\u200b", "\u3000", "'s", "'S",
    "'\u017f", "'Re", "'ll", "'VE", "don't", "e\u0301", "\u1112\u1161\u11ab", "\u212b", "123",
    "1234567", "3.14", "\\frac{1}{2}", "the", " The", "def f(x):\n    return x", "://", "...",
    "\U0001f469\u200d\U0001f680", "\U0001f1ea\U0001f1fa", "<|im_start|>", "<|im_end|>", "<|im_",
    "<|endoftext|>", "<think>", "<|eot_id|>", "<", "|>", "\u4f60\u597d", "\u0627\u0644", "\x00"]


def made_up(count, seed, special):
    rng = random.Random(seed)

    def character():
        low, high = rng.choice(RANGES)
        code = rng.randint(low, high)
        return "\ufffd" if 0xd800 <= code < 0xe000 else chr(code)

    def part():
        kind = rng.random()
        if kind < 0.45:
            low, high = rng.choice(RANGES)
            codes = (rng.randint(low, high) for _ in range(rng.randint(1, 8)))
            return "".join("\ufffd" if 0xd800 <= c < 0xe000 else chr(c) for c in codes)
        if kind < 0.75:
            return rng.choice(PIECES)
        if kind < 0.80:
            return rng.choice(special) if special else ""
        if kind < 0.85:
            return rng.randbytes(rng.randint(1, 12)).decode("utf-8", "replace")
        if kind < 0.90:
            return (rng.choice(PIECES) if rng.random() < 0.5 else character()) * rng.randint(2, 90)
        return character()

    for _ in range(count):
        yield "".join(part() for _ in range(rng.randint(1, 12)))
    for piece in PIECES + [chr(c) for c in (0x2d, 0x61, 0x301, 0x4e00, 0x1f600)]:
        yield piece * 3000


# ---- digests: texts that a test makes again from the same numbers (tests/check_1_digests.c) ----

class Numbers:
    """splitmix64"""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        mask = (1 << 64) - 1
        self.state = (self.state + 0x9e3779b97f4a7c15) & mask
        z = self.state
        z = ((z ^ (z >> 30)) * 0xbf58476d1ce4e5b9) & mask
        z = ((z ^ (z >> 27)) * 0x94d049bb133111eb) & mask
        return ((z ^ (z >> 31)) >> 33) % n


def numbered_text(numbers, pieces):
    """Bytes, perhaps malformed UTF-8."""
    def character():
        low, high = RANGES[numbers.below(len(RANGES))]
        code = low + numbers.below(high - low + 1)
        return chr(0xfffd if 0xd800 <= code < 0xe000 else code).encode("utf-8")

    out = b""
    for _ in range(1 + numbers.below(10)):
        kind = numbers.below(100)
        if kind < 45:
            low, high = RANGES[numbers.below(len(RANGES))]
            for _ in range(1 + numbers.below(8)):
                code = low + numbers.below(high - low + 1)
                out += chr(0xfffd if 0xd800 <= code < 0xe000 else code).encode("utf-8")
        elif kind < 80:
            out += pieces[numbers.below(len(pieces))].encode("utf-8")
        elif kind < 87:
            out += bytes(numbers.below(256) for _ in range(1 + numbers.below(12)))
        elif kind < 92:
            out += pieces[numbers.below(len(pieces))].encode("utf-8") * (2 + numbers.below(60))
        else:
            out += character()
    return out


SPECIAL_PIECES = ["<|fim_prefix|>", "<tool_call>", "</think>", "<|begin_of_text|>", "<|eom_id|>",
                  "<|python_tag|>", "<|reserved_special_token_7|>", "|||IP_ADDRESS|||",
                  "<|endofprompt|>", "<|extra_id_0|>", "<|vision_start|>"]
FAMILIES = ["qwen2.5", "qwen3", "llama3", "olmo2"]
STRINGS, CHUNK = 100000, 1000


def write_digests(data, output):
    pieces = [p for p in PIECES if "\x00" not in p] + SPECIAL_PIECES
    golden = {"strings": STRINGS, "chunk": CHUNK, "seed": 1, "ranges": RANGES, "pieces": pieces,
              "digests": {}}
    numbers = Numbers(golden["seed"])
    texts = [numbered_text(numbers, pieces).decode("utf-8", "replace") for _ in range(STRINGS)]
    for family in FAMILIES:
        oracle = open_oracle(os.path.join(data, "tokenizers", family))
        golden["digests"][family] = []
        for at in range(0, STRINGS, CHUNK):
            digest = hashlib.sha256()
            for text in texts[at:at + CHUNK]:
                ids = oracle.encode(text, add_special_tokens=False).ids
                digest.update(b"".join(i.to_bytes(4, "little") for i in ids) + b"\xff" * 4)
            golden["digests"][family].append(digest.hexdigest()[:16])
    with open(output, "w", encoding="utf-8") as file:
        json.dump(golden, file, indent=0)
        file.write("\n")
    print(f"{STRINGS} strings, {sum(map(len, texts))} characters, {len(FAMILIES)} tokenizers")


def main():
    if len(sys.argv) == 4 and sys.argv[1] == "--digests":
        return write_digests(sys.argv[2], sys.argv[3])
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--program", required=True)
    parser.add_argument("--random", type=int, default=100000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    oracle = open_oracle(options.model)
    special = [token.content for token in oracle.get_added_tokens_decoder().values()]
    texts = [*texts_of(options.files), *made_up(options.random, options.seed, special)]
    asked = "".join(json.dumps(text) + "\n" for text in texts)

    def ask(text):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        answer = subprocess.run(shlex.split(options.program), input=text.encode("ascii"),
                                stdout=subprocess.PIPE, check=True).stdout.decode("ascii")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return answer, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    opening = ask("")[1]
    answer, seconds = ask(asked)
    ours = [json.loads(line) for line in answer.splitlines()]
    if len(ours) != len(texts):
        sys.exit(f"{len(texts)} texts asked, {len(ours)} answered")
    wrong = 0
    started = time.process_time()
    answers = [oracle.encode(text, add_special_tokens=False).ids for text in texts]
    theirs = time.process_time() - started
    for text, ids, expected in zip(texts, ours, answers):
        if ids != expected:
            wrong += 1
            if wrong <= 5:
                print(f"differs: {text[:80]!r}\n  tokenizers {expected[:20]}\n  ours {ids[:20]}")
    print(f"{len(texts)} texts, {sum(map(len, texts))} characters, {wrong} differ; tokenizers "
          f"{theirs:.2f} s, ours {seconds - opening:.2f} s with JSON in and out")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
