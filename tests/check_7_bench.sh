#!/bin/sh
# SPDX-License-Identifier: MIT
# The benchmark from the outside: every kind of measurement on a small model, its four ways of
# writing, comparisons, and what is refused. No figure is judged: that is not what a test can do.
# shellcheck source=tests/outside.sh
. "${top_srcdir:-.}/tests/outside.sh"
config=$top_srcdir/models/embedded/config.json

count() {
    found=$(grep -c -e "$1" "$folder/out")
    [ "$found" -eq "$2" ] || { fail "$found lines with \"$1\", expected $2"; cat "$folder/out"; }
}

# A JSON array of rows with the fields that scripts rely on, and nothing that is not a number.
sound() {
    command -v python3 > /dev/null || return 0
    python3 - "$folder/out" <<'END' || fail "not the array that --json promises"
import json, math, sys
def bad(token):
    sys.exit("%s is no JSON" % token)
rows = json.load(open(sys.argv[1]), parse_constant=bad)
fields = {"what": str, "shape": str, "dtype": str, "backend": str, "exact": bool, "unit": str,
          "time_s": float, "rate": float, "fraction": float, "max_rel_err": float}
for row in rows:
    for name, kind in fields.items():
        value = row[name]
        if value is not None and not isinstance(value, kind):
            sys.exit("%s is %r" % (name, value))
    if row["time_s"] is not None and not (row["time_s"] > 0 and row["rate"] > 0):
        sys.exit("no time or rate: %r" % row)
    if row["time_s"] is not None and not row["fraction"] > 0:
        sys.exit("no fraction: %r" % row)
if [r["what"] for r in rows[:2]] != ["ceiling/read", "ceiling/fma"]:
    sys.exit("the ceilings do not come first")
END
}

small="--backend cpu --runs 1 --batch 2 --prompt-tokens 5 --new-tokens 6"
bench() {
    what=$1
    shift
    # shellcheck disable=SC2086
    "$program" bench "$what" $small "$@"
}

expect 0 "ops, checked" bench ops --config "$config" --ops matmul,rmsnorm,sum_rows --check
count "^matmul" 7
says "16 small cases"
expect 0 "ops in f32" bench ops --config "$config" --ops rope --dtype f32 --json
sound
expect 0 "two backends" bench ops --ops sumsq --backend reference
count "^sumsq" 2
expect 0 "the head" bench ops --config "$config" --ops head
count "^head/products" 2
count "^head/fwd+bwd" 2
for what in generate train score; do
    expect 0 "$what" bench "$what" --config "$config" --json
    sound
    says "\"$what"
done
expect 0 "generation, exact, a spread of lengths" bench generate --config "$config" --lengths --exact \
    --csv
count "^generate/" 2
count ",true,.*tok/s" 2
expect 0 "one token of prompt" bench generate --config "$config" --prompt-tokens 1 --new-tokens 1 --md
count "^| generate/decode" 1
expect 0 "a model folder" "$program" init --config "$config" --seed 1 "$folder/model"
expect 0 "score of a folder" bench score --model "$folder/model" --json

# --- comparing ---
row() {
    printf '{"what":"%s","shape":"s, 1","dtype":"f32","backend":"cpu","exact":false,"time_s":%s}' \
        "$1" "$2"
}
echo "[$(row matmul 1.0),$(row attn 2.0),$(row ceiling/read 1.0),$(row old 1.0)]" > "$folder/a.json"
echo "[$(row matmul 1.05),$(row attn 1.0),$(row ceiling/read 9.0),$(row new 1.0)]" > "$folder/b.json"
expect 0 "within the threshold" "$program" bench --compare "$folder/a.json" "$folder/b.json"
says "only before: old"
says "only after: new"
expect 1 "beyond the threshold" "$program" bench --compare "$folder/a.json" "$folder/b.json" \
    --threshold 4
says "1 of 2 are slower"
expect 1 "the other way round" "$program" bench --compare "$folder/b.json" "$folder/a.json" --json
says '"change_percent":100.0'
echo '{"what":1}' > "$folder/bad.json"
echo '[]' > "$folder/none.json"
expect 2 "no measurements" "$program" bench --compare "$folder/a.json" "$folder/bad.json"
expect 2 "nothing in common" "$program" bench --compare "$folder/a.json" "$folder/none.json"
expect 2 "one file" "$program" bench --compare "$folder/a.json"

# --- refused ---
expect 2 "nothing to do" "$program" bench
expect 2 "a misspelt kind" "$program" bench trian --config "$config"
says '"train"\|mean train'
expect 2 "no model" "$program" bench train
expect 2 "two models" "$program" bench train --config "$config" --model "$folder"
expect 2 "a misspelt op" "$program" bench ops --ops matmull
says "matmul"
expect 2 "no such configuration" "$program" bench score --config "$folder/none"
expect 2 "a batch of nothing" "$program" bench score --config "$config" --batch 0
expect 2 "two ways of writing" "$program" bench ops --json --csv
expect 2 "longer than the model" "$program" bench score --config "$config" --new-tokens 100000
expect 2 "no such backend" "$program" bench ops --backend cpq
expect 0 "help" "$program" bench --help
says "--compare"

exit $failed
