#!/bin/sh
# SPDX-License-Identifier: MIT
# generate, score and eval from the outside, on a small random model: score finds what the sampler
# recorded, completions do not depend on their company, an evaluation goes on after a kill.
# shellcheck source=tests/outside.sh
. "${top_srcdir:-.}/tests/outside.sh"
unset INTUITOR_BACKEND

same() {
    cmp -s "$1" "$2" || fail "$3"
}

# one block of width 32 over the embedded model's bytes
mkdir "$folder/shape"
cp "${top_srcdir:-.}/models/embedded/tokenizer.json" \
    "${top_srcdir:-.}/models/embedded/tokenizer_config.json" "$folder/shape"
cat > "$folder/shape/config.json" <<'END'
{"model_type": "qwen2", "vocab_size": 258, "hidden_size": 32, "intermediate_size": 64,
 "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "hidden_act": "silu",
 "max_position_embeddings": 512, "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
 "initializer_range": 0.3, "tie_word_embeddings": true, "eos_token_id": 257}
END
model=$folder/model
runs 0 "$program" init --config "$folder/shape" --seed 1 "$model"

# ---- generate ----
cat > "$folder/in" <<'END'
{"id":1,"prompt":"1+1=","kept":[null,2.5]}
broken
{"id":2}
{"prompt":""}
{"prompt":7}

{"messages":[{"role":"user","content":"x"}]}
{"id":3,"prompt":"7+8-3\u0000="}
END
runs 1 "$program" generate --model "$model" --prompts "$folder/in" -n 3 --max-new-tokens 60
for line in 2 3 4 5 7; do has "$folder/in:$line: " err; done
has '5 of 7 records are bad' err
[ "$(wc -l < "$folder/out")" = 2 ] || fail "two records were expected"
has '{"id":1,"prompt":"1+1=","kept":[null,2.5],"completions":[{"text":' out
[ "$(grep -o '"token_ids":\[' "$folder/out" | wc -l)" = 6 ] || fail "six completions were expected"
cp "$folder/out" "$folder/both"
# the same line numbers: the same random numbers
{ echo; sed '1d' "$folder/in"; } > "$folder/second"
runs 1 "$program" generate --model "$model" --prompts "$folder/second" -n 3 --max-new-tokens 60
sed '1d' "$folder/both" > "$folder/want"
same "$folder/want" "$folder/out" "a completion depends on its company"
runs 1 "$program" generate --model "$model" --prompts "$folder/in" -n 3 --max-new-tokens 60 \
    --output "$folder/file"
same "$folder/both" "$folder/file" "--output differs from standard output"
[ -s "$folder/out" ] && fail "--output writes to standard output, too"
runs 0 "$program" generate --model "$model" --temperature 0 --max-new-tokens 9 '1+1=' 'x'
[ "$(wc -l < "$folder/out")" = 2 ] || fail "prompts on the command line make no records"
cp "$folder/out" "$folder/want"
runs 0 "$program" generate --model "$model" --top-k 1 --seed 5 --max-new-tokens 9 '1+1=' 'x'
same "$folder/want" "$folder/out" "top-k 1 is not greedy"
runs 0 "$program" generate --model "$model" --min-p 1 --max-new-tokens 9 --threads 1 '1+1=' 'x'
same "$folder/want" "$folder/out" "min-p 1 is not greedy"
runs 0 "$program" generate --model "$model" --top-p 1e-6 --max-new-tokens 9 '1+1=' 'x'
same "$folder/want" "$folder/out" "a tiny top-p is not greedy"

# a stop text is cut off, its token stays (these capitals are in no JSON escape)
runs 0 "$program" generate --model "$model" --max-new-tokens 200 --seed 2 --json \
    --stop 'G,H,\x49,J,K,L,M' --stop 'N,O,P' 'a prompt'
has '"finish_reason":"stop"' out
grep -q '"text":"[^"]*[G-P]' "$folder/out" && fail "a stop text was left in: $(cat "$folder/out")"

# ---- score ----
# what generate recorded, as records for score with the statistics beside
sed 's/{"text":/\n&/g' "$folder/both" | grep '^{"text"' |
    sed -e 's/.*"token_ids":\(\[[0-9,]*\]\).*"logprob":/\1 /' \
        -e 's/,"self_certainty":/ /' -e 's/,"entropy":\([^}]*\)}.*/ \1/' > "$folder/recorded"
[ "$(wc -l < "$folder/recorded")" = 6 ] || fail "the completions cannot be read"
awk '{ prompt = NR <= 3 ? "1+1=" : "7+8-3\\u0000="
       print "{\"prompt\":\"" prompt "\",\"completion_ids\":" $1 "}" }' \
    "$folder/recorded" > "$folder/scores"
runs 0 "$program" score --model "$model" --input "$folder/scores"
sed 's/.*"logprob":\([^,]*\),"self_certainty":\([^,]*\),"entropy":\([^,}]*\).*/\1 \2 \3/' \
    "$folder/out" | paste -d ' ' "$folder/recorded" - | awk '
    function far(a, b) { return (a > b ? a - b : b - a) > 1e-3 + 1e-4 * (a > 0 ? a : -a) }
    { n++; if (far($2, $5) || far($3, $6) || far($4, $7)) { print "line " NR ": " $0; bad = 1 } }
    END { exit bad || n != 6 }' || fail "score does not find what the sampler recorded"

cat > "$folder/in" <<'END'
{"prompt":"7+8=","completion":"15","kept":true}
{"prompt":"7+8=","completion":""}
{"prompt_ids":[55,43],"completion_ids":[56,61,257],"logprob":"old"}
{"prompt_ids":[55,43],"completion_ids":[56,258]}
{"prompt_ids":[-1],"completion_ids":[56]}
{"prompt_ids":[1.5],"completion_ids":[56]}
{"prompt":"","completion":"x"}
{"prompt":"x"}
[1]
{"prompt":"7+8=","completion_ids":[49,53]}
END
runs 1 "$program" score --model "$model" --input "$folder/in" --per-token
for line in 4 5 6 7 8 9; do has "$folder/in:$line: " err; done
[ "$(wc -l < "$folder/out")" = 4 ] || fail "four records were expected"
has '"kept":true,"n_tokens":2,"logprob":-' out
has '"n_tokens":0,"logprob":0.0,"self_certainty":null,"entropy":null,"token_ids":[],' out
has '"token_ids":[56,61,257],"logprobs":[-' out
text=$(sed -n '1s/.*"n_tokens"//p' "$folder/out")
ids=$(sed -n '4s/.*"n_tokens"//p' "$folder/out")
[ "$text" = "$ids" ] || fail "text and its ids are scored differently"
# a long record, and one that shares its pack with it
awk 'BEGIN { printf "{\"prompt\":\"1\",\"completion\":\""; for (i = 0; i < 5000; i++) printf "7"
             print "\"}" }' > "$folder/in"
echo '{"prompt":"7+8=","completion":"15"}' >> "$folder/in"
runs 0 "$program" score --model "$model" --input "$folder/in" --per-token
[ "$(sed -n '2s/.*"n_tokens"//p' "$folder/out")" = "$text" ] || fail "a score depends on its pack"
has '"n_tokens":5000,' out
has 'was made for 512' err
rm "$model/tokenizer.json" "$model/tokenizer_config.json"
echo '{"prompt_ids":[55],"completion_ids":[43]}' >> "$folder/in"
runs 1 "$program" score --model "$model" --input "$folder/in"
has "$folder/in:1: the model has no tokenizer" err
[ "$(wc -l < "$folder/out")" = 1 ] || fail "ids need no tokenizer"
cp "$folder/shape/tokenizer.json" "$folder/shape/tokenizer_config.json" "$model"

# ---- eval ----
evaluate() {
    "$program" eval --model "$model" --tasks arithmetic --limit 120 -n 2 --temperature 1 \
        --max-new-tokens 300 "$@"
}
runs 0 evaluate --out "$folder/whole"
has 'arithmetic' out
[ "$(wc -l < "$folder/whole/arithmetic.jsonl")" = 240 ] || fail "240 completions were expected"
runs 0 "$program" grade --task arithmetic --input "$folder/whole/arithmetic.jsonl" --k 1 --json
grep -q '"pass@1"' "$folder/whole/results.json" || fail "results.json has no pass@1"
has '"n":240,' out

# torn in the middle of a line, as a kill leaves it
mkdir "$folder/torn"
cp "$folder/whole/settings.json" "$folder/torn"
head -c 30000 "$folder/whole/arithmetic.jsonl" > "$folder/torn/arithmetic.jsonl"
runs 0 evaluate --out "$folder/torn" --json
has 'were there and are kept' err
[ "$(wc -l < "$folder/out")" = 1 ] || fail "--json is not one document"
same "$folder/whole/arithmetic.jsonl" "$folder/torn/arithmetic.jsonl" "other records after a kill"
same "$folder/whole/results.json" "$folder/torn/results.json" "other results after a kill"

runs 2 evaluate --out "$folder/torn" --seed 9
has 'seed 0, now it is 9' err
runs 0 evaluate --out "$folder/torn" --seed 9 --overwrite
cmp -s "$folder/whole/arithmetic.jsonl" "$folder/torn/arithmetic.jsonl" &&
    fail "one seed is another"
runs 2 evaluate --out "$folder"
has 'not of an evaluation' err

# ---- several tasks in one run of the generator ----
mkdir -p "$folder/data/gsm8k" "$folder/data/math"
for i in 1 2 3 4 5 6; do
    printf '{"question":"What is %s+1?","answer":"so\\n#### %s"}\n' $i $((i + 1))
done > "$folder/data/gsm8k/test.jsonl"
for i in 1 2 3 4; do
    printf '{"problem":"Find %s.","answer":"%s","level":%s,"subject":"S"}\n' $i $i $((i % 2))
done > "$folder/data/math/math500.jsonl"
echo 'Say {question} now' > "$folder/wording"
together() {
    "$program" eval --model "$model" --data "$folder/data" -n 2 --temperature 1 "$@"
}
runs 0 together --tasks gsm8k,math500,arithmetic --limit 5 --max-new-tokens 50 --out "$folder/all"
[ "$(wc -l < "$folder/all/gsm8k.jsonl")" = 10 ] || fail "ten completions were expected"
has '"sha256":' all/results.json
has 'gsm8k/test.jsonl' all/results.json
has '"level": {' all/results.json
for task in gsm8k math500 arithmetic; do
    runs 0 together --tasks $task --limit 5 --max-new-tokens 50 --out "$folder/alone-$task"
    same "$folder/all/$task.jsonl" "$folder/alone-$task/$task.jsonl" \
        "a completion of $task depends on the other tasks"
    runs 0 "$program" grade --task $task --input "$folder/all/$task.jsonl" --k 1,2 --json
    tr -d ' \n' < "$folder/all/results.json" > "$folder/flat"
    for field in n correct accuracy stderr low pass@1 pass@2 avg@2 maj@2; do
        value=$(grep -o "\"$field\":[^,}]*" "$folder/out" | head -n 1)
        [ -n "$value" ] && grep -qF "$value" "$folder/flat" ||
            fail "grade gives another $field of $task: $value"
    done
done
# generated and not graded, as a kill in the grading leaves it; some graded records come twice
mkdir "$folder/half"
cp "$folder/all/settings.json" "$folder/half"
for task in gsm8k math500 arithmetic; do
    sed 's/,"extracted":.*/}/' "$folder/all/$task.jsonl" > "$folder/half/$task.jsonl"
    head -n 3 "$folder/all/$task.jsonl" >> "$folder/half/$task.jsonl"
done
runs 0 together --tasks gsm8k,math500,arithmetic --limit 5 --max-new-tokens 50 --out "$folder/half"
for task in gsm8k math500 arithmetic; do
    same "$folder/all/$task.jsonl" "$folder/half/$task.jsonl" "$task: other verdicts after a kill"
done
same "$folder/all/results.json" "$folder/half/results.json" "other results after a kill in grading"

runs 0 together --tasks gsm8k --limit 2 --max-new-tokens 5 --prompt-template "$folder/wording" \
    --system-prompt '' --out "$folder/worded"
has '"prompt":"Say What is 1+1? now"' worded/gsm8k.jsonl
runs 2 together --tasks gsm8k --prompt-template "$folder/none"
runs 2 together --tasks gsm8k --prompt nosuchwording

exit "$failed"
