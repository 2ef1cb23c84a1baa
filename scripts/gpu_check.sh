#!/bin/sh
# SPDX-License-Identifier: MIT
# All that wants a GPU, in one go, under ten minutes: the suites of the devices, an update against the
# CPU, the demo, the benchmark. Writes FOLDER/<device>-<date>.json and a table; exit 77 where there is
# no GPU, 1 where something failed. Called by `make gpu-check` and by gpu-check of a bundle:
#     gpu_check.sh FOLDER [SUITE...]
# with top_srcdir (models/embedded, recipes, tests/golden, bench/shapes) and top_builddir (intuitor).
#   GPU_BACKEND   the backend under test (cuda)
#   GPU_SHAPE     config.json that the benchmark takes its shape from (Qwen2.5-1.5B)
#   GPU_LOADER    words before each program (a bundle's own loader)
#   GPU_SECONDS   nothing new is begun after so many (540)
set -u
: "${top_srcdir:=.}" "${top_builddir:=.}" "${GPU_BACKEND:=cuda}" "${GPU_LOADER=}"
: "${GPU_SECONDS:=540}" "${GPU_SHAPE:=$top_srcdir/bench/shapes/qwen2.5-1.5b.json}"
export top_srcdir top_builddir
results=$1
shift
program=$top_builddir/intuitor
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
begun=$(date +%s)
pass=0 fail=0 skip=0
: > "$work/steps"
: > "$work/rows"

# shellcheck disable=SC2086 # GPU_LOADER is a list of words
intuitor() {
    $GPU_LOADER "$program" "$@"
}

# --- is there one? ---
if ! intuitor devices > "$work/devices" 2> "$work/err"; then
    cat "$work/err" >&2
    exit 1
fi
device=$(sed -n "s/^  $GPU_BACKEND\(:0\)\{0,1\}  *//p" "$work/devices" | sed -n 1p)
if [ -z "$device" ]; then
    why=$(sed -n "/^$GPU_BACKEND: /,/^[^ ]/s/^  not usable here:* *//p" "$work/devices" | sed -n 1p)
    grep -q "^$GPU_BACKEND: " "$work/devices" || why="this build has no such backend"
    echo "gpu-check: skipped, no device for $GPU_BACKEND: ${why:-$(tail -n 1 "$work/err")}"
    exit 77
fi
echo "gpu-check: $device"

# --- steps ---

# result NAME CODE SECONDS LOG
result() {
    case $2 in
    0) word=pass pass=$((pass + 1)) ;;
    77) word=skip skip=$((skip + 1)) ;;
    *) word=fail fail=$((fail + 1)) ;;
    esac
    printf '%s\t%s\t%s\n' "$1" "$word" "$3" >> "$work/steps"
    printf '%-5s %4s s  %s\n' "$word" "$3" "$1"
    if [ "$word" = fail ]; then
        echo "      exit $2; the end of what it said:"
        tail -n 25 "$4" | sed 's/^/      /'
    fi
}

# step NAME SECONDS COMMAND...: its output goes to $work/out
step() {
    name=$1 limit=$2
    shift 2
    started=$(date +%s)
    if [ $((started - begun)) -ge "$GPU_SECONDS" ]; then
        echo "no time left" > "$work/out"
        result "$name" 77 0 "$work/out"
        return 77
    fi
    # shellcheck disable=SC2086
    timeout -k 5 "$limit" $GPU_LOADER "$@" > "$work/out" 2> "$work/err"
    code=$?
    [ $code -eq 124 ] && echo "took more than $limit s" >> "$work/err"
    cat "$work/err" "$work/out" > "$work/log"
    result "$name" $code $(($(date +%s) - started)) "$work/log"
    return $code
}

for suite; do
    step "$(basename "$suite")" 180 "$top_builddir/$suite"
    grep -h -e ' exact [01]: ' "$work/out" | sed 's/^/           /'
done

# The held-out accuracy after training is above that before it.
# demo NAME SETTING...
demo() {
    what=$1
    shift
    step "$what" 200 "$program" train "$top_srcdir/recipes/demo.yaml" --backend "$GPU_BACKEND" \
        --overwrite --quiet model_name_or_path="$top_srcdir/models/embedded" \
        output_dir="$work/run" "$@" || return 1
    first=$(sed -n '1s|.*"greedy/accuracy": *\([0-9.e-]*\).*|\1|p' "$work/run/eval.jsonl")
    last=$(sed -n '$s|.*"greedy/accuracy": *\([0-9.e-]*\).*|\1|p' "$work/run/eval.jsonl")
    echo "           greedy accuracy $first, then $last"
    echo "$first then $last: no rise" > "$work/log"
    awk "BEGIN { exit !(${last:-0} > ${first:-1}) }"
    result "$what: accuracy rises" $? 0 "$work/log"
}
demo "demo, exact" &&
    step "demo, an update again" 60 "$program" replay "$work/run" --step 20 --backend "$GPU_BACKEND"
demo "demo, bf16" torch_dtype=bfloat16 exact=false

# --- the benchmark ---

# bench NAME ARGUMENT...
bench() {
    what=$1
    shift
    step "bench $what" 120 "$program" bench "$@" --backend "$GPU_BACKEND" --json || return
    sed -e 's/^ *\[//' -e 's/\] *$//' "$work/out" | tr -d '\n' > "$work/part"
    [ -s "$work/part" ] || return
    [ -s "$work/rows" ] && printf ',' >> "$work/rows"
    cat "$work/part" >> "$work/rows"
}
set -- --config "$GPU_SHAPE" --dtype bf16 --runs 3
bench "ops" ops --check --runs 3
for batch in 1 64 256; do
    bench "decode, $batch" generate "$@" --batch $batch --prompt-tokens 512 --new-tokens 64
done
bench "decode, 64, exact" generate "$@" --exact --batch 64 --prompt-tokens 512 --new-tokens 64
bench "rollout of many lengths" generate "$@" --runs 1 --lengths --batch 128 --prompt-tokens 64 \
    --new-tokens 256
bench "train" train "$@" --batch 8 --prompt-tokens 512 --new-tokens 512
bench "train, exact" train "$@" --exact --runs 1 --batch 8 --prompt-tokens 512 --new-tokens 512
bench "score" score "$@" --batch 8 --prompt-tokens 512 --new-tokens 512

# --- the result ---
slug=$(printf '%s' "${device%%,*}" | tr 'A-Z' 'a-z' | tr -cs 'a-z0-9' '-' | sed 's/^-*//; s/-*$//')
mkdir -p "$results" || exit 1
file=$results/$slug-$(date -u +%Y-%m-%d).json
{
    printf '{"device":"%s","backend":"%s","date":"%s","seconds":%d,' \
        "$(printf '%s' "$device" | sed 's/[\\"]/\\&/g')" "$GPU_BACKEND" \
        "$(date -u +%Y-%m-%dT%H:%M:%SZ)" $(($(date +%s) - begun))
    printf '"pass":%d,"fail":%d,"skip":%d,"steps":[' $pass $fail $skip
    awk -F '\t' '{ printf "%s{\"name\":\"%s\",\"result\":\"%s\",\"seconds\":%d}",
                   (NR > 1 ? "," : ""), $1, $2, $3 }' "$work/steps"
    printf '],"rows":['
    cat "$work/rows"
    printf ']}\n'
} > "$file.tmp" && mv -f "$file.tmp" "$file" || exit 1

echo
awk 'BEGIN { RS = "}"; printf "%-22s %-34s %-6s %-5s %12s %-8s %s\n", "what", "shape", "dtype",
                              "exact", "rate", "", "of the ceiling" }
     function field(name,  at, text) {
         at = index($0, "\"" name "\":")
         if (!at) { return "" }
         text = substr($0, at + length(name) + 3)
         if (substr(text, 1, 1) == "\"") {
             text = substr(text, 2)
             return substr(text, 1, index(text, "\"") - 1)
         }
         sub(/[,}].*/, "", text)
         return text
     }
     /"what"/ && field("rate") != "null" {
         printf "%-22s %-34s %-6s %-5s %12.5g %-8s %.2f\n", field("what"), field("shape"),
                field("dtype"), field("exact"), field("rate"), field("unit"), field("fraction")
     }' "$work/rows"
echo
echo "gpu-check: $device: $pass passed, $fail failed, $skip skipped, $(($(date +%s) - begun)) s: $file"
[ $fail -eq 0 ]
