#!/bin/sh
# SPDX-License-Identifier: MIT
# A run from the outside: the same numbers whatever the threads, after any kill, and again on replay;
# what is refused, and with which exit code.
# shellcheck source=tests/outside.sh
. "${top_srcdir:-.}/tests/outside.sh"

mkdir "$folder/shape"
cp "$top_srcdir"/models/embedded/*.json "$folder/shape"
expect 0 "random model" "$program" init --config "$folder/shape/config.json" --seed 3 "$folder/model"

cat > "$folder/recipe.yaml" <<END
method: intuitor
model_name_or_path: $folder/model
dataset_name: arithmetic
dataset_limit: 64
num_generations: 4
per_device_train_batch_size: 4
gradient_accumulation_steps: 4
max_prompt_length: 16
max_completion_length: 12
max_steps: 6
learning_rate: 1.0e-3
beta: 0.01
eval_limit: 16
save_steps: 2
logging_steps: 1
END
train() {
    "$program" train "$folder/recipe.yaml" "$@"
}
same() {
    expect 0 "$1 against $2" "$program" replay --diff "$folder/$1" "$folder/$2"
}

expect 0 "whole run" train output_dir="$folder/one" --threads 1
grep -q '"policy/ratio_dev_max":0.0' "$folder/one/metrics.jsonl" || fail "ratios are not exactly 1"
[ "$(wc -l < "$folder/one/metrics.jsonl")" -eq 6 ] || fail "not six records"
[ "$(wc -l < "$folder/one/eval.jsonl")" -eq 2 ] || fail "not two evaluations"
[ -f "$folder/one/completions/completions_00006.jsonl" ] || fail "no completions of update 6"
ls "$folder"/one/events.out.tfevents.* > /dev/null || fail "no event file"

expect 0 "two threads" train output_dir="$folder/two" --threads 2
same one two

# killed at several points, then resumed: the same records
for delay in 0.05 0.15 0.3 0.5; do
    rm -rf "$folder/killed"
    "$program" train "$folder/recipe.yaml" output_dir="$folder/killed" > /dev/null 2>&1 &
    child=$!
    sleep "$delay"
    kill -9 "$child" 2> /dev/null
    wait "$child" 2> /dev/null
    expect 0 "resume after a kill at $delay s" train output_dir="$folder/killed" --resume
    same one killed
done

# a damaged newest checkpoint is passed over
cp -r "$folder/one" "$folder/damaged"
printf x >> "$folder/damaged/checkpoint-6/optimizer.safetensors"
expect 0 "resume from a damaged checkpoint" train output_dir="$folder/damaged" --resume
same one damaged

expect 0 "replay" "$program" replay "$folder/one" --step 5
says "the same, to the bit"
expect 0 "other seed" train output_dir="$folder/other" seed=9 max_steps=1
expect 1 "runs that differ" "$program" replay --diff "$folder/one" "$folder/other"
says "step 1"

# SIGTERM in the middle: state saved, exit 75, resumable
"$program" train "$folder/recipe.yaml" output_dir="$folder/term" max_steps=200 max_completion_length=48 \
    eval_dataset=none > /dev/null 2>&1 &
child=$!
sleep 1
kill -TERM "$child"
wait "$child"
[ $? -eq 75 ] || fail "SIGTERM does not end with 75"
ls -d "$folder"/term/checkpoint-* > /dev/null || fail "SIGTERM left no checkpoint"

expect 0 "plan" train output_dir="$folder/unborn" --plan
says "4 prompts x 4 = 16 completions"
[ ! -e "$folder/unborn" ] || fail "--plan wrote something"

expect 2 "non-empty folder" train output_dir="$folder/one"
says "not empty"
expect 2 "misspelt key" train learning_rat=1 output_dir="$folder/x"
says "learning_rate"
expect 2 "batch that does not divide" train num_processes=1 num_generations=3 output_dir="$folder/x"
expect 2 "missing model" train model_name_or_path="$folder/none" output_dir="$folder/x"
expect 2 "missing recipe" "$program" train "$folder/none.yaml"
expect 2 "every prompt too long" train max_prompt_length=2 output_dir="$folder/x"
expect 2 "empty data" sh -c ": > $folder/empty.jsonl; $program train $folder/recipe.yaml \
    dataset_name=$folder/empty.jsonl output_dir=$folder/x"
printf '{"prompt": "1+1=", "answer": "2"}\n{"prompt": \n' > "$folder/broken.jsonl"
expect 2 "broken line" train dataset_name="$folder/broken.jsonl" output_dir="$folder/x"
says "broken.jsonl:2"
expect 2 "memory limit" train --memory-limit 1MB output_dir="$folder/x"
expect 3 "guard" train guard_entropy=100 guard_patience=2 output_dir="$folder/guard"
says "guard_entropy"
[ -d "$folder/guard/checkpoint-2" ] || fail "the guard saved no state"
sed 's/"initializer_range": 0.02/"initializer_range": 1e18/' "$folder/shape/config.json" \
    > "$folder/shape/huge.json"
expect 0 "model of huge weights" "$program" init --config "$folder/shape/huge.json" "$folder/huge"
expect 3 "loss that is not finite" train model_name_or_path="$folder/huge" eval_dataset=none \
    output_dir="$folder/nan"
says "not finite"
# where a dataset's records lie
mkdir -p "$folder/set/one" "$folder/set/data/two"
echo '{"question": "1+1=", "answer": "2", "level": null}' > "$folder/set/one/train.jsonl"
echo '{"prompt": "1+1=", "answer": "2"}' > "$folder/set/data/two/train.jsonl"
expect 2 "prompt column that is not there" train dataset_name="$folder/set" output_dir="$folder/x"
says 'no field "prompt"; .*; there is: question, answer, level$'
expect 2 "configuration that is not there" train dataset_name="$folder/set" dataset_config=three \
    output_dir="$folder/x"
says 'no configuration "three" (a folder); there is: one$'
expect 0 "configuration" train dataset_name="$folder/set" dataset_config=two \
    max_prompt_length=200 --plan
[ ! -e "$folder/x" ] || fail "a refused run left $(ls "$folder/x")"
exit $failed
