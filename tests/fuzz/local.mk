# SPDX-License-Identifier: MIT
# A fuzzer is one file with LLVMFuzzerTestOneInput. Name it here:
#
#   FUZZERS += tests/fuzz/json.c
#
# `make fuzz` builds the library with clang and its sanitizers and runs each for FUZZ_SECONDS.
# Inputs to start from, if any, lie in tests/fuzz/seeds/json/ and are listed in EXTRA_DIST.
