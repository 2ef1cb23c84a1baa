#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write the tokenizer of the embedded model: 256 bytes, the opening of a box as one token, and the
end of text. Usage: embedded_tokenizer.py FOLDER"""
import json
import os
import sys


def byte_letters():
    """The printable stand-in of each byte that byte-level BPE files use."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {b: chr(b) for b in plain}
    for b in range(256):
        letters.setdefault(b, chr(256 + len(letters) - len(plain)))
    return [letters[b] for b in range(256)]


def main(folder):
    vocab = {letter: i for i, letter in enumerate(byte_letters())}
    added = [("\\boxed{", False), ("<|endoftext|>", True)]
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": 256 + i, "content": text, "single_word": False, "lstrip": False,
                          "rstrip": False, "normalized": False, "special": special}
                         for i, (text, special) in enumerate(added)],
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": "\\p{N}|[^\\p{N}]"}, "behavior": "Isolated",
             "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False,
             "use_regex": False}]},
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False,
                    "use_regex": False},
        "model": {"type": "BPE", "dropout": None, "unk_token": None,
                  "continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": False,
                  "byte_fallback": False, "ignore_merges": False, "vocab": vocab, "merges": []},
    }
    config = {"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|endoftext|>",
              "pad_token": "<|endoftext|>", "bos_token": None, "add_prefix_space": False,
              "model_max_length": 512, "clean_up_tokenization_spaces": False,
              "errors": "replace"}
    for name, value in (("tokenizer.json", tokenizer), ("tokenizer_config.json", config)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            json.dump(value, file, ensure_ascii=False, indent=1)
            file.write("\n")


main(sys.argv[1])
