# SPDX-License-Identifier: MIT
EXTRA_DIST += bench/results/README.md bench/results/cpu-avx512-2cores-busy.json
EXTRA_DIST += bench/shapes/qwen2-0.1b.json bench/shapes/qwen2.5-0.5b.json \
	scripts/rivals/README.md scripts/rivals/gemm.c scripts/rivals/gemm.h \
	scripts/rivals/gemm_onednn.c scripts/rivals/gemm_openblas.c scripts/rivals/gemm_ours.c \
	scripts/rivals/door.py scripts/rivals/generation.py scripts/rivals/llama.py \
	scripts/rivals/measure.py scripts/rivals/place.py scripts/rivals/products.py \
	scripts/rivals/run.py scripts/rivals/show_tiles.c scripts/rivals/torch_ceilings.py \
	scripts/rivals/torch_generate.py scripts/rivals/torch_head.py scripts/rivals/torch_model.py \
	scripts/rivals/torch_train.py scripts/rivals/training.py scripts/rivals/trl_update.py
