#!/bin/sh
# SPDX-License-Identifier: MIT
# Every command from the outside: help, one line and exit code 2 for what is wrong, nothing on
# standard output then; tokenize, init and devices.
# shellcheck source=tests/outside.sh
. "${top_srcdir:-.}/tests/outside.sh"
shape=${top_srcdir:-.}/models/embedded
unset INTUITOR_DATA INTUITOR_BACKEND

# refused TEXT COMMAND...: exit 2, nothing on standard output, one line that says TEXT
refused() {
    text=$1
    shift
    runs 2 "$program" "$@"
    [ -s "$folder/out" ] && fail "standard output of a refusal: $*"
    [ "$(grep -c '^error: ' "$folder/err")" = 1 ] || fail "not one line of error: $*"
    grep -q -- "$text" "$folder/err" || fail "nothing says \"$text\": $*: $(cat "$folder/err")"
}

prints() {
    printf "$1" > "$folder/want"
    cmp -s "$folder/want" "$folder/out" || fail "expected $1, got $(cat "$folder/out")"
}

for command in generate score eval grade tokenize init devices train pretrain; do
    runs 0 "$program" "$command" --help
    grep -q "^usage: intuitor $command" "$folder/out" || fail "$command --help has no usage"
    grep -q '^example: ' "$folder/out" || fail "$command --help has no example"
    refused 'unknown option --modle' "$command" --modle
done
refused 'did you mean "generate"' generat
refused 'did you mean --model' generate --modle x

# init
model=$folder/model
refused 'no --config' init "$model"
refused 'expected one folder' init --config "$shape"
refused 'nowhere.json: cannot open' init --config "$folder/nowhere.json" "$model"
refused 'expected an integer, found "x"' init --config "$shape" --seed x "$model"
refused 'did you mean "bf16"' init --config "$shape" --dtype f16 "$model"
runs 0 "$program" init --config "$shape/config.json" --seed 3 "$model"
runs 0 "$program" init --config "$model" --seed 3 "$folder/again"
cmp -s "$model/model.safetensors" "$folder/again/model.safetensors" || fail "init is not seeded"
runs 0 "$program" init --config "$model" --seed 4 "$folder/other"
cmp -s "$model/model.safetensors" "$folder/other/model.safetensors" && fail "init ignores the seed"
refused 'not empty' init --config "$shape" "$model"

# tokenize: exact both ways, bytes that are no text included
printf 'a\n\303\251<|endoftext|>\\boxed{1}' > "$folder/text"
runs 0 "$program" tokenize --model "$model" < "$folder/text"
prints '97 10 195 169 257 256 49 125\n'
cp "$folder/out" "$folder/ids"
runs 0 "$program" tokenize --model "$model" --decode < "$folder/ids"
cmp -s "$folder/text" "$folder/out" || fail "tokenize and --decode change the text"
printf '"a\\u0000\\u00e9"\r\n""\n' > "$folder/lines"
runs 0 "$program" tokenize --model "$model" --jsonl < "$folder/lines"
prints '[97,0,195,169]\n[]\n'
cp "$folder/out" "$folder/ids"
runs 0 "$program" tokenize --model "$model" --jsonl --decode < "$folder/ids"
prints '"a\\u0000\303\251"\n""\n'
runs 0 "$program" tokenize --model "$model"
prints '\n'
printf '1 x' > "$folder/bad"
refused 'found "x"' tokenize --model "$model" --decode < "$folder/bad"
refused 'stdin:1: ' tokenize --model "$model" --jsonl < "$folder/bad"
printf '["a"]' > "$folder/bad"
refused 'stdin:1: expected a JSON array of token ids' \
    tokenize --model "$model" --jsonl --decode < "$folder/bad"
refused 'no tokenizer.json' tokenize --model "$folder"
refused 'no --model' tokenize

# devices
runs 0 "$program" devices
grep -q '^auto: ' "$folder/out" || fail "devices does not say what auto means"
runs 0 "$program" devices --json --ops
grep -q '"matmul":"native"' "$folder/out" || fail "devices --ops has no matmul"
[ "$(wc -l < "$folder/out")" = 1 ] || fail "devices --json is not one document"
refused 'nothing but options' devices cpu

# what generate, score, eval and grade refuse before anything starts
printf '{"prompt":"1+1=","completion":"2"}\n' > "$folder/in"
refused 'no --model' generate x
refused 'no prompt' generate --model "$model"
refused 'not both' generate --model "$model" --prompts "$folder/in" x
refused 'not a folder' generate --model "$folder/nowhere" x
refused 'prompt 1: the prompt is empty' generate --model "$model" ''
refused 'no chat template' generate --model "$model" --chat x
refused 'temperature: expected' generate --model "$model" --temperature -1 x
refused 'temperature: expected' generate --model "$model" --temperature nan x
refused 'top-p: expected' generate --model "$model" --top-p 0 x
refused 'min-p: expected' generate --model "$model" --min-p 1.5 x
refused 'top-k: expected' generate --model "$model" --top-k -1 x
refused 'n: expected' generate --model "$model" -n 0 x
refused 'max-new-tokens: expected' generate --model "$model" --max-new-tokens 0 x
refused 'stop: expected' generate --model "$model" --stop '\q' x
refused 'did you mean cpu' generate --model "$model" --quiet --backend cpuu x
refused 'cannot write' generate --model "$model" --output "$folder/no/where" x
refused 'cannot open' generate --model "$model" --prompts "$folder/nowhere"
refused 'no --input' score --model "$model"
refused 'cannot open' score --model "$model" --input "$folder/nowhere"
refused 'cannot write' score --model "$model" --input "$folder/in" --output "$folder"
refused 'no --tasks' eval --model "$model"
refused 'did you mean "arithmetic"' eval --model "$model" --tasks arithmetics
refused 'given twice' eval --model "$model" --tasks arithmetic,arithmetic
refused 'for grade' eval --model "$model" --tasks math_equiv
refused 'INTUITOR_DATA' eval --model "$model" --tasks gsm8k
refused 'unknown profile' eval --model "$model" --tasks arithmetic --profile boxes
refused 'limit: expected' eval --model "$model" --tasks arithmetic --limit -1
refused 'no --task' grade --input "$folder/in"
refused 'no --input' grade --task math
refused 'did you mean "math"' grade --task maths --input "$folder/in"
refused 'unknown profile' grade --task math --input "$folder/in" --profile x
refused 'whole numbers' grade --task math --input "$folder/in" --k 1,0
runs 1 "$program" score --model "$model" --input "$folder/in" --memory-limit 1MB
grep -q 'memory limit' "$folder/err" || fail "--memory-limit is not named"

exit "$failed"
