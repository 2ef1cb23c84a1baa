# SPDX-License-Identifier: MIT
EXTRA_DIST += bench/results/README.md bench/results/cpu-avx512-2cores-busy.json
